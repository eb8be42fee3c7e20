/* The loops of the types without kernels, in the form of NumPy's inner loops. */

#ifndef FASTRELU_PLAIN_H
#define FASTRELU_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#define FASTRELU_LOOP(name) \
    void name(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);

FASTRELU_LOOP(fastrelu_relu_longdouble)
FASTRELU_LOOP(fastrelu_relu_cfloat)
FASTRELU_LOOP(fastrelu_relu_cdouble)
FASTRELU_LOOP(fastrelu_relu_clongdouble)
FASTRELU_LOOP(fastrelu_relu_timedelta)
FASTRELU_LOOP(fastrelu_relu_backward_longdouble)
#undef FASTRELU_LOOP

#endif
