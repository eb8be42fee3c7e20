/* Do tiles, panels and short rows, which copy operands on the way to a kernel, take every element
   once, with its inputs? In memory, with a kernel that adds: an element that is taken twice, or
   with another input, differs. */

#define _GNU_SOURCE
#include <sys/mman.h>

#include "runtime/execute.h"
#include "runtime/transpose.h"

#include "findings.h"
#include "pool.h"

enum { BESIDE = 64, MOST_ELEMENTS = 1 << 19, MEMORY = 8 * MOST_ELEMENTS, PAGE = 1 << 12 };

static char *memory[FASTRELU_MAX_OPERANDS], *all_zero;
static size_t calls;
static int streams_lines, is_torn; /* what a streaming kernel must get, and whether it did not */
static int overwrites;             /* the kernel does not add: its output is a buffer */
static const char *what;

static uint64_t load(const char *p, size_t itemsize)
{
    uint64_t bits = 0;
    memcpy(&bits, p, itemsize);
    return bits;
}

/* Odd, so that no number of times but the first gives the same: for bytes too. */
static uint64_t value_of(const uint64_t inputs[], int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value = value * 29 + inputs[i];
    return value | 1;
}

#define LOOP(itemsize, inputs)                                                                   \
    static void add_##itemsize##_##inputs(char *const args[], const ptrdiff_t steps[], size_t n) \
    {                                                                                            \
        for (size_t i = 0; i < n; i++) {                                                         \
            uint64_t in[inputs], sum;                                                            \
            for (int j = 0; j < inputs; j++)                                                     \
                in[j] = load(args[j] + (ptrdiff_t)i * steps[j], itemsize);                       \
            char *const out = args[inputs] + (ptrdiff_t)i * steps[inputs];                       \
            sum = (overwrites ? 0 : load(out, itemsize)) + value_of(in, inputs);                 \
            memcpy(out, &sum, itemsize);                                                         \
        }                                                                                        \
    }
#define STREAM(itemsize, inputs)                                                                   \
    static void stream_##itemsize##_##inputs(char *const args[], const ptrdiff_t steps[],          \
                                             size_t n)                                             \
    {                                                                                              \
        is_torn |=                                                                                 \
            streams_lines && (n * itemsize % FASTRELU_CACHE_LINE || (uintptr_t)args[inputs] % 16); \
        add_##itemsize##_##inputs(args, steps, n);                                                 \
    }
#define LOOPS(inputs) LOOP(1, inputs) LOOP(2, inputs) LOOP(4, inputs) LOOP(8, inputs)
#define STREAMS(inputs) STREAM(1, inputs) STREAM(2, inputs) STREAM(4, inputs) STREAM(8, inputs)
LOOPS(1)
LOOPS(2)
STREAMS(1)
STREAMS(2)
static fastrelu_loop *const loops[2][4] = {{add_1_1, add_2_1, add_4_1, add_8_1},
                                           {add_1_2, add_2_2, add_4_2, add_8_2}};
static fastrelu_loop *const streams[2][4] = {{stream_1_1, stream_2_1, stream_4_1, stream_8_1},
                                             {stream_1_2, stream_2_2, stream_4_2, stream_8_2}};

/* That of each instruction set in turn. */
static fastrelu_transpose *transpose_of(size_t itemsize)
{
    static const int dtypes[] = {FASTRELU_u8, FASTRELU_u16, FASTRELU_u32, FASTRELU_u64};
    static size_t set;
    do
        set = fastrelu_compiled_isas[set] ? set + 1 : 0;
    while (!fastrelu_compiled_isas[set] || !fastrelu_compiled_isas[set]->runs_here());
    return fastrelu_compiled_isas[set]
        ->kernels[FASTRELU_relu][dtypes[__builtin_ctz((unsigned)itemsize)]]
        .transpose;
}

