/* Which loop a ufunc takes for its operands. NumPy decides, with these exceptions: dtypes of
   ml_dtypes get their loops when they are met, other user-defined dtypes are refused, a timedelta
   keeps its unit, bool gives the default integer instead of int8, the first loop that it fits, a
   sum or a difference of datetimes has the dtypes that NumPy gives it, and what computes with
   floats alone takes integers where NumPy's arithmetic makes floats of them.

   NumPy asks the type resolver for every combination of dtypes that is new to a ufunc, before it
   looks for a loop: a loop registered here is found in the same call. tests/ecosystem/
   test_ml_dtypes.py fails where a NumPy does otherwise. An import hook would miss an ml_dtypes that
   was imported first, and NumPy 2.0 and later also offer PyUFunc_AddLoopFromSpec, which registers
   dtypes as early, but takes neither the rule for timedelta nor a plain inner loop. */

#include "python/resolve.h"

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include "python/fast_call.h"
#include "python/limited_api.h"
#include "python/types.h"

int (*fastrelu_register_user_dtype)(PyObject *dtype);

int fastrelu_ensure_loops(PyObject *dtype)
{
    const int type_num = ((PyArray_Descr *)dtype)->type_num;
    if (!PyTypeNum_ISUSERDEF(type_num))
        return 0;
    return fastrelu_dtype_of(type_num) < 0 ? fastrelu_register_user_dtype(dtype) : 1;
}

/* signature: NULL, or a tuple that asks for a type where it does not hold None. */
static PyArray_Descr *asked_for(PyObject *signature, int operand)
{
    PyObject *dtype =
        signature && PyTuple_Check(signature) ? PyTuple_GET_ITEM(signature, operand) : NULL;
    return dtype && PyArray_DescrCheck(dtype) ? (PyArray_Descr *)dtype : NULL;
}

static int allows(const PyUFuncObject *ufunc, PyObject *signature, int type_num)
{
    for (int i = 0; i < ufunc->nargs; i++) {
        const PyArray_Descr *dtype = asked_for(signature, i);
        if (dtype && dtype->type_num != type_num)
            return 0;
    }
    return 1;
}

static int has_kernel(const PyUFuncObject *ufunc, int type_num)
{
    const int dtype = fastrelu_dtype_of(type_num);
    return dtype >= 0 && fastrelu_kernels_of((PyObject *)ufunc)[dtype].contiguous != NULL;
}

/* Ensures the loops of a user-defined dtype. It is an error if there are none, and NumPy would cast
   to a dtype that does not hold its values, or not in its arithmetic. What remains are the complex
   numbers of ml_dtypes, which NumPy casts to its own for relu. */
static int check_user_dtype(const PyUFuncObject *ufunc, PyArray_Descr *dtype)
{
    const int of_ml_dtypes = fastrelu_ensure_loops((PyObject *)dtype);
    if (of_ml_dtypes < 0)
        return -1;
    if (!PyTypeNum_ISUSERDEF(dtype->type_num) || has_kernel(ufunc, dtype->type_num) ||
        (of_ml_dtypes && ufunc->obj == NULL))
        return 0;
    PyErr_Format(PyExc_TypeError, "ufunc '%s' has no loop for the dtype %S", ufunc->name, dtype);
    return -1;
}

/* Of the user-defined dtypes that the signature asks for, *wanted is the last: NumPy looks for its
   loop only where an operand is of such a dtype. */
static int check_user_dtypes(const PyUFuncObject *ufunc, PyArrayObject **operands,
                             PyObject *signature, PyArray_Descr **wanted)
{
    *wanted = NULL;
    for (int i = 0; i < ufunc->nargs; i++) {
        PyArray_Descr *given = asked_for(signature, i);
        if (i < ufunc->nin && check_user_dtype(ufunc, PyArray_DESCR(operands[i])) < 0)
            return -1;
        if (operands[i] && fastrelu_ensure_loops((PyObject *)PyArray_DESCR(operands[i])) < 0)
            return -1;
        if (given && check_user_dtype(ufunc, given) < 0)
            return -1;
        if (given && PyTypeNum_ISUSERDEF(given->type_num) && has_kernel(ufunc, given->type_num))
            *wanted = given;
    }
    return 0;
}

/* Whether NumPy's function decides: for datetimes, for bool where it has no loop of it, and for all
   where the first loop is one of floats. */
static int follows_model(const PyUFuncObject *ufunc, PyArrayObject **operands)
{
    int bools = 0;
    if (PyTypeNum_ISFLOAT(ufunc->types[0]))
        return 1;
    for (int i = 0; i < ufunc->nin; i++) {
        const int type_num = PyArray_TYPE(operands[i]);
        if (PyTypeNum_ISDATETIME(type_num))
            return 1;
        bools += PyTypeNum_ISBOOL(type_num);
    }
    return bools == ufunc->nin && ufunc->types[0] != NPY_BOOL;
}

static int resolve(PyUFuncObject *ufunc, NPY_CASTING casting, PyArrayObject **operands,
                   PyObject *signature, PyArray_Descr **dtypes)
{
    PyArray_Descr *dtype;

    if (check_user_dtypes(ufunc, operands, signature, &dtype) < 0)
        return -1;
    if (dtype && allows(ufunc, signature, dtype->type_num))
        dtype = PyArray_DescrNewByteorder(dtype, NPY_NATIVE);
    else if (ufunc->nin == 1 && PyArray_TYPE(operands[0]) == NPY_TIMEDELTA &&
             allows(ufunc, signature, NPY_TIMEDELTA))
        dtype = PyArray_DescrNewByteorder(PyArray_DESCR(operands[0]), NPY_NATIVE);
    else if (ufunc->nin == 1 && PyArray_TYPE(operands[0]) == NPY_BOOL &&
             allows(ufunc, signature, NPY_INTP))
        dtype = PyArray_DescrFromType(NPY_INTP);
    else if (ufunc->obj && follows_model(ufunc, operands))
        return ((PyUFuncObject *)ufunc->obj)
            ->type_resolver(ufunc, casting, operands, signature, dtypes);
    else
        return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, signature, dtypes);
    if (dtype == NULL)
        return -1;
    for (int i = 0; i < ufunc->nargs; i++)
        dtypes[i] = (PyArray_Descr *)Py_NewRef((PyObject *)dtype);
    Py_DECREF(dtype);
    if (PyUFunc_ValidateCasting(ufunc, casting, operands, dtypes) == 0)
        return 0;
    for (int i = 0; i < ufunc->nargs; i++)
        Py_CLEAR(dtypes[i]);
    return -1;
}

void fastrelu_resolve_dtypes(PyObject *object, PyObject *model)
{
    PyUFuncObject *ufunc = (PyUFuncObject *)object;
    ufunc->type_resolver = resolve;
    if (model != Py_None && ufunc->obj == NULL)
        ufunc->obj = Py_NewRef(model);
}
