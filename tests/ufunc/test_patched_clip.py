"""Under the patch, clip with a lower bound of 0 takes the kernels: NumPy calls np.maximum there."""

import itertools

import numpy as np
import pytest
from helpers import KERNEL_TYPES, failing

import fastrelu

try:
    from numpy._core.multiarray import get_handler_name
except ImportError:
    from numpy.core.multiarray import get_handler_name

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

LARGE = (1 << 20) + 24  # elements: the new output is from fastrelu's memory, whatever the dtype

CLIPS = {
    "np.clip(x, 0, None)": lambda x, **out: np.clip(x, 0, None, **out),
    "np.clip(x, a_min=0, a_max=None)": lambda x, **out: np.clip(x, a_min=0, a_max=None, **out),
    "x.clip(0)": lambda x, **out: x.clip(0, **out),
    "x.clip(0, None)": lambda x, **out: x.clip(0, None, **out),
    "x.clip(min=0)": lambda x, **out: x.clip(min=0, **out),
}
OTHERS = {
    "np.clip(x, 0, 6)": lambda x: np.clip(x, 0, 6),
    "np.clip(x, None, 0)": lambda x: np.clip(x, None, 0),
    "np.clip(x, 1, None)": lambda x: np.clip(x, 1, None),
    "x.clip(max=0)": lambda x: x.clip(max=0),
}


# Of unsigned integers NumPy knows that 0 bounds nothing: it copies them.
@pytest.mark.parametrize("char", [char for char in KERNEL_TYPES if char.islower()])
@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_clip_at_zero_takes_the_kernels(clip, char):
    x = np.ones(LARGE, char)
    with fastrelu.patched_numpy():
        assert get_handler_name(clip(x)) == "fastrelu"
    assert get_handler_name(clip(x)) != "fastrelu"


@pytest.mark.parametrize("char", KERNEL_TYPES)
def test_its_bits_are_those_of_numpy(char, random_values, assert_same_bits):
    def call(clip, output):
        x = random_values(char, 1003, 0).copy()
        out = {"new": {}, "out": {"out": np.ones_like(x)}, "in place": {"out": x}}[output]
        y = CLIPS[clip](x, **out)
        assert not out or y is out["out"]
        return y

    def check(case):
        with np.errstate(all="ignore"):
            expected = call(*case)
            with fastrelu.patched_numpy():
                assert_same_bits(call(*case), expected)

    assert failing(check, itertools.product(CLIPS, ["new", "out", "in place"])) == []


@pytest.mark.parametrize("char", "ifde")
@pytest.mark.parametrize("clip", OTHERS.values(), ids=OTHERS)
def test_other_clips_are_numpys(clip, char):
    x = np.linspace(-9, 9, LARGE).astype(char)
    expected = clip(x)
    with fastrelu.patched_numpy():
        y = clip(x)
    assert get_handler_name(y) != "fastrelu"
    assert y.tobytes() == expected.tobytes()


def test_the_mask_of_a_masked_array_stays():
    x = np.ma.array([-1.0, 2.0, -3.0], mask=[False, False, True])
    expected = x.clip(0)
    with fastrelu.patched_numpy():
        y = x.clip(0)
    assert repr(y) == repr(expected)
