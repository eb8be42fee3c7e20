"""The benchmark: its output and files, its checks of results and noise, and what it leaves out."""

import base64
import contextlib
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastrelu
from fastrelu._tool import operations
from fastrelu._tool.bench import command, contenders, measure, report
from fastrelu._tool.bench.record import fault

COPIES = ["copy", "streaming copy"] if hasattr(getattr(fastrelu, "_core", None), "copy") else []

main = importlib.import_module("fastrelu._tool.main").main

ONE_CASE = ["--operations", "forward", "--where", "out", "--sizes", "16"]
SHORT = ["bench", "--contenders", "numpy", "--threads", "1", "--seconds", "0.01"]
LINE = re.compile(r" *[\d,]+  (?:L\d|DRAM|\?) +\d+ +[\d.]+ [mµn]?s .* [\d.]+x!?")


def fake(name="mine", statement="relu(x, y)", library="numpy", **options):
    """Return a contender for the forward pass with out=; it is right unless options change it."""

    def relu(x, y):
        np.maximum(0, x, out=y)

    names = {"relu": relu} | options.pop("names", {})
    return contenders.Contender(
        name, library, {("forward", "out="): statement}, lambda arrays: names | arrays, **options
    )


@pytest.fixture
def add(monkeypatch):
    """Return add(contender): it takes part from now on."""

    def add(contender):
        monkeypatch.setattr(contenders, "CONTENDERS", (*contenders.CONTENDERS, contender))

    return add


@pytest.fixture
def record(tmp_path, capsys):
    """Return the path of a record of one case."""
    path = tmp_path / "old.json"
    assert main([*SHORT, *ONE_CASE, "--json", str(path)]) == 0
    capsys.readouterr()
    return path


def change(path, function):
    """Apply a function to every row of a record."""
    content = json.loads(path.read_text())
    for row in content["rows"]:
        function(row)
    path.write_text(json.dumps(content))


