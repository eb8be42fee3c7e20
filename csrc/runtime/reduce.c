/* How a reduction is divided into leaves, columns and chunks of them. */

#include "runtime/reduce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/compiler.h"
#include "kernels/half.h"
#include "runtime/execute.h"
#include "runtime/short_rows.h"
#include "runtime/strides.h"
#include "runtime/threads.h"

enum {
    LANES = FASTRELU_SUM_LANES,
    LEAF = FASTRELU_LEAF,
    LANE_LEVELS = 5,
    MAX_COLUMNS = 256,
    FEW_COLUMNS = 32,     /* up to here, dense rows are taken LANES at a time */
    MOST_OF_8_BITS = 128, /* rows that are counted at once: a count of 8 bits holds them */
    FEW_COUNTED = 16,     /* from so many dense columns on, each result is counted alone */
    COUNTED_COLUMNS = 64, /* fewer are counted in several rows at a time, */
    MOST_TOGETHER = COUNTED_COLUMNS + FEW_COLUMNS, /* and those make fewer than so many */
    MOST_COUNTED = 1024, /* columns, where there are few rows; otherwise MAX_COLUMNS */
    COUNTED_LEAF = 1 << 13,
    FIRST_COUNTED = 16, /* rows, before the first look whether all units have fired */
    MAX_CHUNK_LEVELS = 10,
    CHUNK_BYTES = 1 << 18,
    BATCH_LEVELS = 3,
    BATCH = 1 << BATCH_LEVELS, /* leaves of one column that are summed at a time */
    TASK_BYTES = 1 << 16
};

/* Double holds a sum of integers of 32 bits in a chunk. */
_Static_assert((uint64_t)LEAF << MAX_CHUNK_LEVELS << 32 <= (uint64_t)1 << 53, "rows of a chunk");

/* A sum, or a count: 8 bytes each. */
union sum {
    double number;
    int64_t integer;
};

/* How the rows of a leaf are found. */
enum rows {
    DENSE,    /* they follow each other */
    POINTERS, /* each has a pointer */
    GATHERED  /* of one element each, which are copied */
};

struct work {
    const struct fastrelu_reduction *reduction;
    fastrelu_sum_rows *sums;
    fastrelu_count_rows *counts;
    fastrelu_add_sums *add, *add_chunks;
    fastrelu_fold_lanes *fold;
    int convert; /* sums of integers are made double, once a chunk */
    enum rows rows;
    size_t n, columns, outputs;
    ptrdiff_t column_step, out_step;
    size_t run, runs; /* columns that follow each other, and how many of such there are */
    ptrdiff_t run_step;
    size_t leaf, leaves_per_chunk, chunks, column_chunks;
    size_t first_chunk, unit_chunks, units, units_per_task;
    union sum *partial;  /* by chunk and output, if there are several chunks */
    _Atomic char *dead;  /* in their place, by output, where units are looked for */
    _Atomic int *failed; /* whether memory was short */
};

struct workspace {
    union {
        struct { /* for sums */
            union sum levels[MAX_CHUNK_LEVELS + 1][MAX_COLUMNS];
            union sum lanes[LANE_LEVELS + 1][MAX_COLUMNS];
            union sum lane_sums[LANES * FEW_COLUMNS], sums[MAX_COLUMNS];
        };
        struct { /* for counts */
            char counts[MOST_COUNTED * FASTRELU_MAX_ITEMSIZE], dead[MOST_COUNTED];
            union sum totals[MOST_COUNTED];
        };
    };
    const char *rows[LEAF], *copied_rows[LEAF / LANES];
    char elements[LEAF / LANES * MAX_COLUMNS * 4]; /* a leaf of 64-bit types is half as long */
};

/* Axes */

static void move_axis(struct fastrelu_axes *axes, int to, const struct fastrelu_axes *from,
                      int axis)
{
    axes->shape[to] = from->shape[axis];
    axes->steps[to] = from->steps[axis];
    axes->out_steps[to] = from->out_steps[axis];
}

/* Sorts axes by their steps, from the greatest to the least, and coalesces those that are
   contiguous with each other. */
