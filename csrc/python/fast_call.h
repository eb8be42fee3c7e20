/* The fast path into a ufunc. */

#ifndef FASTRELU_FAST_CALL_H
#define FASTRELU_FAST_CALL_H

#include <Python.h>

#include "kernels/kernels.h"

/* Whether the interpreter calls a ufunc by the pointer at an offset. All ufuncs of NumPy share it:
   where other and another have the same one there, it is replaced for the time of a call that no
   ufunc takes. Such a call arrives, or the offset is a wrong one. All is left as it was. */
int fastrelu_is_vectorcall_at(size_t offset, PyObject *ufunc, PyObject *other, PyObject *another);

/* Whether a ufunc may be given another vectorcall. */
int fastrelu_has_vectorcall(PyObject *ufunc);

/* Puts the fast call before the vectorcall of a new ufunc, which it has in common with two others.
   Returns 1 if installed, 0 if this NumPy does not support it, -1 with an exception. */
int fastrelu_install_vectorcall(PyObject *ufunc, PyObject *other, PyObject *another);

/* The kernels of a ufunc, by dtype. Each loop that has one points to its own. */
const struct fastrelu_kernel *fastrelu_kernels_of(PyObject *ufunc);

/* Finds the output among the arguments: NULL if there is none. A dtype= is taken if it is that of
   the array. 0 if the fast path does not take such arguments. */
int fastrelu_find_output(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int inputs,
                         PyObject *array, PyObject **out);

/* Runs the kernel for the dtype of the arrays, from those of an operation. NULL without an
   exception: fall back to NumPy. */
PyObject *fastrelu_call_kernel(const struct fastrelu_kernel *kernels, PyObject *const *args,
                               int inputs, PyObject *out);

#endif
