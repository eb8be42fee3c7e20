/* Arrays of any strides as few loops: what is left when axes are sorted, turned and merged. */

#ifndef FASTRELU_STRIDES_H
#define FASTRELU_STRIDES_H

#include "kernels/kernels.h"

enum { FASTRELU_MAX_AXES = 64 };

struct fastrelu_operands {
    int operands; /* the last is the output; of what there is none all is 0 */
    char *args[FASTRELU_MAX_OPERANDS];
    int axes; /* outermost first */
    size_t shape[FASTRELU_MAX_AXES];
    ptrdiff_t steps[FASTRELU_MAX_AXES][FASTRELU_MAX_OPERANDS];
};

/* Orders the axes by the steps of the output, makes these positive, and merges axes that go on
   where the next ends. False if elements of the output overlap each other. */
int fastrelu_coalesce_axes(struct fastrelu_operands *operands, size_t itemsize);

/* The first byte of an operand, and the one after its last. */
void fastrelu_memory_extent(const struct fastrelu_operands *operands, int operand, size_t itemsize,
                            uintptr_t *low, uintptr_t *high);

#endif