static void coalesce(struct fastrelu_axes *axes)
{
    struct fastrelu_axes sorted;
    int n = 0;

    for (int axis = 0; axis < axes->axes; axis++)
        if (axes->shape[axis] != 1) {
            int at = n++;
            for (; at > 0 &&
                   fastrelu_magnitude(sorted.steps[at - 1]) < fastrelu_magnitude(axes->steps[axis]);
                 at--)
                move_axis(&sorted, at, &sorted, at - 1);
            move_axis(&sorted, at, axes, axis);
        }
    axes->axes = 0;
    for (int axis = 0; axis < n; axis++) {
        const int last = axes->axes - 1;
        const ptrdiff_t length = (ptrdiff_t)sorted.shape[axis];
        if (last >= 0 && axes->steps[last] == length * sorted.steps[axis] &&
            axes->out_steps[last] == length * sorted.out_steps[axis]) {
            const size_t outer = axes->shape[last];
            move_axis(axes, last, &sorted, axis);
            axes->shape[last] *= outer;
        } else
            move_axis(axes, axes->axes++, &sorted, axis);
    }
}

static size_t size_of(const struct fastrelu_axes *axes)
{
    size_t n = 1;
    for (int axis = 0; axis < axes->axes; axis++)
        n *= axes->shape[axis];
    return n;
}

/* A place among the reduced axes. */
struct position {
    size_t index[FASTRELU_MAX_AXES];
    const char *x;
};

static void seek(struct position *position, const struct fastrelu_axes *axes, const char *x,
                 size_t number)
{
    position->x = x;
    for (int axis = axes->axes - 1; axis > 0; axis--) {
        position->index[axis] = number % axes->shape[axis];
        number /= axes->shape[axis];
        position->x += (ptrdiff_t)position->index[axis] * axes->steps[axis];
    }
    position->index[0] = number;
    position->x += (ptrdiff_t)number * axes->steps[0];
}

/* How many elements are left along the innermost axis. */
static size_t run_of(const struct position *position, const struct fastrelu_axes *axes)
{
    return axes->shape[axes->axes - 1] - position->index[axes->axes - 1];
}

static void advance(struct position *position, const struct fastrelu_axes *axes, size_t run)
{
    int axis = axes->axes - 1;
    position->index[axis] += run;
    position->x += (ptrdiff_t)run * axes->steps[axis];
    for (; axis > 0 && position->index[axis] == axes->shape[axis]; axis--) {
        position->x += axes->steps[axis - 1] - (ptrdiff_t)axes->shape[axis] * axes->steps[axis];
        position->index[axis] = 0;
        position->index[axis - 1]++;
    }
}

static void find_rows(const char *rows[], size_t n, struct position *position,
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
static void copy_run(char *to, const char *x, ptrdiff_t step, size_t n, size_t itemsize)
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

/* Elements one after the other: where they are, or copied. */
static const char *gather(char *to, size_t n, struct position *position,
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
        copy_run(to, position->x, step, run, itemsize);
        to += run * itemsize;
        advance(position, axes, run);
        n -= run;
    }
    return copied;
}

/* Sums */

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
    copy_run(elements + rest * itemsize, threshold, 0, width - rest, itemsize);
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

static int has_copied_rows(const struct work *work)
{
    return work->run > 1 || work->column_step != (ptrdiff_t)work->reduction->kernel->itemsize;
}

/* Rows of one lane at most, whose columns lie next to each other: those, or copies. */
static const char *const *contiguous_rows(const struct work *work, struct workspace *space,
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
            copy_run(copied, rows[i * *step], work->column_step, columns, itemsize);
        space->copied_rows[i] = copied;
    }
    *step = 1;
    return space->copied_rows;
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
                contiguous_rows(work, space, space->rows + lane, &step, n_rows, columns);
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

/* Counts */

