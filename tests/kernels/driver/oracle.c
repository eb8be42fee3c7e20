#include "oracle.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

enum kind { SIGNED, UNSIGNED, REAL };

/* Which patterns of a float are no finite numbers. */
enum specials {
    IEEE,         /* the greatest exponent: infinity, and NaN */
    ONE_NAN,      /* all bits but the sign: NaN */
    NAN_AT_ZERO,  /* the pattern that would be -0: NaN */
    ALL_FINITE,   /* none */
    POWERS_OF_TWO /* an exponent alone; all bits: NaN */
};

struct format {
    enum kind kind;
    int width, bits; /* of the element; those that count */
    int mantissa, bias;
    enum specials specials;
};

static const struct format formats[FASTRELU_N_DTYPES] = {
    [FASTRELU_i8] = {SIGNED, 8, 8, 0, 0, IEEE},
    [FASTRELU_i16] = {SIGNED, 16, 16, 0, 0, IEEE},
    [FASTRELU_i32] = {SIGNED, 32, 32, 0, 0, IEEE},
    [FASTRELU_i64] = {SIGNED, 64, 64, 0, 0, IEEE},
    [FASTRELU_u8] = {UNSIGNED, 8, 8, 0, 0, IEEE},
    [FASTRELU_u16] = {UNSIGNED, 16, 16, 0, 0, IEEE},
    [FASTRELU_u32] = {UNSIGNED, 32, 32, 0, 0, IEEE},
    [FASTRELU_u64] = {UNSIGNED, 64, 64, 0, 0, IEEE},
    [FASTRELU_f16] = {REAL, 16, 16, 10, 15, IEEE},
    [FASTRELU_f32] = {REAL, 32, 32, 23, 127, IEEE},
    [FASTRELU_f64] = {REAL, 64, 64, 52, 1023, IEEE},
    [FASTRELU_bfloat16] = {REAL, 16, 16, 7, 127, IEEE},
    [FASTRELU_float8_e3m4] = {REAL, 8, 8, 4, 3, IEEE},
    [FASTRELU_float8_e4m3] = {REAL, 8, 8, 3, 7, IEEE},
    [FASTRELU_float8_e4m3fn] = {REAL, 8, 8, 3, 7, ONE_NAN},
    [FASTRELU_float8_e5m2] = {REAL, 8, 8, 2, 15, IEEE},
    [FASTRELU_float8_e4m3b11fnuz] = {REAL, 8, 8, 3, 11, NAN_AT_ZERO},
    [FASTRELU_float8_e4m3fnuz] = {REAL, 8, 8, 3, 8, NAN_AT_ZERO},
    [FASTRELU_float8_e5m2fnuz] = {REAL, 8, 8, 2, 16, NAN_AT_ZERO},
    [FASTRELU_float8_e8m0fnu] = {REAL, 8, 8, 0, 127, POWERS_OF_TWO},
    [FASTRELU_float6_e2m3fn] = {REAL, 8, 6, 3, 1, ALL_FINITE},
    [FASTRELU_float6_e3m2fn] = {REAL, 8, 6, 2, 3, ALL_FINITE},
    [FASTRELU_float4_e2m1fn] = {REAL, 8, 4, 1, 1, ALL_FINITE},
    [FASTRELU_int4] = {SIGNED, 8, 4, 0, 0, IEEE},
    [FASTRELU_int2] = {SIGNED, 8, 2, 0, 0, IEEE},
    [FASTRELU_int1] = {SIGNED, 8, 1, 0, 0, IEEE},
    [FASTRELU_uint4] = {UNSIGNED, 8, 4, 0, 0, IEEE},
    [FASTRELU_uint2] = {UNSIGNED, 8, 2, 0, 0, IEEE},
    [FASTRELU_uint1] = {UNSIGNED, 8, 1, 0, 0, IEEE},
};

struct number {
    enum kind kind;
    int64_t integer;
    uint64_t natural;
    double real;
};

static uint64_t lowest(int bits) { return bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1; }

