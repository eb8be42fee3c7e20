/* A call of a kernel costs 4 to 7 ns on a Zen 5, to copy a row of 32 bytes costs one. */

#include "runtime/short_rows.h"

#include <string.h>

#include "kernels/compiler.h"
#include "runtime/execute.h"

enum {
    MIN_LONG_ROW = 1 << 8, /* bytes: from here on a call for each row is as fast */
    MIN_ROWS = 8,          /* where both ways take as long */
    BUFFER = 1 << 12       /* bytes of an operand: those of all stay in a first cache */
};

/* From one byte to the last. */
ALWAYS_INLINE void prefetch_bytes(const char *from, size_t last)
{
    for (size_t at = 0; at < last; at += FASTRELU_CACHE_LINE)
        __builtin_prefetch(from + at);
    __builtin_prefetch(from + last);
}

/* Of each row two pieces, which may overlap. */
#define COPY_ROWS(size)                                                                          \
    static void copy_rows_##size(char *to, ptrdiff_t to_step, const char *from,                  \
                                 ptrdiff_t from_step, size_t last, size_t rows, ptrdiff_t ahead) \
    {                                                                                            \
        for (; rows > 0; rows--, to += to_step, from += from_step) {                             \
            char pieces[2][size];                                                                \
            memcpy(pieces[0], from, size);                                                       \
            memcpy(pieces[1], from + last, size);                                                \
            memcpy(to, pieces[0], size);                                                         \
            memcpy(to + last, pieces[1], size);                                                  \
            if (ahead)                                                                           \
                prefetch_bytes(from + ahead, last);                                              \
        }                                                                                        \
    }
COPY_ROWS(1)
COPY_ROWS(2)
COPY_ROWS(4)
COPY_ROWS(8)
COPY_ROWS(16)

static void copy_rows_by_16(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t from_step,
                            size_t last, size_t rows, ptrdiff_t ahead)
{
    for (; rows > 0; rows--, to += to_step, from += from_step) {
        for (size_t at = 0; at < last; at += 16)
            memcpy(to + at, from + at, 16);
        memcpy(to + last, from + last, 16);
        if (ahead)
            prefetch_bytes(from + ahead, last);
    }
}

void fastrelu_copy_rows(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t from_step,
                        size_t bytes, size_t rows, ptrdiff_t ahead)
{
    if (bytes > 32)
        copy_rows_by_16(to, to_step, from, from_step, bytes - 16, rows, ahead);
    else if (bytes >= 16)
        copy_rows_16(to, to_step, from, from_step, bytes - 16, rows, ahead);
    else if (bytes >= 8)
        copy_rows_8(to, to_step, from, from_step, bytes - 8, rows, ahead);
    else if (bytes >= 4)
        copy_rows_4(to, to_step, from, from_step, bytes - 4, rows, ahead);
    else if (bytes >= 2)
        copy_rows_2(to, to_step, from, from_step, bytes - 2, rows, ahead);
    else
        copy_rows_1(to, to_step, from, from_step, 0, rows, ahead);
}

int fastrelu_are_short_rows(struct fastrelu_short_rows *short_rows,
                            const struct fastrelu_kernel *kernel, const ptrdiff_t steps[],
                            const ptrdiff_t row_steps[], size_t n, size_t rows)
{
    const size_t bytes = n * kernel->itemsize;
    int copied = 0;

    if (bytes >= MIN_LONG_ROW || rows < MIN_ROWS)
        return 0;
    for (int i = 0; i <= kernel->inputs; i++)
        if (row_steps[i] != (ptrdiff_t)n * steps[i]) {
            if (steps[i] == 0)
                return 0;
            copied |= 1 << i;
        }
    const size_t whole = fastrelu_rows_of_lines(bytes), most = BUFFER / bytes;
    *short_rows =
        (struct fastrelu_short_rows){.kernel = kernel,
                                     .steps = steps,
                                     .row_steps = row_steps,
                                     .n = n,
                                     .at_once = most < whole ? most : most / whole * whole,
                                     .copied = copied};
    return 1;
}

/* Which row of the output is the first that begins with a cache line; 0 if none of a call does. */
static size_t row_of_line(const struct fastrelu_short_rows *short_rows, const char *out)
{
    const int i = short_rows->kernel->inputs;
    for (size_t row = 0; row < short_rows->at_once; row++, out += short_rows->row_steps[i])
        if ((uintptr_t)out % FASTRELU_CACHE_LINE == 0)
            return row;
    return 0;
}

void fastrelu_execute_short_rows(const struct fastrelu_short_rows *short_rows, char *const args[],
                                 size_t rows)
{
    _Alignas(FASTRELU_CACHE_LINE) char buffers[FASTRELU_MAX_OPERANDS][BUFFER];
    const struct fastrelu_kernel *const kernel = short_rows->kernel;
    const int out = kernel->inputs;
    const size_t bytes = short_rows->n * kernel->itemsize;
    const size_t first = short_rows->streams ? row_of_line(short_rows, args[out]) : 0;
    char *own[FASTRELU_MAX_OPERANDS];
    size_t done = 0, taken = first ? first : short_rows->at_once;

    for (; done < rows; done += taken, taken = short_rows->at_once) {
        if (taken > rows - done)
            taken = rows - done;
        for (int i = 0; i <= out; i++) {
            const ptrdiff_t row_step = short_rows->row_steps[i];
            char *const from = args[i] + (ptrdiff_t)done * row_step;
            const int copied = short_rows->copied >> i & 1;
            own[i] = copied ? buffers[i] : from;
            if (copied && i < out)
                fastrelu_copy_rows(own[i], (ptrdiff_t)bytes, from, row_step, bytes, taken,
                                   short_rows->rows_ahead * row_step);
        }
        if (short_rows->streams)
            fastrelu_stream(kernel, own, short_rows->steps, taken * short_rows->n);
        else
            kernel->contiguous(own, short_rows->steps, taken * short_rows->n);
        if (short_rows->copied >> out & 1)
            fastrelu_copy_rows(args[out] + (ptrdiff_t)done * short_rows->row_steps[out],
                               short_rows->row_steps[out], own[out], (ptrdiff_t)bytes, bytes, taken,
                               0);
    }
}
