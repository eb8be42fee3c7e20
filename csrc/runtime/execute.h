/* Entry points: run a kernel over contiguous or strided operands, over several axes, or with a
   mask. Elements may be taken in any order: overlap.h says when they may. */

#ifndef FASTRELU_EXECUTE_H
#define FASTRELU_EXECUTE_H

#include "kernels/kernels.h"
#include "runtime/strides.h"

/* In bytes that a call reads and writes. */
struct fastrelu_thresholds {
    /* From where threads that are awake share a call, and how much each has at least. */
    size_t parallel_bytes, parallel_bytes_each;
    /* The same for threads that have to be woken. */
    size_t woken_bytes, woken_bytes_each;
    /* From here on stores are non-temporal: the caches do not hold the call. So much, and so much
       more for each thread, up to the last. */
    size_t streaming_bytes, streaming_bytes_each, streaming_bytes_most;
};

extern struct fastrelu_thresholds fastrelu_current_thresholds;

/* How many threads share a call that reads and writes so many bytes. */
int fastrelu_choose_threads_for(size_t bytes);

/* In bytes; the second is the least part of an output that one thread takes. */
enum { FASTRELU_CACHE_LINE = 64, FASTRELU_MIN_CHUNK = 1 << 15 };
enum { FASTRELU_CHUNKS_PER_THREAD = 4 };

/* An input of numbers is not counted: it is read once. */
static inline size_t fastrelu_bytes_moved(const struct fastrelu_kernel *kernel,
                                          const ptrdiff_t steps[], size_t n)
{
    size_t arrays = 1;
    for (int i = 0; i < kernel->inputs; i++)
        arrays += steps[i] != 0;
    return n * kernel->itemsize * arrays;
}

/* Whether the contiguous kernel takes operands with these steps. */
static inline int fastrelu_is_contiguous(const struct fastrelu_kernel *kernel,
                                         const ptrdiff_t steps[])
{
    int numbers = 0;
    for (int i = 0; i < kernel->inputs; i++)
        if (steps[i] == 0 && (int)kernel->numbers >> i & 1)
            numbers++;
        else if (steps[i] != (ptrdiff_t)kernel->itemsize)
            return 0;
    return numbers <= 1 && steps[kernel->inputs] == (ptrdiff_t)kernel->itemsize;
}

/* How many rows of so many bytes fill whole cache lines. */
static inline size_t fastrelu_rows_of_lines(size_t bytes)
{
    const size_t lowest_bit = bytes & -bytes;
    return lowest_bit < FASTRELU_CACHE_LINE ? FASTRELU_CACHE_LINE / lowest_bit : 1;
}

/* How rows are written. */
enum fastrelu_stores {
    FASTRELU_ORDINARY,
    FASTRELU_STREAM_LINES, /* by fastrelu_stream: what fills no line by ordinary stores */
    FASTRELU_STREAM_ALL    /* by the streaming kernel */
};

/* Contiguous operands, by non-temporal stores. FENCE_STREAM orders them before later ones. */
void fastrelu_stream(const struct fastrelu_kernel *kernel, char *const args[],
                     const ptrdiff_t steps[], size_t n);

/* The same as the entry points below, in chunks. */
void fastrelu_execute_chunks(const struct fastrelu_kernel *kernel, char *const args[],
                             const ptrdiff_t steps[], size_t n, int n_threads, int streaming);
void fastrelu_execute_large(const struct fastrelu_kernel *kernel, char *const args[],
                            const ptrdiff_t steps[], size_t n);
void fastrelu_execute_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                                   size_t n);

/* Any steps. */
static inline void fastrelu_execute(const struct fastrelu_kernel *kernel, char *const args[],
                                    const ptrdiff_t steps[], size_t n)
{
    const size_t bytes = fastrelu_bytes_moved(kernel, steps, n);
    if (bytes >= fastrelu_current_thresholds.parallel_bytes ||
        bytes >= fastrelu_current_thresholds.streaming_bytes)
        fastrelu_execute_large(kernel, args, steps, n);
    else if (fastrelu_is_contiguous(kernel, steps))
        kernel->contiguous(args, steps, n);
    else
        kernel->strided(args, steps, n);
}

/* Steps that the contiguous kernel takes. */
static inline void fastrelu_execute_contiguous(const struct fastrelu_kernel *kernel,
                                               char *const args[], const ptrdiff_t steps[],
                                               size_t n)
{
    const size_t most = n * kernel->itemsize * (size_t)(kernel->inputs + 1);
    if (most < fastrelu_current_thresholds.parallel_bytes &&
        most < fastrelu_current_thresholds.streaming_bytes)
        kernel->contiguous(args, steps, n);
    else
        fastrelu_execute(kernel, args, steps, n);
}

static inline void fastrelu_execute_masked(const struct fastrelu_mask_kernel *kernel,
                                           char *const args[], size_t n)
{
    const size_t bytes = 2 * n * kernel->itemsize;
    if (bytes >= fastrelu_current_thresholds.parallel_bytes ||
        bytes >= fastrelu_current_thresholds.streaming_bytes)
        fastrelu_execute_large_masked(kernel, args, n);
    else
        kernel->contiguous(args, NULL, n);
}

/* Operands with axes, as fastrelu_coalesce_axes leaves them. */
void fastrelu_execute_operands(const struct fastrelu_kernel *kernel,
                               const struct fastrelu_operands *operands);

#endif
