/* What this CPU can execute and its system keeps the registers of, asked of them directly:
   __builtin_cpu_supports answers by a library that not every compiler brings. */

#ifndef FASTRELU_ISA_X86_FEATURES_H
#define FASTRELU_ISA_X86_FEATURES_H

#include <cpuid.h>

enum x86_feature { X86_F16C = 1, X86_AVX2 = 2, X86_AVX512F = 4, X86_AVX512BW = 8 };

/* The registers that the system saves and restores: bits of XCR0. macOS sets those of AVX-512 for
   a thread when it first uses them, so that Macs run AVX2; some releases lose mask registers. */
enum { X86_AVX_STATE = 0x6, X86_AVX512_STATE = 0xE6 };

static inline unsigned x86_saved_state(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static inline unsigned x86_features(void)
{
    unsigned a, b, c, d, saved, features = 0;

    /* Without OSXSAVE there is no xgetbv. */
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return 0;
    saved = x86_saved_state();
    if ((saved & X86_AVX_STATE) != X86_AVX_STATE)
        return 0;
    if (c & bit_F16C)
        features |= X86_F16C;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return features;
    if (b & bit_AVX2)
        features |= X86_AVX2;
    if ((saved & X86_AVX512_STATE) == X86_AVX512_STATE) {
        if (b & bit_AVX512F)
            features |= X86_AVX512F;
        if (b & bit_AVX512BW)
            features |= X86_AVX512BW;
    }
    return features;
}

static inline int x86_has(unsigned wanted) { return (x86_features() & wanted) == wanted; }

#endif
