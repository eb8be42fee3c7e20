/* How a large run is taken: in which parts, by how many threads, past the caches or not. */

#include "runtime/execute.h"

#include "runtime/threads.h"
#include "kernels/compiler.h"

struct fastrelu_large fastrelu_large = {SIZE_MAX, SIZE_MAX};

enum {
    CACHE_LINE = 64,
    STREAM_ALIGNMENT = 16,
    STREAM_LEAST = 1 << 10, /* bytes from fence to fence */
    LEAST_PART = 1 << 15, /* bytes of output: a multiple of it has whole cache lines of mask, too */
    MOST_PART = 1 << 20,
    PARTS_PER_THREAD = 4,
    NO_MASK = -1
};

/* Rows of n elements, along the innermost axis. Each is cut into pieces; the first has head + each
   elements, the others have each, or what is left. Parts are so many pieces, one after another. */
struct run {
    void (*contiguous)(char *const args[], size_t n); /* NULL if it is strided */
    void (*strided)(char *const args[], const ptrdiff_t steps[], size_t n);
    char *const *args;
    const ptrdiff_t *steps;
    int operands, mask; /* its index */
    size_t n, head, each;
    const struct fastrelu_views *views; /* NULL if there is but one row */
    size_t pieces_of_row, pieces, pieces_of_part;
};

static inline void do_run(const struct run *run, char *const args[], size_t n)
{
    if (run->contiguous)
        run->contiguous(args, n);
    else
        run->strided(args, run->steps, n);
}

static void do_piece(const struct run *run, char *const row[], size_t piece)
{
    const size_t from = piece == 0 ? 0 : run->head + piece * run->each;
    const size_t to = run->head + (piece + 1) * run->each, n = (to < run->n ? to : run->n) - from;
    char *args[FASTRELU_MAX_OPERANDS];

    for (int i = 0; i < run->operands; i++)
        args[i] = row[i] + (i == run->mask ? (ptrdiff_t)from / 8 : (ptrdiff_t)from * run->steps[i]);
    do_run(run, args, n);
}

struct row {
    char *args[FASTRELU_MAX_OPERANDS];
    size_t at[FASTRELU_MAX_AXES];
};

static inline void move(char *args[], const ptrdiff_t steps[], ptrdiff_t times)
{
    UNROLLED(3)
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        args[i] += times * steps[i];
}

static void find_row(const struct run *run, size_t number, struct row *row)
{
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        row->args[i] = i < run->operands ? run->args[i] : NULL;
    for (int axis = run->views ? run->views->axes - 2 : -1; axis >= 0; axis--) {
        row->at[axis] = number % run->views->shape[axis];
        number /= run->views->shape[axis];
        move(row->args, run->views->steps[axis], (ptrdiff_t)row->at[axis]);
    }
}

static inline void next_row(const struct run *run, struct row *row)
{
    for (int axis = run->views ? run->views->axes - 2 : -1; axis >= 0; axis--) {
        const ptrdiff_t n = (ptrdiff_t)run->views->shape[axis];
        if (++row->at[axis] < (size_t)n) {
            move(row->args, run->views->steps[axis], 1);
            return;
        }
        move(row->args, run->views->steps[axis], 1 - n);
        row->at[axis] = 0;
    }
}

static void do_part(const void *work, size_t part)
{
    const struct run *run = work;
    const size_t first = part * run->pieces_of_part, left = run->pieces - first;
    size_t piece = first % run->pieces_of_row;
    struct row row;

    find_row(run, first / run->pieces_of_row, &row);
    size_t n = left < run->pieces_of_part ? left : run->pieces_of_part;
    if (run->pieces_of_row == 1)
        for (; n > 0; n--, next_row(run, &row))
            do_run(run, row.args, run->n);
    else
        for (; n > 0; n--) {
            do_piece(run, row.args, piece);
            if (++piece == run->pieces_of_row) {
                piece = 0;
                next_row(run, &row);
            }
        }
}

/* The bytes of a part: some for every thread, each enough and none too much for a cache. */
static size_t part_of(size_t bytes)
{
    const size_t part = bytes / (PARTS_PER_THREAD * (size_t)fastrelu_get_num_threads());
    return part < LEAST_PART ? LEAST_PART : part > MOST_PART ? MOST_PART : part;
}

