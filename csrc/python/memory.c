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

static PyObject *give_back_idle(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    fastrelu_release_idle();
    Py_RETURN_NONE;
}

static PyObject *make_handler(void)
{
    static PyMethodDef method = {"give_back_idle", give_back_idle, METH_VARARGS, NULL};
    PyObject *gc = PyImport_ImportModule("gc"), *callback = PyCFunction_New(&method, NULL);
    PyObject *done = gc && callback ? PyObject_GetAttrString(gc, "callbacks") : NULL;
    if (done) {
        const int failed = PyList_Append(done, callback);
        Py_SETREF(done, failed ? NULL : PyCapsule_New(&handler, "mem_handler", NULL));
    }
    Py_XDECREF(callback);
    Py_XDECREF(gc);
    return done;
}

PyObject *fastrelu_new_array(PyObject *dtype, int ndim, const intptr_t *shape,
                             const intptr_t *strides)
{
    static PyObject *ours;
    PyObject *before = NULL;
    size_t bytes = PyDataType_ELSIZE((PyArray_Descr *)dtype);

    for (int axis = 0; axis < ndim; axis++)
        bytes *= (size_t)shape[axis]; /* of an array that is there: no overflow */
    if (bytes >= FASTRELU_CACHED_FROM && fastrelu_get_cache_info().limit) {
        if (ours == NULL)
            ours = make_handler();
        before = ours ? PyDataMem_SetHandler(ours) : NULL;
        if (before == NULL)
            return NULL;
    }
    Py_INCREF(dtype);
    PyObject *array = PyArray_NewFromDescr(&PyArray_Type, (PyArray_Descr *)dtype, ndim,
                                           (npy_intp *)shape, (npy_intp *)strides, NULL, 0, NULL);
    if (before) {
        PyObject *set = PyDataMem_SetHandler(before);
        Py_DECREF(before);
        if (set == NULL)
            Py_CLEAR(array);
        Py_XDECREF(set);
    }
    return array;
}
