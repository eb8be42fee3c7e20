"""What the instructions in predicates and operations do, by the manuals of x86 and of AArch64.

Each treats every 64 bits of its registers alike and apart, so a register is one piece of 64 bits.
Sums, differences and products of floats are any function of two patterns.
"""

import functools
import re
from typing import NamedTuple

import z3
from proofs.predicates.c_to_z3 import (
    BLOCK,
    INT,
    REGISTER,
    NotUnderstoodError,
    Type,
    Value,
    arithmetic,
    truth,
)

FLOATS = {32: z3.Float32(), 64: z3.Float64()}


def lanes(bits, term):
    """Split a register into lanes, the lowest first."""
    return [z3.Extract(at + bits - 1, at, term) for at in range(0, term.size(), bits)]


def register(terms):
    return terms[0] if len(terms) == 1 else z3.Concat(*reversed(terms))


def ones(condition, bits):
    return z3.If(condition, z3.BitVecVal(-1, bits), z3.BitVecVal(0, bits))


def is_set(mask, lane):
    return z3.Extract(lane, lane, mask) == 1


def not_less_zero(bits, a):
    return z3.Not(z3.fpLT(z3.fpBVToFP(a, FLOATS[bits]), z3.FPVal(0, FLOATS[bits])))


def is_zero(value):
    return z3.is_true(z3.simplify(value.term == 0))


def require(condition, what):
    if not condition:
        raise NotUnderstoodError(f"not so: {what}")


class FloatInstruction(NamedTuple):
    name: str
    operands: list  # of each lane
    conditions: list  # when it is computed in a lane


FLOAT_FUNCTIONS = {name: functools.partial(arithmetic, name) for name in ("add", "sub", "mul")} | {
    "not_less_zero": lambda bits: functools.partial(not_less_zero, bits)
}


