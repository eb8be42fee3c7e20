/* What the reductions take as it is: the arguments, as one struct fastrelu_reduction. */

#include "python/reductions.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <math.h>

#include "kernels/fpstatus.h"
#include "python/limited_api.h"
#include "python/operands.h"
#include "python/types.h"

static const char *const names[] = {"relu_sum", "relu_mean", "activity", "dead_units"};

/* Marks an axis as reduced; false if it is no axis, or marked already. */
static int mark_axis(PyObject *given, int ndim, char reduced[])
{
    if (!PyLong_CheckExact(given) &&
        (!PyIndex_Check(given) || PyBool_Check(given) || PyArray_Check(given)))
        return 0;
    const Py_ssize_t axis = PyNumber_AsSsize_t(given, PyExc_OverflowError);
    if (axis == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    if (axis < -ndim || axis >= ndim || reduced[axis < 0 ? axis + ndim : axis])
        return 0;
    reduced[axis < 0 ? axis + ndim : axis] = 1;
    return 1;
}

static int mark_axes(PyObject *axis, int ndim, char reduced[])
{
    memset(reduced, axis == Py_None, (size_t)ndim);
    if (axis == Py_None)
        return 1;
    if (!PyTuple_CheckExact(axis))
        return mark_axis(axis, ndim, reduced);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(axis); i++)
        if (!mark_axis(PyTuple_GET_ITEM(axis, i), ndim, reduced))
            return 0;
    return 1;
}

/* The type of a sum of integers in NumPy: the default integer at least. */
static int default_sum(const PyArray_Descr *dtype)
{
    if (PyDataType_ELSIZE(dtype) >= (npy_intp)sizeof(npy_intp))
        return dtype->type_num;
    return PyTypeNum_ISUNSIGNED(dtype->type_num) ? NPY_UINTP : NPY_INTP;
}

/* NumPy's type number of the result, -1 if NumPy has to choose or to convert. */
static int choose_type(enum fastrelu_reduction_operation operation, const PyArray_Descr *of_x,
                       PyObject *dtype, PyObject *out)
{
    const int is_integer = PyTypeNum_ISINTEGER(of_x->type_num);
    int type =
        is_integer ? operation == FASTRELU_MEAN ? NPY_DOUBLE : default_sum(of_x) : of_x->type_num;
    int of_dtype = -1;

    if (operation == FASTRELU_ACTIVITY)
        return NPY_DOUBLE;
    if (operation == FASTRELU_DEAD)
        return NPY_BOOL;
    if (dtype != Py_None) {
        PyArray_Descr *descr = NULL;
        if (!PyArray_DescrConverter2(dtype, &descr)) {
            PyErr_Clear();
            return -1;
        }
        of_dtype = PyArray_ISNBO(descr->byteorder) && PyDataType_METADATA(descr) == NULL
                       ? descr->type_num
                       : -1;
        Py_DECREF(descr);
        if (of_dtype < 0)
            return -1;
    }
    if (out != Py_None) {
        const int of_out = PyArray_TYPE((PyArrayObject *)out);
        if (of_dtype >= 0 && of_dtype != of_out)
            return -1;
        of_dtype = of_out;
    }
    if (of_dtype < 0 || of_dtype == type)
        return type;
    return of_dtype == NPY_DOUBLE || (of_dtype == NPY_FLOAT && !is_integer) ? of_dtype : -1;
}

static enum fastrelu_result_type result_type(int type_num)
{
    switch (type_num) {
    case NPY_DOUBLE:
        return FASTRELU_DOUBLE_RESULT;
    case NPY_FLOAT:
        return FASTRELU_FLOAT_RESULT;
    case NPY_HALF:
        return FASTRELU_HALF_RESULT;
    default:
        return FASTRELU_INTEGER_RESULT;
    }
}

static int is_finite(const char *number, int type_num)
{
    double value;
    float single;
    uint16_t half;

    switch (type_num) {
    case NPY_DOUBLE:
        memcpy(&value, number, sizeof value);
        return isfinite(value);
    case NPY_FLOAT:
        memcpy(&single, number, sizeof single);
        return isfinite(single);
    case NPY_HALF:
        memcpy(&half, number, sizeof half);
        return (half & 0x7C00) != 0x7C00;
    default:
        return 1;
    }
}

static int has_shape(PyObject *out, int ndim, const npy_intp shape[])
{
    PyArrayObject *array = (PyArrayObject *)out;
    return PyArray_NDIM(array) == ndim && PyArray_CompareLists(PyArray_DIMS(array), shape, ndim);
}

