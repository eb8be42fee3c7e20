/* How a reduction is divided into leaves, columns and chunks of them. */

#include <stdlib.h>

#include "kernels/compiler.h"
#include "kernels/half.h"
#include "runtime/execute.h"
#include "runtime/reduce_work.h"
#include "runtime/strides.h"
#include "runtime/threads.h"

enum {
    FEW_COUNTED = 16, /* from so many dense columns on, each result is counted alone */
    COUNTED_LEAF = 1 << 13,
    CHUNK_BYTES = 1 << 18,
    TASK_BYTES = 1 << 16
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
        if (shared && is_finished(into, columns))
            return;
        fastrelu_count_chunk(work, space, &position, n, columns, into);
        for (size_t i = 0; shared && i < columns; i++)
            if (!into.dead[i])
                atomic_store_explicit(shared + i, 0, memory_order_relaxed);
        if (!shared)
            store_dead(work, out, into.dead, columns);
        return;
    }
    if (work->counts) {
        memset(sums, 0, columns * sizeof *sums);
        fastrelu_count_chunk(work, space, &position, n, columns, (struct counted){.sums = sums});
    } else
        fastrelu_sum_chunk(work, space, &position, n, columns, sums);
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
    const size_t together = outer < 0 ? 0 : dense * kept->shape[outer];
    if (work->rows == DENSE && dense > 1 && work->n < LANES &&
        (is_sum ? together >= LANES : dense < FEW_COUNTED) && outer >= 0 &&
        kept->out_steps[outer] == (ptrdiff_t)dense * work->out_step) {
        work->rows = POINTERS;
        work->run = dense;
        work->run_step = kept->steps[outer];
        work->columns = together;
        kept->axes--;
    }
}

/* How many columns a unit has at most. */
static size_t most_columns(const struct work *work)
{
    const size_t itemsize = work->reduction->kernel->itemsize;
    if (!work->counts || has_copied_rows(work) || work->n >= TASK_BYTES / MAX_COLUMNS / itemsize)
        return MAX_COLUMNS;
    const size_t columns = TASK_BYTES / (work->n * itemsize);
    return columns < MOST_COUNTED ? columns : MOST_COUNTED;
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
    const size_t most = most_columns(&work), most_runs = most / work.run;
    work.runs = work.columns / work.run;
    work.column_chunks = (work.runs + most_runs - 1) / most_runs;
    const size_t leaves = (work.n + work.leaf - 1) / work.leaf;
    const size_t leaf_bytes =
        work.leaf * kernel->itemsize * (work.columns < most ? work.columns : most);
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
