/* The loops of the types without kernels, in the form of NumPy's inner loops. */

#ifndef FASTRELU_PLAIN_H
#define FASTRELU_PLAIN_H

#include <float.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* NumPy's longdouble. On Windows that is MSVC's, whichever compiler this is. */
#if defined(_WIN32)
typedef double fastrelu_longdouble;
#define FASTRELU_LONGDOUBLE_MANT_DIG DBL_MANT_DIG
#else
typedef long double fastrelu_longdouble;
#define FASTRELU_LONGDOUBLE_MANT_DIG LDBL_MANT_DIG
#endif

typedef void fastrelu_plain_loop(char **args, const intptr_t *dimensions, const intptr_t *steps);

struct fastrelu_plain {
    const char *operation, *types; /* of the operands, by NumPy's characters */
    fastrelu_plain_loop *loop;
    enum fastrelu_status status;
};

extern const struct fastrelu_plain fastrelu_plain_loops[]; /* ends with an entry of NULLs */

#endif
