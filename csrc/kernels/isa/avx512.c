/* AVX-512 F and BW: registers of 64 bytes; a mask is a mask register. Strided operands keep to the
   registers of AVX2: inserting and extracting more lanes than that costs more than it saves. */

#if defined(__x86_64__)

#include "kernels/kernels.h"
#include "kernels/isa/avx2.h"
#include "kernels/isa/x86_features.h"

static int runs_here(void) { return x86_has(X86_AVX2 | X86_F16C | X86_AVX512F | X86_AVX512BW); }

TARGET_BEGIN("avx2,f16c,avx512f,avx512bw")

/* A Zen 5 does not foresee short rows of whole cache lines, nor those that are under a mask. */
#define PREFETCHED_ROW 1

/* Of a load and a move under a mask compilers make one. It waits for its mask, and took twice the
   time on a Zen 5 for a gradient and an x beyond its caches. */
#define IN_REGISTER(a) __asm__("" : : "v"(a))
#define LOADED_ONCE_vec(a) __asm__("" : "+v"(a))
#define MASKED_ONCE(a) LOADED_ONCE_vec(a)

#define PRIMITIVES(S, W, N)                                                                        \
    typedef __m512i S##W;                                                                          \
    typedef __mmask##N S##_mask##W;                                                                \
    INLINE S##W S##_load##W(const char *p) { return _mm512_loadu_si512(p); }                       \
    INLINE void S##_store##W(char *p, S##W a) { _mm512_storeu_si512(p, a); }                       \
    INLINE S##W S##_set1##W(int##W##_t a) { return _mm512_set1_epi##W(a); }                        \
    INLINE S##W S##_add##W(S##W a, S##W b) { return _mm512_add_epi##W(a, b); }                     \
    INLINE S##W S##_sub##W(S##W a, S##W b) { return _mm512_sub_epi##W(a, b); }                     \
    INLINE S##W S##_and##W(S##W a, S##W b) { return _mm512_and_si512(a, b); }                      \
    INLINE S##_mask##W S##_all_true##W(void) { return (S##_mask##W) ~0; }                          \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return _mm512_cmpgt_epi##W##_mask(a, b); } \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a)                                \
    {                                                                                              \
        return _mm512_mask_test_epi##W##_mask(mask, a, a);                                         \
    }                                                                                              \
    INLINE S##_mask##W S##_both##W(S##_mask##W a, S##_mask##W b) { return a & b; }                 \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a)                                             \
    {                                                                                              \
        IN_REGISTER(a);                                                                            \
        return _mm512_maskz_mov_epi##W(mask, a);                                                   \
    }                                                                                              \
    INLINE S##W S##_zero_where##W(S##_mask##W mask, S##W a)                                        \
    {                                                                                              \
        return _mm512_maskz_mov_epi##W((S##_mask##W) ~mask, a);                                    \
    }                                                                                              \
    INLINE S##W S##_select##W(S##_mask##W mask, S##W a, S##W b)                                    \
    {                                                                                              \
        return _mm512_mask_mov_epi##W(b, mask, a);                                                 \
    }                                                                                              \
    INLINE void S##_stream##W(char *p, S##W a)                                                     \
    {                                                                                              \
        __m128i *quarter = (__m128i *)p;                                                           \
        _mm_stream_si128(quarter, _mm512_castsi512_si128(a));                                      \
        _mm_stream_si128(quarter + 1, _mm512_extracti32x4_epi32(a, 1));                            \
        _mm_stream_si128(quarter + 2, _mm512_extracti32x4_epi32(a, 2));                            \
        _mm_stream_si128(quarter + 3, _mm512_extracti32x4_epi32(a, 3));                            \
    }                                                                                              \
    INLINE void S##_stream_aligned##W(char *p, S##W a) { _mm512_stream_si512((__m512i *)p, a); }   \
    INLINE S##_mask##W S##_first_n##W(size_t n) { return (S##_mask##W)(((uint64_t)1 << n) - 1); }  \
    INLINE S##_mask##W S##_first_n_even##W(size_t n)                                               \
    {                                                                                              \
        return S##_first_n##W(n) & (S##_mask##W)0x5555555555555555;                                \
    }                                                                                              \
    INLINE S##W S##_load_n##W(const char *p, S##_mask##W mask)                                     \
    {                                                                                              \
        return _mm512_maskz_loadu_epi##W(mask, p);                                                 \
    }                                                                                              \
    INLINE void S##_store_n##W(char *p, S##_mask##W mask, S##W a)                                  \
    {                                                                                              \
        _mm512_mask_storeu_epi##W(p, mask, a);                                                     \
    }                                                                                              \
    INLINE S##_mask##W S##_from_bits##W(uint64_t bits) { return (S##_mask##W)bits; }

