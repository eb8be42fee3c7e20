/* How inputs are transposed on their way to a kernel. */

#include "runtime/transpose.h"

#include <string.h>

#include "kernels/compiler.h"
#include "runtime/execute.h"
#include "runtime/threads.h"

enum {
    MAX_PANEL = 1 << 14, /* bytes: half of a first cache */
    MAX_COLUMNS = 128,
    MIN_COLUMNS = 32,
    CUT_LINES = 8,         /* in the columns of a panel, one of which is read more */
    PAGE = 1 << 12,        /* lines so far apart are in one set of a first cache */
    SHARED_SETS = 1 << 22, /* most columns by step by itemsize, where columns are pages apart */
    MIN_ELEMENTS = 1 << 12,
    MIN_SIDE = 16, /* rows; with fewer, the lines of the inputs stay in the first cache */
    NARROW_ROWS = 1 << 10,
    MIN_GROUP = 8 /* panels of a chunk, if there are enough for the threads */
};

_Static_assert(MAX_PANEL >= 2 * MAX_COLUMNS * (int)FASTRELU_CACHE_LINE, "two panels in a buffer");

/* Columns are numbered along the innermost axis, rows along the one before, on which the inputs
   that are transposed lie. A chunk is a group of panels below each other. */
struct panels {
    const struct fastrelu_kernel *kernel;
    fastrelu_loop *loop;
    size_t itemsize, rows, columns; /* of a panel */
    size_t slice;                   /* columns that are transposed at a time: all, or fewer */
    size_t group_rows;
    size_t over;      /* columns that the first panel of a row lacks: others begin with a cache
                         line of the output */
    size_t rows_over; /* rows that the first of a column lacks: others begin with a cache line of
                         the first transposed input */
    int has_rows_of_lines; /* of the output: all begin at the same place of a cache line */
    int cut;        /* rows of a panel begin and end with a cache line of the output, by columns of
                       the panels beside it */
    int follow;     /* each row is followed by the next: its last line is cut from that one */
    int narrow;     /* rows are too short for the loop: it runs along the columns */
    int transposed; /* bit i: input i is */
    int prefetched; /* panels to come, whose columns are cache lines of the transposed inputs */
    enum fastrelu_stores stores;
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS]; /* as the loop meets them */
    struct fastrelu_operands operands;
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void execute_narrow_panel(const struct panels *panels, char *args[], size_t rows,
                                 size_t columns)
{
    for (; columns > 0; columns--) {
        panels->loop(args, panels->steps, rows);
        for (int i = 0; i < panels->operands.n_operands; i++)
            args[i] += panels->operands.steps[panels->operands.axes - 1][i];
    }
}

/* Where a panel lies on the innermost two axes, and how many columns its rows may take behind. */
struct place {
    size_t row, rows, column, columns, beyond;
};

static size_t columns_behind(const struct panels *panels, const struct place *place)
{
    return panels->operands.shape[panels->operands.axes - 1] - place->column - place->columns;
}

/* Transposes some columns of a panel. Columns behind the last are the first, a row below, which the
   last row of all does not have. */
static void transpose_columns(const struct panels *panels, char *const args[], char *const to[],
                              const struct place *place, size_t row, size_t rows, size_t column,
                              size_t n)
{
    const int inner = panels->operands.axes - 1;
    const size_t all = panels->operands.shape[inner];
    const size_t below = least(rows, panels->operands.shape[inner - 1] - row - 1);
    const size_t behind = all - place->column;
    const ptrdiff_t width = (ptrdiff_t)((place->columns + place->beyond) * panels->itemsize);
    const size_t own = column < behind ? least(behind - column, n) : 0;
    const struct {
        size_t rows, column, n;
        ptrdiff_t row, from;
    } parts[] = {{rows, column, own, 0, (ptrdiff_t)column},
                 {below, column + own, n - own, 1, (ptrdiff_t)(column + own) - (ptrdiff_t)all}};

    for (int i = 0; i < panels->operands.n_operands - 1; i++)
        if (panels->transposed >> i & 1) {
            const ptrdiff_t step = panels->operands.steps[inner - 1][i];
            const ptrdiff_t column_step = panels->operands.steps[inner][i];
            for (int part = 0; part < 2; part++) {
                const ptrdiff_t first = step < 0 ? (ptrdiff_t)parts[part].rows - 1 : 0;
                if (parts[part].n > 0 && parts[part].rows > 0)
                    panels->kernel->transpose(
                        to[i] + first * width + parts[part].column * panels->itemsize,
                        step < 0 ? -width : width,
                        args[i] + (first + parts[part].row) * step + parts[part].from * column_step,
                        column_step, parts[part].rows, parts[part].n);
            }
        }
}

