"""The check over every input: what it covers, finds and prints; slices, and what is resumed."""

import collections
import datetime
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastrelu
from fastrelu import _core
from fastrelu._tool import exhaustive

command = importlib.import_module("fastrelu._tool.main")

CHECK = ["check", "--exhaustive"]
PYTHON = [sys.executable, "-P", "-W", "error", "-m", "fastrelu", *CHECK]
SETS = list(fastrelu.implementations)
WHOLE = exhaustive.Slice(1, 1)
MASK_FUNCTIONS = ["relu_with_mask", "relu_backward_from_mask"]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
# As small as a slice can be: a chunk of each call.
SMALL = ["--slice", "40000/65536", "--only", "relu,leaky_relu,relu_with_mask"]


def sweeps(function, dtype, loop="contiguous"):
    return [s for s in exhaustive.plan([function], [dtype]) if s.loop == loop]


def whole_plan():
    return exhaustive.plan([*_core.OPERATIONS, *MASK_FUNCTIONS], list(exhaustive.TYPES))


def refused(arguments, capsys):
    """Return the line with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as exit_:
        command.main([*CHECK, *arguments])
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert "Slice" not in out
    assert err.count("\n") == 1
    return err


# ---------------------------------------------------------------- what it covers


def test_every_operation_of_floats_is_planned():
    planned = {(sweep.function, sweep.dtype) for sweep in whole_plan()}
    for name, operation in _core.OPERATIONS.items():
        assert ("f" in operation.types) == ((name, "float32") in planned)
        assert ("e" in operation.types) == ((name, "float16") in planned)
    assert planned >= {(name, dtype) for name in MASK_FUNCTIONS for dtype in exhaustive.TYPES}
    assert ("relu", "bfloat16") in planned
    assert ("leaky_relu", "bfloat16") not in planned  # ml_dtypes computes it


@pytest.mark.parametrize("function", _core.OPERATIONS)
def test_each_operand_of_float32_takes_all_values(function):
    inputs, _, _, numbers = _core.OPERATIONS[function]
    for lower in range(inputs):
        found = [s.operands for s in sweeps(function, "float32") if s.lower == s.upper == lower]
        for i in set(range(inputs)) - {lower}:
            values = exhaustive.NUMBERS if i in numbers else exhaustive.VALUES
            expected = {int(bits) for bits in np.array(values, "f4").view("u4")}
            assert {operands[i] for operands in found} == expected


@pytest.mark.parametrize("function", _core.OPERATIONS)
def test_the_parameter_of_float16_takes_all_values_with_each_other_operand(function):
    inputs, _, _, numbers = _core.OPERATIONS[function]
    pairs = {(sweep.lower, sweep.upper) for sweep in sweeps(function, "float16")}
    expected = {(x, y) for y in numbers for x in range(inputs) if x != y}
    assert pairs == (expected or {(0, -1)})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("loop", ["streaming", "strided"])
@pytest.mark.parametrize("function", _core.OPERATIONS)
def test_each_operand_takes_all_values_in_the_other_loops(function, loop, dtype):
    inputs = _core.OPERATIONS[function].inputs
    assert {s.lower for s in sweeps(function, dtype, loop)} == set(range(inputs))


def inputs_of(part):
    """Return the numbers of a part's inputs, of all that its sweep has."""
    for i in range(part.n):
        yield part.first + i * part.step


@pytest.mark.parametrize("n", [1, 3, 64, 1000])
def test_slices_have_each_chunk_once(n):
    (of_pairs,), (of_one,) = (sweeps(name, "float16") for name in ("leaky_relu", "relu"))
    found = {of_pairs: collections.Counter(), of_one: collections.Counter()}
    for number in range(1, n + 1):
        for part in exhaustive.parts_of([of_pairs, of_one], exhaustive.Slice(number, n)):
            found[part.sweep].update(inputs_of(part))
    assert found[of_pairs] == dict.fromkeys(range(exhaustive.CHUNKS), 1)
    assert found[of_one] == {0: n}


