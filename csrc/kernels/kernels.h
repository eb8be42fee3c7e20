/* The lists of operations and dtypes, and the kernel table that every instruction set fills. */

#ifndef FASTRELU_KERNELS_H
#define FASTRELU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/reductions.h"

/* DO(operation, inputs, numbers, dtypes, status, model, ...)

   inputs    operands before the output
   numbers   NONE, FIRST, SECOND, THIRD, EITHER of the first two: which one input a contiguous
             kernel takes as one number, at step 0
   dtypes    ALL; NUMBERS: NumPy's integers and float16, float32, float64; FLOATS: the last three
   status    QUIET: raises no floating-point flag; IEEE: raises those of its arithmetic
   model     the NumPy function whose rules of types it follows for datetimes and bool; none

   Its expression stands in operations.inc. */
#define FASTRELU_OPERATIONS(DO, ...)                                         \
    DO(relu, 1, NONE, ALL, QUIET, none, __VA_ARGS__)                         \
    DO(relu_backward, 2, FIRST, ALL, QUIET, none, __VA_ARGS__)               \
    DO(add_relu, 2, EITHER, NUMBERS, IEEE, add, __VA_ARGS__)                 \
    DO(subtract_relu, 2, EITHER, NUMBERS, IEEE, subtract, __VA_ARGS__)       \
    DO(leaky_relu, 2, SECOND, FLOATS, IEEE, minimum, __VA_ARGS__)            \
    DO(leaky_relu_backward, 3, THIRD, FLOATS, IEEE, minimum, __VA_ARGS__)    \
    DO(clipped_relu, 2, SECOND, ALL, QUIET, none, __VA_ARGS__)               \
    DO(clipped_relu_backward, 3, THIRD, FLOATS, QUIET, minimum, __VA_ARGS__) \
    DO(soft_threshold, 2, SECOND, FLOATS, IEEE, minimum, __VA_ARGS__)        \
    DO(soft_threshold_backward, 3, THIRD, FLOATS, QUIET, minimum, __VA_ARGS__)

/* DO(width in bits, kind, group, ...): what bodies are compiled for. The kind selects predicates
   and arithmetic, the group which operations take it. */
#define FASTRELU_KINDS(DO, ...)            \
    DO(8, signed, INTEGER, __VA_ARGS__)    \
    DO(16, signed, INTEGER, __VA_ARGS__)   \
    DO(32, signed, INTEGER, __VA_ARGS__)   \
    DO(64, signed, INTEGER, __VA_ARGS__)   \
    DO(8, unsigned, INTEGER, __VA_ARGS__)  \
    DO(16, unsigned, INTEGER, __VA_ARGS__) \
    DO(32, unsigned, INTEGER, __VA_ARGS__) \
    DO(64, unsigned, INTEGER, __VA_ARGS__) \
    DO(16, float, FLOAT, __VA_ARGS__)      \
    DO(32, float, FLOAT, __VA_ARGS__)      \
    DO(64, float, FLOAT, __VA_ARGS__)      \
    DO(8, small, ENCODED, __VA_ARGS__)

/* How a dtype encodes its numbers, where the width alone does not say.

   minus_infinity   of a float, as a signed integer

   Of a small type, whose values have a byte each:
   value_bits       those that count: some types leave the upper ones open
   first_negative, last_negative
                    the patterns below zero: all from the one to the other
   magnitude_bits   those of the magnitude, which are zero_magnitude where the value is zero
   order_bits       those that order the values that are not below zero, as an unsigned number
   largest          of these the greatest: what is above it is NaN

   float8_e4m3fn, for example: 0x80 is -0, 0x81 to 0xFE are below zero, 0x7F and 0xFF are NaN. So
   value_bits is 0xFF, first_negative 0x81, last_negative 0xFE, magnitude_bits and order_bits 0x7F,
   largest 0x7E. */
struct fastrelu_encoding {
    int64_t minus_infinity;
    uint8_t value_bits, first_negative, last_negative, magnitude_bits, zero_magnitude;
    uint8_t order_bits, largest;
};

#define INTEGER_TYPE ((struct fastrelu_encoding){0})
#define FLOAT_TYPE(minus_inf) ((struct fastrelu_encoding){.minus_infinity = (minus_inf)})
#define SMALL_TYPE(value_bits, first_negative, last_negative, magnitude_bits, zero_magnitude, \
                   order_bits, largest)                                                       \
    ((struct fastrelu_encoding){0, value_bits, first_negative, last_negative, magnitude_bits, \
                                zero_magnitude, order_bits, largest})
