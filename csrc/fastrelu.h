/* The kernel table: what every instruction set offers, and the lists that it is made from. */

#ifndef FASTRELU_H
#define FASTRELU_H

#include <stddef.h>
#include <stdint.h>

/* DO(operation, inputs): out = gate(last input) ? first input : 0, with the gates of gates.inc */
#define FASTRELU_OPERATIONS(DO) \
    DO(relu, 1)                 \
    DO(relu_backward, 2)

/* DO(element, width in bits, kind of gate, ...) */
#define FASTRELU_ELEMENTS(DO, ...)     \
    DO(i8, 8, signed, __VA_ARGS__)     \
    DO(i16, 16, signed, __VA_ARGS__)   \
    DO(i32, 32, signed, __VA_ARGS__)   \
    DO(i64, 64, signed, __VA_ARGS__)   \
    DO(u8, 8, unsigned, __VA_ARGS__)   \
    DO(u16, 16, unsigned, __VA_ARGS__) \
    DO(u32, 32, unsigned, __VA_ARGS__) \
    DO(u64, 64, unsigned, __VA_ARGS__) \
    DO(f16, 16, float, __VA_ARGS__)    \
    DO(f32, 32, float, __VA_ARGS__)    \
    DO(f64, 64, float, __VA_ARGS__)

#define FASTRELU_INDEX(name, ...) FASTRELU_##name,
enum fastrelu_operation { FASTRELU_OPERATIONS(FASTRELU_INDEX) FASTRELU_N_OPERATIONS };
enum fastrelu_element { FASTRELU_ELEMENTS(FASTRELU_INDEX, ) FASTRELU_N_ELEMENTS };
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
    int clears_flags; /* before it runs, as NumPy's own loops for floats do */
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
    struct fastrelu_kernel kernels[FASTRELU_N_OPERATIONS][FASTRELU_N_ELEMENTS];
    struct fastrelu_mask_kernel relu_with_mask[2][FASTRELU_N_ELEMENTS]; /* by at_zero */
    struct fastrelu_mask_kernel relu_backward_from_mask[FASTRELU_N_ELEMENTS];
};

/* Each ends with NULL; the sets are those that were built, best first. */
extern const struct fastrelu_isa *const fastrelu_built[];
extern const char *const fastrelu_operation_names[];
extern const char *const fastrelu_element_names[];

#endif