static struct fastrelu_kernel kernel_of(int inputs, size_t itemsize)
{
    const int width = __builtin_ctz((unsigned)itemsize);
    fastrelu_loop *const loop = loops[inputs - 1][width];
    return (struct fastrelu_kernel){.contiguous = loop,
                                    .streaming = streams[inputs - 1][width],
                                    .strided = loop,
                                    .transpose = transpose_of(itemsize),
                                    .itemsize = itemsize,
                                    .inputs = inputs};
}

static void print(const struct fastrelu_operands *operands, size_t itemsize, const char *finding)
{
    printf("    %s: %s; %d threads, %zu bytes;", what, finding, threads, itemsize);
    for (int axis = 0; axis < operands->axes; axis++) {
        printf(" %zu by", operands->shape[axis]);
        for (int i = 0; i < operands->n_operands; i++)
            printf(" %td", operands->steps[axis][i]);
        putchar(';');
    }
    printf(" output at %u mod 64\n",
           (unsigned)((uintptr_t)operands->args[operands->n_operands - 1] % 64));
    count_finding();
}

/* After a call: the elements of the output, and zeros in its gaps and beside it. */
static void compare(const struct fastrelu_operands *operands, size_t itemsize)
{
    const int out = operands->n_operands - 1, inner = operands->axes - 1;
    const size_t outer = operands->axes > 2 ? operands->shape[0] : 1;
    const size_t rows = operands->shape[inner - 1], columns = operands->shape[inner];
    const ptrdiff_t *row_steps = operands->steps[inner - 1], *steps = operands->steps[inner];
    uintptr_t low, high;

    for (size_t i = 0; i < outer; i++)
        for (size_t row = 0; row < rows; row++) {
            char *args[FASTRELU_MAX_OPERANDS];
            for (int j = 0; j <= out; j++)
                args[j] = operands->args[j] + (ptrdiff_t)row * row_steps[j] +
                          (operands->axes > 2 ? (ptrdiff_t)i * operands->steps[0][j] : 0);
            for (size_t column = 0; column < columns; column++) {
                uint64_t in[FASTRELU_MAX_OPERANDS];
                for (int j = 0; j < out; j++, args[j - 1] += steps[j - 1])
                    in[j] = load(args[j], itemsize);
                uint64_t wanted = value_of(in, out);
                if (memcmp(args[out], &wanted, itemsize) != 0) {
                    print(operands, itemsize, "an element is not taken once, with its inputs");
                    memset(memory[FASTRELU_MAX_OPERANDS - 1], 0, (size_t)MOST_ELEMENTS * 8);
                    return;
                }
                memset(args[out], 0, itemsize);
                args[out] += steps[out];
            }
        }
    fastrelu_memory_extent(operands, out, itemsize, &low, &high);
    if (memcmp((char *)low - BESIDE, all_zero, high - low + 2 * BESIDE) != 0)
        print(operands, itemsize, "a byte outside the output is written");
}

/* Tiles: input number `row_operand` is the same row for all. */
static void check_tiles(size_t itemsize, size_t rows, size_t n, size_t over, int inputs,
                        int row_operand, int gaps)
{
    const struct fastrelu_kernel kernel = kernel_of(inputs, itemsize);
    struct fastrelu_operands operands = {.n_operands = inputs + 1, .axes = 2, .shape = {rows, n}};

    what = "tiles";
    for (int i = 0; i <= inputs; i++) {
        const ptrdiff_t step = (ptrdiff_t)itemsize * (gaps && i == inputs ? 2 : 1);
        operands.args[i] = memory[i < inputs ? i : FASTRELU_MAX_OPERANDS - 1] + BESIDE;
        operands.steps[1][i] = step;
        operands.steps[0][i] = i == row_operand ? 0 : step * (ptrdiff_t)n;
    }
    operands.args[inputs] += over;
    calls++;
    fastrelu_execute_operands(&kernel, &operands);
    compare(&operands, itemsize);
}

