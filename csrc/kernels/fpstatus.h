/* The floating-point flags of this thread. */

#ifndef FASTRELU_FPSTATUS_H
#define FASTRELU_FPSTATUS_H

#include <fenv.h>
#include <stdint.h>

/* Those that NumPy reports. Nearly every addition raises the fifth, for an inexact result. */
#if defined(_WIN32) && defined(__x86_64__)

/* NumPy reads those of SSE, and of these alone. mingw's feraiseexcept raises those of the x87. */
enum {
    FASTRELU_INVALID = 1 << 0,
    FASTRELU_DIVBYZERO = 1 << 2,
    FASTRELU_OVERFLOW = 1 << 3,
    FASTRELU_UNDERFLOW = 1 << 4,
    FASTRELU_FPSTATUS = FASTRELU_INVALID | FASTRELU_DIVBYZERO | FASTRELU_OVERFLOW |
        FASTRELU_UNDERFLOW
};

static inline int fastrelu_get_fpstatus(void)
{
    return (int)__builtin_ia32_stmxcsr() & FASTRELU_FPSTATUS;
}

static inline void fastrelu_clear_fpstatus(void)
{
    if (fastrelu_get_fpstatus())
        __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() & ~(unsigned)FASTRELU_FPSTATUS);
}

static inline void fastrelu_raise_fpstatus(int flags)
{
    if (flags)
        __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | (unsigned)flags);
}

#else

enum {
    FASTRELU_INVALID = FE_INVALID,
    FASTRELU_DIVBYZERO = FE_DIVBYZERO,
    FASTRELU_OVERFLOW = FE_OVERFLOW,
    FASTRELU_UNDERFLOW = FE_UNDERFLOW,
    FASTRELU_FPSTATUS = FASTRELU_INVALID | FASTRELU_DIVBYZERO | FASTRELU_OVERFLOW |
        FASTRELU_UNDERFLOW
};

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

/* How this thread rounds, and whether it takes subnormal numbers for 0. */
#if defined(__x86_64__)

enum { FASTRELU_MXCSR_FLAGS = 0x3F, FASTRELU_MXCSR_DEFAULT = 0x1F80 };

/* Between them flags that are raised are forgotten, and subnormal numbers count. The pair takes
   some 30 cycles. */
static inline unsigned fastrelu_enter_default_fpenv(void)
{
    const unsigned environment = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(FASTRELU_MXCSR_DEFAULT);
    __asm__ volatile("" : : : "memory");
    return environment;
}

static inline void fastrelu_leave_default_fpenv(unsigned environment)
{
    __asm__ volatile("" : : : "memory");
    __builtin_ia32_ldmxcsr(environment);
}

static inline unsigned fastrelu_get_fpcontrol(void)
{
    return __builtin_ia32_stmxcsr() & ~(unsigned)FASTRELU_MXCSR_FLAGS;
}

static inline void fastrelu_set_fpcontrol(unsigned control)
{
    if (fastrelu_get_fpcontrol() != control)
        __builtin_ia32_ldmxcsr(control);
}

#elif defined(__aarch64__)

static inline unsigned fastrelu_get_fpcontrol(void)
{
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return (unsigned)control;
}

static inline void fastrelu_set_fpcontrol(unsigned control)
{
    if (fastrelu_get_fpcontrol() != control)
        __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)control));
}

#else

static inline unsigned fastrelu_get_fpcontrol(void) { return (unsigned)fegetround(); }
static inline void fastrelu_set_fpcontrol(unsigned control) { fesetround((int)control); }

#endif

#endif
