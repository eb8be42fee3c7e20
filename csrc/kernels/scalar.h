/* The words of kernels.inc for a single lane, in plain C: tails, strided runs and the scalar set.
 */

#ifndef FASTRELU_LANES_H
#define FASTRELU_LANES_H

#include <stdint.h>
#include <string.h>

#include "kernels/compiler.h"

#define LANE_WORDS(W)                                                                \
    typedef int##W##_t lane##W;                                                      \
    typedef int lane_mask##W;                                                        \
    WORD lane##W lane_load##W(const char *p)                                         \
    {                                                                                \
        lane##W a;                                                                   \
        memcpy(&a, p, sizeof a);                                                     \
        return a;                                                                    \
    }                                                                                \
    WORD void lane_store##W(char *p, lane##W a) { memcpy(p, &a, sizeof a); }         \
    WORD lane##W lane_spread##W(int##W##_t a) { return a; }                          \
    WORD lane##W lane_minus##W(lane##W a, lane##W b)                                 \
    {                                                                                \
        return (lane##W)((uint##W##_t)a - (uint##W##_t)b);                           \
    }                                                                                \
    WORD lane_mask##W lane_everywhere##W(void) { return 1; }                         \
    WORD lane_mask##W lane_greater##W(lane##W a, lane##W b) { return a > b; }        \
    WORD lane_mask##W lane_unless_zero##W(lane_mask##W mask, lane##W a)              \
    {                                                                                \
        return mask & (a != 0);                                                      \
    }                                                                                \
    WORD lane##W lane_keep##W(lane_mask##W mask, lane##W a) { return mask ? a : 0; } \
    WORD uint64_t lane_bits##W(lane_mask##W mask) { return (uint64_t)mask; }         \
    WORD lane_mask##W lane_from_bits##W(uint64_t bits) { return bits & 1; }

LANE_WORDS(8)
LANE_WORDS(16)
LANE_WORDS(32)
LANE_WORDS(64)
#undef LANE_WORDS

/* GATHER4(W, p, step): what 4 lanes hold, one from each step on; the initializer of a vector. */
#define GATHER2(W, p, step) lane_load##W(p), lane_load##W((p) + (step))
#define GATHER4(W, p, step) GATHER2(W, p, step), GATHER2(W, (p) + 2 * (step), step)
#define GATHER8(W, p, step) GATHER4(W, p, step), GATHER4(W, (p) + 4 * (step), step)
#define GATHER16(W, p, step) GATHER8(W, p, step), GATHER8(W, (p) + 8 * (step), step)
#define GATHER32(W, p, step) GATHER16(W, p, step), GATHER16(W, (p) + 16 * (step), step)

/* SCATTER4(W, p, step, a, i): stores the lanes from a[i] on, one to each step. */
#define SCATTER2(W, p, step, a, i) \
    lane_store##W(p, (a)[i]), lane_store##W((p) + (step), (a)[(i) + 1])
#define SCATTER4(W, p, step, a, i) \
    SCATTER2(W, p, step, a, i), SCATTER2(W, (p) + 2 * (step), step, a, (i) + 2)
#define SCATTER8(W, p, step, a, i) \
    SCATTER4(W, p, step, a, i), SCATTER4(W, (p) + 4 * (step), step, a, (i) + 4)
#define SCATTER16(W, p, step, a, i) \
    SCATTER8(W, p, step, a, i), SCATTER8(W, (p) + 8 * (step), step, a, (i) + 8)
#define SCATTER32(W, p, step, a, i) \
    SCATTER16(W, p, step, a, i), SCATTER16(W, (p) + 16 * (step), step, a, (i) + 16)

#endif
