/* Does a kernel touch a byte outside its operands, at any length, place and step?

   Pages around each operand cannot be read or written, and an input cannot be written at all. Each
   operand lies at the beginning of its memory, at the end of it, and at every place of 64 bytes
   from there. Bytes beside the output and in its gaps must stay as they were. The elements are
   compared with those that the scalar set gives one at a time, which tests/kernels/driver/ holds
   against arithmetic. Not seen: a read of what lies between the elements of one input, or so little
   beside it that it stays within the page. */

#define _GNU_SOURCE

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/kernels.h"

#include "findings.h"

enum {
    MAX_INPUTS = FASTRELU_MAX_OPERANDS - 1,
    ARENA = 1 << 14, /* a multiple of every page */
    GUARD = 1 << 16,
    VECTOR = FASTRELU_MAX_LANES,     /* bytes of the widest register */
    LONGEST = 3 * VECTOR,            /* bytes, of every length up to that */
    FROM_LONG = 1 << 12,             /* bytes from which on stores are aligned */
    STREAM = FROM_LONG + 4 * VECTOR, /* elements */
    MARGIN = VECTOR,                 /* bytes beside an output that are compared */
    SENTINEL = 0xA5,
    NO_NUMBER = -1,
    MOST_STEPS = 16
};

extern const struct fastrelu_isa fastrelu_scalar;

/* `view` is what kernels see. Through `own` inputs are written. */
struct arena {
    char *view, *own;
};

static struct {
    const char *set, *operation, *dtype, *entry;
    size_t n;
    int operands;
    char *const *args;
    const ptrdiff_t *steps;
} now;
static size_t calls, larger;

static struct arena inputs[MAX_INPUTS][MOST_STEPS], output, mask_input, mask_output;
static char image[3 * FROM_LONG + 2 * MARGIN];

/* Elements of each input, and the results by the set of inputs that are one number, the first. */
static size_t itemsize;
static char stream[MAX_INPUTS][STREAM * FASTRELU_MAX_ITEMSIZE];
static char results[1 << MAX_INPUTS][STREAM * FASTRELU_MAX_ITEMSIZE];

