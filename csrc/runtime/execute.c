/* How a call is divided into chunks, and which stores they use. */

#include "runtime/execute.h"

#include <string.h>

#include "kernels/compiler.h"
#include "runtime/short_rows.h"
#include "runtime/threads.h"
#include "runtime/transpose.h"

struct fastrelu_thresholds fastrelu_current_thresholds = {SIZE_MAX, 1, SIZE_MAX, 1,
                                                          SIZE_MAX, 0, SIZE_MAX};

enum {
    STREAM_ALIGNMENT = 16,
    MIN_STREAM_LINES = 1 << 7, /* bytes of a row of non-temporal stores, of whole cache lines */
    MIN_STREAM = 3 << 10,      /* of any other */
    MAX_PREFETCHED = 1 << 12,  /* bytes of a row that is prefetched, and of all that are */
    MAX_CHUNK = 1 << 20,       /* some of it stays in a cache until the next call */
    NO_MASK = -1
};

/* Rows of n elements, along the innermost axis. Each row is cut into blocks: the first has peel +
   block_size elements, the others block_size, or what is left. A chunk is some blocks in a row. */
struct execution {
    fastrelu_loop *loop;
    char *const *args;
    const ptrdiff_t *steps;
    int n_operands, mask;                   /* the index of the operand that is a mask */
    const struct fastrelu_kernel *streamed; /* by fastrelu_stream, not by the loop; or NULL */
    int fenced;                             /* after non-temporal stores */
    size_t n, peel, block_size;
    const struct fastrelu_operands *operands; /* NULL if there is but one row */
    size_t row_bytes;
    int n_ahead; /* what is prefetched for each row: from so far ahead, so many bytes */
    struct {
        int operand;
        ptrdiff_t distance;
        size_t bytes;
    } ahead[FASTRELU_MAX_OPERANDS + 1];
    size_t blocks_per_row, blocks, blocks_per_chunk;
    const struct fastrelu_short_rows *short_rows; /* several a call; or NULL */
};

struct row {
    char *args[FASTRELU_MAX_OPERANDS];
    size_t index[FASTRELU_MAX_AXES];
};

/* What does not fill a line is written by ordinary stores, all that lie in it: one of them after a
   non-temporal store to the same line waits for memory. */
void fastrelu_stream(const struct fastrelu_kernel *kernel, char *const args[],
                     const ptrdiff_t steps[], size_t n)
{
    const size_t line = FASTRELU_CACHE_LINE, bytes = n * kernel->itemsize;
    const size_t head = -(uintptr_t)args[kernel->inputs] % line;
    const size_t body = head < bytes ? (bytes - head) / line * line : 0;
    const int shift = __builtin_ctz((unsigned)kernel->itemsize); /* a division would cost more */

    if (body == 0 || head >> shift << shift != head)
        kernel->contiguous(args, steps, n);
    else if (body == bytes)
        kernel->streaming(args, steps, n);
    else {
        const size_t parts[] = {head >> shift, body >> shift, n - ((head + body) >> shift)};
        char *from[FASTRELU_MAX_OPERANDS];
        size_t done = 0;
        for (int part = 0; part < 3; done += parts[part++]) {
            for (int i = 0; i <= kernel->inputs; i++)
                from[i] = args[i] + (ptrdiff_t)done * steps[i];
            if (parts[part] > 0)
                (part == 1 ? kernel->streaming : kernel->contiguous)(from, steps, parts[part]);
        }
    }
}

static inline void execute_elements(const struct execution *execution, char *const args[], size_t n)
{
    if (execution->streamed)
        fastrelu_stream(execution->streamed, args, execution->steps, n);
    else
        execution->loop(args, execution->steps, n);
}

static void execute_block(const struct execution *execution, char *const row[], size_t block)
{
    const size_t from = block == 0 ? 0 : execution->peel + block * execution->block_size;
    const size_t to = execution->peel + (block + 1) * execution->block_size;
    const size_t n = (to < execution->n ? to : execution->n) - from;
    char *args[FASTRELU_MAX_OPERANDS];

    for (int i = 0; i < execution->n_operands; i++)
        args[i] = row[i] + (i == execution->mask ? (ptrdiff_t)(from / 8)
                                                 : (ptrdiff_t)from * execution->steps[i]);
    execute_elements(execution, args, n);
}

