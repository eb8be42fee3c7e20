/* The words of kernels.inc for a single lane, in plain C: tails, strided runs and the scalar set.
 */

#ifndef FASTRELU_SCALAR_H
#define FASTRELU_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "kernels/compiler.h"

#define SCALAR_PRIMITIVES(W)                                                                    \
    typedef int##W##_t scalar##W;                                                               \
    typedef int scalar_mask##W;                                                                 \
    INLINE scalar##W scalar_load##W(const char *p)                                              \
    {                                                                                           \
        scalar##W a;                                                                            \
        memcpy(&a, p, sizeof a);                                                                \
        return a;                                                                               \
    }                                                                                           \
    INLINE void scalar_store##W(char *p, scalar##W a) { memcpy(p, &a, sizeof a); }              \
    INLINE scalar##W scalar_set1##W(int##W##_t a) { return a; }                                 \
    INLINE scalar##W scalar_sub##W(scalar##W a, scalar##W b)                                    \
    {                                                                                           \
        return (scalar##W)((uint##W##_t)a - (uint##W##_t)b);                                    \
    }                                                                                           \
    INLINE scalar_mask##W scalar_all_true##W(void) { return 1; }                                \
    INLINE scalar_mask##W scalar_greater##W(scalar##W a, scalar##W b) { return a > b; }         \
    INLINE scalar_mask##W scalar_and_nonzero##W(scalar_mask##W mask, scalar##W a)               \
    {                                                                                           \
        return mask & (a != 0);                                                                 \
    }                                                                                           \
    INLINE scalar##W scalar_maskz##W(scalar_mask##W mask, scalar##W a) { return mask ? a : 0; } \
    INLINE uint64_t scalar_bits##W(scalar_mask##W mask) { return (uint64_t)mask; }              \
    INLINE scalar_mask##W scalar_from_bits##W(uint64_t bits) { return bits & 1; }

SCALAR_PRIMITIVES(8)
SCALAR_PRIMITIVES(16)
SCALAR_PRIMITIVES(32)
SCALAR_PRIMITIVES(64)
#undef SCALAR_PRIMITIVES

/* GATHER4(W, p, step): what 4 lanes hold, one from each step on; the initializer of a vector. */
#define GATHER2(W, p, step) scalar_load##W(p), scalar_load##W((p) + (step))
#define GATHER4(W, p, step) GATHER2(W, p, step), GATHER2(W, (p) + 2 * (step), step)
#define GATHER8(W, p, step) GATHER4(W, p, step), GATHER4(W, (p) + 4 * (step), step)
#define GATHER16(W, p, step) GATHER8(W, p, step), GATHER8(W, (p) + 8 * (step), step)
#define GATHER32(W, p, step) GATHER16(W, p, step), GATHER16(W, (p) + 16 * (step), step)

/* SCATTER4(W, p, step, a, i): stores the lanes from a[i] on, one to each step. */
#define SCATTER2(W, p, step, a, i) \
    scalar_store##W(p, (a)[i]), scalar_store##W((p) + (step), (a)[(i) + 1])
#define SCATTER4(W, p, step, a, i) \
    SCATTER2(W, p, step, a, i), SCATTER2(W, (p) + 2 * (step), step, a, (i) + 2)
#define SCATTER8(W, p, step, a, i) \
    SCATTER4(W, p, step, a, i), SCATTER4(W, (p) + 4 * (step), step, a, (i) + 4)
#define SCATTER16(W, p, step, a, i) \
    SCATTER8(W, p, step, a, i), SCATTER8(W, (p) + 8 * (step), step, a, (i) + 8)
#define SCATTER32(W, p, step, a, i) \
    SCATTER16(W, p, step, a, i), SCATTER16(W, (p) + 16 * (step), step, a, (i) + 16)

#endif