static struct arena make_arena(int protection)
{
    const int file = memfd_create("arena", 0);
    char *const around =
        mmap(NULL, ARENA + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct arena arena;
    if (file < 0 || ftruncate(file, ARENA) != 0 || around == MAP_FAILED)
        exit(2);
    arena.view = mmap(around + GUARD, ARENA, protection, MAP_SHARED | MAP_FIXED, file, 0);
    arena.own = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (arena.view == MAP_FAILED || arena.own == MAP_FAILED)
        exit(2);
    close(file);
    return arena;
}

static void print_situation(void)
{
    printf("    %s: %s of %s, %s, n = %zu, addresses mod 64 and steps:", now.set, now.operation,
           now.dtype, now.entry, now.n);
    for (int i = 0; i < now.operands; i++)
        printf(" %u/%td", (unsigned)((uintptr_t)now.args[i] % 64), now.steps ? now.steps[i] : 0);
    putchar('\n');
}

static void on_signal(int number)
{
    print_situation();
    printf("    stopped by signal %d: a byte outside an operand was touched, or an input written\n",
           number);
    fflush(stdout);
    _Exit(1);
}

/* `place` bytes behind the beginning of an arena, or if below zero, so many before its end that -1
   is at the end. */
static size_t place_of(ptrdiff_t place, size_t span)
{
    return place < 0 ? ARENA - span - (size_t)(-1 - place) : (size_t)place;
}

static size_t span_of(size_t n, ptrdiff_t step)
{
    if (step == 0)
        return itemsize; /* a number is there whatever n is */
    return n ? (n - 1) * (size_t)(step < 0 ? -step : step) + itemsize : 0;
}

/* From the lowest byte of an operand to its first element. */
static size_t first_of(size_t n, ptrdiff_t step)
{
    return step < 0 && n ? (n - 1) * (size_t)-step : 0;
}

static void scatter(char *to, ptrdiff_t step, const char *from, size_t n)
{
    if (step == (ptrdiff_t)itemsize)
        memcpy(to, from, n * itemsize);
    else
        for (size_t i = 0; i < n; i++, to += step, from += itemsize)
            switch (itemsize) {
            case 1:
                *to = *from;
                break;
            case 2:
                memcpy(to, from, 2);
                break;
            case 4:
                memcpy(to, from, 4);
                break;
            default:
                memcpy(to, from, 8);
            }
}

static char *place_input(int input, int which, size_t n, ptrdiff_t step, ptrdiff_t place)
{
    const struct arena *arena = &inputs[input][which];
    const size_t at = place_of(place, span_of(n, step)) + first_of(n, step);
    scatter(arena->own + at, step, stream[input], step == 0 ? 1 : n);
    return arena->view + at;
}

static void make_image(size_t span, size_t first, ptrdiff_t step, const char *elements, size_t n)
{
    memset(image, SENTINEL, span + 2 * MARGIN);
    scatter(image + MARGIN + first, step, elements, n);
}

struct window {
    char *from;
    size_t left, size;
};

static struct window window_of(const struct arena *arena, const char *low, size_t span)
{
    const size_t before = (size_t)(low - arena->view), left = before < MARGIN ? before : MARGIN;
    const size_t after = ARENA - before - span, right = after < MARGIN ? after : MARGIN;
    return (struct window){(char *)low - left, left, left + span + right};
}

static void compare(const struct window *window, const char *wanted)
{
    wanted += MARGIN - window->left;
    if (memcmp(window->from, wanted, window->size) == 0)
        return;
    size_t at = 0;
    while (window->from[at] == wanted[at])
        at++;
    print_situation();
    printf("    byte %td of the output: expected %#x, got %#x\n",
           (ptrdiff_t)at - (ptrdiff_t)window->left, (uint8_t)wanted[at], (uint8_t)window->from[at]);
    count_finding();
}

static void begin(const char *entry, char *const args[], const ptrdiff_t steps[], size_t n,
                  int operands)
{
    now.entry = entry;
    now.args = args;
    now.steps = steps;
    now.n = n;
    now.operands = operands;
    calls++;
}

/* The output at this place; the image is made. */
static void run(const char *entry, fastrelu_loop *loop, int out, char *args[],
                const ptrdiff_t steps[], size_t n, ptrdiff_t place)
{
    const size_t span = n ? span_of(n, steps[out]) : 0;
    char *const low = output.view + place_of(place, span);
    const struct window window = window_of(&output, low, span);

    args[out] = low + first_of(n, steps[out]);
    memset(window.from, SENTINEL, window.size);
    begin(entry, args, steps, n, out + 1);
    loop(args, steps, n);
    compare(&window, image);
}

/* Values */

static uint64_t random_bits(void)
{
    static uint64_t state = 1;
    return mix(state++);
}

/* A number of which arithmetic makes no NaN and no infinity: 1 to 2, of either sign. */
static uint64_t random_element(int dtype)
{
    const uint64_t bits = random_bits();
    switch (dtype) {
    case FASTRELU_f16:
        return (bits & 0x83FF) | 0x3C00;
    case FASTRELU_bfloat16:
        return (bits & 0x807F) | 0x3F80;
    case FASTRELU_f32:
        return (bits & 0x807FFFFF) | 0x3F800000;
    case FASTRELU_f64:
        return (bits & 0x800FFFFFFFFFFFFF) | 0x3FF0000000000000;
    default:
        return bits;
    }
}

static void store_element(char *to, uint64_t bits)
{
    const uint8_t bits8 = (uint8_t)bits;
    const uint16_t bits16 = (uint16_t)bits;
    const uint32_t bits32 = (uint32_t)bits;
    memcpy(to,
           itemsize == 1   ? (const void *)&bits8
           : itemsize == 2 ? (const void *)&bits16
           : itemsize == 4 ? (const void *)&bits32
                           : (const void *)&bits,
           itemsize);
}

static void make_streams(int dtype)
{
    for (int i = 0; i < MAX_INPUTS; i++)
        for (size_t at = 0; at < STREAM; at++)
            store_element(stream[i] + at * itemsize, random_element(dtype));
}

static void make_results(const struct fastrelu_kernel *scalar)
{
    const ptrdiff_t size = (ptrdiff_t)itemsize, steps[] = {size, size, size, size};
    for (int numbers = 0; numbers < 1 << scalar->inputs; numbers++)
        for (size_t at = 0; at < STREAM; at++) {
            char *args[FASTRELU_MAX_OPERANDS];
            for (int i = 0; i < scalar->inputs; i++)
                args[i] = stream[i] + (numbers >> i & 1 ? 0 : at * itemsize);
            args[scalar->inputs] = results[numbers] + at * itemsize;
            scalar->contiguous(args, steps, 1);
        }
}

/* Contiguous and streaming kernels */

static const char *results_of(int number) { return results[number == NO_NUMBER ? 0 : 1 << number]; }

/* Every place of the output, with the inputs at both ends; every place of the inputs, with the
   output at both ends. */
static void check_places(const struct fastrelu_kernel *kernel, size_t n, const ptrdiff_t steps[],
                         int number)
{
    const int out = kernel->inputs, is_long = n * itemsize >= FROM_LONG - VECTOR;
    char *args[FASTRELU_MAX_OPERANDS];

    make_image(n * itemsize, 0, steps[out], results_of(number), n);
    for (ptrdiff_t place = -VECTOR; place < VECTOR; place++) {
        const int all = place == 0 || place == -1;
        if (is_long && !all)
            continue;
        for (int i = 0; i < out; i++)
            args[i] = place_input(i, 0, n, steps[i], place);
        for (ptrdiff_t out_place = all ? -VECTOR : -1; out_place < (all ? VECTOR : 1);
             out_place++) {
            run("contiguous", kernel->contiguous, out, args, steps, n, out_place);
            if (kernel->streaming && n * itemsize % 64 == 0 && (uintptr_t)args[out] % 16 == 0)
                run("streaming", kernel->streaming, out, args, steps, n, out_place);
        }
    }
}

/* The input lies ahead of the output by every number of bytes, in the direction of the steps. */
static void check_ahead(const char *entry, fastrelu_loop *loop,
                        const struct fastrelu_kernel *kernel, size_t n, ptrdiff_t step, size_t most,
                        size_t at_place)
{
    const int out = kernel->inputs;
    const size_t span = n ? span_of(n, step) : 0, first = first_of(n, step);
    const ptrdiff_t steps[] = {step, step, step, step};
    char *args[FASTRELU_MAX_OPERANDS];

    for (int shared = 0; shared < out; shared++) {
        for (int i = 0; i < out; i++)
            if (i != shared)
                args[i] = place_input(i, 0, n, step, 0);
        for (size_t ahead = 0; ahead <= most; ahead++)
            for (int at_end = 0; at_end < 2; at_end++) {
                char *const low =
                    output.view + (at_end ? ARENA - span - ahead - at_place : at_place);
                const struct window window = window_of(&output, low, span + ahead);
                const size_t in_at = first + (step > 0 ? ahead : 0);
                const size_t out_at = first + (step > 0 ? 0 : ahead);
                args[shared] = low + in_at;
                args[out] = low + out_at;
                memset(image, SENTINEL, span + ahead + 2 * MARGIN);
                scatter(image + MARGIN + in_at, step, stream[shared], n);
                memcpy(window.from, image + MARGIN - window.left, window.size);
                scatter(image + MARGIN + out_at, step, results[0], n);
                begin(entry, args, steps, n, out + 1);
                loop(args, steps, n);
                compare(&window, image);
            }
    }
}

static void check_contiguous(const struct fastrelu_kernel *kernel)
{
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    const size_t longest = LONGEST / itemsize, from = FROM_LONG / itemsize;

    for (int number = NO_NUMBER; number < kernel->inputs; number++) {
        ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {size, size, size, size};
        if (number != NO_NUMBER) {
            if (!((int)kernel->numbers >> number & 1))
                continue;
            steps[number] = 0;
        }
        for (size_t n = 0; n <= longest; n++)
            check_places(kernel, n, steps, number);
        for (size_t n = from - 1; n <= from + VECTOR / itemsize; n++)
            check_places(kernel, n, steps, number);
    }
    for (size_t n = 0; n <= longest; n++)
        check_ahead("ahead", kernel->contiguous, kernel, n, size, LONGEST, 0);
    for (size_t place = 0; place < VECTOR; place += 21)
        check_ahead("ahead", kernel->contiguous, kernel, from + VECTOR / itemsize / 2 + 1, size,
                    LONGEST, place);
}

/* Strided kernels: all steps of all operands, at both ends. */

struct steps {
    int n, items; /* those of whole elements come first */
    ptrdiff_t of[MOST_STEPS];
};

static void add_step(struct steps *steps, ptrdiff_t step)
{
    for (int i = 0; i < steps->n; i++)
        if (steps->of[i] == step)
            return;
    steps->of[steps->n++] = step;
}

static void make_steps(struct steps *in, struct steps *out)
{
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    for (ptrdiff_t step = -3; step <= 3; step++)
        add_step(in, step * size);
    in->items = in->n;
    if (size > 1) { /* the fields of packed structs */
        add_step(in, size + 1);
        add_step(in, -size - 1);
    }
    *out = *in;
    for (ptrdiff_t step = -3; step <= 3; step++) /* elements that overlap those before */
        add_step(out, step);
}

static void check_steps(const struct fastrelu_kernel *kernel, const struct steps *in,
                        const struct steps *out_steps, size_t n, ptrdiff_t place)
{
    const int out = kernel->inputs, choices = out == 3 && !larger ? in->items : in->n;
    char *views[MAX_INPUTS][MOST_STEPS], *args[FASTRELU_MAX_OPERANDS];
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS];
    int combinations = 1;

