/* The words of AVX2: registers of 32 bytes; a mask is all ones in its lanes. */

#ifndef FASTRELU_ISA_AVX2_H
#define FASTRELU_ISA_AVX2_H

#include <immintrin.h>

#include "kernels/scalar.h"
#include "kernels/compiler.h"

#define AVX2_PRIMITIVES(S, W, N, SET1)                                                        \
    typedef __m256i S##W, S##_mask##W;                                                        \
    typedef int##W##_t S##_lanes##W __attribute__((vector_size(32)));                         \
    INLINE S##W S##_load##W(const char *p) { return _mm256_loadu_si256((const __m256i *)p); } \
    INLINE void S##_store##W(char *p, S##W a) { _mm256_storeu_si256((__m256i *)p, a); }       \
    INLINE S##W S##_load_strided##W(const char *p, ptrdiff_t step)                            \
    {                                                                                         \
        return (S##W)(S##_lanes##W){GATHER##N(W, p, step)};                                   \
    }                                                                                         \
    INLINE void S##_store_strided##W(char *p, ptrdiff_t step, S##W a)                         \
    {                                                                                         \
        const S##_lanes##W lanes = (S##_lanes##W)a;                                           \
        SCATTER##N(W, p, step, lanes, 0);                                                     \
    }                                                                                         \
    INLINE S##W S##_set1##W(int##W##_t a) { return SET1(a); }                                 \
    INLINE S##W S##_sub##W(S##W a, S##W b) { return _mm256_sub_epi##W(a, b); }                \
    INLINE S##_mask##W S##_all_true##W(void) { return _mm256_set1_epi8(-1); }                 \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return _mm256_cmpgt_epi##W(a, b); }   \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a)                           \
    {                                                                                         \
        return _mm256_andnot_si256(_mm256_cmpeq_epi##W(a, _mm256_setzero_si256()), mask);     \
    }                                                                                         \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a) { return _mm256_and_si256(mask, a); }

#define AVX2_REGISTER(S)                          \
    AVX2_PRIMITIVES(S, 8, 32, _mm256_set1_epi8)   \
    AVX2_PRIMITIVES(S, 16, 16, _mm256_set1_epi16) \
    AVX2_PRIMITIVES(S, 32, 8, _mm256_set1_epi32)  \
    AVX2_PRIMITIVES(S, 64, 4, _mm256_set1_epi64x)

#endif
