/* Which loop a ufunc takes for its operands. */

#ifndef FASTRELU_RESOLVE_H
#define FASTRELU_RESOLVE_H

#include <Python.h>

/* Gives relu its rule: a timedelta keeps its unit, a bool gives the default integer. */
void fastrelu_resolve_dtypes(PyObject *ufunc);

#endif