static double decode_float(const struct format *format, uint64_t bits)
{
    const int sign_at = format->specials == POWERS_OF_TWO ? format->bits : format->bits - 1;
    const int exponent_bits = sign_at - format->mantissa;
    const int negative = (int)(bits >> sign_at & 1);
    const uint64_t magnitude = bits & lowest(sign_at);
    const int exponent = (int)(magnitude >> format->mantissa);
    const uint64_t mantissa = magnitude & lowest(format->mantissa);
    double value;

    if (format->specials == POWERS_OF_TWO)
        return bits == 0xFF ? NAN : ldexp(1, exponent - format->bias);
    if (format->specials == NAN_AT_ZERO && negative && magnitude == 0)
        return NAN;
    if (format->specials == ONE_NAN && magnitude == lowest(sign_at))
        return NAN;
    if (format->specials == IEEE && (uint64_t)exponent == lowest(exponent_bits))
        value = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp((double)mantissa, 1 - format->bias - format->mantissa);
    else
        value = ldexp((double)(mantissa + ((uint64_t)1 << format->mantissa)),
                      exponent - format->bias - format->mantissa);
    return negative ? -value : value;
}

static struct number decode(int dtype, uint64_t bits)
{
    const struct format *format = &formats[dtype];
    struct number number = {format->kind, 0, 0, 0};

    bits &= lowest(format->bits);
    if (format->kind == REAL)
        number.real = decode_float(format, bits);
    else if (format->kind == UNSIGNED)
        number.natural = bits;
    else
        number.integer = bits >> (format->bits - 1) & 1
                             ? -(int64_t)(lowest(format->bits) - bits) - 1
                             : (int64_t)bits;
    return number;
}

static int less(struct number a, struct number b)
{
    return a.kind == REAL     ? a.real < b.real
           : a.kind == SIGNED ? a.integer < b.integer
                              : a.natural < b.natural;
}

static int equal(struct number a, struct number b)
{
    return a.kind == REAL     ? a.real == b.real
           : a.kind == SIGNED ? a.integer == b.integer
                              : a.natural == b.natural;
}

static struct number zero_like(struct number a)
{
    a.integer = 0, a.natural = 0, a.real = 0;
    return a;
}

static int below_zero(int dtype, uint64_t x)
{
    const struct number number = decode(dtype, x);
    return less(number, zero_like(number));
}

static int is_zero(int dtype, uint64_t x)
{
    const struct number number = decode(dtype, x);
    return equal(number, zero_like(number));
}

int is_nan(int dtype, uint64_t x)
{
    const struct number number = decode(dtype, x);
    return number.kind == REAL && isnan(number.real);
}

int width_of(int dtype) { return formats[dtype].width; }

int is_float(int dtype) { return formats[dtype].kind == REAL && formats[dtype].width > 8; }

int exponent_bits(int dtype)
{
    return is_float(dtype) ? formats[dtype].width - 1 - formats[dtype].mantissa : 0;
}

double float_of(int dtype, uint64_t x) { return decode(dtype, x).real; }

int64_t integer_of(int dtype, uint64_t x)
{
    const struct number number = decode(dtype, x);
    return number.kind == SIGNED ? number.integer : (int64_t)number.natural;
}

uint64_t rectify(int dtype, uint64_t x) { return below_zero(dtype, x) ? 0 : x; }

int gradient_passes(int dtype, uint64_t x, int at_zero)
{
    return !below_zero(dtype, x) && (at_zero || !is_zero(dtype, x));
}

uint8_t raised_flags(void)
{
    const int raised = fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW);
    return (uint8_t)((raised & FE_INVALID ? INVALID : 0) | (raised & FE_DIVBYZERO ? DIVBYZERO : 0) |
                     (raised & FE_OVERFLOW ? OVERFLOWS : 0) |
                     (raised & FE_UNDERFLOW ? UNDERFLOWS : 0));
}

#define APPLY(type, symbol, a, b)                                  \
    {                                                              \
        volatile type x, y, z;                                     \
        memcpy((void *)&x, &(a), sizeof x);                        \
        memcpy((void *)&y, &(b), sizeof y);                        \
        feclearexcept(FE_ALL_EXCEPT);                              \
        z = symbol == '+' ? x + y : symbol == '-' ? x - y : x * y; \
        outcome->flags |= raised_flags();                          \
        memcpy(&(a), (const void *)&z, sizeof z);                  \
    }

/* float16 as double, exactly; a NaN keeps its sign, its payload, and whether it signals. */
static uint64_t widen_half(uint64_t half)
{
    const double value = decode_float(&formats[FASTRELU_f16], half);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? (half & 0x8000) << 48 | (uint64_t)0x7FF << 52 | (half & 0x3FF) << 42
                        : bits;
}

