/* In which order the elements of an operation may be taken.

   No laxer order would be safe, except where the test would not be cheap: where the spans of input
   and output share a byte and their steps differ, or elements of the output overlap; and where an
   input overlaps a part of its own output element and of no other. */

#ifndef FASTRELU_OVERLAP_H
#define FASTRELU_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

enum fastrelu_order {
    FASTRELU_ANY_ORDER,  /* the input is exactly the output, or shares no byte with it */
    FASTRELU_FORWARD,    /* the output overwrites only what has been read, or elements of its own */
    FASTRELU_ONE_BY_ONE, /* an element of the output may be an input of the next, as in accumulate
                          */
};

static inline enum fastrelu_order fastrelu_required_order(const char *in, ptrdiff_t in_step,
                                                          const char *out, ptrdiff_t out_step,
                                                          size_t n, size_t itemsize)
{
    const uintptr_t in_span = (uintptr_t)in_step * (n - 1), in_end = (uintptr_t)in + in_span;
    const uintptr_t out_span = (uintptr_t)out_step * (n - 1), out_end = (uintptr_t)out + out_span;
    const uintptr_t in_low = in_step < 0 ? in_end : (uintptr_t)in;
    const uintptr_t in_high = (in_step < 0 ? (uintptr_t)in : in_end) + itemsize;
    const uintptr_t out_low = out_step < 0 ? out_end : (uintptr_t)out;
    const uintptr_t out_high = (out_step < 0 ? (uintptr_t)out : out_end) + itemsize;

    const uintptr_t step = out_step < 0 ? -(uintptr_t)out_step : (uintptr_t)out_step;
    if (n <= 1)
        return FASTRELU_ANY_ORDER;
    if (in_high <= out_low || out_high <= in_low)
        return step < itemsize ? FASTRELU_FORWARD : FASTRELU_ANY_ORDER;
    if (in_step != out_step || step < itemsize)
        return FASTRELU_ONE_BY_ONE;
    /* Each may lie in the gaps of the other, as the real and imaginary parts of an array do. */
    const uintptr_t gap = (in_low < out_low ? out_low - in_low : in_low - out_low) % step;
    if (in == out || (gap >= itemsize && step - gap >= itemsize))
        return FASTRELU_ANY_ORDER;
    return (out < in) == (out_step > 0) ? FASTRELU_FORWARD : FASTRELU_ONE_BY_ONE;
}

#endif