def test_the_slice_of_today_moves_with_the_date(monkeypatch):
    class Date(datetime.date):
        @classmethod
        def today(cls):
            return today

    monkeypatch.setattr(exhaustive.datetime, "date", Date)
    found = []
    for day in range(9):
        today = datetime.date(2030, 1, 1) + datetime.timedelta(day)
        found.append(exhaustive._slice("today/8"))
    assert {number for number, _ in found[:8]} == set(range(1, 9))
    assert found[8] == found[0]


# ---------------------------------------------------------------- what it finds


@pytest.mark.parametrize("dtype", exhaustive.TYPES)
def test_a_chunk_of_each_call(dtype):
    """One chunk of each: numbers below zero of float32, and a negative parameter of the others."""
    for sweep in (s for s in whole_plan() if s.dtype == dtype):
        first = 0xBF80 if sweep.chunks > 1 else 0
        found = exhaustive.check_part(exhaustive.Part(sweep, first, 1, 1), SETS)
        assert [exhaustive.describe(sweep, mismatch) for mismatch in found] == []


def test_arrays_of_another_layout_are_refused():
    struct = exhaustive._as_struct(sweeps("relu", "float32")[0])
    with pytest.raises(TypeError, match="elements"):
        _core.check_floats(struct[:0], 0, 1, 1, np.zeros(1, exhaustive.MISMATCH))
    with pytest.raises(TypeError, match="elements"):
        _core.check_floats(struct, 0, 1, 1, np.zeros(1, "i8"))


def test_an_operation_without_a_reference_is_not_passed_over(monkeypatch):
    monkeypatch.setattr(exhaustive, "core", _Core(lambda *arguments: exhaustive.NO_REFERENCE))
    with pytest.raises(NotImplementedError, match="csrc/check/ defines no relu of float32"):
        whole_plan()


WRONG = {
    "value": (
        "leaky_relu",
        (exhaustive.VALUE, (0x80000001, 0x3F800000, 0), 1, 0x80000001, 0),
        r"leaky_relu of float32, x=-1e-45 \(0x80000001\), negative_slope=1.0 \(0x3f800000\), "
        r"value: expected -1e-45 \(0x80000001\), got 0.0 \(0x00000000\)",
    ),
    "mask": (
        "relu_with_mask",
        (exhaustive.MASK, (0x7F800000, 0, 0), 8, 0xFF, 0xFE),
        r"relu_with_mask of float32, x=inf \(0x7f800000\), at_zero=0x0, mask of 8 elements from "
        r"here on: expected 0xff, got 0xfe",
    ),
    "flags": (
        "relu",
        (exhaustive.FLAGS, (0x7F800001, 0, 0), 1021, 0, 5),
        r"relu of float32, x=nan \(0x7f800001\), flags of 1021 elements from here on: expected "
        r"none, got invalid, overflow",
    ),
}


@pytest.fixture
def wrong(monkeypatch):
    """Return wrong(function, ...): from then on the worst set differs so in each of its chunks."""

    def wrong(function, difference, operands, n, expected, got):
        def check_floats(sweep, first, step, n_chunks, found):
            status = right(sweep, first, step, n_chunks, found)
            if n_chunks and sweep[["function", "dtype"]] == wrong_sweep:
                found[-1] = found["isa"][-1], difference, operands, n, expected, got
            return status

        wrong_sweep = exhaustive._as_struct(sweeps(function, "float32")[0])[["function", "dtype"]]
        monkeypatch.setattr(exhaustive, "core", _Core(check_floats))

    right = _core.check_floats
    return wrong


class _Core:
    """fastrelu._core with another check_floats."""

    def __init__(self, check_floats):
        self.check_floats = check_floats

    def __getattr__(self, name):
        return getattr(_core, name)


@pytest.mark.parametrize(("function", "mismatch", "message"), WRONG.values(), ids=WRONG)
def test_a_mismatch_is_described_once_and_exits_1(
    function, mismatch, message, wrong, tmp_path, capsys
):
    wrong(function, *mismatch)
    path = tmp_path / "result.json"
    arguments = [*SMALL, "--dtype", "float32", "--json", str(path)]
    assert command.main([*CHECK, *arguments]) == 1
    out = capsys.readouterr().out
    assert len(re.findall(f"^WRONG: {SETS[-1]}: {message}$", out, re.MULTILINE)) == 1
    assert re.search(rf"^  {function} of float32 +WRONG ", out, re.MULTILINE)
    assert len(re.findall(r"^  \w+ of float32 +ok ", out, re.MULTILINE)) == 2
    rows = json.loads(path.read_text())["exhaustive"]["functions"]
    assert [row["function"] for row in rows if row["mismatches"]] == [function]


