/* The short way into a ufunc: exact arrays of one type with kernels and of one shape go straight to
   a kernel, with a new output or a given one. Everything else goes the way that NumPy made. */

#include "python/fast_call.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <string.h>

#include "python/types.h"
#include "python/memory.h"
#include "runtime/overlap.h"
#include "python/resolve.h"
#include "runtime/execute.h"

static vectorcallfunc numpy_call;

/* Interned, as the names in a call mostly are. */
static PyObject *out_name;

int fastrelu_is_plain(PyObject *operand, int type_num)
{
    if (!PyArray_CheckExact(operand))
        return 0;
    PyArray_Descr *dtype = PyArray_DESCR((PyArrayObject *)operand);
    return dtype->type_num == type_num && PyArray_ISNBO(dtype->byteorder) &&
           PyDataType_METADATA(dtype) == NULL;
}

int fastrelu_find_output(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int inputs,
                         PyObject **out)
{
    *out = NULL;
    if (kwnames == NULL || PyTuple_GET_SIZE(kwnames) == 0) {
        if (nargs == inputs)
            return 1;
        if (nargs != inputs + 1)
            return 0;
        *out = args[inputs];
    } else {
        if (nargs != inputs || PyTuple_GET_SIZE(kwnames) != 1 ||
            (PyTuple_GET_ITEM(kwnames, 0) != out_name &&
             PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, 0), out_name) != 0))
            return 0;
        *out = args[inputs];
        if (PyTuple_CheckExact(*out) && PyTuple_GET_SIZE(*out) == 1)
            *out = PyTuple_GET_ITEM(*out, 0);
    }
    if (*out == Py_None)
        *out = NULL;
    return 1;
}

/* The strides of a new output of inputs that are not contiguous: dense, the axes in the order of
   theirs. False where that order is not clear: NumPy decides. */
static int find_strides(PyArrayObject *const arrays[], int inputs, npy_intp strides[])
{
    const int ndim = PyArray_NDIM(arrays[0]);
    const npy_intp *shape = PyArray_DIMS(arrays[0]), *steps = PyArray_STRIDES(arrays[0]);

    for (int i = 1; i < inputs; i++)
        if (memcmp(PyArray_STRIDES(arrays[i]), steps, sizeof(npy_intp) * ndim) != 0)
            return 0;
    for (int axis = 0; axis < ndim; axis++) {
        const npy_intp step = steps[axis] < 0 ? -steps[axis] : steps[axis];
        if (shape[axis] == 1 || step == 0)
            return 0;
        strides[axis] = PyArray_ITEMSIZE(arrays[0]);
        for (int other = 0; other < ndim; other++) {
            const npy_intp its = steps[other] < 0 ? -steps[other] : steps[other];
            if (other != axis && its == step)
                return 0;
            if (its < step)
                strides[axis] *= shape[other];
        }
    }
    return 1;
}

static int is_same_view(PyArrayObject *a, PyArrayObject *b)
{
    return PyArray_DATA(a) == PyArray_DATA(b) &&
           memcmp(PyArray_STRIDES(a), PyArray_STRIDES(b), sizeof(npy_intp) * PyArray_NDIM(a)) == 0;
}

/* The same for arrays that are not all contiguous in one order. */
static PyObject *call_with_strides(const struct fastrelu_kernel *kernel, PyArrayObject *arrays[],
                                   PyObject *out)
{
    const int inputs = kernel->inputs, ndim = PyArray_NDIM(arrays[0]);
    const npy_intp *shape = PyArray_DIMS(arrays[0]), n = PyArray_SIZE(arrays[0]);
    npy_intp strides[NPY_MAXDIMS];
    struct fastrelu_operands operands;
    uintptr_t low, high, in_low, in_high;
    NPY_BEGIN_THREADS_DEF

    if (out == NULL) {
        if (!find_strides(arrays, inputs, strides))
            return NULL;
        out = fastrelu_new_array((PyObject *)PyArray_DESCR(arrays[0]), ndim, shape, strides);
        if (out == NULL)
            return NULL;
    } else if (PyArray_ISWRITEABLE((PyArrayObject *)out))
        Py_INCREF(out);
    else
        return NULL;
    arrays[inputs] = (PyArrayObject *)out;

    operands.operands = inputs + 1;
    operands.axes = ndim;
    for (int axis = 0; axis < ndim; axis++)
        operands.shape[axis] = (size_t)shape[axis];
    for (int i = 0; i < FASTRELU_MAX_OPERANDS; i++) {
        operands.args[i] = i <= inputs ? PyArray_BYTES(arrays[i]) : NULL;
        for (int axis = 0; axis < ndim; axis++)
            operands.steps[axis][i] = i <= inputs ? PyArray_STRIDE(arrays[i], axis) : 0;
    }
    if (!fastrelu_coalesce_axes(&operands, kernel->itemsize) || operands.axes == 0)
        goto numpy;
    fastrelu_memory_extent(&operands, inputs, kernel->itemsize, &low, &high);
    for (int i = 0; i < inputs; i++) {
        fastrelu_memory_extent(&operands, i, kernel->itemsize, &in_low, &in_high);
        if (low < in_high && in_low < high && !is_same_view(arrays[i], arrays[inputs]))
            goto numpy;
    }
    if (PyArray_FailUnlessWriteable(arrays[inputs], "output array") < 0) {
        Py_DECREF(out);
        return NULL;
    }

    NPY_BEGIN_THREADS_THRESHOLDED(n);
    fastrelu_execute_operands(kernel, &operands);
    NPY_END_THREADS;
    return out;

numpy:
    Py_DECREF(out);
    return NULL;
}

