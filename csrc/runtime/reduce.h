/* Reductions of relu(x - threshold), of x > 0 and of x <= 0, over any axes.

   A sum has an order of its own, whatever the number of threads, the instruction set and the
   steps. Its elements come with the last axis fastest, the axes from the greatest step to the
   least. A leaf is so many of them as its kernel says. Element i of a leaf is added to lane
   i % FASTRELU_SUM_LANES, which begins with 0; partial_sums first adds two and two of
   four that follow each other in a lane. Then the upper half of the lanes is added to the lower
   half until one is left, and neighbouring leaves are added until one is left, as if zeros filled
   the last leaf, and further leaves up to a power of two. */

#ifndef FASTRELU_REDUCE_H
#define FASTRELU_REDUCE_H

#include "kernels/kernels.h"
#include "runtime/strides.h"

enum fastrelu_reduction_operation {
    FASTRELU_SUM,
    FASTRELU_MEAN,
    FASTRELU_ACTIVITY, /* the share of x > 0 */
    FASTRELU_DEAD      /* whether all x <= 0; stops where it is known */
};

enum fastrelu_result_type {
    FASTRELU_INTEGER_RESULT, /* 64 bits; a sum of integers alone */
    FASTRELU_DOUBLE_RESULT,
    FASTRELU_FLOAT_RESULT,
    FASTRELU_HALF_RESULT
};

struct fastrelu_axes {
    int axes;
    size_t shape[FASTRELU_MAX_AXES];
    ptrdiff_t steps[FASTRELU_MAX_AXES];
    ptrdiff_t out_steps[FASTRELU_MAX_AXES]; /* of the axes that are kept */
};

/* No axis is empty. fastrelu_reduce changes the axes, x and out. */
struct fastrelu_reduction {
    const struct fastrelu_reduction_kernel *kernel;
    enum fastrelu_reduction_operation operation;
    enum fastrelu_result_type result; /* that of FASTRELU_DEAD is a byte, 0 or 1 */
    int is_integer;                   /* the elements are */
    int partial;           /* whether a float32 sum of float32 may add four in float32 first */
    const char *threshold; /* an element, not NaN and not infinite */
    const char *x;
    char *out;
    struct fastrelu_axes kept, reduced;
};

/* Returns -1 if there is no memory, else 0. Raises the floating-point flags of a sum and a mean. */
int fastrelu_reduce(struct fastrelu_reduction *reduction);

#endif
