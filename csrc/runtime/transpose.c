/* How inputs are transposed on their way to a kernel. */

#include "runtime/transpose.h"

#include <string.h>

#include "kernels/compiler.h"
#include "runtime/execute.h"
#include "runtime/threads.h"

enum {
    MAX_PANEL = 1 << 14, /* bytes: half of a first cache */
    MAX_COLUMNS = 128,
    MIN_ELEMENTS = 1 << 12,
    MIN_SIDE = 16, /* rows; with fewer, the lines of the inputs stay in the first cache */
    NARROW_ROWS = 1 << 10,
    MIN_GROUP = 8 /* panels of a chunk, if there are enough for the threads */
};

/* `from` is the element of the first row and column. Those of a column follow each other there;
   those of a row do so at `to`. */
typedef void transpose(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t column_step,
                       size_t rows, size_t columns);

#define MOVE(W)                                                                               \
    static void move##W(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t column_step, \
                        size_t rows, size_t columns)                                          \
    {                                                                                         \
        for (size_t column = 0; column < columns; column++)                                   \
            for (size_t row = 0; row < rows; row++)                                           \
                memcpy(to + (ptrdiff_t)row * to_step + column * (W / 8),                      \
                       from + row * (W / 8) + (ptrdiff_t)column * column_step, W / 8);        \
    }
MOVE(8)
MOVE(16)
MOVE(32)
MOVE(64)

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAS_SHUFFLE
#endif
#endif

#if defined(HAS_SHUFFLE)

/* The lanes from number i on of two registers in turn. */
#define PAIR(K, i) i, K + i
#define PAIRS2(K, i) PAIR(K, i), PAIR(K, i + 1)
#define PAIRS4(K, i) PAIRS2(K, i), PAIRS2(K, i + 2)
#define PAIRS8(K, i) PAIRS4(K, i), PAIRS4(K, i + 4)
#define INTERLEAVED8(a, b, i) __builtin_shufflevector(a, b, PAIRS8(16, i))
#define INTERLEAVED16(a, b, i) __builtin_shufflevector(a, b, PAIRS4(8, i))
#define INTERLEAVED32(a, b, i) __builtin_shufflevector(a, b, PAIRS2(4, i))
#define INTERLEAVED64(a, b, i) __builtin_shufflevector(a, b, PAIR(2, i))

/* K registers of K lanes are transposed once their halves, the first K / 2 and the others, have
   been interleaved log2(K) times. */
#define TRANSPOSE(W, K, rounds)                                                                    \
    typedef uint##W##_t lanes##W __attribute__((vector_size(16)));                                 \
    ALWAYS_INLINE void transpose_block##W(char *to, ptrdiff_t to_step, const char *from,           \
                                          ptrdiff_t column_step)                                   \
    {                                                                                              \
        lanes##W a[K], b[K];                                                                       \
        UNROLLED(K)                                                                                \
        for (int i = 0; i < K; i++)                                                                \
            memcpy(&a[i], from + i * column_step, sizeof *a);                                      \
        UNROLLED(rounds)                                                                           \
        for (int round = 0; round < rounds; round++) {                                             \
            UNROLLED(K)                                                                            \
            for (int i = 0; i < K; i++)                                                            \
                b[i] = i % 2 ? INTERLEAVED##W(a[i / 2], a[i / 2 + K / 2], K / 2)                   \
                             : INTERLEAVED##W(a[i / 2], a[i / 2 + K / 2], 0);                      \
            UNROLLED(K)                                                                            \
            for (int i = 0; i < K; i++)                                                            \
                a[i] = b[i];                                                                       \
        }                                                                                          \
        UNROLLED(K)                                                                                \
        for (int i = 0; i < K; i++)                                                                \
            memcpy(to + i * to_step, &a[i], sizeof *a);                                            \
    }                                                                                              \
    static void transpose##W(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t column_step, \
                             size_t rows, size_t columns)                                          \
    {                                                                                              \
        const size_t whole_rows = rows / K * K, whole_columns = columns / K * K;                   \
        char *const right = to + whole_columns * (W / 8);                                          \
        char *const below = to + (ptrdiff_t)whole_rows * to_step;                                  \
        for (size_t column = 0; column < whole_columns; column += K)                               \
            for (size_t row = 0; row < whole_rows; row += K)                                       \
                transpose_block##W(to + (ptrdiff_t)row * to_step + column * (W / 8), to_step,      \
                                   from + row * (W / 8) + (ptrdiff_t)column * column_step,         \
                                   column_step);                                                   \
        move##W(right, to_step, from + (ptrdiff_t)whole_columns * column_step, column_step,        \
                whole_rows, columns - whole_columns);                                              \
        move##W(below, to_step, from + whole_rows * (W / 8), column_step, rows - whole_rows,       \
                columns);                                                                          \
    }
