/* Every kernel of an operation and dtype, against the oracle: all values, then all shapes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum {
    LINE = 64, /* bytes of a cache line */
    /* So many values of each input: all that 16 bits have, or of which all pairs or triples. */
    VALUES_OF_ONE = 1 << 16,
    VALUES_OF_TWO = 256,
    VALUES_OF_THREE = 36,
    MOST_TUPLES = 1 << 16,
    STREAM = 8192, /* elements */
    NUMBERS = 4,   /* streams with the same number */
    NO_NUMBER = -1
};

/* Every tuple of values, and what the oracle says about it. */
struct table {
    const struct fastrelu_kernel *kernel; /* of the scalar set */
    int inputs;
    size_t itemsize, n_values, n;
    uint8_t flags, open_flags; /* of all together */
    uint64_t *values;
    struct outcome *outcomes;
};

/* Tuples at random; in some of them one input is the same number everywhere. */
struct stream {
    size_t tuples[STREAM];
    char inputs[MAX_INPUTS][STREAM * FASTRELU_MAX_ITEMSIZE];
    char outputs[STREAM * FASTRELU_MAX_ITEMSIZE];
    uint8_t flags[STREAM], open_flags[STREAM];
};

static struct table table;
static size_t one_of;          /* so many shapes one is checked */
static struct stream *streams; /* by number + 1, then calm or not, then NUMBERS of each */
static char image[ARENA];
static char pattern[ARENA + FASTRELU_MAX_ITEMSIZE]; /* elements that signal, or are odd integers */

static uint64_t value_of(size_t tuple, int input)
{
    for (int i = 0; i < input; i++)
        tuple /= table.n_values;
    return table.values[tuple % table.n_values];
}

static size_t with_value(size_t tuple, int input, size_t value)
{
    size_t unit = 1;
    for (int i = 0; i < input; i++)
        unit *= table.n_values;
    return tuple - tuple / unit % table.n_values * unit + value * unit;
}

static int make_table(const struct fastrelu_kernel *kernel)
{
    const size_t most = kernel->inputs == 1   ? VALUES_OF_ONE
                        : kernel->inputs == 2 ? VALUES_OF_TWO
                                              : VALUES_OF_THREE;
    table.kernel = kernel;
    table.inputs = kernel->inputs;
    table.itemsize = kernel->itemsize;
    table.n_values = make_values(kernel->dtype, most, table.values);
    table.n = 1;
    table.flags = table.open_flags = 0;
    for (int i = 0; i < table.inputs; i++)
        table.n *= table.n_values;
    for (size_t i = 0; i < table.n; i++) {
        uint64_t inputs[MAX_INPUTS] = {0};
        for (int j = 0; j < table.inputs; j++)
            inputs[j] = value_of(i, j);
        if (!apply_operation(kernel->operation, kernel->dtype, inputs, &table.outcomes[i]))
            return 0;
        if (kernel->status == FASTRELU_QUIET)
            table.outcomes[i].flags = table.outcomes[i].open_flags = 0;
        table.flags |= table.outcomes[i].flags;
        table.open_flags |= table.outcomes[i].open_flags;
    }
    return 1;
}

static struct stream *stream_of(int number, int calm, size_t which)
{
    return &streams[((size_t)(number + 1) * 2 + (size_t)calm) * NUMBERS + which % NUMBERS];
}

static void make_stream(struct stream *stream, int number, int calm)
{
    enum { TRIES = 8 };
    const size_t value = random_below(table.n_values);

    for (size_t i = 0; i < STREAM; i++) {
        size_t tuple = 0;
        for (int try = 0; try < TRIES; try++) {
            tuple = random_below(table.n);
            if (number != NO_NUMBER)
                tuple = with_value(tuple, number, value);
            if (!calm || (table.outcomes[tuple].flags | table.outcomes[tuple].open_flags) == 0)
                break;
        }
        stream->tuples[i] = tuple;
        stream->flags[i] = table.outcomes[tuple].flags;
        stream->open_flags[i] = table.outcomes[tuple].open_flags;
        for (int j = 0; j < table.inputs; j++)
            store_element(stream->inputs[j] + i * table.itemsize, table.itemsize,
                          value_of(tuple, j));
        store_element(stream->outputs + i * table.itemsize, table.itemsize,
                      table.outcomes[tuple].bits);
    }
}