#define NEVER 0x80 /* a pattern that these bits do not have: the type has no such value */

#define MINUS_INF16 (-0x400)
#define MINUS_INF32 (-0x800000)
#define MINUS_INF64 (-0x10000000000000)

/* DO(dtype, width in bits, kind, group, encoding, ...): NumPy's types by kind and width, those of
   ml_dtypes by name */
#define FASTRELU_DTYPES(DO, ...)                                                                   \
    DO(i8, 8, signed, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                          \
    DO(i16, 16, signed, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                        \
    DO(i32, 32, signed, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                        \
    DO(i64, 64, signed, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                        \
    DO(u8, 8, unsigned, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                        \
    DO(u16, 16, unsigned, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                      \
    DO(u32, 32, unsigned, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                      \
    DO(u64, 64, unsigned, INTEGER, INTEGER_TYPE, __VA_ARGS__)                                      \
    DO(f16, 16, float, FLOAT, FLOAT_TYPE(MINUS_INF16), __VA_ARGS__)                                \
    DO(f32, 32, float, FLOAT, FLOAT_TYPE(MINUS_INF32), __VA_ARGS__)                                \
    DO(f64, 64, float, FLOAT, FLOAT_TYPE(MINUS_INF64), __VA_ARGS__)                                \
    DO(bfloat16, 16, float, ENCODED, FLOAT_TYPE(-0x80), __VA_ARGS__)                               \
    DO(float8_e3m4, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xF0, 0x7F, 0, 0x7F, 0x70),          \
       __VA_ARGS__)                                                                                \
    DO(float8_e4m3, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xF8, 0x7F, 0, 0x7F, 0x78),          \
       __VA_ARGS__)                                                                                \
    DO(float8_e4m3fn, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xFE, 0x7F, 0, 0x7F, 0x7E),        \
       __VA_ARGS__)                                                                                \
    DO(float8_e5m2, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xFC, 0x7F, 0, 0x7F, 0x7C),          \
       __VA_ARGS__)                                                                                \
    DO(float8_e4m3b11fnuz, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xFF, 0xFF, 0, 0xFF, 0x7F),   \
       __VA_ARGS__)                                                                                \
    DO(float8_e4m3fnuz, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xFF, 0xFF, 0, 0xFF, 0x7F),      \
       __VA_ARGS__)                                                                                \
    DO(float8_e5m2fnuz, 8, small, ENCODED, SMALL_TYPE(0xFF, 0x81, 0xFF, 0xFF, 0, 0xFF, 0x7F),      \
       __VA_ARGS__)                                                                                \
    DO(float8_e8m0fnu, 8, small, ENCODED, SMALL_TYPE(0, NEVER, NEVER, 0, NEVER, 0xFF, 0xFE),       \
       __VA_ARGS__)                                                                                \
    DO(float6_e2m3fn, 8, small, ENCODED, SMALL_TYPE(0x3F, 0x21, 0x3F, 0x1F, 0, 0x1F, 0x1F),        \
       __VA_ARGS__)                                                                                \
    DO(float6_e3m2fn, 8, small, ENCODED, SMALL_TYPE(0x3F, 0x21, 0x3F, 0x1F, 0, 0x1F, 0x1F),        \
       __VA_ARGS__)                                                                                \
    DO(float4_e2m1fn, 8, small, ENCODED, SMALL_TYPE(0x0F, 0x09, 0x0F, 0x07, 0, 0x07, 0x07),        \
       __VA_ARGS__)                                                                                \
    DO(int4, 8, small, ENCODED, SMALL_TYPE(0x0F, 0x08, 0x0F, 0x0F, 0, 0x0F, 0x07), __VA_ARGS__)    \
    DO(int2, 8, small, ENCODED, SMALL_TYPE(0x03, 0x02, 0x03, 0x03, 0, 0x03, 0x01), __VA_ARGS__)    \
    DO(int1, 8, small, ENCODED, SMALL_TYPE(0x01, 0x01, 0x01, 0x01, 0, 0x01, 0), __VA_ARGS__)       \
    DO(uint4, 8, small, ENCODED, SMALL_TYPE(0x0F, NEVER, NEVER, 0x0F, 0, 0x0F, 0x0F), __VA_ARGS__) \
    DO(uint2, 8, small, ENCODED, SMALL_TYPE(0x03, NEVER, NEVER, 0x03, 0, 0x03, 0x03), __VA_ARGS__) \
    DO(uint1, 8, small, ENCODED, SMALL_TYPE(0x01, NEVER, NEVER, 0x01, 0, 0x01, 0x01), __VA_ARGS__)

/* FASTRELU_IF(dtypes, group, text): the text, where an operation takes the dtypes of a group. */
#define FASTRELU_IF(dtypes, group, ...) FASTRELU_IF_##dtypes##_##group(__VA_ARGS__)
#define FASTRELU_IF_ALL_INTEGER(...) __VA_ARGS__
#define FASTRELU_IF_ALL_FLOAT(...) __VA_ARGS__
#define FASTRELU_IF_ALL_ENCODED(...) __VA_ARGS__
#define FASTRELU_IF_NUMBERS_INTEGER(...) __VA_ARGS__
#define FASTRELU_IF_NUMBERS_FLOAT(...) __VA_ARGS__
#define FASTRELU_IF_NUMBERS_ENCODED(...)
#define FASTRELU_IF_FLOATS_INTEGER(...)
#define FASTRELU_IF_FLOATS_FLOAT(...) __VA_ARGS__
#define FASTRELU_IF_FLOATS_ENCODED(...)

#define FASTRELU_INDEX(name, ...) FASTRELU_##name,
enum fastrelu_operation { FASTRELU_OPERATIONS(FASTRELU_INDEX, ) FASTRELU_N_OPERATIONS };
enum fastrelu_dtype { FASTRELU_DTYPES(FASTRELU_INDEX, ) FASTRELU_N_DTYPES };
#undef FASTRELU_INDEX

enum fastrelu_numbers {
    FASTRELU_NONE = 0,
    FASTRELU_FIRST = 1,
    FASTRELU_SECOND = 2,
    FASTRELU_EITHER = 3,
    FASTRELU_THIRD = 4
};
/* The dtypes of NumPy come first. */
enum { FASTRELU_N_NUMBERS = FASTRELU_f64 + 1 };
enum fastrelu_status { FASTRELU_QUIET, FASTRELU_IEEE };

enum { FASTRELU_MAX_OPERANDS = 4, FASTRELU_MAX_LANES = 64, FASTRELU_MAX_ITEMSIZE = 8 };

/* args: the inputs, then the output. No kernel touches a byte outside its n elements. Each input
   equals the output, is disjoint from it, or lies ahead of it in step direction. */
typedef void fastrelu_loop(char *const args[], const ptrdiff_t steps[], size_t n);

/* Copies rows to `to`, whose elements follow each other there; at `from`, that of the first row and
   column, those of a column do. What lies between rows is left alone; an element may be written
   more than once. */
typedef void fastrelu_transpose(char *to, ptrdiff_t to_step, const char *from,
                                ptrdiff_t column_step, size_t rows, size_t columns);

struct fastrelu_kernel {
    fastrelu_loop *contiguous; /* every step is the itemsize, or 0 for one input of numbers */
    fastrelu_loop *streaming;  /* the same by non-temporal stores, which the caller orders before
                                  later ones: as many elements as fill cache lines, from a multiple
                                  of 16 bytes on; or NULL */
    fastrelu_loop *strided;    /* any steps */
    fastrelu_transpose *transpose;
    size_t itemsize;
    int inputs, operation, dtype;
    enum fastrelu_numbers numbers;
    enum fastrelu_status status;
    unsigned prefetched_row; /* least bytes of rows that are prefetched beyond the caches */
};

/* args: the input, the output, and the mask: a bit for each element, from the lowest of the first
   byte on, in (n + 7) / 8 bytes, whose spare bits are written as 0 and not read. The input equals
   the output or is disjoint from it; the mask is disjoint from the output, and where written, from
   both. No steps are read. */
struct fastrelu_mask_kernel {
    fastrelu_loop *contiguous, *streaming; /* the output of the latter is at a multiple of 16 */
    size_t itemsize;
};

struct fastrelu_isa {
    const char *name;
    int (*runs_here)(void);
    struct fastrelu_kernel kernels[FASTRELU_N_OPERATIONS][FASTRELU_N_DTYPES]; /* or all 0 */
    struct fastrelu_mask_kernel relu_with_mask[2][FASTRELU_N_DTYPES];         /* by at_zero */
    struct fastrelu_mask_kernel relu_backward_from_mask[FASTRELU_N_DTYPES];
    struct fastrelu_reduction_kernel reductions[FASTRELU_N_NUMBERS];
};

/* Each ends with NULL; the sets are those that were compiled, best first. */
extern const struct fastrelu_isa *const fastrelu_compiled_isas[];
extern const char *const fastrelu_operation_names[];
extern const char *const fastrelu_operation_models[];
extern const char *const fastrelu_dtype_names[];

#endif