/* What has been counted of some columns. */
struct counted {
    union sum *sums;
    char *dead; /* instead of them, where units are looked for: 1, or 0 where one has fired */
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

static int all_fired(struct counted counted, size_t columns)
{
    if (counted.dead && columns == 1)
        return !*counted.dead;
    return counted.dead && memchr(counted.dead, 1, columns) == NULL;
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
        if (all_fired(into, columns))
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
            work->counts(
                contiguous_rows(work, space, space->rows + at + row, &step, taken, columns), taken,
                columns, space->counts);
            row += taken;
        }
        take_counts(work, space->counts, columns, columns, into);
        if (all_fired(into, columns))
            return 1;
        at += n_rows;
        *at_once = *at_once * 2 < most_at_once(work) ? *at_once * 2 : most_at_once(work);
    }
    return 0;
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
        find_rows(space->rows, n, position, axes);
        sum_pointers(work, space, n, columns, sums);
    } else if (work->rows == GATHERED) {
        const size_t itemsize = work->reduction->kernel->itemsize;
        const char *const x = gather(space->elements, n, position, axes, itemsize);
        sum_dense(work, space, x, n, 1, sums);
    } else {
        sum_dense(work, space, position->x, n, columns, sums);
        advance(position, axes, n);
    }
}

static void sum_chunk(const struct work *work, struct workspace *space, struct position *position,
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

static void count_chunk(const struct work *work, struct workspace *space, struct position *position,
                        size_t n, size_t columns, struct counted into)
{
    const struct fastrelu_axes *axes = &work->reduction->reduced;
    const size_t itemsize = work->reduction->kernel->itemsize;
    size_t at_once = into.dead ? FIRST_COUNTED : most_at_once(work);

    for (int finished = 0; n > 0 && !finished;) {
        const size_t taken = n < work->leaf ? n : work->leaf;
        if (work->rows == POINTERS) {
            find_rows(space->rows, taken, position, axes);
            finished = count_pointers(work, space, taken, columns, &at_once, into);
        } else if (work->rows == GATHERED) {
            const char *const x = gather(space->elements, taken, position, axes, itemsize);
            finished = count_dense(work, space, x, taken, 1, &at_once, into);
        } else {
            finished = count_dense(work, space, position->x, taken, columns, &at_once, into);
            advance(position, axes, taken);
        }
        n -= taken;
    }
}

/* Results */

/* Rounds once: a float that is rounded to the odd of its neighbours rounds on as the double. */
static int16_t double_to_half(double number)
{
    float single = (float)number;
    if (single == single && (double)single != number) {
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        const double magnitude_of_single = single < 0 ? -(double)single : (double)single;
        if (magnitude_of_single > (number < 0 ? -number : number))
            bits--;
        bits |= 1;
        memcpy(&single, &bits, sizeof single);
    }
    return float_to_half(single);
}

static void to_double(union sum sums[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i].number = (double)sums[i].integer;
}

/* What a sum stands for, and stores it in `out`. */
#define STORE_RESULTS(type, value)                                   \
    if (work->out_step == sizeof(type))                              \
        for (size_t i = 0; i < n; i++) {                             \
            const type result = (value);                             \
            memcpy(out + i * sizeof result, &result, sizeof result); \
        }                                                            \
    else                                                             \
        for (size_t i = 0; i < n; i++, out += work->out_step) {      \
            const type result = (value);                             \
            memcpy(out, &result, sizeof result);                     \
        }

static void store_results(const struct work *work, char *out, union sum sums[], size_t n)
{
    const struct fastrelu_reduction *reduction = work->reduction;
    const double count = (double)work->n;

    if (reduction->operation == FASTRELU_ACTIVITY)
        to_double(sums, n);
    if (reduction->operation == FASTRELU_MEAN || reduction->operation == FASTRELU_ACTIVITY) {
        if (n == 1)
            sums->number /= count;
        else
            reduction->kernel->divide_doubles((char *)sums, n, count);
    }
    switch (reduction->result) {
    case FASTRELU_FLOAT_RESULT:
        STORE_RESULTS(float, (float)sums[i].number) break;
    case FASTRELU_HALF_RESULT:
        STORE_RESULTS(int16_t, double_to_half(sums[i].number)) break;
    default:
        STORE_RESULTS(union sum, sums[i])
    }
}

static void store_dead(const struct work *work, char *out, const char *dead, size_t n)
{
    if (work->out_step == 1)
        memcpy(out, dead, n);
    else
        for (size_t i = 0; i < n; i++)
            out[(ptrdiff_t)i * work->out_step] = dead[i];
}

/* Returns what is left of a number when it is divided. Most divisors are 1, and a division costs as
   much as a sum of ten elements. */
static inline size_t divide(size_t *number, size_t divisor)
{
    if (divisor == 1)
        return 0;
    const size_t left = *number % divisor;
    *number /= divisor;
    return left;
}

static inline size_t first_run_of(const struct work *work, size_t part)
{
    return work->column_chunks == 1 ? part * work->runs : work->runs * part / work->column_chunks;
}

/* A unit is a chunk of some columns. */
static void reduce_unit(const struct work *work, struct workspace *space, size_t unit)
{
    const struct fastrelu_reduction *reduction = work->reduction;
    const struct fastrelu_axes *kept = &reduction->kept;
    size_t outer = unit;
    const size_t chunk = work->first_chunk + divide(&outer, work->unit_chunks);
    const size_t part = divide(&outer, work->column_chunks);
    const size_t first_run = first_run_of(work, part), from = first_run * work->run;
    const size_t columns = first_run_of(work, part + 1) * work->run - from;
    const size_t first = chunk * work->leaves_per_chunk * work->leaf, left = work->n - first;
    const size_t most = work->leaves_per_chunk * work->leaf, n = left < most ? left : most;
    union sum *const own = work->counts ? space->totals : space->sums;
    union sum *const sums =
        work->partial ? work->partial + chunk * work->outputs + outer * work->columns + from : own;
    _Atomic char *const shared = work->dead ? work->dead + outer * work->columns + from : NULL;
    const char *x = reduction->x + (ptrdiff_t)first_run * work->run_step;
    char *out = reduction->out + (ptrdiff_t)from * work->out_step;
    struct position position;

    for (size_t axis = (size_t)kept->axes, number = outer; axis-- > 0;) {
        const ptrdiff_t index = (ptrdiff_t)(axis ? divide(&number, kept->shape[axis]) : number);
        x += index * kept->steps[axis];
        out += index * kept->out_steps[axis];
    }
    seek(&position, &reduction->reduced, x, first);
    if (reduction->operation == FASTRELU_DEAD) {
        const struct counted into = {.dead = space->dead};
        memset(into.dead, 1, columns);
        for (size_t i = 0; shared && i < columns; i++)
            into.dead[i] = atomic_load_explicit(shared + i, memory_order_relaxed);
        if (shared && all_fired(into, columns))
            return;
        count_chunk(work, space, &position, n, columns, into);
        for (size_t i = 0; shared && i < columns; i++)
            if (!into.dead[i])
                atomic_store_explicit(shared + i, 0, memory_order_relaxed);
        if (!shared)
            store_dead(work, out, into.dead, columns);
        return;
    }
    if (work->counts) {
        memset(sums, 0, columns * sizeof *sums);
        count_chunk(work, space, &position, n, columns, (struct counted){.sums = sums});
    } else
        sum_chunk(work, space, &position, n, columns, sums);
    if (work->convert)
        to_double(sums, columns);
    if (!work->partial)
        store_results(work, out, sums, columns);
}

static void reduce_task(const void *context, size_t task)
{
    const struct work *work = context;
    const size_t first = task * work->units_per_task, left = work->units - first;
    const size_t n = left < work->units_per_task ? left : work->units_per_task;
    /* More than a small stack holds. Its arrays begin with a cache line. */
    char *const memory = malloc(sizeof(struct workspace) + FASTRELU_CACHE_LINE);
    if (memory == NULL) {
        *work->failed = 1;
        return;
    }
    char *const line = memory + FASTRELU_CACHE_LINE - (uintptr_t)memory % FASTRELU_CACHE_LINE;
    for (size_t unit = first; unit < first + n; unit++)
        reduce_unit(work, (struct workspace *)(void *)line, unit);
    free(memory);
}

/* The sums of the chunks of one output, combined as leaves are. */
static union sum sum_of_chunks(const struct work *work, const union sum *partial)
{
    union sum levels[8 * sizeof(size_t)], sum;
    int found = 0;

    for (size_t chunk = 0; chunk < work->chunks; chunk++) {
        int level = 0;
        sum = partial[chunk * work->outputs];
        for (; chunk >> level & 1; level++)
            work->add_chunks((char *)&sum, (const char *)&levels[level], 1);
        levels[level] = sum;
    }
    for (int level = 0; work->chunks >> level; level++)
        if (work->chunks >> level & 1) {
            if (found)
                work->add_chunks((char *)&sum, (const char *)&levels[level], 1);
            else
                sum = levels[level];
            found = 1;
        }
    return sum;
}

static void combine_chunks(const struct work *work)
{
    const struct fastrelu_axes *kept = &work->reduction->kept;
    for (size_t output = 0; output < work->outputs; output++) {
        char *out = work->reduction->out + (ptrdiff_t)(output % work->columns) * work->out_step;
        for (size_t axis = (size_t)kept->axes, number = output / work->columns; axis-- > 0;) {
            out += (ptrdiff_t)(number % kept->shape[axis]) * kept->out_steps[axis];
            number /= kept->shape[axis];
        }
        if (work->dead)
            *out = work->dead[output];
        else {
            union sum sum = sum_of_chunks(work, work->partial + output);
            store_results(work, out, &sum, 1);
        }
    }
}

/* Runs the units of some chunks. */
static void run(struct work *work, size_t first_chunk, size_t chunks, int n_threads)
{
    const struct fastrelu_reduction *reduction = work->reduction;
    const size_t rows = work->leaves_per_chunk * work->leaf;
    const size_t bytes = (work->n < rows ? work->n : rows) * reduction->kernel->itemsize *
                         ((work->columns + work->column_chunks - 1) / work->column_chunks);
    work->first_chunk = first_chunk;
    work->unit_chunks = chunks;
    work->units = work->outputs / work->columns * work->column_chunks * chunks;
    work->units_per_task = bytes < TASK_BYTES ? TASK_BYTES / bytes : 1;
    fastrelu_parallel_for(n_threads,
                          (work->units + work->units_per_task - 1) / work->units_per_task,
                          reduce_task, work);
}

/* Axes that are kept may be reversed. */
static void flip(struct fastrelu_reduction *reduction)
{
    struct fastrelu_axes *kept = &reduction->kept;
    for (int axis = 0; axis < kept->axes; axis++)
        if (kept->steps[axis] < 0) {
            const ptrdiff_t last = (ptrdiff_t)kept->shape[axis] - 1;
            reduction->x += last * kept->steps[axis];
            reduction->out += last * kept->out_steps[axis];
            kept->steps[axis] = -kept->steps[axis];
            kept->out_steps[axis] = -kept->out_steps[axis];
        }
}

/* How the rows of a leaf are found, and the columns of a row. */
static void choose_rows(struct work *work, struct fastrelu_reduction *reduction, int is_sum)
{
    struct fastrelu_axes *kept = &reduction->kept, *reduced = &reduction->reduced;
    const ptrdiff_t itemsize = (ptrdiff_t)reduction->kernel->itemsize;
    const int last = kept->axes - 1;
    const size_t length = last < 0 ? 1 : kept->shape[last];
    const ptrdiff_t step = last < 0 ? 0 : kept->steps[last];

    if (reduced->axes == 0)
        *reduced = (struct fastrelu_axes){.axes = 1, .shape = {1}};
    const ptrdiff_t row_step = reduced->steps[reduced->axes - 1];
    const size_t dense = step == itemsize && length < FEW_COLUMNS ? length : 1;
    if (work->n < LANES && length >= FEW_COLUMNS)
        work->rows = POINTERS; /* lanes would be filled up for each output */
    else if (reduced->axes == 1 && (work->n == 1 || row_step == (ptrdiff_t)dense * itemsize))
        work->rows = DENSE;
    else
        work->rows =
            length >= FEW_COLUMNS && step < fastrelu_magnitude(row_step) ? POINTERS : GATHERED;
    work->columns = work->rows == POINTERS ? length : work->rows == DENSE ? dense : 1;
    work->column_step = step;
    work->out_step = work->columns > 1 ? kept->out_steps[last] : 0;
    if (work->columns > 1)
        kept->axes--;
    work->run = 1;
    work->run_step = step;

    /* Few columns by few rows, for each of many outputs: those of several outputs lie beside each
       other. */
    const int outer = kept->axes - 1;
    if (work->rows == DENSE && dense > 1 && (is_sum || dense < FEW_COUNTED) && work->n < LANES &&
        outer >= 0 && kept->out_steps[outer] == (ptrdiff_t)dense * work->out_step) {
        work->rows = POINTERS;
        work->run = dense;
        work->run_step = kept->steps[outer];
        work->columns = dense * kept->shape[outer];
        kept->axes--;
    }
}

/* How many columns a unit has at most. */
static size_t most_columns(const struct work *work)
{
    const size_t column_bytes = work->n * work->reduction->kernel->itemsize;
    if (!work->counts || has_copied_rows(work) || column_bytes * MAX_COLUMNS >= TASK_BYTES)
        return MAX_COLUMNS;
    return column_bytes * MOST_COUNTED <= TASK_BYTES ? MOST_COUNTED : TASK_BYTES / column_bytes;
}

int fastrelu_reduce(struct fastrelu_reduction *reduction)
{
    const struct fastrelu_reduction_kernel *kernel = reduction->kernel;
    const enum fastrelu_reduction_operation operation = reduction->operation;
    const int is_sum = operation == FASTRELU_SUM || operation == FASTRELU_MEAN;
    _Atomic int failed = 0;
    struct work work = {.reduction = reduction, .failed = &failed};

    flip(reduction);
    coalesce(&reduction->kept);
    coalesce(&reduction->reduced);
    work.n = size_of(&reduction->reduced);
    work.outputs = size_of(&reduction->kept);
    choose_rows(&work, reduction, is_sum);

    const int is_double = is_sum && reduction->result != FASTRELU_INTEGER_RESULT;
    const int by_integers =
        !is_sum || (reduction->is_integer && !(is_double && kernel->double_sums));
    work.add = by_integers ? kernel->add_integers : kernel->add_doubles;
    work.fold = by_integers ? kernel->fold_integers : kernel->fold_doubles;
    work.add_chunks = is_double ? kernel->add_doubles : kernel->add_integers;
    work.convert = is_double && by_integers;
    if (!is_sum)
        work.counts = operation == FASTRELU_ACTIVITY ? kernel->positive : kernel->not_dead;
    else if (is_double && kernel->double_sums)
        work.sums = kernel->double_sums;
    else if (reduction->result == FASTRELU_FLOAT_RESULT && reduction->partial &&
             kernel->partial_sums)
        work.sums = kernel->partial_sums;
    else
        work.sums = kernel->sums;

    work.leaf = work.counts && work.rows == DENSE ? COUNTED_LEAF : kernel->leaf;
    const size_t most_runs = most_columns(&work) / work.run;
    work.runs = work.columns / work.run;
    work.column_chunks = (work.runs + most_runs - 1) / most_runs;
    const size_t leaves = (work.n + work.leaf - 1) / work.leaf;
    const size_t leaf_bytes =
        work.leaf * kernel->itemsize *
        (work.columns < most_columns(&work) ? work.columns : most_columns(&work));
    int levels = 0;
    while (levels < MAX_CHUNK_LEVELS && leaf_bytes << levels < CHUNK_BYTES && leaves >> levels > 1)
        levels++;
    work.leaves_per_chunk = (size_t)1 << levels;
    work.chunks = (leaves + work.leaves_per_chunk - 1) / work.leaves_per_chunk;

    /* It takes about as long as an operation that writes as much as it reads. */
    const int n_threads = fastrelu_choose_threads_for(2 * work.n * work.outputs * kernel->itemsize);
    if (work.chunks == 1)
        run(&work, 0, 1, n_threads);
    else if (operation == FASTRELU_DEAD) {
        work.dead = malloc(work.outputs);
        if (work.dead == NULL)
            return -1;
        memset((void *)work.dead, 1, work.outputs);
        run(&work, 0, 1, n_threads);
        if (memchr((const void *)work.dead, 1, work.outputs))
            run(&work, 1, work.chunks - 1, n_threads);
        combine_chunks(&work);
        free((void *)work.dead);
    } else {
        work.partial = malloc(work.chunks * work.outputs * sizeof *work.partial);
        if (work.partial == NULL)
            return -1;
        run(&work, 0, work.chunks, n_threads);
        combine_chunks(&work);
        free(work.partial);
    }
    return failed ? -1 : 0;
}