static PyObject *reduce(const struct fastrelu_isa *isa, enum fastrelu_reduction_operation operation,
                        PyObject *x, PyObject *axis, PyObject *threshold, PyObject *dtype,
                        PyObject *out, PyObject *keepdims, int partial)
{
    const int is_sum = operation == FASTRELU_SUM || operation == FASTRELU_MEAN;
    char number[FASTRELU_MAX_ITEMSIZE] = {0}, scalar[FASTRELU_MAX_ITEMSIZE];
    char is_reduced[NPY_MAXDIMS];
    npy_intp shape[NPY_MAXDIMS];
    struct fastrelu_reduction reduction;
    PyObject *result = NULL;
    int ndim = 0, keeps = 0;
    NPY_BEGIN_THREADS_DEF

    if (!fastrelu_has_axes(x) || PyArray_SIZE((PyArrayObject *)x) == 0)
        Py_RETURN_NOTIMPLEMENTED;
    PyArrayObject *array = (PyArrayObject *)x;
    PyArray_Descr *of_x = PyArray_DESCR(array);
    const int type_num = of_x->type_num, element = fastrelu_dtype_of(type_num);
    if (element < 0 || element >= FASTRELU_N_NUMBERS || !fastrelu_is_plain_array(x, type_num) ||
        !mark_axes(axis, PyArray_NDIM(array), is_reduced) ||
        !(PyBool_Check(keepdims) || PyLong_Check(keepdims) || PyArray_IsScalar(keepdims, Bool)) ||
        (out != Py_None && !PyArray_CheckExact(out)))
        Py_RETURN_NOTIMPLEMENTED;
    if (is_sum && (!fastrelu_read_number(threshold, (PyObject *)of_x, number) ||
                   !is_finite(number, type_num)))
        Py_RETURN_NOTIMPLEMENTED;
    keeps = keepdims != Py_False && PyObject_IsTrue(keepdims) == 1;
    const int type = choose_type(operation, of_x, dtype, out);
    if (type < 0)
        Py_RETURN_NOTIMPLEMENTED;

    reduction.kernel = &isa->reductions[element];
    reduction.operation = operation;
    reduction.partial = partial;
    reduction.result = result_type(type);
    reduction.is_integer = PyTypeNum_ISINTEGER(type_num);
    reduction.threshold = number;
    reduction.x = PyArray_BYTES(array);
    reduction.kept.axes = reduction.reduced.axes = 0;
    for (int i = 0; i < PyArray_NDIM(array); i++) {
        struct fastrelu_axes *axes = is_reduced[i] ? &reduction.reduced : &reduction.kept;
        axes->shape[axes->axes] = (size_t)PyArray_DIM(array, i);
        axes->steps[axes->axes] = PyArray_STRIDE(array, i);
        axes->out_steps[axes->axes] = 0;
        axes->axes++;
        if (!is_reduced[i])
            shape[ndim++] = PyArray_DIM(array, i);
        else if (keeps)
            shape[ndim++] = 1;
    }
    if (out != Py_None) {
        if (!has_shape(out, ndim, shape) || !PyArray_ISWRITEABLE((PyArrayObject *)out) ||
            !fastrelu_is_plain_array(out, type))
            Py_RETURN_NOTIMPLEMENTED;
        if (!fastrelu_may_write(out, "output array"))
            return NULL;
    }
    reduction.out = scalar;
    if (ndim > 0) {
        result = PyArray_SimpleNew(ndim, shape, type);
        if (result == NULL)
            return NULL;
        reduction.out = PyArray_BYTES((PyArrayObject *)result);
        ptrdiff_t step = (ptrdiff_t)PyArray_ITEMSIZE((PyArrayObject *)result);
        for (int i = reduction.kept.axes - 1; i >= 0; i--) {
            reduction.kept.out_steps[i] = step;
            step *= (ptrdiff_t)reduction.kept.shape[i];
        }
    }

    if (is_sum)
        fastrelu_clear_fpstatus();
    NPY_BEGIN_THREADS_THRESHOLDED(PyArray_SIZE(array));
    const int failed = fastrelu_reduce(&reduction);
    NPY_END_THREADS;
    if (failed) {
        PyErr_NoMemory();
        goto error;
    }
    if (partial && operation == FASTRELU_MEAN && reduction.kernel->partial_sums &&
        fastrelu_get_fpstatus() & FASTRELU_OVERFLOW) {
        Py_XDECREF(result);
        return reduce(isa, operation, x, axis, threshold, dtype, out, keepdims, 0);
    }
    if (is_sum && fastrelu_get_fpstatus() &&
        PyUFunc_GiveFloatingpointErrors(names[operation], PyUFunc_getfperr()) < 0)
        goto error;
    if (out == Py_None) {
        if (result)
            return result;
        PyArray_Descr *of_result = PyArray_DescrFromType(type);
        result = PyArray_Scalar(scalar, of_result, NULL);
        Py_DECREF(of_result);
        return result;
    }
    if (result == NULL)
        memcpy(PyArray_DATA((PyArrayObject *)out), scalar,
               (size_t)PyArray_ITEMSIZE((PyArrayObject *)out));
    else if (PyArray_CopyInto((PyArrayObject *)out, (PyArrayObject *)result) < 0)
        goto error;
    Py_XDECREF(result);
    return Py_NewRef(out);

error:
    Py_XDECREF(result);
    return NULL;
}

/* A mean whose partial sums overflow is computed again without them. */
PyObject *fastrelu_relu_reduction(const struct fastrelu_isa *isa,
                                  enum fastrelu_reduction_operation operation, PyObject *x,
                                  PyObject *axis, PyObject *threshold, PyObject *dtype,
                                  PyObject *out, PyObject *keepdims)
{
    return reduce(isa, operation, x, axis, threshold, dtype, out, keepdims, 1);
}