static uint64_t round_to_half(uint64_t bits, struct outcome *outcome)
{
    const uint64_t sign = bits >> 48 & 0x8000;
    double value, units;
    int exponent;

    memcpy(&value, &bits, sizeof value);
    value = fabs(value);
    if (isnan(value))
        return sign | 0x7E00 | (bits >> 42 & 0x3FF);
    if (isinf(value) || value == 0)
        return sign | (value == 0 ? 0 : 0x7C00);
    frexp(value, &exponent);
    exponent = exponent - 1 < -14 ? -14 : exponent - 1;
    units = nearbyint(ldexp(value, 10 - exponent));
    if (ldexp(units, exponent - 10) > 65504) {
        outcome->flags |= OVERFLOWS;
        return sign | 0x7C00;
    }
    if (value < 0x1p-14 && ldexp(units, exponent - 10) != value) {
        /* Some machines look before they round, some after. */
        if (value < 0x1p-14 - 0x1p-26)
            outcome->flags |= UNDERFLOWS;
        else
            outcome->open_flags |= UNDERFLOWS;
    }
    return sign | (((uint64_t)(exponent + 14) << 10) + (uint64_t)units);
}

uint64_t apply_arithmetic(int dtype, char symbol, uint64_t a, uint64_t b, struct outcome *outcome)
{
    if (is_nan(dtype, a) && is_nan(dtype, b))
        outcome->any_nan = 1;
    if (dtype == FASTRELU_f64) {
        APPLY(double, symbol, a, b)
        return a;
    }
    if (dtype == FASTRELU_f32) {
        uint32_t first = (uint32_t)a, second = (uint32_t)b;
        APPLY(float, symbol, first, second)
        return first;
    }
    if (dtype == FASTRELU_f16) {
        a = widen_half(a), b = widen_half(b);
        APPLY(double, symbol, a, b)
        return round_to_half(a, outcome);
    }
    return (symbol == '+' ? a + b : symbol == '-' ? a - b : a * b) & lowest(formats[dtype].width);
}

/* NumPy's float with that value: 1 and -1. */
static uint64_t sign_of(int dtype, uint64_t x)
{
    const struct format *format = &formats[dtype];
    const uint64_t one = (uint64_t)format->bias << format->mantissa;
    return is_zero(dtype, x) ? 0 : (x >> (format->bits - 1) << (format->bits - 1)) | one;
}

static uint64_t select_less(int dtype, uint64_t x, uint64_t bound)
{
    if (is_nan(dtype, x))
        return x;
    if (is_nan(dtype, bound))
        return bound;
    return less(decode(dtype, bound), decode(dtype, x)) ? bound : x;
}

int apply_operation(int operation, int dtype, const uint64_t inputs[], struct outcome *outcome)
{
    const uint64_t a = inputs[0], b = inputs[1], c = inputs[2];
    const struct format *format = &formats[dtype];
    struct number magnitude;
    uint64_t y = 0;

    *outcome = (struct outcome){0, 0, 0, 0};
    switch (operation) {
    case FASTRELU_relu:
        y = rectify(dtype, a);
        break;
    case FASTRELU_relu_backward:
        y = gradient_passes(dtype, b, 0) ? a : 0;
        break;
    case FASTRELU_add_relu:
        y = rectify(dtype, apply_arithmetic(dtype, '+', a, b, outcome));
        break;
    case FASTRELU_subtract_relu:
        y = rectify(dtype, apply_arithmetic(dtype, '-', a, b, outcome));
        break;
    case FASTRELU_leaky_relu:
        y = below_zero(dtype, a) ? apply_arithmetic(dtype, '*', a, b, outcome) : a;
        break;
    case FASTRELU_leaky_relu_backward:
        y = gradient_passes(dtype, b, 0) ? a : apply_arithmetic(dtype, '*', a, c, outcome);
        break;
    case FASTRELU_clipped_relu:
        y = select_less(dtype, rectify(dtype, a), b);
        break;
    case FASTRELU_clipped_relu_backward:
        y = is_nan(dtype, b) ||
                    (gradient_passes(dtype, b, 0) && less(decode(dtype, b), decode(dtype, c)))
                ? a
                : 0;
        break;
    case FASTRELU_soft_threshold:
        y = apply_arithmetic(dtype, '-', a & lowest(format->bits - 1), b, outcome);
        y = apply_arithmetic(dtype, '*', sign_of(dtype, a), rectify(dtype, y), outcome);
        if (is_nan(dtype, a))
            y = a, outcome->any_nan = 0;
        break;
    case FASTRELU_soft_threshold_backward:
        magnitude = decode(dtype, b);
        magnitude.real = fabs(magnitude.real);
        y = less(magnitude, decode(dtype, c)) || equal(magnitude, decode(dtype, c)) ? 0 : a;
        break;
    default:
        return 0;
    }
    outcome->bits = y;
    return 1;
}
