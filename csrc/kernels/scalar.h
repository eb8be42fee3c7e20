/* The vector API for a single lane, in plain C: tails, strided operands and the scalar set. */

#ifndef FASTRELU_SCALAR_H
#define FASTRELU_SCALAR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/compiler.h"
#include "kernels/half.h"

#define SCALAR_PRIMITIVES(S, W)                                                                 \
    typedef int##W##_t S##W;                                                                    \
    typedef int S##_mask##W;                                                                    \
    INLINE S##W S##_load##W(const char *p)                                                      \
    {                                                                                           \
        S##W a;                                                                                 \
        memcpy(&a, p, sizeof a);                                                                \
        return a;                                                                               \
    }                                                                                           \
    INLINE void S##_store##W(char *p, S##W a) { memcpy(p, &a, sizeof a); }                      \
    INLINE S##W S##_load_strided##W(const char *p, ptrdiff_t step)                              \
    {                                                                                           \
        return (void)step, S##_load##W(p);                                                      \
    }                                                                                           \
    INLINE void S##_store_strided##W(char *p, ptrdiff_t step, S##W a)                           \
    {                                                                                           \
        (void)step, S##_store##W(p, a);                                                         \
    }                                                                                           \
    INLINE S##W S##_set1##W(int##W##_t a) { return a; }                                         \
    INLINE S##W S##_add##W(S##W a, S##W b) { return (S##W)((uint##W##_t)a + (uint##W##_t)b); }  \
    INLINE S##W S##_sub##W(S##W a, S##W b) { return (S##W)((uint##W##_t)a - (uint##W##_t)b); }  \
    INLINE S##W S##_and##W(S##W a, S##W b) { return a & b; }                                    \
    INLINE S##W S##_maximum##W(S##W a, S##W b) { return a > b ? a : b; }                        \
    INLINE S##_mask##W S##_all_true##W(void) { return 1; }                                      \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return a > b; }                         \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a) { return mask & (a != 0); } \
    INLINE S##_mask##W S##_both##W(S##_mask##W a, S##_mask##W b) { return a & b; }              \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a) { return mask ? a : 0; }                 \
    INLINE S##W S##_zero_where##W(S##_mask##W mask, S##W a) { return mask ? 0 : a; }            \
    INLINE S##W S##_select##W(S##_mask##W mask, S##W a, S##W b) { return mask ? a : b; }        \
    INLINE uint64_t S##_zero_bits##W(const S##W a[])                                            \
    {                                                                                           \
        uint64_t bits = 0;                                                                      \
        for (int i = 0; i < W / 8; i++)                                                         \
            bits |= (uint64_t)(a[i] == 0) << i;                                                 \
        return bits;                                                                            \
    }                                                                                           \
    INLINE S##_mask##W S##_from_bits##W(uint64_t bits) { return bits & 1; }

#define SCALAR_FLOAT_OPERATION(S, W, name, operator, type) \
    INLINE S##W S##_##name##_float##W(S##W a, S##W b)      \
    {                                                      \
        type x, y;                                         \
        memcpy(&x, &a, sizeof x);                          \
        memcpy(&y, &b, sizeof y);                          \
        COMPUTE(name, operator, type, x, y);               \
        memcpy(&a, &x, sizeof a);                          \
        return a;                                          \
    }

#define SCALAR_ZERO_BELOW_ZERO(S, W, type)     \
    INLINE S##W S##_zero_below_zero##W(S##W a) \
    {                                          \
        type x;                                \
        memcpy(&x, &a, sizeof x);              \
        return isless(x, 0) ? 0 : a;           \
    }

#define SCALAR_HALF_OPERATION(S, name, operator)             \
    INLINE S##16 S##_##name##_float16(S##16 a, S##16 b)      \
    {                                                        \
        float x = half_to_float(a);                          \
        COMPUTE(name, operator, float, x, half_to_float(b)); \
        return float_to_half(x);                             \
    }

#define MUL_UNLESS(S, W)                                                              \
    INLINE S##W S##_mul_unless_float##W(S##_mask##W mask, S##W other, S##W a, S##W b) \
    {                                                                                 \
        const S##W product =                                                          \
            S##_mul_float##W(S##_zero_where##W(mask, a), S##_zero_where##W(mask, b)); \
        return S##_select##W(mask, other, product);                                   \
    }