static void check_all_tiles(size_t itemsize, size_t most_rows, size_t most_bytes)
{
    for (size_t rows = 2; rows <= most_rows; rows++)
        for (size_t n = 2; n * itemsize <= most_bytes; n++)
            for (int way = 0; way < 4; way++) {
                const int inputs = way ? 2 : 1;
                check_tiles(itemsize, rows, n, (rows + n) * itemsize % 64, inputs, way == 2,
                            way == 3);
            }
}

/* Each place of the output in a cache line, by few rows. */
static void check_places_of_tiles(size_t itemsize)
{
    for (size_t n = 2; n * itemsize <= 400; n++)
        for (size_t over = 0; over < 64; over++)
            check_tiles(itemsize, 3 + n % 7, n, over, 2, 1, 0);
    for (size_t n = 400 / itemsize; n * itemsize <= 6200; n++)
        check_tiles(itemsize, 5, n, n * itemsize % 64, 1, 0, 0);
}

/* An input that begins or ends at a page that must not be touched. */
static void move_to_guard(struct fastrelu_operands *operands, int input, size_t itemsize, int end)
{
    uintptr_t low, high;
    fastrelu_memory_extent(operands, input, itemsize, &low, &high);
    operands->args[input] +=
        end ? memory[input] + MEMORY - (char *)high : memory[input] - (char *)low;
}

/* Panels: inputs whose bit is set in `transposed` lie along the rows. So many elements lie between
   rows of the output, whose elements lie so many steps apart. */
static void check_panel(size_t itemsize, size_t rows, size_t columns, int transposed, size_t outer,
                        int reversed, int large, size_t gap, size_t apart, size_t over)
{
    const struct fastrelu_kernel kernel = kernel_of(2, itemsize);
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    const int axes = outer > 1 ? 3 : 2;
    struct fastrelu_operands operands = {.n_operands = 3, .axes = axes};

    what = large ? "panels that are prefetched" : "panels";
    operands.shape[0] = outer;
    operands.shape[axes - 2] = rows;
    operands.shape[axes - 1] = columns;
    for (int i = 0; i < 3; i++) {
        ptrdiff_t *const of = &operands.steps[0][i];
        const int along = i < 2 && transposed >> i & 1;
        const ptrdiff_t step = size * (ptrdiff_t)(i == 2 ? apart : 1);
        const ptrdiff_t row = along ? size : step * (ptrdiff_t)(columns + (i == 2 ? gap : 0));
        of[0] = step * (ptrdiff_t)(rows * (columns + gap));
        of[(axes - 2) * FASTRELU_MAX_OPERANDS] = along && reversed ? -row : row;
        of[(axes - 1) * FASTRELU_MAX_OPERANDS] = along ? size * (ptrdiff_t)rows : step;
        operands.args[i] = memory[i < 2 ? i : FASTRELU_MAX_OPERANDS - 1] + BESIDE +
                           (along && reversed ? row * (ptrdiff_t)(rows - 1) : 0) +
                           (i < 2 ? itemsize * (3 * rows + columns) % 64 : 0);
    }
    operands.args[2] += over;
    for (int i = 0; i < 2; i++)
        move_to_guard(&operands, i, itemsize, (int)(rows + over / itemsize) % 2);
    calls++;
    if (fastrelu_execute_transposed(&kernel, &operands, large ? SIZE_MAX : 0, threads,
                                    (enum fastrelu_stores)((rows + columns) % 3)))
        compare(&operands, itemsize);
    else
        print(&operands, itemsize, "panels are not taken");
}

static void check_panel_with_gaps(size_t itemsize, size_t rows, size_t columns, int transposed,
                                  size_t outer, int reversed, int large)
{
    check_panel(itemsize, rows, columns, transposed, outer, reversed, large, 1, 1,
                itemsize * (rows + columns) % 64);
}

/* Rows of whole cache lines behind each other, which begin within one. */
static void check_rows_of_lines(size_t itemsize)
{
    static const size_t widths[] = {2, 3, 5, 9, 18};
    const size_t places[] = {itemsize, 16, 48, 64 - itemsize};

    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 4; j++)
            for (int transposed = 1; transposed < 4; transposed++)
                for (size_t rows = 256; rows <= 258; rows++)
                    check_panel(itemsize, rows, widths[i] * 64 / itemsize, transposed, rows % 2 + 1,
                                j % 2, rows > 256, 0, rows == 257 ? 3 : 1, places[j]);
}

