/* Do the chunks of a call take every element once, with its inputs and its bit of the mask?

   The kernels are replaced by one that looks at addresses alone, so that memory of any size is
   there. It finds the place of an element from the address of its output, and adds up the ends of
   what it is given: mix(to) - mix(from). If the parts meet, from the first element to the last,
   this is mix(n) - mix(0), and nothing else is. The least chunk is that of execute.h, and one of 64
   bytes, with which small calls are divided in all ways. */

#include "runtime/execute.h"

static size_t least_chunk;

#define FASTRELU_MIN_CHUNK least_chunk
#include "runtime/execute.c"
#undef FASTRELU_MIN_CHUNK

#include "findings.h"
#include "pool.h"

enum { SMALL_CHUNK = 64, MOST_THREADS = 8 };

static const uintptr_t BASE = (uintptr_t)1 << 44, APART = (uintptr_t)1 << 38;

/* The call under way. */
static struct {
    struct fastrelu_operands operands;
    size_t itemsize;
    int is_masked, is_contiguous, is_chunked;
    uint64_t ends;
    size_t taken, parts;
} call;
static size_t calls, parts;

static void print(const char *what)
{
    printf("    %s: %d threads, least chunk %zu, %zu bytes;", what, threads, least_chunk,
           call.itemsize);
    for (int axis = 0; axis < call.operands.axes; axis++) {
        printf(" %zu by", call.operands.shape[axis]);
        for (int i = 0; i < call.operands.n_operands; i++)
            printf(" %td", call.operands.steps[axis][i]);
        putchar(';');
    }
    printf(" output at %u mod 64\n",
           (unsigned)((uintptr_t)call.operands.args[call.operands.n_operands - 1] % 64));
    count_finding();
}

/* What every loop does: the steps of the output decrease from axis to axis. */
static void take(char *const args[], size_t n)
{
    const struct fastrelu_operands *operands = &call.operands;
    const int out = call.is_masked ? 1 : operands->n_operands - 1, inner = operands->axes - 1;
    ptrdiff_t left = args[out] - operands->args[out];
    char *wanted[FASTRELU_MAX_OPERANDS];
    size_t row = 0, from = 0;

    memcpy(wanted, operands->args, sizeof wanted);
    for (int axis = 0; axis <= inner; axis++) {
        const ptrdiff_t step = operands->steps[axis][out];
        const ptrdiff_t index = step ? left / step : 0;
        if (index < 0 || (size_t)index >= operands->shape[axis] + (axis == inner)) {
            print("a part begins outside the output");
            return;
        }
        left -= index * step;
        from = (size_t)index;
        if (axis < inner)
            row = row * operands->shape[axis] + from;
        for (int i = 0; i < operands->n_operands; i++)
            wanted[i] += index * operands->steps[axis][i];
    }
    if (call.is_masked)
        wanted[2] = operands->args[2] + from / 8;
    if (left != 0 || from + n > operands->shape[inner])
        print("a part is not of elements of one row");
    for (int i = 0; i < operands->n_operands; i++)
        if (args[i] != wanted[i])
            print("an element has another input, or bit of the mask");
    if (call.is_masked && (from % 8 || ((from + n) % 8 && from + n != operands->shape[inner])))
        print("two parts share a byte of the mask");
    if (call.is_chunked && call.is_contiguous && operands->axes == 1 && from && !call.is_masked &&
        (uintptr_t)operands->args[out] % call.itemsize == 0 &&
        (uintptr_t)args[out] % FASTRELU_CACHE_LINE)
        print("a chunk does not begin with a cache line");
    call.ends += mix(row << 32 | (from + n)) - mix(row << 32 | from);
    call.taken += n;
    call.parts++;
}

static void check_steps(const ptrdiff_t steps[])
{
    const int inner = call.operands.axes - 1;
    for (int i = 0; i < call.operands.n_operands && !call.is_masked; i++)
        if (steps[i] != call.operands.steps[inner][i])
            print("a kernel is given other steps");
}

static void contiguous(char *const args[], const ptrdiff_t steps[], size_t n)
{
    check_steps(steps);
    if (!call.is_contiguous)
        print("the contiguous kernel runs");
    take(args, n);
}