/* What is prefetched with each row of a panel: so many places, a step apart. */
struct ahead {
    const char *from;
    ptrdiff_t step, row_step;
    size_t places;
};

static void add_ahead(struct ahead list[], int *n, const char *from, ptrdiff_t step,
                      ptrdiff_t row_step, size_t places)
{
    list[(*n)++] = (struct ahead){from, step, row_step, places};
}

/* Of transposed inputs some columns of the panel after the next: their last lines, since the next
   one has touched those before. Of others a row of the next. Returns how many. */
static int list_ahead(const struct panels *panels, char *const next[], const struct place *place,
                      size_t rows, size_t rows_after, struct ahead list[])
{
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const size_t columns = place->columns + place->beyond;
    const size_t share = (columns + panels->rows - 1) / panels->rows;
    const ptrdiff_t width = (ptrdiff_t)(place->columns * panels->itemsize),
                    line = FASTRELU_CACHE_LINE;
    int n = 0;

    for (int i = 0; i <= out; i++) {
        const ptrdiff_t row_step = panels->operands.steps[inner - 1][i];
        const ptrdiff_t column_step = panels->operands.steps[inner][i];
        const uintptr_t over = (uintptr_t)next[i] % FASTRELU_CACHE_LINE;
        if (panels->transposed >> i & 1) {
            const char *const last = next[i] + (ptrdiff_t)(rows + rows_after - 1) * row_step;
            if (rows_after > 0)
                add_ahead(list, &n, last, column_step, (ptrdiff_t)share * column_step, share);
        } else if (panels->steps[i] != (ptrdiff_t)panels->itemsize)
            continue;
        else if (i < out || panels->stores == FASTRELU_ORDINARY)
            add_ahead(list, &n, next[i], line, row_step,
                      (size_t)(((ptrdiff_t)over + width + line - 1) / line));
        else if (panels->stores == FASTRELU_STREAM_LINES) {
            if (over && !(panels->cut && (place->column > 0 || panels->follow)))
                add_ahead(list, &n, next[i], 0, row_step, 1);
            if ((over + (uintptr_t)width) % FASTRELU_CACHE_LINE &&
                !(panels->cut && (columns_behind(panels, place) > 0 || panels->follow)))
                add_ahead(list, &n, next[i] + width, 0, row_step, 1);
        }
    }
    return n;
}

/* Inline: gcc leaves out calls of functions that only prefetch. */
ALWAYS_INLINE void prefetch(struct ahead list[], int n)
{
    for (int i = 0; i < n; i++) {
        const char *from = list[i].from;
        for (size_t place = 0; place < list[i].places; place++, from += list[i].step)
            __builtin_prefetch(from);
        list[i].from += list[i].row_step;
    }
}

static size_t columns_to_line(const struct panels *panels, const char *p)
{
    return -(uintptr_t)p % FASTRELU_CACHE_LINE / panels->itemsize;
}

/* A row of a panel, from the first cache line of the output that begins in it, and to the end of
   the last one. */
static void execute_cut_row(const struct panels *panels, char *const args[],
                            const struct place *place, size_t row)
{
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const int has_before = place->column > 0 || (panels->follow && row > 0);
    const int has_next = panels->follow && row + 1 < panels->operands.shape[inner - 1];
    const size_t most = has_next ? SIZE_MAX : place->columns + columns_behind(panels, place);
    const size_t first = has_before ? columns_to_line(panels, args[out]) : 0;
    const char *const behind = args[out] + place->columns * panels->itemsize;
    const size_t end = least(place->columns + columns_to_line(panels, behind), most);
    char *own[FASTRELU_MAX_OPERANDS];

    if (first >= end)
        return;
    for (int i = 0; i <= out; i++)
        own[i] = args[i] + (ptrdiff_t)first * panels->steps[i];
    if (panels->stores == FASTRELU_STREAM_LINES)
        fastrelu_stream(panels->kernel, own, panels->steps, end - first);
    else
        panels->loop(own, panels->steps, end - first);
}

/* Panels below each other, the first of n rows. Where each transposes the next in slices between
   its rows, into the other half of a buffer, the CPU loads the one while it stores the other. */
