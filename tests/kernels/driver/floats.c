/* The reference of csrc/check, against the oracle; and that its check finds what is wrong. */

#include <string.h>

#include "check.h"
#include "check/floats.h"
#include "kernels/fpstatus.h"

enum { VALUES_OF_TWO = 256, VALUES_OF_THREE = 36 };

static const int dtypes[] = {FASTRELU_f32, FASTRELU_f16, FASTRELU_bfloat16};

static uint8_t named(int flags)
{
    return (uint8_t)((flags & FASTRELU_INVALID ? INVALID : 0) |
                     (flags & FASTRELU_DIVBYZERO ? DIVBYZERO : 0) |
                     (flags & FASTRELU_OVERFLOW ? OVERFLOWS : 0) |
                     (flags & FASTRELU_UNDERFLOW ? UNDERFLOWS : 0));
}

static void check_element(const struct fastrelu_kernel *kernel, const uint64_t inputs[])
{
    static struct fastrelu_elements x[MAX_INPUTS];
    static struct fastrelu_expected expected;
    struct outcome outcome;

    for (int i = 0; i < kernel->inputs; i++) {
        x[i].bits[0] = (uint32_t)inputs[i];
        fastrelu_decode(kernel->dtype, &x[i], 1);
    }
    begin_check(fastrelu_operation_names[kernel->operation], kernel->dtype, "reference", 1, 0, NULL,
                NULL);
    apply_operation(kernel->operation, kernel->dtype, inputs, &outcome);
    if (!fastrelu_expect(kernel->operation, kernel->dtype, x, 1, &expected))
        report("no reference", 0, 1, 0);
    const uint8_t any_nan = expected.any_nan[0] && is_nan(kernel->dtype, expected.bits[0]);
    if (any_nan != outcome.any_nan && is_nan(kernel->dtype, outcome.bits))
        report("any NaN", 0, outcome.any_nan, any_nan);
    if (!(any_nan && is_nan(kernel->dtype, outcome.bits)) && expected.bits[0] != outcome.bits)
        report("reference", 0, outcome.bits, expected.bits[0]);
    if (kernel->status == FASTRELU_QUIET)
        outcome.flags = outcome.open_flags = 0;
    if (named(expected.flags) != outcome.flags)
        report("flags", 0, outcome.flags, named(expected.flags));
    if (named(expected.open_flags) != outcome.open_flags)
        report("open flags", 0, outcome.open_flags, named(expected.open_flags));
}

static void check_reference(const struct fastrelu_kernel *kernel)
{
    static uint64_t values[1 << 16];
    const size_t most = kernel->inputs == 1   ? sizeof values / sizeof *values
                        : kernel->inputs == 2 ? VALUES_OF_TWO
                                              : VALUES_OF_THREE;
    seed_random("", "floats", kernel->dtype);
    const size_t n = make_values(kernel->dtype, most, values);
    size_t tuples = 1;

    for (int i = 0; i < kernel->inputs; i++)
        tuples *= n;
    for (size_t tuple = 0; tuple < tuples; tuple++) {
        uint64_t inputs[MAX_INPUTS] = {0};
        size_t left = tuple;
        for (int i = 0; i < kernel->inputs; i++, left /= n)
            inputs[i] = values[left % n];
        check_element(kernel, inputs);
    }
}

/* Kernels that are wrong in one place. */

enum { WRONG_AT = 0x80012345, TAIL_OF = 16 };

static int holds_wrong(const char *x, size_t n, size_t *at)
{
    for (*at = 0; *at < n; ++*at)
        if (load_element(x + *at * 4, 4) == WRONG_AT)
            return 1;
    return 0;
}

static void relu(char *const args[], const ptrdiff_t steps[], size_t n)
{
    fastrelu_scalar.kernels[FASTRELU_relu][FASTRELU_f32].contiguous(args, steps, n);
}

static void pass_one_pattern(char *const args[], const ptrdiff_t steps[], size_t n)
{
    size_t at;
    relu(args, steps, n);
    if (holds_wrong(args[0], n, &at))
        store_element(args[1] + at * 4, 4, WRONG_AT);
}

static void forget_the_tail(char *const args[], const ptrdiff_t steps[], size_t n)
{
    relu(args, steps, n - n % TAIL_OF);
}

static void raise_a_flag(char *const args[], const ptrdiff_t steps[], size_t n)
{
    size_t at;
    relu(args, steps, n);
    if (holds_wrong(args[0], n, &at))
        fastrelu_raise_fpstatus(FASTRELU_INVALID);
}

static void add_relu_without_flags(char *const args[], const ptrdiff_t steps[], size_t n)
{
    fastrelu_scalar.kernels[FASTRELU_add_relu][FASTRELU_f32].contiguous(args, steps, n);
    fastrelu_clear_fpstatus();
}

