/* The kernel table: what every instruction set offers, and the lists that it is made from. */

#ifndef FASTRELU_KERNELS_H
#define FASTRELU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* DO(operation, inputs): out = predicate(last input) ? first input : 0, with the predicates of
 * predicates.inc */
#define FASTRELU_OPERATIONS(DO) \
    DO(relu, 1)                 \
    DO(relu_backward, 2)

/* DO(width in bits, kind of predicate, ...): what kernels are compiled for */
#define FASTRELU_KINDS(DO, ...)   \
    DO(8, signed, __VA_ARGS__)    \
    DO(16, signed, __VA_ARGS__)   \
    DO(32, signed, __VA_ARGS__)   \
    DO(64, signed, __VA_ARGS__)   \
    DO(8, unsigned, __VA_ARGS__)  \
    DO(16, unsigned, __VA_ARGS__) \
    DO(32, unsigned, __VA_ARGS__) \
    DO(64, unsigned, __VA_ARGS__) \
    DO(16, float, __VA_ARGS__)    \
    DO(32, float, __VA_ARGS__)    \
    DO(64, float, __VA_ARGS__)    \
    DO(8, small, __VA_ARGS__)

/* DO(element, width in bits, kind of predicate, its encoding as predicates.inc has them, ...):
   NumPy's types by kind and width, those of ml_dtypes by name */
#define FASTRELU_DTYPES(DO, ...)                                                         \
    DO(i8, 8, signed, 0, __VA_ARGS__)                                                    \
    DO(i16, 16, signed, 0, __VA_ARGS__)                                                  \
    DO(i32, 32, signed, 0, __VA_ARGS__)                                                  \
    DO(i64, 64, signed, 0, __VA_ARGS__)                                                  \
    DO(u8, 8, unsigned, 0, __VA_ARGS__)                                                  \
    DO(u16, 16, unsigned, 0, __VA_ARGS__)                                                \
    DO(u32, 32, unsigned, 0, __VA_ARGS__)                                                \
    DO(u64, 64, unsigned, 0, __VA_ARGS__)                                                \
    DO(f16, 16, float, MINUS_INF16, __VA_ARGS__)                                         \
    DO(f32, 32, float, MINUS_INF32, __VA_ARGS__)                                         \
    DO(f64, 64, float, MINUS_INF64, __VA_ARGS__)                                         \
    DO(bfloat16, 16, float, -0x80, __VA_ARGS__)                                          \
    DO(float8_e3m4, 8, small, SMALL_TYPE(0xFF, 0x81, 0xF0, 0x7F, 0), __VA_ARGS__)        \
    DO(float8_e4m3, 8, small, SMALL_TYPE(0xFF, 0x81, 0xF8, 0x7F, 0), __VA_ARGS__)        \
    DO(float8_e4m3fn, 8, small, SMALL_TYPE(0xFF, 0x81, 0xFE, 0x7F, 0), __VA_ARGS__)      \
    DO(float8_e5m2, 8, small, SMALL_TYPE(0xFF, 0x81, 0xFC, 0x7F, 0), __VA_ARGS__)        \
    DO(float8_e4m3b11fnuz, 8, small, SMALL_TYPE(0xFF, 0x81, 0xFF, 0xFF, 0), __VA_ARGS__) \
    DO(float8_e4m3fnuz, 8, small, SMALL_TYPE(0xFF, 0x81, 0xFF, 0xFF, 0), __VA_ARGS__)    \
    DO(float8_e5m2fnuz, 8, small, SMALL_TYPE(0xFF, 0x81, 0xFF, 0xFF, 0), __VA_ARGS__)    \
    DO(float8_e8m0fnu, 8, small, SMALL_TYPE(0, NEVER, NEVER, 0, NEVER), __VA_ARGS__)     \
    DO(float6_e2m3fn, 8, small, SMALL_TYPE(0x3F, 0x21, 0x3F, 0x1F, 0), __VA_ARGS__)      \
    DO(float6_e3m2fn, 8, small, SMALL_TYPE(0x3F, 0x21, 0x3F, 0x1F, 0), __VA_ARGS__)      \
    DO(float4_e2m1fn, 8, small, SMALL_TYPE(0x0F, 0x09, 0x0F, 0x07, 0), __VA_ARGS__)      \
    DO(int4, 8, small, SMALL_TYPE(0x0F, 0x08, 0x0F, 0x0F, 0), __VA_ARGS__)               \
    DO(int2, 8, small, SMALL_TYPE(0x03, 0x02, 0x03, 0x03, 0), __VA_ARGS__)               \
    DO(int1, 8, small, SMALL_TYPE(0x01, 0x01, 0x01, 0x01, 0), __VA_ARGS__)               \
    DO(uint4, 8, small, SMALL_TYPE(0x0F, NEVER, NEVER, 0x0F, 0), __VA_ARGS__)            \
    DO(uint2, 8, small, SMALL_TYPE(0x03, NEVER, NEVER, 0x03, 0), __VA_ARGS__)            \
    DO(uint1, 8, small, SMALL_TYPE(0x01, NEVER, NEVER, 0x01, 0), __VA_ARGS__)

#define FASTRELU_INDEX(name, ...) FASTRELU_##name,
enum fastrelu_operation { FASTRELU_OPERATIONS(FASTRELU_INDEX) FASTRELU_N_OPERATIONS };
enum fastrelu_dtype { FASTRELU_DTYPES(FASTRELU_INDEX, ) FASTRELU_N_DTYPES };
#undef FASTRELU_INDEX

enum { FASTRELU_MAX_OPERANDS = 3 };

/* args: the inputs, then the output. No kernel touches a byte outside its n elements. Each input is
   exactly the output, or apart from it, or ahead of it the way that the steps go. */
struct fastrelu_kernel {
    void (*contiguous)(char *const args[], size_t n);
    void (*streaming)(char *const args[], size_t n); /* the output at a multiple of 16 bytes */
    void (*strided)(char *const args[], const ptrdiff_t steps[], size_t n);
    size_t itemsize;
    int inputs;
    int clears_fpstatus; /* before it runs, as NumPy's own loops for floats do */
};

/* args: the input, the output, and the mask: a bit for each element, from the lowest of the first
   byte on, in (n + 7) / 8 bytes, whose spare bits are written as 0 and not read. The input is
   exactly the output or apart from it; the mask is apart from the output, and where written, from
   both. */
struct fastrelu_mask_kernel {
    void (*contiguous)(char *const args[], size_t n);
    void (*streaming)(char *const args[], size_t n); /* the output at a multiple of 16 bytes */
    size_t itemsize;
};

struct fastrelu_isa {
    const char *name;
    int (*runs_here)(void);
    struct fastrelu_kernel kernels[FASTRELU_N_OPERATIONS][FASTRELU_N_DTYPES];
    struct fastrelu_mask_kernel relu_with_mask[2][FASTRELU_N_DTYPES]; /* by at_zero */
    struct fastrelu_mask_kernel relu_backward_from_mask[FASTRELU_N_DTYPES];
};

/* Each ends with NULL; the sets are those that were built, best first. */
extern const struct fastrelu_isa *const fastrelu_compiled_isas[];
extern const char *const fastrelu_operation_names[];
extern const char *const fastrelu_dtype_names[];

#endif
