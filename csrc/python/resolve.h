/* Which loop a ufunc takes for its operands. */

#ifndef FASTRELU_RESOLVE_H
#define FASTRELU_RESOLVE_H

#include <Python.h>

/* Gives all our ufuncs loops for a type of ml_dtypes, unless they have them. Any dtype may come in.
   Returns -1 with an exception, else 0. */
int fastrelu_ensure_loops(PyObject *dtype);

/* What does so, for a type that others have registered with NumPy and that has no kernels yet. */
extern int (*fastrelu_register_user_dtype)(PyObject *dtype);

/* Gives a ufunc its rule: types are met, and for relu, a timedelta keeps its unit and a bool gives
   the default integer. */
void fastrelu_resolve_dtypes(PyObject *ufunc);

#endif