static void make_streams(void)
{
    for (int number = NO_NUMBER; number < table.inputs; number++)
        for (int calm = 0; calm < 2; calm++)
            for (size_t which = 0; which < NUMBERS; which++)
                make_stream(stream_of(number, calm, which), number, calm);
    for (size_t at = 0; at < sizeof pattern; at += table.itemsize) {
        const int exponent = exponent_bits(table.kernel->dtype);
        const int width = width_of(table.kernel->dtype);
        const uint64_t inf = (((uint64_t)1 << exponent) - 1) << (width - 1 - exponent);
        store_element(pattern + at, table.itemsize, exponent ? inf + 1 : 0x6B6B6B6B6B6B6B6B);
    }
}

/* The operands of a call. `low` is the first byte of each, `span` its extent. */
struct call {
    size_t n;
    int number; /* the input with step 0; or NO_NUMBER */
    int arena[FASTRELU_MAX_OPERANDS];
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS];
    char *args[FASTRELU_MAX_OPERANDS];
};

static char *low_of(const struct call *call, int operand)
{
    const ptrdiff_t step = call->steps[operand];
    return call->args[operand] + (step < 0 && call->n ? step * (ptrdiff_t)(call->n - 1) : 0);
}

/* A number is there whatever n is. */
static size_t span_of(size_t n, ptrdiff_t step)
{
    return n           ? (n - 1) * (size_t)(step < 0 ? -step : step) + table.itemsize
           : step == 0 ? table.itemsize
                       : 0;
}

static void place(struct call *call, int operand, ptrdiff_t over)
{
    const ptrdiff_t step = call->steps[operand];
    char *const low = place_in(call->arena[operand], span_of(call->n, step), over);
    call->args[operand] = low + (step < 0 && call->n ? -step * (ptrdiff_t)(call->n - 1) : 0);
}

static struct window window_of(const struct call *call, int operand)
{
    return window_around(call->arena[operand], low_of(call, operand),
                         span_of(call->n, call->steps[operand]));
}

#define SCATTER(itemsize)                                        \
    for (size_t i = 0; i < n; i++, to += step, from += itemsize) \
        memcpy(to, from, itemsize);

static void scatter(char *to, ptrdiff_t step, const char *from, size_t n)
{
    if (step == (ptrdiff_t)table.itemsize)
        memcpy(to, from, n * table.itemsize);
    else if (table.itemsize == 1)
        SCATTER(1)
    else if (table.itemsize == 2)
        SCATTER(2)
    else if (table.itemsize == 4)
        SCATTER(4)
    else
        SCATTER(8)
}

static void run(const char *entry, fastrelu_loop *loop, const struct call *call)
{
    if (random_below(one_of))
        return;
    const int inputs = table.inputs, out = inputs;
    const size_t itemsize = table.itemsize, n = call->n;
    const int calm = (int)random_below(2);
    const struct stream *stream = stream_of(call->number, calm, random_below(NUMBERS));
    const size_t first = random_below(STREAM - n);
    struct window window = window_of(call, out);
    uint8_t flags = 0, open_flags = 0;

    for (int i = 0; i < inputs; i++) {
        const struct window in = window_of(call, i);
        if (call->arena[i] == call->arena[out]) {
            window.from = in.from < window.from ? in.from : window.from;
            window.to = in.to > window.to ? in.to : window.to;
        } else /* misaligned as the elements are */
            memcpy(in.from, pattern + itemsize - (size_t)(low_of(call, i) - in.from) % itemsize,
                   (size_t)(in.to - in.from));
    }
    const size_t size = (size_t)(window.to - window.from);
    memset(window.from, SENTINEL, size);
    for (int i = 0; i < inputs; i++)
        scatter(call->args[i], call->steps[i], stream->inputs[i] + first * itemsize,
                call->steps[i] ? n : 1);
    char *const expected = image + (call->args[out] - window.from);
    memcpy(image, window.from, size);
    scatter(expected, call->steps[out], stream->outputs + first * itemsize, n);
    for (size_t j = 0; j < n; j++) {
        flags |= stream->flags[first + j];
        open_flags |= stream->open_flags[first + j];
    }

    begin_check(fastrelu_operation_names[table.kernel->operation], table.kernel->dtype, entry, n,
                inputs + 1, call->args, call->steps);
    clear_flags();
    loop(call->args, call->steps, n);
    check_flags(flags, open_flags);

    if (memcmp(window.from, image, size) == 0)
        return;
    for (size_t j = call->steps[out] || n == 0 ? 0 : n - 1; j < n; j++) {
        const ptrdiff_t at = (ptrdiff_t)j * call->steps[out];
        const uint64_t wanted = load_element(expected + at, itemsize),
                       got = load_element(call->args[out] + at, itemsize);
        if (wanted == got)
            continue;
        if (table.outcomes[stream->tuples[first + j]].any_nan && is_nan(table.kernel->dtype, got))
            store_element(expected + at, itemsize, got);
        else {
            report("element", j, wanted, got);
            return;
        }
    }
    check_bytes("outside the elements, byte", image, window.from, size);
}

