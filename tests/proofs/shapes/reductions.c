/* Does reduce.c take every element once, for the output that it belongs to?

   Sums are of numbers of 40 bits at random (of 7 bits in bytes), so that an element that is left
   out, taken twice or for another output gives another sum; of counts the signs are at random. Of
   dead_units one element alone has fired. Integers have one sum in any order; the order in which
   floats are added is tested in Python. The kernels are those of the scalar set, and sums must have
   the columns that they ask for. */

#include "runtime/reduce.h"

#include "findings.h"
#include "pool.h"

enum { AXES = 3, MEMORY = 1 << 23 /* elements of 8 bytes */, LAYOUTS = 4 };

extern const struct fastrelu_isa fastrelu_scalar;

static const char *const operations[] = {"sum", "mean", "activity", "dead_units"};
static char *positive, *of_both_signs, *negative;
static int64_t *expected, *results;
static size_t calls, elements;

static int64_t load(const char *p, size_t itemsize)
{
    int8_t of_8;
    int32_t of_32;
    int64_t of_64;
    if (itemsize == 1)
        return memcpy(&of_8, p, sizeof of_8), of_8;
    if (itemsize == 4)
        return memcpy(&of_32, p, sizeof of_32), of_32;
    return memcpy(&of_64, p, sizeof of_64), of_64;
}

static void store(char *p, size_t itemsize, int64_t number)
{
    const int8_t of_8 = (int8_t)number;
    const int32_t of_32 = (int32_t)number;
    memcpy(p,
           itemsize == 1   ? (const void *)&of_8
           : itemsize == 4 ? (const void *)&of_32
                           : (const void *)&number,
           itemsize);
}

/* C order, Fortran order, gaps within rows and the first axis reversed, the last two reversed. */
static void set_steps(ptrdiff_t steps[], const size_t shape[], int layout, ptrdiff_t itemsize)
{
    ptrdiff_t step = layout == 2 ? 2 * itemsize : itemsize;
    for (int i = 0; i < AXES; i++) {
        const int axis = layout == 1 ? i : AXES - 1 - i;
        steps[axis] = (layout == 2 && axis == 0) || (layout == 3 && axis > 0) ? -step : step;
        step *= (ptrdiff_t)shape[axis] + (layout == 2);
    }
}

static void add_axis(struct fastrelu_axes *axes, size_t n, ptrdiff_t step, ptrdiff_t out_step)
{
    axes->shape[axes->axes] = n;
    axes->steps[axes->axes] = step;
    axes->out_steps[axes->axes++] = out_step;
}

static fastrelu_sum_rows *sums; /* of the dtype */

static void check_columns(const char *const rows[], size_t step, ptrdiff_t distance, size_t n_rows,
                          size_t columns, const char *threshold, char *out)
{
    if (columns < FASTRELU_SUM_LANES)
        FOUND("a kernel is given %zu columns", columns);
    else
        sums(rows, step, distance, n_rows, columns, threshold, out);
}

/* The axes whose bit is set are reduced. */
static void check(int dtype, enum fastrelu_reduction_operation operation, const size_t shape[],
                  int reduced, int layout)
{
    static const char zero[8];
    struct fastrelu_reduction_kernel checking = fastrelu_scalar.reductions[dtype];
    const struct fastrelu_reduction_kernel *const kernel = &checking;
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const size_t n = shape[0] * shape[1] * shape[2];
    char *const memory = operation == FASTRELU_SUM        ? positive
                         : operation == FASTRELU_ACTIVITY ? of_both_signs
                                                          : negative;
    ptrdiff_t steps[AXES], out_steps[AXES], out_step = sizeof *results;
    size_t outputs = 1, fired = 0;
    char *x = memory;

    sums = checking.sums;
    checking.sums = check_columns;
    set_steps(steps, shape, layout, itemsize);
    for (int axis = AXES - 1; axis >= 0; axis--) {
        out_steps[axis] = reduced >> axis & 1 ? 0 : out_step;
        if (!(reduced >> axis & 1)) {
            outputs *= shape[axis];
            out_step *= (ptrdiff_t)shape[axis];
        }
        if (steps[axis] < 0)
            x -= steps[axis] * ((ptrdiff_t)shape[axis] - 1);
    }
    if (operation == FASTRELU_DEAD) {
        static uint64_t turn;
        fired = mix(++turn) % n;
        store(x + (ptrdiff_t)(fired / shape[2] / shape[1]) * steps[0] +
                  (ptrdiff_t)(fired / shape[2] % shape[1]) * steps[1] +
                  (ptrdiff_t)(fired % shape[2]) * steps[2],
              kernel->itemsize, 1);
    }

    struct fastrelu_reduction reduction = {
        .kernel = kernel,
        .operation = operation,
        .result = operation == FASTRELU_ACTIVITY ? FASTRELU_DOUBLE_RESULT : FASTRELU_INTEGER_RESULT,
        .is_integer = 1,
        .threshold = zero,
        .x = x,
        .out = (char *)results};
    for (int axis = 0; axis < AXES; axis++)
        add_axis(reduced >> axis & 1 ? &reduction.reduced : &reduction.kept, shape[axis],
                 steps[axis], out_steps[axis]);
    memset(results, 0, (outputs + 1) * sizeof *results);
    memset(expected, 0, outputs * sizeof *expected);
    calls++;
    elements += n;
    if (fastrelu_reduce(&reduction) != 0)
        FOUND("no memory");

    for (size_t i = 0; i < shape[0]; i++)
        for (size_t j = 0; j < shape[1]; j++) {
            const char *row = x + (ptrdiff_t)i * steps[0] + (ptrdiff_t)j * steps[1];
            char *out =
                (char *)expected + (ptrdiff_t)i * out_steps[0] + (ptrdiff_t)j * out_steps[1];
            for (size_t k = 0; k < shape[2]; k++, row += steps[2], out += out_steps[2]) {
                const int64_t number = load(row, kernel->itemsize);
                *(int64_t *)out += operation == FASTRELU_SUM ? number : number > 0;
            }
        }
    for (size_t i = 0; i <= outputs; i++) {
        const double share = (double)expected[i] / (double)(n / outputs);
        int64_t wanted = i == outputs ? 0 : expected[i];
        if (i < outputs && operation == FASTRELU_ACTIVITY)
            memcpy(&wanted, &share, sizeof wanted);
        if (i < outputs && operation == FASTRELU_DEAD) {
            wanted = 0;
            memset(&wanted, expected[i] == 0, 1);
        }
        if (results[i] != wanted) {
            FOUND("%s of %s, %zu by %zu by %zu, layout %d, axes %d reduced: output %zu of %zu",
                  operations[operation], fastrelu_dtype_names[dtype], shape[0], shape[1], shape[2],
                  layout, reduced, i, outputs);
            break;
        }
    }
    if (operation == FASTRELU_DEAD)
        store(x + (ptrdiff_t)(fired / shape[2] / shape[1]) * steps[0] +
                  (ptrdiff_t)(fired / shape[2] % shape[1]) * steps[1] +
                  (ptrdiff_t)(fired % shape[2]) * steps[2],
              kernel->itemsize, -1);
}

