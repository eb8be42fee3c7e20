/* The one way in to every kernel. */

#ifndef FASTRELU_RUN_H
#define FASTRELU_RUN_H

#include "kernels/kernels.h"
#include "runtime/overlap.h"
#include "runtime/strides.h"

/* From how many bytes on, of all its operands together, a run is shared among threads, and its
   stores go past the caches. */
struct fastrelu_large {
    size_t threaded, streaming;
};

extern struct fastrelu_large fastrelu_large;

/* The same as the three below, in parts. */
void fastrelu_run_large(const struct fastrelu_kernel *kernel, char *const args[], size_t n);
void fastrelu_run_large_strided(const struct fastrelu_kernel *kernel, char *const args[],
                                const ptrdiff_t steps[], size_t n);
void fastrelu_run_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                               size_t n);

/* Every contiguous run of every kernel passes through here. */
static inline void fastrelu_run(const struct fastrelu_kernel *kernel, char *const args[], size_t n,
                                enum fastrelu_order order)
{
    const size_t bytes = n * kernel->itemsize * (kernel->inputs + 1);
    if ((bytes < fastrelu_large.threaded && bytes < fastrelu_large.streaming) ||
        order != FASTRELU_ANY_ORDER)
        kernel->contiguous(args, n);
    else
        fastrelu_run_large(kernel, args, n);
}

static inline void fastrelu_run_strided(const struct fastrelu_kernel *kernel, char *const args[],
                                        const ptrdiff_t steps[], size_t n,
                                        enum fastrelu_order order)
{
    if (n * kernel->itemsize * (kernel->inputs + 1) < fastrelu_large.threaded ||
        order != FASTRELU_ANY_ORDER)
        kernel->strided(args, steps, n);
    else
        fastrelu_run_large_strided(kernel, args, steps, n);
}

/* Every run with a mask passes through here. */
static inline void fastrelu_run_masked(const struct fastrelu_mask_kernel *kernel,
                                       char *const args[], size_t n)
{
    const size_t bytes = n * kernel->itemsize * 2;
    if (bytes < fastrelu_large.threaded && bytes < fastrelu_large.streaming)
        kernel->contiguous(args, n);
    else
        fastrelu_run_large_masked(kernel, args, n);
}

/* Every run over more than one axis passes through here. Elements may be taken in any order. */
void fastrelu_run_views(const struct fastrelu_kernel *kernel, const struct fastrelu_views *views);

#endif
