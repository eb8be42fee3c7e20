/* Is the order that overlap.h demands the laxest that is safe? Against a simulation, byte by byte.

   A byte of the simulated memory holds a token: where it came from. Each byte that an element
   writes is a token of the element's number and of all bytes that it has read. A schedule is a
   permutation of the elements, cut into blocks: a block reads all its elements, then writes them.
   What counts is what NumPy's loops do, one element after the other. An order is safe if every
   schedule that it allows leaves the same memory:

     ONE_BY_ONE  the elements in their order, each a block
     FORWARD     the elements in their order, cut into blocks in every way
     ANY_ORDER   every permutation cut in every way, up to four elements; with more, the order
                 reversed, rotated and with two neighbours swapped, cut in every way: each of two
                 elements then comes first. Threads are covered, for this is shown to be the same as
                 that no element writes a byte that another reads or writes. */

#include "runtime/overlap.h"

#include "findings.h"

enum { MOST_N = 8, ALL_PERMUTATIONS = 4, MOST_ITEMSIZE = 8, ROOM = 1 << 12 };

struct call {
    int n, itemsize, in_step, out_step, in, out;
};

static const char *const names[] = {"any order", "forward", "one by one"};
static size_t calls, demanded_calls[3], stricter_own, stricter_steps, schedules;
static uint64_t untouched[ROOM];

static void run(const struct call *call, const int order[], unsigned ends, uint64_t memory[])
{
    uint64_t read[MOST_N];
    for (int first = 0, last; first < call->n; first = last) {
        for (last = first; last == first || !(ends >> (last - 1) & 1); last++) {
            const uint64_t *in = memory + call->in + order[last] * call->in_step;
            uint64_t token = (uint64_t)order[last];
            for (int byte = 0; byte < call->itemsize; byte++)
                token = token * 0x9E3779B97F4A7C15 + in[byte];
            read[last] = mix(token);
        }
        for (int i = first; i < last; i++)
            for (int byte = 0; byte < call->itemsize; byte++)
                memory[call->out + order[i] * call->out_step + byte] = read[i] + (uint64_t)byte;
    }
    schedules++;
}

/* Whether every way to cut this order into blocks leaves the memory that is wanted. */
static int all_cuts_agree(const struct call *call, const int order[], const uint64_t wanted[],
                          size_t size)
{
    static uint64_t memory[ROOM];
    const unsigned last = 1U << (call->n - 1);
    for (unsigned cuts = 0; cuts < last; cuts++) {
        memcpy(memory, untouched, size * sizeof *memory);
        run(call, order, cuts | last, memory);
        if (memcmp(memory, wanted, size * sizeof *memory) != 0)
            return 0;
    }
    return 1;
}

