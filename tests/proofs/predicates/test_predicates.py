"""Predicates and operations are what they are defined to be, for every operand: a proof by z3.

The C code of each instruction set is read as the preprocessor leaves it. What it computes becomes
a term, and z3 shows that no operand makes it differ from the definition, or names one.
"""

import functools
import importlib.util
import itertools
import operator
from typing import NamedTuple

import numpy as np
import pytest

if importlib.util.find_spec("z3") is None:
    pytest.skip("needs z3-solver: pip install --group proofs", allow_module_level=True)

import z3
from proofs.predicates.c_to_z3 import Value
from proofs.predicates.definitions import OPERATIONS, PREDICATES, Computed
from proofs.predicates.formats import FORMATS
from proofs.predicates.instructions import lanes, register
from proofs.predicates.kernels import SETS, predicates, read

if not SETS:
    pytest.skip("needs csrc/ and gcc or clang", allow_module_level=True)

# To bits, and to a solver of clauses: a tenth of the time of z3's choice.
SOLVER = z3.Then(
    "simplify", "fpa2bv", "ackermannize_bv", "simplify", "propagate-values", "solve-eqs",
    "bit-blast", "sat",
)  # fmt: skip
proved = {}  # what is computed, by what it is and z3's numbers of its terms: sets share code


class Lane(NamedTuple):
    """What a function computes in one lane, of the operands x0, x1 and x2."""

    result: object
    computed: list  # of Computed

    @property
    def terms(self):
        steps = [[step.condition, *step.operands] for step in self.computed]
        return [self.result, *itertools.chain(*steps)]


def simplified(swapped, term):
    return z3.simplify(z3.substitute(term, *swapped))


class Call:
    """A call of a function of C with any operands."""

    def __init__(self, source, register_name, name, kernel):
        self.source, self.name, self.kernel = source, name, kernel
        self.function = f"{register_name}_{name}_{kernel.kind}{kernel.width}"
        *operands, _ = source.function(self.function).parameters
        type = operands[0][0]
        n = type.bits // kernel.width
        self.operands = [
            [
                z3.BitVec(f"x{i}" + f"_{lane}" * (lane > 0), kernel.width)
                for i in range(len(operands))
            ]
            for lane in range(n)
        ]
        source.overflows.clear()
        source.instructions.computed.clear()
        values = [
            Value(type, register([x[i] for x in self.operands])) for i in range(len(operands))
        ]
        self.value = source.call(self.function, *values, kernel.encoding)
        self.overflows = z3.Or(source.overflows)

    def lanes(self):
        """Return each lane that differs from those before, as if it were the first."""
        size = self.value.term.size() // len(self.operands)
        found = {}
        for i, result in enumerate(lanes(size, self.value.term)):
            own, first = self.operands[i], self.operands[0]
            swapped = [*zip(own + first, first + own, strict=True)]
            as_first = functools.partial(simplified, swapped)
            computed = [
                Computed(
                    step.name, [*map(as_first, step.operands[i])], as_first(step.conditions[i])
                )
                for step in self.source.instructions.computed
            ]
            lane = Lane(as_first(result), computed)
            names = [step.name for step in computed]
            found[(*names, *[term.get_id() for term in lane.terms])] = lane
        return found

    def refuted(self, wrong):
        """Return an example of what is wrong in a lane, or ''. wrong(lane, *x) gives claims."""
        x = self.operands[0]
        for ids, lane in self.lanes().items():
            what = (self.name, self.kernel.dtype, self.value.type, self.overflows.get_id(), *ids)
            if what not in proved:
                for text, claim in {**wrong(lane, *x), "overflows": self.overflows}.items():
                    solver = SOLVER.solver()
                    solver.add(claim)
                    answer = solver.check()
                    if answer != z3.unsat:
                        return f"{self.function} of {self.kernel.dtype} " + example(
                            text, answer, solver, x
                        )
            proved[what] = lane, self.overflows
        return ""


def example(text, answer, solver, operands):
    if answer == z3.unknown:
        return f"is not known to be right: {solver.reason_unknown()}"
    bits = [solver.model().eval(x, True).as_long() for x in operands]
    digits = operands[0].size() // 4
    return f"{text} for {', '.join(f'0x{number:0{digits}x}' for number in bits)}"


