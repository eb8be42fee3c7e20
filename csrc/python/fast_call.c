/* The fast path into a ufunc: exact arrays of one dtype with kernels, of which one has the shape of
   the result and the others broadcast to it, and numbers, go straight to a kernel. Everything else
   goes to NumPy. */

#include "python/fast_call.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <string.h>

#include "kernels/fpstatus.h"
#include "python/limited_api.h"
#include "python/loops.h"
#include "python/memory.h"
#include "python/operands.h"
#include "python/resolve.h"
#include "python/types.h"
#include "runtime/execute.h"
#include "runtime/overlap.h"

_Static_assert((int)FASTRELU_MAX_AXES >= (int)NPY_MAXDIMS, "operands have as many axes as arrays");

static vectorcallfunc numpy_call;

/* Interned, as the names in a call mostly are. */
static PyObject *out_name, *dtype_name;

static int is_name(PyObject *given, PyObject *name)
{
    return given == name || PyUnicode_Compare(given, name) == 0;
}

static int is_dtype_of(PyObject *given, PyObject *array)
{
    if (!fastrelu_has_axes(array)) /* then another operand has the dtype of the call */
        return 0;
    PyArray_Descr *dtype = PyArray_DESCR((PyArrayObject *)array);
    return PyArray_ISNBO(dtype->byteorder) &&
           (given == (PyObject *)dtype || given == (PyObject *)dtype->typeobj);
}

int fastrelu_find_output(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int inputs,
                         PyObject *array, PyObject **out)
{
    const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;

    *out = NULL;
    if (nargs == inputs + 1)
        *out = args[inputs];
    else if (nargs != inputs)
        return 0;
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i), *value = args[nargs + i];
        if (is_name(name, out_name)) {
            if (nargs != inputs)
                return 0;
            *out = value;
            if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == 1)
                *out = PyTuple_GET_ITEM(value, 0);
        } else if (!is_name(name, dtype_name) || !is_dtype_of(value, array))
            return 0;
    }
    if (*out == Py_None)
        *out = NULL;
    return 1;
}

static npy_intp magnitude(npy_intp step) { return step < 0 ? -step : step; }

/* The strides of a new output of order "K", by the rule of NumPy's iterator: an insertion sort of
   the axes, innermost first, by the strides of all inputs; an axis moves inwards where the first
   inputs that have strides on both axes agree that it is the denser one. */
static void output_strides(const struct fastrelu_operands *operands, int inputs, npy_intp itemsize,
                           npy_intp strides[])
{
    int order[NPY_MAXDIMS];
    const int ndim = operands->axes;

    for (int i = 0; i < ndim; i++) {
        const int axis = ndim - 1 - i;
        int position = i;
        for (int j = i - 1; j >= 0; j--) {
            int compared = 0, denser = 0;
            for (int input = 0; input < inputs; input++) {
                const npy_intp step = magnitude(operands->steps[axis][input]);
                const npy_intp other = magnitude(operands->steps[order[j]][input]);
                if (step == 0 || other == 0)
                    continue;
                if (other <= step)
                    denser = 0;
                else if (!compared)
                    denser = 1;
                compared = 1;
            }
            if (compared && !denser)
                break;
            if (compared)
                position = j;
        }
        memmove(order + position + 1, order + position, sizeof *order * (i - position));
        order[position] = axis;
    }
    for (int i = 0; i < ndim; i++) {
        strides[order[i]] = itemsize;
        itemsize *= (npy_intp)operands->shape[order[i]];
    }
}

/* Reports the floating-point flags that an IEEE operation has raised. False with an exception. */
static int report_fpstatus(const struct fastrelu_kernel *kernel)
{
    return kernel->status == FASTRELU_QUIET || !fastrelu_get_fpstatus() ||
           PyUFunc_GiveFloatingpointErrors(fastrelu_operation_names[kernel->operation],
                                           PyUFunc_getfperr()) == 0;
}

static int is_same_view(PyArrayObject *a, PyArrayObject *b)
{
    return PyArray_DATA(a) == PyArray_DATA(b) &&
           fastrelu_same_shape((PyObject *)a, (PyObject *)b) &&
           memcmp(PyArray_STRIDES(a), PyArray_STRIDES(b), sizeof(npy_intp) * PyArray_NDIM(a)) == 0;
}

