/* Where the rows and the elements of a reduction are, and their copies. */

#include "runtime/reduce_work.h"
#include "runtime/short_rows.h"

void fastrelu_find_rows(const char *rows[], size_t n, struct position *position,
                        const struct fastrelu_axes *axes)
{
    const ptrdiff_t step = axes->steps[axes->axes - 1];
    while (n > 0) {
        const size_t left = run_of(position, axes), run = left < n ? left : n;
        const char *x = position->x;
        for (size_t i = 0; i < run; i++, x += step)
            *rows++ = x;
        advance(position, axes, run);
        n -= run;
    }
}

#define COPY_STRIDED(size)                                  \
    for (size_t i = 0; i < n; i++, to += (size), x += step) \
        memcpy(to, x, size);
void fastrelu_copy_run(char *to, const char *x, ptrdiff_t step, size_t n, size_t itemsize)
{
    if (step == (ptrdiff_t)itemsize)
        memcpy(to, x, n * itemsize);
    else
        switch (itemsize) {
        case 1:
            COPY_STRIDED(1) break;
        case 2:
            COPY_STRIDED(2) break;
        case 4:
            COPY_STRIDED(4) break;
        default:
            COPY_STRIDED(8)
        }
}

const char *fastrelu_gather_run(char *to, size_t n, struct position *position,
                                const struct fastrelu_axes *axes, size_t itemsize)
{
    const ptrdiff_t step = axes->steps[axes->axes - 1];
    const char *const x = position->x, *const copied = to;
    if (step == (ptrdiff_t)itemsize && run_of(position, axes) >= n) {
        advance(position, axes, n);
        return x;
    }
    while (n > 0) {
        const size_t left = run_of(position, axes), run = left < n ? left : n;
        fastrelu_copy_run(to, position->x, step, run, itemsize);
        to += run * itemsize;
        advance(position, axes, run);
        n -= run;
    }
    return copied;
}

const char *const *fastrelu_contiguous_rows(const struct work *work, struct workspace *space,
                                            const char *const rows[], size_t *step, size_t n_rows,
                                            size_t columns)
{
    const size_t itemsize = work->reduction->kernel->itemsize;
    const size_t run = work->run * itemsize;
    if (!has_copied_rows(work))
        return rows;
    for (size_t i = 0; i < n_rows; i++) {
        char *const copied = space->elements + i * columns * itemsize;
        if (work->run > 1)
            fastrelu_copy_rows(copied, (ptrdiff_t)run, rows[i * *step], work->run_step, run,
                               columns / work->run, 0);
        else
            fastrelu_copy_run(copied, rows[i * *step], work->column_step, columns, itemsize);
        space->copied_rows[i] = copied;
    }
    *step = 1;
    return space->copied_rows;
}
