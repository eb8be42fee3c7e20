/* AVX-512 F and BW: registers of 64 bytes; a mask is a mask register. Strided runs keep to the
   registers of AVX2: inserting and extracting more lanes than that costs more than it saves. */

#if defined(__x86_64__)

#include "kernels/kernels.h"
#include "kernels/isa/avx2.h"

static int runs_here(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw");
}

TARGET_BEGIN("avx2,avx512f,avx512bw")

#define WORDS(S, W, N)                                                                           \
    typedef __m512i S##W;                                                                        \
    typedef __mmask##N S##_mask##W;                                                              \
    WORD S##W S##_load##W(const char *p) { return _mm512_loadu_si512(p); }                       \
    WORD void S##_store##W(char *p, S##W a) { _mm512_storeu_si512(p, a); }                       \
    WORD S##W S##_spread##W(int##W##_t a) { return _mm512_set1_epi##W(a); }                      \
    WORD S##W S##_minus##W(S##W a, S##W b) { return _mm512_sub_epi##W(a, b); }                   \
    WORD S##_mask##W S##_everywhere##W(void) { return (S##_mask##W) ~0; }                        \
    WORD S##_mask##W S##_greater##W(S##W a, S##W b) { return _mm512_cmpgt_epi##W##_mask(a, b); } \
    WORD S##_mask##W S##_unless_zero##W(S##_mask##W mask, S##W a)                                \
    {                                                                                            \
        return _mm512_mask_test_epi##W##_mask(mask, a, a);                                       \
    }                                                                                            \
    WORD S##W S##_keep##W(S##_mask##W mask, S##W a) { return _mm512_maskz_mov_epi##W(mask, a); } \
    WORD void S##_stream##W(char *p, S##W a)                                                     \
    {                                                                                            \
        __m128i *quarter = (__m128i *)p;                                                         \
        _mm_stream_si128(quarter, _mm512_castsi512_si128(a));                                    \
        _mm_stream_si128(quarter + 1, _mm512_extracti32x4_epi32(a, 1));                          \
        _mm_stream_si128(quarter + 2, _mm512_extracti32x4_epi32(a, 2));                          \
        _mm_stream_si128(quarter + 3, _mm512_extracti32x4_epi32(a, 3));                          \
    }                                                                                            \
    WORD S##_mask##W S##_first##W(size_t n) { return (S##_mask##W)(((uint64_t)1 << n) - 1); }    \
    WORD S##W S##_load_part##W(const char *p, S##_mask##W mask)                                  \
    {                                                                                            \
        return _mm512_maskz_loadu_epi##W(mask, p);                                               \
    }                                                                                            \
    WORD void S##_store_part##W(char *p, S##_mask##W mask, S##W a)                               \
    {                                                                                            \
        _mm512_mask_storeu_epi##W(p, mask, a);                                                   \
    }                                                                                            \
    WORD uint64_t S##_bits##W(S##_mask##W mask) { return mask; }                                 \
    WORD S##_mask##W S##_from_bits##W(uint64_t bits) { return (S##_mask##W)bits; }

#define VEC_PARTS

WORDS(vec, 8, 64)
WORDS(vec, 16, 32)
WORDS(vec, 32, 16)
WORDS(vec, 64, 8)

WORD void vec_fence(void) { _mm_sfence(); }

AVX2_REGISTER(strided)

#include "kernels/kernels.inc"

TARGET_END

KERNEL_TABLE(avx512);

#endif
