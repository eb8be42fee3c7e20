/* SSE2: every x86-64 has it. Registers of 16 bytes; a mask is all ones in its lanes. */

#if defined(__x86_64__)

#include "../fastrelu.h"
#include "../lanes.h"
#include "../target.h"

#include <emmintrin.h>

static int runs_here(void) { return 1; }

TARGET_BEGIN("sse2")

/* SSE2 compares no 64-bit lanes: they are equal when both halves are, */
WORD __m128i equal64(__m128i a, __m128i b)
{
    const __m128i halves = _mm_cmpeq_epi32(a, b);
    return _mm_and_si128(halves, _mm_shuffle_epi32(halves, _MM_SHUFFLE(2, 3, 0, 1)));
}

/* and greater when the high half is, or is equal and b - a borrows from it. */
WORD __m128i greater64(__m128i a, __m128i b)
{
    const __m128i borrow = _mm_and_si128(_mm_cmpeq_epi32(a, b), _mm_sub_epi64(b, a));
    const __m128i high = _mm_or_si128(_mm_cmpgt_epi32(a, b), borrow);
    return _mm_shuffle_epi32(high, _MM_SHUFFLE(3, 3, 1, 1));
}

#define WORDS(S, W, N, SPREAD, EQUAL, GREATER)                                           \
    typedef __m128i S##W, S##_mask##W;                                                   \
    typedef int##W##_t S##_lanes##W __attribute__((vector_size(16)));                    \
    WORD S##W S##_load##W(const char *p) { return _mm_loadu_si128((const __m128i *)p); } \
    WORD void S##_store##W(char *p, S##W a) { _mm_storeu_si128((__m128i *)p, a); }       \
    WORD S##W S##_gather##W(const char *p, ptrdiff_t step)                               \
    {                                                                                    \
        return (S##W)(S##_lanes##W){GATHER##N(W, p, step)};                              \
    }                                                                                    \
    WORD void S##_scatter##W(char *p, ptrdiff_t step, S##W a)                            \
    {                                                                                    \
        const S##_lanes##W lanes = (S##_lanes##W)a;                                      \
        SCATTER##N(W, p, step, lanes, 0);                                                \
    }                                                                                    \
    WORD S##W S##_spread##W(int##W##_t a) { return SPREAD(a); }                          \
    WORD S##W S##_minus##W(S##W a, S##W b) { return _mm_sub_epi##W(a, b); }              \
    WORD S##_mask##W S##_everywhere##W(void) { return _mm_set1_epi8(-1); }               \
    WORD S##_mask##W S##_greater##W(S##W a, S##W b) { return GREATER(a, b); }            \
    WORD S##_mask##W S##_unless_zero##W(S##_mask##W mask, S##W a)                        \
    {                                                                                    \
        return _mm_andnot_si128(EQUAL(a, _mm_setzero_si128()), mask);                    \
    }                                                                                    \
    WORD S##W S##_keep##W(S##_mask##W mask, S##W a) { return _mm_and_si128(mask, a); }

#define REGISTER(S)                                                   \
    WORDS(S, 8, 16, _mm_set1_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8)    \
    WORDS(S, 16, 8, _mm_set1_epi16, _mm_cmpeq_epi16, _mm_cmpgt_epi16) \
    WORDS(S, 32, 4, _mm_set1_epi32, _mm_cmpeq_epi32, _mm_cmpgt_epi32) \
    WORDS(S, 64, 2, _mm_set1_epi64x, equal64, greater64)

REGISTER(vec)
REGISTER(strided)

#include "../kernels.inc"

TARGET_END

KERNEL_TABLE(sse2);

#endif
