/* Which loop a ufunc takes for its operands. */

#ifndef FASTRELU_RESOLVE_H
#define FASTRELU_RESOLVE_H

#include <Python.h>

/* Gives a ufunc with a timedelta loop the rule that its output has the unit of its input. */
void fastrelu_resolve_units(PyObject *ufunc);

#endif
