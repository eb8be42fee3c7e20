/* From NumPy's inner loop to a run of a kernel. */

#include "python/loops.h"

#include "python/types.h"
#include "runtime/execute.h"
#include "runtime/fpstatus.h"
#include "runtime/overlap.h"

signed char fastrelu_dtypes[FASTRELU_TYPES];

void fastrelu_kernel_loop(char **args, const intptr_t *dimensions, const intptr_t *steps,
                          void *data)
{
    const struct fastrelu_kernel *kernel = data;
    const size_t n = (size_t)dimensions[0], itemsize = kernel->itemsize;
    const int inputs = kernel->inputs;
    enum fastrelu_order order = FASTRELU_ANY_ORDER;
    int contiguous = steps[inputs] == (intptr_t)itemsize;

    if (kernel->clears_fpstatus)
        fastrelu_clear_fpstatus();
    for (int i = 0; i < inputs; i++) {
        enum fastrelu_order needed =
            fastrelu_required_order(args[i], steps[i], args[inputs], steps[inputs], n, itemsize);
        order = needed > order ? needed : order;
        contiguous &= steps[i] == (intptr_t)itemsize;
    }
    if (order == FASTRELU_ONE_BY_ONE) {
        char *at[FASTRELU_MAX_OPERANDS];
        for (size_t element = 0; element < n; element++) {
            for (int i = 0; i <= inputs; i++)
                at[i] = args[i] + (intptr_t)element * steps[i];
            kernel->contiguous(at, 1);
        }
    } else if (contiguous)
        fastrelu_execute_contiguous(kernel, args, n, order);
    else
        fastrelu_execute_strided(kernel, args, steps, n, order);
}
