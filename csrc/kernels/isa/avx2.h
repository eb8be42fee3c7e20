/* The words of AVX2: registers of 32 bytes; a mask is all ones in its lanes. */

#ifndef FASTRELU_ISA_AVX2_H
#define FASTRELU_ISA_AVX2_H

#include <immintrin.h>

#include "kernels/scalar.h"
#include "kernels/compiler.h"

#define AVX2_WORDS(S, W, N, SPREAD)                                                         \
    typedef __m256i S##W, S##_mask##W;                                                      \
    typedef int##W##_t S##_lanes##W __attribute__((vector_size(32)));                       \
    WORD S##W S##_load##W(const char *p) { return _mm256_loadu_si256((const __m256i *)p); } \
    WORD void S##_store##W(char *p, S##W a) { _mm256_storeu_si256((__m256i *)p, a); }       \
    WORD S##W S##_gather##W(const char *p, ptrdiff_t step)                                  \
    {                                                                                       \
        return (S##W)(S##_lanes##W){GATHER##N(W, p, step)};                                 \
    }                                                                                       \
    WORD void S##_scatter##W(char *p, ptrdiff_t step, S##W a)                               \
    {                                                                                       \
        const S##_lanes##W lanes = (S##_lanes##W)a;                                         \
        SCATTER##N(W, p, step, lanes, 0);                                                   \
    }                                                                                       \
    WORD S##W S##_spread##W(int##W##_t a) { return SPREAD(a); }                             \
    WORD S##W S##_minus##W(S##W a, S##W b) { return _mm256_sub_epi##W(a, b); }              \
    WORD S##_mask##W S##_everywhere##W(void) { return _mm256_set1_epi8(-1); }               \
    WORD S##_mask##W S##_greater##W(S##W a, S##W b) { return _mm256_cmpgt_epi##W(a, b); }   \
    WORD S##_mask##W S##_unless_zero##W(S##_mask##W mask, S##W a)                           \
    {                                                                                       \
        return _mm256_andnot_si256(_mm256_cmpeq_epi##W(a, _mm256_setzero_si256()), mask);   \
    }                                                                                       \
    WORD S##W S##_keep##W(S##_mask##W mask, S##W a) { return _mm256_and_si256(mask, a); }

#define AVX2_REGISTER(S)                     \
    AVX2_WORDS(S, 8, 32, _mm256_set1_epi8)   \
    AVX2_WORDS(S, 16, 16, _mm256_set1_epi16) \
    AVX2_WORDS(S, 32, 8, _mm256_set1_epi32)  \
    AVX2_WORDS(S, 64, 4, _mm256_set1_epi64x)

#endif
