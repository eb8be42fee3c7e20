/* What Python's limited API has as functions alone: a build for Py_LIMITED_API pays a call for
   each, so the way of a small call takes few of them. The size of an object, and what its caller
   adds to a number of arguments, belong to the stable ABI. */

#ifndef FASTRELU_LIMITED_API_H
#define FASTRELU_LIMITED_API_H

#include <Python.h>

#if defined(Py_LIMITED_API)
#define PyVectorcall_NARGS(given) ((Py_ssize_t)((given) & ~PY_VECTORCALL_ARGUMENTS_OFFSET))
#define PyTuple_GET_SIZE Py_SIZE
#define PyTuple_GET_ITEM PyTuple_GetItem
#define PyFloat_AS_DOUBLE PyFloat_AsDouble
#endif

#endif
