/* SSE2: every x86-64 has it. Registers of 16 bytes; a mask is all ones in its lanes. */

#if defined(__x86_64__)

#include "kernels/kernels.h"
#include "kernels/isa/x86.h"

static int runs_here(void) { return 1; }

TARGET_BEGIN("sse2")

/* SSE2 compares no 64-bit lanes: they are equal when both halves are, */
INLINE __m128i equal64(__m128i a, __m128i b)
{
    const __m128i halves = _mm_cmpeq_epi32(a, b);
    return _mm_and_si128(halves, _mm_shuffle_epi32(halves, _MM_SHUFFLE(2, 3, 0, 1)));
}

/* and greater when the high half is, or is equal and b - a borrows from it. */
INLINE __m128i greater64(__m128i a, __m128i b)
{
    const __m128i borrow = _mm_and_si128(_mm_cmpeq_epi32(a, b), _mm_sub_epi64(b, a));
    const __m128i high = _mm_or_si128(_mm_cmpgt_epi32(a, b), borrow);
    return _mm_shuffle_epi32(high, _MM_SHUFFLE(3, 3, 1, 1));
}

#define HAS_INTERLEAVE

#define PRIMITIVES(S, W, N, SET1, EQUAL, GREATER)                                                 \
    typedef __m128i S##W, S##_mask##W;                                                            \
    typedef int##W##_t S##_lanes##W __attribute__((vector_size(16)));                             \
    INLINE S##W S##_load##W(const char *p) { return _mm_loadu_si128((const __m128i *)p); }        \
    INLINE void S##_store##W(char *p, S##W a) { _mm_storeu_si128((__m128i *)p, a); }              \
    INLINE S##W S##_load_strided##W(const char *p, ptrdiff_t step)                                \
    {                                                                                             \
        return (S##W)(S##_lanes##W){LOAD##N(W, p, step)};                                         \
    }                                                                                             \
    INLINE void S##_store_strided##W(char *p, ptrdiff_t step, S##W a)                             \
    {                                                                                             \
        const S##_lanes##W lanes = (S##_lanes##W)a;                                               \
        STORE##N(W, p, step, lanes, 0);                                                           \
    }                                                                                             \
    INLINE S##W S##_interleave_low##W(S##W a, S##W b) { return _mm_unpacklo_epi##W(a, b); }       \
    INLINE S##W S##_interleave_high##W(S##W a, S##W b) { return _mm_unpackhi_epi##W(a, b); }      \
    INLINE S##W S##_set1##W(int##W##_t a)                                                         \
    {                                                                                             \
        S##W all = SET1(a);                                                                       \
        OPAQUE_REGISTER(all);                                                                     \
        return all;                                                                               \
    }                                                                                             \
    INLINE S##W S##_add##W(S##W a, S##W b) { return _mm_add_epi##W(a, b); }                       \
    INLINE S##W S##_sub##W(S##W a, S##W b) { return _mm_sub_epi##W(a, b); }                       \
    INLINE S##W S##_and##W(S##W a, S##W b) { return _mm_and_si128(a, b); }                        \
    INLINE S##_mask##W S##_all_true##W(void) { return _mm_set1_epi8(-1); }                        \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return GREATER(a, b); }                   \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a)                               \
    {                                                                                             \
        return _mm_andnot_si128(EQUAL(a, _mm_setzero_si128()), mask);                             \
    }                                                                                             \
    INLINE S##_mask##W S##_both##W(S##_mask##W a, S##_mask##W b) { return _mm_and_si128(a, b); }  \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a) { return _mm_and_si128(mask, a); }         \
    INLINE S##W S##_zero_where##W(S##_mask##W mask, S##W a) { return _mm_andnot_si128(mask, a); } \
    INLINE S##W S##_select##W(S##_mask##W mask, S##W a, S##W b)                                   \
    {                                                                                             \
        return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b));                   \
    }

#define FLOAT_OPERATION(S, W, name, suffix)                                               \
    INLINE S##W S##_##name##_float##W(S##W a, S##W b)                                     \
    {                                                                                     \
        KEEP_FIRST_OF_##name(a);                                                          \
        return _mm_cast##suffix##_si128(                                                  \
            _mm_##name##_##suffix(_mm_castsi128_##suffix(a), _mm_castsi128_##suffix(b))); \
    }

/* There is no conversion of float16: lane by lane. */
#define HALF_OPERATION(S, name)                         \
    INLINE S##16 S##_##name##_float16(S##16 a, S##16 b) \
    {                                                   \
        int16_t x[8], y[8];                             \
        memcpy(x, &a, sizeof x);                        \
        memcpy(y, &b, sizeof y);                        \
        for (int i = 0; i < 8; i++)                     \
            x[i] = scalar_##name##_float16(x[i], y[i]); \
        memcpy(&a, x, sizeof x);                        \
        return a;                                       \
    }

