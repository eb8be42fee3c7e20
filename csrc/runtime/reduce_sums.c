/* The sums of a chunk: lanes, and the tree of its leaves. */

#include "kernels/compiler.h"
#include "runtime/reduce_work.h"

enum {
    BATCH_LEVELS = 3,
    BATCH = 1 << BATCH_LEVELS /* leaves of one column that are summed at a time */
};

/* Inline, as sum_leaf: calls are what a sum of few elements consists of. */

/* LANES dense rows at a time: the lanes are columns. What is left is copied, and filled up. */
ALWAYS_INLINE void sum_lanes(const struct work *work, struct workspace *space, const char *x,
                             size_t n, size_t columns)
{
    const size_t itemsize = work->reduction->kernel->itemsize, width = LANES * columns;
    const size_t size = width * itemsize, rest = n % LANES * columns;
    const char *const threshold = work->reduction->threshold;
    const char *rows[LEAF / LANES];
    const int is_copied = x == space->elements;
    size_t n_rows = n / LANES;

    if (rest == 0) {
        work->sums(&x, 0, (ptrdiff_t)size, n_rows, width, threshold, (char *)space->lane_sums);
        return;
    }
    for (size_t i = 0; i < n_rows; i++, x += size)
        rows[i] = x;
    char *const elements = space->elements + (is_copied ? n_rows * size : 0);
    if (!is_copied)
        memcpy(elements, x, rest * itemsize);
    /* An element of the threshold is 0 above it. */
    fastrelu_copy_run(elements + rest * itemsize, threshold, 0, width - rest, itemsize);
    rows[n_rows++] = elements;
    work->sums(rows, 1, 0, n_rows, width, threshold, (char *)space->lane_sums);
}

static void sum_dense(const struct work *work, struct workspace *space, const char *x, size_t n,
                      size_t columns, union sum sums[])
{
    union sum *const lanes = space->lane_sums;

    sum_lanes(work, space, x, n, columns);
    if (columns == 1) {
        work->fold((char *)lanes, 1);
        *sums = *lanes;
        return;
    }
    for (size_t half = LANES * columns / 2; half >= columns; half /= 2)
        work->add((char *)lanes, (const char *)(lanes + half), half);
    memcpy(sums, lanes, columns * sizeof *sums);
}

/* Lanes in the order in which halves are added: lane i, then lane i + LANES / 2. */
static size_t lane_at(size_t position)
{
    size_t lane = 0;
    for (int level = 0; level < LANE_LEVELS; level++)
        lane |= (position >> level & 1) << (LANE_LEVELS - 1 - level);
    return lane;
}

static void sum_pointers(const struct work *work, struct workspace *space, size_t n, size_t columns,
                         union sum sums[])
{
    union sum *by_level[LANE_LEVELS + 1] = {NULL}, *unused[LANE_LEVELS + 1];
    int n_unused = 0;

    while (n_unused <= LANE_LEVELS) {
        unused[n_unused] = space->lanes[n_unused];
        n_unused++;
    }
    /* Of 1 << first lanes beside each other, all but the first are empty. */
    int first = 0;
    while (first < LANE_LEVELS && n <= (size_t)LANES >> (first + 1))
        first++;
    for (size_t i = 0; i < LANES; i += (size_t)1 << first) {
        const size_t lane = lane_at(i), n_rows = lane < n ? (n - lane + LANES - 1) / LANES : 0;
        union sum *own = NULL;
        int level = first;
        if (n_rows > 0) {
            size_t step = LANES;
            const char *const *rows =
                fastrelu_contiguous_rows(work, space, space->rows + lane, &step, n_rows, columns);
            own = unused[--n_unused];
            work->sums(rows, step, 0, n_rows, columns, work->reduction->threshold, (char *)own);
        }
        for (; i >> level & 1; level++)
            if (own && by_level[level]) {
                work->add((char *)own, (const char *)by_level[level], columns);
                unused[n_unused++] = by_level[level];
            } else if (by_level[level])
                own = by_level[level];
        by_level[level] = own;
        while (level-- > 0)
            by_level[level] = NULL;
    }
    memcpy(sums, by_level[LANE_LEVELS], columns * sizeof *sums);
}

/* Chunks of leaves */

static void add_to(const struct work *work, union sum sums[], const union sum others[],
                   size_t columns)
{
    if (columns == 1 && work->add == work->reduction->kernel->add_doubles)
        sums->number += others->number;
    else
        work->add((char *)sums, (const char *)others, columns);
}

static void copy_sums(union sum to[], const union sum from[], size_t columns)
{
    if (columns == 1)
        *to = *from;
    else
        memcpy(to, from, columns * sizeof *to);
}

/* Whole leaves of one column, whose elements follow each other: to each is added the one before, as
   sum_chunk does. */
static union sum sum_batch(const struct work *work, struct workspace *space, const char *x)
{
    const ptrdiff_t row = LANES * (ptrdiff_t)work->reduction->kernel->itemsize;
    union sum *const sums = space->lane_sums;

    work->sums(&x, 0, row, BATCH * work->leaf / LANES, LANES, work->reduction->threshold,
               (char *)sums);
    work->fold((char *)sums, BATCH);
    for (size_t n = BATCH / 2; n > 0; n /= 2)
        for (size_t i = 0; i < n; i++) {
            add_to(work, sums + 2 * i + 1, sums + 2 * i, 1);
            sums[i] = sums[2 * i + 1];
        }
    return *sums;
}

/* Up to a leaf of rows, from a position on. */
ALWAYS_INLINE void sum_leaf(const struct work *work, struct workspace *space,
                            struct position *position, size_t n, size_t columns, union sum sums[])
{
    const struct fastrelu_axes *axes = &work->reduction->reduced;

    if (work->rows == POINTERS) {
        fastrelu_find_rows(space->rows, n, position, axes);
        sum_pointers(work, space, n, columns, sums);
    } else if (work->rows == GATHERED) {
        const size_t itemsize = work->reduction->kernel->itemsize;
        const char *const x = fastrelu_gather_run(space->elements, n, position, axes, itemsize);
        sum_dense(work, space, x, n, 1, sums);
    } else {
        sum_dense(work, space, position->x, n, columns, sums);
        advance(position, axes, n);
    }
}

void fastrelu_sum_chunk(const struct work *work, struct workspace *space, struct position *position,
                        size_t n, size_t columns, union sum sums[])
{
    const size_t leaves = (n + work->leaf - 1) / work->leaf, batch = BATCH * work->leaf;
    int found = 0;

    if (leaves == 1) {
        sum_leaf(work, space, position, n, columns, sums);
        return;
    }
    for (size_t leaf = 0; leaf < leaves;) {
        const size_t first = leaf;
        int level = 0;
        if (work->rows == DENSE && columns == 1 && n >= batch) {
            *sums = sum_batch(work, space, position->x);
            advance(position, &work->reduction->reduced, batch);
            n -= batch;
            level = BATCH_LEVELS;
        } else {
            const size_t taken = n < work->leaf ? n : work->leaf;
            sum_leaf(work, space, position, taken, columns, sums);
            n -= taken;
        }
        leaf += (size_t)1 << level;
        for (; first >> level & 1; level++)
            add_to(work, sums, space->levels[level], columns);
        copy_sums(space->levels[level], sums, columns);
    }
    for (int level = 0; leaves >> level; level++)
        if (leaves >> level & 1) {
            if (found)
                add_to(work, sums, space->levels[level], columns);
            else
                copy_sums(sums, space->levels[level], columns);
            found = 1;
        }
}
