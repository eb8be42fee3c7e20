/* What gcc and clang spell differently: a region for one instruction set, unrolling, inlining. */

#ifndef FASTRELU_COMPILER_H
#define FASTRELU_COMPILER_H

#if !defined(__GNUC__) && !defined(__clang__)
#error \
    "build fastrelu with gcc or clang (on Windows clang-cl): others lack target regions and vectors"
#endif

#define FASTRELU_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define TARGET_BEGIN(features) \
    FASTRELU_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TARGET_END FASTRELU_PRAGMA(clang attribute pop)
#define UNROLLED(times) FASTRELU_PRAGMA(clang loop unroll_count(times))
#else
#define TARGET_BEGIN(features) \
    FASTRELU_PRAGMA(GCC push_options) FASTRELU_PRAGMA(GCC target(features))
#define TARGET_END FASTRELU_PRAGMA(GCC pop_options)
#define UNROLLED(times) FASTRELU_PRAGMA(GCC unroll times)
#endif

/* The compiler forgets the value of an integer: otherwise it hoists every multiple of a step out of
   a loop, and spills them. */
#define OPAQUE(integer) __asm__("" : "+r"(integer))

/* One copy of a body for all kernels that call it. */
#define SHARED static __attribute__((noinline, unused))

/* No file uses every primitive at every width. */
#define INLINE static inline __attribute__((unused))

/* For bodies with constant arguments, which must be folded. */
#define ALWAYS_INLINE static inline __attribute__((always_inline, unused))

/* If both operands of an addition are NaN, the first is the result. Where that is one lane, as in
   tails, a compiler keeps their order; of registers gcc may still swap them. */
#if defined(__x86_64__)
#define KEEP_FIRST(a) __asm__("" : "+x"(a))
#else
#define KEEP_FIRST(a) (void)(a)
#endif
#define KEEP_FIRST_OF_add(a) KEEP_FIRST(a)
#define KEEP_FIRST_OF_mul(a) KEEP_FIRST(a)
#define KEEP_FIRST_OF_sub(a) (void)(a) /* no compiler swaps these */
#define KEEP_FIRST_OF_div(a) (void)(a)
#define KEEP_FIRST_OF_max(a) (void)(a)

/* x = x operator y. With three operands, as on AArch64, an instruction alone keeps their order. */
#if defined(__aarch64__)
#define COMPUTE(name, operator, type, x, y)                                            \
    __asm__("f" #name " %" FORMAT_##type "0, %" FORMAT_##type "1, %" FORMAT_##type "2" \
            : "=w"(x)                                                                  \
            : "w"(x), "w"(y))
#define FORMAT_float "s"
#define FORMAT_double "d"
#else
#define COMPUTE(name, operator, type, x, y) \
    KEEP_FIRST_OF_##name(x);                \
    x = x operator y
#endif

/* Orders non-temporal stores before all that come later. No other architecture has them here. */
#if defined(__x86_64__)
#define FENCE_STREAM() __builtin_ia32_sfence()
#else
#define FENCE_STREAM() (void)0
#endif

/* Seen by who loads the library. */
#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#endif
