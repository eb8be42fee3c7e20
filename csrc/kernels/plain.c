/* The loops of the types without kernels. They go one element after another, and read an element
   before they write it, so that any steps and any overlap are right. */

#include "kernels/plain.h"

#include <math.h>
#include <string.h>

#include "kernels/scalar.h"

typedef fastrelu_longdouble longdouble;

#include "kernels/predicates.inc"

PREDICATES(scalar)

/* Predicates of a real number that read its bits, so that no comparison raises a flag. */
#define BIT_PREDICATES(name, W)                                                 \
    INLINE int is_negative_##name(scalar##W a)                                  \
    {                                                                           \
        return !scalar_not_negative_float##W(a, FLOAT_TYPE(MINUS_INF##W));      \
    }                                                                           \
    INLINE int is_zero_##name(scalar##W a) { return (uint##W##_t)a << 1 == 0; } \
    INLINE int is_nan_##name(scalar##W a)                                       \
    {                                                                           \
        return (uint##W##_t)a << 1 > (uint##W##_t)MINUS_INF##W << 1;            \
    }

BIT_PREDICATES(float, 32)
BIT_PREDICATES(double, 64)

#if FASTRELU_LONGDOUBLE_MANT_DIG == 64

/* x87: sign and exponent follow a mantissa whose leading bit is explicit. */

static int is_zero_longdouble(const char *p)
{
    return (scalar_load64(p) | (scalar_load16(p + 8) & 0x7FFF)) == 0;
}

static int is_nan_longdouble(const char *p)
{
    return (scalar_load16(p + 8) & 0x7FFF) == 0x7FFF && (uint64_t)scalar_load64(p) << 1 != 0;
}

static int is_negative_longdouble(const char *p)
{
    return scalar_load16(p + 8) < 0 && !is_zero_longdouble(p) && !is_nan_longdouble(p);
}

#elif FASTRELU_LONGDOUBLE_MANT_DIG == 113

/* IEEE quadruple: the layout of a double, with a wider fraction. */

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

static int is_negative_longdouble(const char *p)
{
    return high_half(p) >> 63 && !is_zero_longdouble(p) && !is_nan_longdouble(p);
}

#else /* a double, or a pair of them with the larger one first */

#define is_negative_longdouble(p) is_negative_double(scalar_load64(p))
#define is_zero_longdouble(p) is_zero_double(scalar_load64(p))
#define is_nan_longdouble(p) is_nan_double(scalar_load64(p))

#endif

/* Complex numbers compare by real, then by imaginary part; a NaN in either passes. */
#define IS_NEGATIVE_COMPLEX(part, re, im) \
    (is_negative_##part(is_zero_##part(re) ? im : re) & !is_nan_##part(im))

/* Each stores relu of one element, whose value may lie where the output does. */

static inline void relu_of_longdouble(const char *x, char *out)
{
    if (is_negative_longdouble(x))
        memset(out, 0, sizeof(longdouble));
    else
        memmove(out, x, sizeof(longdouble));
}

/* Without branches: the signs of real data are not to be guessed. */
static inline void relu_of_cfloat(const char *x, char *out)
{
    const scalar32 re = scalar_load32(x), im = scalar_load32(x + 4);
    const scalar_mask64 passes = !IS_NEGATIVE_COMPLEX(float, re, im);
    scalar_store64(out, scalar_maskz64(passes, scalar_load64(x)));
}

static inline void relu_of_cdouble(const char *x, char *out)
{
    const scalar64 re = scalar_load64(x), im = scalar_load64(x + 8);
    const scalar_mask64 passes = !IS_NEGATIVE_COMPLEX(double, re, im);
    scalar_store64(out, scalar_maskz64(passes, re));
    scalar_store64(out + 8, scalar_maskz64(passes, im));
}

static inline void relu_of_clongdouble(const char *x, char *out)
{
    if (IS_NEGATIVE_COMPLEX(longdouble, x, x + sizeof(longdouble)))
        memset(out, 0, 2 * sizeof(longdouble));
    else
        memmove(out, x, 2 * sizeof(longdouble));
}

/* NaT, the least integer, passes: subtracting 1 wraps it round to the greatest. */
static inline void relu_of_timedelta(const char *x, char *out)
{
    const scalar64 a = scalar_load64(x);
    scalar_store64(out, scalar_maskz64(scalar_greater64(scalar_sub64(a, 1), -2), a));
}

#define LOOP_1(name, ...)                                                              \
    static void name(char **args, const intptr_t *dimensions, const intptr_t *steps)   \
    {                                                                                  \
        const char *x = args[0];                                                       \
        char *out = args[1];                                                           \
        for (intptr_t n = dimensions[0]; n > 0; n--, x += steps[0], out += steps[1]) { \
            __VA_ARGS__                                                                \
        }                                                                              \
    }
#define LOOP_2(name, ...)                                                            \
    static void name(char **args, const intptr_t *dimensions, const intptr_t *steps) \
    {                                                                                \
        const char *x = args[0], *y = args[1];                                       \
        char *out = args[2];                                                         \
        for (intptr_t n = dimensions[0]; n > 0;                                      \
             n--, x += steps[0], y += steps[1], out += steps[2]) {                   \
            __VA_ARGS__                                                              \
        }                                                                            \
    }

#define LOOP_3(name, ...)                                                            \
    static void name(char **args, const intptr_t *dimensions, const intptr_t *steps) \
    {                                                                                \
        const char *x = args[0], *y = args[1], *z = args[2];                         \
        char *out = args[3];                                                         \
        for (intptr_t n = dimensions[0]; n > 0;                                      \
             n--, x += steps[0], y += steps[1], z += steps[2], out += steps[3]) {    \
            __VA_ARGS__                                                              \
        }                                                                            \
    }

LOOP_1(relu_longdouble, relu_of_longdouble(x, out);)
LOOP_1(relu_cfloat, relu_of_cfloat(x, out);)
LOOP_1(relu_cdouble, relu_of_cdouble(x, out);)
LOOP_1(relu_clongdouble, relu_of_clongdouble(x, out);)
LOOP_1(relu_timedelta, relu_of_timedelta(x, out);)

LOOP_2(add_relu_bool, const intptr_t either = *x || *y; memcpy(out, &either, sizeof either);)
LOOP_2(clipped_relu_bool, const intptr_t both = *x && *y; memcpy(out, &both, sizeof both);)

static longdouble load_longdouble(const char *p)
{
    longdouble a;
    memcpy(&a, p, sizeof a);
    return a;
}

static void multiply_longdouble(const char *x, const char *y, char *out)
{
    const longdouble product = load_longdouble(x) * load_longdouble(y);
    memcpy(out, &product, sizeof product);
}

static void select_longdouble(int condition, const char *x, char *out)
{
    if (condition)
        memmove(out, x, sizeof(longdouble));
    else
        memset(out, 0, sizeof(longdouble));
}

/* Neither is negative or NaN, or the bound is: no comparison raises a flag. */
static int exceeds_longdouble(const char *x, const char *bound)
{
    return is_negative_longdouble(bound) || is_nan_longdouble(bound) ||
           load_longdouble(x) > load_longdouble(bound);
}

static int is_between_longdouble(const char *x, const char *bound)
{
    return !is_negative_longdouble(x) && !is_zero_longdouble(x) && !is_negative_longdouble(bound) &&
           !is_nan_longdouble(bound) && load_longdouble(x) < load_longdouble(bound);
}

static int is_outside_longdouble(const char *x, const char *bound)
{
    return is_nan_longdouble(x) || is_negative_longdouble(bound) || is_nan_longdouble(bound) ||
           fabsl(load_longdouble(x)) > load_longdouble(bound);
}

static void soft_threshold_of_longdouble(const char *x, const char *threshold, char *out)
{
    const longdouble a = load_longdouble(x);
    if (is_nan_longdouble(x)) {
        memmove(out, x, sizeof a);
        return;
    }
    const longdouble difference = fabsl(a) - load_longdouble(threshold);
    /* Not by a comparison, of which a compiler may make a maximum that raises Invalid for NaN. */
    const longdouble moved = is_negative_longdouble((const char *)&difference) ? 0 : difference;
    const longdouble result = (a > 0 ? 1 : a < 0 ? -1 : 0) * moved;
    memcpy(out, &result, sizeof result);
}

LOOP_2(relu_backward_longdouble,
       select_longdouble(!is_negative_longdouble(y) && !is_zero_longdouble(y), x, out);)
LOOP_2(leaky_relu_longdouble, if (is_negative_longdouble(x)) multiply_longdouble(x, y, out);
       else memmove(out, x, sizeof(longdouble));)
LOOP_3(leaky_relu_backward_longdouble,
       if (is_negative_longdouble(y) || is_zero_longdouble(y)) multiply_longdouble(x, z, out);
       else memmove(out, x, sizeof(longdouble));)
LOOP_2(clipped_relu_longdouble,
       const char *z = is_negative_longdouble(x) ? (const char *)&(longdouble){0} : x;
       memmove(out, !is_nan_longdouble(z) && exceeds_longdouble(z, y) ? y : z, sizeof(longdouble));)
LOOP_3(clipped_relu_backward_longdouble,
       select_longdouble(is_nan_longdouble(y) || is_between_longdouble(y, z), x, out);)
LOOP_2(soft_threshold_longdouble, soft_threshold_of_longdouble(x, y, out);)
LOOP_3(soft_threshold_backward_longdouble, select_longdouble(is_outside_longdouble(y, z), x, out);)

/* relu of a sum or a difference, computed as NumPy does: a complex one by its parts. */
#define ARITHMETIC_LOOP(name, type, part, parts, operator)                         \
    LOOP_2(                                                                        \
        name, part values[parts], others[parts]; memcpy(values, x, sizeof values); \
        memcpy(others, y, sizeof others); for (int i = 0; i < parts; i++) {        \
            KEEP_FIRST_##part(values[i]);                                          \
            values[i] = values[i] operator others[i];                              \
        } relu_of_##type((const char *)values, out);)

/* NaT, if either is. Others wrap. */
#define TIME_LOOP(name, operation)                                                     \
    LOOP_2(name, const scalar64 a = scalar_load64(x), b = scalar_load64(y);            \
           const scalar64 result = scalar_##operation##64(a, b);                       \
           scalar_store64(out, a == INT64_MIN || b == INT64_MIN ? INT64_MIN : result); \
           relu_of_timedelta(out, out);)

#define KEEP_FIRST_float(a) KEEP_FIRST(a)
#define KEEP_FIRST_double(a) KEEP_FIRST(a)
#define KEEP_FIRST_longdouble(a) (void)(a)

#define ARITHMETIC_LOOPS(name, operator)                                    \
    ARITHMETIC_LOOP(name##_longdouble, longdouble, longdouble, 1, operator) \
    ARITHMETIC_LOOP(name##_cfloat, cfloat, float, 2, operator)              \
    ARITHMETIC_LOOP(name##_cdouble, cdouble, double, 2, operator)           \
    ARITHMETIC_LOOP(name##_clongdouble, clongdouble, longdouble, 2, operator)

ARITHMETIC_LOOPS(add_relu, +)
TIME_LOOP(add_relu_timedelta, add)
ARITHMETIC_LOOPS(subtract_relu, -)
TIME_LOOP(subtract_relu_timedelta, sub)

#define PLAIN(operation, types, name, status) \
    {#operation, types, operation##_##name, FASTRELU_##status}

const struct fastrelu_plain fastrelu_plain_loops[] = {
    PLAIN(relu, "gg", longdouble, QUIET),
    PLAIN(relu, "FF", cfloat, QUIET),
    PLAIN(relu, "DD", cdouble, QUIET),
    PLAIN(relu, "GG", clongdouble, QUIET),
    PLAIN(relu, "mm", timedelta, QUIET),
    PLAIN(relu_backward, "ggg", longdouble, QUIET),
    PLAIN(add_relu, "??p", bool, QUIET),
    PLAIN(add_relu, "ggg", longdouble, IEEE),
    PLAIN(add_relu, "FFF", cfloat, IEEE),
    PLAIN(add_relu, "DDD", cdouble, IEEE),
    PLAIN(add_relu, "GGG", clongdouble, IEEE),
    PLAIN(add_relu, "mmm", timedelta, IEEE),
    PLAIN(subtract_relu, "ggg", longdouble, IEEE),
    PLAIN(subtract_relu, "FFF", cfloat, IEEE),
    PLAIN(subtract_relu, "DDD", cdouble, IEEE),
    PLAIN(subtract_relu, "GGG", clongdouble, IEEE),
    PLAIN(subtract_relu, "mmm", timedelta, IEEE),
    PLAIN(subtract_relu, "MMm", timedelta, IEEE),
    PLAIN(leaky_relu, "ggg", longdouble, IEEE),
    PLAIN(leaky_relu_backward, "gggg", longdouble, IEEE),
    PLAIN(clipped_relu, "??p", bool, QUIET),
    PLAIN(clipped_relu, "ggg", longdouble, QUIET),
    PLAIN(clipped_relu_backward, "gggg", longdouble, QUIET),
    PLAIN(soft_threshold, "ggg", longdouble, IEEE),
    PLAIN(soft_threshold_backward, "gggg", longdouble, QUIET),
    {0},
};
