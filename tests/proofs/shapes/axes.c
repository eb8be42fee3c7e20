/* Does strides.c keep each element of the output with its inputs, once, when it sorts, flips and
   coalesces axes? Addresses are compared, and no memory is touched.

   Layouts: every shape of up to four axes of 1 to 4, with steps of every order in memory, every
   sign, broadcast inputs, and gaps. Steps: every step of a small range for each axis, where
   elements may also overlap or interleave. */

#include "runtime/strides.h"

#include "findings.h"

enum { MOST_AXES = 4, MOST_SIZE = 4, REACH = 1 << 13, GAPS = 4 };

/* By the address of an element of the output, as a distance from where the operand begins. */
static struct {
    uint64_t written, taken; /* the number of the case that did it */
    ptrdiff_t inputs[FASTRELU_MAX_OPERANDS - 1];
} elements[2 * REACH];
static uint64_t bytes[2 * REACH], cases, accepted, interleaved;

static const uintptr_t BASE = (uintptr_t)1 << 40;

static char *base_of(int operand) { return (char *)(BASE + (uintptr_t)operand * (1 << 20)); }

static ptrdiff_t offset_of(const char *address, int operand)
{
    return (ptrdiff_t)((uintptr_t)address - (uintptr_t)base_of(operand));
}

static void print(const struct fastrelu_operands *operands, size_t itemsize, const char *what)
{
    printf("    %s: %zu bytes;", what, itemsize);
    for (int axis = 0; axis < operands->axes; axis++) {
        printf(" %zu by", operands->shape[axis]);
        for (int i = 0; i < operands->n_operands; i++)
            printf(" %td", operands->steps[axis][i]);
        putchar(';');
    }
    putchar('\n');
    count_finding();
}

/* Goes to the next element; false after the last. */
static int next_element(const struct fastrelu_operands *operands, size_t index[], char *args[])
{
    for (int axis = operands->axes - 1; axis >= 0; axis--) {
        const int carry = ++index[axis] == operands->shape[axis];
        const ptrdiff_t times = carry ? 1 - (ptrdiff_t)operands->shape[axis] : 1;
        for (int i = 0; i < operands->n_operands; i++)
            args[i] += times * operands->steps[axis][i];
        if (!carry)
            return 1;
        index[axis] = 0;
    }
    return 0;
}

/* Returns what strides.c says: 1 if it takes the operands. */
static int check(const struct fastrelu_operands *before, size_t itemsize, int *overlaps)
{
    const int out = before->n_operands - 1;
    struct fastrelu_operands after = *before;
    size_t index[MOST_AXES] = {0}, n = 1, taken = 0;
    uintptr_t low[FASTRELU_MAX_OPERANDS], high[FASTRELU_MAX_OPERANDS], own_low, own_high;
    char *args[FASTRELU_MAX_OPERANDS];

    cases++;
    *overlaps = 0;
    memcpy(args, before->args, sizeof args);
    for (int i = 0; i <= out; i++) {
        low[i] = UINTPTR_MAX;
        high[i] = 0;
    }
    do {
        const ptrdiff_t at = REACH + offset_of(args[out], out);
        for (size_t byte = 0; byte < itemsize; byte++) {
            *overlaps |= bytes[at + (ptrdiff_t)byte] == cases;
            bytes[at + (ptrdiff_t)byte] = cases;
        }
        elements[at].written = cases;
        for (int i = 0; i < out; i++)
            elements[at].inputs[i] = offset_of(args[i], i);
        for (int i = 0; i <= out; i++) {
            const uintptr_t address = (uintptr_t)args[i];
            low[i] = address < low[i] ? address : low[i];
            high[i] = address + itemsize > high[i] ? address + itemsize : high[i];
        }
    } while (next_element(before, index, args));
    for (int axis = 0; axis < before->axes; axis++)
        n *= before->shape[axis];

    if (!fastrelu_coalesce_axes(&after, itemsize))
        return 0;
    accepted++;
    if (*overlaps)
        print(before, itemsize, "elements of the output overlap, and are taken");
    if (after.axes > before->axes)
        print(before, itemsize, "there are more axes");
    memset(index, 0, sizeof index);
    memcpy(args, after.args, sizeof args);
    do {
        const ptrdiff_t at = REACH + offset_of(args[out], out);
        if (at < 0 || at >= 2 * REACH || elements[at].written != cases) {
            print(before, itemsize, "an address is none of the output's");
            return 1;
        }
        if (elements[at].taken == cases)
            print(before, itemsize, "an element is taken twice");
        elements[at].taken = cases;
        for (int i = 0; i < out; i++)
            if (elements[at].inputs[i] != offset_of(args[i], i)) {
                print(before, itemsize, "an element has another input");
                return 1;
            }
        taken++;
    } while (next_element(&after, index, args));
    if (taken != n)
        print(before, itemsize, "not every element is taken");

    for (int i = 0; i <= out; i++) {
        fastrelu_memory_extent(&after, i, itemsize, &own_low, &own_high);
        if (own_low != low[i] || own_high != high[i])
            print(before, itemsize, "an operand lies elsewhere");
        if (fastrelu_elements_of(&after, i) != fastrelu_elements_of(before, i))
            print(before, itemsize, "an operand has another number of elements");
    }
    for (int axis = 0; axis < after.axes; axis++) {
        int contiguous = axis > 0;
        for (int i = 0; i <= out && contiguous; i++)
            contiguous =
                after.steps[axis - 1][i] == (ptrdiff_t)after.shape[axis] * after.steps[axis][i];
        if (contiguous)
            print(before, itemsize, "two axes are left that are contiguous with each other");
        if (after.steps[axis][out] <= 0 || after.shape[axis] == 1 ||
            (axis > 0 && after.steps[axis - 1][out] < after.steps[axis][out]))
            print(before, itemsize, "axes are not sorted, flipped, or are left out");
    }
    return 1;
}

