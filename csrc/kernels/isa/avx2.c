/* AVX2: x86-64 from 2013 on. */

#if defined(__x86_64__)

#include "kernels/kernels.h"
#include "kernels/isa/avx2.h"

#include <cpuid.h>

/* __builtin_cpu_supports knows F16C from gcc 12 on only. */
static int runs_here(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}

TARGET_BEGIN("avx2,f16c")

AVX2_REGISTER(vec)
AVX2_REGISTER(gather)

#define STREAM(W)                                                   \
    INLINE void vec_stream##W(char *p, vec##W a)                    \
    {                                                               \
        __m128i *half = (__m128i *)p;                               \
        _mm_stream_si128(half, _mm256_castsi256_si128(a));          \
        _mm_stream_si128(half + 1, _mm256_extracti128_si256(a, 1)); \
    }
STREAM(8)
STREAM(16)
STREAM(32)
STREAM(64)

/* movemask takes bytes or lanes of 32 and 64 bits: lanes of 16 are narrowed first. */
INLINE uint64_t vec_bits8(vec_mask8 mask) { return (uint32_t)_mm256_movemask_epi8(mask); }
INLINE uint64_t vec_bits16(vec_mask16 mask)
{
    const __m128i low = _mm256_castsi256_si128(mask), high = _mm256_extracti128_si256(mask, 1);
    return (uint64_t)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}
INLINE uint64_t vec_bits32(vec_mask32 mask)
{
    return (uint64_t)_mm256_movemask_ps(_mm256_castsi256_ps(mask));
}
INLINE uint64_t vec_bits64(vec_mask64 mask)
{
    return (uint64_t)_mm256_movemask_pd(_mm256_castsi256_pd(mask));
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

#include "kernels/kernels.inc"

TARGET_END

KERNEL_TABLE(avx2);

#endif
