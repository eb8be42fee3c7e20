"""The results of several machines: those that are stored, and how they are printed and drawn."""

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "bench" / "results.py"
if not PATH.is_file():
    pytest.skip("bench/ is not beside these tests", allow_module_level=True)

spec = importlib.util.spec_from_file_location("results", PATH)
results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results)
main = importlib.import_module("fastrelu._tool.main")
record = importlib.import_module("fastrelu._tool.bench.record")

STORED = sorted(results.FOLDER.glob("*.json"))
QUICK = ["bench", "--contenders", "numpy", "--seconds", "0.01"]
RECORDS = {
    "main": ["--most", "16", "--seconds", "0.01"],
    "bench": [*QUICK, "--operations", "forward", "--sizes", "16,32", "--threads", "1,2"],
    "gap": [*QUICK, "--operations", "forward", "--sizes", "16", "--gap", "1us", "--threads", "2"],
    "layer": [*QUICK, "--layer", "--shapes", "4x3x5", "--threads", "1,2"],
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Return the paths of records of each kind by name."""
    folder = tmp_path_factory.mktemp("records")
    paths = {name: folder / f"{name}.json" for name in RECORDS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "check", lambda: [])
        for name, arguments in RECORDS.items():
            assert main.main([*arguments, "--json", str(paths[name])]) == 0
    return paths


def refused(arguments, capsys):
    """Return the line with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as exit_:
        results.main([str(argument) for argument in arguments])
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def strings_of(value):
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings_of(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings_of(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_record_names_no_folder_and_no_host(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["machine"].keys() == {"cpu", "cores", "cache_bytes", "system"}
    assert len(record["machine"]["system"].split()) == 3
    assert [text for text in strings_of(record) if re.search(r"(^|[\s'\"=])[~/.]*/", text)] == []


def test_the_stored_records_are_the_default(capsys):
    assert results.main([]) == 0
    out = capsys.readouterr().out
    for path in STORED:
        assert re.search(rf"^{path.stem} +\S", out, re.MULTILINE)


def test_records_of_every_kind_side_by_side(records, capsys):
    assert results.main([str(path) for path in records.values()]) == 0
    out = capsys.readouterr().out
    tables = dict(re.findall(r"^(\w.*, float32)\n((?:.+\n)+)", out, re.MULTILINE))
    names = tables["forward, out=, float32"].split("\n")[0].replace("!", "").split()  # if busy
    assert names == ["main", "bench", "gap"]
    row = next(line for line in tables["forward, out=, float32"].splitlines() if " 16 " in line)
    assert row.count("x") == 3
    row = next(line for line in tables["forward, out=, float32"].splitlines() if " 32 " in line)
    assert (row.split()[1], row.split()[-1]) == ("-", "-")
    assert tables["layer 4x3x5 with bias, pair, in place, float32"].split()[0] == "layer"
    assert "each call after 0.001 ms of other work" in out


def test_the_best_number_of_threads_or_every(records, capsys):
    assert results.main([str(records["bench"])]) == 0
    best = capsys.readouterr().out
    assert results.main([str(records["bench"]), "--every"]) == 0
    every = capsys.readouterr().out
    assert (best.count("x\n"), every.count("x\n")) == (6, 12)
    assert "The number of threads is the\nfastest" in best
    assert "The number of threads is" not in every


def test_faster_is_than_the_best_with_at_most_as_many_threads():
    case = {"operation": "forward", "output": "new", "dtype": "int8", "elements": 8}
    ours = case | {"contender": "fastrelu", "threads": 2, "seconds": 2.0, "is_limit": False}
    rows = [
        ours,
        *(
            ours | {"contender": "other", "threads": threads, "seconds": seconds}
            for threads, seconds in ((1, 9.0), (2, 6.0), (4, 1.0))
        ),
        ours | {"contender": "copy", "seconds": 1.0, "is_limit": True},
        ours | {"contender": "other", "seconds": 1.0, "elements": 9},
    ]
    assert results.Result("name", {}, rows).times_faster(ours) == 3.0
    assert results.Result("name", {}, rows[:1]).times_faster(ours) is None


def test_a_remark_is_printed_and_marks_the_column(records, tmp_path, capsys):
    record = json.loads(records["bench"].read_text()) | {"remark": "of an old version"}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(record))
    assert results.main([str(path)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ +! of an old version$", out, re.MULTILINE)
    assert re.search(r"^ +old !$", out, re.MULTILINE)


@pytest.mark.parametrize("option", ["--plot", "--plot-threads"])
@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.png", b"\x89PNG\r\n")])
def test_plot(name, start, option, records, tmp_path):
    pytest.importorskip("matplotlib", reason="draws the plots")
    path = tmp_path / name
    assert results.main([*map(str, records.values()), option, str(path)]) == 0
    assert path.read_bytes().startswith(start)
    assert os.listdir(tmp_path) == [name]


def test_what_cannot_be_drawn_is_refused(records, tmp_path, capsys):
    path = tmp_path / "a.svg"
    assert "layers alone" in refused([records["layer"], "--plot", path], capsys)
    message = refused([records["gap"], records["main"], "--plot-threads", path], capsys)
    assert "no record has several numbers of threads" in message
    assert "must end in .svg or .png" in refused([records["main"], "--plot", "a.pdf"], capsys)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "the record: an object is needed, not []"),
        (b"{}", "the record: 'command' is missing"),
    ],
    ids=["nothing", "binary", "deep", "list", "empty"],
)
def test_what_is_no_record_is_refused_in_one_line(content, message, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    expected = f"{path}: no record of python -m fastrelu bench --results: "
    line = refused([path], capsys)
    assert expected in line
    assert message in line.partition(expected)[2]


def without(name):
    return lambda holder: holder.pop(name)


def given(name, value):
    return lambda holder: holder.update({name: value})


def first_row(record):
    return record["rows"][0]


def first_times(record):
    return record["rows"][0]["numpy"]


def machine_of(record):
    return record["machine"]


@pytest.mark.parametrize(
    ("kind", "holder_of", "change", "message"),
    [
        ("bench", dict, None, None),
        ("main", dict, None, None),
        ("layer", dict, None, None),
        ("bench", machine_of, without("cpu"), "machine: 'cpu' is missing"),
        ("bench", machine_of, given("cores", 0), "machine.cores: a whole number above 0"),
        ("bench", machine_of, given("cores", True), "machine.cores: a whole number above 0"),
        ("bench", machine_of, given("cache_bytes", {"L1": "big"}), "machine.cache_bytes: an obj"),
        ("bench", first_row, without("dtype"), "rows[0]: 'dtype' is missing"),
        ("bench", first_row, given("dtype", 32), "rows[0].dtype: a text is needed, not 32"),
        ("bench", first_row, given("output", "old"), "rows[0].output: one of new, out=, in place"),
        ("bench", first_row, given("seconds", -1), "rows[0].seconds: a number above 0"),
        ("bench", first_row, given("seconds", float("nan")), "not NaN"),
        ("bench", first_row, given("seconds", 10**400), "rows[0].seconds: a number above 0"),
        ("bench", first_row, given("bytes", 10**400), "rows[0].bytes: a whole number above 0"),
        ("bench", dict, given("rows", []), "rows: none is of fastrelu"),
        ("main", dict, given("rows", []), "rows: none is of fastrelu"),
        ("main", dict, given("rows", {}), "rows: a list is needed, not {}"),
        ("bench", first_row, given("seconds", 10**9), "rows[0].gigabytes_per_second is"),
        (
            "bench",
            first_row,
            given("gigabytes_per_second", 1e6),
            "is 1e+06, but bytes and seconds give",
        ),
        ("bench", first_row, given("ns_per_element", 1e6), "rows[0].ns_per_element is 1e+06"),
        ("main", dict, without("threads"), "the record: 'threads' is missing"),
        ("main", first_row, given("operation", "forward"), "rows[0].operation: a name that ends"),
        ("main", first_times, given("seconds", "1"), "rows[0].numpy.seconds: a number above 0"),
        ("main", first_times, given("bytes", 1), "rows[0].numpy.gigabytes_per_second is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_record_is_named_by_what_is_wrong(kind, holder_of, change, message, records):
    found = json.loads(records[kind].read_text())
    if change is not None:
        change(holder_of(found) if holder_of is not dict else found)
    said = record.fault(found)
    assert said is None if message is None else message in said


def test_a_record_of_others_alone_is_refused(records):
    found = json.loads(records["bench"].read_text())
    found["rows"] = [row for row in found["rows"] if row["contender"] != "fastrelu"]
    assert record.fault(found) == "rows: none is of fastrelu"


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_record_holds_what_one_must(path):
    assert record.fault(json.loads(path.read_text(encoding="utf-8"))) is None


def test_what_is_stored_is_what_was_measured(records):
    found = json.loads(records["bench"].read_text())
    stored = record.as_stored(found)
    again = json.loads(stored)
    assert record.fault(again) is None
    assert {k: v for k, v in again.items() if k != "rows"} == {
        k: v for k, v in found.items() if k != "rows"
    }
    assert stored.count(b"\n    {") == len(found["rows"])
    for row, short in zip(found["rows"], again["rows"], strict=True):
        full = record.with_figures(short)
        assert "gigabytes_per_second" not in short
        assert full["gigabytes_per_second"] == pytest.approx(row["gigabytes_per_second"], rel=1e-6)
        assert full == pytest.approx({name: row[name] for name in full}, rel=1e-6)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_record_is_short(path):
    assert path.stat().st_size < 500 * 1024


def test_missing_and_repeated_records_are_refused(records, capsys):
    assert "no-such.json: No such file" in refused(["no-such.json"], capsys)
    message = refused([records["main"], records["main"]], capsys)
    assert "several records have the name main" in message


def test_an_interrupt_leaves_no_file(records, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "lines", interrupted)
    assert results.main([str(records["bench"]), "--plot", str(tmp_path / "a.svg")]) == 130
    assert capsys.readouterr().err == "python bench/results.py: interrupted\n"
    assert os.listdir(tmp_path) == []
