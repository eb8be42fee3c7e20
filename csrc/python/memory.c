/* The memory handler through which NumPy's arrays use the cache of blocks (NEP 49). */

#include "python/memory.h"

#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

#include "runtime/blocks.h"

static void *allocate(void *context, size_t bytes)
{
    return (void)context, fastrelu_allocate(bytes);
}

static void *allocate_zeros(void *context, size_t n, size_t each)
{
    return (void)context, fastrelu_allocate_zeros(n, each);
}

static void *reallocate(void *context, void *data, size_t bytes)
{
    return (void)context, fastrelu_reallocate(data, bytes);
}

static void release(void *context, void *data, size_t bytes)
{
    (void)context, (void)bytes;
    fastrelu_release(data);
}

static PyDataMem_Handler handler = {
    "fastrelu", 1, {NULL, allocate, allocate_zeros, reallocate, release}};

static PyObject *capsule;

static PyObject *release_idle(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    fastrelu_release_idle();
    Py_RETURN_NONE;
}

/* The garbage collector calls release_idle: blocks expire without a thread. The callback stays for
   as long as the process. The collector reads the list of callbacks without a lock: it is not to
   grow while threads run. */
static int add_gc_callback(void)
{
    static PyMethodDef method = {"release_idle", release_idle, METH_VARARGS, NULL};
    PyObject *gc = PyImport_ImportModule("gc"), *callback = PyCFunction_New(&method, NULL);
    PyObject *callbacks = gc && callback ? PyObject_GetAttrString(gc, "callbacks") : NULL;
    const int failed = callbacks ? PyList_Append(callbacks, callback) : -1;
    Py_XDECREF(callbacks);
    Py_XDECREF(callback);
    Py_XDECREF(gc);
    return failed;
}

int fastrelu_init_memory_handler(void)
{
    static int added; /* a module may be imported again after an error */
    if (capsule == NULL)
        capsule = PyCapsule_New(&handler, "mem_handler", NULL);
    if (capsule && !added)
        added = add_gc_callback() == 0;
    return added ? 0 : -1;
}

int fastrelu_give_memory_back(void)
{
    if (!PyErr_ExceptionMatches(PyExc_MemoryError) || fastrelu_get_cache_info().held == 0)
        return 0;
    PyErr_Clear();
    fastrelu_clear_cache();
    return 1;
}

static inline PyObject *new_array(PyArray_Descr *dtype, int ndim, const npy_intp *shape,
                                  const npy_intp *strides, int fortran)
{
    Py_INCREF((PyObject *)dtype);
    return PyArray_NewFromDescr(&PyArray_Type, dtype, ndim, (npy_intp *)shape, (npy_intp *)strides,
                                NULL, fortran && strides == NULL ? NPY_ARRAY_F_CONTIGUOUS : 0,
                                NULL);
}

static int set_handler(PyObject *wanted)
{
    PyObject *before = PyDataMem_SetHandler(wanted);
    Py_XDECREF(before);
    return before ? 0 : -1;
}

/* With our handler, or with that which the program has set itself.

   To set a handler takes memory. Where there is none to set the program's again, the array and all
   that is kept are given up for it; and if that is in vain, the next large array sets it. */
static PyObject *new_large_array(PyArray_Descr *dtype, int ndim, const npy_intp *shape,
                                 const npy_intp *strides, int fortran)
{
    PyObject *handler = PyDataMem_GetHandler(), *array = NULL;
    if (handler == NULL)
        return NULL;
    const int chosen = handler != PyDataMem_DefaultHandler && handler != capsule;
    Py_DECREF(handler);
    if (chosen)
        return new_array(dtype, ndim, shape, strides, fortran);
    if (set_handler(capsule) == 0)
        array = new_array(dtype, ndim, shape, strides, fortran);
    if (set_handler(NULL) < 0) { /* NumPy's own */
        Py_CLEAR(array);
        fastrelu_clear_cache();
        set_handler(NULL);
    }
    return array;
}

PyObject *fastrelu_new_array(PyObject *object, int ndim, const intptr_t *shape,
                             const intptr_t *strides, int fortran)
{
    PyArray_Descr *dtype = (PyArray_Descr *)object;
    size_t bytes = PyDataType_ELSIZE(dtype);

    for (int axis = 0; axis < ndim; axis++)
        bytes *= (size_t)shape[axis]; /* of an array that is there: no overflow */
    const int large = bytes >= FASTRELU_CACHED_FROM && fastrelu_get_cache_limit() > 0;
    PyObject *array = large ? new_large_array(dtype, ndim, shape, strides, fortran)
                            : new_array(dtype, ndim, shape, strides, fortran);
    if (array || !fastrelu_give_memory_back())
        return array;
    return new_array(dtype, ndim, shape, strides, fortran);
}