/* Sets the steps of an array that broadcasts to the operands; false if it does not. */
static int broadcast(struct fastrelu_operands *operands, int operand, PyArrayObject *array)
{
    const int missing = operands->axes - PyArray_NDIM(array);

    operands->args[operand] = PyArray_BYTES(array);
    for (int axis = 0; axis < operands->axes; axis++) {
        const npy_intp n = axis < missing ? 1 : PyArray_DIM(array, axis - missing);
        if (n != 1 && n != (npy_intp)operands->shape[axis])
            return 0;
        operands->steps[axis][operand] = n == 1 ? 0 : PyArray_STRIDE(array, axis - missing);
    }
    return 1;
}

/* The array whose shape the result may have: one of the most axes, and of these of the most
   elements. */
static PyArrayObject *find_leading_array(PyObject *const *args, int inputs)
{
    PyArrayObject *leading = NULL;
    for (int i = 0; i < inputs; i++)
        if (PyArray_CheckExact(args[i])) {
            PyArrayObject *array = (PyArrayObject *)args[i];
            if (leading == NULL || PyArray_NDIM(array) > PyArray_NDIM(leading) ||
                (PyArray_NDIM(array) == PyArray_NDIM(leading) &&
                 PyArray_SIZE(array) > PyArray_SIZE(leading)))
                leading = array;
        }
    return leading;
}

/* Any strides, numbers, and arrays that broadcast to the leading one. */
static PyObject *call_with_strides(const struct fastrelu_kernel *kernel, PyArrayObject *leading,
                                   PyObject *const *args, PyObject *out)
{
    char numbers[FASTRELU_MAX_OPERANDS][FASTRELU_MAX_ITEMSIZE];
    const int inputs = kernel->inputs, type_num = PyArray_TYPE(leading);
    const npy_intp n = PyArray_SIZE(leading);
    npy_intp strides[NPY_MAXDIMS];
    int order = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS;
    struct fastrelu_operands operands;
    uintptr_t low, high, in_low, in_high;
    NPY_BEGIN_THREADS_DEF

    if (n == 0)
        return NULL;
    operands.n_operands = inputs + 1;
    operands.axes = PyArray_NDIM(leading);
    for (int axis = 0; axis < operands.axes; axis++) {
        operands.shape[axis] = (size_t)PyArray_DIM(leading, axis);
        for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
            operands.steps[axis][i] = 0;
    }
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++)
        operands.args[i] = NULL;
    for (int i = 0; i < inputs; i++)
        if (fastrelu_has_axes(args[i])) {
            if (!fastrelu_is_plain_array(args[i], type_num) ||
                !broadcast(&operands, i, (PyArrayObject *)args[i]))
                return NULL;
            order &= fastrelu_same_shape(args[i], (PyObject *)leading)
                         ? PyArray_FLAGS((PyArrayObject *)args[i])
                         : 0;
        } else if (fastrelu_read_number(args[i], (PyObject *)PyArray_DESCR(leading), numbers[i]))
            operands.args[i] = numbers[i];
        else
            return NULL;

    if (out == NULL) {
        if (order == 0)
            output_strides(&operands, inputs, (npy_intp)kernel->itemsize, strides);
        out = fastrelu_new_array((PyObject *)PyArray_DESCR(leading), operands.axes,
                                 PyArray_DIMS(leading), order == 0 ? strides : NULL,
                                 !(order & NPY_ARRAY_C_CONTIGUOUS));
        if (out == NULL)
            return NULL;
    } else if (fastrelu_is_plain_array(out, type_num) &&
               fastrelu_same_shape(out, (PyObject *)leading) &&
               PyArray_ISWRITEABLE((PyArrayObject *)out))
        Py_INCREF(out);
    else
        return NULL;
    broadcast(&operands, inputs, (PyArrayObject *)out);

    if (!fastrelu_coalesce_axes(&operands, kernel->itemsize) || operands.axes == 0)
        goto numpy;
    fastrelu_memory_extent(&operands, inputs, kernel->itemsize, &low, &high);
    for (int i = 0; i < inputs; i++) {
        if (operands.args[i] == numbers[i])
            continue;
        fastrelu_memory_extent(&operands, i, kernel->itemsize, &in_low, &in_high);
        if (low < in_high && in_low < high &&
            !is_same_view((PyArrayObject *)args[i], (PyArrayObject *)out))
            goto numpy;
    }
    if (!fastrelu_may_write(out, "output array"))
        goto numpy;
    if (kernel->status == FASTRELU_IEEE)
        fastrelu_clear_fpstatus();
    NPY_BEGIN_THREADS_THRESHOLDED(n);
    fastrelu_execute_operands(kernel, &operands);
    NPY_END_THREADS;
    if (!report_fpstatus(kernel))
        goto numpy;
    return out;

