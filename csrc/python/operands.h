/* What the fast call, the functions of masks and the patch ask of Python objects. */

#ifndef FASTRELU_OPERANDS_H
#define FASTRELU_OPERANDS_H

#include <Python.h>

#include <stddef.h>

/* Up to so many elements the GIL is kept, as NumPy does. */
enum { FASTRELU_GIL_THRESHOLD = 500 };

/* Whether it is an exact array of this type, in native byte order and without metadata. */
int fastrelu_is_plain_array(PyObject *operand, int type_num);

/* Whether two arrays have the same shape. */
int fastrelu_same_shape(PyObject *array, PyObject *other);

/* Stores a Python number, a NumPy scalar or an array of no dimensions as one element of the dtype.
   0, without an exception, where NumPy would convert it to another dtype, refuse it or warn. */
int fastrelu_read_number(PyObject *operand, PyObject *dtype, char *value);

/* 0 with an exception, where NumPy refuses or warns about writing into an array. */
int fastrelu_may_write(PyObject *array, const char *name);

#endif
