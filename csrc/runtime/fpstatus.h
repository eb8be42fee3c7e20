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

/* How this thread rounds, and whether it takes subnormal numbers for 0. */
#if defined(__x86_64__) && defined(__GNUC__)

enum { FASTRELU_MXCSR_FLAGS = 0x3F };

static inline unsigned fastrelu_get_fpcontrol(void)
{
    return __builtin_ia32_stmxcsr() & ~(unsigned)FASTRELU_MXCSR_FLAGS;
}

static inline void fastrelu_set_fpcontrol(unsigned control)
{
    if (fastrelu_get_fpcontrol() != control)
        __builtin_ia32_ldmxcsr(control);
}

#elif defined(__aarch64__) && defined(__GNUC__)

static inline unsigned fastrelu_get_fpcontrol(void)
{
    unsigned long control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return (unsigned)control;
}

static inline void fastrelu_set_fpcontrol(unsigned control)
{
    if (fastrelu_get_fpcontrol() != control)
        __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)control));
}

#else

static inline unsigned fastrelu_get_fpcontrol(void) { return (unsigned)fegetround(); }
static inline void fastrelu_set_fpcontrol(unsigned control) { fesetround((int)control); }

#endif

#endif
