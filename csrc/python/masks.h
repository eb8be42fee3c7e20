/* relu_with_mask and relu_backward_from_mask. */

#ifndef FASTRELU_PYTHON_MASKS_H
#define FASTRELU_PYTHON_MASKS_H

#include <Python.h>

#include "kernels/kernels.h"

/* Takes fastrelu.reference: it converts and checks the operands that are not taken as they are.
   Returns -1 with an exception, else 0. */
int fastrelu_init_masks(PyObject *reference);

/* out and mask may be None, and at_zero NULL. A new reference, or NULL with an exception. */
PyObject *fastrelu_relu_with_mask(const struct fastrelu_isa *isa, PyObject *x, PyObject *out,
                                  PyObject *mask, PyObject *at_zero);
PyObject *fastrelu_relu_backward_from_mask(const struct fastrelu_isa *isa, PyObject *grad,
                                           PyObject *mask, PyObject *out);

#endif
