"""Patching is silent whatever np.maximum's loops raise, and finds what depends on the place."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastrelu

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

from fastrelu import _patch

FLAGS = {
    "invalid": lambda: np.float32(np.inf) - np.float32(np.inf),
    "overflow": lambda: np.float32(3e38) * np.float32(10),
    "underflow": lambda: np.float32(1e-38) * np.float32(1e-38),
    "divide": lambda: np.float32(1) / np.float32(0),
}


@pytest.fixture(params=FLAGS.values(), ids=FLAGS)
def flagged(request, monkeypatch):
    """Replace np.maximum by one whose loop raises a floating-point flag."""
    maximum = np.maximum

    def flagging(a, b):
        request.param()
        return maximum(a, b)

    monkeypatch.setattr(np, "maximum", flagging)


@pytest.mark.parametrize("mode", ["warn", "raise", "call", "print"])
@pytest.mark.parametrize("zero_is_last", [False, True])
@pytest.mark.parametrize("char", "edb")
def test_the_probes_are_silent(flagged, char, zero_is_last, mode, capfd):
    calls = []
    with warnings.catch_warnings(), np.errstate(all=mode, call=lambda *_: calls.append(1)):
        warnings.simplefilter("error")
        chosen = _patch._choose(zero_is_last, np.dtype(char))
        assert np.geterr() == dict.fromkeys(["divide", "over", "under", "invalid"], mode)
    assert chosen in (fastrelu.relu, fastrelu.relu_backward, fastrelu.add_relu)
    assert not calls
    assert capfd.readouterr() == ("", "")


PLACES = {
    "first": lambda n: slice(1),
    "last": lambda n: slice(n - 1, n),
    "even": lambda n: slice(0, n, 2),
    "far": lambda n: slice(600, n),
    **{f"after {k} lanes": lambda n, k=k: slice(n // k * k, n) for k in (2, 4, 8, 16, 32, 64)},
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("char", "efd")
def test_no_kernel_where_the_sign_of_zero_depends_on_the_place(char, zero, place, monkeypatch):
    maximum = np.maximum

    def by_place(a, b):
        result = maximum(a, b)
        signed = np.full_like(result, -zero)
        signed[place(result.size)] = zero
        return np.where(result == 0, signed, result)

    monkeypatch.setattr(np, "maximum", by_place)
    assert [_patch._choose(order, np.dtype(char)) for order in (False, True)] == [None, None]


@pytest.mark.parametrize("option", ["raise", "warn"])
def test_patching_is_silent_in_a_program_of_its_own(option):
    code = f"""
import numpy as np
np.seterr(all={option!r})
import fastrelu
fastrelu.patch_numpy()
print(np.maximum(0, np.array([-1.0, 2.0])))
"""
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code],
        env={**os.environ, "FASTRELU_PATCH_NUMPY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[0. 2.]\n", "")
