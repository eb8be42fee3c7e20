/* The kernels of reductions, against sums and counts in the order that reductions.h says. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum {
    MOST_ROWS = 300,    /* more than an 8-bit count holds */
    MOST_COLUMNS = 160, /* and sums */
    MOST_VALUES = 64,
    CASES = 120,
    MOST_FOLDED = 9,
    LANES = FASTRELU_SUM_LANES
};

/* The arenas of the rows, in turn; of rows at one distance; of the sums or counts; of the number.
 */
enum { ROWS = 2, EQUIDISTANT = 2, OUT = MAX_INPUTS, NUMBER = MAX_INPUTS + 1 };

static struct {
    int dtype;
    size_t distance; /* of rows that all have the same, else 0 */
    size_t itemsize, n_values, n_rows, step, columns;
    uint64_t values[MOST_VALUES], calm[MOST_VALUES];
    uint64_t threshold;
    uint64_t elements[MOST_ROWS][MOST_COLUMNS];
    const char *rows[3 * MOST_ROWS];
} input;
static char image[ARENA];

/* Rows in two arenas, so that the last of each ends where no byte can be read; or in one. */
static void make_rows(int calm)
{
    const size_t bytes = input.columns * input.itemsize;
    const size_t distance = bytes + random_below(3) * input.itemsize + random_below(2);

    for (size_t row = 0; row < input.n_rows; row++) {
        char *const at =
            input.distance
                ? arenas[EQUIDISTANT] + ARENA - bytes - (input.n_rows - 1 - row) * input.distance
                : arenas[row % ROWS] + ARENA - bytes - row / ROWS * distance;
        input.rows[row * input.step] = at;
        for (size_t i = 0; i < input.columns; i++) {
            input.elements[row][i] =
                (calm ? input.calm : input.values)[random_below(input.n_values)];
            store_element(at + i * input.itemsize, input.itemsize, input.elements[row][i]);
        }
    }
    store_element(place_in(NUMBER, input.itemsize, -1), input.itemsize, input.threshold);
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* Whether a sum is what it must be: any NaN is as good as another. */
static void check_sums(const uint64_t expected[], const char *got, size_t n, int is_double)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t sum = load_element(got + i * 8, 8);
        if (sum != expected[i] &&
            !(is_double && is_nan(FASTRELU_f64, sum) && is_nan(FASTRELU_f64, expected[i]))) {
            report("sum", i, expected[i], sum);
            return;
        }
    }
}

/* What a kernel adds for one element: relu(x - threshold). */
static uint64_t difference(size_t row, size_t column, int subtracts, struct outcome *outcome)
{
    const uint64_t x = input.elements[row][column];
    return rectify(input.dtype,
                   subtracts ? apply_arithmetic(input.dtype, '-', x, input.threshold, outcome) : x);
}

/* A float as double. A signalling NaN becomes quiet, and is reported. */
static uint64_t widen(uint64_t x, struct outcome *outcome)
{
    const int exponent = exponent_bits(input.dtype),
              mantissa = width_of(input.dtype) - 1 - exponent;
    if (input.dtype == FASTRELU_f64)
        return x;
    if (!is_nan(input.dtype, x))
        return bits_of(float_of(input.dtype, x));
    if (!(x >> (mantissa - 1) & 1))
        outcome->flags |= INVALID;
    return bits_of(NAN);
}

enum sums { OF_INTEGERS, OF_DOUBLES, OF_FLOATS, OF_FOUR };

/* The sum of some rows. */
static uint64_t column_sum(enum sums sums, size_t column, size_t first, size_t n_rows,
                           struct outcome *outcome)
{
    const int subtracts = sums != OF_FOUR || !(float_of(input.dtype, input.threshold) == 0);
    uint64_t sum = 0;

