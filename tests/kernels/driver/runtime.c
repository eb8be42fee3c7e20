/* Large calls in chunks, threads, panels and tiles give what one call of the kernel gives: the same
   bits and flags. */

#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "runtime/execute.h"
#include "runtime/reduce.h"
#include "runtime/threads.h"

enum { THREADS = 4, BYTES = 12 * FASTRELU_MIN_CHUNK, MOST_BYTES = 2 * BYTES + 256 };

static const int dtypes[] = {FASTRELU_i8, FASTRELU_u16, FASTRELU_f16, FASTRELU_f32, FASTRELU_f64};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

static char *inputs[MAX_INPUTS], *expected, *output;

static const struct fastrelu_thresholds one_thread = {SIZE_MAX, 1, SIZE_MAX, 1,
                                                      SIZE_MAX, 0, SIZE_MAX};
/* From the first byte on: with non-temporal stores or without. */
static const struct fastrelu_thresholds threads = {1, 1, 1, 1, SIZE_MAX, 0, SIZE_MAX};
static const struct fastrelu_thresholds streaming_threads = {1, 1, 1, 1, 1, 0, 1};

/* All patterns, or where flags are looked at, numbers that raise none. */
static void fill_inputs(int dtype, int calm)
{
    const size_t itemsize = (size_t)width_of(dtype) / 8;
    const int exponent = exponent_bits(dtype), mantissa = width_of(dtype) - 1 - exponent;

    for (int i = 0; i < MAX_INPUTS; i++)
        for (size_t at = 0; at + itemsize <= MOST_BYTES; at += itemsize) {
            uint64_t bits = next_random();
            if (calm && exponent) /* 1 to 2, of either sign */
                bits = (((uint64_t)1 << (exponent - 1)) - 1) << mantissa |
                       (bits & (((uint64_t)1 << mantissa) - 1)) |
                       (bits >> 63) << (exponent + mantissa);
            store_element(inputs[i] + at, itemsize, bits);
        }
}

/* Elements of two NaNs may differ. */
static void compare(int dtype, const char *wanted, const char *got, size_t bytes)
{
    const size_t itemsize = (size_t)width_of(dtype) / 8;
    if (memcmp(wanted, got, bytes) == 0)
        return;
    for (size_t at = 0; at + itemsize <= bytes; at += itemsize) {
        const uint64_t a = load_element(wanted + at, itemsize),
                       b = load_element(got + at, itemsize);
        if (a != b && !(is_nan(dtype, a) && is_nan(dtype, b))) {
            report("element at byte", at, a, b);
            return;
        }
    }
}

static void check_call(const struct fastrelu_kernel *kernel, const char *how, size_t n,
                       const ptrdiff_t steps[], size_t over, int streaming)
{
    const size_t bytes = MOST_BYTES - 64;
    char *args[FASTRELU_MAX_OPERANDS];
    uint8_t flags;

    for (int i = 0; i < kernel->inputs; i++)
        args[i] = inputs[i] + (i == 0 ? over : 0);
    args[kernel->inputs] = expected + over;
    memset(expected, SENTINEL, bytes);
    memset(output, SENTINEL, bytes);
    clear_flags();
    (fastrelu_is_contiguous(kernel, steps) ? kernel->contiguous : kernel->strided)(args, steps, n);
    flags = raised_flags();

    args[kernel->inputs] = output + over;
    begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype, how, n,
                kernel->inputs + 1, args, steps);
    fastrelu_current_thresholds = streaming ? streaming_threads : threads;
    clear_flags();
    fastrelu_execute(kernel, args, steps, n);
    check_flags(flags, 0);
    fastrelu_current_thresholds = one_thread;
    compare(kernel->dtype, expected, output, bytes);
}

static void check_calls(const struct fastrelu_kernel *kernel)
{
    const ptrdiff_t size = (ptrdiff_t)kernel->itemsize;
    const size_t most = BYTES / kernel->itemsize;

    for (int number = -1; number < kernel->inputs; number++)
        for (int streaming = 0; streaming < 2; streaming++) {
            ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {size, size, size, size};
            if (number >= 0)
                steps[number] = 0;
            check_call(kernel, "threads, contiguous", most, steps, 0, streaming);
            check_call(kernel, "threads, contiguous", most - 77, steps, kernel->itemsize,
                       streaming);
            check_call(kernel, "threads, contiguous", most - 78, steps, 1, streaming);
            for (int i = 0; i <= kernel->inputs; i++)
                steps[i] *= 2;
            check_call(kernel, "threads, strided", most - 79, steps, 0, streaming);
        }
}

