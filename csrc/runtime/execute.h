/* The one way in to every kernel. */

#ifndef FASTRELU_EXECUTE_H
#define FASTRELU_EXECUTE_H

#include "kernels/kernels.h"
#include "runtime/overlap.h"
#include "runtime/strides.h"

/* From how many bytes on, of all its operands together, a run is shared among threads, and its
   stores go past the caches. */
struct fastrelu_thresholds {
    size_t parallel_bytes, streaming_bytes;
};

extern struct fastrelu_thresholds fastrelu_thresholds;

/* The same as the three below, in chunks. */
void fastrelu_execute_large(const struct fastrelu_kernel *kernel, char *const args[], size_t n);
void fastrelu_execute_large_strided(const struct fastrelu_kernel *kernel, char *const args[],
                                    const ptrdiff_t steps[], size_t n);
void fastrelu_execute_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                                   size_t n);

/* Every contiguous run of every kernel passes through here. */
static inline void fastrelu_execute_contiguous(const struct fastrelu_kernel *kernel,
                                               char *const args[], size_t n,
                                               enum fastrelu_order order)
{
    const size_t bytes = n * kernel->itemsize * (kernel->inputs + 1);
    if ((bytes < fastrelu_thresholds.parallel_bytes &&
         bytes < fastrelu_thresholds.streaming_bytes) ||
        order != FASTRELU_ANY_ORDER)
        kernel->contiguous(args, n);
    else
        fastrelu_execute_large(kernel, args, n);
}

static inline void fastrelu_execute_strided(const struct fastrelu_kernel *kernel,
                                            char *const args[], const ptrdiff_t steps[], size_t n,
                                            enum fastrelu_order order)
{
    if (n * kernel->itemsize * (kernel->inputs + 1) < fastrelu_thresholds.parallel_bytes ||
        order != FASTRELU_ANY_ORDER)
        kernel->strided(args, steps, n);
    else
        fastrelu_execute_large_strided(kernel, args, steps, n);
}

/* Every run with a mask passes through here. */
static inline void fastrelu_execute_masked(const struct fastrelu_mask_kernel *kernel,
                                           char *const args[], size_t n)
{
    const size_t bytes = n * kernel->itemsize * 2;
    if (bytes < fastrelu_thresholds.parallel_bytes && bytes < fastrelu_thresholds.streaming_bytes)
        kernel->contiguous(args, n);
    else
        fastrelu_execute_large_masked(kernel, args, n);
}

/* Every run over more than one axis passes through here. Elements may be taken in any order. */
void fastrelu_execute_operands(const struct fastrelu_kernel *kernel,
                               const struct fastrelu_operands *operands);

#endif