numpy: /* without an exception, NumPy is called */
    Py_DECREF(out);
    return NULL;
}

PyObject *fastrelu_call_kernel(const struct fastrelu_kernel *kernels, PyObject *const *args,
                               int inputs, PyObject *out)
{
    char numbers[FASTRELU_MAX_OPERANDS][FASTRELU_MAX_ITEMSIZE], *data[FASTRELU_MAX_OPERANDS];
    ptrdiff_t steps[FASTRELU_MAX_OPERANDS];
    NPY_BEGIN_THREADS_DEF

    PyObject *first = args[0];
    for (int i = 1; i < inputs && !fastrelu_has_axes(first); i++)
        first = args[i];
    if (!fastrelu_has_axes(first))
        return NULL; /* of no dimensions: NumPy returns a scalar */
    PyArrayObject *array = (PyArrayObject *)first;
    const int type_num = PyArray_TYPE(array), dtype = fastrelu_dtype_of(type_num);
    if (dtype < 0 || kernels[dtype].contiguous == NULL)
        return NULL;
    const struct fastrelu_kernel *kernel = kernels + dtype;

    int order = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS, numbers_given = 0;
    for (int i = 0; i < inputs + (out != NULL); i++) {
        PyObject *operand = i < inputs ? args[i] : out;
        if (operand == first || i == inputs || fastrelu_has_axes(operand)) {
            if (!fastrelu_is_plain_array(operand, type_num))
                return NULL;
            order &=
                fastrelu_same_shape(operand, first) ? PyArray_FLAGS((PyArrayObject *)operand) : 0;
            data[i] = PyArray_BYTES((PyArrayObject *)operand);
            steps[i] = (ptrdiff_t)kernel->itemsize;
        } else {
            if (!fastrelu_read_number(operand, (PyObject *)PyArray_DESCR(array), numbers[i]))
                return NULL;
            data[i] = numbers[i];
            steps[i] = 0;
            numbers_given = 1;
        }
    }
    if (order == 0)
        return call_with_strides(kernel, find_leading_array(args, inputs), args, out);

    const npy_intp n = PyArray_SIZE(array);
    if (out == NULL) {
        out = fastrelu_new_array((PyObject *)PyArray_DESCR(array), PyArray_NDIM(array),
                                 PyArray_DIMS(array), NULL, !(order & NPY_ARRAY_C_CONTIGUOUS));
        if (out == NULL)
            return NULL;
        data[inputs] = PyArray_BYTES((PyArrayObject *)out);
    } else {
        if (!PyArray_ISWRITEABLE((PyArrayObject *)out))
            return NULL;
        for (int i = 0; i < inputs; i++)
            if (steps[i] && fastrelu_required_order(data[i], steps[i], data[inputs], steps[i],
                                                    (size_t)n, kernel->itemsize))
                return NULL;
        if (!fastrelu_may_write(out, "output array"))
            return NULL; /* it warns about some arrays, and a warning may be an error */
        Py_INCREF(out);
    }
    steps[inputs] = (ptrdiff_t)kernel->itemsize;
    if (kernel->status == FASTRELU_IEEE)
        fastrelu_clear_fpstatus();
    NPY_BEGIN_THREADS_THRESHOLDED(n);
    if (numbers_given)
        fastrelu_execute(kernel, data, steps, (size_t)n);
    else
        fastrelu_execute_contiguous(kernel, data, steps, (size_t)n);
    NPY_END_THREADS;
    if (!report_fpstatus(kernel))
        Py_CLEAR(out);
    return out;
}

