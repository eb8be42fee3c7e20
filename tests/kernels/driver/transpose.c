/* The functions that transpose blocks of an input, against a loop over elements. */

#include <string.h>

#include "check.h"

enum {
    IN = 0,
    OUT = MAX_INPUTS,
    MOST_ROWS = 4 * 16 + 17, /* of bytes, four blocks of rows are taken together */
    MOST_COLUMNS = 2 * 32 + 1
};

static char image[ARENA];

static ptrdiff_t random_step(size_t span, size_t itemsize)
{
    const ptrdiff_t step = (ptrdiff_t)(span + random_below(3) * itemsize);
    return random_below(2) ? step : -step;
}

/* n steps behind each other, each with a span of its own: where the first is if they begin at
   `low`. */
static char *first_of(char *low, size_t n, ptrdiff_t step)
{
    return step < 0 && n > 0 ? low - (ptrdiff_t)(n - 1) * step : low;
}

static size_t span_of(size_t n, ptrdiff_t step, size_t own)
{
    return n > 0 && own > 0 ? (n - 1) * (size_t)(step < 0 ? -step : step) + own : 0;
}

static void check_shape(const struct fastrelu_kernel *kernel, size_t rows, size_t columns)
{
    const size_t itemsize = kernel->itemsize;
    const ptrdiff_t column_step = random_step(rows * itemsize, itemsize);
    const ptrdiff_t to_step = random_step(columns * itemsize, itemsize);
    const ptrdiff_t places[] = {-1, 0, (ptrdiff_t)itemsize, 1};
    const size_t in_span = span_of(columns, column_step, rows * itemsize);
    const size_t out_span = span_of(rows, to_step, columns * itemsize);
    char *const in = place_in(IN, in_span, places[random_below(4)]);
    char *const out = place_in(OUT, out_span, places[random_below(4)]);
    const char *const from = first_of(in, columns, column_step);
    char *const to = first_of(out, rows, to_step);
    const struct window window = window_around(OUT, out, out_span);

    for (size_t i = 0; i < in_span; i++)
        in[i] = (char)random_below(256);
    memset(window.from, SENTINEL, (size_t)(window.to - window.from));
    memset(image, SENTINEL, (size_t)(window.to - window.from));
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++)
            memcpy(image + (to - window.from) + (ptrdiff_t)row * to_step + column * itemsize,
                   from + row * itemsize + (ptrdiff_t)column * column_step, itemsize);
    begin_check("transpose", kernel->dtype, "rows", rows, 2, (char *const[]){(char *)from, to},
                (ptrdiff_t[]){column_step, to_step});
    kernel->transpose(to, to_step, from, column_step, rows, columns);
    check_bytes("byte", image, window.from, (size_t)(window.to - window.from));
}

void check_transpose(const struct fastrelu_isa *const sets[], struct situation counts[],
                     const struct selection *selection)
{
    static const int dtypes[] = {FASTRELU_u8, FASTRELU_u16, FASTRELU_u32, FASTRELU_u64};

    for (int i = 0; i < 4; i++) {
        if (i % selection->parts != selection->part)
            continue;
        seed_random("", "transpose", dtypes[i]);
        for (size_t rows = 0; rows <= MOST_ROWS; rows++)
            for (size_t columns = 0; columns <= MOST_COLUMNS; columns++)
                if (random_below(selection->one_of) == 0)
                    for (int set = 0; sets[set]; set++) {
                        now = counts[set];
                        check_shape(&sets[set]->kernels[FASTRELU_relu][dtypes[i]], rows, columns);
                        counts[set] = now;
                    }
    }
}