static void streaming(char *const args[], const ptrdiff_t steps[], size_t n)
{
    if ((uintptr_t)args[call.is_masked ? 1 : call.operands.n_operands - 1] % 16)
        print("a non-temporal store is not aligned");
    if (!call.is_masked && n * call.itemsize % FASTRELU_CACHE_LINE)
        print("non-temporal stores do not fill cache lines");
    contiguous(args, steps, n);
}

static void strided(char *const args[], const ptrdiff_t steps[], size_t n)
{
    check_steps(steps);
    if (call.is_contiguous)
        print("the strided kernel runs");
    take(args, n);
}

static struct fastrelu_kernel kernel_of(int inputs, size_t itemsize)
{
    return (struct fastrelu_kernel){.contiguous = contiguous,
                                    .streaming = streaming,
                                    .strided = strided,
                                    .itemsize = itemsize,
                                    .inputs = inputs,
                                    .numbers = FASTRELU_FIRST};
}

static void begin(size_t itemsize, int n_operands, int axes)
{
    call.itemsize = itemsize;
    call.operands.n_operands = n_operands;
    call.operands.axes = axes;
    for (int i = 0; i < n_operands; i++)
        call.operands.args[i] = (char *)(BASE + APART * (uintptr_t)i);
}

static void reset(void)
{
    call.ends = 0;
    call.taken = call.parts = 0;
    calls++;
}

static void compare(void)
{
    const size_t n = call.operands.shape[call.operands.axes - 1];
    uint64_t ends = 0;
    size_t rows = 1;

    for (int axis = 0; axis < call.operands.axes - 1; axis++)
        rows *= call.operands.shape[axis];
    for (size_t row = 0; row < rows; row++)
        ends += mix(row << 32 | n) - mix(row << 32);
    if (call.ends != ends || call.taken != rows * n)
        print("not every element is taken once");
    parts += call.parts;
}

/* One row: n elements, the output `over` bytes behind a cache line. */
static void check_row(size_t itemsize, size_t n, size_t over, const ptrdiff_t steps[])
{
    const struct fastrelu_kernel kernel = kernel_of(2, itemsize);

    begin(itemsize, 3, 1);
    call.operands.args[2] += over;
    call.operands.shape[0] = n;
    memcpy(call.operands.steps[0], steps, sizeof call.operands.steps[0]);
    call.is_contiguous = fastrelu_is_contiguous(&kernel, steps);
    for (int stream = 0; stream < 2; stream++) {
        reset();
        fastrelu_execute_chunks(&kernel, call.operands.args, steps, n, threads, stream);
        compare();
    }
}

static void check_masked(size_t itemsize, size_t n, size_t over)
{
    const struct fastrelu_mask_kernel kernel = {contiguous, streaming, itemsize};

    begin(itemsize, 3, 1);
    call.operands.args[1] += over;
    call.operands.shape[0] = n;
    call.operands.steps[0][0] = call.operands.steps[0][1] = (ptrdiff_t)itemsize;
    call.operands.steps[0][2] = 0;
    call.is_contiguous = call.is_masked = 1;
    reset();
    fastrelu_execute_large_masked(&kernel, call.operands.args, n);
    compare();
    call.is_masked = 0;
}

static void check_small_rows(size_t most_bytes)
{
    for (size_t itemsize = 1; itemsize <= 8; itemsize *= 2) {
        const ptrdiff_t size = (ptrdiff_t)itemsize;
        const ptrdiff_t dense[FASTRELU_MAX_OPERANDS] = {size, size, size};
        const ptrdiff_t others[][FASTRELU_MAX_OPERANDS] = {{0, size, size},
                                                           {2 * size, size, size},
                                                           {-size, 3 * size, 2 * size},
                                                           {size, size, -size},
                                                           {0, 0, -3 * size}};
        for (threads = 1; threads <= MOST_THREADS; threads++)
            for (size_t n = 0; n * itemsize <= most_bytes; n++) {
                for (size_t over = 0; over < FASTRELU_CACHE_LINE; over++)
                    check_row(itemsize, n, over, dense);
                for (size_t i = 0; i < sizeof others / sizeof *others; i++)
                    check_row(itemsize, n, itemsize, others[i]);
                for (size_t over = 0; over < FASTRELU_CACHE_LINE; over += 8)
                    check_masked(itemsize, n, over);
            }
    }
}

