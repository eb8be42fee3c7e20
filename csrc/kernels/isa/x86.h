/* What the instruction sets of x86-64 have in common: tuning. */

#ifndef FASTRELU_ISA_X86_H
#define FASTRELU_ISA_X86_H

#include <immintrin.h>
#if defined(_MSC_VER) /* clang's immintrin.h leaves out what the command line does not ask for */
#include <smmintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <f16cintrin.h>
#include <avx512fintrin.h>
#include <avx512bwintrin.h>
#endif

#include "kernels/compiler.h"
#include "kernels/scalar.h"

/* A store that crosses a cache line costs two; shorter runs do not repay the peeling. */
#define ALIGNED_FROM 4096

/* A load that needs the bytes of several stores in flight waits until all have left the store
   buffer. */
#define STORE_FORWARDING_DISTANCE 128

/* Inserting and extracting narrower lanes costs more than scalars do; but scalars are slow to
   convert float16, and to select it. */
#define GATHER_MIN_WIDTH_signed 64
#define GATHER_MIN_WIDTH_unsigned 64
#define GATHER_MIN_WIDTH_float 16
#define GATHER_MIN_WIDTH_small 64

/* The compiler forgets that a register holds a constant: gcc makes of a comparison with one a
   minimum and a comparison. */
#define OPAQUE_REGISTER(a) __asm__("" : "+x"(a))

#define HAS_FLOAT_MAXIMUM
#define HAS_STREAM

#endif