def refused(arguments, capsys):
    """Return the line with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_line_for_each_case_and_what_they_mean(capsys):
    assert main([*SHORT, "--operations", ",".join(command.OPERATIONS), "--sizes", "16"]) == 0
    out = capsys.readouterr().out
    for operation in contenders.OPERATIONS:
        for output in contenders.OUTPUTS:
            assert f"\n{operation}, {output}, float32\n" in out
    lines = [line for line in out.splitlines() if LINE.fullmatch(line)]
    assert len(lines) == len(contenders.OPERATIONS) * len(contenders.OUTPUTS)
    assert max(map(len, out.splitlines())) <= 100
    for word in ("using", "threads: 1", "bytes", "checked", "fastrelu is faster than"):
        assert word in out


def test_every_prints_all_contenders_and_limits(capsys):
    assert main([*SHORT, *ONE_CASE, "--every"]) == 0
    out = capsys.readouterr().out
    for name in ("NumPy maximum", "NumPy multiply", "NumPy copy", *COPIES):
        assert re.search(rf"^  {name} +1 ", out, re.MULTILINE)


def test_json(record):
    found = json.loads(record.read_text())
    assert found.keys() == {"command", "fastrelu", "machine", "bench", "rows", "wrong", "noise"}
    assert found["bench"]["selection"]["sizes"] == [16]
    assert found["bench"]["versions"] == {"numpy": np.__version__}
    assert found["wrong"] == []
    rows = {row["contender"]: row for row in found["rows"]}
    assert {"fastrelu", "NumPy maximum", "NumPy copy", *COPIES} <= rows.keys()
    row = rows["fastrelu"]
    assert (row["operation"], row["output"], row["dtype"]) == ("forward", "out=", "float32")
    assert (row["elements"], row["threads"], row["bytes"]) == (16, 1, 2 * 16 * 4)
    assert row["rounds"] >= 5
    assert row["ns_per_element"] == pytest.approx(row["seconds"] * 1e9 / 16)
    limits = [row["gigabytes_per_second"] for row in rows.values() if row["is_limit"]]
    assert row["of_limit"] == pytest.approx(row["gigabytes_per_second"] / max(limits))


def test_results_are_of_the_same_cases_everywhere_and_name_no_folder(tmp_path, monkeypatch):
    quick = {"sizes": "16", "contenders": "numpy", "seconds": 0.01, "dtype": "float32"}
    monkeypatch.setattr(command, "SAME", command.SAME | quick)
    monkeypatch.setattr(command, "usable_cpus", lambda: 3)
    path = tmp_path / "mine.json"
    assert main(["bench", "--results", str(path)]) == 0
    found = json.loads(path.read_text())
    assert fault(found) is None
    assert found["command"] == "python -m fastrelu bench --results mine.json"
    cases = {(row["operation"], row["output"], row["threads"]) for row in found["rows"]}
    named = itertools.product(("forward", "backward"), contenders.OUTPUTS, (1, 2, 3))
    assert set(named) <= cases


def test_full_goes_from_16_to_64_m_and_the_default_is_part_of_it():
    assert (min(command.FULL_SIZES), max(command.FULL_SIZES)) == (16, 64 << 20)
    assert set(command.SIZES) <= set(command.FULL_SIZES)


def test_an_earlier_run_is_repeated_and_compared(record, capsys):
    assert main(["bench", "--compare", str(record), "--seconds", "0.1", "--fail-over", "1e9"]) == 0
    out = capsys.readouterr().out
    assert sum(bool(LINE.fullmatch(line)) for line in out.splitlines()) == 1
    assert "Of 1 rows of fastrelu 0 became slower" in out


def test_what_became_slower_is_named_and_exits_1(record, capsys):
    def quicken(row):
        row["seconds"] /= 1000
        row["median_seconds"] /= 1000

    change(record, quicken)
    assert main(["bench", "--compare", str(record), "--seconds", "0.1"]) == 1
    out = capsys.readouterr().out
    assert "! slower: forward out= of 16 float32, threads 1: " in out
    assert "Of 1 rows of fastrelu 1 became slower by more than 10 %" in out


def test_what_seems_to_be_slower_is_measured_again(record, monkeypatch, capsys):
    taken = iter([1.0, 1e-9])
    monkeypatch.setattr(
        measure, "time_interleaved", lambda timers, *rest: [[next(taken)]] * len(timers)
    )
    assert main(["bench", "--compare", str(record)]) == 0
    assert "0 became slower by more than 10 %, 1 faster" in capsys.readouterr().out
    assert list(taken) == []


def test_slower_rounds_with_a_fast_one_among_them_are_no_verdict(record):
    old = json.loads(record.read_text())
    new = json.loads(record.read_text())
    for row in new["rows"]:
        row["median_seconds"] *= 2
    assert report.compare(old, new, 10)[1] == 0


def test_another_machine_is_named(record):
    old, new = (json.loads(record.read_text()) for _ in range(2))
    old["machine"]["cpu"] = "Z80"
    assert "another cpu: Z80" in report.compare(old, new, 10)[0][0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"rows": []}',
        b'{"rows": [{"seconds": 1}], "bench": {"selection": {}}}',
        b"[" * 100_000,
    ],
    ids=["nothing", "binary", "list", "empty", "no rows", "damaged", "deep"],
)
def test_a_bad_record_is_one_line(content, tmp_path, capsys):
    path = tmp_path / "old.json"
    path.write_bytes(content)
    message = refused(["bench", "--compare", str(path)], capsys)
    assert f"{path}: not a record of bench --json" in message


def test_a_record_of_other_cases_is_refused(record, capsys):
    arguments = ["bench", "--compare", str(record), "--sizes", "17"]
    assert "holds nothing that this run measures" in refused(arguments, capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "--dtype", "floot"], "knows no type 'floot'"),
        (["bench", "--dtype", "float32,m8"], "no kernels for 'm8'"),
        (["bench", "--dtype", ">f4"], "no kernels for '>f4'"),
        (["bench", "--operations", "sideways"], "the choices are forward, backward, mask"),
        (["bench", "--where", "new,"], "the choices are new, out, inplace"),
        (["bench", "--contenders", "cupy"], "the choices are fastrelu, numpy, torch"),
        (["bench", "--sizes", "16,1e3"], "a number like 1000 or 16K is needed, not '1e3'"),
        (["bench", "--sizes", "0"], "not '0'"),
        (["bench", "--sizes", "16", "--most", "32"], "--most has no meaning beside --sizes"),
        (["bench", "--threads", "two"], "from 1 to 64 are needed, like 1,2,4, not 'two'"),
        (["bench", "--threads", "1,,2"], "not ''"),
        (["bench", "--threads", "1,0"], "not '0'"),
        (["bench", "--threads", "1,65"], "from 1 to 64 are needed, like 1,2,4, not '65'"),
        (["bench", "--threads", "1e1"], "not '1e1'"),
        (["bench", "--gap", "1"], "like 500us or 1ms, not '1'"),
        (["bench", "--gap", "-1ms"], "expected one argument"),
        (["bench", "--gap", "ms"], "not 'ms'"),
        (["bench", "--gap", "2s"], "a time up to 1000 ms is needed"),
        (["bench", "--plot-threads", "a.svg", "--threads", "2"], "two numbers of threads or more"),
        (["bench", "--plot-threads", "a.pdf", "--threads", "1,2"], "must end in .svg or .png"),
        (["bench", "--fail-over", "5"], "no meaning without --compare"),
        (["bench", "--fail-over", "-5"], "from 0 up"),
        (["bench", "--compare", "no-such.json"], "No such file"),
        (["bench", "--plot", "plot.pdf"], "must end in .svg or .png"),
        (["bench", "--html", os.path.join("no", "such", "place")], "No such file"),
        (["bench", "--results", "a.txt"], "the name must end in .json"),
        (["bench", "--results", "a.json", "--dtype", "int8"], "--dtype has no meaning beside"),
        (["bench", "--results", "a.json", "--layer"], "--layer has no meaning beside"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(arguments, message, capsys):
    if "--html" in arguments:
        pytest.importorskip("matplotlib", reason="without it the complaint is about that")
    assert message in refused(arguments, capsys)


def test_sizes_with_a_suffix():
    options = {"dtype": None, "operations": None, "where": None, "threads": None, "most": None}
    options |= {"contenders": None, "full": None, "gap": None, "sizes": "2K,3,1M"}
    chosen = command._select(type("Options", (), options), None)
    assert chosen.sizes == [3, 2048, 1 << 20]


@pytest.mark.parametrize("option", ["--plot", "--plot-threads", "--html"])
def test_plots_need_matplotlib(option, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = refused(["bench", "--threads", "1,2", option, str(tmp_path / "a.svg")], capsys)
    assert f"{option} needs matplotlib" in message
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["--plot", "--plot-threads"])
@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.png", b"\x89PNG\r\n")])
def test_plot(name, start, option, tmp_path):
    pytest.importorskip("matplotlib", reason="draws the plots")
    assert main([*SHORT, *ONE_CASE, "--threads", "1,2", option, str(tmp_path / name)]) == 0
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start)
    assert b"#ffffff" not in content  # SVG has no ground of its own: a page may be dark
    assert os.listdir(tmp_path) == [name]


IMAGE = re.compile('src="data:image/svg[+]xml;base64,([^"]*)"')


def test_html_is_one_page_that_needs_nothing_else(tmp_path):
    """The verdict and its figure come first; whatever else there is, is folded."""
    pytest.importorskip("matplotlib", reason="draws the plots")
    path = tmp_path / "a.html"
    assert main([*SHORT, "--operations", "mask", "--sizes", "16", "--html", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|<link|<script|@import|url\(", text)
    operations = len(command.OPERATIONS["mask"]) * len(contenders.OUTPUTS)
    images = IMAGE.findall(text)
    assert len(images) == text.count("<img") == 1 + operations
    assert all(base64.b64decode(image).startswith(b"<?xml") for image in images)
    first, _, rest = text.partition("<details>")
    assert re.search("<p class=.verdict.>fastrelu is faster than the best other in ", first)
    assert (first.count("<img"), first.count("<table")) == (1, 0)
    for word in ("processor", fastrelu.isa, np.__version__, "NumPy multiply", "in place"):
        assert word in rest


@pytest.mark.parametrize(("threads", "plots"), [("2", 2), ("1,2", 3)])
def test_html_has_a_plot_by_threads_if_there_are_several(threads, plots, tmp_path):
    pytest.importorskip("matplotlib", reason="draws the plots")
    path = tmp_path / "a.html"
    assert main([*SHORT, *ONE_CASE, "--threads", threads, "--html", str(path)]) == 0
    assert path.read_text(encoding="utf-8").count("<img") == plots


def test_html_lists_each_line_that_fastrelu_loses(record):
    found = json.loads(record.read_text())
    assert "<summary>Slower" not in report.as_html(found, b"", {}).decode()
    for row in found["rows"]:
        row["seconds"] *= 1000 if row["contender"] == "fastrelu" else 1
    page = report.as_html(found, b"", {}).decode()
    assert "<summary>Slower: 1 of 1 lines</summary>" in page
    assert 'class="verdict">fastrelu is faster than the best other in 0 of 1 lines' in page


def test_html_has_no_figure_of_ratios_without_another_library(record):
    found = json.loads(record.read_text())
    assert report.as_html(found, b"", {}).decode().count("<img") == 1
    found["rows"] = [row for row in found["rows"] if row["contender"] == "fastrelu"]
    assert report.as_html(found, b"", {}).decode().count("<img") == 0


def test_names_are_escaped_in_html(record):
    found = json.loads(record.read_text())
    found["machine"]["cpu"] = "<b>&"
    page = report.as_html(found, b"", {}).decode()
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_an_interrupted_run_leaves_no_file(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "measure_case", interrupted)
    assert main([*SHORT, *ONE_CASE, "--json", str(tmp_path / "a.json")]) == 130
    assert capsys.readouterr().err == "python -m fastrelu: interrupted\n"
    assert os.listdir(tmp_path) == []


def test_wide_rounds_are_not_relied_on(monkeypatch, capsys):
    monkeypatch.setattr(
        measure, "time_interleaved", lambda timers, *rest: [[1e-6, 2e-6, 3e-6] for _ in timers]
    )
    assert main([*SHORT, *ONE_CASE]) == 0
    assert "! too noisy to rely on: in 100% of the rows" in capsys.readouterr().out


@pytest.mark.parametrize(("busy", "warned"), [(None, False), (0.05, False), (0.5, True)])
def test_other_processes_are_named(busy, warned):
    assert ("not alone" in "".join(report.noise([], busy, 2)["warnings"])) == warned


def test_other_processes_are_measured():
    busy = command.OtherProcesses().busy_cores()
    assert busy is None or busy >= 0


def test_a_missing_library_is_left_out(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "numexpr", None)
    assert main([*SHORT, *ONE_CASE, "--contenders", "numpy,numexpr"]) == 0
    out = capsys.readouterr().out
    assert "beside numpy" in out
    assert "Left out: numexpr: not installed." in out


def test_a_refusal_is_left_out_by_name(add, capsys):
    add(fake(names={"relu": abs}))
    assert main([*SHORT, *ONE_CASE]) == 0
    assert "Left out: mine (forward; out=; float32): TypeError" in capsys.readouterr().out


def test_another_dtype_is_left_out(add, capsys):
    new = fake()._replace(statements={("forward", "new"): "x.astype('f8')"})
    add(new)
    assert main([*SHORT, "--operations", "forward", "--where", "new", "--sizes", "16"]) == 0
    assert "Left out: mine (forward; new; float32): returns float64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "message"),
    [("copyto(y, x)", r"y\[\d+\]: expected 0.0, got -"), ("None", r"y\[0\]: expected .*, got 85")],
    ids=["wrong", "untouched"],
)
def test_a_wrong_output_is_reported_and_not_timed(statement, message, add, tmp_path, capsys):
    add(fake(statement=statement, names={"copyto": np.copyto}))
    path = tmp_path / "a.json"
    assert main([*SHORT, *ONE_CASE, "--json", str(path)]) == 1
    assert re.search(rf"^WRONG: mine, .* float32: {message}", capsys.readouterr().out, re.MULTILINE)
    found = json.loads(path.read_text())
    assert len(found["wrong"]) == 1
    assert "mine" not in {row["contender"] for row in found["rows"]}


def test_an_error_in_fastrelu_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(fastrelu, "relu", abs)
    assert main([*SHORT, *ONE_CASE]) == 1
    assert "WRONG: fastrelu, relu(x, out=y)" in capsys.readouterr().out


def test_a_wrong_mask_is_wrong(monkeypatch, capsys):
    def no_mask(x):
        return fastrelu.relu(x), np.zeros(2, np.uint8)

    monkeypatch.setattr(fastrelu, "relu_with_mask", no_mask)
    arguments = ["--operations", "mask", "--where", "new", "--sizes", "16"]
    assert main([*SHORT, *arguments]) == 1
    assert re.search(r"WRONG: fastrelu, .* mask\[0\]: expected", capsys.readouterr().out)


def test_either_zero_is_right(add):
    def relu(x, y):
        np.multiply(x, x > 0, out=y)
        assert np.signbit(y[y == 0]).any()

    add(fake(names={"relu": relu}))
    assert main([*SHORT, *ONE_CASE]) == 0


def test_what_memory_cannot_hold_is_named(monkeypatch, capsys):
    monkeypatch.setattr(measure, "free_memory", lambda: 0)
    assert main([*SHORT, *ONE_CASE]) == 0
    assert "Left out for lack of memory: 16 float32." in capsys.readouterr().out


def test_what_time_cannot_hold_is_named_but_the_first_is_measured():
    cases = [measure.Case("forward", "out=", "float32", n) for n in (16, 1 << 30)]
    found, _ = contenders.find(["numpy"])
    announced = []
    outcomes = list(measure.measure(cases, found, [1], 0.01, lambda *a: announced.append(a)))
    assert outcomes[0].rows
    assert outcomes[1].reason == "lack of time (--seconds)"
    assert [case for case, _, _ in announced] == cases
    assert all(0 <= left <= 0.01 for _, _, left in announced)


@pytest.mark.parametrize(
    ("case", "moved", "footprint"),
    [
        (("forward", "out="), 8, 8),
        (("forward", "in place"), 8, 4),
        (("add", "out="), 12, 12),
        (("add row", "in place"), 8.125, 4.125),
        (("subtract", "new"), 8, 8),
        (("leaky", "out="), 8, 8),
        (("leaky backward", "in place"), 12, 8),
        (("backward", "new"), 12, 12),
        (("backward", "in place"), 12, 8),
        (("mask forward", "out="), 8.125, 8.125),
        (("mask backward", "in place"), 8.125, 4.125),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bytes_counted(case, moved, footprint):
    case = measure.Case(*case, "float32", 800)
    assert (case.bytes, case.footprint) == (moved * 800, footprint * 800)
    limit = measure.OperandsOfLimit(case).arrays["x"]
    assert 2 * limit.nbytes == pytest.approx(case.footprint, abs=8)


@pytest.mark.parametrize("kind", [measure.Operands, measure.OperandsOfLimit])
@pytest.mark.parametrize("output", contenders.OUTPUTS)
@pytest.mark.parametrize("operation", contenders.OPERATIONS)
def test_arrays_lie_at_the_same_place_every_time(operation, output, kind):
    found = kind(measure.Case(operation, output, "float32", 5000)).arrays
    assert {name: array.ctypes.data % 4096 for name, array in found.items()} == {
        name: measure.PAGE_OFFSETS[name] for name in found
    }
    assert all(array.flags.c_contiguous and array.flags.writeable for array in found.values())


@pytest.mark.parametrize(
    ("elements", "shape"),
    [(1, (1, 1)), (16, (4, 4)), (17, (17, 1)), (33, (11, 3)), (1 << 20, (4096, 256))],
)
def test_a_row_is_added_to_a_matrix(elements, shape):
    found = measure.Operands(measure.Case("add row", "out=", "float32", elements)).arrays
    assert (found["x"].shape, found["b"].shape, found["y"].shape) == (shape, shape[1:], shape)


@pytest.mark.parametrize("dtype", operations.KERNEL_TYPES)
@pytest.mark.parametrize("operation", ["add", "add row", "subtract"])
def test_no_sum_leaves_its_type(operation, dtype):
    case = measure.Case(operation, "in place", np.dtype(dtype).name, 5000)
    found = measure.sample_operands(case)
    x, b = found["x"].astype(float), found.get("b", np.array(-1.0)).astype(float)
    y = measure.Operands(case).expected["y"]
    np.testing.assert_allclose(y.astype(float), np.maximum(x + b, 0), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("full", [None, True])
def test_operations_by_default(full):
    names = ("dtype", "operations", "where", "sizes", "threads", "most", "contenders", "gap")
    options = dict.fromkeys(names) | {"full": full}
    chosen = command._select(type("Options", (), options), None).operations
    assert ("leaky" in chosen) == bool(full)
    assert set(chosen) <= contenders.OPERATIONS.keys()
    assert {"forward", "backward", "mask forward", "add row", "subtract"} <= set(chosen)


@pytest.mark.parametrize(
    ("operation", "bits", "is_right"), [("leaky", 1, True), ("leaky", 2, False), ("soft", 1, False)]
)
def test_a_product_with_a_rounded_number_may_differ_in_the_last_bit(operation, bits, is_right):
    operands = measure.Operands(measure.Case(operation, "new", "float16", 33))
    y = operands.expected["y"] + bits * np.spacing(operands.expected["y"])
    with contextlib.nullcontext() if is_right else pytest.raises(measure.MismatchError):
        operands.check(y, "")


def test_an_operation_on_the_list_is_timed_without_another_line(monkeypatch):
    monkeypatch.setattr(
        operations,
        "OPERATIONS",
        {
            "relu": operations.OPERATIONS["relu"],
            "fused": operations.Operation(3, "f", "ieee"),
        },
    )
    found = contenders._operations()
    assert found.keys() == {"forward", "mask forward", "mask backward", "fused"}
    assert found["fused"].statement("in place") == "fused(x, b, c, out=x)"


def test_a_type_without_kernels_is_left_out(capsys):
    pytest.importorskip("ml_dtypes", reason="has the types")
    assert "no kernels for add" in refused(
        ["bench", "--dtype", "bfloat16", "--operations", "add"], capsys
    )
    arguments = ["--dtype", "bfloat16", "--where", "out", "--sizes", "16"]
    assert main([*SHORT, *arguments, "--operations", "forward,add"]) == 0
    assert "Left out: add, add row of bfloat16: no kernels." in capsys.readouterr().out


def test_each_is_timed_with_its_threads():
    used = []
    contender = fake(set_threads=used.append)
    found = measure.measure_case(
        measure.Case("forward", "out=", "float32", 16), [contender], [1, 3], 0
    )
    assert [row.threads for row in found.rows] == [1, 3]
    assert set(used) == {1, 3}
    assert contender._replace(set_threads=None).threads([1, 3]) == [1]


def test_a_list_of_threads_gives_a_table_by_threads(capsys):
    assert main([*SHORT, *ONE_CASE, "--threads", "1,3,2"]) == 0
    out = capsys.readouterr().out
    table = out.partition("\nforward, out=, float32: GB/s by the number of threads\n")[2]
    assert re.match(r"  elements +1 +2 +3\n +16  fastrelu( +\d+\.\d){3}\n", table)
    assert re.search(r"^ +NumPy maximum +\d+\.\d +- +-$", table, re.MULTILINE)
    assert re.search(r"^ +best copy  +\d+\.\d", table, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 100


def test_one_number_of_threads_gives_none(capsys):
    assert main([*SHORT, *ONE_CASE, "--threads", "2"]) == 0
    assert "by the number of threads" not in capsys.readouterr().out


def test_scaling_takes_the_best_copy():
    row = {"operation": "forward", "output": "new", "dtype": "int8", "elements": 8, "threads": 2}
    copies = [row | {"is_limit": True, "gigabytes_per_second": speed} for speed in (1, 3, 2)]
    found = report.scaling([row | copies[0] | {"is_limit": False, "contender": "a"}, *copies])
    assert found == {("forward", "new", "int8"): {8: {"a": {2: 1}, "best copy": {2: 3}}}}


def test_a_rest_comes_before_each_round(monkeypatch):
    seen = []
    monkeypatch.setattr(measure, "rest", lambda: seen.append("rest"))
    contender = fake(set_threads=seen.append)
    timer = measure.RestedTimer(contender, 3, "seen.append('call')", {"seen": seen})
    timer.timeit(2)
    timer.after_gaps(1e-9, 1)
    assert seen == ["rest", 3, "call", "call", "call", "rest", 3, "call", "call"]


class FakeTime:
    """A clock for measure.rest: so many other threads are busy until a time."""

    def __init__(self, threads, until):
        self.threads, self.until, self.now = threads, until, 0.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.threads * min(self.now, self.until)

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("threads", "until", "rested"), [(0, 0, 0.0005), (15, 0.0799, 0.0805), (1, 9, 0.3)]
)
def test_the_rest_lasts_until_other_threads_sleep(threads, until, rested, monkeypatch):
    clock = FakeTime(threads, until)
    monkeypatch.setattr(measure, "time", clock)
    measure.rest()
    assert clock.now == pytest.approx(rested, abs=0.0006)


def test_each_call_after_a_gap(monkeypatch):
    works, calls = [], []
    monkeypatch.setattr(measure, "rest", lambda: None)
    monkeypatch.setattr(measure, "work", lambda gap: works.append((gap, len(calls))))

    def relu(x, y):
        calls.append(np.maximum(0, x, out=y))

    contender = fake(names={"relu": relu})
    case = measure.Case("forward", "out=", "float32", 16)
    found = measure.measure_case(case, [contender], [1], 0, 0.25)
    assert [row.rounds for row in found.rows] == [measure.MIN_ROUNDS]
    timed = 1 + measure.MIN_ROUNDS * measure.MIN_CALLS
    assert [gap for gap, _ in works] == [0.25] * timed
    assert len({count for _, count in works}) == timed


def test_a_round_with_gaps_is_the_median_call(monkeypatch):
    monkeypatch.setattr(measure, "work", lambda gap: None)
    taken = iter([9.0, 5.0, 1.0, 7.0])
    monkeypatch.setattr(measure.timeit.Timer, "timeit", lambda self, loops: next(taken))
    timer = measure.RestedTimer(fake(), 1, "None", {})
    assert timer.after_gaps(1, 3) == 5.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("500us", 5e-4), ("500µs", 5e-4), ("1ms", 1e-3), ("1.5ms", 1.5e-3), ("1s", 1)],
)
def test_gaps(text, seconds):
    assert command._gap(text) == pytest.approx(seconds)


def test_a_gap_is_said_and_repeated(tmp_path, capsys):
    path = str(tmp_path / "old.json")
    assert main([*SHORT, *ONE_CASE, "--gap", "10us", "--json", path]) == 0
    out = capsys.readouterr().out
    assert "gap: 0.01 ms of other work before each call" in out
    assert "each call after 0.01 ms of other work" in " ".join(out.split())
    assert json.loads((tmp_path / "old.json").read_text())["bench"]["selection"]["gap"] == 1e-5
    assert main(["bench", "--compare", path, "--seconds", "0.01", "--fail-over", "1e9"]) == 0
    assert "gap: 0.01 ms" in capsys.readouterr().out
    message = refused(["bench", "--compare", path, "--gap", "0"], capsys)
    assert "its calls come after a gap of 0.01 ms, those of this run after 0 ms" in message


def test_what_gaps_leave_no_time_for_is_named():
    cases = [measure.Case("forward", "out=", "float32", n) for n in (16, 32)]
    found, _ = contenders.find(["numpy"])
    outcomes = list(measure.measure(cases, found, [1], 0.01, gap=2e-3))
    assert [outcome.reason for outcome in outcomes] == [None, "lack of time (--seconds)"]


def test_threads_that_cannot_be_matched_are_left_out(monkeypatch):
    monkeypatch.setattr(contenders, "usable_cpus", lambda: 4)
    contender = fake(is_threaded=True)
    assert contender.threads([1, 4]) == [4]
    with pytest.raises(contenders.UnavailableError, match="takes 4 threads, and no other number"):
        contender.threads([1, 2])


def test_fastrelu_keeps_its_threads():
    before = fastrelu.get_num_threads()
    main([*SHORT, *ONE_CASE, "--threads", "2"])
    assert fastrelu.get_num_threads() == before


def test_best_other_has_at_most_as_many_threads():
    case = measure.Case("forward", "out=", "float32", 16)
    row = measure.Row("a", "a", False, 1, *case, "", 128, "L1", 5, 2e-6, 2e-6)
    copy = row._replace(contender="copy", library="fastrelu", is_limit=True, seconds=1e-6)
    two = row._replace(contender="b", threads=2, seconds=1e-6)
    outcome = measure.Outcome(case, [row, two, copy], [], [])
    assert outcome.best_other(1) == row
    assert outcome.best_other(2) == two
    assert outcome.of_limit(row) == pytest.approx(0.5)


CHECK_ALL_CASES = """
import sys
from fastrelu._tool import operations
from fastrelu._tool.bench import contenders, measure

