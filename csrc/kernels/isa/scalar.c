/* Plain C: one lane at a time. The yardstick, and what runs on every other machine. */

#include "kernels/kernels.h"
#include "kernels/scalar.h"

static int runs_here(void) { return 1; }

SCALAR_REGISTER(vec)
SCALAR_REGISTER(gather)

#include "kernels/kernels.inc"

KERNEL_TABLE(scalar);