static inline void move(char *args[], const ptrdiff_t steps[], ptrdiff_t times)
{
    UNROLLED(4)
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        args[i] += times * steps[i];
}

static void find_row(const struct execution *execution, size_t number, struct row *row)
{
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        row->args[i] = i < execution->n_operands ? execution->args[i] : NULL;
    for (int axis = execution->operands ? execution->operands->axes - 2 : -1; axis >= 0; axis--) {
        row->index[axis] = number % execution->operands->shape[axis];
        number /= execution->operands->shape[axis];
        move(row->args, execution->operands->steps[axis], (ptrdiff_t)row->index[axis]);
    }
}

static inline void next_row(const struct execution *execution, struct row *row)
{
    for (int axis = execution->operands ? execution->operands->axes - 2 : -1; axis >= 0; axis--) {
        const ptrdiff_t n = (ptrdiff_t)execution->operands->shape[axis];
        if (++row->index[axis] < (size_t)n) {
            move(row->args, execution->operands->steps[axis], 1);
            return;
        }
        move(row->args, execution->operands->steps[axis], 1 - n);
        row->index[axis] = 0;
    }
}

/* Asks for a row to come. Inline: gcc leaves out calls of functions that only prefetch. */
ALWAYS_INLINE void prefetch_row(const struct execution *execution, char *const row[])
{
    for (int i = 0; i < execution->n_ahead; i++) {
        const char *const from = row[execution->ahead[i].operand] + execution->ahead[i].distance;
        const size_t end = execution->ahead[i].bytes + (uintptr_t)from % FASTRELU_CACHE_LINE;
        for (size_t at = 0; at < end; at += FASTRELU_CACHE_LINE)
            __builtin_prefetch(from + at);
    }
}

static void execute_chunk(const void *context, size_t chunk)
{
    const struct execution *execution = context;
    const size_t first = chunk * execution->blocks_per_chunk, left = execution->blocks - first;
    size_t block = first % execution->blocks_per_row;
    struct row row;

    find_row(execution, first / execution->blocks_per_row, &row);
    size_t n = left < execution->blocks_per_chunk ? left : execution->blocks_per_chunk;
    if (execution->short_rows) {
        const int axis = execution->operands->axes - 2;
        for (size_t rows; n > 0; n -= rows) {
            const size_t here = execution->operands->shape[axis] - row.index[axis];
            rows = n < here ? n : here;
            fastrelu_execute_short_rows(execution->short_rows, row.args, rows);
            row.index[axis] += rows - 1;
            move(row.args, execution->operands->steps[axis], (ptrdiff_t)rows - 1);
            next_row(execution, &row);
        }
    } else if (execution->blocks_per_row == 1)
        for (; n > 0; n--, next_row(execution, &row)) {
            prefetch_row(execution, row.args);
            execute_elements(execution, row.args, execution->n);
        }
    else
        for (; n > 0; n--) {
            execute_block(execution, row.args, block);
            if (++block == execution->blocks_per_row) {
                block = 0;
                next_row(execution, &row);
            }
        }
    if (execution->fenced)
        FENCE_STREAM();
}

int fastrelu_choose_threads_for(size_t bytes)
{
    const struct fastrelu_thresholds *thresholds = &fastrelu_current_thresholds;
    if (bytes < thresholds->parallel_bytes)
        return 1;
    return fastrelu_choose_threads(
        bytes / thresholds->parallel_bytes_each,
        bytes < thresholds->woken_bytes ? 1 : bytes / thresholds->woken_bytes_each);
}

static size_t chunk_size(size_t bytes, int n_threads)
{
    const size_t size = bytes / (FASTRELU_CHUNKS_PER_THREAD * (size_t)n_threads);
    return size < FASTRELU_MIN_CHUNK ? FASTRELU_MIN_CHUNK : size > MAX_CHUNK ? MAX_CHUNK : size;
}

