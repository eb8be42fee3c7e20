/* What the fast call, the functions of masks and the patch ask of Python objects. */

#ifndef FASTRELU_OPERANDS_H
#define FASTRELU_OPERANDS_H

#include <Python.h>

#include <numpy/arrayobject.h>

#include <string.h>

/* Up to so many elements the GIL is kept, as NumPy does. */
enum { FASTRELU_GIL_THRESHOLD = 500 };

/* Whether it is an exact array, and not of no dimensions. */
static inline int fastrelu_has_axes(PyObject *operand)
{
    return PyArray_CheckExact(operand) && PyArray_NDIM((PyArrayObject *)operand) > 0;
}

/* Whether it is an exact array of this type, in native byte order and without metadata. */
static inline int fastrelu_is_plain_array(PyObject *operand, int type_num)
{
    if (!PyArray_CheckExact(operand))
        return 0;
    PyArray_Descr *dtype = PyArray_DESCR((PyArrayObject *)operand);
    return dtype->type_num == type_num && PyArray_ISNBO(dtype->byteorder) &&
           PyDataType_METADATA(dtype) == NULL;
}

static inline int fastrelu_same_shape(PyObject *array, PyObject *other)
{
    PyArrayObject *a = (PyArrayObject *)array, *b = (PyArrayObject *)other;
    const int ndim = PyArray_NDIM(a);
    if (a == b)
        return 1;
    if (ndim != PyArray_NDIM(b))
        return 0;
    for (int axis = 0; axis < ndim; axis++)
        if (PyArray_DIM(a, axis) != PyArray_DIM(b, axis))
            return 0;
    return 1;
}

/* Stores a Python number, a NumPy scalar or an array of no dimensions as one element of the dtype.
   0, without an exception, where NumPy would convert it to another dtype, refuse it or warn. */
int fastrelu_read_number(PyObject *operand, PyObject *dtype, char *value);

/* 0 with an exception, where NumPy refuses or warns about writing into an array. */
int fastrelu_may_write(PyObject *array, const char *name);

#endif