/* How an operand lies in memory: from the innermost axis to the outermost, the sign of each step,
   0 where it is broadcast, and what lies between elements. */
struct layout {
    int order[MOST_AXES], signs[MOST_AXES], gap;
};

static void set_steps(struct fastrelu_operands *operands, int operand, const struct layout *layout,
                      size_t itemsize)
{
    const ptrdiff_t size = (ptrdiff_t)itemsize;
    ptrdiff_t step = layout->gap == 1 ? 2 * size : layout->gap == 2 ? size + 1 : size;
    for (int i = 0; i < operands->axes; i++) {
        const int axis = layout->order[i];
        operands->steps[axis][operand] = layout->signs[axis] * step;
        if (layout->signs[axis])
            step = step * (ptrdiff_t)operands->shape[axis] + (layout->gap == 3 ? size : 0);
    }
    operands->args[operand] = base_of(operand);
}

static int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }

static int power(int base, int n) { return n ? base * power(base, n - 1) : 1; }

static void set_order(struct layout *layout, int axes, int number)
{
    int left[MOST_AXES] = {0, 1, 2, 3};
    for (int i = 0; i < axes; i++) {
        const int at = number % (axes - i);
        number /= axes - i;
        layout->order[i] = left[at];
        for (int j = at; j + 1 < axes; j++)
            left[j] = left[j + 1];
    }
}

/* Numbers with two digits are signs alone, those with three broadcast as well. */
static void set_signs(struct layout *layout, int axes, int number, int digits)
{
    for (int axis = 0; axis < axes; axis++, number /= digits)
        layout->signs[axis] = number % digits == 0 ? 1 : number % digits == 1 ? -1 : 0;
}

static void set_shape(struct fastrelu_operands *operands, int axes, int number)
{
    operands->axes = axes;
    for (int axis = 0; axis < axes; axis++, number /= MOST_SIZE)
        operands->shape[axis] = (size_t)(number % MOST_SIZE) + 1;
}

static void check_layout(const struct fastrelu_operands *operands, size_t itemsize)
{
    int overlaps;
    if (!check(operands, itemsize, &overlaps))
        print(operands, itemsize, "a view whose elements do not overlap is not taken");
}