/* All tuples, one after the other, in long arrays: then the first again, up to a multiple of so
   many bytes. */
static void check_values(const struct fastrelu_kernel *kernel, fastrelu_loop *loop,
                         const char *entry, size_t unit)
{
    const size_t itemsize = table.itemsize;
    const size_t n = (table.n * itemsize + unit - 1) / unit * unit / itemsize;
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {size, size, size, size};
    char *args[FASTRELU_MAX_OPERANDS] = {arenas[0], arenas[1], arenas[2], arenas[3]};
    char *const out = arenas[MAX_INPUTS];

    args[table.inputs] = out;
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < table.inputs; j++)
            store_element(args[j] + i * itemsize, itemsize, value_of(i % table.n, j));
    begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype, entry, n,
                table.inputs + 1, args, steps);
    clear_flags();
    loop(args, steps, n);
    check_flags(table.flags, table.open_flags);
    for (size_t i = 0; i < n; i++) {
        const struct outcome *outcome = &table.outcomes[i % table.n];
        const uint64_t got = load_element(out + i * itemsize, itemsize);
        if (got != outcome->bits && !(outcome->any_nan && is_nan(kernel->dtype, got))) {
            report("of all values, element", i, outcome->bits, got);
            for (int j = 0; j < table.inputs && now.mismatches <= 10; j++)
                printf("    input %d: %#llx\n", j, (unsigned long long)value_of(i % table.n, j));
        }
    }
}

/* The flags of each tuple: alone, and as one lane of a register. */
static void check_flags_of_tuples(const struct fastrelu_kernel *kernel)
{
    enum { BYTES = 2 * FASTRELU_MAX_LANES };
    const size_t itemsize = table.itemsize, lanes = BYTES / itemsize;
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {size, size, size, size};
    const struct stream *calm = stream_of(NO_NUMBER, 1, 0);
    char *args[FASTRELU_MAX_OPERANDS] = {arenas[0], arenas[1], arenas[2], arenas[3]};
    size_t calm_tuple = 0;

    while (calm->flags[calm_tuple] | calm->open_flags[calm_tuple])
        calm_tuple++;
    args[table.inputs] = arenas[MAX_INPUTS];
    for (int j = 0; j < table.inputs; j++)
        for (size_t i = 0; i < lanes; i++)
            memcpy(args[j] + i * itemsize, calm->inputs[j] + calm_tuple * itemsize, itemsize);
    for (size_t i = 0; i < table.n; i++) {
        const struct outcome *outcome = &table.outcomes[i];
        char *at[FASTRELU_MAX_OPERANDS];
        for (int j = 0; j <= table.inputs; j++)
            at[j] = args[j] + i % lanes * itemsize;
        for (int j = 0; j < table.inputs; j++)
            store_element(at[j], itemsize, value_of(i, j));
        begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype, "contiguous", lanes,
                    table.inputs + 1, args, steps);
        clear_flags();
        kernel->contiguous(args, steps, lanes);
        check_flags(outcome->flags, outcome->open_flags);
        begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype, "contiguous", 1,
                    table.inputs + 1, at, steps);
        clear_flags();
        kernel->contiguous(at, steps, 1);
        check_flags(outcome->flags, outcome->open_flags);
        for (int j = 0; j < table.inputs; j++)
            memcpy(at[j], calm->inputs[j] + calm_tuple * itemsize, itemsize);
    }
}

/* Every operand in an arena of its own, with these steps. */
static struct call call_of(size_t n, const ptrdiff_t steps[])
{
    struct call call = {.n = n, .number = NO_NUMBER};
    for (int i = 0; i <= table.inputs; i++) {
        call.arena[i] = i == table.inputs ? MAX_INPUTS : i;
        call.steps[i] = steps[i];
        if (i < table.inputs && steps[i] == 0)
            call.number = i;
        place(&call, i, 0);
    }
    return call;
}