#define SCALAR_REGISTER(S)                        \
    SCALAR_PRIMITIVES(S, 8)                       \
    SCALAR_PRIMITIVES(S, 16)                      \
    SCALAR_PRIMITIVES(S, 32)                      \
    SCALAR_PRIMITIVES(S, 64)                      \
    SCALAR_HALF_OPERATION(S, add, +)              \
    SCALAR_HALF_OPERATION(S, sub, -)              \
    SCALAR_FLOAT_OPERATION(S, 32, add, +, float)  \
    SCALAR_FLOAT_OPERATION(S, 32, sub, -, float)  \
    SCALAR_FLOAT_OPERATION(S, 64, add, +, double) \
    SCALAR_FLOAT_OPERATION(S, 64, sub, -, double) \
    SCALAR_HALF_OPERATION(S, mul, *)              \
    SCALAR_ZERO_BELOW_ZERO(S, 32, float)          \
    SCALAR_ZERO_BELOW_ZERO(S, 64, double)         \
    SCALAR_FLOAT_OPERATION(S, 32, mul, *, float)  \
    SCALAR_FLOAT_OPERATION(S, 64, mul, *, double) \
    SCALAR_FLOAT_OPERATION(S, 64, div, /, double) \
    MUL_UNLESS(S, 16)                             \
    MUL_UNLESS(S, 32)                             \
    MUL_UNLESS(S, 64)

SCALAR_REGISTER(scalar)

/* LOAD4(W, p, step): 4 elements, one at each step; the initializer of a vector. */
#define LOAD2(W, p, step) scalar_load##W(p), scalar_load##W((p) + (step))
#define LOAD4(W, p, step) LOAD2(W, p, step), LOAD2(W, (p) + 2 * (step), step)
#define LOAD8(W, p, step) LOAD4(W, p, step), LOAD4(W, (p) + 4 * (step), step)
#define LOAD16(W, p, step) LOAD8(W, p, step), LOAD8(W, (p) + 8 * (step), step)
#define LOAD32(W, p, step) LOAD16(W, p, step), LOAD16(W, (p) + 16 * (step), step)

/* STORE4(W, p, step, a, i): the lanes from a[i] on, one to each step. */
#define STORE2(W, p, step, a, i) \
    scalar_store##W(p, (a)[i]), scalar_store##W((p) + (step), (a)[(i) + 1])
#define STORE4(W, p, step, a, i) \
    STORE2(W, p, step, a, i), STORE2(W, (p) + 2 * (step), step, a, (i) + 2)
#define STORE8(W, p, step, a, i) \
    STORE4(W, p, step, a, i), STORE4(W, (p) + 4 * (step), step, a, (i) + 4)
#define STORE16(W, p, step, a, i) \
    STORE8(W, p, step, a, i), STORE8(W, (p) + 8 * (step), step, a, (i) + 8)
#define STORE32(W, p, step, a, i) \
    STORE16(W, p, step, a, i), STORE16(W, (p) + 16 * (step), step, a, (i) + 16)

#define COUNT_IF_OF_LANE(S, W) \
    INLINE S##W S##_count_if##W(S##W a, S##_mask##W mask) { return (S##W)(a + mask); }
#define COUNT_IF_BY_LANES(S) \
    COUNT_IF_OF_LANE(S, 8)   \
    COUNT_IF_OF_LANE(S, 16)  \
    COUNT_IF_OF_LANE(S, 32)  \
    COUNT_IF_OF_LANE(S, 64)
COUNT_IF_BY_LANES(scalar)

/* Registers of floats as double and of integers as int64 (reductions.inc), lane by lane. */
#define WIDEN_BY_LANES(S, name, W, type, wide_type, read) \
    INLINE void S##_##name##W(S##W a, S##64 wide[])       \
    {                                                     \
        enum { lanes = sizeof a / (W / 8) };              \
        type x[lanes];                                    \
        wide_type y[lanes];                               \
        memcpy(x, &a, sizeof x);                          \
        for (int i = 0; i < lanes; i++)                   \
            y[i] = read(x[i]);                            \
        memcpy(wide, y, sizeof y);                        \
    }
#define INTEGERS_BY_LANES(S)                                               \
    WIDEN_BY_LANES(S, integers_signed, 8, int8_t, int64_t, (int64_t))      \
    WIDEN_BY_LANES(S, integers_signed, 16, int16_t, int64_t, (int64_t))    \
    WIDEN_BY_LANES(S, integers_signed, 32, int32_t, int64_t, (int64_t))    \
    WIDEN_BY_LANES(S, integers_unsigned, 8, uint8_t, int64_t, (int64_t))   \
    WIDEN_BY_LANES(S, integers_unsigned, 16, uint16_t, int64_t, (int64_t)) \
    WIDEN_BY_LANES(S, integers_unsigned, 32, uint32_t, int64_t, (int64_t))

#endif