TRANSPOSE(8, 16, 4)
TRANSPOSE(16, 8, 3)
TRANSPOSE(32, 4, 2)
TRANSPOSE(64, 2, 1)

#else
#define transpose8 move8
#define transpose16 move16
#define transpose32 move32
#define transpose64 move64
#endif

static transpose *transpose_of(size_t itemsize)
{
    return itemsize == 1   ? transpose8
           : itemsize == 2 ? transpose16
           : itemsize == 4 ? transpose32
                           : transpose64;
}

/* Columns are numbered along the innermost axis, rows along the one before, on which the inputs
   that are transposed lie. A chunk is a group of panels below each other. */
struct panels {
    const struct fastrelu_kernel *kernel;
    fastrelu_loop *loop;
    transpose *transpose;
    size_t itemsize, rows, columns; /* of a panel */
    size_t slice;                   /* columns that are transposed at a time */
    size_t group_rows;
    size_t over;    /* columns that the first panel of a row lacks: others begin with a cache
                       line of the output */
    int narrow;     /* rows are too short for the loop: it runs along the columns */
    int transposed; /* bit i: input i is */
    int prefetched; /* the panel below, whose columns are cache lines of the transposed inputs */
    enum fastrelu_stores stores;
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS]; /* as the loop meets them */
    struct fastrelu_operands operands;
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Asks for some columns of the panel below: of transposed inputs their last lines, since this panel
   has touched those before. Inline: gcc leaves out calls of functions that only prefetch. */
ALWAYS_INLINE void prefetch(const struct panels *panels, char *const args[], size_t column,
                            size_t columns, size_t rows)
{
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const ptrdiff_t first = (ptrdiff_t)panels->rows, end = first + (ptrdiff_t)rows;

    for (int i = 0; i <= out; i++) {
        const ptrdiff_t row_step = panels->operands.steps[inner - 1][i];
        const ptrdiff_t column_step = panels->operands.steps[inner][i];
        const char *const from = args[i] + (ptrdiff_t)column * column_step;
        if (panels->transposed >> i & 1)
            for (size_t j = 0; j < columns; j++)
                __builtin_prefetch(from + (end - 1) * row_step + (ptrdiff_t)j * column_step);
        else if (i < out)
            for (ptrdiff_t row = first; row < end; row++)
                __builtin_prefetch(from + row * row_step);
        else if (panels->stores == FASTRELU_ORDINARY ||
                 (panels->stores == FASTRELU_STREAM_LINES &&
                  ((uintptr_t)from % FASTRELU_CACHE_LINE != 0 || columns < panels->slice)))
            for (ptrdiff_t row = first; row < end; row++)
                __builtin_prefetch(from + row * row_step, 1);
    }
}

static void execute_narrow_panel(const struct panels *panels, char *args[], size_t rows,
                                 size_t columns)
{
    for (; columns > 0; columns--) {
        panels->loop(args, panels->steps, rows);
        for (int i = 0; i < panels->operands.n_operands; i++)
            args[i] += panels->operands.steps[panels->operands.axes - 1][i];
    }
}

