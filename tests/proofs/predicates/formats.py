"""The number that the bits of a dtype stand for, and how numbers compare, as z3 terms."""

from dataclasses import dataclass

import z3


class Format:
    """A dtype whose pattern 0 is the number 0, and which has no NaN."""

    def is_nan(self, bits):
        return z3.BoolVal(False)

    def below_zero(self, bits):
        return self.less(bits, z3.BitVecVal(0, bits.size()))

    def is_zero(self, bits):
        return self.equal(bits, z3.BitVecVal(0, bits.size()))


@dataclass(frozen=True)
class IEEE(Format):
    """A float of IEEE 754 or bfloat16: z3's own theory gives the number."""

    exponent: int
    significand: int  # the implicit bit included

    def number(self, bits):
        return z3.fpBVToFP(bits, z3.FPSort(self.exponent, self.significand))

    def is_nan(self, bits):
        return z3.fpIsNaN(self.number(bits))

    def less(self, a, b):
        return z3.fpLT(self.number(a), self.number(b))

    def equal(self, a, b):
        return z3.fpEQ(self.number(a), self.number(b))

    def magnitude(self, bits):
        return bits & ((1 << bits.size() - 1) - 1)

    def sign(self, bits):
        """Return the pattern of 1, of -1, or of 0 for either zero."""
        one = ((1 << self.exponent - 1) - 1) << self.significand - 1
        sign = bits & (1 << bits.size() - 1)
        return z3.If(self.is_zero(bits), z3.BitVecVal(0, bits.size()), sign | one)


@dataclass(frozen=True)
class Integer(Format):
    """An integer in the low bits of its element."""

    width: int
    signed: bool

    def number(self, bits):
        return z3.Extract(self.width - 1, 0, bits)

    def less(self, a, b):
        a, b = self.number(a), self.number(b)
        return a < b if self.signed else z3.ULT(a, b)

    def equal(self, a, b):
        return self.number(a) == self.number(b)


@dataclass(frozen=True)
class Small(Format):
    """A float of 8 bits or fewer, as an integer: by what its least number must be multiplied.

    With `has_infinity` the greatest exponent is infinity, which is above all numbers, and NaN.
    """

    exponent: int
    mantissa: int
    has_infinity: bool = False
    nan: tuple = ()  # other patterns that are NaN

    @property
    def width(self):
        return 1 + self.exponent + self.mantissa

    def parts(self, bits):
        """Return the sign, the exponent and the mantissa, the two as wide as any number."""
        last = self.width - 1
        exponent = z3.Extract(last - 1, self.mantissa, bits)
        mantissa = z3.Extract(self.mantissa - 1, 0, bits)
        wide = (1 << self.exponent) + self.mantissa
        extended = [z3.ZeroExt(wide - part.size(), part) for part in (exponent, mantissa)]
        return z3.Extract(last, last, bits) == 1, *extended

    def number(self, bits):
        negative, exponent, mantissa = self.parts(bits)
        normal = (mantissa | 1 << self.mantissa) << exponent - 1
        magnitude = z3.If(exponent == 0, mantissa, normal)
        return z3.If(negative, -magnitude, magnitude)

    def is_nan(self, bits):
        _, exponent, mantissa = self.parts(bits)
        listed = [z3.Extract(self.width - 1, 0, bits) == pattern for pattern in self.nan]
        if self.has_infinity:
            listed.append(z3.And(exponent == (1 << self.exponent) - 1, mantissa != 0))
        return z3.Or(listed)

    def less(self, a, b):
        are_numbers = z3.Not(z3.Or(self.is_nan(a), self.is_nan(b)))
        return z3.And(are_numbers, self.number(a) < self.number(b))

    def equal(self, a, b):
        are_numbers = z3.Not(z3.Or(self.is_nan(a), self.is_nan(b)))
        return z3.And(are_numbers, self.number(a) == self.number(b))


class PowersOfTwo(Format):
    """float8_e8m0fnu: 2 to the power of the pattern less 127, above zero; 0xFF is NaN."""

    width = 8

    def is_nan(self, bits):
        return bits == 0xFF

    def less(self, a, b):
        return z3.And(a != 0xFF, b != 0xFF, z3.ULT(a, b))

    def equal(self, a, b):
        return z3.And(a != 0xFF, b != 0xFF, a == b)

    def below_zero(self, bits):
        return z3.BoolVal(False)

    def is_zero(self, bits):
        return z3.BoolVal(False)


FORMATS = {
    "f16": IEEE(5, 11),
    "bfloat16": IEEE(8, 8),
    "f32": IEEE(8, 24),
    "f64": IEEE(11, 53),
    "float8_e3m4": Small(3, 4, has_infinity=True),
    "float8_e4m3": Small(4, 3, has_infinity=True),
    "float8_e5m2": Small(5, 2, has_infinity=True),
    "float8_e4m3fn": Small(4, 3, nan=(0x7F, 0xFF)),
    "float8_e4m3b11fnuz": Small(4, 3, nan=(0x80,)),
    "float8_e4m3fnuz": Small(4, 3, nan=(0x80,)),
    "float8_e5m2fnuz": Small(5, 2, nan=(0x80,)),
    "float6_e2m3fn": Small(2, 3),
    "float6_e3m2fn": Small(3, 2),
    "float4_e2m1fn": Small(2, 1),
    "float8_e8m0fnu": PowersOfTwo(),
}
FORMATS |= {f"i{width}": Integer(width, True) for width in (8, 16, 32, 64)}
FORMATS |= {f"u{width}": Integer(width, False) for width in (8, 16, 32, 64)}
FORMATS |= {f"int{width}": Integer(width, True) for width in (1, 2, 4)}
FORMATS |= {f"uint{width}": Integer(width, False) for width in (1, 2, 4)}
