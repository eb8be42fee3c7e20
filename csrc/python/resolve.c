/* Which loop a ufunc takes for its operands: as NumPy decides, but for two types of relu's. NumPy's
   own rule finds no loop for a timedelta with a unit: input and output then have that unit. And it
   takes the first loop that a bool fits, which is that of int8: a bool gives the default integer.

   NumPy asks here whenever a combination of types is new to a ufunc, before it looks for a loop: a
   type of ml_dtypes gets its loops now. */

#include "python/resolve.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include "python/types.h"

int (*fastrelu_register_user_dtype)(PyObject *dtype);

int fastrelu_ensure_loops(PyObject *dtype)
{
    const int type_num = ((PyArray_Descr *)dtype)->type_num;
    return PyTypeNum_ISUSERDEF(type_num) && fastrelu_dtype_of(type_num) < 0
               ? fastrelu_register_user_dtype(dtype)
               : 0;
}

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

/* Meets all types. Of those that the signature asks for, *wanted is the last one of ml_dtypes:
   NumPy would look for its loop only where an operand is of such a type. */
static int ensure_all_loops(const PyUFuncObject *ufunc, PyArrayObject **operands,
                            PyObject *signature, PyArray_Descr **wanted)
{
    *wanted = NULL;
    for (int i = 0; i < ufunc->nargs; i++) {
        PyObject *given =
            signature && PyTuple_Check(signature) ? PyTuple_GET_ITEM(signature, i) : NULL;
        if (operands[i] && fastrelu_ensure_loops((PyObject *)PyArray_DESCR(operands[i])) < 0)
            return -1;
        if (given && PyArray_DescrCheck(given)) {
            PyArray_Descr *dtype = (PyArray_Descr *)given;
            if (fastrelu_ensure_loops(given) < 0)
                return -1;
            if (PyTypeNum_ISUSERDEF(dtype->type_num) && fastrelu_dtype_of(dtype->type_num) >= 0)
                *wanted = dtype;
        }
    }
    return 0;
}

static int resolve(PyUFuncObject *ufunc, NPY_CASTING casting, PyArrayObject **operands,
                   PyObject *signature, PyArray_Descr **dtypes)
{
    const int type_num = PyArray_TYPE(operands[0]), forward = ufunc->nin == 1;
    PyArray_Descr *dtype;

    if (ensure_all_loops(ufunc, operands, signature, &dtype) < 0)
        return -1;
    if (dtype && allows(signature, dtype->type_num))
        dtype = PyArray_DescrNewByteorder(dtype, NPY_NATIVE);
    else if (forward && type_num == NPY_TIMEDELTA && allows(signature, NPY_TIMEDELTA))
        dtype = PyArray_DescrNewByteorder(PyArray_DESCR(operands[0]), NPY_NATIVE);
    else if (forward && type_num == NPY_BOOL && allows(signature, NPY_INTP))
        dtype = PyArray_DescrFromType(NPY_INTP);
    else
        return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, signature, dtypes);
    if (dtype == NULL)
        return -1;
    for (int i = 0; i < ufunc->nargs; i++)
        dtypes[i] = (PyArray_Descr *)Py_NewRef(dtype);
    Py_DECREF(dtype);
    if (PyUFunc_ValidateCasting(ufunc, casting, operands, dtypes) == 0)
        return 0;
    for (int i = 0; i < ufunc->nargs; i++)
        Py_CLEAR(dtypes[i]);
    return -1;
}

void fastrelu_resolve_dtypes(PyObject *ufunc) { ((PyUFuncObject *)ufunc)->type_resolver = resolve; }
