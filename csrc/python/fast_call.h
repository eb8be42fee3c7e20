/* The short way into a ufunc. */

#ifndef FASTRELU_FAST_CALL_H
#define FASTRELU_FAST_CALL_H

#include <Python.h>

#include "kernels/kernels.h"

/* Whether a ufunc can be given another way in, which this NumPy lets us know of. */
int fastrelu_has_vectorcall(PyObject *ufunc);

/* Gives a ufunc, whose first loop is that of the first element, the short way in. Returns whether
   this NumPy lets it; -1 with an error set. */
int fastrelu_install_vectorcall(PyObject *ufunc);

/* The output among the arguments: NULL when there is none. False when this is no call of ours. */
int fastrelu_find_output(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int inputs,
                         PyObject **out);

/* Whether it is an exact array of that type, in native byte order and without metadata. */
int fastrelu_is_plain(PyObject *operand, int type_num);

/* Calls the kernel, among those of an operation, for the type of the arrays. NULL without an error
   where NumPy's way is to be gone. */
PyObject *fastrelu_call_kernel(const struct fastrelu_kernel *kernels, PyObject *const *args,
                               int inputs, PyObject *out);

#endif
