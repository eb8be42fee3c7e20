/* The one way in to every kernel. */

#ifndef FASTRELU_RUN_H
#define FASTRELU_RUN_H

#include "fastrelu.h"

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
    kernel->contiguous(args, n);
}

#endif