static int next_permutation(int order[], int n)
{
    int i = n - 1, j = n - 1;
    while (i > 0 && order[i - 1] > order[i])
        i--;
    if (i <= 0)
        return 0;
    while (order[j] < order[i - 1])
        j--;
    const int moved = order[i - 1];
    order[i - 1] = order[j];
    order[j] = moved;
    for (j = n - 1; i < j; i++, j--) {
        const int other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    return 1;
}

static int any_order_agrees(const struct call *call, const uint64_t wanted[], size_t size)
{
    const int n = call->n;
    int order[MOST_N];

    for (int i = 0; i < n; i++)
        order[i] = i;
    if (n <= ALL_PERMUTATIONS) {
        while (next_permutation(order, n))
            if (!all_cuts_agree(call, order, wanted, size))
                return 0;
        return 1;
    }
    for (int by = 0; by < n; by++) /* rotated, then rotated and reversed */
        for (int reversed = 0; reversed < 2; reversed++) {
            for (int i = 0; i < n; i++)
                order[i] = (reversed ? n - 1 - i + by : i + by) % n;
            if (!all_cuts_agree(call, order, wanted, size))
                return 0;
        }
    for (int swapped = 1; swapped < n; swapped++) {
        for (int i = 0; i < n; i++)
            order[i] = i == swapped - 1 ? swapped : i == swapped ? swapped - 1 : i;
        if (!all_cuts_agree(call, order, wanted, size))
            return 0;
    }
    return 1;
}

static enum fastrelu_order needed_order(const struct call *call, size_t size)
{
    static const int forward[MOST_N] = {0, 1, 2, 3, 4, 5, 6, 7};
    static uint64_t wanted[ROOM];

    if (call->n == 0)
        return FASTRELU_ANY_ORDER;
    memcpy(wanted, untouched, size * sizeof *wanted);
    run(call, forward, ~0U, wanted);
    if (!all_cuts_agree(call, forward, wanted, size))
        return FASTRELU_ONE_BY_ONE;
    return any_order_agrees(call, wanted, size) ? FASTRELU_ANY_ORDER : FASTRELU_FORWARD;
}

static int meet(int a, int b, int itemsize) { return a - b < itemsize && b - a < itemsize; }

/* Whether no element writes a byte that another reads or writes: then threads may take them. */
static int elements_are_independent(const struct call *call)
{
    for (int i = 0; i < call->n; i++)
        for (int j = 0; j < call->n; j++) {
            const int written = call->out + i * call->out_step;
            if (i != j && (meet(written, call->in + j * call->in_step, call->itemsize) ||
                           meet(written, call->out + j * call->out_step, call->itemsize)))
                return 0;
        }
    return 1;
}

static int least(int a, int b) { return a < b ? a : b; }

static void check(const struct call *call, size_t size)
{
    /* Near the beginning of the addresses, and where they would change sign. */
    const uintptr_t bases[] = {1, INTPTR_MAX - ROOM / 4};
    const int n = call->n, itemsize = call->itemsize;
    const int distance = call->in - call->out, apart = distance < 0 ? -distance : distance;
    const int step = call->out_step < 0 ? -call->out_step : call->out_step;
    const int in_low = call->in + least(0, (n - 1) * call->in_step);
    const int out_low = call->out + least(0, (n - 1) * call->out_step);
    const int in_span = (n - 1) * abs(call->in_step) + itemsize;
    const int out_span = (n - 1) * step + itemsize;
    const int apart_spans = in_low + in_span <= out_low || out_low + out_span <= in_low;
    const enum fastrelu_order needed = needed_order(call, size);
    enum fastrelu_order demanded = FASTRELU_ANY_ORDER;

    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        const enum fastrelu_order before = demanded;
        demanded =
            fastrelu_required_order((const char *)(bases[i] + (uintptr_t)call->in), call->in_step,
                                    (const char *)(bases[i] + (uintptr_t)call->out), call->out_step,
                                    (size_t)n, (size_t)itemsize);
        if (i > 0 && demanded != before)
            FOUND("%d elements of %d bytes, in %d + i * %d, out %d + i * %d: the order depends on "
                  "where memory lies",
                  n, itemsize, call->in, call->in_step, call->out, call->out_step);
    }
    calls++;
    demanded_calls[demanded]++;
    if (elements_are_independent(call) != (needed == FASTRELU_ANY_ORDER))
        FOUND("the simulation is wrong: %d elements of %d bytes, in %d + i * %d, out %d + i * %d",
              n, itemsize, call->in, call->in_step, call->out, call->out_step);

    /* Where more may be demanded than is needed. */
    const int own = call->in_step == call->out_step && apart > 0 && apart < itemsize &&
                    step - apart >= itemsize;
    const int steps = !apart_spans && (call->in_step != call->out_step || step < itemsize);
    const int stricter = demanded > needed && n > 1;
    if (stricter && own)
        stricter_own++;
    else if (stricter && steps)
        stricter_steps++;
    else if (demanded != needed)
        FOUND("%d elements of %d bytes, in %d + i * %d, out %d + i * %d: %s is demanded, and %s "
              "needed",
              n, itemsize, call->in, call->in_step, call->out, call->out_step, names[demanded],
              names[needed]);
    const int ahead = (distance > 0) == (call->out_step > 0);
    if (n > 1 && own && demanded != (ahead ? FASTRELU_FORWARD : FASTRELU_ONE_BY_ONE))
        FOUND("%d elements of %d bytes, each %d from its output: %s is demanded", n, itemsize,
              distance, names[demanded]);
    if (n > 1 && steps && demanded != FASTRELU_ONE_BY_ONE)
        FOUND("%d elements of %d bytes with steps %d and %d: %s is demanded", n, itemsize,
              call->in_step, call->out_step, names[demanded]);
}

/* Every place of the input that meets the output, and some that do not. */
static void check_places(struct call call)
{
    const int in_span = (call.n ? call.n - 1 : 0) * call.in_step;
    const int out_span = (call.n ? call.n - 1 : 0) * call.out_step;
    const int in_size = abs(in_span) + call.itemsize, out_size = abs(out_span) + call.itemsize;
    const int out_low = in_size + 2;
    const size_t size = (size_t)(out_low + out_size + 2 + in_size);

    if (size > ROOM) {
        FOUND("too little room");
        return;
    }
    call.out = out_low - least(0, out_span);
    for (int in_low = 0; in_low <= out_low + out_size + 2; in_low++) {
        call.in = in_low - least(0, in_span);
        check(&call, size);
    }
}

int main(int argc, char **argv)
{
    const int larger = wants_larger(argc, argv), most = larger ? MOST_N : 6,
              elements = larger ? 4 : 3;

    for (size_t i = 0; i < ROOM; i++)
        untouched[i] = mix(i + 1);
    for (int itemsize = 1; itemsize <= MOST_ITEMSIZE; itemsize *= 2) {
        const int farthest = elements * itemsize + 1;
        for (int n = 0; n <= most; n++)
            for (int in_step = -farthest; in_step <= farthest; in_step++)
                for (int out_step = -farthest; out_step <= farthest; out_step++)
                    check_places((struct call){n, itemsize, in_step, out_step, 0, 0});
    }
    printf("    %zu calls: 1, 2, 4 and 8 bytes, 0 to %d elements, steps up to %d elements and "
           "a byte,\n"
           "    every place where operands meet, by %zu schedules\n"
           "    any order is demanded of %zu, forward of %zu, one by one of %zu, never too little\n"
           "    more than is needed: of %zu that meet their own outputs alone, %zu with other "
           "steps\n",
           calls, most, elements, schedules, demanded_calls[0], demanded_calls[1],
           demanded_calls[2], stricter_own, stricter_steps);
    return report_findings();
}