    for (int i = 0; i < out; i++, combinations *= choices)
        for (int j = 0; j < choices; j++)
            views[i][j] = place_input(i, j, n, in->of[j], place);
    for (int o = 0; o < out_steps->n; o++)
        for (int numbers = 0; numbers < 1 << out; numbers++) {
            steps[out] = out_steps->of[o];
            make_image(n ? span_of(n, steps[out]) : 0, first_of(n, steps[out]), steps[out],
                       results[numbers], n);
            for (int combination = 0; combination < combinations; combination++) {
                int rest = combination, zeros = 0;
                for (int i = 0; i < out; i++, rest /= choices) {
                    args[i] = views[i][rest % choices];
                    steps[i] = in->of[rest % choices];
                    zeros |= (steps[i] == 0) << i;
                }
                if (zeros == numbers)
                    run("strided", kernel->strided, out, args, steps, n, place);
            }
        }
}

static void check_strided(const struct fastrelu_kernel *kernel)
{
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    const size_t longest = LONGEST / itemsize;
    struct steps in = {0}, out = {0};

    make_steps(&in, &out);
    for (size_t n = 0; n <= longest; n++) {
        for (ptrdiff_t place = -1; place < (size > 1 ? 2 : 1); place++)
            check_steps(kernel, &in, &out, n, place);
        for (ptrdiff_t step = -3; step <= 3; step++)
            if (step)
                check_ahead("strided, ahead", kernel->strided, kernel, n, step * size,
                            (larger ? LONGEST : VECTOR) + itemsize, 0);
    }
}

