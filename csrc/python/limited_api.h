/* What Python's limited API has as functions alone: a build for Py_LIMITED_API pays a call for
   each, so the way of a small call takes few of them. */

#ifndef FASTRELU_LIMITED_API_H
#define FASTRELU_LIMITED_API_H

#include <Python.h>

#if defined(Py_LIMITED_API)
#define PyTuple_GET_SIZE PyTuple_Size
#define PyTuple_GET_ITEM PyTuple_GetItem
#define PyFloat_AS_DOUBLE PyFloat_AsDouble
#endif

#endif
