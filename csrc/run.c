/* How a large run is taken: in which parts, by how many threads, past the caches or not. */

#include "run.h"

#include "pool.h"

struct fastrelu_large fastrelu_large = {SIZE_MAX, SIZE_MAX};

enum {
    CACHE_LINE = 64,
    STREAM_ALIGNMENT = 16,
    LEAST_PART = 1 << 15, /* bytes of output: a multiple of it has whole cache lines of mask, too */
    MOST_PART = 1 << 20,
    PARTS_PER_THREAD = 4,
    NO_MASK = -1
};

struct run {
    void (*contiguous)(char *const args[], size_t n); /* NULL if it is strided */
    void (*strided)(char *const args[], const ptrdiff_t steps[], size_t n);
    char *const *args;
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS];
    int operands, mask; /* its index */
    size_t n, head,
        each; /* part 0 has head + each elements, the others have each, or what is left */
};

static void do_part(const void *work, size_t part)
{
    const struct run *run = work;
    const size_t from = part == 0 ? 0 : run->head + part * run->each;
    const size_t to = run->head + (part + 1) * run->each, n = (to < run->n ? to : run->n) - from;
    char *args[FASTRELU_MAX_OPERANDS];

    for (int i = 0; i < run->operands; i++)
        args[i] =
            run->args[i] + (i == run->mask ? (ptrdiff_t)from / 8 : (ptrdiff_t)from * run->steps[i]);
    if (run->contiguous)
        run->contiguous(args, n);
    else
        run->strided(args, run->steps, n);
}

static void share(struct run *run, size_t itemsize)
{
    const size_t wanted =
        run->n * itemsize / (PARTS_PER_THREAD * (size_t)fastrelu_get_num_threads());
    const size_t bytes = wanted < LEAST_PART ? LEAST_PART : wanted > MOST_PART ? MOST_PART : wanted;
    run->each = bytes / LEAST_PART * LEAST_PART / itemsize;
    const size_t body = run->n > run->head ? run->n - run->head : 0;
    const size_t parts = (body + run->each - 1) / run->each;
    fastrelu_share(do_part, run, parts ? parts : 1);
}

/* A store past the caches to a line that the input has brought into them takes the line out again.
 */
static int streams(const char *out, size_t bytes)
{
    return bytes >= fastrelu_large.streaming && (uintptr_t)out % STREAM_ALIGNMENT == 0;
}

void fastrelu_run_large(const struct fastrelu_kernel *kernel, char *const args[],
                        const ptrdiff_t steps[], size_t n)
{
    const char *out = args[kernel->inputs];
    const size_t over = (uintptr_t)out % CACHE_LINE, bytes = n * kernel->itemsize;
    struct run run = {.strided = kernel->strided,
                      .args = args,
                      .operands = kernel->inputs + 1,
                      .mask = NO_MASK,
                      .n = n};

    for (int i = 0; i <= kernel->inputs; i++)
        run.steps[i] = steps ? steps[i] : (ptrdiff_t)kernel->itemsize;
    if (steps == NULL) {
        int apart = 1;
        for (int i = 0; i < kernel->inputs; i++)
            apart &= args[i] != out;
        run.contiguous = apart && streams(out, bytes) ? kernel->streaming : kernel->contiguous;
        if (over % kernel->itemsize == 0)
            run.head = (CACHE_LINE - over) % CACHE_LINE / kernel->itemsize;
    }
    share(&run, kernel->itemsize);
}

void fastrelu_run_large_masked(const struct fastrelu_mask_kernel *kernel, char *const args[],
                               size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const int streaming = args[0] != args[1] && streams(args[1], n * kernel->itemsize);
    struct run run = {.contiguous = streaming ? kernel->streaming : kernel->contiguous,
                      .args = args,
                      .steps = {itemsize, itemsize, 0},
                      .operands = 3,
                      .mask = 2,
                      .n = n};
    share(&run, kernel->itemsize);
}