/* Masks */

static char mask_image[STREAM / 8 + 2 * MARGIN];

/* Operands x (or the gradient), y, mask. `in_place`: x is y. */
static void run_mask(const char *entry, fastrelu_loop *loop, size_t n, int in_place, int writes,
                     ptrdiff_t place, ptrdiff_t y_place, ptrdiff_t mask_place)
{
    const size_t size = n * itemsize, mask_size = (n + 7) / 8;
    char *const y = output.view + place_of(y_place, size);
    const size_t mask_at = place_of(mask_place, mask_size);
    char *const mask = (writes ? mask_output : mask_input).view + mask_at;
    char *args[] = {in_place ? y : inputs[0][0].view + place_of(place, size), y, mask};
    const struct window window = window_of(&output, y, size);
    const struct window mask_window =
        window_of(&mask_output, mask_output.view + mask_at, mask_size);

    memset(window.from, SENTINEL, window.size);
    if (in_place)
        memcpy(y, stream[0], size);
    if (writes)
        memset(mask_window.from, SENTINEL, mask_window.size);
    begin(entry, args, NULL, n, 3);
    loop(args, NULL, n);
    compare(&window, image);
    if (writes)
        compare(&mask_window, mask_image);
}

static void check_mask_places(const char *entry, const struct fastrelu_mask_kernel *kernel,
                              size_t n, int writes)
{
    const size_t size = n * itemsize, mask_size = (n + 7) / 8;
    const int is_long = size >= FROM_LONG - VECTOR;

    for (ptrdiff_t place = -VECTOR; place < VECTOR; place++) {
        const int all = place == 0 || place == -1;
        if (is_long && !all)
            continue;
        memcpy(inputs[0][0].own + place_of(place, size), stream[0], size);
        for (ptrdiff_t mask_place = all ? -8 : -1; mask_place < (all ? 8 : 1); mask_place++) {
            const int all_y = all && (mask_place == 0 || mask_place == -1);
            if (!writes)
                memcpy(mask_input.own + place_of(mask_place, mask_size), mask_image + MARGIN,
                       mask_size);
            for (ptrdiff_t y = all_y ? -VECTOR : -1; y < (all_y ? VECTOR : 1); y++)
                for (int in_place = 0; in_place < 2; in_place++) {
                    const int aligned = place_of(y, size) % 16 == 0;
                    run_mask(entry, kernel->contiguous, n, in_place, writes, place, y, mask_place);
                    if (kernel->streaming && aligned && !in_place)
                        run_mask(entry, kernel->streaming, n, 0, writes, place, y, mask_place);
                }
        }
    }
}