static void fill(size_t itemsize)
{
    for (size_t i = 0; i < MEMORY; i++) {
        const int64_t bits = (int64_t)mix(i + 1);
        const int64_t number = itemsize == 1   ? bits & 0x7F
                               : itemsize == 4 ? bits & 0x7FFFFFFF
                                               : bits >> 24 & 0xFFFFFFFFFF;
        store(positive + i * itemsize, itemsize, number);
        store(of_both_signs + i * itemsize, itemsize, bits & 1 ? 1 : -1);
        store(negative + i * itemsize, itemsize, -1);
    }
}

static void check_operations(int dtype, const size_t shape[], int reduced, int layout)
{
    check(dtype, FASTRELU_SUM, shape, reduced, layout);
    check(dtype, FASTRELU_ACTIVITY, shape, reduced, layout);
    check(dtype, FASTRELU_DEAD, shape, reduced, layout);
}

/* One axis of every length, beside short ones. */
static void check_lengths(int dtype, size_t most)
{
    for (int reduced = 1; reduced < 1 << AXES; reduced++)
        for (size_t length = 1; length <= most; length++)
            for (int number = 0; number < AXES * 4; number++) {
                size_t shape[AXES];
                for (int axis = 0; axis < AXES; axis++)
                    shape[axis] = 1 + 2 * (size_t)(number >> (axis + 1) % 2 & 1);
                shape[number / 4] = length;
                check_operations(dtype, shape, reduced, (int)(length + (size_t)number) % LAYOUTS);
            }
}

/* Two long axes, with lengths where a reduction is divided otherwise. */
static void check_pairs(int dtype)
{
    static const size_t lengths[] = {15, 16, 31, 32, 33, 63, 65, 128, 129, 255, 257, 513, 1025};
    enum { LENGTHS = sizeof lengths / sizeof *lengths };

    for (int reduced = 1; reduced < 1 << AXES; reduced++)
        for (size_t i = 0; i < LENGTHS; i++)
            for (size_t j = 0; j < LENGTHS; j++)
                for (int axis = 0; axis < AXES; axis++) {
                    size_t shape[AXES] = {2, 2, 2};
                    shape[axis] = lengths[i];
                    shape[(axis + 1) % AXES] = lengths[j];
                    check(dtype, (i + j) % 2 ? FASTRELU_SUM : FASTRELU_ACTIVITY, shape, reduced,
                          (int)(i + 2 * j) % LAYOUTS);
                    check(dtype, FASTRELU_DEAD, shape, reduced, (int)(2 * i + j) % LAYOUTS);
                }
}

/* Several chunks: around each multiple of a chunk of 64-bit elements in one column. */
static void check_chunks(int dtype)
{
    enum { CHUNK = 1 << 15 };
    for (size_t chunks = 1; chunks <= 5; chunks++)
        for (size_t more = 0; more < 3; more++)
            for (size_t columns = 1; columns <= 33; columns = 3 * columns + 2)
                check_operations(dtype, (size_t[]){1, chunks * CHUNK + more - 1, columns}, 2,
                                 (int)columns % 2 * 3);
}

int main(int argc, char **argv)
{
    static const int dtypes[] = {FASTRELU_i8, FASTRELU_i32, FASTRELU_i64};
    const int larger = wants_larger(argc, argv);
    const size_t most = larger ? 4200 : 1100;

    positive = malloc((size_t)MEMORY * 8);
    of_both_signs = malloc((size_t)MEMORY * 8);
    negative = malloc((size_t)MEMORY * 8);
    expected = malloc(((size_t)MEMORY + 1) * sizeof *expected);
    results = malloc(((size_t)MEMORY + 1) * sizeof *results);
    if (!positive || !of_both_signs || !negative || !expected || !results)
        return 2;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        fill(fastrelu_scalar.reductions[dtypes[i]].itemsize);
        check_lengths(dtypes[i], most);
        check_pairs(dtypes[i]);
        check_chunks(dtypes[i]);
    }
    printf(
        "    %zu calls of %zu elements, of 1, 4 and 8 bytes, over every subset of three "
        "axes\n"
        "    every length of one axis up to %zu, beside lengths of 1 and 3; two long axes; up to "
        "5 chunks in a column\n",
        calls, elements, most);
    return report_findings();
}
