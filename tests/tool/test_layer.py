"""The benchmark of layers: its output, its rows, its checks, and what it refuses."""

import importlib
import json
import os
import re
import sys

import numpy as np
import pytest

import fastrelu
from fastrelu._tool.bench import contenders, layer

main = importlib.import_module("fastrelu._tool.main").main

SMALL = ["bench", "--layer", "--contenders", "numpy", "--seconds", "0.01", "--shapes", "4x3x5"]
LINE = re.compile(r"  (\w+) +(\d+) +[\d.]+ [mµn]?s +\d+% +[\d.]+ [mµn]?s +\d+% +[\d.]+ +\d+%")
SHAPE = layer.Shape(4, 3, 5)


def refused(arguments, capsys):
    """Return the line with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_line_for_each_contender_and_number_of_threads(capsys):
    assert main([*SMALL, "--threads", "1,2"]) == 0
    out = capsys.readouterr().out
    assert "4x3x5: z = a @ w is 4 x 5 float32, 80 bytes" in out
    without, with_bias = re.split("^z \\+ b, relu ", out, flags=re.MULTILINE)
    for part in (without, with_bias):
        assert LINE.findall(part) == [("NumPy", "1"), ("fastrelu", "1"), ("fastrelu", "2")]
    for statement in ("maximum(add(z, b, out=z), 0, out=z)", "relu(z, out=z)", "relu_(z)"):
        assert statement in out
    assert "A rest of 0.5 ms comes before each round, of up to 300 ms" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100


def test_json(tmp_path):
    path = tmp_path / "layer.json"
    assert main([*SMALL, "--threads", "1", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found.keys() == {"command", "fastrelu", "machine", "bench", "rows", "wrong", "noise"}
    assert found["bench"]["layers"] == ["4x3x5"]
    assert found["wrong"] == []
    assert [(row["contender"], row["operation"]) for row in found["rows"]] == [
        (name, f"layer 4x3x5{bias}, {part}")
        for bias in ("", " with bias")
        for name in ("NumPy", "fastrelu")
        for part in ("pair", "activation")
    ]
    pair, activation = found["rows"][:2]
    assert (pair["bytes"], activation["bytes"]) == (4 * (4 * 3 + 3 * 5 + 4 * 5), 2 * 4 * 4 * 5)
    assert (pair["elements"], pair["rounds"]) == (20, layer.MIN_ROUNDS)
    assert pair["statement"] == "matmul(a, w, out=z); maximum(z, 0, out=z)"
    assert os.listdir(tmp_path) == ["layer.json"]


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("contender", layer.CONTENDERS, ids=lambda contender: contender.name)
def test_every_contender_computes_the_layer(contender, has_bias):
    try:
        contender.load()
    except contenders.UnavailableError as error:
        pytest.skip(f"{contender.name}: {error}")
    arrays = layer.arrays_of(SHAPE)
    pair = layer.Pair(contender, 1, has_bias, arrays)
    sums = arrays["a"] @ arrays["w"] + (arrays["b"] if has_bias else 0)
    with fastrelu.num_threads(1):
        assert pair.check(arrays["z"], np.maximum(sums, 0)) is None
    assert (arrays["z"] > 0).any()


def test_a_round_is_the_median_pair_after_a_rest_and_a_first_pair(monkeypatch):
    seen = []
    monkeypatch.setattr(layer, "rest", lambda: seen.append("rest"))
    contender = layer.CONTENDERS[0]._replace(set_threads=seen.append)
    pair = layer.Pair(contender, 3, False, layer.arrays_of(SHAPE))
    pair.product = lambda: seen.append("product")
    pair.activation = lambda: seen.append("activation")
    both, last = pair.round(2)
    assert seen == ["rest", 3, *["product", "activation"] * 3]
    assert both > last > 0


def test_sums_of_a_layer_are_exact_in_any_order():
    largest = max(layer.shape_of(text).inputs for text in layer.SHAPES)
    assert 3 * 3 * largest + 9 < 1 << 24


def test_a_wrong_output_is_reported_and_not_timed(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fastrelu, "relu", lambda z, out: np.abs(z, out=out))
    path = tmp_path / "layer.json"
    assert main([*SMALL, "--threads", "1", "--json", str(path)]) == 1
    wrong = r"^WRONG: fastrelu, .*; relu\(z, out=z\): z\[\d+\]: expected 0.0, got \d+.0 for 4x3x5"
    assert re.search(wrong, capsys.readouterr().out, re.MULTILINE)
    found = json.loads(path.read_text())
    assert len(found["wrong"]) == 1
    assert "relu(z, out=z)" not in {row["statement"] for row in found["rows"]}


def test_what_memory_or_time_cannot_hold_is_named(monkeypatch, capsys):
    assert main([*SMALL[:-1], "4x3x5,4096x4096x4096"]) == 0
    assert "Left out for lack of time (--seconds): 4096x4096x4096." in capsys.readouterr().out
    monkeypatch.setattr(layer, "free_memory", lambda: 0)
    assert main(SMALL) == 0
    assert "Left out for lack of memory: 4x3x5." in capsys.readouterr().out


def test_a_missing_library_is_left_out(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    arguments = ["bench", "--layer", "--seconds", "0.01", "--shapes", "4x3x5"]
    assert main(arguments) == 0
    assert "Left out: torch: not installed." in capsys.readouterr().out


def test_fastrelu_keeps_its_threads():
    before = fastrelu.get_num_threads()
    main([*SMALL, "--threads", "2"])
    assert fastrelu.get_num_threads() == before


def test_an_interrupted_run_leaves_no_file(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(layer, "measure", interrupted)
    assert main([*SMALL, "--json", str(tmp_path / "a.json")]) == 130
    assert capsys.readouterr().err == "python -m fastrelu: interrupted\n"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "--shapes", "1x2x3"], "--shapes has no meaning without --layer"),
        (["bench", "--layer", "--shapes", "1x2"], "BATCHxINxOUT is needed, like 64x512x1024"),
        (["bench", "--layer", "--shapes", "1x0x2"], "not '1x0x2'"),
        (["bench", "--layer", "--shapes", "1x2x3,"], "not ''"),
        (["bench", "--layer", "--threads", "65"], "from 1 to 64"),
        (["bench", "--layer", "--contenders", "numba"], "the choices are numpy, fastrelu, torch"),
        (["bench", "--layer", "--gap", "1ms"], "--gap has no meaning beside --layer"),
        (["bench", "--layer", "--fail-over", "5"], "--fail-over has no meaning beside --layer"),
        (["bench", "--layer", "--dtype", "int8"], "--dtype has no meaning beside --layer"),
        (["bench", "--layer", "--json", os.path.join("no", "place")], "No such file"),
        (["check", "--layer"], "unexpected '--layer'; see python -m fastrelu check --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(arguments, message, capsys):
    assert message in refused(arguments, capsys)