    for (size_t row = first; row < first + n_rows;) {
        uint64_t x = difference(row, column, subtracts, outcome);
        const size_t left = first + n_rows - row, taken = sums != OF_FOUR ? 1 : left < 4 ? left : 4;
        if (taken > 1)
            x = apply_arithmetic(input.dtype, '+', x,
                                 difference(row + 1, column, subtracts, outcome), outcome);
        if (taken == 3)
            x = apply_arithmetic(input.dtype, '+', x,
                                 difference(row + 2, column, subtracts, outcome), outcome);
        if (taken == 4) {
            const uint64_t third = difference(row + 2, column, subtracts, outcome);
            const uint64_t fourth = difference(row + 3, column, subtracts, outcome);
            x = apply_arithmetic(input.dtype, '+', x,
                                 apply_arithmetic(input.dtype, '+', third, fourth, outcome),
                                 outcome);
        }
        row += taken;
        if (sums == OF_INTEGERS)
            sum += (uint64_t)integer_of(input.dtype, x);
        else {
            const uint64_t wide = sums != OF_DOUBLES ? widen(x, outcome)
                                  : input.dtype == FASTRELU_u64
                                      ? bits_of((double)x)
                                      : bits_of((double)integer_of(input.dtype, x));
            sum = apply_arithmetic(FASTRELU_f64, '+', sum, wide, outcome);
        }
    }
    return sum;
}

/* The sums of leaves, if rows of a register's width follow each other, else one. Returns how many
   numbers these are. */
static size_t column_sums(enum sums sums, uint64_t expected[], struct outcome *outcome)
{
    const size_t leaf = fastrelu_scalar.reductions[input.dtype].leaf / LANES;
    const int has_leaves =
        input.columns == LANES && input.distance == LANES * input.itemsize && input.n_rows > leaf;
    const size_t most = has_leaves ? leaf : input.n_rows;
    size_t n = 0, first = 0;

    do {
        const size_t left = input.n_rows - first, taken = left < most ? left : most;
        for (size_t i = 0; i < input.columns; i++)
            expected[n++] = column_sum(sums, i, first, taken, outcome);
        first += most;
    } while (first < input.n_rows);
    return n;
}

static void check_sum_rows(const struct fastrelu_isa *const sets[], struct situation counts[],
                           enum sums sums)
{
    const ptrdiff_t places[] = {0, -1, 8, 1};
    const ptrdiff_t distances[] = {0, 0, -(ptrdiff_t)input.itemsize, 3 * (ptrdiff_t)input.itemsize};
    uint64_t expected[MOST_COLUMNS];
    struct outcome outcome = {0, 0, 0, 0};
    const char *rows[3 * MOST_ROWS];
    const size_t n = column_sums(sums, expected, &outcome);

    for (int i = 0; sets[i]; i++) {
        const struct fastrelu_reduction_kernel *kernel = &sets[i]->reductions[input.dtype];
        fastrelu_sum_rows *const sum = sums == OF_DOUBLES ? kernel->double_sums
                                       : sums == OF_FOUR  ? kernel->partial_sums
                                                          : kernel->sums;
        char *const out = place_in(OUT, n * 8, places[random_below(4)]);
        const struct window window = window_around(OUT, out, n * 8);
        const size_t size = (size_t)(window.to - window.from);
        const size_t step = input.distance ? 0 : input.step;
        const ptrdiff_t distance =
            input.distance ? (ptrdiff_t)input.distance : distances[random_below(4)];
        for (size_t row = 0; row < input.n_rows; row++)
            rows[row * step] = input.rows[row * input.step] - (ptrdiff_t)row * distance;
        now = counts[i];
        memset(window.from, SENTINEL, size);
        begin_check(sums == OF_FOUR      ? "partial_sums"
                    : sums == OF_DOUBLES ? "double_sums"
                                         : "sums",
                    input.dtype, "rows", input.n_rows, 1, (char *const[]){out},
                    (ptrdiff_t[]){(ptrdiff_t)input.columns});
        clear_flags();
        sum(rows, step, distance, input.n_rows, input.columns, place_in(NUMBER, input.itemsize, -1),
            out);
        check_flags(outcome.flags, outcome.open_flags);
        check_sums(expected, out, n, sums != OF_INTEGERS);
        memset(image, SENTINEL, size);
        memcpy(image + (out - window.from), out, n * 8);
        check_bytes("outside the sums, byte", image, window.from, size);
        counts[i] = now;
    }
}