measure.time_interleaved = lambda timers, *rest: [[1.0] for _ in timers]
found = [c for c in contenders.CONTENDERS if c.library == sys.argv[1]]
for contender in found:
    contender.load()
timed = 0
for dtype in ("float32", "float16", "float64", "int8"):
    for operation in contenders.OPERATIONS:
        for output in contenders.OUTPUTS:
            if not operations.takes(contenders.OPERATIONS[operation].types_like, dtype):
                continue
            case = measure.Case(operation, output, dtype, 33)
            outcome = measure.measure_case(case, found, [contenders.usable_cpus()], 0)
            timed += len(outcome.rows)
            assert not outcome.wrong, outcome.wrong
            refused = {entry.contender for entry in outcome.left_out}
            assert dtype != "float32" or refused <= {"copy", "streaming copy"}, refused
print(timed)
"""


# In a process of its own: JAX, once imported, warns of every fork.
@pytest.mark.parametrize("library", contenders.LIBRARIES)
def test_every_contender_is_right_wherever_it_takes_part(library):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", CHECK_ALL_CASES, library],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 2


def test_a_library_that_cannot_be_imported_is_left_out(monkeypatch):
    def broken(name, *rest):
        raise RuntimeError("no such processor")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(contenders.UnavailableError, match="cannot be imported: no such processor"):
        fake().load()


def test_help_names_the_options(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["bench", "--help"])
    out = capsys.readouterr().out
    for option in ("--operations", "--where", "--sizes", "--threads", "--contenders", "--full"):
        assert option in out
    for option in ("--every", "--results", "--compare", "--fail-over", "--plot", "--html"):
        assert option in out
    for option in ("--gap", "--layer", "--shapes", "--plot-threads"):
        assert option in out
