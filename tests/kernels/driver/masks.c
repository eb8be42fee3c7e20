/* relu_with_mask and relu_backward_from_mask, against the oracle. */

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kernels/fpstatus.h"

/* Of the control register. */
#if defined(__x86_64__)
enum { SUBNORMALS_ARE_ZERO = 0x8040 };
#elif defined(__aarch64__)
enum { SUBNORMALS_ARE_ZERO = 1 << 24 };
#else
enum { SUBNORMALS_ARE_ZERO = 0 };
#endif

enum { MOST_VALUES = 1 << 16, STREAM = MOST_VALUES + 8192, FROM_LONG = 4096 };

/* The arenas. */
enum { X = 0, Y = MAX_INPUTS, MASK = MAX_INPUTS + 1 };

static struct {
    int dtype;
    size_t itemsize, n_values;
    uint64_t values[MOST_VALUES];
    char x[STREAM * FASTRELU_MAX_ITEMSIZE], y[STREAM * FASTRELU_MAX_ITEMSIZE];
    char passes[2][STREAM]; /* by at_zero */
} stream;
static char image[ARENA], mask_image[ARENA];

static void make_stream(int dtype, size_t itemsize)
{
    stream.dtype = dtype;
    stream.itemsize = itemsize;
    stream.n_values = make_values(dtype, MOST_VALUES, stream.values);
    for (size_t i = 0; i < STREAM; i++) {
        const uint64_t x = stream.values[i < stream.n_values ? i : random_below(stream.n_values)];
        store_element(stream.x + i * itemsize, itemsize, x);
        store_element(stream.y + i * itemsize, itemsize, rectify(dtype, x));
        for (int at_zero = 0; at_zero < 2; at_zero++)
            stream.passes[at_zero][i] = (char)gradient_passes(dtype, x, at_zero);
    }
}

/* Calls where a division by zero has been raised, and where subnormal numbers are taken for 0.
   Neither must change, or change anything. */
static void call_in_other_fpenv(fastrelu_loop *loop, char *const args[], size_t n)
{
    const unsigned control = fastrelu_get_fpcontrol(), other = control | SUBNORMALS_ARE_ZERO;
    fastrelu_set_fpcontrol(other);
    fastrelu_raise_fpstatus(FASTRELU_DIVBYZERO);
    loop(args, NULL, n);
    const unsigned left = fastrelu_get_fpcontrol();
    check_flags(DIVBYZERO, 0);
    fastrelu_set_fpcontrol(control);
    if (left != other)
        report("control register", 0, other, left);
}

/* Where the operands lie: see place_in. */
struct places {
    int in_place;
    ptrdiff_t x, y, mask;
};

static void check_with_mask(const char *entry, fastrelu_loop *loop, int at_zero, size_t first,
                            size_t n, struct places places)
{
    const size_t bytes = n * stream.itemsize, mask_bytes = (n + 7) / 8;
    char *const y = place_in(Y, bytes, places.y);
    char *const x = places.in_place ? y : place_in(X, bytes, places.x);
    char *const mask = place_in(MASK, mask_bytes, places.mask);
    char *const args[] = {x, y, mask};
    const struct window around_y = window_around(Y, y, bytes);
    const struct window around_mask = window_around(MASK, mask, mask_bytes);
    const size_t size = (size_t)(around_y.to - around_y.from);
    const size_t mask_size = (size_t)(around_mask.to - around_mask.from);
    char *const expected = mask_image + (mask - around_mask.from);

    memset(around_y.from, SENTINEL, size);
    memset(around_mask.from, SENTINEL, mask_size);
    memset(image, SENTINEL, size);
    memset(mask_image, SENTINEL, mask_size);
    memcpy(x, stream.x + first * stream.itemsize, bytes);
    memcpy(image + (y - around_y.from), stream.y + first * stream.itemsize, bytes);
    memset(expected, 0, mask_bytes);
    for (size_t i = 0; i < n; i++)
        expected[i / 8] |= (char)(stream.passes[at_zero][first + i] << i % 8);

    begin_check(at_zero ? "relu_with_mask, at_zero" : "relu_with_mask", stream.dtype, entry, n, 3,
                args, NULL);
    clear_flags();
    call_in_other_fpenv(loop, args, n);
    check_bytes("output, byte", image, around_y.from, size);
    check_bytes("mask, byte", mask_image, around_mask.from, mask_size);
}

