/* Strided operands: axes are sorted, flipped and coalesced, so that few loops remain. */

#ifndef FASTRELU_STRIDES_H
#define FASTRELU_STRIDES_H

#include "kernels/kernels.h"

enum { FASTRELU_MAX_AXES = 64 };

/* An input that is broadcast along an axis has step 0 there. */
struct fastrelu_operands {
    int n_operands; /* the last is the output; unused operands are zeroed */
    char *args[FASTRELU_MAX_OPERANDS];
    int axes; /* outermost first */
    size_t shape[FASTRELU_MAX_AXES];
    ptrdiff_t steps[FASTRELU_MAX_AXES][FASTRELU_MAX_OPERANDS];
};

/* Sorts the axes by the steps of the output, flips them to make these positive, and coalesces axes
   that are contiguous with each other. False if elements of the output overlap each other, or if
   those along one axis lie between those along another. */
int fastrelu_coalesce_axes(struct fastrelu_operands *operands, size_t itemsize);

/* The number of elements that an operand has itself, those that are broadcast counted once. */
size_t fastrelu_elements_of(const struct fastrelu_operands *operands, int operand);

/* The first byte of an operand, and the one after its last. */
void fastrelu_memory_extent(const struct fastrelu_operands *operands, int operand, size_t itemsize,
                            uintptr_t *low, uintptr_t *high);

static inline ptrdiff_t fastrelu_magnitude(ptrdiff_t step) { return step < 0 ? -step : step; }

#endif
