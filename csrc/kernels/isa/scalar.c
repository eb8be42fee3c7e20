/* Plain C: one lane at a time. The yardstick, and what runs on every other machine. */

#include "kernels/kernels.h"
#include "kernels/scalar.h"
#include "kernels/compiler.h"

static int runs_here(void) { return 1; }

#define WORDS(S, W)                                                                                \
    typedef lane##W S##W;                                                                          \
    typedef lane_mask##W S##_mask##W;                                                              \
    WORD S##W S##_load##W(const char *p) { return lane_load##W(p); }                               \
    WORD void S##_store##W(char *p, S##W a) { lane_store##W(p, a); }                               \
    WORD S##W S##_gather##W(const char *p, ptrdiff_t step) { return (void)step, lane_load##W(p); } \
    WORD void S##_scatter##W(char *p, ptrdiff_t step, S##W a) { (void)step, lane_store##W(p, a); } \
    WORD S##W S##_spread##W(int##W##_t a) { return lane_spread##W(a); }                            \
    WORD S##W S##_minus##W(S##W a, S##W b) { return lane_minus##W(a, b); }                         \
    WORD S##_mask##W S##_everywhere##W(void) { return lane_everywhere##W(); }                      \
    WORD S##_mask##W S##_greater##W(S##W a, S##W b) { return lane_greater##W(a, b); }              \
    WORD S##_mask##W S##_unless_zero##W(S##_mask##W mask, S##W a)                                  \
    {                                                                                              \
        return lane_unless_zero##W(mask, a);                                                       \
    }                                                                                              \
    WORD S##W S##_keep##W(S##_mask##W mask, S##W a) { return lane_keep##W(mask, a); }              \
    WORD void S##_stream##W(char *p, S##W a) { lane_store##W(p, a); }                              \
    WORD uint64_t S##_bits##W(S##_mask##W mask) { return lane_bits##W(mask); }                     \
    WORD S##_mask##W S##_from_bits##W(uint64_t bits) { return lane_from_bits##W(bits); }

WORD void vec_fence(void) {}

#define REGISTER(S) \
    WORDS(S, 8)     \
    WORDS(S, 16)    \
    WORDS(S, 32)    \
    WORDS(S, 64)

REGISTER(vec)
REGISTER(strided)

#include "kernels/kernels.inc"

KERNEL_TABLE(scalar);