/* A block is a multiple of the least chunk, so that each begins with a whole byte of the mask. */
static void execute_rows(struct execution *execution, size_t rows, size_t itemsize, int n_threads)
{
    if (n_threads > 1 && execution->n > 0) {
        const size_t size = chunk_size(rows * execution->n * itemsize, n_threads);
        const size_t row = execution->n * itemsize;
        execution->block_size = size / FASTRELU_MIN_CHUNK * FASTRELU_MIN_CHUNK / itemsize;
        const size_t body = execution->n > execution->peel ? execution->n - execution->peel : 0;
        const size_t blocks = (body + execution->block_size - 1) / execution->block_size;
        execution->blocks_per_row = blocks ? blocks : 1;
        execution->blocks = rows * execution->blocks_per_row;
        execution->blocks_per_chunk = execution->blocks_per_row > 1 ? 1 : (size + row - 1) / row;
        fastrelu_parallel_for(n_threads,
                              (execution->blocks + execution->blocks_per_chunk - 1) /
                                  execution->blocks_per_chunk,
                              execute_chunk, execution);
    } else {
        execution->block_size = execution->n;
        execution->blocks_per_row = 1;
        execution->blocks = execution->blocks_per_chunk = rows;
        execute_chunk(execution, 0);
    }
}

static int not_in_place(char *const args[], int inputs)
{
    for (int i = 0; i < inputs; i++)
        if (args[i] == args[inputs])
            return 0;
    return 1;
}

/* A non-temporal store to a line that the input has brought into the caches takes the line out
   again. */
static int use_streaming_stores(char *const args[], int inputs, size_t bytes, int n_threads)
{
    const struct fastrelu_thresholds *thresholds = &fastrelu_current_thresholds;
    const size_t sum =
        thresholds->streaming_bytes + thresholds->streaming_bytes_each * (size_t)n_threads;
    return (bytes >= sum || bytes >= thresholds->streaming_bytes_most) &&
           not_in_place(args, inputs);
}

void fastrelu_execute_chunks(const struct fastrelu_kernel *kernel, char *const args[],
                             const ptrdiff_t steps[], size_t n, int n_threads, int streaming)
{
    const size_t over = (uintptr_t)args[kernel->inputs] % FASTRELU_CACHE_LINE;
    struct execution execution = {.loop = kernel->strided,
                                  .args = args,
                                  .steps = steps,
                                  .n_operands = kernel->inputs + 1,
                                  .mask = NO_MASK,
                                  .n = n};

    if (fastrelu_is_contiguous(kernel, steps)) {
        execution.loop = kernel->contiguous;
        execution.fenced = streaming && kernel->streaming;
        execution.streamed = execution.fenced ? kernel : NULL;
        if (over % kernel->itemsize == 0)
            execution.peel = (FASTRELU_CACHE_LINE - over) % FASTRELU_CACHE_LINE / kernel->itemsize;
    }
    execute_rows(&execution, 1, kernel->itemsize, n_threads);
}

void fastrelu_execute_large(const struct fastrelu_kernel *kernel, char *const args[],
                            const ptrdiff_t steps[], size_t n)
{
    const size_t bytes = fastrelu_bytes_moved(kernel, steps, n);
    const int n_threads = fastrelu_choose_threads_for(bytes);
    fastrelu_execute_chunks(kernel, args, steps, n, n_threads,
                            use_streaming_stores(args, kernel->inputs, bytes, n_threads));
}

void fastrelu_execute_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                                   size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {itemsize, itemsize, 0};
    const size_t bytes = 2 * n * kernel->itemsize;
    const int n_threads = fastrelu_choose_threads_for(bytes);
    const int streaming = kernel->streaming && (uintptr_t)args[1] % STREAM_ALIGNMENT == 0 &&
                          use_streaming_stores(args, 1, bytes, n_threads);
    struct execution execution = {.loop = streaming ? kernel->streaming : kernel->contiguous,
                                  .args = args,
                                  .steps = steps,
                                  .n_operands = 3,
                                  .mask = 2,
                                  .fenced = streaming,
                                  .n = n};
    execute_rows(&execution, 1, kernel->itemsize, n_threads);
}