static void mark_one_pattern(char *const args[], const ptrdiff_t steps[], size_t n)
{
    size_t at;
    fastrelu_scalar.relu_with_mask[0][FASTRELU_f32].contiguous(args, steps, n);
    if (holds_wrong(args[0], n, &at))
        args[2][at / 8] ^= (char)(1 << at % 8);
}

/* The mismatch that is found of a set with a wrong loop, beside a set that is right. */
static void check_wrong(const char *what, fastrelu_loop *loop, int function,
                        enum fastrelu_checked_loop where, enum fastrelu_difference difference,
                        uint32_t first, uint32_t n)
{
    enum { INFINITE = 0x7F800000 };
    static struct fastrelu_isa wrong;
    const struct fastrelu_isa *const isas[] = {&fastrelu_scalar, &wrong};
    const struct fastrelu_sweep sweep = {
        function, FASTRELU_f32, where, 0, 0, {0, function == FASTRELU_add_relu ? INFINITE : 0, 0}};
    struct fastrelu_mismatch found[] = {{.isa = 0}, {.isa = 1}};

    wrong = fastrelu_scalar;
    if (function == FASTRELU_WITH_MASK)
        wrong.relu_with_mask[0][FASTRELU_f32].contiguous = loop;
    else if (where == FASTRELU_CONTIGUOUS)
        wrong.kernels[function][FASTRELU_f32].contiguous = loop;
    else if (where == FASTRELU_STREAMING)
        wrong.kernels[function][FASTRELU_f32].streaming = loop;
    else
        wrong.kernels[function][FASTRELU_f32].strided = loop;
    begin_check(what, FASTRELU_f32, "check of all floats", FASTRELU_CHUNK, 0, NULL, NULL);
    /* The chunk of WRONG_AT, and the one of -inf. */
    if (fastrelu_check_floats(isas, &sweep, WRONG_AT >> 16, 0xFF80 - (WRONG_AT >> 16), 2, found,
                              2) != FASTRELU_CHECKED)
        report("checked", 0, FASTRELU_CHECKED, 0);
    if (found[0].difference != FASTRELU_SAME)
        report("a right kernel", 0, FASTRELU_SAME, (uint64_t)found[0].difference);
    if (found[1].difference != (int32_t)difference)
        report("a wrong kernel", 0, difference, (uint64_t)found[1].difference);
    if (found[1].operands[0] != first)
        report("its operand", 0, first, found[1].operands[0]);
    if (found[1].n != n)
        report("its elements", 0, n, found[1].n);
}

static void check_wrong_kernels(void)
{
    enum { CHUNK_AT = WRONG_AT - WRONG_AT % FASTRELU_CHUNK };
    const uint32_t block = WRONG_AT % FASTRELU_CHUNK / FASTRELU_BLOCK;
    const uint32_t block_at = CHUNK_AT + block * FASTRELU_BLOCK;
    const uint32_t tail_at = CHUNK_AT + FASTRELU_BLOCK - FASTRELU_BLOCK % TAIL_OF;
    const uint32_t mask_at = block_at + (WRONG_AT - block_at) / 8 * 8;

    for (enum fastrelu_checked_loop where = FASTRELU_CONTIGUOUS; where <= FASTRELU_STRIDED; where++)
        check_wrong("pass_one_pattern", pass_one_pattern, FASTRELU_relu, where,
                    FASTRELU_OTHER_VALUE, WRONG_AT, 1);
    check_wrong("forget_the_tail", forget_the_tail, FASTRELU_relu, FASTRELU_CONTIGUOUS,
                FASTRELU_OTHER_VALUE, tail_at, 1);
    check_wrong("raise_a_flag", raise_a_flag, FASTRELU_relu, FASTRELU_CONTIGUOUS,
                FASTRELU_OTHER_FLAGS, block_at, FASTRELU_BLOCK);
    check_wrong("add_relu_without_flags", add_relu_without_flags, FASTRELU_add_relu,
                FASTRELU_CONTIGUOUS, FASTRELU_OTHER_FLAGS, 0xFF800000, FASTRELU_BLOCK);
    check_wrong("mark_one_pattern", mark_one_pattern, FASTRELU_WITH_MASK, FASTRELU_CONTIGUOUS,
                FASTRELU_OTHER_MASK, mask_at, 8);
}

void check_floats(const struct fastrelu_isa *const sets[], struct situation counts[],
                  const struct selection *selection)
{
    (void)sets;
    if (selection->part != 0)
        return;
    now = counts[0];
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        for (int operation = 0; operation < FASTRELU_N_OPERATIONS; operation++)
            if (fastrelu_scalar.kernels[operation][dtypes[i]].contiguous)
                check_reference(&fastrelu_scalar.kernels[operation][dtypes[i]]);
    check_wrong_kernels();
    counts[0] = now;
}