#define FLOAT_OPERATION(S, W, name, suffix)                                                        \
    INLINE S##W S##_##name##_float##W(S##W a, S##W b)                                              \
    {                                                                                              \
        KEEP_FIRST_OF_##name(a);                                                                   \
        return _mm512_cast##suffix##_si512(                                                        \
            _mm512_##name##_##suffix(_mm512_castsi512_##suffix(a), _mm512_castsi512_##suffix(b))); \
    }

/* vmaxps gives its second operand where one is NaN or both are 0. Only its form without exceptions
   raises no flag for a quiet NaN. */
#define ZERO_BELOW_ZERO(S, W, suffix)                                                     \
    INLINE S##W S##_zero_below_zero##W(S##W a)                                            \
    {                                                                                     \
        return _mm512_cast##suffix##_si512(_mm512_max_round_##suffix(                     \
            _mm512_setzero_##suffix(), _mm512_castsi512_##suffix(a), _MM_FROUND_NO_EXC)); \
    }

#define FLOAT_MUL_UNLESS(S, W, suffix)                                                             \
    INLINE S##W S##_mul_unless_float##W(S##_mask##W mask, S##W other, S##W a, S##W b)              \
    {                                                                                              \
        KEEP_FIRST(a);                                                                             \
        return _mm512_cast##suffix##_si512(                                                        \
            _mm512_mask_mul_##suffix(_mm512_castsi512_##suffix(other), (S##_mask##W) ~mask,        \
                                     _mm512_castsi512_##suffix(a), _mm512_castsi512_##suffix(b))); \
    }

#define HALF_OPERATION(S, name)                                                                    \
    INLINE __m256i S##_##name##_halves(__m256i a, __m256i b)                                       \
    {                                                                                              \
        __m512 first = _mm512_cvtph_ps(a);                                                         \
        KEEP_FIRST_OF_##name(first);                                                               \
        return _mm512_cvtps_ph(_mm512_##name##_ps(first, _mm512_cvtph_ps(b)),                      \
                               _MM_FROUND_TO_NEAREST_INT);                                         \
    }                                                                                              \
    INLINE S##16 S##_##name##_float16(S##16 a, S##16 b)                                            \
    {                                                                                              \
        const __m256i low =                                                                        \
            S##_##name##_halves(_mm512_castsi512_si256(a), _mm512_castsi512_si256(b));             \
        const __m256i high =                                                                       \
            S##_##name##_halves(_mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1)); \
        return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);                           \
    }

#define HAS_MASKED_TAIL

PRIMITIVES(vec, 8, 64)
PRIMITIVES(vec, 16, 32)
PRIMITIVES(vec, 32, 16)
PRIMITIVES(vec, 64, 8)
HALF_OPERATION(vec, add)
HALF_OPERATION(vec, sub)
FLOAT_OPERATION(vec, 32, add, ps)
FLOAT_OPERATION(vec, 32, sub, ps)
FLOAT_OPERATION(vec, 32, max, ps)
FLOAT_OPERATION(vec, 64, add, pd)
FLOAT_OPERATION(vec, 64, sub, pd)
FLOAT_OPERATION(vec, 64, max, pd)
FLOAT_OPERATION(vec, 64, div, pd)
HALF_OPERATION(vec, mul)
FLOAT_OPERATION(vec, 32, mul, ps)
FLOAT_OPERATION(vec, 64, mul, pd)
ZERO_BELOW_ZERO(vec, 32, ps)
ZERO_BELOW_ZERO(vec, 64, pd)
MUL_UNLESS(vec, 16)
#if defined(__clang__) /* it computes the product everywhere, and selects then */
MUL_UNLESS(vec, 32)
MUL_UNLESS(vec, 64)
#else
FLOAT_MUL_UNLESS(vec, 32, ps)
FLOAT_MUL_UNLESS(vec, 64, pd)
#endif

