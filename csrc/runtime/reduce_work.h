/* What the parts of a reduction share: how it is divided, and the memory of a task. */

#ifndef FASTRELU_REDUCE_WORK_H
#define FASTRELU_REDUCE_WORK_H

#include <stdatomic.h>
#include <string.h>

#include "runtime/reduce.h"

enum {
    LANES = FASTRELU_SUM_LANES,
    LEAF = FASTRELU_LEAF,
    LANE_LEVELS = 5,
    MAX_CHUNK_LEVELS = 10, /* a chunk has at most 1 << so many leaves */
    MAX_COLUMNS = 256,     /* of a unit, */
    MOST_COUNTED = 1024,   /* or where few rows are counted */
    FEW_COLUMNS = 32       /* up to here, dense rows are taken LANES at a time */
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

/* A place among the reduced axes. */
struct position {
    size_t index[FASTRELU_MAX_AXES];
    const char *x;
};

/* What has been counted of some columns. */
struct counted {
    union sum *sums;
    char *dead; /* instead of them, where units are looked for: 1, or 0 where one has fired */
};

/* How many elements are left along the innermost axis. */
static inline size_t run_of(const struct position *position, const struct fastrelu_axes *axes)
{
    return axes->shape[axes->axes - 1] - position->index[axes->axes - 1];
}

static inline void advance(struct position *position, const struct fastrelu_axes *axes, size_t run)
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

static inline int has_copied_rows(const struct work *work)
{
    return work->run > 1 || work->column_step != (ptrdiff_t)work->reduction->kernel->itemsize;
}

/* Whether no more has to be counted. */
static inline int is_finished(struct counted counted, size_t columns)
{
    if (counted.dead && columns == 1)
        return !*counted.dead;
    return counted.dead && memchr(counted.dead, 1, columns) == NULL;
}

/* The rows from a position on, which advances. */
void fastrelu_find_rows(const char *rows[], size_t n, struct position *position,
                        const struct fastrelu_axes *axes);

/* Rows of one lane at most, whose columns lie next to each other: those, or copies. */
const char *const *fastrelu_contiguous_rows(const struct work *work, struct workspace *space,
                                            const char *const rows[], size_t *step, size_t n_rows,
                                            size_t columns);

/* Copies n elements, which then follow each other. */
void fastrelu_copy_run(char *to, const char *x, ptrdiff_t step, size_t n, size_t itemsize);

/* Elements one after the other from a position on, which advances: where they are, or copied. */
const char *fastrelu_gather_run(char *to, size_t n, struct position *position,
                                const struct fastrelu_axes *axes, size_t itemsize);

/* The sums of a chunk of n rows, in the order of reduce.h, and its counts. */
void fastrelu_sum_chunk(const struct work *work, struct workspace *space, struct position *position,
                        size_t n, size_t columns, union sum sums[]);
void fastrelu_count_chunk(const struct work *work, struct workspace *space,
                          struct position *position, size_t n, size_t columns, struct counted into);

#endif
