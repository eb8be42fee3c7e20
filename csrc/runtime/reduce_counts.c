/* The counts of a chunk, or which of its units have fired. */

#include "runtime/reduce_work.h"

enum {
    MOST_OF_8_BITS = 128, /* rows that are counted at once: a count of 8 bits holds them */
    FIRST_COUNTED = 16,   /* rows, before the first look whether all units have fired */
    COUNTED_COLUMNS = 64, /* fewer are counted in several rows at a time, */
    MOST_TOGETHER = COUNTED_COLUMNS + FEW_COLUMNS /* and those make fewer than so many */
};

#define TOTAL(type)                                              \
    for (size_t i = 0; i < n; i++) {                             \
        type count;                                              \
        memcpy(&count, counts + i * sizeof count, sizeof count); \
        total += (int64_t)count;                                 \
    }                                                            \
    break;
static int64_t total_of(const char *counts, size_t n, size_t itemsize)
{
    int64_t total = 0;
    switch (itemsize) {
    case 1:
        TOTAL(uint8_t)
    case 2:
        TOTAL(uint16_t)
    case 4:
        TOTAL(uint32_t)
    default:
        TOTAL(uint64_t)
    }
    return total;
}

/* Takes the counts of rows of a few columns, which follow each other. */
static void take_counts_of_few(const struct work *work, const char *counts, size_t n,
                               size_t columns, struct counted into)
{
    const struct fastrelu_reduction_kernel *const kernel = work->reduction->kernel;
    union sum sums[MOST_TOGETHER];
    char dead[MOST_TOGETHER];

    if (into.dead) {
        memset(dead, 1, n);
        kernel->keep_uncounted(dead, counts, n);
        for (size_t i = 0; i < n; i += columns)
            for (size_t j = 0; j < columns; j++)
                into.dead[j] &= dead[i + j];
    } else {
        memset(sums, 0, n * sizeof *sums);
        kernel->add_counts((char *)sums, counts, n);
        for (size_t i = 0; i < n; i += columns)
            for (size_t j = 0; j < columns; j++)
                into.sums[j].integer += sums[i + j].integer;
    }
}

/* Takes the counts of columns, or of several rows of few, which follow each other. */
static inline void take_counts(const struct work *work, const char *counts, size_t n,
                               size_t columns, struct counted into)
{
    const struct fastrelu_reduction_kernel *const kernel = work->reduction->kernel;
    if (columns == 1 && into.dead)
        *into.dead &= total_of(counts, n, kernel->itemsize) == 0;
    else if (columns == 1)
        into.sums->integer += total_of(counts, n, kernel->itemsize);
    else if (n != columns)
        take_counts_of_few(work, counts, n, columns, into);
    else if (into.dead)
        kernel->keep_uncounted(into.dead, counts, n);
    else
        kernel->add_counts((char *)into.sums, counts, n);
}

static size_t most_at_once(const struct work *work)
{
    return work->reduction->kernel->itemsize == 1 ? MOST_OF_8_BITS : LEAF;
}

/* Returns whether no more has to be counted. */
static int count_dense(const struct work *work, struct workspace *space, const char *x, size_t n,
                       size_t columns, size_t *at_once, struct counted into)
{
    const size_t itemsize = work->reduction->kernel->itemsize;
    const size_t together = (COUNTED_COLUMNS + columns - 1) / columns, width = together * columns;

    while (n > 0) {
        size_t n_rows = n / together;
        n_rows = n_rows < *at_once ? n_rows : *at_once;
        const size_t counted = n_rows > 0 ? width : n * columns;
        memset(space->counts, 0, counted * itemsize);
        for (size_t i = 0; i < n_rows; i++, x += width * itemsize)
            space->rows[i] = x;
        if (n_rows > 0)
            work->counts(space->rows, n_rows, width, space->counts);
        n -= n_rows * together;
        if (n < together) {
            space->rows[0] = x;
            work->counts(space->rows, 1, n * columns, space->counts);
            n = 0;
        }
        take_counts(work, space->counts, counted, columns, into);
        if (is_finished(into, columns))
            return 1;
        *at_once = *at_once * 2 < most_at_once(work) ? *at_once * 2 : most_at_once(work);
    }
    return 0;
}

static int count_pointers(const struct work *work, struct workspace *space, size_t n,
                          size_t columns, size_t *at_once, struct counted into)
{
    const struct fastrelu_reduction_kernel *const kernel = work->reduction->kernel;
    const size_t itemsize = kernel->itemsize;
    for (size_t at = 0; at < n;) {
        const size_t n_rows = n - at < *at_once ? n - at : *at_once;
        memset(space->counts, 0, columns * itemsize);
        for (size_t row = 0; row < n_rows;) {
            const size_t most = has_copied_rows(work) ? kernel->leaf / LANES : n_rows;
            const size_t taken = n_rows - row < most ? n_rows - row : most;
            size_t step = 1;
            work->counts(fastrelu_contiguous_rows(work, space, space->rows + at + row, &step, taken,
                                                  columns),
                         taken, columns, space->counts);
            row += taken;
        }
        take_counts(work, space->counts, columns, columns, into);
        if (is_finished(into, columns))
            return 1;
        at += n_rows;
        *at_once = *at_once * 2 < most_at_once(work) ? *at_once * 2 : most_at_once(work);
    }
    return 0;
}

void fastrelu_count_chunk(const struct work *work, struct workspace *space,
                          struct position *position, size_t n, size_t columns, struct counted into)
{
    const struct fastrelu_axes *axes = &work->reduction->reduced;
    const size_t itemsize = work->reduction->kernel->itemsize;
    size_t at_once = into.dead ? FIRST_COUNTED : most_at_once(work);

    for (int finished = 0; n > 0 && !finished;) {
        const size_t taken = n < work->leaf ? n : work->leaf;
        if (work->rows == POINTERS) {
            fastrelu_find_rows(space->rows, taken, position, axes);
            finished = count_pointers(work, space, taken, columns, &at_once, into);
        } else if (work->rows == GATHERED) {
            const char *const x =
                fastrelu_gather_run(space->elements, taken, position, axes, itemsize);
            finished = count_dense(work, space, x, taken, 1, &at_once, into);
        } else {
            finished = count_dense(work, space, position->x, taken, columns, &at_once, into);
            advance(position, axes, taken);
        }
        n -= taken;
    }
}
