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
    MIN_SIDE = 16,  /* of both axes: with fewer, the lines of the inputs stay in the first cache */
    GROUP_ROWS = 8, /* panels of a group, which half a second cache holds */
    GROUP_COLUMNS = 4,
    MIN_FETCHED = 20 << 20, /* bytes of a call: not all in a last cache */
    STREAMS = 16,           /* at most so many runs are recognized, and read ahead, at a time */
    CACHE_LINE = 64
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
   that are transposed lie. */
struct panels {
    fastrelu_loop *loop;
    transpose *transpose;
    size_t itemsize, rows, columns;   /* of a panel */
    size_t group_rows, group_columns; /* of the panels that one chunk takes */
    int transposed;                   /* bit i: input i is */
    int fetched;                      /* whether a group is brought into the second cache first */
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS]; /* of a row, as the loop meets it */
    struct fastrelu_operands operands;
};

static ptrdiff_t magnitude(ptrdiff_t step) { return step < 0 ? -step : step; }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void execute_panel(const struct panels *panels, char *const group[], size_t row,
                          size_t column, size_t rows, size_t columns)
{
    _Alignas(CACHE_LINE) char buffers[FASTRELU_MAX_OPERANDS - 1][MAX_PANEL];
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const ptrdiff_t *column_steps = panels->operands.steps[inner];
    char *args[FASTRELU_MAX_OPERANDS];
    ptrdiff_t next[FASTRELU_MAX_OPERANDS];

    for (int i = 0; i <= out; i++) {
        next[i] = panels->operands.steps[inner - 1][i];
        args[i] = group[i] + (ptrdiff_t)row * next[i] + (ptrdiff_t)column * column_steps[i];
        if (panels->transposed >> i & 1) {
            const ptrdiff_t width = (ptrdiff_t)(columns * panels->itemsize);
            const ptrdiff_t first = next[i] < 0 ? (ptrdiff_t)rows - 1 : 0;
            panels->transpose(buffers[i] + first * width, next[i] < 0 ? -width : width,
                              args[i] + first * next[i], column_steps[i], rows, columns);
            args[i] = buffers[i];
            next[i] = width;
        }
    }
    for (; rows > 0; rows--) {
        panels->loop(args, panels->steps, columns);
        for (int i = 0; i <= out; i++)
            args[i] += next[i];
    }
}

/* Brings n runs of `bytes` bytes into the second cache, where panels of short parts of them would
   wait for each line. */
static void fetch(const char *from, ptrdiff_t step, size_t n, size_t bytes)
{
    for (size_t first = 0; first < n; first += STREAMS)
        for (size_t at = 0; at < bytes; at += CACHE_LINE)
            for (size_t i = first; i < n && i < first + STREAMS; i++)
                (void)*(volatile const char *)(from + (ptrdiff_t)i * step + at);
}

static void fetch_group(const struct panels *panels, char *const group[], size_t rows,
                        size_t columns)
{
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const ptrdiff_t itemsize = (ptrdiff_t)panels->itemsize;
    const ptrdiff_t *row_steps = panels->operands.steps[inner - 1];
    const ptrdiff_t *column_steps = panels->operands.steps[inner];

    for (int i = 0; i <= out; i++)
        if (panels->transposed >> i & 1)
            fetch(group[i] + (row_steps[i] < 0 ? (ptrdiff_t)(rows - 1) * row_steps[i] : 0),
                  column_steps[i], columns, rows * panels->itemsize);
        else if (column_steps[i] == itemsize)
            fetch(group[i], row_steps[i], rows, columns * panels->itemsize);
}

static void execute_group(const void *context, size_t number)
{
    const struct panels *panels = context;
    const struct fastrelu_operands *operands = &panels->operands;
    const int inner = operands->axes - 1;
    char *args[FASTRELU_MAX_OPERANDS];
    size_t rows = 1, columns = 1;

    memcpy(args, operands->args, sizeof args);
    for (int axis = inner; axis >= 0; axis--) {
        const size_t most = axis == inner       ? panels->group_columns
                            : axis == inner - 1 ? panels->group_rows
                                                : 1;
        const size_t groups = (operands->shape[axis] + most - 1) / most;
        const size_t from = number % groups * most;
        number /= groups;
        if (axis == inner)
            columns = least(most, operands->shape[axis] - from);
        else if (axis == inner - 1)
            rows = least(most, operands->shape[axis] - from);
        for (int i = 0; i < operands->n_operands; i++)
            args[i] += (ptrdiff_t)from * operands->steps[axis][i];
    }
    if (panels->fetched)
        fetch_group(panels, args, rows, columns);
    for (size_t row = 0; row < rows; row += panels->rows)
        for (size_t column = 0; column < columns; column += panels->columns)
            execute_panel(panels, args, row, column, least(panels->rows, rows - row),
                          least(panels->columns, columns - column));
}

/* Whether the elements of an input follow each other along an axis, but not along the innermost one
   of the output. */
static int lies_along(const struct fastrelu_operands *operands, int axis, int input,
                      size_t itemsize)
{
    const ptrdiff_t inner_step = operands->steps[operands->axes - 1][input];
    return magnitude(operands->steps[axis][input]) == (ptrdiff_t)itemsize &&
           magnitude(inner_step) > (ptrdiff_t)itemsize;
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

int fastrelu_execute_transposed(const struct fastrelu_kernel *kernel,
                                const struct fastrelu_operands *operands, size_t bytes,
                                int n_threads)
{
    const int inner = operands->axes - 1, row_axis = find_row_axis(operands, kernel->itemsize);
    const size_t *shape = operands->shape;
    size_t elements = 1, groups = 1;

    for (int axis = 0; axis <= inner; axis++)
        elements *= shape[axis];
    if (row_axis < 0 || elements < MIN_ELEMENTS || shape[row_axis] < MIN_SIDE ||
        shape[inner] < MIN_SIDE)
        return 0;

    struct panels panels = {.transpose = transpose_of(kernel->itemsize),
                            .itemsize = kernel->itemsize,
                            .fetched = bytes >= MIN_FETCHED && shape[row_axis] >= MAX_COLUMNS &&
                                       shape[inner] >= MAX_COLUMNS,
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
    panels.loop =
        fastrelu_is_contiguous(kernel, panels.steps) ? kernel->contiguous : kernel->strided;
    panels.rows = kernel->itemsize < 4 ? 64 : 32;
    panels.columns = least(MAX_COLUMNS, MAX_PANEL / panels.rows / kernel->itemsize);
    panels.group_rows = panels.rows * (panels.fetched ? GROUP_ROWS : 1);
    panels.group_columns = panels.columns * (panels.fetched ? GROUP_COLUMNS : 1);

    for (int axis = 0; axis < inner - 1; axis++)
        groups *= panels.operands.shape[axis];
    groups *= (shape[row_axis] + panels.group_rows - 1) / panels.group_rows;
    groups *= (shape[inner] + panels.group_columns - 1) / panels.group_columns;
    fastrelu_parallel_for(n_threads, groups, execute_group, &panels);
    return 1;
}
