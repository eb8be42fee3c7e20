/* AVX2: x86-64 from 2013 on. */

#if defined(__x86_64__)

#include "kernels/kernels.h"
#include "kernels/isa/avx2.h"
#include "kernels/isa/x86_features.h"

static int runs_here(void) { return x86_has(X86_AVX2 | X86_F16C); }

TARGET_BEGIN("avx2,f16c")

AVX2_REGISTER(vec)
AVX2_REGISTER(gather)

#define STREAM(W)                                                   \
    INLINE void vec_stream##W(char *p, vec##W a)                    \
    {                                                               \
        __m128i *half = (__m128i *)p;                               \
        _mm_stream_si128(half, _mm256_castsi256_si128(a));          \
        _mm_stream_si128(half + 1, _mm256_extracti128_si256(a, 1)); \
    }                                                               \
    INLINE void vec_stream_aligned##W(char *p, vec##W a) { _mm256_stream_si256((__m256i *)p, a); }
STREAM(8)
STREAM(16)
STREAM(32)
STREAM(64)

/* Packing with saturation keeps apart what is 0 and what is not. It goes by halves of registers:
   they are put in order at the end. */
INLINE uint64_t vec_zero_bits8(const vec8 a[])
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a[0], _mm256_setzero_si256()));
}
INLINE uint64_t vec_zero_bits16(const vec16 a[])
{
    const vec8 packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(a[0], a[1]), 0xD8);
    return vec_zero_bits8(&packed);
}
/* In fours of bytes: 0 2 4 6 1 3 5 7. */
INLINE __m256i packed32(const __m256i a[])
{
    return _mm256_packs_epi16(_mm256_packs_epi32(a[0], a[1]), _mm256_packs_epi32(a[2], a[3]));
}
INLINE uint64_t vec_zero_bits32(const vec32 a[])
{
    const vec8 ordered =
        _mm256_permutevar8x32_epi32(packed32(a), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return vec_zero_bits8(&ordered);
}
/* 64 bits are 0 when both halves are. */
INLINE __m256i any_half(__m256i a, __m256i b)
{
    const __m256 first = _mm256_castsi256_ps(a), second = _mm256_castsi256_ps(b);
    return _mm256_castps_si256(
        _mm256_or_ps(_mm256_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0)),
                     _mm256_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))));
}
INLINE uint64_t vec_zero_bits64(const vec64 a[])
{
    const __m256i halves[] = {any_half(a[0], a[1]), any_half(a[2], a[3]), any_half(a[4], a[5]),
                              any_half(a[6], a[7])};
    const __m256i pairs = packed32(halves); /* of lanes: 0 2 4 ... 14, then 1 3 5 ... 15 */
    const __m128i even = _mm256_castsi256_si128(pairs), odd = _mm256_extracti128_si256(pairs, 1);
    const vec8 ordered = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_unpacklo_epi16(even, odd)), _mm_unpackhi_epi16(even, odd), 1);
    return vec_zero_bits8(&ordered);
}

/* All the bits in every lane, which then picks its own. */
INLINE vec_mask8 vec_from_bits8(uint64_t bits)
{
    const __m256i byte =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i own = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    const __m256i all = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)bits), byte);
    return _mm256_cmpeq_epi8(_mm256_and_si256(all, own), own);
}
INLINE vec_mask16 vec_from_bits16(uint64_t bits)
{
    const __m256i own = _mm256_setr_epi16(1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400,
                                          0x800, 0x1000, 0x2000, 0x4000, -0x8000);
    return _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16((int16_t)bits), own), own);
}
INLINE vec_mask32 vec_from_bits32(uint64_t bits)
{
    const __m256i own = _mm256_setr_epi32(1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int32_t)bits), own), own);
}
INLINE vec_mask64 vec_from_bits64(uint64_t bits)
{
    const __m256i own = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x((int64_t)bits), own), own);
}

INLINE void vec_doubles_float32(vec32 a, vec64 wide[])
{
    wide[0] = _mm256_castpd_si256(_mm256_cvtps_pd(_mm_castsi128_ps(_mm256_castsi256_si128(a))));
    wide[1] =
        _mm256_castpd_si256(_mm256_cvtps_pd(_mm_castsi128_ps(_mm256_extracti128_si256(a, 1))));
}
INLINE void vec_doubles_float16(vec16 a, vec64 wide[])
{
    vec_doubles_float32(_mm256_castps_si256(_mm256_cvtph_ps(_mm256_castsi256_si128(a))), wide);
    vec_doubles_float32(_mm256_castps_si256(_mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))),
                        wide + 2);
}
AVX2_INTEGERS(gather)

#define COUNT_IF(W) \
    INLINE vec##W vec_count_if##W(vec##W a, vec_mask##W mask) { return _mm256_sub_epi##W(a, mask); }
COUNT_IF(8)
COUNT_IF(16)
COUNT_IF(32)
COUNT_IF(64)

#define PREFETCHED_ROW 64 /* as in avx512.c, but rows of one register are foreseen */
#define LOADED_ONCE_vec(a) OPAQUE_REGISTER(a)

#include "kernels/kernels.inc"

TARGET_END

KERNEL_TABLE(avx2);

#endif