static void execute_panels(const struct panels *panels, char *args[], struct place place, size_t n)
{
    _Alignas(FASTRELU_CACHE_LINE) char buffers[FASTRELU_MAX_OPERANDS - 1][MAX_PANEL];
    const int out = panels->operands.n_operands - 1, inner = panels->operands.axes - 1;
    const ptrdiff_t *const row_steps = panels->operands.steps[inner - 1];
    const size_t width = place.columns * panels->itemsize;
    const size_t behind = columns_behind(panels, &place);
    const int has_lines =
        panels->has_rows_of_lines && ((uintptr_t)args[out] | width) % FASTRELU_CACHE_LINE == 0;
    const int streams = panels->stores == FASTRELU_STREAM_LINES;
    const int cut = panels->cut && (!panels->has_rows_of_lines || place.column == 0 || behind == 0);
    fastrelu_loop *const loop = streams && has_lines ? panels->kernel->streaming : panels->loop;
    char *own[FASTRELU_MAX_OPERANDS], *to[FASTRELU_MAX_OPERANDS];
    ptrdiff_t next[FASTRELU_MAX_OPERANDS];

    if (cut) {
        place.beyond = panels->has_rows_of_lines ? columns_to_line(panels, args[out] + width)
                                                 : FASTRELU_CACHE_LINE / panels->itemsize;
        if (!panels->follow)
            place.beyond = least(place.beyond, behind);
    }
    const size_t columns = place.columns + place.beyond;
    for (int i = 0; i <= out; i++) {
        const int transposed = panels->transposed >> i & 1;
        next[i] = transposed ? (ptrdiff_t)(columns * panels->itemsize) : row_steps[i];
        to[i] = transposed ? buffers[i] : NULL;
    }
    transpose_columns(panels, args, to, &place, place.row, n, 0, columns);
    for (int half = 1; n > 0; half = !half) {
        const size_t below = least(panels->rows, place.rows - n);
        const size_t after = least(panels->rows, place.rows - n - below);
        size_t done = below ? 0 : columns;
        for (int i = 0; i <= out; i++) {
            own[i] = to[i] ? to[i] : args[i];
            args[i] += (ptrdiff_t)n * row_steps[i];
            if (to[i] && panels->slice < panels->columns)
                to[i] = buffers[i] + half * (MAX_PANEL / 2);
        }
        struct ahead list[FASTRELU_MAX_OPERANDS + 1];
        const int n_ahead = panels->prefetched && below > 0
                                ? list_ahead(panels, args, &place, below, after, list)
                                : 0;
        for (size_t row = 1; row <= n; row++) {
            if (cut)
                execute_cut_row(panels, own, &place, place.row + row - 1);
            else if (streams && !has_lines)
                fastrelu_stream(panels->kernel, own, panels->steps, columns);
            else
                loop(own, panels->steps, columns);
            for (int i = 0; i <= out; i++)
                own[i] += next[i];
            prefetch(list, n_ahead);
            for (size_t taken;
                 done < columns && (row == n || (done + panels->slice) * n <= row * columns);
                 done += taken) {
                taken = least(panels->slice, columns - done);
                transpose_columns(panels, args, to, &place, place.row + n, below, done, taken);
            }
        }
        place.row += n;
        place.rows -= n;
        n = below;
    }
}

static void execute_group(const void *context, size_t number)
{
    const struct panels *panels = context;
    const struct fastrelu_operands *operands = &panels->operands;
    const int inner = operands->axes - 1;
    const size_t width = operands->shape[inner] + panels->over;
    const size_t in_row = (width + panels->columns - 1) / panels->columns;
    const size_t panel = number % in_row * panels->columns;
    const size_t from = panel > panels->over ? panel - panels->over : 0;
    struct place place = {.column = from,
                          .columns = least(panel + panels->columns, width) - panels->over - from};
    char *args[FASTRELU_MAX_OPERANDS];
    size_t first_rows = 1;

    for (int i = 0; i < operands->n_operands; i++)
        args[i] = operands->args[i] + (ptrdiff_t)from * operands->steps[inner][i];
    number /= in_row;
    for (int axis = inner - 1; axis >= 0; axis--) {
        const int is_rows = axis == inner - 1;
        const size_t most = is_rows ? panels->group_rows : 1;
        const size_t over = is_rows ? panels->rows_over : 0;
        const size_t end = operands->shape[axis] + over;
        const size_t groups = (end + most - 1) / most;
        const size_t group = number % groups * most, first = group > over ? group - over : 0;
        number /= groups;
        if (is_rows) {
            place.row = first;
            place.rows = least(group + most, end) - over - first;
            first_rows = least(panels->rows - (group ? 0 : over), place.rows);
        }
        for (int i = 0; i < operands->n_operands; i++)
            args[i] += (ptrdiff_t)first * operands->steps[axis][i];
    }
    if (panels->narrow)
        for (size_t n; place.rows > 0; place.rows -= n) {
            char *of_panel[FASTRELU_MAX_OPERANDS];
            n = least(panels->rows, place.rows);
            memcpy(of_panel, args, sizeof args);
            execute_narrow_panel(panels, of_panel, n, place.columns);
            for (int i = 0; i < operands->n_operands; i++)
                args[i] += (ptrdiff_t)n * operands->steps[inner - 1][i];
        }
    else
        execute_panels(panels, args, place, first_rows);
    if (panels->stores != FASTRELU_ORDINARY)
        FENCE_STREAM();
}

