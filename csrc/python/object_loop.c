/* NumPy's inner loops for Python objects. They need the GIL; NumPy looks for an exception after
   them. */

#include <Python.h>

#include <math.h>
#include <string.h>

#include "kernels/fpstatus.h"
#include "python/limited_api.h"
#include "python/loops.h"

/* A new reference to an element; one that NumPy has not filled is None. */
static PyObject *load(const char *p)
{
    PyObject *element;
    memcpy(&element, p, sizeof element);
    return Py_NewRef(element ? element : Py_None);
}

/* Whether a value is negative; -1 with an exception. Raises no floating-point flag: a comparison of
   quiet NaNs by isless raises none, nor does one of integers. */
static int is_negative(PyObject *value, PyObject *zero)
{
    if (PyFloat_CheckExact(value))
        return isless(PyFloat_AS_DOUBLE(value), 0.0);
    if (PyLong_CheckExact(value)) {
        PyObject *answer = PyObject_RichCompare(value, zero, Py_LT);
        const int negative = answer ? answer == Py_True : -1;
        Py_XDECREF(answer);
        return negative;
    }
    const int raised = fastrelu_get_fpstatus();
    const int negative = PyObject_RichCompareBool(value, zero, Py_LT);
    fastrelu_clear_fpstatus();
    fastrelu_raise_fpstatus(raised);
    return negative;
}

/* Stores relu of a value, to which it takes the reference; NULL is an error. False on an error. */
static int store_relu(char *p, PyObject *value, PyObject *zero)
{
    PyObject *old;
    const int negative = value ? is_negative(value, zero) : -1;
    if (negative < 0) {
        Py_XDECREF(value);
        return 0;
    }
    if (negative) {
        Py_DECREF(value);
        value = Py_NewRef(zero);
    }
    memcpy(&old, p, sizeof old);
    memcpy(p, &value, sizeof value);
    Py_XDECREF(old);
    return 1;
}

static void relu_object(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data)
{
    PyObject *zero = PyLong_FromLong(0);
    (void)data;
    for (intptr_t i = 0; zero && i < dimensions[0]; i++)
        if (!store_relu(args[1] + i * steps[1], load(args[0] + i * steps[0]), zero))
            break;
    Py_XDECREF(zero);
}

/* relu of what a Python operator gives. */
#define OBJECT_LOOP_2(name, operator)                                                         \
    static void name##_object(char **args, const intptr_t *dimensions, const intptr_t *steps, \
                              void *data)                                                     \
    {                                                                                         \
        PyObject *zero = PyLong_FromLong(0);                                                  \
        int stored = zero != NULL;                                                            \
        (void)data;                                                                           \
        for (intptr_t i = 0; stored && i < dimensions[0]; i++) {                              \
            PyObject *x = load(args[0] + i * steps[0]), *y = load(args[1] + i * steps[1]);    \
            stored = store_relu(args[2] + i * steps[2], operator(x, y), zero);                \
            Py_DECREF(x);                                                                     \
            Py_DECREF(y);                                                                     \
        }                                                                                     \
        Py_XDECREF(zero);                                                                     \
    }

OBJECT_LOOP_2(add_relu, PyNumber_Add)
OBJECT_LOOP_2(subtract_relu, PyNumber_Subtract)

const struct fastrelu_object_loop fastrelu_object_loops[] = {
    {"relu", 1, relu_object},
    {"add_relu", 2, add_relu_object},
    {"subtract_relu", 2, subtract_relu_object},
    {0},
};
