/* The short way into a ufunc. */

#ifndef FASTRELU_CALL_H
#define FASTRELU_CALL_H

#include <Python.h>

/* Gives a ufunc of fastrelu_kernel_loop the short way in. Returns whether this NumPy lets it. */
int fastrelu_shorten_call(PyObject *ufunc);

#endif