#define REGISTER(S)                                                        \
    PRIMITIVES(S, 8, 16, _mm_set1_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8)    \
    PRIMITIVES(S, 16, 8, _mm_set1_epi16, _mm_cmpeq_epi16, _mm_cmpgt_epi16) \
    PRIMITIVES(S, 32, 4, _mm_set1_epi32, _mm_cmpeq_epi32, _mm_cmpgt_epi32) \
    PRIMITIVES(S, 64, 2, _mm_set1_epi64x, equal64, greater64)              \
    HALF_OPERATION(S, add)                                                 \
    HALF_OPERATION(S, sub)                                                 \
    FLOAT_OPERATION(S, 32, add, ps)                                        \
    FLOAT_OPERATION(S, 32, sub, ps)                                        \
    FLOAT_OPERATION(S, 32, max, ps)                                        \
    FLOAT_OPERATION(S, 64, add, pd)                                        \
    FLOAT_OPERATION(S, 64, sub, pd)                                        \
    FLOAT_OPERATION(S, 64, max, pd)                                        \
    FLOAT_OPERATION(S, 64, div, pd)                                        \
    HALF_OPERATION(S, mul)                                                 \
    FLOAT_OPERATION(S, 32, mul, ps)                                        \
    FLOAT_OPERATION(S, 64, mul, pd)                                        \
    MUL_UNLESS(S, 16)                                                      \
    MUL_UNLESS(S, 32)                                                      \
    MUL_UNLESS(S, 64)

REGISTER(vec)
REGISTER(gather)

#define STREAM(W)                                                                       \
    INLINE void vec_stream##W(char *p, vec##W a) { _mm_stream_si128((__m128i *)p, a); } \
    INLINE void vec_stream_aligned##W(char *p, vec##W a) { vec_stream##W(p, a); }
STREAM(8)
STREAM(16)
STREAM(32)
STREAM(64)

/* Packing with saturation keeps apart what is 0 and what is not. */
INLINE uint64_t vec_zero_bits8(const vec8 a[])
{
    return (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a[0], _mm_setzero_si128()));
}
INLINE uint64_t vec_zero_bits16(const vec16 a[])
{
    const vec8 packed = _mm_packs_epi16(a[0], a[1]);
    return vec_zero_bits8(&packed);
}
INLINE uint64_t vec_zero_bits32(const vec32 a[])
{
    const vec16 packed[] = {_mm_packs_epi32(a[0], a[1]), _mm_packs_epi32(a[2], a[3])};
    return vec_zero_bits16(packed);
}
/* 64 bits are 0 when both halves are. */
INLINE __m128i any_half(__m128i a, __m128i b)
{
    const __m128 first = _mm_castsi128_ps(a), second = _mm_castsi128_ps(b);
    return _mm_castps_si128(_mm_or_ps(_mm_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0)),
                                      _mm_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))));
}
INLINE uint64_t vec_zero_bits64(const vec64 a[])
{
    const vec32 halves[] = {any_half(a[0], a[1]), any_half(a[2], a[3]), any_half(a[4], a[5]),
                            any_half(a[6], a[7])};
    return vec_zero_bits32(halves);
}

/* All the bits in every lane, which then picks its own; of 16 bits, each byte in eight lanes. */
INLINE vec_mask8 vec_from_bits8(uint64_t bits)
{
    const __m128i own = _mm_set1_epi64x((int64_t)0x8040201008040201);
    const __m128i bytes = _mm_cvtsi32_si128((int32_t)bits), twice = _mm_unpacklo_epi8(bytes, bytes);
    const __m128i fourfold = _mm_shufflelo_epi16(twice, _MM_SHUFFLE(1, 1, 0, 0));
    const __m128i all = _mm_shuffle_epi32(fourfold, _MM_SHUFFLE(1, 1, 0, 0));
    return _mm_cmpeq_epi8(_mm_and_si128(all, own), own);
}
INLINE vec_mask16 vec_from_bits16(uint64_t bits)
{
    const __m128i own = _mm_setr_epi16(1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80);
    return _mm_cmpeq_epi16(_mm_and_si128(_mm_set1_epi16((int16_t)bits), own), own);
}
INLINE vec_mask32 vec_from_bits32(uint64_t bits)
{
    const __m128i own = _mm_setr_epi32(1, 2, 4, 8);
    return _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32((int32_t)bits), own), own);
}
INLINE vec_mask64 vec_from_bits64(uint64_t bits)
{
    const __m128i own = _mm_setr_epi32(1, 1, 2, 2);
    return _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32((int32_t)bits), own), own);
}

INLINE void vec_doubles_float32(vec32 a, vec64 wide[])
{
    const __m128 floats = _mm_castsi128_ps(a);
    wide[0] = _mm_castpd_si128(_mm_cvtps_pd(floats));
    wide[1] = _mm_castpd_si128(_mm_cvtps_pd(_mm_movehl_ps(floats, floats)));
}
WIDEN_BY_LANES(vec, doubles_float, 16, int16_t, double, (double)half_to_float)
INTEGERS_BY_LANES(gather)

#define COUNT_IF(W) \
    INLINE vec##W vec_count_if##W(vec##W a, vec_mask##W mask) { return _mm_sub_epi##W(a, mask); }
COUNT_IF(8)
COUNT_IF(16)
COUNT_IF(32)
COUNT_IF(64)

#include "kernels/kernels.inc"

TARGET_END

KERNEL_TABLE(sse2);

#endif