/* Whether rows of the output are whole cache lines. Short ones may begin within a line: a store of
   the next row completes the last line, or it leaves the caches partly written. */
static int has_whole_lines(const struct fastrelu_operands *operands, size_t row_bytes)
{
    const int out = operands->n_operands - 1;
    const size_t unit = row_bytes <= MAX_PREFETCHED ? STREAM_ALIGNMENT : FASTRELU_CACHE_LINE;
    size_t places = (uintptr_t)operands->args[out];

    for (int axis = 0; axis < operands->axes - 1; axis++)
        places |= (size_t)operands->steps[axis][out];
    return row_bytes % FASTRELU_CACHE_LINE == 0 && places % unit == 0;
}

static enum fastrelu_stores stores_of_rows(const struct fastrelu_kernel *kernel,
                                           const struct fastrelu_operands *operands, size_t bytes,
                                           int n_threads)
{
    const size_t row_bytes = operands->shape[operands->axes - 1] * kernel->itemsize;
    const int whole = has_whole_lines(operands, row_bytes);
    if (!kernel->streaming || row_bytes < (whole ? MIN_STREAM_LINES : MIN_STREAM) ||
        !use_streaming_stores(operands->args, kernel->inputs, bytes, n_threads))
        return FASTRELU_ORDINARY;
    return whole ? FASTRELU_STREAM_ALL : FASTRELU_STREAM_LINES;
}

static size_t bytes_of(const struct fastrelu_kernel *kernel,
                       const struct fastrelu_operands *operands)
{
    size_t bytes = 0;
    for (int i = 0; i <= kernel->inputs; i++)
        bytes += kernel->itemsize * fastrelu_elements_of(operands, i);
    return bytes;
}

static void add_ahead(struct execution *execution, int operand, size_t from, size_t bytes)
{
    const ptrdiff_t step = execution->operands->steps[execution->operands->axes - 2][operand];
    const ptrdiff_t rows = (ptrdiff_t)(MAX_PREFETCHED / execution->row_bytes);
    const int i = execution->n_ahead++;
    execution->ahead[i].operand = operand;
    execution->ahead[i].distance = rows * step + (ptrdiff_t)from;
    execution->ahead[i].bytes = bytes;
}

/* Rows that are arrays; of an output that is streamed by lines, both ends. */
static void set_ahead(struct execution *execution)
{
    const int out = execution->n_operands - 1;

    for (int i = 0; i < out + !execution->fenced; i++)
        if (execution->steps[i] != 0)
            add_ahead(execution, i, 0, execution->row_bytes);
    if (execution->streamed) {
        add_ahead(execution, out, 0, 1);
        add_ahead(execution, out, execution->row_bytes, 1);
    }
}

static void execute_axes(const struct fastrelu_kernel *kernel,
                         const struct fastrelu_operands *operands, size_t bytes, int n_threads)
{
    const int inputs = kernel->inputs, inner = operands->axes - 1;
    const size_t n = operands->shape[inner], row_bytes = n * kernel->itemsize;
    const ptrdiff_t *steps = operands->steps[inner];
    size_t rows = 1;

    for (int axis = 0; axis < inner; axis++)
        rows *= operands->shape[axis];
    struct execution execution = {.loop = kernel->strided,
                                  .args = operands->args,
                                  .steps = steps,
                                  .n_operands = inputs + 1,
                                  .mask = NO_MASK,
                                  .n = n,
                                  .operands = operands,
                                  .row_bytes = row_bytes};
    const int beyond_caches = bytes >= fastrelu_current_thresholds.streaming_bytes;
    const int contiguous = fastrelu_is_contiguous(kernel, steps);
    const enum fastrelu_stores stores =
        contiguous ? stores_of_rows(kernel, operands, bytes, n_threads) : FASTRELU_ORDINARY;
    struct fastrelu_short_rows short_rows;
    if (contiguous && stores != FASTRELU_STREAM_ALL &&
        fastrelu_are_short_rows(&short_rows, kernel, steps, operands->steps[inner - 1], n,
                                operands->shape[inner - 1])) {
        execution.short_rows = &short_rows;
        short_rows.streams = kernel->streaming && !(short_rows.copied >> inputs & 1) &&
                             use_streaming_stores(operands->args, inputs, bytes, n_threads);
        short_rows.rows_ahead = beyond_caches ? (ptrdiff_t)(MAX_PREFETCHED / row_bytes) : 0;
        execution.fenced = short_rows.streams;
    } else if (contiguous) {
        execution.loop = stores == FASTRELU_STREAM_ALL ? kernel->streaming : kernel->contiguous;
        execution.streamed = stores == FASTRELU_STREAM_LINES ? kernel : NULL;
        execution.fenced = stores != FASTRELU_ORDINARY;
        if (row_bytes <= MAX_PREFETCHED && row_bytes >= kernel->prefetched_row && beyond_caches)
            set_ahead(&execution);
    }
    execute_rows(&execution, rows, kernel->itemsize, n_threads);
}

