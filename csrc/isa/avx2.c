/* AVX2: x86-64 from 2013 on. */

#if defined(__x86_64__)

#include "../fastrelu.h"
#include "avx2.h"

static int runs_here(void) { return __builtin_cpu_supports("avx2"); }

TARGET_BEGIN("avx2")

AVX2_REGISTER(vec)
AVX2_REGISTER(strided)

#include "../kernels.inc"

TARGET_END

KERNEL_TABLE(avx2);

#endif
