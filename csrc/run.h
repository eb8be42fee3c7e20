/* The one way in to every kernel. */

#ifndef FASTRELU_RUN_H
#define FASTRELU_RUN_H

#include "fastrelu.h"

/* Bytes of an output from which on it goes past the caches: they would keep too little of it for
   what reads it next. */
#define FASTRELU_STREAMED ((size_t)64 << 20)

/* Every contiguous run of every kernel passes through here. */
static inline void fastrelu_run(const struct fastrelu_kernel *kernel, char *const args[], size_t n)
{
    kernel->contiguous(args, n);
}

static inline void fastrelu_run_strided(const struct fastrelu_kernel *kernel, char *const args[],
                                        const ptrdiff_t steps[], size_t n)
{
    kernel->strided(args, steps, n);
}

/* Every run with a mask passes through here. A share of one must begin at a multiple of 8 elements,
   for no two may write to one byte of the mask; at 512, each has as many bytes as a cache line. */
static inline void fastrelu_run_masked(const struct fastrelu_mask_kernel *kernel,
                                       char *const args[], size_t n)
{
    if (n * kernel->itemsize >= FASTRELU_STREAMED && (uintptr_t)args[1] % 16 == 0 &&
        args[0] != args[1])
        kernel->streaming(args, n);
    else
        kernel->contiguous(args, n);
}

#endif
