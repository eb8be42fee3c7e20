/* What gcc and clang spell differently: a region for one instruction set, unrolling, unused words.
 */

#ifndef FASTRELU_COMPILER_H
#define FASTRELU_COMPILER_H

#define FASTRELU_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define TARGET_BEGIN(features) \
    FASTRELU_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TARGET_END FASTRELU_PRAGMA(clang attribute pop)
#define UNROLLED(times) FASTRELU_PRAGMA(clang loop unroll_count(times))
#elif defined(__GNUC__)
#define TARGET_BEGIN(features) \
    FASTRELU_PRAGMA(GCC push_options) FASTRELU_PRAGMA(GCC target(features))
#define TARGET_END FASTRELU_PRAGMA(GCC pop_options)
#define UNROLLED(times) FASTRELU_PRAGMA(GCC unroll times)
#else
#define UNROLLED(times)
#endif

/* The compiler forgets what it knows of an integer: else it hoists every multiple of a step out of
   a loop, and spills them. */
#if defined(__GNUC__)
#define OPAQUE(integer) __asm__("" : "+r"(integer))
#else
#define OPAQUE(integer)
#endif

/* A kernel that several elements share: inlined, it would be there as often. */
#if defined(__GNUC__)
#define SHARED static __attribute__((noinline))
#else
#define SHARED static
#endif

/* No file uses every word at every width. */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline
#endif

#endif
