/* Kernels of floats against the reference, over ranges of all bit patterns. */

#ifndef FASTRELU_FLOATS_H
#define FASTRELU_FLOATS_H

#include "check/reference.h"

enum { FASTRELU_CHUNK = 1 << 16 };

/* The functions after the operations. The second operand of relu_with_mask is at_zero; that of
   relu_backward_from_mask the 32 bits of which the mask consists, over and over. */
enum { FASTRELU_WITH_MASK = FASTRELU_N_OPERATIONS, FASTRELU_FROM_MASK };

/* The loop of a kernel. The strided one is called with the steps of the contiguous one. */
enum fastrelu_checked_loop { FASTRELU_CONTIGUOUS, FASTRELU_STREAMING, FASTRELU_STRIDED };

/* A function of patterns. Those of a chunk have the number of the chunk in common. */
struct fastrelu_sweep {
    int32_t function, dtype, loop;
    int32_t lower, upper; /* the operands that take the lower 16 bits, and the number of the chunk:
                             of float32 the same; -1 if none takes it */
    uint32_t operands[FASTRELU_MAX_OPERANDS - 1]; /* the bits of the others */
};

enum fastrelu_difference {
    FASTRELU_SAME,
    FASTRELU_OTHER_VALUE,
    FASTRELU_OTHER_MASK,
    FASTRELU_OTHER_FLAGS
};
struct fastrelu_mismatch {
    int32_t isa;        /* given: the number of the set */
    int32_t difference; /* the rest is found */
    uint32_t operands[FASTRELU_MAX_OPERANDS - 1];
    uint32_t n; /* elements from these operands on: one, or of flags a block */
    uint32_t expected, got;
};

/* The floating-point flags of a mismatch. */
enum {
    FASTRELU_SAW_INVALID = 1,
    FASTRELU_SAW_DIVBYZERO = 2,
    FASTRELU_SAW_OVERFLOW = 4,
    FASTRELU_SAW_UNDERFLOW = 8
};

enum fastrelu_checked {
    FASTRELU_CHECKED,
    FASTRELU_NO_KERNEL,
    FASTRELU_NO_REFERENCE,
    FASTRELU_NO_MEMORY
};

/* Checks n chunks, every step-th from the first on. Stores the first mismatch of each set. */
enum fastrelu_checked fastrelu_check_floats(const struct fastrelu_isa *const isas[],
                                            const struct fastrelu_sweep *sweep, uint32_t first,
                                            uint32_t step, uint32_t n,
                                            struct fastrelu_mismatch mismatches[],
                                            int n_mismatches);

#endif
