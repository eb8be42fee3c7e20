/* What the functions of floats return, in comparisons and arithmetic of C: slow, and written
   without a word of the kernels, which are checked against it. */

#ifndef FASTRELU_REFERENCE_H
#define FASTRELU_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* An odd number: each register width leaves a tail. */
enum { FASTRELU_BLOCK = 1021 };

/* Operands of float32, float16 or bfloat16. */
struct fastrelu_elements {
    uint32_t bits[FASTRELU_BLOCK];
    float value[FASTRELU_BLOCK]; /* exactly, with sign and payload of a NaN */
};

struct fastrelu_expected {
    uint32_t bits[FASTRELU_BLOCK];
    uint8_t any_nan[FASTRELU_BLOCK]; /* two NaNs met: the machine says which of them results */
    int flags, open_flags;           /* those raised; those that machines raise differently */
    float left[FASTRELU_BLOCK], right[FASTRELU_BLOCK]; /* of the arithmetic: the operands, */
    struct fastrelu_elements result;                   /* and the result of their type */
};

/* Sets the values of n bits. Returns 0 if the dtype has no reference. */
int fastrelu_decode(int dtype, struct fastrelu_elements *x, size_t n);

/* Returns 0 if the operation has no reference. */
int fastrelu_expect(int operation, int dtype, const struct fastrelu_elements inputs[], size_t n,
                    struct fastrelu_expected *expected);

/* Whether the gradient passes at x. */
int fastrelu_expect_bit(float x, int at_zero);

#endif