/* What the scalar set gives for one element at a time. */
static void make_mask_images(const struct fastrelu_mask_kernel *scalar, size_t n, int writes)
{
    const size_t mask_size = (n + 7) / 8;
    memset(image, SENTINEL, n * itemsize + 2 * MARGIN);
    memset(mask_image, SENTINEL, mask_size + 2 * MARGIN);
    for (size_t i = 0; i < mask_size; i++) /* the spare bits that are read are random too */
        mask_image[MARGIN + i] = writes ? 0 : (char)random_bits();
    for (size_t i = 0; i < n; i++) {
        char *const byte = mask_image + MARGIN + i / 8, bit = (char)(*byte >> i % 8 & 1);
        char own = writes ? 0 : bit;
        char *const args[] = {stream[0] + i * itemsize, image + MARGIN + i * itemsize, &own};
        scalar->contiguous(args, NULL, 1);
        if (writes)
            *byte |= (char)(own << i % 8);
    }
}

static void check_masks(const struct fastrelu_isa *isa, int dtype)
{
    static const char *const names[] = {"relu_with_mask", "relu_with_mask, at_zero",
                                        "relu_backward_from_mask"};
    const size_t longest = LONGEST + 1, from_long = FROM_LONG / itemsize;

    for (int i = 0; i < 3; i++) {
        const struct fastrelu_mask_kernel *kernel =
            i < 2 ? &isa->relu_with_mask[i][dtype] : &isa->relu_backward_from_mask[dtype];
        const struct fastrelu_mask_kernel *scalar =
            i < 2 ? &fastrelu_scalar.relu_with_mask[i][dtype]
                  : &fastrelu_scalar.relu_backward_from_mask[dtype];
        now.operation = names[i];
        for (size_t n = 0; n <= from_long + VECTOR + 1; n = n == longest ? from_long - 1 : n + 1) {
            make_mask_images(scalar, n, i < 2);
            check_mask_places("mask", kernel, n, i < 2);
        }
    }
}

