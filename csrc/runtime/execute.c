/* How a large run is taken: in which chunks, by how many threads, past the caches or not. */

#include "runtime/execute.h"

#include "runtime/threads.h"
#include "kernels/compiler.h"

struct fastrelu_thresholds fastrelu_thresholds = {SIZE_MAX, SIZE_MAX};

enum {
    CACHE_LINE = 64,
    STREAM_ALIGNMENT = 16,
    MIN_STREAM = 1 << 10, /* bytes from fence to fence */
    MIN_CHUNK = 1 << 15,  /* bytes of output: a multiple of it has whole cache lines of mask, too */
    MAX_CHUNK = 1 << 20,
    CHUNKS_PER_THREAD = 4,
    NO_MASK = -1
};

/* Rows of n elements, along the innermost axis. Each is cut into blocks; the first has peel + each
   elements, the others have each, or what is left. Parts are so many blocks, one after another. */
struct execution {
    void (*contiguous)(char *const args[], size_t n); /* NULL if it is strided */
    void (*strided)(char *const args[], const ptrdiff_t steps[], size_t n);
    char *const *args;
    const ptrdiff_t *steps;
    int n_operands, mask; /* its index */
    size_t n, peel, each;
    const struct fastrelu_operands *operands; /* NULL if there is but one row */
    size_t blocks_per_row, blocks, blocks_per_chunk;
};

static inline void run_kernel(const struct execution *execution, char *const args[], size_t n)
{
    if (execution->contiguous)
        execution->contiguous(args, n);
    else
        execution->strided(args, execution->steps, n);
}

static void do_block(const struct execution *execution, char *const row[], size_t block)
{
    const size_t from = block == 0 ? 0 : execution->peel + block * execution->each;
    const size_t to = execution->peel + (block + 1) * execution->each,
                 n = (to < execution->n ? to : execution->n) - from;
    char *args[FASTRELU_MAX_OPERANDS];

    for (int i = 0; i < execution->n_operands; i++)
        args[i] = row[i] + (i == execution->mask ? (ptrdiff_t)from / 8
                                                 : (ptrdiff_t)from * execution->steps[i]);
    run_kernel(execution, args, n);
}

struct row {
    char *args[FASTRELU_MAX_OPERANDS];
    size_t at[FASTRELU_MAX_AXES];
};

static inline void move(char *args[], const ptrdiff_t steps[], ptrdiff_t times)
{
    UNROLLED(3)
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        args[i] += times * steps[i];
}

static void find_row(const struct execution *execution, size_t number, struct row *row)
{
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        row->args[i] = i < execution->n_operands ? execution->args[i] : NULL;
    for (int axis = execution->operands ? execution->operands->axes - 2 : -1; axis >= 0; axis--) {
        row->at[axis] = number % execution->operands->shape[axis];
        number /= execution->operands->shape[axis];
        move(row->args, execution->operands->steps[axis], (ptrdiff_t)row->at[axis]);
    }
}

static inline void next_row(const struct execution *execution, struct row *row)
{
    for (int axis = execution->operands ? execution->operands->axes - 2 : -1; axis >= 0; axis--) {
        const ptrdiff_t n = (ptrdiff_t)execution->operands->shape[axis];
        if (++row->at[axis] < (size_t)n) {
            move(row->args, execution->operands->steps[axis], 1);
            return;
        }
        move(row->args, execution->operands->steps[axis], 1 - n);
        row->at[axis] = 0;
    }
}

static void do_chunk(const void *work, size_t chunk)
{
    const struct execution *execution = work;
    const size_t first = chunk * execution->blocks_per_chunk, left = execution->blocks - first;
    size_t block = first % execution->blocks_per_row;
    struct row row;

    find_row(execution, first / execution->blocks_per_row, &row);
    size_t n = left < execution->blocks_per_chunk ? left : execution->blocks_per_chunk;
    if (execution->blocks_per_row == 1)
        for (; n > 0; n--, next_row(execution, &row))
            run_kernel(execution, row.args, execution->n);
    else
        for (; n > 0; n--) {
            do_block(execution, row.args, block);
            if (++block == execution->blocks_per_row) {
                block = 0;
                next_row(execution, &row);
            }
        }
}

/* The bytes of a chunk: some for every thread, each enough and none too much for a cache. */
static size_t chunk_size(size_t bytes)
{
    const size_t chunk = bytes / (CHUNKS_PER_THREAD * (size_t)fastrelu_get_num_threads());
    return chunk < MIN_CHUNK ? MIN_CHUNK : chunk > MAX_CHUNK ? MAX_CHUNK : chunk;
}

