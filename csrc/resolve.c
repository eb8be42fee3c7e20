/* Which loop a ufunc takes for its operands: as NumPy decides, but that NumPy's own rule finds no
   loop for a timedelta with a unit. Input and output then have that unit. */

#include "resolve.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

/* signature: NULL, or a tuple that asks for a type where it does not hold None. */
static int allows_timedelta(PyObject *signature)
{
    if (signature == NULL || !PyTuple_Check(signature))
        return 1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(signature); i++) {
        PyObject *wanted = PyTuple_GET_ITEM(signature, i);
        if (wanted != Py_None &&
            !(PyArray_DescrCheck(wanted) && ((PyArray_Descr *)wanted)->type_num == NPY_TIMEDELTA))
            return 0;
    }
    return 1;
}

static int resolve(PyUFuncObject *ufunc, NPY_CASTING casting, PyArrayObject **operands,
                   PyObject *signature, PyArray_Descr **dtypes)
{
    if (PyArray_TYPE(operands[0]) != NPY_TIMEDELTA || !allows_timedelta(signature))
        return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, signature, dtypes);
    dtypes[0] = PyArray_DescrNewByteorder(PyArray_DESCR(operands[0]), NPY_NATIVE);
    if (dtypes[0] == NULL)
        return -1;
    dtypes[1] = (PyArray_Descr *)Py_NewRef(dtypes[0]);
    if (PyUFunc_ValidateCasting(ufunc, casting, operands, dtypes) == 0)
        return 0;
    Py_CLEAR(dtypes[0]);
    Py_CLEAR(dtypes[1]);
    return -1;
}

void fastrelu_resolve_units(PyObject *ufunc) { ((PyUFuncObject *)ufunc)->type_resolver = resolve; }