PyObject *fastrelu_call_kernel(const struct fastrelu_kernel *kernels, PyObject *const *args,
                               int inputs, PyObject *out)
{
    PyArrayObject *arrays[FASTRELU_MAX_OPERANDS];
    char *data[FASTRELU_MAX_OPERANDS];
    NPY_BEGIN_THREADS_DEF

    if (!PyArray_CheckExact(args[0]))
        return NULL;
    PyArrayObject *first = (PyArrayObject *)args[0];
    const int type_num = PyArray_TYPE(first), ndim = PyArray_NDIM(first);
    const int element = fastrelu_dtype_of(type_num);
    if (element < 0 || ndim == 0)
        return NULL; /* of no dimensions: NumPy returns a scalar */

    int order = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS;
    for (int i = 0; i < inputs + (out != NULL); i++) {
        PyObject *operand = i < inputs ? args[i] : out;
        if (!fastrelu_is_plain(operand, type_num))
            return NULL;
        PyArrayObject *array = arrays[i] = (PyArrayObject *)operand;
        if (PyArray_NDIM(array) != ndim ||
            memcmp(PyArray_DIMS(array), PyArray_DIMS(first), sizeof(npy_intp) * ndim) != 0)
            return NULL;
        order &= PyArray_FLAGS(array);
        data[i] = PyArray_BYTES(array);
    }

    const struct fastrelu_kernel *kernel = kernels + element;
    if (order == 0)
        return call_with_strides(kernel, arrays, out);
    const npy_intp n = PyArray_SIZE(first);
    if (out == NULL) {
        out = fastrelu_new_array((PyObject *)PyArray_DESCR(first), ndim, PyArray_DIMS(first),
                                 order & NPY_ARRAY_C_CONTIGUOUS ? NULL : PyArray_STRIDES(first));
        if (out == NULL)
            return NULL;
        data[inputs] = PyArray_BYTES((PyArrayObject *)out);
    } else {
        if (!PyArray_ISWRITEABLE((PyArrayObject *)out))
            return NULL;
        for (int i = 0; i < inputs; i++)
            if (fastrelu_required_order(data[i], kernel->itemsize, data[inputs], kernel->itemsize,
                                        n, kernel->itemsize) != FASTRELU_ANY_ORDER)
                return NULL;
        if (PyArray_FailUnlessWriteable((PyArrayObject *)out, "output array") < 0)
            return NULL; /* it warns about some arrays, and a warning may be an error */
        Py_INCREF(out);
    }

    NPY_BEGIN_THREADS_THRESHOLDED(n);
    fastrelu_execute_contiguous(kernel, data, (size_t)n, FASTRELU_ANY_ORDER);
    NPY_END_THREADS;
    return out;
}

static PyObject *fast_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    const PyUFuncObject *ufunc = (PyUFuncObject *)self;
    PyObject *out;

    if (fastrelu_find_output(args, PyVectorcall_NARGS(nargsf), kwnames, ufunc->nin, &out)) {
        PyObject *done = fastrelu_call_kernel(ufunc->data[0], args, ufunc->nin, out);
        if (done || PyErr_Occurred())
            return done;
    }
    /* NumPy 2.0 fails on types of its signature that it learns of while it looks for a loop */
    if (PyVectorcall_NARGS(nargsf) > 0 && PyArray_Check(args[0]) &&
        fastrelu_ensure_loops((PyObject *)PyArray_DESCR((PyArrayObject *)args[0])) < 0)
        return NULL;
    return numpy_call(self, args, nargsf, kwnames);
}

int fastrelu_has_vectorcall(PyObject *ufunc)
{
    const PyTypeObject *type = Py_TYPE(ufunc);
    return type == &PyUFunc_Type && type->tp_flags & Py_TPFLAGS_HAVE_VECTORCALL &&
           type->tp_vectorcall_offset == offsetof(PyUFuncObject, vectorcall) &&
           ((PyUFuncObject *)ufunc)->vectorcall != NULL;
}

int fastrelu_install_vectorcall(PyObject *object)
{
    PyUFuncObject *ufunc = (PyUFuncObject *)object;

    if (!fastrelu_has_vectorcall(object) || ufunc->vectorcall == fast_call)
        return 0;
    if (out_name == NULL)
        out_name = PyUnicode_InternFromString("out");
    if (out_name == NULL)
        return -1;
    numpy_call = ufunc->vectorcall;
    ufunc->vectorcall = fast_call;
    return 1;
}
