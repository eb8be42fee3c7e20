/* The floating-point flags, of which our loops raise none. */

#ifndef FASTRELU_FPSTATUS_H
#define FASTRELU_FPSTATUS_H

#include <fenv.h>

/* NumPy's casts into its buffers may have raised some, even for elements that where= leaves out. */
static inline void fastrelu_clear_fpstatus(void)
{
    if (fetestexcept(FE_ALL_EXCEPT))
        feclearexcept(FE_ALL_EXCEPT);
}

#endif