/* Whether the elements of an input follow each other along an axis, but not along the innermost one
   of the output. */
static int lies_along(const struct fastrelu_operands *operands, int axis, int input,
                      size_t itemsize)
{
    const ptrdiff_t inner_step = operands->steps[operands->axes - 1][input];
    return fastrelu_magnitude(operands->steps[axis][input]) == (ptrdiff_t)itemsize &&
           fastrelu_magnitude(inner_step) > (ptrdiff_t)itemsize;
}

/* The axis along which the first such input lies, or -1. */
static int find_row_axis(const struct fastrelu_operands *operands, size_t itemsize)
{
    for (int i = 0; i < operands->n_operands - 1; i++)
        for (int axis = operands->axes - 2; axis >= 0; axis--)
            if (lies_along(operands, axis, i, itemsize))
                return axis;
    return -1;
}

/* Whether all rows of the output begin at the same place of a cache line. */
static int has_rows_of_lines(const struct fastrelu_operands *operands)
{
    for (int axis = 0; axis < operands->axes - 1; axis++)
        if (operands->steps[axis][operands->n_operands - 1] % FASTRELU_CACHE_LINE != 0)
            return 0;
    return 1;
}

/* Whether each row of the output is followed by the next, and those of the other operands are. */
static int rows_follow(const struct panels *panels)
{
    const struct fastrelu_operands *operands = &panels->operands;
    const int inner = operands->axes - 1;
    const ptrdiff_t columns = (ptrdiff_t)operands->shape[inner];

    for (int i = 0; i < operands->n_operands; i++)
        if (!(panels->transposed >> i & 1) &&
            operands->steps[inner - 1][i] != columns * operands->steps[inner][i])
            return 0;
    return 1;
}

/* A line that two panels, or two rows, share is written twice, and read from memory before each
   time. Cut rows, of which each takes whole lines, cost more columns in a panel. */
static void cut_rows(struct panels *panels)
{
    const size_t line = FASTRELU_CACHE_LINE / panels->itemsize;

    panels->has_rows_of_lines = has_rows_of_lines(&panels->operands);
    panels->follow = rows_follow(panels);
    if (panels->has_rows_of_lines)
        panels->cut = panels->over > 0 && panels->follow;
    else if (panels->stores == FASTRELU_STREAM_LINES) {
        panels->cut = panels->prefetched && panels->columns >= CUT_LINES * line;
        if (panels->cut) {
            panels->columns -= line;
            panels->over = 0;
        } else
            panels->stores = FASTRELU_ORDINARY;
    }
}

/* Bands of rows for each thread, unless they would be too low for panels to follow each other. */
static size_t panels_per_group(size_t below, size_t all, int n_threads)
{
    const size_t wanted = FASTRELU_CHUNKS_PER_THREAD * (size_t)n_threads;
    const size_t group = least(MIN_GROUP, all / wanted);
    return below / wanted > group ? below / wanted : group ? group : 1;
}

/* Whole cache lines, as streaming kernels need. So many that the caches hold two panels of each
   operand, by measurement on a Zen 5. Columns that are pages apart share few sets of a cache, which
   matters where no input has rows that the CPU reads ahead. */
static size_t columns_of(const struct panels *panels)
{
    const int inner = panels->operands.axes - 1;
    size_t arrays = 0, transposed = 0, step = 0; /* the longest of whole pages */

    if (!panels->prefetched)
        return least(MAX_COLUMNS, MAX_PANEL / panels->rows / panels->itemsize);
    for (int i = 0; i < panels->operands.n_operands - 1; i++) {
        const size_t own = (size_t)fastrelu_magnitude(panels->operands.steps[inner][i]);
        arrays += panels->steps[i] != 0;
        if (panels->transposed >> i & 1) {
            transposed++;
            if (own % PAGE == 0 && own > step)
                step = own;
        }
    }
    const size_t held = arrays + (panels->stores == FASTRELU_ORDINARY); /* and the output */
    const int halved = (panels->itemsize >= 4 && (transposed > 1 || held > 2)) ||
                       (panels->itemsize == 8 && held > 1);
    size_t columns = halved ? MAX_COLUMNS / 2 : MAX_COLUMNS;
    while (transposed == arrays && columns * step * panels->itemsize > SHARED_SETS &&
           columns / 2 >= MIN_COLUMNS && columns / 2 * panels->itemsize >= FASTRELU_CACHE_LINE)
        columns /= 2;
    return columns;
}

