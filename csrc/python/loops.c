/* NumPy's inner loops: in which order the elements may go, and what happens to the floating-point
   flags that NumPy's casts have raised before. */

#include "python/loops.h"

#include "kernels/fpstatus.h"
#include "kernels/plain.h"
#include "python/types.h"
#include "runtime/execute.h"
#include "runtime/overlap.h"

atomic_int fastrelu_dtypes[FASTRELU_TYPES];

/* np.maximum clears the flags in its loops of float32 and float64, and so those of its casts; in
   that of float16 it does not. */
static int clears_fpstatus(const struct fastrelu_kernel *kernel)
{
    return kernel->status == FASTRELU_QUIET &&
           (kernel->dtype == FASTRELU_f32 || kernel->dtype == FASTRELU_f64);
}

static void one_by_one(const struct fastrelu_kernel *kernel, char *const args[],
                       const ptrdiff_t steps[], size_t n)
{
    const ptrdiff_t itemsize = (ptrdiff_t)kernel->itemsize;
    const ptrdiff_t dense[FASTRELU_MAX_OPERANDS] = {itemsize, itemsize, itemsize, itemsize};
    char *element[FASTRELU_MAX_OPERANDS];
    for (size_t number = 0; number < n; number++) {
        for (int i = 0; i <= kernel->inputs; i++)
            element[i] = args[i] + (ptrdiff_t)number * steps[i];
        kernel->contiguous(element, dense, 1);
    }
}

void fastrelu_kernel_loop(char **args, const intptr_t *dimensions, const intptr_t *steps,
                          void *data)
{
    const struct fastrelu_kernel *kernel = data;
    const size_t n = (size_t)dimensions[0];
    const int out = kernel->inputs;
    enum fastrelu_order order = FASTRELU_ANY_ORDER;

    if (clears_fpstatus(kernel))
        fastrelu_clear_fpstatus();
    for (int i = 0; i < out; i++) {
        const enum fastrelu_order required =
            fastrelu_required_order(args[i], steps[i], args[out], steps[out], n, kernel->itemsize);
        order = required > order ? required : order;
    }
    if (order == FASTRELU_ANY_ORDER)
        fastrelu_execute(kernel, args, steps, n);
    else if (order == FASTRELU_ONE_BY_ONE)
        one_by_one(kernel, args, steps, n);
    else if (fastrelu_is_contiguous(kernel, steps))
        kernel->contiguous(args, steps, n);
    else
        kernel->strided(args, steps, n);
}

void fastrelu_plain_inner_loop(char **args, const intptr_t *dimensions, const intptr_t *steps,
                               void *data)
{
    const struct fastrelu_plain *plain = data;
    if (plain->status == FASTRELU_QUIET)
        fastrelu_clear_fpstatus();
    plain->loop(args, dimensions, steps);
}