static void execute_panel(const struct panels *panels, char *args[], size_t rows, size_t columns,
                          size_t rows_below)
{
    _Alignas(FASTRELU_CACHE_LINE) char buffers[FASTRELU_MAX_OPERANDS - 1][MAX_PANEL];
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const ptrdiff_t *column_steps = panels->operands.steps[inner];
    const ptrdiff_t width = (ptrdiff_t)(columns * panels->itemsize);
    ptrdiff_t next[FASTRELU_MAX_OPERANDS];

    for (size_t column = 0; column < columns; column += panels->slice) {
        const size_t n = least(panels->slice, columns - column);
        if (panels->prefetched && rows_below > 0)
            prefetch(panels, args, column, n, rows_below);
        for (int i = 0; i < out; i++) {
            const ptrdiff_t step = panels->operands.steps[inner - 1][i];
            const ptrdiff_t first = step < 0 ? (ptrdiff_t)rows - 1 : 0;
            if (panels->transposed >> i & 1)
                panels->transpose(buffers[i] + first * width + column * panels->itemsize,
                                  step < 0 ? -width : width,
                                  args[i] + first * step + (ptrdiff_t)column * column_steps[i],
                                  column_steps[i], rows, n);
        }
    }
    for (int i = 0; i <= out; i++) {
        next[i] = panels->operands.steps[inner - 1][i];
        if (panels->transposed >> i & 1) {
            args[i] = buffers[i];
            next[i] = width;
        }
    }
    for (; rows > 0; rows--) {
        if (panels->stores == FASTRELU_STREAM_LINES)
            fastrelu_stream(panels->kernel, args, panels->steps, columns);
        else
            panels->loop(args, panels->steps, columns);
        for (int i = 0; i <= out; i++)
            args[i] += next[i];
    }
}

static void execute_group(const void *context, size_t number)
{
    const struct panels *panels = context;
    const struct fastrelu_operands *operands = &panels->operands;
    const int inner = operands->axes - 1;
    const size_t width = operands->shape[inner] + panels->over;
    const size_t in_row = (width + panels->columns - 1) / panels->columns;
    const size_t panel = number % in_row * panels->columns;
    const size_t from = panel > panels->over ? panel - panels->over : 0;
    const size_t columns = least(panel + panels->columns, width) - panels->over - from;
    char *args[FASTRELU_MAX_OPERANDS];
    size_t rows = 1;

    for (int i = 0; i < operands->n_operands; i++)
        args[i] = operands->args[i] + (ptrdiff_t)from * operands->steps[inner][i];
    number /= in_row;
    for (int axis = inner - 1; axis >= 0; axis--) {
        const size_t most = axis == inner - 1 ? panels->group_rows : 1;
        const size_t groups = (operands->shape[axis] + most - 1) / most;
        const size_t first = number % groups * most;
        number /= groups;
        if (axis == inner - 1)
            rows = least(most, operands->shape[axis] - first);
        for (int i = 0; i < operands->n_operands; i++)
            args[i] += (ptrdiff_t)first * operands->steps[axis][i];
    }
    while (rows > 0) {
        const size_t n = least(panels->rows, rows);
        char *of_panel[FASTRELU_MAX_OPERANDS];
        memcpy(of_panel, args, sizeof args);
        rows -= n;
        if (panels->narrow)
            execute_narrow_panel(panels, of_panel, n, columns);
        else
            execute_panel(panels, of_panel, n, columns, least(panels->rows, rows));
        for (int i = 0; i < operands->n_operands; i++)
            args[i] += (ptrdiff_t)n * operands->steps[inner - 1][i];
    }
    if (panels->stores != FASTRELU_ORDINARY)
        FENCE_STREAM();
}

/* Whether the elements of an input follow each other along an axis, but not along the innermost one
   of the output. */
static int lies_along(const struct fastrelu_operands *operands, int axis, int input,
                      size_t itemsize)
{
    const ptrdiff_t inner_step = operands->steps[operands->axes - 1][input];
    return fastrelu_magnitude(operands->steps[axis][input]) == (ptrdiff_t)itemsize &&
           fastrelu_magnitude(inner_step) > (ptrdiff_t)itemsize;
}

/* The axis along which the first such input lies, or -1. */
static int find_row_axis(const struct fastrelu_operands *operands, size_t itemsize)
{
    for (int i = 0; i < operands->n_operands - 1; i++)
        for (int axis = operands->axes - 2; axis >= 0; axis--)
            if (lies_along(operands, axis, i, itemsize))
                return axis;
    return -1;
}

