/* Which loop a ufunc takes for its operands. */

#ifndef FASTRELU_RESOLVE_H
#define FASTRELU_RESOLVE_H

#include <Python.h>

/* Registers the loops of a dtype of ml_dtypes with all our ufuncs that have kernels for it, unless
   that is done. Any dtype may come in. Returns 1 for a dtype of ml_dtypes, 0 for another, -1 with
   an exception. */
int fastrelu_ensure_loops(PyObject *dtype);

/* Callback: registers the loops of a user-defined dtype that has none yet. Returns the same. */
extern int (*fastrelu_register_user_dtype)(PyObject *dtype);

/* Gives a ufunc our rule of dtypes. model is the NumPy function whose rule it follows for datetimes
   and bool, or None. */
void fastrelu_resolve_dtypes(PyObject *ufunc, PyObject *model);

#endif