class Instructions:
    """Gives the value of a call by name. `computed` lists what was computed with floats."""

    def __init__(self):
        self.computed = []

    def __call__(self, name, arguments):
        for pattern, method in PATTERNS:
            if match := re.fullmatch(pattern, name):
                term = method(self, arguments, **match.groupdict())
                return term if isinstance(term, Value) else Value(REGISTER, term)
        return None

    def lane_by_lane(self, bits, function, *arguments):
        split = [lanes(int(bits), argument.term) for argument in arguments]
        return register([function(*each) for each in zip(*split, strict=True)])

    def floats(self, name, bits, *operands, condition=None):
        """Compute with floats in each lane, or only where a condition holds."""
        split = [lanes(bits, operand) for operand in operands]
        conditions = condition or [z3.BoolVal(True)] * len(split[0])
        self.computed.append(FloatInstruction(name, list(zip(*split, strict=True)), conditions))
        return [FLOAT_FUNCTIONS[name](bits)(*each) for each in zip(*split, strict=True)]

    # of a scalar

    def isless(self, arguments):
        x, zero = arguments
        require(is_zero(zero), "isless compares with 0")
        return truth(z3.Not(*self.floats("not_less_zero", x.type.bits, x.term)))

    def of_floats(self, arguments, name, bits):
        terms = [argument.term for argument in arguments]
        return Value(arguments[0].type, register(self.floats(name, int(bits), *terms)))

    # of integers

    def integers(self, arguments, name, bits):
        function = {
            "add": lambda a, b: a + b,
            "sub": lambda a, b: a - b,
            "max": lambda a, b: z3.If(a > b, a, b),
            "cmpgt": lambda a, b: ones(a > b, int(bits)),
            "cmpeq": lambda a, b: ones(a == b, int(bits)),
            "tst": lambda a, b: ones(a & b != 0, int(bits)),
        }[{"cgt": "cmpgt"}.get(name, name)]
        return self.lane_by_lane(bits, function, *arguments)

    def whole(self, arguments, name):
        a, b = (argument.term for argument in arguments)
        return {"and": a & b, "or": a | b, "andnot": ~a & b, "bic": a & ~b}[name]

    def same(self, arguments):
        return arguments[0].term

    def zero(self, arguments):
        return z3.BitVecVal(0, BLOCK)

    def everywhere(self, arguments, bits):
        lane = z3.Extract(int(bits) - 1, 0, arguments[0].term)
        return register([lane] * (BLOCK // int(bits)))

    def select_bits(self, arguments):
        mask, a, b = (argument.term for argument in arguments)
        return (mask & a) | (~mask & b)

    def blend(self, arguments):
        return self.lane_by_lane(
            8, lambda b, a, mask: z3.If(z3.Extract(7, 7, mask) == 1, a, b), *arguments
        )

    def shuffle(self, arguments):
        """Of halves of 64 bits; more would reach into the next 64."""
        a, order = arguments
        order = z3.simplify(order.term).as_long()
        low, high = order & 3, order >> 2 & 3
        stays = low < 2 and high < 2 and order >> 4 == (low + 2 | high + 2 << 2)
        require(stays, f"the order {order:#x} stays within 64 bits")
        halves = lanes(32, a.term)
        return register([halves[low], halves[high]])

    def shuffle_order(self, arguments):
        fields = [z3.simplify(argument.term).as_long() for argument in arguments]
        order = fields[0] << 6 | fields[1] << 4 | fields[2] << 2 | fields[3]
        return Value(INT, z3.BitVecVal(order, 32))

    # of AVX-512's masks

    def mask(self, conditions):
        bits = [
            z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)) for condition in conditions
        ]
        return Value(Type("int", len(bits)), register(bits))

    def mask_greater(self, arguments, bits):
        a, b = (lanes(int(bits), argument.term) for argument in arguments)
        return self.mask([x > y for x, y in zip(a, b, strict=True)])

    def mask_test(self, arguments, bits):
        mask, *operands = (argument.term for argument in arguments)
        a, b = (lanes(int(bits), operand) for operand in operands)
        return self.mask(
            [z3.And(is_set(mask, i), x & y != 0) for i, (x, y) in enumerate(zip(a, b, strict=True))]
        )

    def register_not_less_zero(self, arguments, suffix):
        a, zero, predicate = arguments
        is_quiet = predicate.term == "_CMP_NLT_UQ"
        require(is_quiet and is_zero(zero), f"{predicate.term} compares quietly with 0")
        bits = SUFFIXES[suffix]
        return register([ones(c, bits) for c in self.floats("not_less_zero", bits, a.term)])

    def maximum_with_zero(self, arguments, suffix):
        """Give the second operand where it is NaN, both are zeros, or it is greater."""
        zero, a, rounding = arguments
        is_quiet = rounding.term == "_MM_FROUND_NO_EXC"
        require(is_quiet and is_zero(zero), f"{rounding.term} compares quietly with 0")
        bits = SUFFIXES[suffix]
        is_second = self.floats("not_less_zero", bits, a.term)
        pairs = zip(is_second, lanes(bits, a.term), strict=True)
        return register([z3.If(c, lane, z3.BitVecVal(0, bits)) for c, lane in pairs])

    def move_under_mask(self, arguments, bits):
        other, mask, a = (argument.term for argument in arguments)
        pairs = zip(lanes(int(bits), a), lanes(int(bits), other), strict=True)
        return register([z3.If(is_set(mask, i), x, y) for i, (x, y) in enumerate(pairs)])

    def move_or_zero(self, arguments, bits):
        return self.move_under_mask([Value(REGISTER, self.zero([])), *arguments], bits)

    def multiply_under_mask(self, arguments, suffix):
        bits = SUFFIXES[suffix]
        other, mask, a, b = (argument.term for argument in arguments)
        condition = [is_set(mask, lane) for lane in range(BLOCK // bits)]
        product = register(self.floats("mul", bits, a, b, condition=condition))
        return self.move_under_mask([Value(REGISTER, x) for x in (other, mask, product)], bits)

    def floats_by_suffix(self, arguments, name, suffix):
        return self.of_floats(arguments, name, SUFFIXES[suffix])

    def floats_by_lanes(self, arguments, name, count):
        return self.of_floats(arguments, name, 128 // int(count))

    def scalar_floats(self, arguments, name):
        return self.of_floats(arguments, name, arguments[0].type.bits)


SUFFIXES = {"ps": 32, "pd": 64}
X86 = r"_mm(?:256|512)?_"
OF_FLOATS = r"(?P<name>add|sub|mul)"
PATTERNS = [
    # the kernels' own, whose conversions of float16 are not looked into
    (rf"(?:scalar|vec|gather)_{OF_FLOATS}_float(?P<bits>16)", Instructions.of_floats),
    ("isless", Instructions.isless),
    # x86
    (rf"{X86}(?P<name>add|sub|cmpgt|cmpeq)_epi(?P<bits>\d+)", Instructions.integers),
    (rf"{X86}(?P<name>and|or|andnot)_si\d+", Instructions.whole),
    (rf"{X86}cast(?:p[sd]_si|si\d+_p[sd])\d*", Instructions.same),
    (rf"{X86}setzero_\w+", Instructions.zero),
    (rf"{X86}set1_epi(?P<bits>\d+)x?", Instructions.everywhere),
    (rf"{X86}blendv_epi8", Instructions.blend),
    (r"_mm_shuffle_epi32", Instructions.shuffle),
    (r"_MM_SHUFFLE", Instructions.shuffle_order),
    (rf"{X86}{OF_FLOATS}_(?P<suffix>ps|pd)", Instructions.floats_by_suffix),
    (rf"{X86}cmp_(?P<suffix>ps|pd)", Instructions.register_not_less_zero),
    (r"_mm512_max_round_(?P<suffix>ps|pd)", Instructions.maximum_with_zero),
    (r"_mm512_cmpgt_epi(?P<bits>\d+)_mask", Instructions.mask_greater),
    (r"_mm512_mask_test_epi(?P<bits>\d+)_mask", Instructions.mask_test),
    (r"_mm512_mask_mov_epi(?P<bits>\d+)", Instructions.move_under_mask),
    (r"_mm512_maskz_mov_epi(?P<bits>\d+)", Instructions.move_or_zero),
    (r"_mm512_mask_mul_(?P<suffix>ps|pd)", Instructions.multiply_under_mask),
    # AArch64
    (r"v(?P<name>add|sub|cgt|max|tst)q_[su](?P<bits>\d+)", Instructions.integers),
    (r"v(?P<name>and|bic)q_[su]\d+", Instructions.whole),
    (r"vdupq_n_[su](?P<bits>\d+)", Instructions.everywhere),
    (r"vbslq_[su]\d+", Instructions.select_bits),
    (rf"f{OF_FLOATS} %0\.(?P<count>\d)[sd], %1\.\d[sd], %2\.\d[sd]", Instructions.floats_by_lanes),
    # of a scalar, by C's operator or by AArch64's instruction
    (OF_FLOATS, Instructions.scalar_floats),
    (rf"f{OF_FLOATS} %[sd]0, %[sd]1, %[sd]2", Instructions.scalar_floats),
]