/* Whether all rows of the output begin at the same place of a cache line. */
static int has_rows_of_lines(const struct fastrelu_operands *operands)
{
    for (int axis = 0; axis < operands->axes - 1; axis++)
        if (operands->steps[axis][operands->n_operands - 1] % FASTRELU_CACHE_LINE != 0)
            return 0;
    return 1;
}

/* Bands of rows for each thread, unless they would be too low for panels to follow each other. */
static size_t panels_per_group(size_t below, size_t all, int n_threads)
{
    const size_t wanted = FASTRELU_CHUNKS_PER_THREAD * (size_t)n_threads;
    const size_t group = least(MIN_GROUP, all / wanted);
    return below / wanted > group ? below / wanted : group ? group : 1;
}

int fastrelu_execute_transposed(const struct fastrelu_kernel *kernel,
                                const struct fastrelu_operands *operands, size_t bytes,
                                int n_threads, enum fastrelu_stores stores)
{
    const int inner = operands->axes - 1, row_axis = find_row_axis(operands, kernel->itemsize);
    const size_t *shape = operands->shape;
    const size_t place = (uintptr_t)operands->args[operands->n_operands - 1] % FASTRELU_CACHE_LINE;
    size_t elements = 1;

    for (int axis = 0; axis <= inner; axis++)
        elements *= shape[axis];
    if (row_axis < 0 || elements < MIN_ELEMENTS || shape[row_axis] < MIN_SIDE)
        return 0;

    struct panels panels = {.kernel = kernel,
                            .transpose = transpose_of(kernel->itemsize),
                            .itemsize = kernel->itemsize,
                            .over = place % kernel->itemsize || stores == FASTRELU_STREAM_ALL
                                        ? 0
                                        : place / kernel->itemsize,
                            .prefetched =
                                bytes / 2 >= fastrelu_current_thresholds.streaming_bytes &&
                                shape[row_axis] > 2 * MIN_SIDE && shape[inner] > MIN_SIDE,
                            .operands = *operands};
    for (int axis = row_axis; axis < inner; axis++) {
        const int from = axis == inner - 1 ? row_axis : axis + 1;
        panels.operands.shape[axis] = shape[from];
        memcpy(panels.operands.steps[axis], operands->steps[from], sizeof panels.steps);
    }
    for (int i = 0; i < operands->n_operands; i++) {
        panels.steps[i] = operands->steps[inner][i];
        if (i < kernel->inputs && lies_along(operands, row_axis, i, kernel->itemsize)) {
            panels.transposed |= 1 << i;
            panels.steps[i] = (ptrdiff_t)kernel->itemsize;
        }
    }
    panels.narrow = shape[inner] < MIN_SIDE;
    panels.loop = kernel->strided;
    if (panels.narrow) {
        memcpy(panels.steps, operands->steps[row_axis], sizeof panels.steps);
        panels.over = 0;
    } else if (fastrelu_is_contiguous(kernel, panels.steps)) {
        panels.stores = stores == FASTRELU_STREAM_LINES && !has_rows_of_lines(operands)
                            ? FASTRELU_ORDINARY
                            : stores;
        panels.loop = stores == FASTRELU_STREAM_ALL ? kernel->streaming : kernel->contiguous;
    }
    panels.rows = panels.prefetched      ? FASTRELU_CACHE_LINE / kernel->itemsize
                  : kernel->itemsize < 4 ? 64
                                         : 32;
    if (panels.narrow)
        panels.rows = NARROW_ROWS;
    panels.columns =
        panels.narrow ? MIN_SIDE : least(MAX_COLUMNS, MAX_PANEL / panels.rows / kernel->itemsize);
    panels.slice = panels.prefetched ? panels.rows : panels.columns;

    const size_t below = (shape[row_axis] + panels.rows - 1) / panels.rows;
    const size_t in_row = (shape[inner] + panels.over + panels.columns - 1) / panels.columns;
    const size_t outer = elements / shape[row_axis] / shape[inner];
    const size_t group = panels_per_group(below, outer * below * in_row, n_threads);
    panels.group_rows = group * panels.rows;
    fastrelu_parallel_for(n_threads, outer * ((below + group - 1) / group) * in_row, execute_group,
                          &panels);
    return 1;
}