static void check_count_rows(const struct fastrelu_isa *const sets[], struct situation counts[],
                             int not_dead)
{
    const ptrdiff_t size = (ptrdiff_t)input.itemsize, places[] = {0, -1, size, 1};
    const size_t bytes = input.columns * input.itemsize;
    uint64_t begin[MOST_COLUMNS], count[MOST_COLUMNS];

    for (size_t i = 0; i < input.columns; i++) {
        begin[i] = count[i] = next_random();
        for (size_t row = 0; row < input.n_rows; row++) {
            const uint64_t x = input.elements[row][i];
            count[i] += gradient_passes(input.dtype, x, 0) && (not_dead || !is_nan(input.dtype, x));
        }
    }
    for (int i = 0; sets[i]; i++) {
        const struct fastrelu_reduction_kernel *kernel = &sets[i]->reductions[input.dtype];
        char *const out = place_in(OUT, bytes, places[random_below(4)]);
        const struct window window = window_around(OUT, out, bytes);
        char *const expected = image + (out - window.from);
        now = counts[i];
        memset(window.from, SENTINEL, (size_t)(window.to - window.from));
        memset(image, SENTINEL, (size_t)(window.to - window.from));
        for (size_t j = 0; j < input.columns; j++) {
            store_element(out + j * input.itemsize, input.itemsize, begin[j]);
            store_element(expected + j * input.itemsize, input.itemsize, count[j]);
        }
        begin_check(not_dead ? "not_dead" : "positive", input.dtype, "rows", input.n_rows, 1,
                    (char *const[]){out}, (ptrdiff_t[]){(ptrdiff_t)input.columns});
        clear_flags();
        (not_dead ? kernel->not_dead : kernel->positive)(input.rows, input.n_rows, input.columns,
                                                         out);
        check_flags(0, 0);
        check_bytes("counts, byte", image, window.from, (size_t)(window.to - window.from));
        counts[i] = now;
    }
}

/* Columns that are a register, some more, and as they come. */
static size_t random_columns(size_t least)
{
    const size_t random = least + random_below(MOST_COLUMNS + 1 - least);
    return random_below(2)                  ? random
           : random / LANES * LANES < least ? least
                                            : random / LANES * LANES;
}

static void check_rows(const struct fastrelu_isa *const sets[], struct situation counts[],
                       int dtype)
{
    const struct fastrelu_reduction_kernel *scalar = &fastrelu_scalar.reductions[dtype];
    const uint64_t zero_below = (uint64_t)1 << (width_of(dtype) - 1);

    input.dtype = dtype;
    input.itemsize = scalar->itemsize;
    input.n_values = make_values(dtype, MOST_VALUES, input.values);
    for (size_t i = 0; i < input.n_values; i++) { /* floats from 2^-4 to 2^4, of both signs */
        const int exponent = exponent_bits(dtype), mantissa = width_of(dtype) - 1 - exponent;
        const uint64_t bias = exponent ? ((uint64_t)1 << (exponent - 1)) - 1 : 0;
        const uint64_t random = next_random();
        input.calm[i] = exponent ? ((bias - 4 + (random & 7)) << mantissa) |
                                       (random >> 8 & (((uint64_t)1 << mantissa) - 1)) |
                                       (random & 8 ? zero_below : 0)
                                 : random;
    }
    for (int number = 0; number < CASES; number++) {
        const int calm = number % 3 != 0;
        input.step = 1 + random_below(3);
        input.n_rows = number < 24 ? (size_t)number : random_below(70);
        input.columns = random_below(2) ? LANES : random_columns(LANES);
        input.distance = number % 2 ? (input.columns + (random_below(3) == 0)) * input.itemsize : 0;
        do
            input.threshold =
                number % 4 == 0 ? 0
                : number % 4 == 1 && exponent_bits(dtype)
                    ? zero_below
                    : (calm ? input.calm : input.values)[random_below(input.n_values)];
        while (is_nan(dtype, input.threshold));
        make_rows(calm);
        check_sum_rows(sets, counts, is_float(dtype) ? OF_FLOATS : OF_INTEGERS);
        if (scalar->double_sums)
            check_sum_rows(sets, counts, OF_DOUBLES);
        if (scalar->partial_sums)
            check_sum_rows(sets, counts, OF_FOUR);
    }
    input.step = 1;
    input.distance = 0;
    for (size_t columns = 0; columns <= LONGEST; columns++)
        for (int number = 0; number < 3; number++) {
            input.columns = columns;
            input.n_rows = number == 0   ? random_below(9)
                           : number == 1 ? 8 * random_below(4)
                                         : random_below(columns % 16 ? 40 : MOST_ROWS);
            make_rows(number % 2);
            check_count_rows(sets, counts, 0);
            check_count_rows(sets, counts, 1);
        }
}

