/* np.maximum with a zero as one operand, by our kernels: a vectorcall before NumPy's own, as the
   fast call is before that of our ufuncs. */

#include "python/patch.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <string.h>

#include "kernels/kernels.h"
#include "python/fast_call.h"
#include "python/operands.h"

static struct {
    const struct fastrelu_kernel *kernels; /* NULL: NumPy is called */
    int inputs;
} maximum_kernels[2][NPY_NTYPES_LEGACY];

static PyUFuncObject *patched;
static vectorcallfunc numpy_call;
static int patch_count;

void fastrelu_choose_for_maximum(int zero_operand, int type_num, PyObject *ufunc)
{
    const int chosen = ufunc != Py_None;
    maximum_kernels[zero_operand][type_num].kernels = chosen ? fastrelu_kernels_of(ufunc) : NULL;
    maximum_kernels[zero_operand][type_num].inputs = chosen ? ((PyUFuncObject *)ufunc)->nin : 0;
}

/* Whether it is a zero of the array's own dtype, and not -0.0: a scalar, or an array without
   dimensions. */
static int is_zero_of_dtype(PyObject *operand, PyArrayObject *array)
{
    static const char zero[FASTRELU_MAX_ITEMSIZE];
    char value[FASTRELU_MAX_ITEMSIZE];

    return PyArray_ITEMSIZE(array) <= FASTRELU_MAX_ITEMSIZE &&
           fastrelu_read_number(operand, (PyObject *)PyArray_DESCR(array), value) &&
           memcmp(value, zero, PyArray_ITEMSIZE(array)) == 0;
}

/* Whether it is 0, not -0.0, and leaves the type of the array to be that of the maximum. */
static inline int is_zero(PyObject *operand, PyObject *beside)
{
    PyArrayObject *array = (PyArrayObject *)beside;

    if (operand == Py_False)
        return 1;
    if (PyLong_CheckExact(operand)) {
        int overflow;
        return PyLong_AsLongAndOverflow(operand, &overflow) == 0 && !overflow;
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
        fastrelu_find_output(args, PyVectorcall_NARGS(nargsf), kwnames, 2, x, &out)) {
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
        const int first = fastrelu_has_axes(args[0]), last = fastrelu_has_axes(args[1]);
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
