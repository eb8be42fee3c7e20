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

/* NumPy's type numbers, and after these as many that others have registered as are looked up. */
enum { FASTRELU_TYPES = 256 + 64 };

/* The element of each type number, -1 where there are no kernels. Filled by _core.pyx. */
extern signed char fastrelu_elements[FASTRELU_TYPES];

static inline int fastrelu_element(int type_num)
{
    return type_num >= 0 && type_num < FASTRELU_TYPES ? fastrelu_elements[type_num] : -1;
}

#endif
