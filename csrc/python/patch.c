/* np.maximum with a zero as one operand, by our kernels: a way in that is put before NumPy's own,
   as the short way is before that of our ufuncs. */

#include "python/patch.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <string.h>

#include "python/fast_call.h"
#include "kernels/kernels.h"

static struct {
    const struct fastrelu_kernel *kernels; /* NULL: NumPy's way */
    int inputs;
} maximum_kernels[2][NPY_NTYPES_LEGACY];

enum { MOST_BYTES = 8 }; /* of an element with kernels */

static PyObject *python_zero; /* CPython has but one */
static PyUFuncObject *patched;
static vectorcallfunc numpy_call;
static int patch_count;

void fastrelu_choose_for_maximum(int zero_operand, int type_num, PyObject *ufunc)
{
    maximum_kernels[zero_operand][type_num].kernels = ((PyUFuncObject *)ufunc)->data[0];
    maximum_kernels[zero_operand][type_num].inputs = ((PyUFuncObject *)ufunc)->nin;
}

/* Whether it is an exact array, and not of no dimensions. */
static inline int has_axes(PyObject *operand)
{
    return PyArray_CheckExact(operand) && PyArray_NDIM((PyArrayObject *)operand) > 0;
}

static inline int is_zero_bytes(const char *p, npy_intp n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

/* Whether it is a zero of the array's own type: a scalar, or an array without dimensions. */
static int is_zero_of_dtype(PyObject *operand, PyArrayObject *array)
{
    PyArrayObject *zero = (PyArrayObject *)operand;
    char value[MOST_BYTES];

    if (PyArray_CheckExact(operand))
        return PyArray_NDIM(zero) == 0 &&
               is_zero_bytes(PyArray_BYTES(zero), PyArray_ITEMSIZE(zero)) &&
               fastrelu_is_plain(operand, PyArray_TYPE(array));
    if (Py_TYPE(operand) != PyArray_DESCR(array)->typeobj || PyArray_ITEMSIZE(array) > MOST_BYTES)
        return 0;
    PyArray_ScalarAsCtype(operand, value);
    return is_zero_bytes(value, PyArray_ITEMSIZE(array));
}

/* Whether it is 0, not -0.0, and leaves the type of the array to be that of the maximum. */
static inline int is_zero(PyObject *operand, PyObject *beside)
{
    PyArrayObject *array = (PyArrayObject *)beside;

    if (operand == python_zero || operand == Py_False)
        return 1;
    if (PyLong_CheckExact(operand))
        return 0;
    if (PyFloat_CheckExact(operand)) {
        const double number = PyFloat_AS_DOUBLE(operand);
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        return bits == 0 && PyTypeNum_ISFLOAT(PyArray_TYPE(array));
    }
    return is_zero_of_dtype(operand, array);
}

static PyObject *call_with_zero(PyObject *self, PyObject *const *args, size_t nargsf,
                                PyObject *kwnames, int zero_operand)
{
    PyObject *x = args[!zero_operand], *inputs[FASTRELU_MAX_OPERANDS] = {x, x}, *out;
    const int type_num = PyArray_TYPE((PyArrayObject *)x);

    if (type_num >= 0 && type_num < NPY_NTYPES_LEGACY &&
        maximum_kernels[zero_operand][type_num].kernels &&
        fastrelu_find_output(args, PyVectorcall_NARGS(nargsf), kwnames, 2, &out)) {
        PyObject *done =
            fastrelu_call_kernel(maximum_kernels[zero_operand][type_num].kernels, inputs,
                                 maximum_kernels[zero_operand][type_num].inputs, out);
        if (done || PyErr_Occurred())
            return done;
    }
    return numpy_call(self, args, nargsf, kwnames);
}

static PyObject *maximum_call(PyObject *self, PyObject *const *args, size_t nargsf,
                              PyObject *kwnames)
{
    if (PyVectorcall_NARGS(nargsf) >= 2) {
        const int first = has_axes(args[0]), last = has_axes(args[1]);
        if (first != last && is_zero(args[first], args[last]))
            return call_with_zero(self, args, nargsf, kwnames, first);
    }
    return numpy_call(self, args, nargsf, kwnames);
}

int fastrelu_patch_maximum(PyObject *maximum)
{
    if (patch_count == 0) {
        if (!fastrelu_has_vectorcall(maximum) || ((PyUFuncObject *)maximum)->nin != 2)
            return 0;
        python_zero = PyLong_FromLong(0);
        patched = (PyUFuncObject *)Py_NewRef(maximum);
        numpy_call = patched->vectorcall;
        patched->vectorcall = maximum_call;
    }
    patch_count++;
    return 1;
}

enum fastrelu_unpatched fastrelu_unpatch_maximum(void)
{
    if (patch_count == 0)
        return FASTRELU_NOT_PATCHED;
    if (patch_count == 1) {
        if (patched->vectorcall != maximum_call)
            return FASTRELU_PATCHED_OVER;
        patched->vectorcall = numpy_call;
        Py_CLEAR(patched);
    }
    patch_count--;
    return FASTRELU_UNPATCHED;
}

int fastrelu_maximum_is_patched(void) { return patch_count > 0; }
