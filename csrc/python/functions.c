/* The arguments of the functions that are no ufuncs. They are functions of a module for each
   instruction set, whose state says which; so they are pickled by name. */

#include "python/functions.h"

#include <string.h>

#include "python/limited_api.h"
#include "python/masks.h"
#include "python/reductions.h"

enum { MOST_PARAMETERS = 6, N_FUNCTIONS = 6 };

static struct parameters {
    int required, positional;
    const char *names[MOST_PARAMETERS + 1];
    PyObject *interned[MOST_PARAMETERS];
} parameters[N_FUNCTIONS] = {
    {1, 3, {"x", "out", "mask", "at_zero"}, {0}},
    {2, 3, {"grad", "mask", "out"}, {0}},
    {1, 2, {"x", "axis", "threshold", "dtype", "out", "keepdims"}, {0}},
    {1, 2, {"x", "axis", "threshold", "dtype", "out", "keepdims"}, {0}},
    {1, 2, {"x", "axis"}, {0}},
    {1, 2, {"x", "axis"}, {0}},
};
enum { WITH_MASK, FROM_MASK, SUM, MEAN, ACTIVITY, DEAD };

struct state {
    const struct fastrelu_isa *isa;
    PyObject *otherwise[N_FUNCTIONS];
};

static PyObject *zero;

static int find(const struct parameters *of, int from, PyObject *name)
{
    for (int i = from; of->names[i]; i++)
        if (of->interned[i] == name)
            return i;
    for (int i = from; of->names[i]; i++)
        if (PyUnicode_Compare(of->interned[i], name) == 0)
            return i;
    return -1;
}

/* Puts the arguments into values, which hold the defaults. 0 if they are not those of a call. */
static inline int take(int function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                       PyObject *values[])
{
    const struct parameters *of = &parameters[function];
    const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;

    if (nargs > of->positional)
        return 0;
    for (Py_ssize_t i = 0; i < nargs; i++)
        values[i] = args[i];
    for (Py_ssize_t keyword = 0; keyword < keywords; keyword++) {
        const int i = find(of, (int)nargs, PyTuple_GET_ITEM(kwnames, keyword));
        if (i < 0)
            return 0;
        values[i] = args[nargs + keyword];
    }
    for (int i = 0; i < of->required; i++)
        if (values[i] == NULL)
            return 0;
    return 1;
}

static PyObject *call_otherwise(const struct state *state, int function, PyObject *const *args,
                                Py_ssize_t nargs, PyObject *kwnames)
{
    return PyObject_Vectorcall(state->otherwise[function], args, (size_t)nargs, kwnames);
}

static PyObject *relu_with_mask(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    const struct state *state = PyModule_GetState(self);
    PyObject *values[] = {NULL, Py_None, Py_None, NULL};
    if (!take(WITH_MASK, args, nargs, kwnames, values))
        return call_otherwise(state, WITH_MASK, args, nargs, kwnames);
    return fastrelu_relu_with_mask(state->isa, values[0], values[1], values[2], values[3]);
}

static PyObject *relu_backward_from_mask(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                         PyObject *kwnames)
{
    const struct state *state = PyModule_GetState(self);
    PyObject *values[] = {NULL, NULL, Py_None};
    if (!take(FROM_MASK, args, nargs, kwnames, values))
        return call_otherwise(state, FROM_MASK, args, nargs, kwnames);
    return fastrelu_relu_backward_from_mask(state->isa, values[0], values[1], values[2]);
}

#define REDUCTION(name, function, operation, default_axis)                                      \
    static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t nargs,              \
                          PyObject *kwnames)                                                    \
    {                                                                                           \
        const struct state *state = PyModule_GetState(self);                                    \
        PyObject *values[] = {NULL, default_axis, zero, Py_None, Py_None, Py_False};            \
        if (take(function, args, nargs, kwnames, values)) {                                     \
            PyObject *result =                                                                  \
                fastrelu_relu_reduction(state->isa, operation, values[0], values[1], values[2], \
                                        values[3], values[4], values[5]);                       \
            if (result != Py_NotImplemented)                                                    \
                return result;                                                                  \
            Py_DECREF(result);                                                                  \
        }                                                                                       \
        return call_otherwise(state, function, args, nargs, kwnames);                           \
    }
REDUCTION(relu_sum, SUM, FASTRELU_SUM, Py_None)
REDUCTION(relu_mean, MEAN, FASTRELU_MEAN, Py_None)
REDUCTION(activity, ACTIVITY, FASTRELU_ACTIVITY, zero)
REDUCTION(dead_units, DEAD, FASTRELU_DEAD, zero)

#define METHOD(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, NULL}
static PyMethodDef methods[] = {
    METHOD(relu_with_mask), METHOD(relu_backward_from_mask),
    METHOD(relu_sum),       METHOD(relu_mean),
    METHOD(activity),       METHOD(dead_units),
    {NULL, NULL, 0, NULL},
};

int fastrelu_document_function(const char *name, const char *doc)
{
    for (PyMethodDef *method = methods; method->ml_name; method++)
        if (strcmp(method->ml_name, name) == 0) {
            method->ml_doc = doc;
            return 1;
        }
    return 0;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "fastrelu", NULL, sizeof(struct state), methods, NULL, NULL, NULL, NULL};

static int intern_names(void)
{
    for (int function = 0; function < N_FUNCTIONS; function++)
        for (int i = 0; parameters[function].names[i]; i++) {
            PyObject **interned = &parameters[function].interned[i];
            if (*interned == NULL)
                *interned = PyUnicode_InternFromString(parameters[function].names[i]);
            if (*interned == NULL)
                return -1;
        }
    if (zero == NULL)
        zero = PyLong_FromLong(0);
    return zero ? 0 : -1;
}

PyObject *fastrelu_make_functions(const struct fastrelu_isa *isa, PyObject *otherwise)
{
    PyObject *module = intern_names() < 0 ? NULL : PyModule_Create(&definition);
    struct state *state = module ? PyModule_GetState(module) : NULL;
    if (state == NULL)
        return NULL;
    state->isa = isa;
    for (int i = 0; i < N_FUNCTIONS; i++) {
        state->otherwise[i] = PyObject_GetAttrString(otherwise, methods[i].ml_name);
        if (state->otherwise[i] == NULL) {
            Py_DECREF(module);
            return NULL;
        }
    }
    return module;
}
