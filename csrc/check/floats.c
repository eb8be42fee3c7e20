#include "check/floats.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/fpstatus.h"

enum {
    INPUTS = FASTRELU_MAX_OPERANDS - 1,
    MASK = (FASTRELU_BLOCK + 7) / 8,
    LINES = FASTRELU_BLOCK / 64 * 64 /* elements that fill cache lines, as streaming kernels need */
};

/* A block, as the kernels read and write it, at a multiple of 16 bytes, as streaming ones need. */
union memory {
    _Alignas(16) uint32_t of_32[FASTRELU_BLOCK];
    uint16_t of_16[FASTRELU_BLOCK];
};

struct work {
    const struct fastrelu_sweep *sweep;
    int inputs;
    size_t itemsize, n;
    struct fastrelu_elements elements[INPUTS];
    struct fastrelu_expected expected;
    union memory in[INPUTS], expected_out, out;
    uint8_t expected_mask[MASK], mask[MASK];
};

static void store(const struct work *work, const uint32_t bits[], union memory *memory, size_t n)
{
    if (work->itemsize == sizeof memory->of_32[0])
        memcpy(memory->of_32, bits, n * sizeof bits[0]);
    else
        for (size_t i = 0; i < n; i++)
            memory->of_16[i] = (uint16_t)bits[i];
}

static uint32_t load(const struct work *work, const union memory *memory, size_t i)
{
    return work->itemsize == sizeof memory->of_32[0] ? memory->of_32[i] : memory->of_16[i];
}

static int fill(struct work *work, int operand, uint32_t first, uint32_t step, size_t n)
{
    struct fastrelu_elements *x = &work->elements[operand];
    for (size_t i = 0; i < n; i++)
        x->bits[i] = first + (uint32_t)i * step;
    store(work, x->bits, &work->in[operand], n);
    return fastrelu_decode(work->sweep->dtype, x, n);
}

static int expect(struct work *work)
{
    const struct fastrelu_sweep *sweep = work->sweep;
    const struct fastrelu_elements *x = work->elements;
    const uint32_t operand = sweep->operands[1];

    if (sweep->function == FASTRELU_WITH_MASK) {
        fastrelu_expect(FASTRELU_relu, sweep->dtype, x, work->n, &work->expected);
        memset(work->expected_mask, 0, sizeof work->expected_mask);
        for (size_t i = 0; i < work->n; i++)
            work->expected_mask[i / 8] |=
                (uint8_t)(fastrelu_expect_bit(x->value[i], (int)operand) << i % 8);
    } else if (sweep->function == FASTRELU_FROM_MASK) {
        memset(&work->expected, 0, sizeof work->expected);
        for (size_t i = 0; i < work->n; i++)
            work->expected.bits[i] = operand >> i % 32 & 1 ? x->bits[i] : 0;
    } else if (!fastrelu_expect(sweep->function, sweep->dtype, x, work->n, &work->expected))
        return 0;
    store(work, work->expected.bits, &work->expected_out, work->n);
    return 1;
}

/* Returns NULL if the set has no such loop. */
static fastrelu_loop *call_of(const struct fastrelu_isa *isa, struct work *work, char *args[],
                              ptrdiff_t steps[])
{
    const struct fastrelu_sweep *sweep = work->sweep;

    args[0] = (char *)&work->in[0];
    if (sweep->function == FASTRELU_WITH_MASK || sweep->function == FASTRELU_FROM_MASK) {
        const struct fastrelu_mask_kernel *kernel =
            sweep->function == FASTRELU_WITH_MASK
                ? &isa->relu_with_mask[sweep->operands[1]][sweep->dtype]
                : &isa->relu_backward_from_mask[sweep->dtype];
        args[1] = (char *)&work->out;
        args[2] = (char *)work->mask;
        return sweep->loop == FASTRELU_CONTIGUOUS  ? kernel->contiguous
               : sweep->loop == FASTRELU_STREAMING ? kernel->streaming
                                                   : NULL;
    }
    const struct fastrelu_kernel *kernel = &isa->kernels[sweep->function][sweep->dtype];
    int numbers = 0;
    for (int i = 0; i < kernel->inputs; i++) {
        const int is_number = i != sweep->lower && (int)kernel->numbers >> i & 1 && numbers++ == 0;
        args[i] = (char *)&work->in[i];
        steps[i] = is_number ? 0 : (ptrdiff_t)work->itemsize;
    }
    args[kernel->inputs] = (char *)&work->out;
    steps[kernel->inputs] = (ptrdiff_t)work->itemsize;
    return sweep->loop == FASTRELU_CONTIGUOUS  ? kernel->contiguous
           : sweep->loop == FASTRELU_STREAMING ? kernel->streaming
                                               : kernel->strided;
}

static void note(const struct work *work, struct fastrelu_mismatch *mismatch,
                 enum fastrelu_difference difference, size_t i, size_t n, uint32_t expected,
                 uint32_t got)
{
    mismatch->difference = difference;
    for (int input = 0; input < INPUTS; input++)
        mismatch->operands[input] =
            input < work->inputs ? work->elements[input].bits[i] : work->sweep->operands[input];
    mismatch->n = (uint32_t)n;
    mismatch->expected = expected;
    mismatch->got = got;
}