static void share(struct execution *execution, size_t rows, size_t itemsize)
{
    const size_t chunk = chunk_size(rows * execution->n * itemsize);
    execution->each = chunk / MIN_CHUNK * MIN_CHUNK / itemsize;
    const size_t body = execution->n > execution->peel ? execution->n - execution->peel : 0;
    execution->blocks_per_row = body ? (body + execution->each - 1) / execution->each : 1;
    execution->blocks = rows * execution->blocks_per_row;
    const size_t row = execution->n * itemsize;
    execution->blocks_per_chunk = execution->blocks_per_row > 1 ? 1 : (chunk + row - 1) / row;
    fastrelu_parallel_for(do_chunk, execution,
                          (execution->blocks + execution->blocks_per_chunk - 1) /
                              execution->blocks_per_chunk);
}

/* A store past the caches to a line that the input has brought into them takes the line out again.
 */
static int use_streaming_stores(const char *out, size_t bytes)
{
    return bytes >= fastrelu_thresholds.streaming_bytes && (uintptr_t)out % STREAM_ALIGNMENT == 0;
}

static int not_in_place(char *const args[], int inputs)
{
    for (int i = 0; i < inputs; i++)
        if (args[i] == args[inputs])
            return 0;
    return 1;
}

void fastrelu_execute_large(const struct fastrelu_kernel *kernel, char *const args[], size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {itemsize, itemsize, itemsize};
    const char *out = args[kernel->inputs];
    const size_t over = (uintptr_t)out % CACHE_LINE;
    const int streaming = not_in_place(args, kernel->inputs) &&
                          use_streaming_stores(out, n * kernel->itemsize * (kernel->inputs + 1));
    struct execution execution = {.contiguous = streaming ? kernel->streaming : kernel->contiguous,
                                  .args = args,
                                  .steps = steps,
                                  .n_operands = kernel->inputs + 1,
                                  .mask = NO_MASK,
                                  .n = n};

    if (over % kernel->itemsize == 0)
        execution.peel = (CACHE_LINE - over) % CACHE_LINE / kernel->itemsize;
    share(&execution, 1, kernel->itemsize);
}

void fastrelu_execute_large_strided(const struct fastrelu_kernel *kernel, char *const args[],
                                    const ptrdiff_t steps[], size_t n)
{
    struct execution execution = {.strided = kernel->strided,
                                  .args = args,
                                  .steps = steps,
                                  .n_operands = kernel->inputs + 1,
                                  .mask = NO_MASK,
                                  .n = n};
    share(&execution, 1, kernel->itemsize);
}

void fastrelu_execute_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                                   size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {itemsize, itemsize, 0};
    const int streaming =
        not_in_place(args, 1) && use_streaming_stores(args[1], n * kernel->itemsize * 2);
    struct execution execution = {.contiguous = streaming ? kernel->streaming : kernel->contiguous,
                                  .args = args,
                                  .steps = steps,
                                  .n_operands = 3,
                                  .mask = 2,
                                  .n = n};
    share(&execution, 1, kernel->itemsize);
}

void fastrelu_execute_operands(const struct fastrelu_kernel *kernel,
                               const struct fastrelu_operands *operands)
{
    const int inputs = kernel->inputs, inner = operands->axes - 1;
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const size_t n = operands->shape[inner];
    const ptrdiff_t *steps = operands->steps[inner];
    size_t rows = 1;
    int contiguous = 1, aligned = 1;

    for (int axis = 0; axis < inner; axis++) {
        rows *= operands->shape[axis];
        aligned &= operands->steps[axis][inputs] % STREAM_ALIGNMENT == 0;
    }
    for (int i = 0; i <= inputs; i++)
        contiguous &= steps[i] == itemsize;
    const size_t bytes = rows * n * kernel->itemsize * (inputs + 1);
    const int streaming = aligned && n * kernel->itemsize >= MIN_STREAM &&
                          not_in_place(operands->args, inputs) &&
                          use_streaming_stores(operands->args[inputs], bytes);
    struct execution execution = {.contiguous = !contiguous ? NULL
                                                : streaming ? kernel->streaming
                                                            : kernel->contiguous,
                                  .strided = kernel->strided,
                                  .args = operands->args,
                                  .steps = steps,
                                  .n_operands = inputs + 1,
                                  .mask = NO_MASK,
                                  .n = n,
                                  .operands = operands};
    if (bytes >= fastrelu_thresholds.parallel_bytes)
        share(&execution, rows, kernel->itemsize);
    else {
        execution.each = n;
        execution.blocks_per_row = 1;
        execution.blocks = execution.blocks_per_chunk = rows;
        do_chunk(&execution, 0);
    }
}
