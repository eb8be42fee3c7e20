"""The command line: its output, files and exit codes, and one line for each error of input."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import QUICK_CHECK

import fastrelu
from fastrelu._tool import check, common, compare, operations

command = importlib.import_module("fastrelu._tool.main")

PYTHON = [sys.executable, "-P", "-W", "error", "-m", "fastrelu"]
SHORT = ["--most", "128", "--seconds", "2"]  # ample, or a busy machine leaves a size out
OPERATIONS = {operation.name for operation in compare.OPERATIONS}
ROW = re.compile(rf" *[\d,]+  (?:L\d|DRAM|\?) +({'|'.join(OPERATIONS)}) .* [\d.]+x[! ] +\d+%")
QUICK = [*PYTHON[:-2], *QUICK_CHECK]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")


def run(*arguments, command=PYTHON, **environment):
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        timeout=120,
    )


def rows(text):
    return [line for line in text.splitlines() if ROW.fullmatch(line)]


@pytest.fixture
def no_check(monkeypatch):
    """Leave out the self-test in tests of the steps after it."""
    monkeypatch.setattr(command, "check", lambda: iter(()))


@pytest.fixture
def quick_check(monkeypatch):
    """Reduce the self-test to few lengths, in tests of other things."""
    monkeypatch.setattr(check, "LENGTHS", (33,))
    monkeypatch.setattr(check, "LARGE", {})


of_the_comparison = pytest.mark.xdist_group("comparison")  # else each worker makes it


@pytest.fixture(scope="module")
def comparison():
    """Return the finished process of a short comparison, with the whole self-test."""
    return run(*SHORT)


@pytest.fixture
def save(tmp_path):
    def save(array):
        np.save(tmp_path / "x.npy", array, allow_pickle=True)
        return str(tmp_path / "x.npy")

    return save


def refused(arguments, capsys):
    """Return the line with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as exit_:
        command.main(arguments)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err


@of_the_comparison
def test_compare_prints_the_check_then_a_row_for_each_size_and_operation(comparison):
    assert (comparison.returncode, comparison.stderr) == (0, "")
    for name in fastrelu.implementations:
        assert re.search(rf"^  {name} +ok ", comparison.stdout, re.MULTILINE)
    assert len(rows(comparison.stdout)) == 2 * len(OPERATIONS)
    assert max(map(len, comparison.stdout.splitlines())) <= 100


@of_the_comparison
def test_piped_output_has_no_control_characters(comparison):
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", comparison.stdout)