/* Short rows that an input has in another order: row by row, each of its cache lines would be read
   once for each row in it. So they go by blocks of the axis before the innermost, whose input a
   second cache holds. */

enum { CROSSED_ROW = 1 << 8, BLOCK_BYTES = 1 << 18, MIN_BLOCK_ROWS = 32 };

static int has_crossed_rows(const struct fastrelu_kernel *kernel,
                            const struct fastrelu_operands *operands)
{
    const int inner = operands->axes - 1;

    if (inner < 2 || operands->shape[inner] * kernel->itemsize >= CROSSED_ROW)
        return 0;
    for (int i = 0; i < kernel->inputs; i++) {
        const ptrdiff_t outer = fastrelu_magnitude(operands->steps[inner - 2][i]);
        if (outer != 0 && outer < fastrelu_magnitude(operands->steps[inner - 1][i]))
            return 1;
    }
    return 0;
}

static void execute_crossed_rows(const struct fastrelu_kernel *kernel,
                                 const struct fastrelu_operands *operands, int n_threads)
{
    const int inner = operands->axes - 1, axis = inner - 1;
    const size_t bytes = operands->shape[axis - 1] * operands->shape[inner] * kernel->itemsize;
    const size_t rows = BLOCK_BYTES / bytes < MIN_BLOCK_ROWS ? MIN_BLOCK_ROWS : BLOCK_BYTES / bytes;
    struct fastrelu_operands block = *operands;

    for (size_t from = 0; from < operands->shape[axis]; from += rows) {
        const size_t left = operands->shape[axis] - from;
        block.shape[axis] = left < rows ? left : rows;
        for (int i = 0; i <= kernel->inputs; i++)
            block.args[i] = operands->args[i] + (ptrdiff_t)from * operands->steps[axis][i];
        execute_axes(kernel, &block, bytes_of(kernel, &block), n_threads);
    }
}

/* An input that is the same short row for every row of the others is repeated in a buffer, a tile,
   so that a call of the kernel takes several rows. Tiles begin and end with cache lines of the
   output: a load of the rest of a line waits for a store in flight to its beginning. A tile lies
   half a page from the output: a load waits for a store in flight to the same place in another
   page. */

enum { MIN_TILE = 1 << 10, MAX_TILE = 3 << 12, PAGE = 1 << 12 };

/* The input that is such a row, or -1. */
static int find_row_operand(const struct fastrelu_kernel *kernel,
                            const struct fastrelu_operands *operands)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    int row = -1;

    if (operands->axes != 2 || operands->shape[1] * kernel->itemsize > MAX_TILE / 2)
        return -1;
    for (int i = 0; i <= kernel->inputs; i++) {
        const ptrdiff_t step = operands->steps[1][i], next = operands->steps[0][i];
        if (row < 0 && i < kernel->inputs && step == itemsize && next == 0)
            row = i;
        else if (next != (ptrdiff_t)operands->shape[1] * step)
            return -1;
    }
    return row;
}