static void check_from_mask(const char *entry, fastrelu_loop *loop, size_t first, size_t n,
                            struct places places)
{
    const size_t itemsize = stream.itemsize, bytes = n * itemsize, mask_bytes = (n + 7) / 8;
    char *const y = place_in(Y, bytes, places.y);
    char *const grad = places.in_place ? y : place_in(X, bytes, places.x);
    char *const mask = place_in(MASK, mask_bytes, places.mask);
    char *const args[] = {grad, y, mask};
    const struct window around_y = window_around(Y, y, bytes);
    const size_t size = (size_t)(around_y.to - around_y.from);

    memset(around_y.from, SENTINEL, size);
    memset(image, SENTINEL, size);
    memcpy(grad, stream.x + first * itemsize, bytes);
    memcpy(image + (y - around_y.from), stream.x + first * itemsize, bytes);
    for (size_t i = 0; i < mask_bytes; i++) /* the spare bits are random too */
        mask[i] = (char)next_random();
    for (size_t i = 0; i < n; i++)
        if (!(mask[i / 8] >> i % 8 & 1))
            memset(image + (y - around_y.from) + i * itemsize, 0, itemsize);

    begin_check("relu_backward_from_mask", stream.dtype, entry, n, 3, args, NULL);
    clear_flags();
    loop(args, NULL, n);
    check_flags(0, 0);
    check_bytes("output, byte", image, around_y.from, size);
}

static void check_places(const struct fastrelu_isa *isa, size_t n, struct places places)
{
    const size_t first = random_below(STREAM - n);
    const struct fastrelu_mask_kernel *from_mask = &isa->relu_backward_from_mask[stream.dtype];

    for (int at_zero = 0; at_zero < 2; at_zero++) {
        const struct fastrelu_mask_kernel *with_mask = &isa->relu_with_mask[at_zero][stream.dtype];
        check_with_mask("contiguous", with_mask->contiguous, at_zero, first, n, places);
        if (with_mask->streaming && places.y >= 0 && places.y % 16 == 0)
            check_with_mask("streaming", with_mask->streaming, at_zero, first, n, places);
    }
    check_from_mask("contiguous", from_mask->contiguous, first, n, places);
    if (from_mask->streaming && places.y >= 0 && places.y % 16 == 0)
        check_from_mask("streaming", from_mask->streaming, first, n, places);
}

static void check_length(const struct fastrelu_isa *isa, size_t n)
{
    const ptrdiff_t size = (ptrdiff_t)stream.itemsize;
    const struct places places[] = {
        {0, 0, 0, 0},       {0, -1, -1, -1},   {0, size, 0, 1},       {0, 0, size, 3},
        {0, size, size, 0}, {0, 1, 0, 7},      {0, 0, 1, 0},          {0, 1, 1, 0},
        {0, 0, 16, 1},      {0, size, 48, -1}, {0, -1, 3 * size, -1}, {0, -2, -2, -2},
        {1, 0, 0, 0},       {1, 0, -1, -1},    {1, 0, size, 1},       {1, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        check_places(isa, n, places[i]);
}

static void check_set(const struct fastrelu_isa *isa)
{
    static const size_t longer[] = {191, 192, 255, 256, 257, 319, 320, 321, 517, 1029};
    const size_t from = FROM_LONG / stream.itemsize;

    for (int at_zero = 0; at_zero < 2; at_zero++)
        check_with_mask("contiguous", isa->relu_with_mask[at_zero][stream.dtype].contiguous,
                        at_zero, 0, stream.n_values, (struct places){0, 0, 0, 0});
    for (size_t n = 0; n <= LONGEST; n++)
        check_length(isa, n);
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        check_length(isa, longer[i]);
    for (size_t n = from - 1; n <= from + 1; n++)
        check_length(isa, n);
    for (ptrdiff_t over = 0; over < 64; over++)
        for (int in_place = 0; in_place < 2; in_place++)
            check_places(isa, from + 60 + (size_t)over, (struct places){in_place, 0, over, 0});
}

void check_masks(const struct fastrelu_isa *const sets[], struct situation counts[],
                 const struct selection *selection)
{
    for (int dtype = 0; dtype < FASTRELU_N_DTYPES; dtype++) {
        if (dtype % selection->parts != selection->part)
            continue;
        seed_random("", "masks", dtype);
        make_stream(dtype, fastrelu_scalar.relu_backward_from_mask[dtype].itemsize);
        for (int i = 0; sets[i]; i++) {
            seed_random(sets[i]->name, "masks", dtype);
            now = counts[i];
            check_set(sets[i]);
            counts[i] = now;
        }
    }
}