def test_check_alone():
    done = run("check", command=QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    names = re.findall(r"^  (\w+) +ok +[\d,]+ values compared$", done.stdout, re.MULTILINE)
    assert names == (list(fastrelu.implementations) or ["python"])
    assert not rows(done.stdout)


@pytest.mark.parametrize("arguments", [["check"], SHORT], ids=["check", "compare"])
def test_the_fallback_says_that_nothing_is_compiled(arguments):
    done = run(*arguments, command=QUICK, FASTRELU_ISA="python")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing compiled to check" in done.stdout
    assert re.search(r"^  python +ok ", done.stdout, re.MULTILINE)


def test_info_is_show_config(capsys):
    assert command.main(["info"]) == 0
    printed = capsys.readouterr().out
    fastrelu.show_config()
    assert printed == capsys.readouterr().out


COMMANDS = ("compare", "bench", "find", "run", "check", "info")


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_a_screen_and_shows_an_example(name):
    done = run(*name.split(), "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) <= 40
    assert re.search(r"(example|it is compare):\s+python -m fastrelu ", done.stdout)


def test_help_names_the_commands_and_their_options():
    printed = run("--help").stdout
    assert re.findall(r"^    (\w+) ", printed, re.MULTILINE) == list(COMMANDS)
    printed = run("compare", "--help").stdout
    for option in ("--dtype", "--input", "--json", "--seconds", "--most"):
        assert option in printed


@pytest.mark.parametrize(
    "dtype", ["float64", "float16", "longdouble", "int8", "uint32", ">f4", "bool", "F", "m8", "O"]
)
@pytest.mark.usefixtures("no_check")
def test_dtype(dtype, capsys):
    assert command.main(["--dtype", dtype, "--most", "16", "--seconds", "5"]) == 0
    dtype = np.dtype(dtype)
    names = {ROW.fullmatch(line)[1] for line in rows(capsys.readouterr().out)}
    reals = {"backward new", "backward out=", "clipped new"} if dtype.kind not in "biuf" else set()
    in_place = {"forward in place", "add in place"} if dtype.kind == "b" else set()
    floats = {"leaky new", "leaky backward new", "clipped backward new"}
    floats |= {"soft new", "soft backward new"}
    assert names == OPERATIONS - reals - in_place - (set() if dtype.kind == "f" else floats)


@pytest.mark.parametrize("dtype", ["bool", "u2", "i1", ">f8", "F", "g", "m8[s]", "O"])
def test_random_array(dtype):
    x = compare.random_array(np.dtype(dtype), 1000)
    assert x.dtype == np.dtype(dtype)
    if x.dtype.kind not in "bu":
        assert 400 < np.count_nonzero(x < np.zeros((), x.dtype)) < 600


@pytest.mark.parametrize(
    "array",
    [
        np.float32([[-1, 2], [3, -4]]),
        np.asfortranarray(np.arange(-6.0, 6).reshape(3, 4)),
        np.array(-3.0),
        np.array([1, -1], ">i4"),
        np.array([True, False]),
        np.array([1 - 1j, -1]),
        np.array([-1, 1], "m8[s]"),
        np.longdouble([-1, 1]),
    ],
    ids=["2d", "fortran", "0d", "swapped", "bool", "complex", "timedelta", "longdouble"],
)
@pytest.mark.usefixtures("no_check")
def test_input(array, save, capsys):
    path = save(array)
    with open(path, "rb") as file:
        before = file.read()
    assert command.main(["--input", path, "--seconds", "0.01"]) == 0
    out = capsys.readouterr().out
    assert f"{array.dtype} of shape {array.shape}" in out
    assert {line.split()[0] for line in rows(out)} == {str(array.size)}
    with open(path, "rb") as file:
        assert file.read() == before


@pytest.mark.usefixtures("no_check")
def test_input_with_nan_tells_where_numpy_differs(save, capsys):
    x = np.array([np.nan, -1, 1, np.nan])
    assert command.main(["--input", save(x), "--seconds", "0.01"]) == 0
    assert "other values in up to 2 elements" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a"]), "relu takes integers"),
        (np.array(["2020"], "M8[D]"), "relu takes integers"),
        (np.zeros(2, "f4,i4"), "relu takes integers"),
        (np.array([1, None], object), "needs pickle"),
        (np.zeros((0, 3)), "no elements"),
    ],
    ids=["strings", "datetime", "struct", "object", "empty"],
)
def test_input_that_relu_does_not_take(array, message, save, capsys):
    assert message in refused(["--input", save(array)], capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "not an array"),
        (b"1 2 3\n", "not an array"),
        (b"PK\x03\x04", ".npz"),
        (b"\x93NUMPY\x01\x00v\x00{", "cannot be read"),
        (b"\x93NUMPY\x01\x00\x04\x00abc\n", "cannot be read"),
    ],
    ids=["missing", "nothing", "text", "npz", "truncated", "damaged"],
)
def test_input_that_is_no_array(content, message, tmp_path, capsys):
    path = tmp_path / "x.npy"
    if content is not None:
        path.write_bytes(content)
    err = refused(["--input", str(path)], capsys)
    assert message in err
    assert str(path) in err


def test_input_that_is_a_directory(tmp_path, capsys):
    assert str(tmp_path) in refused(["--input", str(tmp_path)], capsys)