/* The first input lies along the other axis, or is one row. */
static void check_axes(const struct fastrelu_kernel *kernel, size_t rows, size_t columns,
                       int transposed)
{
    const ptrdiff_t size = (ptrdiff_t)kernel->itemsize;
    const size_t bytes = rows * columns * kernel->itemsize;
    struct fastrelu_operands operands = {
        .n_operands = kernel->inputs + 1, .axes = 2, .shape = {rows, columns}};
    ptrdiff_t row_steps[FASTRELU_MAX_OPERANDS] = {0};

    for (int i = 0; i <= kernel->inputs; i++) {
        operands.args[i] = i < kernel->inputs ? inputs[i] : output;
        operands.steps[0][i] = (ptrdiff_t)columns * size;
        operands.steps[1][i] = size;
    }
    operands.steps[0][0] = transposed ? size : 0;
    operands.steps[1][0] = transposed ? (ptrdiff_t)rows * size : size;
    for (int i = 0; i <= kernel->inputs; i++)
        row_steps[i] = operands.steps[1][i];
    memset(output, SENTINEL, bytes + MARGIN);
    memset(expected, SENTINEL, bytes + MARGIN);
    clear_flags();
    for (size_t row = 0; row < rows; row++) {
        char *args[FASTRELU_MAX_OPERANDS];
        for (int i = 0; i <= kernel->inputs; i++)
            args[i] =
                (i < kernel->inputs ? inputs[i] : expected) + (ptrdiff_t)row * operands.steps[0][i];
        kernel->strided(args, row_steps, columns);
    }
    const uint8_t flags = raised_flags();

    for (int way = 0; way < 3; way++) {
        struct fastrelu_operands call = operands;
        memset(output, SENTINEL, bytes + MARGIN);
        begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype,
                    transposed ? "transposed" : "tiles", rows * columns, kernel->inputs + 1,
                    operands.args, row_steps);
        fastrelu_current_thresholds = way == 0   ? one_thread
                                      : way == 1 ? threads
                                                 : streaming_threads;
        clear_flags();
        fastrelu_execute_operands(kernel, &call);
        check_flags(flags, 0);
        fastrelu_current_thresholds = one_thread;
        compare(kernel->dtype, expected, output, bytes + MARGIN);
    }
}

/* Rows along two axes, which are no single axis: there is a gap behind each row, and behind all of
   the inner axis. */
static void check_rows(const struct fastrelu_kernel *kernel)
{
    enum { OUTER = 7, INNER = 25, N = 300 };
    const ptrdiff_t size = (ptrdiff_t)kernel->itemsize, row = (N + 1) * size,
                    block = INNER * row + 3 * size;
    const size_t bytes = (size_t)(OUTER * block);
    struct fastrelu_operands operands = {
        .n_operands = kernel->inputs + 1, .axes = 3, .shape = {OUTER, INNER, N}};

    for (int i = 0; i <= kernel->inputs; i++) {
        operands.args[i] = i < kernel->inputs ? inputs[i] : output;
        operands.steps[0][i] = block;
        operands.steps[1][i] = row;
        operands.steps[2][i] = size;
    }
    memset(expected, SENTINEL, bytes);
    clear_flags();
    for (int outer = 0; outer < OUTER; outer++)
        for (int inner = 0; inner < INNER; inner++) {
            char *args[FASTRELU_MAX_OPERANDS];
            for (int i = 0; i <= kernel->inputs; i++)
                args[i] = (i < kernel->inputs ? inputs[i] : expected) + outer * block + inner * row;
            kernel->strided(args, operands.steps[2], N);
        }
    const uint8_t flags = raised_flags();

    for (int n_threads = 1; n_threads <= THREADS; n_threads += THREADS - 1) {
        memset(output, SENTINEL, bytes);
        begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype, "rows",
                    OUTER * INNER * N, kernel->inputs + 1, operands.args, operands.steps[2]);
        fastrelu_current_thresholds = n_threads > 1 ? threads : one_thread;
        clear_flags();
        fastrelu_execute_operands(kernel, &operands);
        check_flags(flags, 0);
        fastrelu_current_thresholds = one_thread;
        compare(kernel->dtype, expected, output, bytes);
    }
}

static void check_masked(const struct fastrelu_isa *isa, int dtype)
{
    const size_t itemsize = (size_t)width_of(dtype) / 8, bytes = BYTES, most = BYTES / itemsize;
    char *const mask = inputs[1], *const expected_mask = inputs[2];

    for (int at_zero = 0; at_zero < 2; at_zero++)
        for (int streaming = 0; streaming < 2; streaming++)
            for (size_t n = most; n > most - 200; n -= 67) {
                const struct fastrelu_mask_kernel *with_mask = &isa->relu_with_mask[at_zero][dtype];
                const struct fastrelu_mask_kernel *from_mask = &isa->relu_backward_from_mask[dtype];
                char *const wanted[] = {inputs[0], expected, expected_mask};
                char *const args[] = {inputs[0], output, mask};
                const size_t mask_bytes = (n + 7) / 8;

                memset(mask, SENTINEL, mask_bytes + 1);
                memset(expected_mask, SENTINEL, mask_bytes + 1);
                memset(expected, SENTINEL, bytes);
                memset(output, SENTINEL, bytes);
                with_mask->contiguous(wanted, NULL, n);
                begin_check("relu_with_mask", dtype, "threads", n, 3, args, NULL);
                fastrelu_current_thresholds = streaming ? streaming_threads : threads;
                clear_flags();
                fastrelu_execute_masked(with_mask, args, n);
                check_flags(0, 0);
                check_bytes("output, byte", expected, output, bytes);
                check_bytes("mask, byte", expected_mask, mask, mask_bytes + 1);

                from_mask->contiguous(wanted, NULL, n);
                begin_check("relu_backward_from_mask", dtype, "threads", n, 3, args, NULL);
                clear_flags();
                fastrelu_execute_masked(from_mask, args, n);
                check_flags(0, 0);
                fastrelu_current_thresholds = one_thread;
                check_bytes("output, byte", expected, output, bytes);
            }
}

