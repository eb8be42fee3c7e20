/* NEON: every AArch64 has it. Registers of 16 bytes; a mask is all ones in its lanes. */

#if defined(__AARCH64EL__) /* little-endian, where lanes are numbered as they lie in memory */

#include <arm_neon.h>

#include "kernels/kernels.h"
#include "kernels/scalar.h"

static int runs_here(void) { return 1; }

/* Two loads of neighbouring registers become one instruction, and two stores. */
#define REGISTERS_PER_ITERATION 4

/* Stores that cross 16 bytes, or a cache line, take longer on many cores. */
#define ALIGNED_FROM 4096

#define HAS_MAXIMUM

#define HAS_INTERLEAVE

/* Sums wrap by unsigned intrinsics: gcc takes signed ones for sums that do not overflow. */
#define PRIMITIVES(S, W, N)                                                                       \
    typedef int##W##x##N##_t S##W;                                                                \
    typedef uint##W##x##N##_t S##_mask##W;                                                        \
    INLINE S##W S##_load##W(const char *p) { return (S##W)vld1q_u8((const uint8_t *)p); }         \
    INLINE void S##_store##W(char *p, S##W a) { vst1q_u8((uint8_t *)p, (uint8x16_t)a); }          \
    INLINE S##W S##_load_strided##W(const char *p, ptrdiff_t step)                                \
    {                                                                                             \
        return (S##W){LOAD##N(W, p, step)};                                                       \
    }                                                                                             \
    INLINE void S##_store_strided##W(char *p, ptrdiff_t step, S##W a)                             \
    {                                                                                             \
        STORE##N(W, p, step, a, 0);                                                               \
    }                                                                                             \
    INLINE S##W S##_interleave_low##W(S##W a, S##W b) { return vzip1q_s##W(a, b); }               \
    INLINE S##W S##_interleave_high##W(S##W a, S##W b) { return vzip2q_s##W(a, b); }              \
    INLINE S##W S##_set1##W(int##W##_t a) { return vdupq_n_s##W(a); }                             \
    INLINE S##W S##_add##W(S##W a, S##W b)                                                        \
    {                                                                                             \
        return (S##W)vaddq_u##W((S##_mask##W)a, (S##_mask##W)b);                                  \
    }                                                                                             \
    INLINE S##W S##_sub##W(S##W a, S##W b)                                                        \
    {                                                                                             \
        return (S##W)vsubq_u##W((S##_mask##W)a, (S##_mask##W)b);                                  \
    }                                                                                             \
    INLINE S##W S##_and##W(S##W a, S##W b) { return vandq_s##W(a, b); }                           \
    INLINE S##_mask##W S##_all_true##W(void) { return vdupq_n_u##W((uint##W##_t) - 1); }          \
    INLINE S##_mask##W S##_greater##W(S##W a, S##W b) { return vcgtq_s##W(a, b); }                \
    INLINE S##_mask##W S##_and_nonzero##W(S##_mask##W mask, S##W a)                               \
    {                                                                                             \
        return vandq_u##W(mask, vtstq_s##W(a, a));                                                \
    }                                                                                             \
    INLINE S##_mask##W S##_both##W(S##_mask##W a, S##_mask##W b) { return vandq_u##W(a, b); }     \
    INLINE S##W S##_maskz##W(S##_mask##W mask, S##W a) { return vandq_s##W((S##W)mask, a); }      \
    INLINE S##W S##_zero_where##W(S##_mask##W mask, S##W a) { return vbicq_s##W(a, (S##W)mask); } \
    INLINE S##W S##_select##W(S##_mask##W mask, S##W a, S##W b) { return vbslq_s##W(mask, a, b); }

#define MAXIMUM(S, W) \
    INLINE S##W S##_maximum##W(S##W a, S##W b) { return vmaxq_s##W(a, b); }
#define MAXIMUM64(S) \
    INLINE S##64 S##_maximum64(S##64 a, S##64 b) { return vbslq_s64(vcgtq_s64(a, b), a, b); }

/* A compiler swaps the operands of intrinsics; see COMPUTE. */
#define IN_ORDER(name, lanes, result, a, b) \
    __asm__("f" #name " %0." lanes ", %1." lanes ", %2." lanes : "=w"(result) : "w"(a), "w"(b))

#define FLOAT_OPERATION(S, W, name, lanes)            \
    INLINE S##W S##_##name##_float##W(S##W a, S##W b) \
    {                                                 \
        IN_ORDER(name, lanes, a, a, b);               \
        return a;                                     \
    }

/* Not every AArch64 has arithmetic of float16. */
#define HALF_OPERATION(S, name)                                                                  \
    INLINE S##16 S##_##name##_float16(S##16 a, S##16 b)                                          \
    {                                                                                            \
        const float16x8_t x = (float16x8_t)a, y = (float16x8_t)b;                                \
        float32x4_t low, high;                                                                   \
        IN_ORDER(name, "4s", low, vcvt_f32_f16(vget_low_f16(x)), vcvt_f32_f16(vget_low_f16(y))); \
        IN_ORDER(name, "4s", high, vcvt_high_f32_f16(x), vcvt_high_f32_f16(y));                  \
        return (S##16)vcvt_high_f16_f32(vcvt_f16_f32(low), high);                                \
    }

#define REGISTER(S)                   \
    PRIMITIVES(S, 8, 16)              \
    PRIMITIVES(S, 16, 8)              \
    PRIMITIVES(S, 32, 4)              \
    PRIMITIVES(S, 64, 2)              \
    MAXIMUM(S, 8)                     \
    MAXIMUM(S, 16)                    \
    MAXIMUM(S, 32)                    \
    MAXIMUM64(S)                      \
    HALF_OPERATION(S, add)            \
    HALF_OPERATION(S, sub)            \
    HALF_OPERATION(S, mul)            \
    FLOAT_OPERATION(S, 32, add, "4s") \
    FLOAT_OPERATION(S, 32, sub, "4s") \
    FLOAT_OPERATION(S, 32, mul, "4s") \
    FLOAT_OPERATION(S, 64, add, "2d") \
    FLOAT_OPERATION(S, 64, sub, "2d") \
    FLOAT_OPERATION(S, 64, mul, "2d") \
    FLOAT_OPERATION(S, 64, div, "2d") \
    MUL_UNLESS(S, 16)                 \
    MUL_UNLESS(S, 32)                 \
    MUL_UNLESS(S, 64)

REGISTER(vec)
REGISTER(gather)

/* Each lane of 16 bits or more gets a bit of every register, from these shifted into one another.
 */
INLINE uint64_t vec_zero_bits8(const vec8 a[])
{
    const uint8x16_t own = (uint8x16_t)vdupq_n_u64(0x8040201008040201);
    const uint8x16_t bits = vandq_u8(vceqzq_s8(a[0]), own);
    const uint8x16_t pairs = vpaddq_u8(bits, bits), fours = vpaddq_u8(pairs, pairs);
    return vgetq_lane_u16((uint16x8_t)vpaddq_u8(fours, fours), 0);
}
INLINE uint64_t vec_zero_bits16(const vec16 a[])
{
    const uint16x8_t own = {0x101, 0x202, 0x404, 0x808, 0x1010, 0x2020, 0x4040, 0x8080};
    return vaddvq_u16(vandq_u16(vsliq_n_u16(vceqzq_s16(a[0]), vceqzq_s16(a[1]), 8), own));
}
INLINE uint64_t vec_zero_bits32(const vec32 a[])
{
    const uint32x4_t own = {0x1111, 0x2222, 0x4444, 0x8888};
    uint32x4_t all = vceqzq_s32(a[3]);
    UNROLLED(3)
    for (int i = 2; i >= 0; i--)
        all = vsliq_n_u32(vceqzq_s32(a[i]), all, 4);
    return vaddvq_u32(vandq_u32(all, own));
}
INLINE uint64_t vec_zero_bits64(const vec64 a[])
{
    const uint64x2_t own = {0x5555, 0xAAAA};
    uint64x2_t all = vceqzq_s64(a[7]);
    UNROLLED(7)
    for (int i = 6; i >= 0; i--)
        all = vsliq_n_u64(vceqzq_s64(a[i]), all, 2);
    return vaddvq_u64(vandq_u64(all, own));
}

/* All the bits in every lane, which then picks its own. gcc makes more than one instruction of the
   intrinsic. */
#define TEST_BITS(lanes, mask, a, b) \
    __asm__("cmtst %0." lanes ", %1." lanes ", %2." lanes : "=w"(mask) : "w"(a), "w"(b))

INLINE vec_mask8 vec_from_bits8(uint64_t bits)
{
    const uint8x16_t own = (uint8x16_t)vdupq_n_u64(0x8040201008040201);
    vec_mask8 mask = vcombine_u8(vdup_n_u8((uint8_t)bits), vdup_n_u8((uint8_t)(bits >> 8)));
    TEST_BITS("16b", mask, mask, own);
    return mask;
}
#define FROM_BITS(W, lanes, ...)                            \
    INLINE vec_mask##W vec_from_bits##W(uint64_t bits)      \
    {                                                       \
        const vec_mask##W own = {__VA_ARGS__};              \
        vec_mask##W mask = vdupq_n_u##W((uint##W##_t)bits); \
        TEST_BITS(lanes, mask, mask, own);                  \
        return mask;                                        \
    }
FROM_BITS(16, "8h", 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80)
FROM_BITS(32, "4s", 1, 2, 4, 8)
FROM_BITS(64, "2d", 1, 2)

INLINE void vec_doubles_float32(vec32 a, vec64 wide[])
{
    wide[0] = (vec64)vcvt_f64_f32(vget_low_f32((float32x4_t)a));
    wide[1] = (vec64)vcvt_high_f64_f32((float32x4_t)a);
}
INLINE void vec_doubles_float16(vec16 a, vec64 wide[])
{
    vec_doubles_float32((vec32)vcvt_f32_f16(vget_low_f16((float16x8_t)a)), wide);
    vec_doubles_float32((vec32)vcvt_high_f32_f16((float16x8_t)a), wide + 2);
}

/* Each half becomes a register of lanes twice as wide, until these have 64 bits. */
#define INTEGERS(kind, W, s, narrow, wider, registers)                                         \
    INLINE void gather_integers_##kind##W(gather##W a, gather64 wide[])                        \
    {                                                                                          \
        gather_integers_##kind##wider((gather##wider)vmovl_##s##W(vget_low_##s##W((narrow)a)), \
                                      wide);                                                   \
        gather_integers_##kind##wider((gather##wider)vmovl_high_##s##W((narrow)a),             \
                                      wide + registers);                                       \
    }
#define INTEGERS_OF_KIND(kind, s, type)                                       \
    INLINE void gather_integers_##kind##32(gather32 a, gather64 wide[])       \
    {                                                                         \
        wide[0] = (gather64)vmovl_##s##32(vget_low_##s##32((type##32x4_t)a)); \
        wide[1] = (gather64)vmovl_high_##s##32((type##32x4_t)a);              \
    }                                                                         \
    INTEGERS(kind, 16, s, type##16x8_t, 32, 2)                                \
    INTEGERS(kind, 8, s, type##8x16_t, 16, 4)
INTEGERS_OF_KIND(signed, s, int)
INTEGERS_OF_KIND(unsigned, u, uint)

#define COUNT_IF(W)                                           \
    INLINE vec##W vec_count_if##W(vec##W a, vec_mask##W mask) \
    {                                                         \
        return vsubq_s##W(a, (vec##W)mask);                   \
    }
COUNT_IF(8)
COUNT_IF(16)
COUNT_IF(32)
COUNT_IF(64)

#include "kernels/kernels.inc"

KERNEL_TABLE(neon);

#endif
