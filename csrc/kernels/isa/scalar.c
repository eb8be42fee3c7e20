/* Plain C: one lane at a time. The yardstick, and what runs on every other machine. */

#include "kernels/kernels.h"
#include "kernels/scalar.h"

static int runs_here(void) { return 1; }

SCALAR_REGISTER(vec)
SCALAR_REGISTER(gather)

WIDEN_BY_LANES(vec, doubles_float, 16, int16_t, double, (double)half_to_float)
WIDEN_BY_LANES(vec, doubles_float, 32, float, double, (double))
INTEGERS_BY_LANES(gather)
COUNT_IF_BY_LANES(vec)

#include "kernels/kernels.inc"

KERNEL_TABLE(scalar);