def mask(type, size, holds):
    """Return what a lane of a mask is where a predicate holds, and where it does not."""
    return z3.If(
        holds, z3.BitVecVal(-1 if type.kind == "register" else 1, size), z3.BitVecVal(0, size)
    )


def refuted_predicate(source, register_name, name, kernel):
    """Return an example where a predicate is not what it should be, or ''."""
    predicate, format = PREDICATES[name], FORMATS[kernel.dtype]
    call = Call(source, register_name, name, kernel)

    def wrong(lane, *x):
        expected = mask(call.value.type, lane.result.size(), predicate.holds(format, *x))
        return {
            "is wrong": z3.And(predicate.of(format, *x), lane.result != expected),
            "computes with floats": z3.BoolVal(bool(lane.computed)),
        }

    return call.refuted(wrong)


def refuted_operation(source, register_name, kernel):
    """Return an example where an operation is not what it should be, or ''."""
    format = FORMATS[kernel.dtype]

    def wrong(lane, *x):
        expected, steps = OPERATIONS[kernel.operation](format, *x)
        allowed = [] if kernel.status == "QUIET" else steps
        found = {"is wrong": lane.result != expected}
        for number, (name, operands, condition) in enumerate(lane.computed, 1):
            due = [
                z3.And(step.condition, *map(operator.eq, step.operands, operands))
                for step in allowed
                if step.name == name
            ]
            of_zeros = z3.And([a == 0 for a in operands])
            in_vain = z3.And(condition, z3.Not(z3.Or(of_zeros, *due)))
            found[f"computes {name} in vain (number {number})"] = in_vain
        return found

    return Call(source, register_name, kernel.operation, kernel).refuted(wrong)


def registers(source):
    return [name for name in ("scalar", "vec", "gather") if f"{name}_set18" in source.heads]


@pytest.mark.parametrize("set", SETS)
def test_every_predicate_has_a_definition(set):
    assert predicates(set).keys() == PREDICATES.keys()


@pytest.mark.parametrize("set", SETS)
def test_every_operation_has_a_definition(set):
    _, kernels = read(set)
    assert {kernel.operation for kernel in kernels} == OPERATIONS.keys()
    assert {kernel.dtype for kernel in kernels} == FORMATS.keys()
    assert registers(read(set)[0]) == ["scalar", "vec", "gather"]


def test_the_number_of_a_small_float():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes: pip install ml_dtypes")
    wrong = []
    for name in (name for name in FORMATS if name.startswith("float")):
        format, dtype = FORMATS[name], getattr(ml_dtypes, name)
        values = np.arange(1 << format.width, dtype="u1").view(dtype).astype("f8")
        for bits, value in enumerate(values):
            x = z3.BitVecVal(bits, 8)
            is_right = z3.is_true(z3.simplify(format.is_nan(x))) == np.isnan(value)
            if name != "float8_e8m0fnu" and np.isfinite(value):
                number = z3.simplify(format.number(x)).as_signed_long()
                is_right &= number == value / float(ml_dtypes.finfo(dtype).smallest_subnormal)
            if not is_right:
                wrong.append(f"{name} {bits:#x}")
    assert wrong == []


@pytest.mark.parametrize("name", PREDICATES)
@pytest.mark.parametrize("set", SETS)
def test_predicate(set, name):
    source, kernels = read(set)
    dtypes = {kernel.dtype: kernel for kernel in kernels}.values()
    refuted = [
        refuted_predicate(source, register_name, name, kernel)
        for register_name, kind, width in predicates(set)[name]
        for kernel in dtypes
        if (kernel.kind, kernel.width) == (kind, width)
    ]
    assert refuted
    assert [example for example in refuted if example] == []


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("set", SETS)
def test_operation(set, operation):
    source, kernels = read(set)
    refuted = [
        refuted_operation(source, register_name, kernel)
        for register_name in registers(source)
        for kernel in kernels
        if kernel.operation == operation
    ]
    assert refuted
    assert [example for example in refuted if example] == []
