/* The floating-point flags of this thread. */

#ifndef FASTRELU_FPSTATUS_H
#define FASTRELU_FPSTATUS_H

#include <fenv.h>

static inline int fastrelu_get_fpstatus(void) { return fetestexcept(FE_ALL_EXCEPT); }

/* To clear them takes longer than to look. */
static inline void fastrelu_clear_fpstatus(void)
{
    if (fastrelu_get_fpstatus())
        feclearexcept(FE_ALL_EXCEPT);
}

static inline void fastrelu_raise_fpstatus(int flags)
{
    if (flags)
        feraiseexcept(flags);
}

#endif
