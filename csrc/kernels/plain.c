/* The loops of the types without kernels: longdouble, complex, timedelta.
   They go one element after another, so any steps and any overlap are right. */

#include "kernels/plain.h"

#include <float.h>

#include "kernels/scalar.h"
#include "runtime/fpstatus.h"

#include "kernels/predicates.inc"

PREDICATES(scalar)

/* Three questions to a real number, read from its bits so that no comparison can raise a flag. */
#define QUESTIONS(name, W)                                                                     \
    INLINE int is_below_##name(scalar##W a) { return !scalar_relu_float##W(a, MINUS_INF##W); } \
    INLINE int is_zero_##name(scalar##W a) { return (uint##W##_t)a << 1 == 0; }                \
    INLINE int is_nan_##name(scalar##W a)                                                      \
    {                                                                                          \
        return (uint##W##_t)a << 1 > (uint##W##_t)MINUS_INF##W << 1;                           \
    }

QUESTIONS(float, 32)
QUESTIONS(double, 64)

#if LDBL_MANT_DIG == 64 /* x87: sign and exponent follow a mantissa whose leading bit is explicit \
                         */

static int is_zero_longdouble(const char *p)
{
    return (scalar_load64(p) | (scalar_load16(p + 8) & 0x7FFF)) == 0;
}

static int is_nan_longdouble(const char *p)
{
    return (scalar_load16(p + 8) & 0x7FFF) == 0x7FFF && (uint64_t)scalar_load64(p) << 1 != 0;
}

static int is_below_longdouble(const char *p)
{
    return scalar_load16(p + 8) < 0 && !is_zero_longdouble(p) && !is_nan_longdouble(p);
}

#elif LDBL_MANT_DIG == 113 /* IEEE quadruple: the layout of a double, with a wider fraction */

static uint64_t high_half(const char *p)
{
    const uint16_t order = 1;
    return (uint64_t)scalar_load64(*(const char *)&order ? p + 8 : p);
}

static int has_low_bits(const char *p)
{
    return ((uint64_t)scalar_load64(p) ^ (uint64_t)scalar_load64(p + 8)) != high_half(p);
}

static int is_zero_longdouble(const char *p) { return high_half(p) << 1 == 0 && !has_low_bits(p); }

static int is_nan_longdouble(const char *p)
{
    const uint64_t magnitude = high_half(p) << 1, inf = 0xFFFE000000000000;
    return magnitude > inf || (magnitude == inf && has_low_bits(p));
}

static int is_below_longdouble(const char *p)
{
    return high_half(p) >> 63 && !is_zero_longdouble(p) && !is_nan_longdouble(p);
}

#else /* a double, or a pair of them with the larger one first */

#define is_below_longdouble(p) is_below_double(scalar_load64(p))
#define is_zero_longdouble(p) is_zero_double(scalar_load64(p))
#define is_nan_longdouble(p) is_nan_double(scalar_load64(p))

#endif

/* Complex numbers compare by real, then by imaginary part; a NaN in either passes. */
#define IS_BELOW_COMPLEX(part, re, im) \
    (is_below_##part(is_zero_##part(re) ? im : re) & !is_nan_##part(im))

#define FOR_EACH_ELEMENT                                    \
    const char *x = args[0];                                \
    char *out = args[1];                                    \
    const ptrdiff_t x_step = steps[0], out_step = steps[1]; \
    (void)data;                                             \
    for (ptrdiff_t n = dimensions[0]; n > 0; n--, x += x_step, out += out_step)

void fastrelu_relu_longdouble(char **args, const intptr_t *dimensions, const intptr_t *steps,
                              void *data)
{
    fastrelu_clear_fpstatus();
    FOR_EACH_ELEMENT
    {
        if (is_below_longdouble(x))
            memset(out, 0, sizeof(long double));
        else
            memmove(out, x, sizeof(long double));
    }
}

void fastrelu_relu_backward_longdouble(char **args, const intptr_t *dimensions,
                                       const intptr_t *steps, void *data)
{
    (void)data;
    fastrelu_clear_fpstatus();
    for (intptr_t i = 0; i < dimensions[0]; i++) {
        const char *x = args[1] + i * steps[1];
        char *out = args[2] + i * steps[2];
        if (is_below_longdouble(x) || is_zero_longdouble(x))
            memset(out, 0, sizeof(long double));
        else
            memmove(out, args[0] + i * steps[0], sizeof(long double));
    }
}

/* Without branches: the signs of real data are not to be guessed. */
void fastrelu_relu_cfloat(char **args, const intptr_t *dimensions, const intptr_t *steps,
                          void *data)
{
    fastrelu_clear_fpstatus();
    FOR_EACH_ELEMENT
    {
        const scalar32 re = scalar_load32(x), im = scalar_load32(x + 4);
        const scalar_mask64 passes = !IS_BELOW_COMPLEX(float, re, im);
        scalar_store64(out, scalar_maskz64(passes, scalar_load64(x)));
    }
}

void fastrelu_relu_cdouble(char **args, const intptr_t *dimensions, const intptr_t *steps,
                           void *data)
{
    fastrelu_clear_fpstatus();
    FOR_EACH_ELEMENT
    {
        const scalar64 re = scalar_load64(x), im = scalar_load64(x + 8);
        const scalar_mask64 passes = !IS_BELOW_COMPLEX(double, re, im);
        scalar_store64(out, scalar_maskz64(passes, re));
        scalar_store64(out + 8, scalar_maskz64(passes, im));
    }
}

void fastrelu_relu_clongdouble(char **args, const intptr_t *dimensions, const intptr_t *steps,
                               void *data)
{
    fastrelu_clear_fpstatus();
    FOR_EACH_ELEMENT
    {
        if (IS_BELOW_COMPLEX(longdouble, x, x + sizeof(long double)))
            memset(out, 0, 2 * sizeof(long double));
        else
            memmove(out, x, 2 * sizeof(long double));
    }
}

/* NaT, the least integer, passes: subtracting 1 wraps it round to the greatest. */
void fastrelu_relu_timedelta(char **args, const intptr_t *dimensions, const intptr_t *steps,
                             void *data)
{
    FOR_EACH_ELEMENT
    {
        const scalar64 a = scalar_load64(x);
        scalar_store64(out, scalar_maskz64(scalar_greater64(scalar_sub64(a, 1), -2), a));
    }
}