/* The rows of reductions: each lies alone, at either end of its memory, as do threshold and sums.
 */

enum { MOST_ROWS = 9 };

union row_kernel {
    fastrelu_sum_rows *sum;
    fastrelu_count_rows *count;
    fastrelu_add_sums *add;
    fastrelu_fold_lanes *fold;
};
enum row_kind { SUM, COUNT, ADD, FOLD };

static void run_rows(enum row_kind kind, union row_kernel kernel, const char *const rows[],
                     size_t n_rows, size_t columns, const char *threshold, char *sums)
{
    if (kind == SUM)
        kernel.sum(rows, 1, 0, n_rows, columns, threshold, sums);
    else if (kind == COUNT)
        kernel.count(rows, n_rows, columns, sums);
    else if (kind == ADD)
        kernel.add(sums, rows[0], columns);
    else
        kernel.fold(sums, columns / FASTRELU_SUM_LANES);
}

/* A fold leaves what it likes behind its results. */
static void check_rows(const char *entry, enum row_kind kind, union row_kernel kernel,
                       union row_kernel scalar, size_t n_rows, size_t columns)
{
    const size_t row_size = columns * (kind == ADD ? 8 : itemsize);
    const size_t size = columns * (kind == COUNT ? itemsize : 8);
    const ptrdiff_t places[] = {0, -1, 1, (ptrdiff_t)itemsize};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (ptrdiff_t out_place = -1; out_place <= 0; out_place++) {
            const size_t at = place_of(places[i], row_size);
            const size_t threshold_at = place_of(i == 1 ? -1 : 0, itemsize);
            const char *rows[MOST_ROWS];
            for (size_t row = 0; row < n_rows; row++) {
                const struct arena *arena = &inputs[row % MAX_INPUTS][row / MAX_INPUTS];
                memcpy(arena->own + at, stream[row % MAX_INPUTS] + row * 8, row_size);
                rows[row] = arena->view + at;
            }
            memcpy(mask_input.own + threshold_at, stream[1], itemsize);
            const char *const threshold = mask_input.view + threshold_at;
            char *const sums = output.view + place_of(out_place, size);
            char *const args[] = {(char *)rows[0], sums};
            struct window window = window_of(&output, sums, size);
            memset(image, SENTINEL, size + 2 * MARGIN);
            memcpy(image + MARGIN, stream[2], size);
            memcpy(window.from, image + MARGIN - window.left, window.size);
            begin(entry, args, NULL, columns, 2);
            run_rows(kind, kernel, rows, n_rows, columns, threshold, sums);
            run_rows(kind, scalar, rows, n_rows, columns, threshold, image + MARGIN);
            if (kind == FOLD) {
                const size_t results = columns / FASTRELU_SUM_LANES * 8;
                memcpy(sums + results, image + MARGIN + results, size - results);
            }
            compare(&window, image);
        }
}

static void check_reductions(const struct fastrelu_isa *isa, int dtype)
{
    const struct fastrelu_reduction_kernel *kernel = &isa->reductions[dtype];
    const struct fastrelu_reduction_kernel *scalar = &fastrelu_scalar.reductions[dtype];
    const size_t lanes = FASTRELU_SUM_LANES, longest = LONGEST / itemsize;

#define CHECK_ROWS(kind, of, entry, n_rows, columns)                  \
    if (kernel->entry)                                                \
    check_rows(#entry, kind, (union row_kernel){.of = kernel->entry}, \
               (union row_kernel){.of = scalar->entry}, n_rows, columns)
    now.operation = "reduction";
    for (size_t n_rows = 1; n_rows <= MOST_ROWS; n_rows++) {
        for (size_t columns = lanes; columns <= lanes + longest; columns++) {
            CHECK_ROWS(SUM, sum, sums, n_rows, columns);
            CHECK_ROWS(SUM, sum, double_sums, n_rows, columns);
            CHECK_ROWS(SUM, sum, partial_sums, n_rows, columns);
        }
        for (size_t columns = 1; columns <= longest; columns++) {
            CHECK_ROWS(COUNT, count, positive, n_rows, columns);
            CHECK_ROWS(COUNT, count, not_dead, n_rows, columns);
        }
    }
    for (size_t columns = 1; columns <= longest; columns++) {
        CHECK_ROWS(ADD, add, add_integers, 1, columns);
        CHECK_ROWS(ADD, add, add_doubles, 1, columns);
    }
    for (size_t columns = lanes; columns <= 3 * lanes; columns += lanes) {
        CHECK_ROWS(FOLD, fold, fold_integers, 1, columns);
        CHECK_ROWS(FOLD, fold, fold_doubles, 1, columns);
    }
}

