/* How axes are sorted, flipped and coalesced. */

#include "runtime/strides.h"

static void flip_axis(struct fastrelu_operands *operands, int axis)
{
    for (int i = 0; i < operands->n_operands; i++) {
        operands->args[i] += (ptrdiff_t)(operands->shape[axis] - 1) * operands->steps[axis][i];
        operands->steps[axis][i] = -operands->steps[axis][i];
    }
}

static void copy_axis(struct fastrelu_operands *operands, int to, int from)
{
    operands->shape[to] = operands->shape[from];
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        operands->steps[to][i] = operands->steps[from][i];
}

static void swap_axes(struct fastrelu_operands *operands, int a, int b)
{
    const size_t n = operands->shape[a];
    operands->shape[a] = operands->shape[b];
    operands->shape[b] = n;
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++) {
        const ptrdiff_t step = operands->steps[a][i];
        operands->steps[a][i] = operands->steps[b][i];
        operands->steps[b][i] = step;
    }
}

static int can_coalesce(const struct fastrelu_operands *operands, int outer, int inner)
{
    for (int i = 0; i < operands->n_operands; i++)
        if (operands->steps[outer][i] !=
            (ptrdiff_t)operands->shape[inner] * operands->steps[inner][i])
            return 0;
    return 1;
}

int fastrelu_coalesce_axes(struct fastrelu_operands *operands, size_t itemsize)
{
    const int out = operands->n_operands - 1;
    int axes = 0;

    for (int axis = 0; axis < operands->axes; axis++)
        if (operands->shape[axis] != 1) {
            copy_axis(operands, axes, axis);
            if (operands->steps[axes][out] < 0)
                flip_axis(operands, axes);
            for (int i = axes++; i > 0 && operands->steps[i - 1][out] < operands->steps[i][out];
                 i--)
                swap_axes(operands, i - 1, i);
        }

    ptrdiff_t span = (ptrdiff_t)itemsize;
    for (int axis = axes - 1; axis >= 0; axis--) {
        if (operands->steps[axis][out] < span)
            return 0;
        span += (ptrdiff_t)(operands->shape[axis] - 1) * operands->steps[axis][out];
    }

    operands->axes = 0;
    for (int axis = 0; axis < axes; axis++) {
        const int last = operands->axes - 1;
        if (last >= 0 && can_coalesce(operands, last, axis)) {
            const size_t n = operands->shape[last];
            copy_axis(operands, last, axis);
            operands->shape[last] *= n;
        } else
            copy_axis(operands, operands->axes++, axis);
    }
    return 1;
}

size_t fastrelu_elements_of(const struct fastrelu_operands *operands, int operand)
{
    size_t n = 1;
    for (int axis = 0; axis < operands->axes; axis++)
        n *= operands->steps[axis][operand] ? operands->shape[axis] : 1;
    return n;
}

void fastrelu_memory_extent(const struct fastrelu_operands *operands, int operand, size_t itemsize,
                            uintptr_t *low, uintptr_t *high)
{
    *low = (uintptr_t)operands->args[operand];
    *high = *low + itemsize;
    for (int axis = 0; axis < operands->axes; axis++) {
        const uintptr_t span =
            (uintptr_t)operands->steps[axis][operand] * (operands->shape[axis] - 1);
        if (operands->steps[axis][operand] < 0)
            *low += span;
        else
            *high += span;
    }
}