#define HAS_QUARTERS

#define INTERLEAVE_LANES(W)                                  \
    INLINE vec##W vec_interleave_low##W(vec##W a, vec##W b)  \
    {                                                        \
        return _mm512_unpacklo_epi##W(a, b);                 \
    }                                                        \
    INLINE vec##W vec_interleave_high##W(vec##W a, vec##W b) \
    {                                                        \
        return _mm512_unpackhi_epi##W(a, b);                 \
    }

INTERLEAVE_LANES(32)

INLINE void vec_transpose_quarters(__m512i *a, __m512i *b, __m512i *c, __m512i *d)
{
    const __m512i even = _mm512_shuffle_i32x4(*a, *b, _MM_SHUFFLE(2, 0, 2, 0));
    const __m512i odd = _mm512_shuffle_i32x4(*a, *b, _MM_SHUFFLE(3, 1, 3, 1));
    const __m512i even2 = _mm512_shuffle_i32x4(*c, *d, _MM_SHUFFLE(2, 0, 2, 0));
    const __m512i odd2 = _mm512_shuffle_i32x4(*c, *d, _MM_SHUFFLE(3, 1, 3, 1));
    *a = _mm512_shuffle_i32x4(even, even2, _MM_SHUFFLE(2, 0, 2, 0));
    *b = _mm512_shuffle_i32x4(odd, odd2, _MM_SHUFFLE(2, 0, 2, 0));
    *c = _mm512_shuffle_i32x4(even, even2, _MM_SHUFFLE(3, 1, 3, 1));
    *d = _mm512_shuffle_i32x4(odd, odd2, _MM_SHUFFLE(3, 1, 3, 1));
}

AVX2_REGISTER(gather)
AVX2_INTEGERS(gather)

/* Comparisons into mask registers, and moves out of them, are one a cycle. Packed to bytes as in
   avx2.c, 32-bit elements need one of each for 64; others would gain nothing. */
INLINE uint64_t vec_zero_bits32(const vec32 a[])
{
    const vec8 packed =
        _mm512_packs_epi16(_mm512_packs_epi32(a[0], a[1]), _mm512_packs_epi32(a[2], a[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const vec8 ordered = _mm512_permutexvar_epi32(order, packed);
    return _mm512_testn_epi8_mask(ordered, ordered);
}
#define ZERO_BITS(W, N)                                                          \
    INLINE uint64_t vec_zero_bits##W(const vec##W a[])                           \
    {                                                                            \
        uint64_t bits = 0;                                                       \
        UNROLLED(8)                                                              \
        for (int i = 0; i < W / 8; i++)                                          \
            bits |= (uint64_t)_mm512_testn_epi##W##_mask(a[i], a[i]) << (i * N); \
        return bits;                                                             \
    }
ZERO_BITS(8, 64)
ZERO_BITS(16, 32)
ZERO_BITS(64, 8)

#define COUNT_IF(W)                                                       \
    INLINE vec##W vec_count_if##W(vec##W a, vec_mask##W mask)             \
    {                                                                     \
        return _mm512_mask_sub_epi##W(a, mask, a, _mm512_set1_epi32(-1)); \
    }
COUNT_IF(8)
COUNT_IF(16)
COUNT_IF(32)
COUNT_IF(64)

INLINE void vec_doubles_float32(vec32 a, vec64 wide[])
{
    wide[0] = _mm512_castpd_si512(_mm512_cvtps_pd(_mm256_castsi256_ps(_mm512_castsi512_si256(a))));
    wide[1] =
        _mm512_castpd_si512(_mm512_cvtps_pd(_mm256_castsi256_ps(_mm512_extracti64x4_epi64(a, 1))));
}
INLINE void vec_doubles_float16(vec16 a, vec64 wide[])
{
    vec_doubles_float32(_mm512_castps_si512(_mm512_cvtph_ps(_mm512_castsi512_si256(a))), wide);
    vec_doubles_float32(_mm512_castps_si512(_mm512_cvtph_ps(_mm512_extracti64x4_epi64(a, 1))),
                        wide + 2);
}

#include "kernels/kernels.inc"

TARGET_END

KERNEL_TABLE(avx512);

#endif