/* A sum or a number of either kind. */
static uint64_t random_sum(int is_double)
{
    static const double numbers[] = {0, -0.0, 1e300, -1e300, 0x1p-1074, 1.1, INFINITY, -INFINITY};
    if (!is_double || random_below(3))
        return is_double ? bits_of(ldexp((double)(int64_t)next_random(), -60)) : next_random();
    return bits_of(numbers[random_below(8)]);
}

static uint64_t add(int is_double, uint64_t a, uint64_t b, struct outcome *outcome)
{
    return is_double ? apply_arithmetic(FASTRELU_f64, '+', a, b, outcome) : a + b;
}

/* The kernels that add up sums: every dtype of a set has the same ones. */
static void check_adding_up(const struct fastrelu_isa *const sets[], struct situation counts[],
                            int dtype, int is_double)
{
    for (size_t n = 0; n <= LONGEST; n++)
        for (int i = 0; sets[i]; i++) {
            const struct fastrelu_reduction_kernel *kernel = &sets[i]->reductions[dtype];
            const ptrdiff_t places[] = {0, -1, 8, 1};
            uint64_t lanes[MOST_FOLDED * LANES], expected[LONGEST + 1];
            struct outcome outcome = {0, 0, 0, 0};
            char *const out = place_in(OUT, n * 8, places[n % 4]);
            char *const others = place_in(0, n * 8, places[n / 4 % 4]);
            const struct window window = window_around(OUT, out, n * 8);
            const size_t size = (size_t)(window.to - window.from);

            now = counts[i];
            memset(window.from, SENTINEL, size);
            for (size_t j = 0; j < n; j++) {
                const uint64_t a = random_sum(is_double), b = random_sum(is_double);
                store_element(out + j * 8, 8, a);
                store_element(others + j * 8, 8, b);
                expected[j] = add(is_double, a, b, &outcome);
            }
            begin_check(is_double ? "add_doubles" : "add_integers", dtype, "sums", n, 1,
                        (char *const[]){out}, (ptrdiff_t[]){8});
            clear_flags();
            (is_double ? kernel->add_doubles : kernel->add_integers)(out, others, n);
            check_flags(outcome.flags, 0);
            check_sums(expected, out, n, is_double);
            memset(image, SENTINEL, size);
            memcpy(image + (out - window.from), out, n * 8);
            check_bytes("outside the sums, byte", image, window.from, size);

            const size_t folded = n % (MOST_FOLDED + 1);
            char *const sums = place_in(OUT, folded * LANES * 8, places[n % 4]);
            outcome = (struct outcome){0, 0, 0, 0};
            for (size_t j = 0; j < folded * LANES; j++)
                store_element(sums + j * 8, 8, lanes[j] = random_sum(is_double));
            for (size_t sum = 0; sum < folded; sum++) {
                uint64_t *const own = lanes + sum * LANES;
                for (size_t half = LANES / 2; half > 0; half /= 2)
                    for (size_t j = 0; j < half; j++)
                        own[j] = add(is_double, own[j], own[j + half], &outcome);
                expected[sum] = *own;
            }
            begin_check(is_double ? "fold_doubles" : "fold_integers", dtype, "sums", folded, 1,
                        (char *const[]){sums}, (ptrdiff_t[]){8});
            clear_flags();
            (is_double ? kernel->fold_doubles : kernel->fold_integers)(sums, folded);
            check_flags(outcome.flags, 0);
            check_sums(expected, sums, folded, is_double);
            counts[i] = now;
        }
}

/* Compares n elements at `out`, and what is beside them. */
static void check_elements(const char *what, const uint64_t expected[], char *out, size_t n,
                           size_t itemsize)
{
    const struct window window = window_around(OUT, out, n * itemsize);
    memset(image, SENTINEL, (size_t)(window.to - window.from));
    for (size_t i = 0; i < n; i++)
        store_element(image + (out - window.from) + i * itemsize, itemsize, expected[i]);
    check_bytes(what, image, window.from, (size_t)(window.to - window.from));
}

