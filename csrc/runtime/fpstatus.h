/* The floating-point flags of this thread. */

#ifndef FASTRELU_FPSTATUS_H
#define FASTRELU_FPSTATUS_H

#include <fenv.h>

/* Those that NumPy reports. Nearly every addition raises the fifth, FE_INEXACT. */
enum { FASTRELU_FPSTATUS = FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID };

static inline int fastrelu_get_fpstatus(void) { return fetestexcept(FASTRELU_FPSTATUS); }

/* To clear them takes longer than to look. */
static inline void fastrelu_clear_fpstatus(void)
{
    if (fastrelu_get_fpstatus())
        feclearexcept(FASTRELU_FPSTATUS);
}

static inline void fastrelu_raise_fpstatus(int flags)
{
    if (flags)
        feraiseexcept(flags);
}

#endif