/* The same, in other places. */
static void run_placed(const char *entry, fastrelu_loop *loop, struct call call)
{
    const ptrdiff_t size = (ptrdiff_t)table.itemsize;
    const ptrdiff_t places[] = {0, -1, size, 1, -2, 64 + 16};
    const int operands = table.inputs + 1;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (int j = 0; j < operands; j++)
            place(&call, j, places[i]);
        run(entry, loop, &call);
    }
    for (int j = 0; j < operands; j++)
        for (size_t i = 1; i < 4; i++) {
            for (int k = 0; k < operands; k++)
                place(&call, k, k == j ? places[i] : 0);
            run(entry, loop, &call);
        }
}

/* The output is an input, or the input lies ahead of it. */
static void run_shared(const char *entry, fastrelu_loop *loop, const struct call *disjoint)
{
    const ptrdiff_t size = (ptrdiff_t)table.itemsize, step = disjoint->steps[table.inputs];
    const ptrdiff_t distance = step < 0 ? -step : step;
    const ptrdiff_t aheads[] = {0, 1, size, distance, 2 * distance, 17 * distance, 65 * distance};
    const ptrdiff_t places[] = {0, -1, size, 1};

    for (int shared = 0; shared < table.inputs; shared++)
        for (size_t i = 0; i < sizeof aheads / sizeof *aheads; i++)
            for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
                struct call call = *disjoint;
                if (call.steps[shared] != step)
                    continue;
                call.arena[shared] = call.arena[table.inputs];
                /* The one that comes later in memory is the input, or with a step below zero the
                   output. */
                const ptrdiff_t room = places[j] < 0 ? -aheads[i] : 0;
                place(&call, table.inputs, places[j]);
                place(&call, shared, places[j]);
                if (step > 0) {
                    call.args[table.inputs] += room;
                    call.args[shared] += room + aheads[i];
                } else {
                    call.args[table.inputs] += room + aheads[i];
                    call.args[shared] += room;
                }
                run(entry, loop, &call);
            }
}

/* Input and output in the gaps of each other, as real and imaginary parts. */
static void run_interleaved(fastrelu_loop *loop, const struct call *disjoint)
{
    const ptrdiff_t size = (ptrdiff_t)table.itemsize, step = disjoint->steps[table.inputs];

    if ((step < 0 ? -step : step) < 2 * size)
        return;
    for (int shared = 0; shared < table.inputs; shared++)
        for (int behind = 0; behind < 2; behind++) {
            struct call call = *disjoint;
            if (call.steps[shared] != step)
                continue;
            call.arena[shared] = call.arena[table.inputs];
            place(&call, table.inputs, behind ? size : 0);
            place(&call, shared, behind ? 0 : size);
            run("strided", loop, &call);
        }
}

/* The streaming kernel takes whole cache lines. */
static int takes_stream(const struct fastrelu_kernel *kernel, size_t n)
{
    return kernel->streaming && n * table.itemsize % LINE == 0;
}

static void check_contiguous(const struct fastrelu_kernel *kernel, size_t n)
{
    const ptrdiff_t size = (ptrdiff_t)table.itemsize;

    for (int number = NO_NUMBER; number < table.inputs; number++) {
        ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {size, size, size, size};
        if (number != NO_NUMBER) {
            if (!((int)kernel->numbers >> number & 1))
                continue;
            steps[number] = 0;
        }
        struct call call = call_of(n, steps);
        run_placed("contiguous", kernel->contiguous, call);
        run_shared("contiguous", kernel->contiguous, &call);
        for (ptrdiff_t over = 0; takes_stream(kernel, n) && over < 128; over += 16) {
            place(&call, table.inputs, over);
            for (ptrdiff_t in_over = 0; in_over <= size; in_over += size)
                for (int i = 0; i < table.inputs; i++) {
                    place(&call, i, in_over);
                    run("streaming", kernel->streaming, &call);
                }
        }
    }
}

/* Long enough that stores are aligned: every place of the output. */
static void check_long(const struct fastrelu_kernel *kernel)
{
    enum { FROM = 4096 };
    const ptrdiff_t size = (ptrdiff_t)table.itemsize;
    const size_t lengths[] = {FROM / table.itemsize - 1, FROM / table.itemsize,
                              FROM / table.itemsize + 1, FROM / table.itemsize + 73};

    for (int number = NO_NUMBER; number < table.inputs; number++) {
        ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {size, size, size, size};
        if (number != NO_NUMBER) {
            if (!((int)kernel->numbers >> number & 1))
                continue;
            steps[number] = 0;
        }
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct call call = call_of(lengths[i], steps);
            run_placed("contiguous", kernel->contiguous, call);
            for (ptrdiff_t over = 0; over < 64; over += i == 3 ? 1 : 5) {
                place(&call, table.inputs, over);
                run("contiguous", kernel->contiguous, &call);
                if (takes_stream(kernel, lengths[i]) && over % 16 == 0)
                    run("streaming", kernel->streaming, &call);
            }
            if (i == 3)
                run_shared("contiguous", kernel->contiguous, &call);
        }
    }
}

