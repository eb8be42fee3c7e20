/* relu_sum, relu_mean, activity and dead_units of exact arrays with kernels. */

#ifndef FASTRELU_PYTHON_REDUCTIONS_H
#define FASTRELU_PYTHON_REDUCTIONS_H

#include <Python.h>

#include "kernels/kernels.h"
#include "runtime/reduce.h"

/* The arguments as they were given. A new reference, NotImplemented where NumPy has to do it or to
   raise, or NULL with an exception. */
PyObject *fastrelu_relu_reduction(const struct fastrelu_isa *isa,
                                  enum fastrelu_reduction_operation operation, PyObject *x,
                                  PyObject *axis, PyObject *threshold, PyObject *dtype,
                                  PyObject *out, PyObject *keepdims);

#endif
