/* What every operation gives for one element, in C's own arithmetic: comparisons of numbers, sums
   and products of float and double. It shares no code with the kernels. */

#ifndef FASTRELU_TEST_ORACLE_H
#define FASTRELU_TEST_ORACLE_H

#include <stdint.h>

/* The floating-point flags, in a byte. */
enum { INVALID = 1, DIVBYZERO = 2, OVERFLOWS = 4, UNDERFLOWS = 8 };

struct outcome {
    uint64_t bits;
    uint8_t flags, open_flags; /* those raised; those that machines raise differently */
    uint8_t any_nan;           /* two NaNs met: the machine says which of them is the result */
};

/* The flags of this thread. */
uint8_t raised_flags(void);

/* The inputs are elements, as their bits. Returns 0 where an operation is unknown. */
int apply_operation(int operation, int dtype, const uint64_t inputs[], struct outcome *outcome);

/* Whether the gradient passes: unless x <= 0, or with at_zero, unless x < 0. */
int gradient_passes(int dtype, uint64_t x, int at_zero);

int is_nan(int dtype, uint64_t x);

/* Bits and exponent of a float type; 0 for others. */
int exponent_bits(int dtype);
int width_of(int dtype);
int is_float(int dtype); /* float16, float32, float64, bfloat16 */

/* One operation of arithmetic: '+', '-' or '*', of integers that wrap, or of NumPy's floats. */
uint64_t apply_arithmetic(int dtype, char symbol, uint64_t a, uint64_t b, struct outcome *outcome);
uint64_t rectify(int dtype, uint64_t x);

/* As a number. */
double float_of(int dtype, uint64_t x);
int64_t integer_of(int dtype, uint64_t x);

#endif