/* How many rows of a cache line lie before the first row. */
static size_t rows_over(const struct panels *panels)
{
    const int inner = panels->operands.axes - 1,
              input = __builtin_ctz((unsigned)panels->transposed);
    const size_t place = (uintptr_t)panels->operands.args[input] % FASTRELU_CACHE_LINE;
    const int has_lines = panels->operands.steps[inner][input] % FASTRELU_CACHE_LINE == 0 &&
                          panels->operands.steps[inner - 1][input] > 0;
    return has_lines && place % panels->itemsize == 0 ? place / panels->itemsize : 0;
}

int fastrelu_execute_transposed(const struct fastrelu_kernel *kernel,
                                const struct fastrelu_operands *operands, size_t bytes,
                                int n_threads, enum fastrelu_stores stores)
{
    const int inner = operands->axes - 1, row_axis = find_row_axis(operands, kernel->itemsize);
    const size_t *shape = operands->shape;
    const size_t place = (uintptr_t)operands->args[operands->n_operands - 1] % FASTRELU_CACHE_LINE;
    size_t elements = 1;

    for (int axis = 0; axis <= inner; axis++)
        elements *= shape[axis];
    if (row_axis < 0 || elements < MIN_ELEMENTS || shape[row_axis] < MIN_SIDE)
        return 0;

    struct panels panels = {.kernel = kernel,
                            .itemsize = kernel->itemsize,
                            .over = place % kernel->itemsize || stores == FASTRELU_STREAM_ALL
                                        ? 0
                                        : place / kernel->itemsize,
                            .prefetched =
                                bytes / 2 >= fastrelu_current_thresholds.streaming_bytes &&
                                shape[row_axis] > 2 * MIN_SIDE && shape[inner] >= MIN_SIDE,
                            .operands = *operands};
    for (int axis = row_axis; axis < inner; axis++) {
        const int from = axis == inner - 1 ? row_axis : axis + 1;
        panels.operands.shape[axis] = shape[from];
        memcpy(panels.operands.steps[axis], operands->steps[from], sizeof panels.steps);
    }
    for (int i = 0; i < operands->n_operands; i++) {
        panels.steps[i] = operands->steps[inner][i];
        if (i < kernel->inputs && lies_along(operands, row_axis, i, kernel->itemsize)) {
            panels.transposed |= 1 << i;
            panels.steps[i] = (ptrdiff_t)kernel->itemsize;
        }
    }
    panels.narrow = shape[inner] < MIN_SIDE;
    const int contiguous = !panels.narrow && fastrelu_is_contiguous(kernel, panels.steps);
    panels.loop = kernel->strided;
    if (panels.narrow) {
        memcpy(panels.steps, operands->steps[row_axis], sizeof panels.steps);
        panels.over = 0;
    } else if (contiguous) {
        panels.stores = stores;
        panels.loop = stores == FASTRELU_STREAM_ALL ? kernel->streaming : kernel->contiguous;
    }
    panels.rows = panels.narrow          ? NARROW_ROWS
                  : panels.prefetched    ? FASTRELU_CACHE_LINE / kernel->itemsize
                  : kernel->itemsize < 4 ? 64
                                         : 32;
    panels.columns = panels.narrow ? MIN_SIDE : columns_of(&panels);
    panels.slice = panels.prefetched && panels.stores != FASTRELU_ORDINARY ? panels.columns / 2
                                                                           : panels.columns;
    if (contiguous)
        cut_rows(&panels);
    if (panels.prefetched && !panels.narrow)
        panels.rows_over = rows_over(&panels);
    const size_t below = (shape[row_axis] + panels.rows_over + panels.rows - 1) / panels.rows;
    const size_t in_row = (shape[inner] + panels.over + panels.columns - 1) / panels.columns;
    const size_t outer = elements / shape[row_axis] / shape[inner];
    const size_t group = panels_per_group(below, outer * below * in_row, n_threads);
    panels.group_rows = group * panels.rows;
    fastrelu_parallel_for(n_threads, outer * ((below + group - 1) / group) * in_row, execute_group,
                          &panels);
    return 1;
}
