/* The vector API of AVX2: registers of 32 bytes; a mask is all ones in its lanes. */

#ifndef FASTRELU_ISA_AVX2_H
#define FASTRELU_ISA_AVX2_H

#include "kernels/isa/x86.h"

/* clang makes a signalling comparison of a quiet one. */
#if !defined(__clang__)
#define HAS_QUIET_COMPARISON
#endif

#define HAS_INTERLEAVE
#define HAS_PIECES

#define AVX2_PRIMITIVES(S, W, N, SET1)                                                          \
    typedef __m256i S##W, S##_mask##W;                                                          \
    typedef int##W##_t S##_lanes##W __attribute__((vector_size(32)));                           \
    INLINE S##W S##_load##W(const char *p) { return _mm256_loadu_si256((const __m256i *)p); }   \
    INLINE void S##_store##W(char *p, S##W a) { _mm256_storeu_si256((__m256i *)p, a); }         \
    INLINE S##W S##_load_strided##W(const char *p, ptrdiff_t step)                              \
    {                                                                                           \
        return (S##W)(S##_lanes##W){LOAD##N(W, p, step)};                                       \
    }                                                                                           \
    INLINE void S##_store_strided##W(char *p, ptrdiff_t step, S##W a)                           \
    {                                                                                           \
        const S##_lanes##W lanes = (S##_lanes##W)a;                                             \
        STORE##N(W, p, step, lanes, 0);                                                         \
    }                                                                                           \
    INLINE S##W S##_load_pieces##W(const char *p, ptrdiff_t distance)                           \
    {                                                                                           \
        return _mm256_inserti128_si256(                                                         \
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)),                        \
            _mm_loadu_si128((const __m128i *)(p + distance)), 1);                               \
    }                                                                                           \
    INLINE void S##_store_pieces##W(char *p, ptrdiff_t distance, S##W a)                        \
    {                                                                                           \
        _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(a));                              \
        _mm_storeu_si128((__m128i *)(p + distance), _mm256_extracti128_si256(a, 1));            \
    }                                                                                           \
    INLINE S##W S##_interleave_low##W(S##W a, S##W b) { return _mm256_unpacklo_epi##W(a, b); }  \
    INLINE S##W S##_interleave_high##W(S##W a, S##W b) { return _mm256_unpackhi_epi##W(a, b); } \
    INLINE S##W S##_set1##W(int##W##_t a)                                                       \
    {                                                                                           \
        S##W all = SET1(a);                                                                     \
        OPAQUE_REGISTER(all);                                                                   \
        return all;                                                                             \
    }                                                                                           \
    INLINE S##W S##_add##W(S##W a, S##W b) { return _mm256_add_epi##W(a, b); }                  \
    INLINE S##W S##_sub##W(S##W a, S##W b) { return _mm256_sub_epi##W(a, b); }                  \
    INLINE S##W S##_and##W(S##W a, S##W b) { return _mm256_and_si256(a, b); }                   \
    INLINE S##_mask##W S##_all_true##W(void) { return _mm256_set1_epi8(-1); }                   \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return _mm256_cmpgt_epi##W(a, b); }     \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a)                             \
    {                                                                                           \
        return _mm256_andnot_si256(_mm256_cmpeq_epi##W(a, _mm256_setzero_si256()), mask);       \
    }                                                                                           \
    INLINE S##_mask##W S##_both##W(S##_mask##W a, S##_mask##W b)                                \
    {                                                                                           \
        return _mm256_and_si256(a, b);                                                          \
    }                                                                                           \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a) { return _mm256_and_si256(mask, a); }    \
    INLINE S##W S##_zero_where##W(S##_mask##W mask, S##W a)                                     \
    {                                                                                           \
        return _mm256_andnot_si256(mask, a);                                                    \
    }                                                                                           \
    INLINE S##W S##_select##W(S##_mask##W mask, S##W a, S##W b)                                 \
    {                                                                                           \
        return _mm256_blendv_epi8(b, a, mask);                                                  \
    }

#define AVX2_FLOAT_OPERATION(S, W, name, suffix)                                                   \
    INLINE S##W S##_##name##_float##W(S##W a, S##W b)                                              \
    {                                                                                              \
        KEEP_FIRST_OF_##name(a);                                                                   \
        return _mm256_cast##suffix##_si256(                                                        \
            _mm256_##name##_##suffix(_mm256_castsi256_##suffix(a), _mm256_castsi256_##suffix(b))); \
    }