/* Every operation and dtype. Dtypes of one kind and width have the same loops. */

#define KIND_OF(dtype, W, kind, ...) #kind #W,
static const char *const kinds[] = {FASTRELU_DTYPES(KIND_OF, )};

static int is_first_of_kind(int dtype)
{
    for (int other = 0; other < dtype; other++)
        if (strcmp(kinds[other], kinds[dtype]) == 0)
            return 0;
    return 1;
}

static void check_dtype(int dtype)
{
    itemsize = fastrelu_scalar.relu_backward_from_mask[dtype].itemsize;
    make_streams(dtype);
    now.dtype = fastrelu_dtype_names[dtype];
    for (int operation = 0; operation < FASTRELU_N_OPERATIONS; operation++) {
        if (!fastrelu_scalar.kernels[operation][dtype].contiguous)
            continue;
        now.operation = fastrelu_operation_names[operation];
        make_results(&fastrelu_scalar.kernels[operation][dtype]);
        for (int i = 0; fastrelu_compiled_isas[i]; i++)
            if (fastrelu_compiled_isas[i]->runs_here()) {
                now.set = fastrelu_compiled_isas[i]->name;
                check_contiguous(&fastrelu_compiled_isas[i]->kernels[operation][dtype]);
                check_strided(&fastrelu_compiled_isas[i]->kernels[operation][dtype]);
            }
    }
    for (int i = 0; fastrelu_compiled_isas[i]; i++)
        if (fastrelu_compiled_isas[i]->runs_here()) {
            now.set = fastrelu_compiled_isas[i]->name;
            check_masks(fastrelu_compiled_isas[i], dtype);
            if (dtype < FASTRELU_N_NUMBERS)
                check_reductions(fastrelu_compiled_isas[i], dtype);
        }
}

int main(int argc, char **argv)
{
    int dtypes = 0;

    larger = (size_t)wants_larger(argc, argv);
    for (int i = 0; i < MAX_INPUTS; i++)
        for (int j = 0; j < MOST_STEPS; j++)
            inputs[i][j] = make_arena(PROT_READ);
    mask_input = make_arena(PROT_READ);
    output = make_arena(PROT_READ | PROT_WRITE);
    mask_output = make_arena(PROT_READ | PROT_WRITE);
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);

    for (int dtype = 0; dtype < FASTRELU_N_DTYPES; dtype++)
        if (larger || is_first_of_kind(dtype)) {
            const size_t before = calls;
            check_dtype(dtype);
            dtypes++;
            if (isatty(STDERR_FILENO))
                fprintf(stderr, "\r    bounds: %s, %zu calls\r", fastrelu_dtype_names[dtype],
                        calls - before);
        }
    printf("    %zu calls of kernels, of %d dtypes and", calls, dtypes);
    for (int i = 0; fastrelu_compiled_isas[i]; i++)
        printf(" %s%s", fastrelu_compiled_isas[i]->name,
               fastrelu_compiled_isas[i]->runs_here() ? "" : " (NOT: it does not run here)");
    printf("\n    every length up to %d bytes, or elements of a mask, and about %d bytes; every "
           "place of 64 bytes\n"
           "    from both ends; steps of -3 to 3 elements; an input ahead by up to %d bytes\n",
           LONGEST, FROM_LONG, LONGEST);
    return report_findings();
}
