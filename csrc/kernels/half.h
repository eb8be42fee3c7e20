/* float16 to and from float32: by an instruction where every CPU has it, else in integers. */

#ifndef FASTRELU_HALF_H
#define FASTRELU_HALF_H

#include <stdint.h>
#include <string.h>

#include "kernels/compiler.h"
#include "kernels/fpstatus.h"

#if defined(__aarch64__)

/* A compiler would move a cast before a selection of what is cast, or out of a loop, and report
   what is not selected; and clang casts where it selects or copies a __fp16. */
INLINE float half_to_float(int16_t half)
{
    float value;
    __asm__ volatile("fmov %s0, %w1\n\tfcvt %s0, %h0" : "=w"(value) : "r"((int32_t)half));
    return value;
}

INLINE int16_t float_to_half(float value)
{
    int32_t half;
    __asm__("fcvt %h1, %s1\n\tfmov %w0, %s1" : "=r"(half), "+w"(value));
    return (int16_t)half;
}

#else

/* Exact. A signalling NaN stays one: the arithmetic that follows reports it. */
SHARED float half_to_float(int16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7FFF;
    uint32_t bits = sign | magnitude << 13;
    float value;

    if (magnitude >= 0x7C00) /* infinity, NaN */
        bits += 0x70000000;
    else if (magnitude >= 0x400)
        bits += 0x38000000;
    else { /* zero, subnormal: a multiple of 2^-24 */
        value = (float)(int32_t)magnitude * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to nearest, ties to even. Reports overflow and underflow, as a conversion does. */
SHARED int16_t float_to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;

    if (magnitude > 0x7F800000) /* a NaN keeps the upper bits of its payload, and is quiet */
        return (int16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
    if (magnitude >= 0x477FF000) { /* 65520 and above */
        if (magnitude != 0x7F800000)
            fastrelu_raise_fpstatus(FASTRELU_OVERFLOW);
        return (int16_t)(sign | 0x7C00);
    }
    if (magnitude >= 0x38800000) /* 2^-14 and above; a carry goes into the exponent */
        return (int16_t)(sign | ((magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13));
    /* Subnormal: the significand in units of 2^-24. */
    const uint32_t shift = 126 - (magnitude >> 23);
    if (magnitude == 0 || shift > 25) {
        if (magnitude != 0)
            fastrelu_raise_fpstatus(FASTRELU_UNDERFLOW);
        return (int16_t)sign;
    }
    const uint32_t significand = (magnitude & 0x7FFFFF) | 0x800000;
    const uint32_t dropped = significand & ((1u << shift) - 1), half = 1u << (shift - 1);
    uint32_t kept = significand >> shift;
    if (dropped != 0)
        fastrelu_raise_fpstatus(FASTRELU_UNDERFLOW);
    kept += dropped > half || (dropped == half && (kept & 1));
    return (int16_t)(sign | kept);
}

#endif

#endif