static void share(struct run *run, size_t rows, size_t itemsize)
{
    const size_t part = part_of(rows * run->n * itemsize);
    run->each = part / LEAST_PART * LEAST_PART / itemsize;
    const size_t body = run->n > run->head ? run->n - run->head : 0;
    run->pieces_of_row = body ? (body + run->each - 1) / run->each : 1;
    run->pieces = rows * run->pieces_of_row;
    const size_t row = run->n * itemsize;
    run->pieces_of_part = run->pieces_of_row > 1 ? 1 : (part + row - 1) / row;
    fastrelu_share(do_part, run, (run->pieces + run->pieces_of_part - 1) / run->pieces_of_part);
}

/* A store past the caches to a line that the input has brought into them takes the line out again.
 */
static int streams(const char *out, size_t bytes)
{
    return bytes >= fastrelu_large.streaming && (uintptr_t)out % STREAM_ALIGNMENT == 0;
}

static int is_apart(char *const args[], int inputs)
{
    for (int i = 0; i < inputs; i++)
        if (args[i] == args[inputs])
            return 0;
    return 1;
}

void fastrelu_run_large(const struct fastrelu_kernel *kernel, char *const args[], size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {itemsize, itemsize, itemsize};
    const char *out = args[kernel->inputs];
    const size_t over = (uintptr_t)out % CACHE_LINE;
    const int streaming =
        is_apart(args, kernel->inputs) && streams(out, n * kernel->itemsize * (kernel->inputs + 1));
    struct run run = {.contiguous = streaming ? kernel->streaming : kernel->contiguous,
                      .args = args,
                      .steps = steps,
                      .operands = kernel->inputs + 1,
                      .mask = NO_MASK,
                      .n = n};

    if (over % kernel->itemsize == 0)
        run.head = (CACHE_LINE - over) % CACHE_LINE / kernel->itemsize;
    share(&run, 1, kernel->itemsize);
}

void fastrelu_run_large_strided(const struct fastrelu_kernel *kernel, char *const args[],
                                const ptrdiff_t steps[], size_t n)
{
    struct run run = {.strided = kernel->strided,
                      .args = args,
                      .steps = steps,
                      .operands = kernel->inputs + 1,
                      .mask = NO_MASK,
                      .n = n};
    share(&run, 1, kernel->itemsize);
}

void fastrelu_run_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                               size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const ptrdiff_t steps[FASTRELU_MAX_OPERANDS] = {itemsize, itemsize, 0};
    const int streaming = is_apart(args, 1) && streams(args[1], n * kernel->itemsize * 2);
    struct run run = {.contiguous = streaming ? kernel->streaming : kernel->contiguous,
                      .args = args,
                      .steps = steps,
                      .operands = 3,
                      .mask = 2,
                      .n = n};
    share(&run, 1, kernel->itemsize);
}

void fastrelu_run_views(const struct fastrelu_kernel *kernel, const struct fastrelu_views *views)
{
    const int inputs = kernel->inputs, inner = views->axes - 1;
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const size_t n = views->shape[inner];
    const ptrdiff_t *steps = views->steps[inner];
    size_t rows = 1;
    int contiguous = 1, aligned = 1;

    for (int axis = 0; axis < inner; axis++) {
        rows *= views->shape[axis];
        aligned &= views->steps[axis][inputs] % STREAM_ALIGNMENT == 0;
    }
    for (int i = 0; i <= inputs; i++)
        contiguous &= steps[i] == itemsize;
    const size_t bytes = rows * n * kernel->itemsize * (inputs + 1);
    const int streaming = aligned && n * kernel->itemsize >= STREAM_LEAST &&
                          is_apart(views->args, inputs) && streams(views->args[inputs], bytes);
    struct run run = {.contiguous = !contiguous ? NULL
                                    : streaming ? kernel->streaming
                                                : kernel->contiguous,
                      .strided = kernel->strided,
                      .args = views->args,
                      .steps = steps,
                      .operands = inputs + 1,
                      .mask = NO_MASK,
                      .n = n,
                      .views = views};
    if (bytes >= fastrelu_large.threaded)
        share(&run, rows, kernel->itemsize);
    else {
        run.each = n;
        run.pieces_of_row = 1;
        run.pieces = run.pieces_of_part = rows;
        do_part(&run, 0);
    }
}
