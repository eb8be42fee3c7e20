/* NumPy's inner loop for Python objects. */

#include <Python.h>

#include "python/loops.h"
#include "runtime/fpstatus.h"

/* Needs the GIL. NumPy looks for an exception after it. */
void fastrelu_relu_object(char **args, const intptr_t *dimensions, const intptr_t *steps,
                          void *data)
{
    PyObject *zero = PyLong_FromLong(0);
    if (zero == NULL)
        return;
    const char *x = args[0];
    char *out = args[1];
    (void)data;
    for (intptr_t n = dimensions[0]; n > 0; n--, x += steps[0], out += steps[1]) {
        PyObject *a, *old;
        memcpy(&a, x, sizeof a);
        if (a == NULL) /* an element of an array that NumPy has not filled */
            a = Py_None;
        Py_INCREF(a); /* a comparison may run any code */
        const int below = PyObject_RichCompareBool(a, zero, Py_LT);
        if (below)
            Py_DECREF(a);
        if (below < 0)
            break;
        if (below)
            a = Py_NewRef(zero);
        memcpy(&old, out, sizeof old);
        memcpy(out, &a, sizeof a);
        Py_XDECREF(old);
    }
    Py_DECREF(zero);
    fastrelu_clear_fpstatus(); /* Python compares its floats with operators that raise some */
}
