/* np.maximum with a zero as one operand, by our kernels: a vectorcall before NumPy's own, as the
   fast call is before that of our ufuncs. */

#include "python/patch.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <stdatomic.h>
#include <string.h>

#include "kernels/compiler.h"
#include "kernels/fpstatus.h"
#include "kernels/kernels.h"
#include "python/fast_call.h"
#include "python/limited_api.h"
#include "python/operands.h"
#include "python/types.h"

static struct {
    const struct fastrelu_kernel *_Atomic kernels; /* NULL: NumPy is called */
    atomic_int inputs;
} maximum_kernels[2][NPY_NTYPES_LEGACY];

/* Those of an operation that adds the zero. NumPy's maximum clears the flags that it raises. */
static struct fastrelu_kernel silent_kernels[FASTRELU_N_DTYPES];

/* A call may be on its way through the patch while it is undone: numpy_call stays. */
static PyUFuncObject *patched;
static _Atomic(vectorcallfunc) numpy_call;
static atomic_int patch_count;

static _Atomic(PyObject *) watch_start; /* NULL: nobody watches */
static PyObject *watch_end;

void fastrelu_choose_for_maximum(int zero_operand, int type_num, PyObject *ufunc)
{
    const int chosen = ufunc != Py_None;
    const struct fastrelu_kernel *kernels = chosen ? fastrelu_kernels_of(ufunc) : NULL;
    const int dtype = fastrelu_dtype_of(type_num);

    if (chosen && kernels[dtype].status == FASTRELU_IEEE) {
        if (silent_kernels[dtype].contiguous == NULL) { /* else a call may be in it */
            struct fastrelu_kernel silent = kernels[dtype];
            silent.status = FASTRELU_QUIET;
            silent_kernels[dtype] = silent;
        }
        kernels = silent_kernels;
    }
    maximum_kernels[zero_operand][type_num].inputs = chosen ? ((PyUFuncObject *)ufunc)->nin : 0;
    maximum_kernels[zero_operand][type_num].kernels = kernels;
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

static PyObject *call_numpy(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return atomic_load_explicit(&numpy_call, memory_order_relaxed)(self, args, nargsf, kwnames);
}

/* Returns NULL without an error where no kernel takes the call. */
ALWAYS_INLINE PyObject *call_with_zero(PyObject *const *args, size_t nargsf, PyObject *kwnames,
                                       int zero_operand)
{
    PyObject *x = args[!zero_operand], *inputs[FASTRELU_MAX_OPERANDS] = {x, x}, *out;
    const int type_num = PyArray_TYPE((PyArrayObject *)x);
    const struct fastrelu_kernel *kernels =
        type_num >= 0 && type_num < NPY_NTYPES_LEGACY
            ? atomic_load_explicit(&maximum_kernels[zero_operand][type_num].kernels,
                                   memory_order_acquire)
            : NULL;

    if (!kernels || !fastrelu_find_output(args, PyVectorcall_NARGS(nargsf), kwnames, 2, x, &out))
        return NULL;
    if (kernels == silent_kernels) {
        if (fegetround() != FE_TONEAREST) /* downwards, -0.0 + 0.0 is -0.0 */
            return NULL;
        inputs[1] = args[zero_operand];
    }
    const int n =
        atomic_load_explicit(&maximum_kernels[zero_operand][type_num].inputs, memory_order_relaxed);
    PyObject *done = fastrelu_call_kernel(kernels, inputs, n, out);
    if (kernels == silent_kernels)
        fastrelu_clear_fpstatus();
    return done;
}

/* Whether the call is of one array and what may be a zero. */
static int is_watched(PyObject *const *args)
{
    const int first = PyArray_Check(args[0]);
    PyObject *other = args[first];

    if (first == PyArray_Check(args[1]))
        return 0;
    if (PyFloat_CheckExact(other))
        return PyFloat_AsDouble(other) == 0;
    return !PyLong_CheckExact(other) || PyObject_Not(other);
}

/* Returns what watch_start returns, for watch_end; or NULL. An Exception in either is printed. */
static PyObject *start_watching(void)
{
    PyObject *start = atomic_load_explicit(&watch_start, memory_order_acquire);
    PyObject *started = PyObject_CallNoArgs(start);
    if (!started)
        PyErr_WriteUnraisable(start);
    return started;
}

/* Returns -1 where it was interrupted: by what is no Exception, as KeyboardInterrupt. */
static int end_watching(PyObject *started, PyObject *const *args, size_t nargsf, PyObject *kwnames,
                        int is_ours)
{
    Py_ssize_t n = PyVectorcall_NARGS(nargsf) + (kwnames ? PyTuple_Size(kwnames) : 0);
    PyObject *all = PyTuple_New(n), *ended = NULL;

    for (Py_ssize_t i = 0; all && i < n; i++)
        PyTuple_SetItem(all, i, Py_NewRef(args[i]));
    if (all)
        ended = PyObject_CallFunctionObjArgs(watch_end, started, is_ours ? Py_True : Py_False, all,
                                             kwnames ? kwnames : Py_None, NULL);
    const int interrupted = !ended && !PyErr_ExceptionMatches(PyExc_Exception);
    if (!ended && !interrupted)
        PyErr_WriteUnraisable(watch_end);
    Py_XDECREF(ended);
    Py_XDECREF(all);
    Py_DECREF(started);
    return interrupted ? -1 : 0;
}

/* Gives a call to the kernels or to NumPy, and says which. */
ALWAYS_INLINE PyObject *give_call(PyObject *self, PyObject *const *args, size_t nargsf,
                                  PyObject *kwnames, int *is_ours)
{
    *is_ours = 0;
    if (PyVectorcall_NARGS(nargsf) >= 2) {
        const int first = fastrelu_has_axes(args[0]), last = fastrelu_has_axes(args[1]);
        if (first != last && is_zero(args[first], args[last])) {
            PyObject *done = call_with_zero(args, nargsf, kwnames, first);
            *is_ours = done != NULL;
            if (done || PyErr_Occurred())
                return done;
        }
    }
    return call_numpy(self, args, nargsf, kwnames);
}

static PyObject *watched_call(PyObject *self, PyObject *const *args, size_t nargsf,
                              PyObject *kwnames)
{
    int is_ours;
    PyObject *started =
        PyVectorcall_NARGS(nargsf) >= 2 && is_watched(args) ? start_watching() : NULL;
    PyObject *done = give_call(self, args, nargsf, kwnames, &is_ours);

    if (!started || !done) {
        Py_XDECREF(started);
        return done;
    }
    if (end_watching(started, args, nargsf, kwnames, is_ours) < 0)
        Py_CLEAR(done);
    return done;
}

static PyObject *maximum_call(PyObject *self, PyObject *const *args, size_t nargsf,
                              PyObject *kwnames)
{
    int is_ours;

    atomic_thread_fence(memory_order_acquire); /* after the interpreter's load of this function */
    if (atomic_load_explicit(&watch_start, memory_order_acquire))
        return watched_call(self, args, nargsf, kwnames);
    return give_call(self, args, nargsf, kwnames, &is_ours);
}

void fastrelu_watch_maximum(PyObject *start, PyObject *end)
{
    watch_end = Py_NewRef(end);
    atomic_store_explicit(&watch_start, Py_NewRef(start), memory_order_release);
}

int fastrelu_patch_maximum(PyObject *maximum)
{
    if (patch_count == 0) {
        if (!fastrelu_has_vectorcall(maximum) || ((PyUFuncObject *)maximum)->nin != 2)
            return 0;
        patched = (PyUFuncObject *)Py_NewRef(maximum);
        numpy_call = patched->vectorcall;
        __atomic_store_n(&patched->vectorcall, maximum_call, __ATOMIC_RELEASE);
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
        __atomic_store_n(&patched->vectorcall, numpy_call, __ATOMIC_RELEASE);
        Py_CLEAR(patched);
    }
    patch_count--;
    return FASTRELU_UNPATCHED;
}

int fastrelu_maximum_is_patched(void) { return patch_count > 0; }
