/* NumPy's inner loops: one for every kernel, and the plain ones for the types without kernels. */

#ifndef FASTRELU_LOOPS_H
#define FASTRELU_LOOPS_H

#include <stdint.h>

#include "fastrelu.h"

/* All are PyUFuncGenericFunctions. data is the struct fastrelu_kernel; the plain loops take none.
 */
#define FASTRELU_LOOP(name) \
    void name(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);

FASTRELU_LOOP(fastrelu_kernel_loop)
FASTRELU_LOOP(fastrelu_relu_longdouble)
FASTRELU_LOOP(fastrelu_relu_cfloat)
FASTRELU_LOOP(fastrelu_relu_cdouble)
FASTRELU_LOOP(fastrelu_relu_clongdouble)
FASTRELU_LOOP(fastrelu_relu_timedelta)
FASTRELU_LOOP(fastrelu_relu_object)
FASTRELU_LOOP(fastrelu_relu_backward_longdouble)
#undef FASTRELU_LOOP

#endif