# ---------------------------------------------------------------- the command


def test_the_command_prints_a_row_for_each_function_and_type(tmp_path):
    path = tmp_path / "result.json"
    done = subprocess.run([*PYTHON, *SMALL, "--json", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = re.findall(r"^  (\w+) of (\w+) +ok +[\d,]+ inputs$", done.stdout, re.MULTILINE)
    chosen = "relu", "leaky_relu", "relu_with_mask"
    expected = {
        (s.function, s.dtype) for name in chosen for t in exhaustive.TYPES for s in sweeps(name, t)
    }
    assert set(found) == expected
    assert max(map(len, done.stdout.splitlines())) <= 100
    record = json.loads(path.read_text())["exhaustive"]
    assert (record["slice"], record["sets"]) == ("40000/65536", SETS)
    rows = {(row["function"], row["dtype"]): row for row in record["functions"]}
    assert rows.keys() == expected
    assert rows["relu", "float32"]["calls"] == [
        "relu(x=all)",
        "relu(x=all), streaming",
        "relu(x=all), strided",
    ]
    assert rows["relu", "float32"]["inputs"] == 3 << 16
    assert "leaky_relu(x=all, negative_slope=all)" in rows["leaky_relu", "float16"]["calls"]
    assert "leaky_relu(x=all, negative_slope=nan)" in rows["leaky_relu", "float32"]["calls"]


def test_one_set_alone():
    arguments = [*SMALL, "--dtype", "f4"]
    environment = {**os.environ, "FASTRELU_ISA": SETS[-1]}
    done = subprocess.run([*PYTHON, *arguments], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\nSets: {SETS[-1]}\n" in done.stdout


def test_nothing_is_compiled():
    environment = {**os.environ, "FASTRELU_ISA": "python"}
    done = subprocess.run(PYTHON, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is compiled" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slice", "0/4"], "K/N is needed"),
        (["--slice", "5/4"], "not '5/4'"),
        (["--slice", "4"], "K/N is needed"),
        (["--slice", "1/65537"], "up to 65536"),
        (["--slice", "tomorrow/4"], "today/N"),
        (["--only", "relu,gelu"], "no function 'gelu'; there are relu, relu_backward"),
        (["--dtype", "float64"], "one of float32, float16, bfloat16, not float64"),
        (["--dtype", "floot"], "knows no type 'floot'"),
        (["--threads", "0"], "from 1 to 64"),
        (["--threads", "1,2"], "from 1 to 64"),
        (["--input", "x.npy"], "unexpected '--input'"),
        (["--resume", os.path.join("no", "such", "file")], "No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(arguments, message, capsys):
    assert message in refused(arguments, capsys)


def test_options_without_exhaustive(capsys):
    with pytest.raises(SystemExit) as exit_:
        command.main(["check", "--slice", "1/2"])
    assert exit_.value.code == 2
    assert "--slice has no meaning without --exhaustive" in capsys.readouterr().err


# ---------------------------------------------------------------- interrupted and resumed


@pytest.fixture
def interrupted_after(monkeypatch):
    """Return interrupted_after(n): the run that follows is interrupted after n parts."""

    def interrupted_after(n):
        def finish(state):
            finish_part(state)
            if state.finished == n:
                raise KeyboardInterrupt

        monkeypatch.setattr(exhaustive._State, "finish", finish)

    finish_part = exhaustive._State.finish
    return interrupted_after


@pytest.fixture
def checked(monkeypatch):
    """Return the list of the parts that are checked from then on."""
    parts = []

    def check_part(part, names):
        parts.append(part)
        return check(part, names)

    check = exhaustive.check_part
    monkeypatch.setattr(exhaustive, "check_part", check_part)
    return parts


def test_an_interrupted_run_is_resumed(interrupted_after, checked, monkeypatch, tmp_path, capsys):
    path = tmp_path / "state.json"
    run = [*CHECK, *SMALL, "--threads", "2", "--resume", str(path)]
    interrupted_after(5)
    assert command.main(run) == 130
    assert json.loads(path.read_text())["finished"] == 5
    every = list(exhaustive.parts_of(whole_plan_of_small(), exhaustive._slice(SMALL[1])))
    monkeypatch.undo()
    del checked[:]
    capsys.readouterr()
    assert command.main(run) == 0
    assert json.loads(path.read_text())["finished"] == len(every)
    out = capsys.readouterr().out
    assert command.main(run) == 0
    without_time = re.compile(r" in .*$", re.MULTILINE)
    assert without_time.sub("", capsys.readouterr().out) == without_time.sub("", out)
    assert os.listdir(tmp_path) == ["state.json"]


def whole_plan_of_small():
    functions = [f for f in [*_core.OPERATIONS, *MASK_FUNCTIONS] if f in SMALL[3].split(",")]
    return exhaustive.plan(functions, list(exhaustive.TYPES))


def test_a_resumed_run_checks_only_what_is_left(interrupted_after, checked, tmp_path):
    run = [*CHECK, *SMALL, "--threads", "1", "--resume", str(tmp_path / "state.json")]
    every = list(exhaustive.parts_of(whole_plan_of_small(), exhaustive._slice(SMALL[1])))
    interrupted_after(5)
    assert command.main(run) == 130
    del checked[:]
    interrupted_after(0)
    assert command.main(run) == 0
    assert checked == every[5:]


def test_a_resumed_run_knows_the_mismatches(wrong, interrupted_after, tmp_path, capsys):
    function, mismatch, message = WRONG["flags"]
    wrong(function, *mismatch)
    run = [*CHECK, *SMALL, "--resume", str(tmp_path / "state.json")]
    interrupted_after(1)
    assert command.main(run) == 130
    assert re.search(message, capsys.readouterr().out)
    interrupted_after(0)
    assert command.main(run) == 1
    out = capsys.readouterr().out
    assert re.search(r"^  relu of float32 +WRONG ", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slice", "2/65536"], "differs in: slice"),
        (["--slice", "1/65536", "--only", "relu"], "differs in: calls"),
    ],
    ids=["slice", "only"],
)
def test_the_file_of_another_run(arguments, message, tmp_path, capsys):
    path = tmp_path / "state.json"
    first = ["--slice", "1/65536", "--only", "relu,relu_backward", "--dtype", "f4"]
    assert command.main([*CHECK, *first, "--resume", str(path)]) == 0
    capsys.readouterr()
    before = path.read_bytes()
    arguments = [*first, *arguments, "--resume", str(path)]
    assert message in refused(arguments, capsys)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [{"finished": "1"}, {"finished": -1}, {"finished": 10**9}, {"mismatches": [{}]}],
    ids=str,
)
def test_a_state_that_no_run_can_have(change, tmp_path, capsys):
    path = tmp_path / "state.json"
    arguments = ["--slice", "1/65536", "--only", "relu", "--dtype", "f4", "--resume", str(path)]
    assert command.main([*CHECK, *arguments]) == 0
    capsys.readouterr()
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    assert "not a file of check --exhaustive" in refused(arguments, capsys)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"run": 1}'])
def test_a_file_that_is_none_of_its_own(content, tmp_path, capsys):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    assert "not a file of check --exhaustive" in refused(["--resume", str(path)], capsys)
    assert path.read_bytes() == content


@posix
def test_an_interrupt_ends_it_with_130_and_a_whole_file(tmp_path):
    path = tmp_path / "state.json"
    with subprocess.Popen(
        [*PYTHON, "--resume", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it
    ) as process:
        while process.poll() is None and not path.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "python -m fastrelu: interrupted\n")
    assert "Slice 1/1 of every input" in out
    assert json.loads(path.read_text())["finished"] > 0
    assert os.listdir(tmp_path) == ["state.json"]