static int is_nan(const struct work *work, uint32_t bits)
{
    struct fastrelu_elements x;
    x.bits[0] = bits;
    fastrelu_decode(work->sweep->dtype, &x, 1);
    return x.value[0] != x.value[0];
}

static uint32_t seen(int flags)
{
    return (flags & FASTRELU_INVALID ? FASTRELU_SAW_INVALID : 0) |
           (flags & FASTRELU_DIVBYZERO ? FASTRELU_SAW_DIVBYZERO : 0) |
           (flags & FASTRELU_OVERFLOW ? FASTRELU_SAW_OVERFLOW : 0) |
           (flags & FASTRELU_UNDERFLOW ? FASTRELU_SAW_UNDERFLOW : 0);
}

static void check_block(struct work *work, const struct fastrelu_isa *isa,
                        struct fastrelu_mismatch *mismatch)
{
    const struct fastrelu_expected *expected = &work->expected;
    char *args[FASTRELU_MAX_OPERANDS];
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS];
    fastrelu_loop *loop = call_of(isa, work, args, steps);

    if (!loop)
        return;
    memset(&work->out, 0xA5, sizeof work->out);
    if (work->sweep->function == FASTRELU_FROM_MASK)
        for (size_t i = 0; i < MASK; i++)
            work->mask[i] = (uint8_t)(work->sweep->operands[1] >> 8 * (i % 4));
    else
        memset(work->mask, 0xA5, MASK);
    fastrelu_clear_fpstatus();
    loop(args, steps, work->n);
    const int flags = fastrelu_get_fpstatus();

    if (memcmp(&work->out, &work->expected_out, work->n * work->itemsize) != 0)
        for (size_t i = 0; i < work->n; i++) {
            const uint32_t got = load(work, &work->out, i);
            if (got == expected->bits[i] || (expected->any_nan[i] && is_nan(work, got)))
                continue;
            note(work, mismatch, FASTRELU_OTHER_VALUE, i, 1, expected->bits[i], got);
            return;
        }
    if (work->sweep->function == FASTRELU_WITH_MASK)
        for (size_t i = 0; i < (work->n + 7) / 8; i++)
            if (work->mask[i] != work->expected_mask[i]) {
                note(work, mismatch, FASTRELU_OTHER_MASK, 8 * i, 8, work->expected_mask[i],
                     work->mask[i]);
                return;
            }
    if ((flags ^ expected->flags) & ~expected->open_flags)
        note(work, mismatch, FASTRELU_OTHER_FLAGS, 0, work->n, seen(expected->flags), seen(flags));
}

static void check_chunk(struct work *work, const struct fastrelu_isa *const isas[], uint32_t chunk,
                        struct fastrelu_mismatch mismatches[], int n_mismatches)
{
    const struct fastrelu_sweep *sweep = work->sweep;
    const uint32_t upper = sweep->lower == sweep->upper ? chunk << 16 : 0;

    if (sweep->upper >= 0 && sweep->upper != sweep->lower)
        fill(work, sweep->upper, chunk, 0, FASTRELU_BLOCK);
    const uint32_t most = sweep->loop == FASTRELU_STREAMING ? LINES : FASTRELU_BLOCK;
    for (uint32_t at = 0; at < FASTRELU_CHUNK; at += most) {
        work->n = FASTRELU_CHUNK - at < most ? FASTRELU_CHUNK - at : most;
        fill(work, sweep->lower, upper + at, 1, work->n);
        expect(work);
        for (int i = 0; i < n_mismatches; i++)
            if (mismatches[i].difference == FASTRELU_SAME)
                check_block(work, isas[mismatches[i].isa], &mismatches[i]);
    }
}

enum fastrelu_checked fastrelu_check_floats(const struct fastrelu_isa *const isas[],
                                            const struct fastrelu_sweep *sweep, uint32_t first,
                                            uint32_t step, uint32_t n,
                                            struct fastrelu_mismatch mismatches[], int n_mismatches)
{
    const int is_operation = sweep->function < FASTRELU_N_OPERATIONS;
    const struct fastrelu_kernel *kernel =
        is_operation ? &isas[0]->kernels[sweep->function][sweep->dtype] : NULL;
    int has_reference = 1;

    if (kernel && !kernel->contiguous)
        return FASTRELU_NO_KERNEL;
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return FASTRELU_NO_MEMORY;
    work->sweep = sweep;
    work->inputs = kernel ? kernel->inputs : 1;
    work->itemsize = sweep->dtype == FASTRELU_f32 ? 4 : 2;
    for (int i = 0; i < work->inputs; i++)
        has_reference &= fill(work, i, sweep->operands[i], 0, FASTRELU_BLOCK);
    has_reference &= expect(work);
    for (int i = 0; i < n_mismatches; i++)
        mismatches[i].difference = FASTRELU_SAME;
    for (uint32_t i = 0; has_reference && i < n; i++)
        check_chunk(work, isas, first + i * step, mismatches, n_mismatches);
    fastrelu_clear_fpstatus();
    free(work);
    return has_reference ? FASTRELU_CHECKED : FASTRELU_NO_REFERENCE;
}