static void check_panels(size_t itemsize, size_t most)
{
    static const size_t groups[] = {128, 129, 191, 255, 256, 257, 300, 511, 512, 513, 600};
    enum { GROUPS = sizeof groups / sizeof *groups };

    for (size_t rows = 16; rows <= most; rows++)
        for (size_t columns = 16; columns <= most; columns++)
            if (rows * columns >= 4096)
                check_panel_with_gaps(itemsize, rows, columns, 1 + (int)(columns % 3), 1,
                                      (int)(rows % 2), (int)(rows / 2 % 2));
    for (size_t columns = 2; columns < 16; columns++)
        for (size_t rows = 2048; rows <= 2064; rows++)
            for (int transposed = 1; transposed < 4; transposed++)
                check_panel_with_gaps(itemsize, rows, columns, transposed, 1 + rows % 3,
                                      (int)(rows % 2), 0);
    for (size_t side = 30; side <= 70; side++)
        for (int transposed = 1; transposed < 4; transposed++)
            for (int reversed = 0; reversed < 2; reversed++) {
                check_panel_with_gaps(itemsize, side, 137, transposed, 1 + side % 3, reversed, 0);
                check_panel_with_gaps(itemsize, 137, side, transposed, 1 + side % 3, reversed, 0);
            }
    for (size_t i = 0; i < GROUPS; i++)
        for (size_t j = 0; j < GROUPS; j++)
            for (size_t gap = 0; gap < 2; gap++)
                check_panel(itemsize, groups[i], groups[j], 1 + (int)(j % 3), 1, (int)(i % 2), 1,
                            gap, 1, itemsize * (groups[i] + groups[j]) % 64);
}

/* Columns of the inputs that are so many pages apart, rows of the output that are whole lines. */
static void check_pages(size_t itemsize, size_t pages, int transposed, size_t over)
{
    enum { ROWS = 100, COLUMNS = 192 };
    const struct fastrelu_kernel kernel = kernel_of(2, itemsize);
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    struct fastrelu_operands operands = {.n_operands = 3, .axes = 2, .shape = {ROWS, COLUMNS}};

    what = "columns that are pages apart";
    for (int i = 0; i < 3; i++) {
        const int along = i < 2 && transposed >> i & 1;
        operands.args[i] = memory[i < 2 ? i : FASTRELU_MAX_OPERANDS - 1] + BESIDE + over;
        operands.steps[0][i] = along ? size : COLUMNS * size;
        operands.steps[1][i] = along ? (ptrdiff_t)pages * 4096 : size;
    }
    calls++;
    streams_lines = 1;
    if (!fastrelu_execute_transposed(&kernel, &operands, SIZE_MAX, threads, FASTRELU_STREAM_ALL))
        print(&operands, itemsize, "panels are not taken");
    compare(&operands, itemsize);
    if (is_torn)
        print(&operands, itemsize, "less than whole lines are streamed");
    streams_lines = is_torn = 0;
}

static void check_all_pages(size_t itemsize)
{
    for (size_t pages = 1; pages <= 5; pages++)
        for (int transposed = 1; transposed < 4; transposed++)
            for (size_t over = 0; over < 64; over += 16)
                check_pages(itemsize, pages, transposed, over);
}