#define AVX2_ZERO_BELOW_ZERO(S, W, suffix)                                          \
    INLINE S##W S##_zero_below_zero##W(S##W a)                                      \
    {                                                                               \
        const S##W keeps = _mm256_cast##suffix##_si256(_mm256_cmp_##suffix(         \
            _mm256_castsi256_##suffix(a), _mm256_setzero_##suffix(), _CMP_NLT_UQ)); \
        return S##_maskz##W(keeps, a);                                              \
    }

/* F16C converts 8 at a time. */
#define AVX2_HALF_OPERATION(S, name)                                                             \
    INLINE __m128i S##_##name##_halves(__m128i a, __m128i b)                                     \
    {                                                                                            \
        __m256 first = _mm256_cvtph_ps(a);                                                       \
        KEEP_FIRST_OF_##name(first);                                                             \
        return _mm256_cvtps_ph(_mm256_##name##_ps(first, _mm256_cvtph_ps(b)),                    \
                               _MM_FROUND_TO_NEAREST_INT);                                       \
    }                                                                                            \
    INLINE S##16 S##_##name##_float16(S##16 a, S##16 b)                                          \
    {                                                                                            \
        const __m128i low =                                                                      \
            S##_##name##_halves(_mm256_castsi256_si128(a), _mm256_castsi256_si128(b));           \
        const __m128i high =                                                                     \
            S##_##name##_halves(_mm256_extracti128_si256(a, 1), _mm256_extracti128_si256(b, 1)); \
        return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);                    \
    }

#define AVX2_REGISTER(S)                          \
    AVX2_PRIMITIVES(S, 8, 32, _mm256_set1_epi8)   \
    AVX2_PRIMITIVES(S, 16, 16, _mm256_set1_epi16) \
    AVX2_PRIMITIVES(S, 32, 8, _mm256_set1_epi32)  \
    AVX2_PRIMITIVES(S, 64, 4, _mm256_set1_epi64x) \
    AVX2_HALF_OPERATION(S, add)                   \
    AVX2_HALF_OPERATION(S, sub)                   \
    AVX2_FLOAT_OPERATION(S, 32, add, ps)          \
    AVX2_FLOAT_OPERATION(S, 32, sub, ps)          \
    AVX2_FLOAT_OPERATION(S, 32, max, ps)          \
    AVX2_FLOAT_OPERATION(S, 64, add, pd)          \
    AVX2_FLOAT_OPERATION(S, 64, sub, pd)          \
    AVX2_FLOAT_OPERATION(S, 64, max, pd)          \
    AVX2_FLOAT_OPERATION(S, 64, div, pd)          \
    AVX2_HALF_OPERATION(S, mul)                   \
    AVX2_ZERO_BELOW_ZERO(S, 32, ps)               \
    AVX2_ZERO_BELOW_ZERO(S, 64, pd)               \
    AVX2_FLOAT_OPERATION(S, 32, mul, ps)          \
    AVX2_FLOAT_OPERATION(S, 64, mul, pd)          \
    MUL_UNLESS(S, 16)                             \
    MUL_UNLESS(S, 32)                             \
    MUL_UNLESS(S, 64)

/* Integers as int64, four at a time. */
#define AVX2_INTEGERS_OF(S, kind, W, sign)                                                        \
    INLINE void S##_integers_##kind##W(S##W a, S##64 wide[])                                      \
    {                                                                                             \
        const __m128i halves[] = {_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1)};     \
        UNROLLED(2)                                                                               \
        for (int i = 0; i < 2; i++) {                                                             \
            wide[i * (32 / W)] = _mm256_cvtep##sign##W##_epi64(halves[i]);                        \
            wide[i * (32 / W) + 1 % (32 / W)] =                                                   \
                _mm256_cvtep##sign##W##_epi64(_mm_srli_si128(halves[i], 1 % (32 / W) * (W / 2))); \
            wide[i * (32 / W) + 2 % (32 / W)] =                                                   \
                _mm256_cvtep##sign##W##_epi64(_mm_srli_si128(halves[i], 2 % (32 / W) * (W / 2))); \
            wide[i * (32 / W) + 3 % (32 / W)] =                                                   \
                _mm256_cvtep##sign##W##_epi64(_mm_srli_si128(halves[i], 3 % (32 / W) * (W / 2))); \
        }                                                                                         \
    }
#define AVX2_INTEGERS(S)                 \
    AVX2_INTEGERS_OF(S, signed, 8, i)    \
    AVX2_INTEGERS_OF(S, signed, 16, i)   \
    AVX2_INTEGERS_OF(S, signed, 32, i)   \
    AVX2_INTEGERS_OF(S, unsigned, 8, u)  \
    AVX2_INTEGERS_OF(S, unsigned, 16, u) \
    AVX2_INTEGERS_OF(S, unsigned, 32, u)

#endif
