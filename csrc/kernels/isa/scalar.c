/* Plain C: one lane at a time. The yardstick, and what runs on every other machine. */

#include "kernels/kernels.h"
#include "kernels/scalar.h"
#include "kernels/compiler.h"

static int runs_here(void) { return 1; }

#define PRIMITIVES(S, W)                                                                    \
    typedef scalar##W S##W;                                                                 \
    typedef scalar_mask##W S##_mask##W;                                                     \
    INLINE S##W S##_load##W(const char *p) { return scalar_load##W(p); }                    \
    INLINE void S##_store##W(char *p, S##W a) { scalar_store##W(p, a); }                    \
    INLINE S##W S##_load_strided##W(const char *p, ptrdiff_t step)                          \
    {                                                                                       \
        return (void)step, scalar_load##W(p);                                               \
    }                                                                                       \
    INLINE void S##_store_strided##W(char *p, ptrdiff_t step, S##W a)                       \
    {                                                                                       \
        (void)step, scalar_store##W(p, a);                                                  \
    }                                                                                       \
    INLINE S##W S##_set1##W(int##W##_t a) { return scalar_set1##W(a); }                     \
    INLINE S##W S##_sub##W(S##W a, S##W b) { return scalar_sub##W(a, b); }                  \
    INLINE S##_mask##W S##_all_true##W(void) { return scalar_all_true##W(); }               \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return scalar_greater##W(a, b); }   \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a)                         \
    {                                                                                       \
        return scalar_and_nonzero##W(mask, a);                                              \
    }                                                                                       \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a) { return scalar_maskz##W(mask, a); } \
    INLINE void S##_stream##W(char *p, S##W a) { scalar_store##W(p, a); }                   \
    INLINE uint64_t S##_bits##W(S##_mask##W mask) { return scalar_bits##W(mask); }          \
    INLINE S##_mask##W S##_from_bits##W(uint64_t bits) { return scalar_from_bits##W(bits); }

INLINE void vec_fence(void) {}

#define REGISTER(S)   \
    PRIMITIVES(S, 8)  \
    PRIMITIVES(S, 16) \
    PRIMITIVES(S, 32) \
    PRIMITIVES(S, 64)

REGISTER(vec)
REGISTER(gather)

#include "kernels/kernels.inc"

KERNEL_TABLE(scalar);