/* How many rows a tile has: whole cache lines, if that is possible. */
static size_t rows_per_tile(size_t row, size_t rows)
{
    const size_t wanted = row * rows / 8;
    const size_t bytes = wanted < MIN_TILE ? MIN_TILE : wanted > MAX_TILE ? MAX_TILE : wanted;
    const size_t whole = fastrelu_rows_of_lines(row);
    const size_t n = bytes / row / whole * whole;
    return n ? n : bytes / row ? bytes / row : 1;
}

static void execute_tiles(const struct fastrelu_kernel *kernel,
                          const struct fastrelu_operands *operands, int row_operand)
{
    char buffer[MAX_TILE + PAGE];
    const int out = kernel->inputs;
    const size_t itemsize = kernel->itemsize, n = operands->shape[1], rows = operands->shape[0];
    const size_t over = (uintptr_t)operands->args[out] % FASTRELU_CACHE_LINE;
    const size_t to_line =
        over % itemsize ? 0 : (FASTRELU_CACHE_LINE - over) % FASTRELU_CACHE_LINE / itemsize;
    const size_t head = to_line < n ? to_line : 0, tile_n = n * rows_per_tile(n * itemsize, rows);
    const uintptr_t place = (uintptr_t)operands->args[out] + head * itemsize + PAGE / 2;
    char *const tile = buffer + (place - (uintptr_t)buffer) % PAGE;
    const char *const row = operands->args[row_operand];
    struct fastrelu_operands tiled = *operands;

    if (head)
        fastrelu_execute(kernel, operands->args, operands->steps[1], head);
    memcpy(tile, row + head * itemsize, (n - head) * itemsize);
    for (size_t i = n - head; i < tile_n; i += n)
        memcpy(tile + i * itemsize, row, (i + n < tile_n ? n : tile_n - i) * itemsize);

    for (int i = 0; i <= out; i++) {
        tiled.args[i] += (ptrdiff_t)head * operands->steps[1][i];
        tiled.steps[0][i] = (ptrdiff_t)tile_n * operands->steps[1][i];
    }
    tiled.args[row_operand] = tile;
    tiled.steps[0][row_operand] = 0;
    tiled.shape[0] = (n * rows - head) / tile_n;
    tiled.shape[1] = tile_n;
    const size_t bytes = rows * n * itemsize * (size_t)out;
    if (bytes >= fastrelu_current_thresholds.parallel_bytes ||
        bytes >= fastrelu_current_thresholds.streaming_bytes) {
        if (tiled.shape[0])
            execute_axes(kernel, &tiled, bytes, fastrelu_choose_threads_for(bytes));
        for (int i = 0; i <= out; i++)
            tiled.args[i] += (ptrdiff_t)tiled.shape[0] * tiled.steps[0][i];
    } else {
        fastrelu_loop *const loop =
            fastrelu_is_contiguous(kernel, tiled.steps[1]) ? kernel->contiguous : kernel->strided;
        for (size_t tile = 0; tile < tiled.shape[0]; tile++) {
            loop(tiled.args, tiled.steps[1], tile_n);
            move(tiled.args, tiled.steps[0], 1);
        }
    }
    const size_t left = (n * rows - head) % tile_n;
    if (left)
        fastrelu_execute(kernel, tiled.args, tiled.steps[1], left);
}

void fastrelu_execute_operands(const struct fastrelu_kernel *kernel,
                               const struct fastrelu_operands *operands)
{
    const int row_operand = find_row_operand(kernel, operands);
    if (operands->axes == 1)
        fastrelu_execute(kernel, operands->args, operands->steps[0], operands->shape[0]);
    else if (row_operand >= 0)
        execute_tiles(kernel, operands, row_operand);
    else {
        const size_t bytes = bytes_of(kernel, operands);
        const int n_threads = fastrelu_choose_threads_for(bytes);
        if (fastrelu_execute_transposed(kernel, operands, bytes, n_threads,
                                        stores_of_rows(kernel, operands, bytes, n_threads)))
            return;
        if (has_crossed_rows(kernel, operands))
            execute_crossed_rows(kernel, operands, n_threads);
        else
            execute_axes(kernel, operands, bytes, n_threads);
    }
}