static void check_strided(const struct fastrelu_kernel *kernel, size_t n)
{
    const ptrdiff_t size = (ptrdiff_t)table.itemsize;
    const ptrdiff_t choices[] = {size,      2 * size, 3 * size,     -size,        -2 * size,
                                 -3 * size, 7 * size, 2 * size + 1, -4 * size - 1};
    enum { CHOICES = sizeof choices / sizeof *choices, MIXED = 8 };
    const int operands = table.inputs + 1;
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS];
    struct call call;

    for (size_t i = 0; i < CHOICES; i++) {
        for (int j = 0; j < operands; j++)
            steps[j] = choices[i];
        call = call_of(n, steps);
        run_placed("strided", kernel->strided, call);
        run_shared("strided", kernel->strided, &call);
        run_interleaved(kernel->strided, &call);
        for (int number = 0; number < table.inputs; number++) { /* one of them a number */
            steps[number] = 0;
            call = call_of(n, steps);
            run("strided", kernel->strided, &call);
            run_shared("strided", kernel->strided, &call);
            steps[number] = choices[i];
        }
        for (int other = 0; other < operands; other++) { /* one of them with another step */
            for (int j = 0; j < operands; j++)
                steps[j] = j == other ? choices[i] : size;
            call = call_of(n, steps);
            run("strided", kernel->strided, &call);
            for (int j = 0; j < operands; j++)
                steps[j] = j == other ? size : choices[i];
            call = call_of(n, steps);
            run("strided", kernel->strided, &call);
        }
        /* Each element of the output covers those before. */
        steps[table.inputs] = 0;
        call = call_of(n, steps);
        run("strided", kernel->strided, &call);
    }
    for (int i = 0; i < MIXED; i++) {
        for (int j = 0; j < operands; j++)
            steps[j] = choices[random_below(CHOICES)];
        call = call_of(n, steps);
        for (int j = 0; j < operands; j++)
            place(&call, j, (ptrdiff_t)random_below(64));
        run("strided", kernel->strided, &call);
    }
}

static void check_kernel(const struct fastrelu_kernel *kernel)
{
    static const size_t longer[] = {191, 255, 256, 257, 319, 320, 321, 511, 517, 1029};

    check_values(kernel, kernel->contiguous, "contiguous", table.itemsize);
    check_values(kernel, kernel->strided, "strided", table.itemsize);
    if (kernel->streaming)
        check_values(kernel, kernel->streaming, "streaming", LINE);
    if (table.flags)
        check_flags_of_tuples(kernel);
    for (size_t n = 0; n <= LONGEST; n++) {
        check_contiguous(kernel, n);
        check_strided(kernel, n);
    }
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        check_contiguous(kernel, longer[i]);
        check_strided(kernel, longer[i]);
    }
    check_long(kernel);
}

void check_operations(const struct fastrelu_isa *const sets[], struct situation counts[],
                      const struct selection *selection)
{
    int number = 0;

    one_of = selection->one_of;
    table.values = malloc(VALUES_OF_ONE * sizeof *table.values);
    table.outcomes = malloc(MOST_TUPLES * sizeof *table.outcomes);
    streams = malloc((MAX_INPUTS + 1) * 2 * NUMBERS * sizeof *streams);
    for (int operation = 0; operation < FASTRELU_N_OPERATIONS; operation++)
        for (int dtype = 0; dtype < FASTRELU_N_DTYPES; dtype++) {
            const struct fastrelu_kernel *scalar = &fastrelu_scalar.kernels[operation][dtype];
            if (!scalar->contiguous || number++ % selection->parts != selection->part)
                continue;
            seed_random("", fastrelu_operation_names[operation], dtype);
            if (!make_table(scalar)) {
                printf("tests/kernels/driver/oracle.c has no %s\n",
                       fastrelu_operation_names[operation]);
                exit(2);
            }
            make_streams();
            for (int i = 0; sets[i]; i++) {
                seed_random(sets[i]->name, fastrelu_operation_names[operation], dtype);
                now = counts[i];
                check_kernel(&sets[i]->kernels[operation][dtype]);
                counts[i] = now;
            }
        }
    free(table.values);
    free(table.outcomes);
    free(streams);
}