/* One input. Four axes have `out_signs` signs of the output, and gaps in turn. */
static void check_one_input(int axes, int shape, int out_signs)
{
    struct fastrelu_operands operands = {.n_operands = 2};
    struct layout in = {0}, out = {0};
    const int each_gap = axes < MOST_AXES;
    unsigned turn = 0;

    set_shape(&operands, axes, shape);
    for (int out_order = 0; out_order < factorial(axes); out_order++)
        for (int out_sign = 0; out_sign < power(2, axes); out_sign++) {
            if (!each_gap && out_sign * 7 % 16 >= out_signs)
                continue;
            set_order(&out, axes, out_order);
            set_signs(&out, axes, out_sign, 2);
            for (int order = 0; order < factorial(axes); order++)
                for (int sign = 0; sign < power(3, axes); sign++)
                    for (int gaps = 0; gaps < (each_gap ? GAPS * GAPS : 1); gaps++) {
                        const int both = each_gap ? gaps : (int)(turn++ * 5 % (GAPS * GAPS));
                        set_order(&in, axes, order);
                        set_signs(&in, axes, sign, 3);
                        in.gap = both % GAPS;
                        out.gap = both / GAPS;
                        set_steps(&operands, 0, &in, 2);
                        set_steps(&operands, 1, &out, 2);
                        check_layout(&operands, 2);
                    }
        }
}

/* Several inputs, each of which is in every order of axes, as the output, reversed, or broadcast
   along one axis. */
static void check_inputs(int axes, int shape, int inputs)
{
    struct fastrelu_operands operands = {.n_operands = inputs + 1};
    struct layout layouts[FASTRELU_MAX_OPERANDS] = {0};
    const int orders = factorial(axes), ways = orders * (axes + 2);

    set_shape(&operands, axes, shape);
    for (int out_order = 0; out_order < orders; out_order++)
        for (int number = 0; number < power(ways, inputs); number++) {
            int rest = number;
            set_order(&layouts[inputs], axes, out_order);
            set_signs(&layouts[inputs], axes, number % power(2, axes), 2);
            for (int i = 0; i < inputs; i++, rest /= ways) {
                const int way = rest % ways / orders;
                set_order(&layouts[i], axes, rest % ways % orders);
                layouts[i].gap = way == 1 ? GAPS - 1 : 0;
                for (int axis = 0; axis < axes; axis++)
                    layouts[i].signs[axis] = way == 1 ? -1 : way == axis + 2 ? 0 : 1;
            }
            for (int i = 0; i <= inputs; i++)
                set_steps(&operands, i, &layouts[i], 2);
            check_layout(&operands, 2);
        }
}

/* Every step from -most to most along each axis, of one input and the output. */
static void check_steps(int axes, int most, size_t itemsize)
{
    struct fastrelu_operands operands = {.n_operands = 2, .axes = axes};
    const int choices = 2 * most + 1;

    for (int shape = 0; shape < power(3, axes); shape++)
        for (int number = 0; number < power(choices, 2 * axes); number++) {
            int rest = number, sizes = shape, overlaps;
            operands.args[0] = base_of(0);
            operands.args[1] = base_of(1);
            for (int axis = 0; axis < axes; axis++, sizes /= 3) {
                operands.shape[axis] = (size_t)(sizes % 3) + 1;
                for (int i = 0; i < 2; i++, rest /= choices)
                    operands.steps[axis][i] = rest % choices - most;
            }
            if (!check(&operands, itemsize, &overlaps) && !overlaps)
                interleaved++;
        }
}

int main(int argc, char **argv)
{
    const int larger = wants_larger(argc, argv), out_signs = larger ? 16 : 2;

    for (int axes = 1; axes <= 3; axes++)
        for (size_t itemsize = 1; itemsize <= 2; itemsize++)
            check_steps(axes, axes < 3 ? 7 : larger ? 4 : 3, itemsize);
    const uint64_t steps = cases;
    for (int axes = 0; axes <= MOST_AXES; axes++)
        for (int shape = 0; shape < power(MOST_SIZE, axes); shape++) {
            check_one_input(axes, shape, out_signs);
            if (axes < MOST_AXES)
                check_inputs(axes, shape, 2);
            if (axes < MOST_AXES - 1 || (axes < MOST_AXES && larger))
                check_inputs(axes, shape, 3);
        }
    printf("    %llu layouts of up to %d axes of 1 to %d, %d of 16 signs of an output with four; "
           "%llu of every\n"
           "    step up to 7 along two axes and %d along three; %llu taken\n"
           "    left to NumPy: elements that overlap, and of %llu that interleave\n",
           (unsigned long long)(cases - steps), MOST_AXES, MOST_SIZE, out_signs,
           (unsigned long long)steps, larger ? 4 : 3, (unsigned long long)accepted,
           (unsigned long long)interleaved);
    return report_findings();
}