/* With the least chunk of execute.h: around every multiple of it, until chunks have their most. */
static void check_large_rows(void)
{
    for (size_t itemsize = 1; itemsize <= 8; itemsize *= 2) {
        const ptrdiff_t size = (ptrdiff_t)itemsize,
                        dense[FASTRELU_MAX_OPERANDS] = {size, size, size};
        for (threads = 1; threads <= MOST_THREADS; threads++)
            for (size_t chunks = 1; chunks <= (48 << 20) / FASTRELU_MIN_CHUNK; chunks++)
                for (size_t more = 0; more < 5; more++) {
                    const size_t n = chunks * FASTRELU_MIN_CHUNK / itemsize + more - 2;
                    for (size_t over = 0; over < FASTRELU_CACHE_LINE; over += 16)
                        check_row(itemsize, n, over, dense);
                    check_row(itemsize, n, FASTRELU_CACHE_LINE - itemsize, dense);
                    check_row(itemsize, n, 1, dense);
                    check_masked(itemsize, n, 0);
                }
    }
}

/* Several rows. The output has gaps, so that no input is a row of a tile; inputs are the same,
   reversed along an axis, broadcast along one, or have another order in memory. */
static void check_axes(size_t itemsize, const size_t shape[], int axes, int inner_step)
{
    const struct fastrelu_kernel kernel = kernel_of(3, itemsize);
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    ptrdiff_t step = size * inner_step, other = size;

    begin(itemsize, 4, axes);
    for (int axis = axes - 1; axis >= 0; axis--) {
        ptrdiff_t *const steps = call.operands.steps[axis];
        call.operands.shape[axis] = shape[axis];
        steps[3] = steps[0] = step;
        steps[1] = axis == 0 ? -step : step;
        steps[2] = axis == axes / 2 ? 0 : step;
        step = (step * (ptrdiff_t)shape[axis] + 15 * size) / 16 * 16;
    }
    for (int axis = 0; axis < axes - 1; axis++) { /* the axes but the innermost, from within */
        call.operands.steps[axis][0] = other * (ptrdiff_t)shape[axes - 1] * inner_step + 16;
        other *= (ptrdiff_t)shape[axis] + 1;
    }
    call.is_contiguous = fastrelu_is_contiguous(&kernel, call.operands.steps[axes - 1]);
    reset();
    fastrelu_execute_operands(&kernel, &call.operands);
    compare();
}

static void check_all_axes(size_t most_bytes)
{
    for (size_t itemsize = 1; itemsize <= 8; itemsize *= 2)
        for (threads = 1; threads <= MOST_THREADS; threads++)
            for (size_t n = 1; n * itemsize <= most_bytes; n++)
                for (size_t a = 1; a <= 5; a++)
                    for (int inner_step = 1; inner_step <= 2; inner_step++) {
                        for (size_t b = 1; b <= 5; b++) {
                            check_axes(itemsize, (size_t[]){a, b, n}, 3, inner_step);
                            if (n * itemsize <= most_bytes / 4)
                                check_axes(itemsize, (size_t[]){a, 2, b, n}, 4, inner_step);
                        }
                        check_axes(itemsize, (size_t[]){11 * a, n}, 2, inner_step);
                    }
}

int main(int argc, char **argv)
{
    const int larger = wants_larger(argc, argv);
    const size_t row = larger ? 1 << 14 : 1 << 12, inner = larger ? 2048 : 1200;

    fastrelu_current_thresholds = (struct fastrelu_thresholds){1, 1, 1, 1, 1, 0, 1};
    call.is_chunked = 1;
    least_chunk = SMALL_CHUNK;
    check_small_rows(row);
    check_all_axes(inner);
    least_chunk = FASTRELU_MIN_CHUNK;
    check_large_rows();
    printf(
        "    %zu calls in %zu parts, of 1, 2, 4 and 8 bytes, by 1 to %d threads\n"
        "    every row and mask up to %zu bytes at every place of a cache line; up to 25 rows of "
        "up to %zu bytes;\n"
        "    rows of up to 48 MiB, within 2 elements of each multiple of %d bytes\n",
        calls, parts, MOST_THREADS, row, inner, FASTRELU_MIN_CHUNK);
    return report_findings();
}