def test_input_that_is_cut_short(save, capsys):
    path = save(np.ones(100))
    os.truncate(path, 500)
    assert "cannot be read" in refused(["--input", path], capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dtype", "floot"], "knows no type 'floot'"),
        (["--dtype", ","], "knows no type ','"),
        (["--dtype", "a"], "knows no type 'a'"),
        (["--dtype", "U3"], "relu takes integers"),
        (["--dtype", "f4,i4"], "relu takes integers"),
        (["--dtype", "(2,)f4"], "array type"),
        (["--seconds", "0"], "positive number"),
        (["--seconds", "nan"], "positive number"),
        (["--seconds", "soon"], "positive number"),
        (["--most", "15"], "from 16 up"),
        (["--most", "1e3"], "from 16 up"),
        (["--json", os.path.join("no", "such", "place")], "No such file"),
        (["--json", "."], "not a regular file"),
        (["--json", os.devnull], "not a regular file"),
        (["check", "--dtype", "f"], "--dtype has no meaning without --exhaustive"),
        (["check", "--input", "a"], "unexpected '--input'; see python -m fastrelu check --help"),
        (["info", "--seconds", "1"], "unexpected '--seconds'; see python -m fastrelu info --help"),
        (["--input", "x.npy", "--most", "16"], "--most has no meaning"),
        (["measure"], "invalid choice"),
        (["--verbose"], "unexpected '--verbose'; see python -m fastrelu compare --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(arguments, message, capsys):
    assert message in refused(arguments, capsys)


@pytest.mark.parametrize("arguments", [["--help"], ["info"]], ids=" ".join)
def test_without_docstrings(arguments):
    done = subprocess.run([PYTHON[0], "-OO", *PYTHON[1:], *arguments], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_bad_input_in_a_process_of_its_own():
    done = run("--input", "no-such-file.npy")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "python -m fastrelu compare: error: no-such-file.npy: No such file or directory"
    ]


def forget_the_tail(grad_or_x, *rest, out=None):
    """A wrong implementation: of 33 float32 the last is too large by one."""
    name = "relu_backward" if rest else "relu"
    y = np.asarray(getattr(fastrelu.reference, name)(grad_or_x, *rest, out=out))
    if y.dtype == np.float32 and y.shape == (33,):
        y[-1] += 1
    return y


def quiet_nan(x, out=None):
    """A wrong implementation: it returns every NaN without its sign and payload."""
    y = fastrelu.reference.relu(x, out=out)
    y[y != y] = np.nan if y.dtype.kind == "f" else 0
    return y


def positive_zero(x, out=None):
    """A wrong implementation: its zeros have no sign."""
    y = fastrelu.reference.relu(x, out=out)
    y[y == 0] = 0
    return y


def write_beyond(x, out=None):
    """A wrong implementation: it writes one element more than it was given."""
    y = fastrelu.reference.relu(x, out=out)
    if y.base is not None and y.base.size == y.size + 2:
        y.base[-1] = 0
    return y


def forget_the_last_bit(x, out=None, mask=None, *, at_zero=0):
    """A wrong implementation: the last element has no bit, and passes no gradient."""
    y, mask = fastrelu.reference.relu_with_mask(x, out, mask, at_zero=at_zero)
    if x.size:
        mask[-1] &= (1 << (x.size - 1) % 8) - 1
    return y, mask


def pass_all(grad, mask, out=None):
    """A wrong implementation: it never looks at the mask."""
    return fastrelu.reference.relu_backward_from_mask(grad, np.full_like(mask, 255), out)


def take_its_first(x, y, out=None):
    """A wrong implementation: of a row it reads only the first value."""
    y = y[:1] if np.ndim(x) > np.ndim(y) == 1 and y.size else y
    return fastrelu.reference.add_relu(x, y, out=out)


def forget_the_number(x, y, out=None):
    """A wrong implementation: it takes a number for 1."""
    return fastrelu.reference.subtract_relu(x, y if isinstance(y, np.ndarray) else 1, out=out)


def take_a_column_for_a_number(grad, x, out=None):
    """A wrong implementation: of a column it reads only the first value."""
    if np.shape(x) == (3, 1) and np.shape(grad) > (3, 1):
        x = np.broadcast_to(x[:1], x.shape)
    return fastrelu.reference.relu_backward(grad, x, out=out)


def take_one_slope(grad, x, slope, out=None):
    """A wrong implementation: of a row of slopes it reads only the first."""
    slope = slope[:1] if np.ndim(x) > np.ndim(slope) == 1 and slope.size else slope
    return fastrelu.reference.leaky_relu_backward(grad, x, slope, out=out)


def leave_out_the_last_row(x, axis=None, **keywords):
    """A wrong implementation: it sums one row less."""
    return fastrelu.reference.relu_sum(x[:-1], axis, **keywords)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"relu": forget_the_tail}, "relu of float32, length 33, new output, index 32: expected"),
        ({"relu_backward": forget_the_tail}, "relu_backward of float32, length 33, new output"),
        (
            {"relu_backward": take_a_column_for_a_number},
            r"relu_backward of int8, length \d+, argument 1 a column, new output, index \(\d, \d",
        ),
        (
            {"add_relu": take_its_first},
            r"add_relu of int8, length \d+, argument 1 a row, new output, index \(\d, \d",
        ),
        (
            {"subtract_relu": forget_the_number},
            r"subtract_relu of int8, length \d+, argument 1 a number, new output, index \d+: exp",
        ),
        (
            {"leaky_relu_backward": take_one_slope},
            r"leaky_relu_backward of float16, length 5, argument 2 a row, new output, index \(\d",
        ),
        ({"relu": quiet_nan}, r"relu of float16, length \d+, .*nan \(0x\w{4}\), got nan \(0x7e00"),
        ({"relu": positive_zero}, r"relu of float16, .* expected -0.0 \(0x8000\), got 0.0"),
        ({"relu": write_beyond}, r"relu of int8, length 0, out=, the element on either side"),
        (
            {"relu_with_mask": forget_the_last_bit},
            r"relu_with_mask of int8, length \d+, at_zero=0, new mask, index \d+: expected",
        ),
        (
            {"relu_backward_from_mask": pass_all},
            r"relu_backward_from_mask of int8, length \d+, new output, index \d+: expected 0",
        ),
        (
            {"relu_sum": leave_out_the_last_row},
            r"relu_sum of int8, length \d+, 3 rows, axis=1, expected int64 \(3,\), got",
        ),
    ],
    ids=[
        *("relu", "relu_backward", "column", "row", "number", "third"),
        *("nan", "zero", "beyond", "mask", "from_mask", "sum"),
    ],
)
def test_a_mismatch_is_described_and_exits_1(wrong, message, monkeypatch, capsys):
    names = [
        *operations.OPERATIONS,
        *fastrelu.reference.REDUCTIONS,
        "relu_with_mask",
        "relu_backward_from_mask",
    ]
    right = {name: getattr(fastrelu.reference, name) for name in names}
    checked = {name: found for name, found in operations.OPERATIONS.items() if name in wrong}
    monkeypatch.setattr(check, "OPERATIONS", checked)
    monkeypatch.setattr(fastrelu, "implementations", {"mine": SimpleNamespace(**right | wrong)})
    assert command.main([]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^  mine +WRONG ", out, re.MULTILINE)
    assert re.search(message, out)
    assert not rows(out)


@pytest.mark.parametrize("name", operations.OPERATIONS)
def test_an_operation_without_a_definition_fails_the_check_of_the_fallback(name, monkeypatch):
    monkeypatch.setattr(fastrelu, "implementations", {})
    monkeypatch.setattr(check, "OPERATIONS", {name: operations.OPERATIONS[name]})
    monkeypatch.delattr(check.DEFINITIONS, name)
    (result,) = check.check()
    assert result.name == "python"
    assert result.mismatch == f"{name}: no definition to check it against"


def test_the_reference_has_the_operations_of_the_core():
    if not fastrelu.implementations:
        pytest.skip("nothing is compiled")
    assert operations.from_reference() == operations.from_core()
    assert operations.REAL_TYPES == operations.KERNEL_TYPES


def test_an_operation_without_an_idiom_is_compared_with_the_reference(monkeypatch):
    monkeypatch.delitem(compare.IDIOMS, "relu_backward")
    (operation,) = compare.rows_of("relu_backward", 2)
    monkeypatch.setattr(compare, "OPERATIONS", (operation,))
    (row,) = compare.compare_array(np.ones(8, "f4"), 0.01)
    assert row.operation == "relu_backward new"
    assert row.numpy.statement == "reference.relu_backward(x, grad)"
    assert (row.fastrelu.bytes, row.numpy_differs_in) == (3 * 8 * 4, 0)


def test_what_is_added_is_a_row_of_the_last_axis():
    rows = compare.compare_array(np.ones((4, 8), "f4"), 0.01)
    found = {row.operation: row.fastrelu for row in rows}
    assert found["add in place"].bytes == (2 * 4 * 8 + 8) * 4
    assert found["subtract new"].bytes == 2 * 4 * 8 * 4


@pytest.mark.usefixtures("no_check")
def test_a_wrong_result_is_not_timed(monkeypatch, capsys):
    monkeypatch.setattr(fastrelu, "relu", lambda x, out=None: np.maximum(x, 1, out=out))
    assert command.main(SHORT) == 1
    out = capsys.readouterr().out
    assert "WRONG: relu(x) of float32, 16 elements, index" in out
    assert not rows(out)


@pytest.mark.usefixtures("no_check")
def test_slower_rows_are_marked_and_counted(monkeypatch, capsys):
    quick = fastrelu.relu

    def slow(x, out=None):
        time.sleep(1e-4)
        return quick(x) if out is None else quick(x, out=out)

    monkeypatch.setattr(fastrelu, "relu", slow)
    assert command.main(["--most", "16", "--seconds", "0.1"]) == 0
    out = capsys.readouterr().out
    assert [("x!" in line) for line in rows(out) if "forward" in line] == [True] * 3
    assert re.search(rf"! fastrelu is slower: \d of {len(OPERATIONS)} rows", out)


@pytest.mark.usefixtures("no_check")
def test_sizes_that_the_time_cannot_hold_are_named(capsys):
    assert command.main(["--seconds", "0.01"]) == 0
    out = capsys.readouterr().out
    assert len(rows(out)) >= len(OPERATIONS)
    assert re.search(r"Left out for lack of time .* 16,777,216 elements", out)


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [(SHORT, {"check", "rows", "threads"}), (["check"], {"check"}), (["info"], set())],
    ids=["compare", "check", "info"],
)
@pytest.mark.usefixtures("quick_check")
def test_json(arguments, holds, tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    assert command.main([*arguments, "--json", str(path)]) == 0
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record.keys() == {"command", "fastrelu", "machine"} | holds
    assert record["fastrelu"] == fastrelu.show_config(mode="dicts")
    assert {"cpu", "cores", "cache_bytes", "system"} <= record["machine"].keys()
    assert record["command"].startswith("python -m fastrelu ")
    assert os.listdir(tmp_path) == ["result.json"]


@pytest.mark.usefixtures("no_check")
def test_json_rows(tmp_path):
    path = tmp_path / "result.json"
    assert command.main([*SHORT, "--json", str(path)]) == 0
    found = json.loads(path.read_text(encoding="utf-8"))["rows"]
    count = len(OPERATIONS)
    assert [row["elements"] for row in found] == [16] * count + [128] * count
    row = found[0]
    assert (row["operation"], row["dtype"], row["shape"]) == ("forward new", "float32", [16])
    assert row["fastrelu"]["statement"] == "relu(x)"
    assert row["fastrelu"]["bytes"] == 2 * 16 * 4
    assert 0 < row["fastrelu"]["seconds"] <= row["fastrelu"]["median_seconds"]
    assert row["times_faster"] == row["numpy"]["seconds"] / row["fastrelu"]["seconds"]
    assert found[3]["numpy"]["bytes"] == 3 * 16 * 4


@pytest.mark.usefixtures("no_check")
def test_json_that_cannot_be_finished_leaves_the_old_file(tmp_path, monkeypatch, capsys):
    def disk_full(source, target):
        raise OSError(28, "No space left on device")

    path = tmp_path / "result.json"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(SystemExit, match="2"):
        command.main(["check", "--json", str(path)])
    assert "No space left on device" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


@posix
def test_control_c_is_one_line_and_130(tmp_path):
    process = subprocess.Popen(
        [*QUICK, "--json", str(tmp_path / "result.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it
    )
    for line in process.stdout:  # to the first row: all that is imported late has been
        if ROW.match(line):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "python -m fastrelu: interrupted\n")
    assert os.listdir(tmp_path) == []


@posix
def test_a_reader_that_leaves_is_no_traceback():
    process = subprocess.Popen(
        [*QUICK, *SHORT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


@posix
def test_progress_is_shown_on_a_terminal_and_cleared():
    leader, follower = os.openpty()
    process = subprocess.Popen([*QUICK, *SHORT], stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not chunk:
            break
        shown += chunk
    os.close(leader)
    assert process.wait(timeout=60) == 0
    assert b"\rchecking ..." in shown
    assert b"\rmeasuring 128 elements, backward out= " in shown
    assert shown.endswith(b"\r" + b" " * 78 + b"\r")


def test_first_difference_sees_bits_but_not_padding():
    assert check.first_difference(np.array([1.0, 0.0]), np.array([1.0, -0.0])) == 1
    assert check.first_difference(np.array([1j, 0j]), np.array([1j, complex(-0.0, 0)])) == 1
    assert check.first_difference(np.array([np.nan]), np.array([np.nan])) is None
    assert check.first_difference(np.longdouble([1, np.nan]), np.longdouble([1, np.nan])) is None
    assert check.first_difference(np.array([1, 2], "O"), np.array([1, 3], "O")) == 1
    assert check.first_difference(np.zeros(0), np.zeros(0)) is None


@pytest.mark.parametrize("dtype", ["e", "f", "d"])
def test_special_values_hold_both_kinds_of_nan_in_both_signs(dtype):
    values = check.special_values(dtype)
    nan = values[np.isnan(values)]
    quiet = nan.view(f"u{nan.itemsize}") >> (np.finfo(dtype).nmant - 1) & 1
    assert {(bool(s), int(q)) for s, q in zip(np.signbit(nan), quiet, strict=True)} == {
        *((s, q) for s in (False, True) for q in (0, 1))
    }
    assert len(set(values[~np.isnan(values)].view(f"u{nan.itemsize}").tolist())) == 14


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.2e-9, "1.20 ns"), (9.996e-9, "10.0 ns"), (99.96e-6, "100 µs"), (0.9996, "1.00 s")],
)
def test_a_time_has_three_digits(seconds, text):
    assert common.human(seconds) == text


@pytest.mark.parametrize(
    ("environment", "terminal", "coloured"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({}, False, False),
    ],
    ids=["terminal", "no color", "dumb", "no terminal"],
)
def test_colours_are_for_terminals_that_take_them(environment, terminal, coloured, monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert common.coloured("ok", "green") == ("\x1b[32mok\x1b[0m" if coloured else "ok")