/* The kernels that make results of counts and sums. */
static void check_results(const struct fastrelu_isa *const sets[], struct situation counts[],
                          int dtype)
{
    const size_t itemsize = fastrelu_scalar.reductions[dtype].itemsize;
    const ptrdiff_t places[] = {0, -1, 8, 1};

    for (size_t n = 0; n <= 2 * LONGEST; n++)
        for (int i = 0; sets[i]; i++) {
            const struct fastrelu_reduction_kernel *kernel = &sets[i]->reductions[dtype];
            const uint64_t divisor = random_sum(1);
            uint64_t sums[2 * LONGEST + 1], kept[2 * LONGEST + 1], quotients[2 * LONGEST + 1];
            char *const of_counts = place_in(0, n * itemsize, places[n % 4]);
            char *const out = place_in(OUT, n * 8, places[n / 4 % 4]);
            char *const bytes = place_in(OUT, n, places[n / 4 % 4]);
            const struct window window = window_around(OUT, out, n * 8);
            double number;

            now = counts[i];
            memset(window.from, SENTINEL, (size_t)(window.to - window.from));
            for (size_t j = 0; j < n; j++) {
                const uint64_t count = random_below(2) ? 0 : next_random() >> random_below(64);
                store_element(of_counts + j * itemsize, itemsize, count);
                sums[j] = next_random();
                store_element(out + j * 8, 8, sums[j]);
                sums[j] += load_element(of_counts + j * itemsize, itemsize);
            }
            begin_check("add_counts", dtype, "sums", n, 1, (char *const[]){out}, (ptrdiff_t[]){8});
            clear_flags();
            kernel->add_counts(out, of_counts, n);
            check_flags(0, 0);
            check_elements("sums, byte", sums, out, n, 8);

            memset(window.from, SENTINEL, (size_t)(window.to - window.from));
            for (size_t j = 0; j < n; j++) {
                const uint64_t byte = random_below(3) ? 1 : next_random() & 0xFF;
                store_element(bytes + j, 1, byte);
                kept[j] = load_element(of_counts + j * itemsize, itemsize) ? 0 : byte;
            }
            begin_check("keep_uncounted", dtype, "bytes", n, 1, (char *const[]){bytes},
                        (ptrdiff_t[]){1});
            clear_flags();
            kernel->keep_uncounted(bytes, of_counts, n);
            check_flags(0, 0);
            check_elements("bytes, byte", kept, bytes, n, 1);

            memset(window.from, SENTINEL, (size_t)(window.to - window.from));
            clear_flags();
            for (size_t j = 0; j < n; j++) {
                const uint64_t sum = random_sum(1);
                store_element(out + j * 8, 8, sum);
                volatile double quotient = float_of(FASTRELU_f64, sum);
                quotient /= float_of(FASTRELU_f64, divisor);
                number = quotient;
                quotients[j] = bits_of(number);
            }
            const uint8_t flags = raised_flags();
            memcpy(&number, &divisor, sizeof number);
            begin_check("divide_doubles", dtype, "sums", n, 1, (char *const[]){out},
                        (ptrdiff_t[]){8});
            clear_flags();
            kernel->divide_doubles(out, n, number);
            check_flags(flags, 0);
            check_sums(quotients, out, n, 1);
            for (size_t j = 0; j < n; j++)
                quotients[j] = load_element(out + j * 8, 8);
            check_elements("outside the sums, byte", quotients, out, n, 8);
            counts[i] = now;
        }
}

void check_reductions(const struct fastrelu_isa *const sets[], struct situation counts[],
                      const struct selection *selection)
{
    for (int dtype = 0; dtype < FASTRELU_N_NUMBERS; dtype++) {
        if (dtype % selection->parts != selection->part)
            continue;
        seed_random("", "reductions", dtype);
        check_rows(sets, counts, dtype);
        check_adding_up(sets, counts, dtype, 0);
        check_adding_up(sets, counts, dtype, 1);
        check_results(sets, counts, dtype);
    }
}
