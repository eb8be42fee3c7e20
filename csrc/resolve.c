/* Which loop a ufunc takes for its operands: as NumPy decides, but for two types. NumPy's own rule
   finds no loop for a timedelta with a unit: input and output then have that unit. And it takes the
   first loop that a bool fits, which is that of int8: a bool gives the default integer. */

#include "resolve.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

/* signature: NULL, or a tuple that asks for a type where it does not hold None. */
static int allows(PyObject *signature, int type_num)
{
    if (signature == NULL || !PyTuple_Check(signature))
        return 1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(signature); i++) {
        PyObject *wanted = PyTuple_GET_ITEM(signature, i);
        if (wanted != Py_None &&
            !(PyArray_DescrCheck(wanted) && ((PyArray_Descr *)wanted)->type_num == type_num))
            return 0;
    }
    return 1;
}

static int resolve(PyUFuncObject *ufunc, NPY_CASTING casting, PyArrayObject **operands,
                   PyObject *signature, PyArray_Descr **dtypes)
{
    const int type_num = PyArray_TYPE(operands[0]);

    if (type_num == NPY_TIMEDELTA && allows(signature, NPY_TIMEDELTA))
        dtypes[0] = PyArray_DescrNewByteorder(PyArray_DESCR(operands[0]), NPY_NATIVE);
    else if (type_num == NPY_BOOL && allows(signature, NPY_INTP))
        dtypes[0] = PyArray_DescrFromType(NPY_INTP);
    else
        return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, signature, dtypes);
    if (dtypes[0] == NULL)
        return -1;
    dtypes[1] = (PyArray_Descr *)Py_NewRef(dtypes[0]);
    if (PyUFunc_ValidateCasting(ufunc, casting, operands, dtypes) == 0)
        return 0;
    Py_CLEAR(dtypes[0]);
    Py_CLEAR(dtypes[1]);
    return -1;
}

void fastrelu_resolve_dtypes(PyObject *ufunc) { ((PyUFuncObject *)ufunc)->type_resolver = resolve; }