const struct fastrelu_kernel *fastrelu_kernels_of(PyObject *object)
{
    const PyUFuncObject *ufunc = (PyUFuncObject *)object;
    for (int i = 0; i < ufunc->ntypes; i++)
        if (ufunc->functions[i] == (PyUFuncGenericFunction)fastrelu_kernel_loop) {
            const struct fastrelu_kernel *kernel = ufunc->data[i];
            return kernel - kernel->dtype;
        }
    return NULL;
}

static PyObject *fast_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    const PyUFuncObject *ufunc = (PyUFuncObject *)self;
    const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    PyObject *out = NULL;

    if ((kwnames == NULL && nargs == ufunc->nin) ||
        (nargs > 0 && fastrelu_find_output(args, nargs, kwnames, ufunc->nin, args[0], &out))) {
        PyObject *done = fastrelu_call_kernel(fastrelu_kernels_of(self), args, ufunc->nin, out);
        if (done || PyErr_Occurred())
            return done;
    }
    /* NumPy 2.0 fails on types of its signature that it learns of while it looks for a loop */
    if (nargs > 0 && PyArray_Check(args[0]) &&
        fastrelu_ensure_loops((PyObject *)PyArray_DESCR((PyArrayObject *)args[0])) < 0)
        return NULL;
    PyObject *done = numpy_call(self, args, nargsf, kwnames);
    if (done == NULL && nargs == ufunc->nin && kwnames == NULL && fastrelu_give_memory_back())
        done = numpy_call(self, args, nargsf, kwnames); /* nothing has been written */
    return done;
}

static PyObject *probed;

static PyObject *probe(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    (void)args, (void)nargsf, (void)kwnames;
    if (self == probed)
        probed = NULL;
    Py_RETURN_NONE;
}

static vectorcallfunc *pointer_at(PyObject *ufunc, size_t offset)
{
    return (vectorcallfunc *)((char *)ufunc + offset);
}

/* Whether a pointer at this offset lies in a ufunc, behind what every object has. */
static int holds_pointer_at(PyObject *ufunc, size_t offset)
{
    PyObject *size = PyObject_GetAttrString((PyObject *)Py_TYPE(ufunc), "__basicsize__");
    const size_t bytes = size ? PyLong_AsSize_t(size) : 0;
    Py_XDECREF(size);
    PyErr_Clear();
    return Py_TYPE(ufunc) == &PyUFunc_Type && offset % sizeof(vectorcallfunc) == 0 &&
           offset >= sizeof(PyObject) && offset + sizeof(vectorcallfunc) <= bytes;
}

int fastrelu_is_vectorcall_at(size_t offset, PyObject *ufunc, PyObject *other, PyObject *another)
{
    if (!holds_pointer_at(ufunc, offset) || Py_TYPE(other) != &PyUFunc_Type ||
        Py_TYPE(another) != &PyUFunc_Type)
        return 0;
    vectorcallfunc *place = pointer_at(ufunc, offset), before = *place;
    if (before == NULL || before != *pointer_at(other, offset) ||
        before != *pointer_at(another, offset))
        return 0;
    probed = ufunc;
    *place = probe;
    PyObject *done = PyObject_Vectorcall(ufunc, NULL, 0, NULL); /* NumPy raises a TypeError */
    *place = before;
    Py_XDECREF(done);
    PyErr_Clear();
    return probed == NULL;
}

int fastrelu_has_vectorcall(PyObject *ufunc)
{
    return numpy_call && Py_TYPE(ufunc) == &PyUFunc_Type &&
           ((PyUFuncObject *)ufunc)->vectorcall != NULL;
}

int fastrelu_install_vectorcall(PyObject *ufunc, PyObject *other, PyObject *another)
{
    const size_t offset = offsetof(PyUFuncObject, vectorcall);
    if (!fastrelu_is_vectorcall_at(offset, ufunc, other, another))
        return 0;
    if (out_name == NULL)
        out_name = PyUnicode_InternFromString("out");
    if (dtype_name == NULL)
        dtype_name = PyUnicode_InternFromString("dtype");
    if (out_name == NULL || dtype_name == NULL)
        return -1;
    vectorcallfunc *place = pointer_at(ufunc, offset);
    numpy_call = *place;
    *place = fast_call;
    return 1;
}
