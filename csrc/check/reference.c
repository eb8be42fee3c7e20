#include "check/reference.h"

#include <math.h>
#include <string.h>

#include "kernels/fpstatus.h"

typedef struct fastrelu_elements elements;

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float widen_half(uint32_t half)
{
    const uint32_t sign = half >> 15 << 31, exponent = half >> 10 & 31, fraction = half & 0x3FF;
    if (exponent == 31)
        return from_bits(sign | 0x7F800000 | fraction << 13);
    const float unit = (float)(1u << (exponent ? exponent : 1)) * 0x1p-25f;
    const float magnitude = (float)(exponent ? fraction + 1024 : fraction) * unit;
    return sign ? -magnitude : magnitude;
}

/* To the nearest; of two the even one. */
static uint32_t round_to_half(float value, struct fastrelu_expected *expected)
{
    const uint32_t sign = to_bits(value) >> 31 << 15;
    const float magnitude = fabsf(value);

    if (isnan(value))
        return sign | 0x7E00 | (to_bits(value) >> 13 & 0x3FF);
    if (isinf(value))
        return sign | 0x7C00;
    const int exponent = magnitude < 0x1p-14f ? -14 : (int)(to_bits(magnitude) >> 23) - 127;
    const float unit = from_bits((uint32_t)(exponent - 10 + 127) << 23);
    float units = magnitude / unit;
    units += 0x1p23f; /* by steps: s390x computes an expression in double */
    units -= 0x1p23f;
    if (units * unit > 65504) {
        expected->flags |= FASTRELU_OVERFLOW;
        return sign | 0x7C00;
    }
    if (magnitude < 0x1p-14f && units * unit != magnitude) {
        /* Some machines look before they round, some after. */
        if (magnitude < 0x1p-14f - 0x1p-26f)
            expected->flags |= FASTRELU_UNDERFLOW;
        else
            expected->open_flags |= FASTRELU_UNDERFLOW;
    }
    return sign | (((uint32_t)(exponent + 14) << 10) + (uint32_t)units);
}

int fastrelu_decode(int dtype, elements *x, size_t n)
{
    if (dtype == FASTRELU_f32)
        memcpy(x->value, x->bits, n * sizeof x->value[0]);
    else if (dtype == FASTRELU_f16)
        for (size_t i = 0; i < n; i++)
            x->value[i] = widen_half(x->bits[i]);
    else if (dtype == FASTRELU_bfloat16)
        for (size_t i = 0; i < n; i++)
            x->value[i] = from_bits(x->bits[i] << 16);
    else
        return 0;
    return 1;
}

/* Comparisons raise flags that no operation has. So the arithmetic is done apart, between barriers,
   and the flags are those that it leaves. */
#define BARRIER __asm__ volatile("" : : : "memory")
#define ARITHMETIC(name, symbol)                                                                \
    static __attribute__((noinline)) int name(const float a[], const float b[], float result[], \
                                              size_t n)                                         \
    {                                                                                           \
        fastrelu_clear_fpstatus();                                                              \
        BARRIER;                                                                                \
        for (size_t i = 0; i < n; i++)                                                          \
            result[i] = a[i] symbol b[i];                                                       \
        BARRIER;                                                                                \
        return fastrelu_get_fpstatus();                                                         \
    }
ARITHMETIC(add, +)
ARITHMETIC(subtract, -)
ARITHMETIC(multiply, *)

/* One rounding: that of a float32, or to float16 of an exact sum or product. */
static void compute(int (*arithmetic)(const float[], const float[], float[], size_t), int dtype,
                    const float a[], const float b[], struct fastrelu_expected *expected, size_t n)
{
    elements *const result = &expected->result;
    expected->flags |= arithmetic(a, b, result->value, n);
    for (size_t i = 0; i < n; i++)
        expected->any_nan[i] = isnan(a[i]) && isnan(b[i]);
    if (dtype == FASTRELU_f16) {
        for (size_t i = 0; i < n; i++)
            result->bits[i] = round_to_half(result->value[i], expected);
        fastrelu_decode(dtype, result, n);
    } else
        memcpy(result->bits, result->value, n * sizeof result->bits[0]);
}

int fastrelu_expect_bit(float x, int at_zero) { return at_zero ? !(x < 0) : !(x <= 0); }

int fastrelu_expect(int operation, int dtype, const elements inputs[], size_t n,
                    struct fastrelu_expected *expected)
{
    const elements *const a = inputs, *const b = inputs + 1, *const c = inputs + 2;
    uint32_t *const y = expected->bits;
    float *const left = expected->left, *const right = expected->right;
    elements *const result = &expected->result;

    expected->flags = expected->open_flags = 0;
    memset(expected->any_nan, 0, n);
#define EACH(statement)              \
    for (size_t i = 0; i < n; i++) { \
        statement;                   \
    }
    switch (operation) {
    case FASTRELU_relu:
        EACH(y[i] = a->value[i] < 0 ? 0 : a->bits[i])
        return 1;
    case FASTRELU_relu_backward:
        EACH(y[i] = b->value[i] <= 0 ? 0 : a->bits[i])
        return 1;
    case FASTRELU_add_relu:
    case FASTRELU_subtract_relu:
        compute(operation == FASTRELU_add_relu ? add : subtract, dtype, a->value, b->value,
                expected, n);
        EACH(y[i] = result->value[i] < 0 ? 0 : result->bits[i])
        return 1;
    case FASTRELU_leaky_relu:
        EACH(left[i] = a->value[i] < 0 ? a->value[i] : 1)
        EACH(right[i] = a->value[i] < 0 ? b->value[i] : 1)
        compute(multiply, dtype, left, right, expected, n);
        EACH(y[i] = a->value[i] < 0 ? result->bits[i] : a->bits[i])
        return 1;
    case FASTRELU_leaky_relu_backward:
        EACH(left[i] = b->value[i] <= 0 ? a->value[i] : 1)
        EACH(right[i] = b->value[i] <= 0 ? c->value[i] : 1)
        compute(multiply, dtype, left, right, expected, n);
        EACH(y[i] = b->value[i] <= 0 ? result->bits[i] : a->bits[i])
        return 1;
    case FASTRELU_clipped_relu:
        EACH(y[i] = isnan(a->value[i])                             ? a->bits[i]
                    : isnan(b->value[i])                           ? b->bits[i]
                    : a->value[i] > b->value[i] || b->value[i] < 0 ? b->bits[i]
                    : a->value[i] < 0                              ? 0
                                                                   : a->bits[i])
        return 1;
    case FASTRELU_clipped_relu_backward:
        EACH(y[i] = isnan(b->value[i]) || (b->value[i] > 0 && b->value[i] < c->value[i])
                        ? a->bits[i]
                        : 0)
        return 1;
    case FASTRELU_soft_threshold:
        EACH(left[i] = fabsf(a->value[i]))
        compute(subtract, dtype, left, b->value, expected, n);
        EACH(left[i] = result->value[i] < 0 ? 0 : result->value[i])
        EACH(right[i] = a->value[i] > 0 ? 1 : a->value[i] < 0 ? -1 : 0)
        compute(multiply, dtype, left, right, expected, n);
        EACH(y[i] = isnan(a->value[i]) ? a->bits[i] : result->bits[i])
        return 1;
    case FASTRELU_soft_threshold_backward:
        EACH(y[i] = fabsf(b->value[i]) <= c->value[i] ? 0 : a->bits[i])
        return 1;
    default:
        return 0;
    }
#undef EACH
}
