"""Calls drawn at random are NumPy's: a slice of them, those that once failed, and what is drawn."""

import contextlib
import dataclasses

import pytest
from hypothesis import example, given, settings, strategies
from proofs.drawn_calls import BYTES, TRAITS, Call, Operand, draw
from proofs.numpys_answer import UndefinedError, check
from proofs.random_calls import Heard, run_batch

import fastrelu

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is the reference"),
    pytest.mark.xdist_group("alone"),
]
SOME = 8000


def assert_is_numpys(call):
    call = dataclasses.replace(call, isa=call.isa or fastrelu.isa)
    with Heard() as caught, contextlib.suppress(UndefinedError):
        check(call, caught)


# dtype= on the fast path was compared with the type of the first operand, which decides nothing.
@example(Call("relu_backward", inputs=(Operand("b", ()), Operand("f")), dtype="b"))
# The reference compared objects of which it had computed nothing,
@example(Call("subtract_relu", inputs=(Operand("O"), Operand("O")), out=Operand("O"), where=False))
# and gave 0.0 instead of 0.
@example(Call("add_relu", inputs=(Operand("O", (), start=18), Operand("O", (), start=18))))
# What the oracle did not know: an integer that no integer type holds is an object,
@example(Call(inputs=(Operand("O", container="scalar", start=187),)))
# a number alone is cast to the type that a signature asks for,
@example(
    Call("soft_threshold", inputs=(Operand(number=1, container="number"),) * 2, signature="ff->f")
)
@example(Call(inputs=(Operand(number=-200, container="number"),), signature="b->b"))
# beside an array it is not,
@example(
    Call(
        "add_relu",
        inputs=(Operand("e"), Operand(number=70000, container="number")),
        signature="ee->e",
    )
)
# and kernels add float16 in float64.
@example(Call("relu_sum", inputs=(Operand("e", (9000, 3)),), calm=True, axis=0))
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(strategies.binary(max_size=BYTES).map(draw))
def test_a_drawn_call_is_numpys(call):
    assert_is_numpys(call)


def test_many_calls_are_numpys_and_every_trait_is_drawn():
    counts, failures = run_batch("of the tests", 0, SOME)
    assert failures == []
    assert [trait for trait in TRAITS if not counts[trait]] == []
    assert counts["answer: result"] > SOME / 2
    assert counts["answer: error"] > SOME / 10
    assert counts["answer: undefined"] < SOME / 10