/* A sum has the same bits with one thread and with several, and on every set. */
static void check_reduction(const struct fastrelu_isa *isa, int dtype, size_t rows, size_t columns,
                            enum fastrelu_reduction_operation operation, int of_rows)
{
    const ptrdiff_t size = width_of(dtype) / 8, across = (ptrdiff_t)columns * size;
    const int is_sum = operation == FASTRELU_SUM;
    const char zero[FASTRELU_MAX_ITEMSIZE] = {0};
    const size_t outputs = of_rows ? rows : columns;
    uint8_t flags[3];
    char *const results[] = {expected, output, output + BYTES};

    for (int i = 0; i < 3; i++) {
        const struct fastrelu_isa *by = i == 0 ? &fastrelu_scalar : isa;
        struct fastrelu_reduction reduction = {
            .kernel = &by->reductions[dtype],
            .operation = operation,
            .result = is_sum && is_float(dtype) ? FASTRELU_DOUBLE_RESULT : FASTRELU_INTEGER_RESULT,
            .is_integer = !is_float(dtype),
            .threshold = zero,
            .x = inputs[0],
            .out = results[i],
            .kept = {1, {outputs}, {of_rows ? across : size}, {is_sum ? 8 : 1}},
            .reduced = {1, {of_rows ? columns : rows}, {of_rows ? size : across}, {0}}};
        memset(results[i], SENTINEL, outputs * 8 + MARGIN);
        if (i > 0)
            begin_check(is_sum ? "relu_sum" : "dead_units", dtype,
                        i == 2 ? "threads" : "one thread", rows * columns, 0, NULL, NULL);
        fastrelu_current_thresholds = i == 2 ? threads : one_thread;
        clear_flags();
        if (fastrelu_reduce(&reduction) != 0)
            report("there is no memory", 0, 0, 0);
        flags[i] = raised_flags();
        fastrelu_current_thresholds = one_thread;
        if (i == 0)
            continue;
        if (flags[i] != flags[0])
            report("flags", 0, flags[0], flags[i]);
        if (reduction.result == FASTRELU_DOUBLE_RESULT)
            compare(FASTRELU_f64, results[0], results[i], outputs * 8 + MARGIN);
        else
            check_bytes("result, byte", results[0], results[i], outputs * 8 + MARGIN);
    }
}

static void check_set(const struct fastrelu_isa *isa, int dtype)
{
    for (int operation = 0; operation < FASTRELU_N_OPERATIONS; operation++) {
        const struct fastrelu_kernel *kernel = &isa->kernels[operation][dtype];
        if (!kernel->contiguous)
            continue;
        check_calls(kernel);
        check_rows(kernel);
        for (int transposed = 0; transposed < 2; transposed++) {
            check_axes(kernel, 201, 203, transposed);
            check_axes(kernel, 32, 1024, transposed);
            check_axes(kernel, 2000, 7, transposed);
        }
    }
    for (int of_rows = 0; of_rows < 2; of_rows++) {
        check_reduction(isa, dtype, 90, 517, FASTRELU_SUM, of_rows);
        check_reduction(isa, dtype, 3000, 16, FASTRELU_SUM, of_rows);
        check_reduction(isa, dtype, 90, 517, FASTRELU_DEAD, of_rows);
        check_reduction(isa, dtype, 6, 8000, FASTRELU_DEAD, of_rows);
    }
    check_masked(isa, dtype);
}

void check_runtime(const struct fastrelu_isa *const sets[], struct situation counts[],
                   const struct selection *selection)
{
    fastrelu_init_threads();
    fastrelu_set_num_threads(THREADS);
    expected = malloc(MOST_BYTES);
    output = malloc(MOST_BYTES);
    for (int i = 0; i < MAX_INPUTS; i++)
        inputs[i] = malloc(MOST_BYTES);
    for (int number = 0; number < N_DTYPES; number++) {
        if (number % selection->parts != selection->part)
            continue;
        for (int i = 0; sets[i]; i++) {
            now = counts[i];
            for (int calm = 0; calm < 2; calm++) {
                seed_random("", "runtime", dtypes[number] + calm);
                fill_inputs(dtypes[number], calm);
                fesetround(calm ? FE_UPWARD : FE_TONEAREST); /* which threads take over */
                check_set(sets[i], dtypes[number]);
            }
            fesetround(FE_TONEAREST);
            counts[i] = now;
        }
    }
    for (int i = 0; i < MAX_INPUTS; i++)
        free(inputs[i]);
    free(output);
    free(expected);
}
