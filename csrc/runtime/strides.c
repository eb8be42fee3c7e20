/* How axes are sorted, turned and merged. */

#include "runtime/strides.h"

static void turn(struct fastrelu_views *views, int axis)
{
    for (int i = 0; i < views->operands; i++) {
        views->args[i] += (ptrdiff_t)(views->shape[axis] - 1) * views->steps[axis][i];
        views->steps[axis][i] = -views->steps[axis][i];
    }
}

static void copy_axis(struct fastrelu_views *views, int to, int from)
{
    views->shape[to] = views->shape[from];
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        views->steps[to][i] = views->steps[from][i];
}

static void swap_axes(struct fastrelu_views *views, int a, int b)
{
    const size_t n = views->shape[a];
    views->shape[a] = views->shape[b];
    views->shape[b] = n;
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++) {
        const ptrdiff_t step = views->steps[a][i];
        views->steps[a][i] = views->steps[b][i];
        views->steps[b][i] = step;
    }
}

static int goes_on(const struct fastrelu_views *views, int outer, int inner)
{
    for (int i = 0; i < views->operands; i++)
        if (views->steps[outer][i] != (ptrdiff_t)views->shape[inner] * views->steps[inner][i])
            return 0;
    return 1;
}

int fastrelu_simplify(struct fastrelu_views *views, size_t itemsize)
{
    const int out = views->operands - 1;
    int axes = 0;

    for (int axis = 0; axis < views->axes; axis++)
        if (views->shape[axis] != 1) {
            copy_axis(views, axes, axis);
            if (views->steps[axes][out] < 0)
                turn(views, axes);
            for (int i = axes++; i > 0 && views->steps[i - 1][out] < views->steps[i][out]; i--)
                swap_axes(views, i - 1, i);
        }

    ptrdiff_t span = (ptrdiff_t)itemsize;
    for (int axis = axes - 1; axis >= 0; axis--) {
        if (views->steps[axis][out] < span)
            return 0;
        span += (ptrdiff_t)(views->shape[axis] - 1) * views->steps[axis][out];
    }

    views->axes = 0;
    for (int axis = 0; axis < axes; axis++) {
        const int last = views->axes - 1;
        if (last >= 0 && goes_on(views, last, axis)) {
            const size_t n = views->shape[last];
            copy_axis(views, last, axis);
            views->shape[last] *= n;
        } else
            copy_axis(views, views->axes++, axis);
    }
    return 1;
}

void fastrelu_extent(const struct fastrelu_views *views, int operand, size_t itemsize,
                     uintptr_t *low, uintptr_t *high)
{
    *low = (uintptr_t)views->args[operand];
    *high = *low + itemsize;
    for (int axis = 0; axis < views->axes; axis++) {
        const uintptr_t span = (uintptr_t)views->steps[axis][operand] * (views->shape[axis] - 1);
        if (views->steps[axis][operand] < 0)
            *low += span;
        else
            *high += span;
    }
}