/* Rows of operands whose bit is set in `apart` do not follow each other. */
static void check_short_rows(size_t itemsize, size_t rows, size_t n, int apart, size_t outer,
                             int reversed)
{
    const struct fastrelu_kernel kernel = kernel_of(2, itemsize);
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    const int axes = outer > 1 ? 3 : 2;
    struct fastrelu_operands operands = {.n_operands = 3, .axes = axes};

    what = "short rows";
    operands.shape[0] = outer;
    operands.shape[axes - 2] = rows;
    operands.shape[axes - 1] = n;
    for (int i = 0; i < 3; i++) {
        const ptrdiff_t row = size * (ptrdiff_t)(n + (size_t)(apart >> i & 1) * (1 + rows % 3));
        operands.steps[0][i] = row * (ptrdiff_t)(rows + 1);
        operands.steps[axes - 2][i] = reversed && i < 2 ? -row : row;
        operands.steps[axes - 1][i] = size;
        operands.args[i] = memory[i < 2 ? i : FASTRELU_MAX_OPERANDS - 1] + BESIDE +
                           (reversed && i < 2 ? row * (ptrdiff_t)(rows - 1) : 0);
    }
    operands.args[2] += itemsize * (rows + n) % 64;
    overwrites = apart >> 2 & 1;
    streams_lines = 1;
    calls++;
    fastrelu_execute_operands(&kernel, &operands);
    compare(&operands, itemsize);
    if (is_torn)
        print(&operands, itemsize, "less than whole lines are streamed");
    overwrites = streams_lines = is_torn = 0;
}

static void check_all_short_rows(size_t itemsize)
{
    static const size_t heights[] = {7, 8, 63, 700};

    for (size_t n = 2; n * itemsize <= 264; n += n * itemsize < 72 ? 1 : 5)
        for (int i = 0; i < 4; i++)
            for (int apart = 1; apart < 8; apart++)
                for (int reversed = 0; reversed < 2; reversed++)
                    check_short_rows(itemsize, heights[i], n, apart, 1 + (n + heights[i]) % 2,
                                     reversed);
}

int main(int argc, char **argv)
{
    const int larger = wants_larger(argc, argv);
    const size_t most_rows = larger ? 120 : 40, most_bytes = larger ? 400 : 200;
    const size_t most = larger ? 300 : 140;
    static const struct fastrelu_thresholds one_thread = {SIZE_MAX, 1, SIZE_MAX, 1,
                                                          SIZE_MAX, 0, SIZE_MAX};
    static const struct fastrelu_thresholds chunked = {1, 1, 1, 1, SIZE_MAX / 4, 0, SIZE_MAX};
    static const struct fastrelu_thresholds streaming = {1, 1, 1, 1, 1, 0, 1};

    all_zero = calloc(MOST_ELEMENTS, 8);
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++) {
        char *const around =
            mmap(NULL, MEMORY + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memory[i] = around + PAGE;
        if (!all_zero || around == MAP_FAILED ||
            mprotect(memory[i], MEMORY, PROT_READ | PROT_WRITE))
            return 2;
        for (size_t at = 0; at < MOST_ELEMENTS; at++)
            ((uint64_t *)memory[i])[at] = mix(at * 4 + (size_t)i + 1);
    }
    memset(memory[FASTRELU_MAX_OPERANDS - 1], 0, (size_t)MOST_ELEMENTS * 8);
    for (size_t itemsize = 1; itemsize <= 8; itemsize *= 2)
        for (threads = 1; threads <= 3; threads += 2) {
            fastrelu_current_thresholds = threads == 1 ? one_thread : chunked;
            check_all_tiles(itemsize, most_rows, most_bytes);
            check_places_of_tiles(itemsize);
            check_all_pages(itemsize);
            check_rows_of_lines(itemsize);
            if (threads > 1)
                check_panels(itemsize, most);
            check_all_short_rows(itemsize);
            fastrelu_current_thresholds = streaming;
            check_all_short_rows(itemsize);
        }
    printf(
        "    %zu calls, of 1, 2, 4 and 8 bytes\n"
        "    tiles of every row up to %zu bytes by every number of rows up to %zu, of rows up to "
        "6200 bytes, and\n"
        "    at every place of a cache line; every panel of 16 to %zu rows and columns; panels "
        "up to 600 by 600;\n"
        "    short rows of up to 264 bytes\n",
        calls, most_bytes, most_rows, most);
    return report_findings();
}
