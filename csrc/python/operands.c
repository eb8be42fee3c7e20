/* What the fast call, the functions of masks and the patch ask of Python objects. */

#define NO_IMPORT_ARRAY
#include "python/operands.h"
#include "python/limited_api.h"

#include <float.h>
#include <math.h>

int fastrelu_may_write(PyObject *array, const char *name)
{
    return PyArray_FailUnlessWriteable((PyArrayObject *)array, name) == 0;
}

/* A Python number takes the dtype of the array beside it (NEP 50), if it fits. */

static int read_float(double number, PyArray_Descr *dtype, PyObject *operand, char *value)
{
    const double magnitude = fabs(number);
    if (isnan(number))
        return 0;
    if (dtype->type_num == NPY_DOUBLE) {
        memcpy(value, &number, sizeof number);
        return 1;
    }
    if (dtype->type_num == NPY_FLOAT) {
        if (number != 0 && !isinf(number) && (magnitude > FLT_MAX || magnitude < FLT_MIN))
            return 0;
        const float single = (float)number;
        memcpy(value, &single, sizeof single);
        return 1;
    }
    if (number != 0 && !isinf(number) && (magnitude > 65504 || magnitude < 0x1p-14))
        return 0;
    return PyArray_Pack(dtype, value, operand) == 0;
}

static int read_integer(long long number, PyArray_Descr *dtype, char *value)
{
    const int bits = 8 * (int)PyDataType_ELSIZE(dtype);
    if (PyTypeNum_ISUNSIGNED(dtype->type_num)) {
        if (number < 0 || (bits < 64 && number >> bits != 0))
            return 0;
    } else if (bits < 64 && (number >> (bits - 1) != 0 && number >> (bits - 1) != -1))
        return 0;
    switch (bits) {
    case 8:
        memcpy(value, &(int8_t){(int8_t)number}, 1);
        break;
    case 16:
        memcpy(value, &(int16_t){(int16_t)number}, 2);
        break;
    case 32:
        memcpy(value, &(int32_t){(int32_t)number}, 4);
        break;
    default:
        memcpy(value, &number, 8);
    }
    return 1;
}

/* A number of another of NumPy's types, if that is promoted to the dtype. */
static int read_promoted(PyObject *operand, PyArray_Descr *dtype, char *value)
{
    PyArray_Descr *given =
        PyArray_IsScalar(operand, Number) ? PyArray_DescrFromScalar(operand)
        : PyArray_CheckExact(operand)
            ? (PyArray_Descr *)Py_NewRef((PyObject *)PyArray_DESCR((PyArrayObject *)operand))
            : NULL;
    PyArray_Descr *common = NULL;
    if (given && PyTypeNum_ISNUMBER(given->type_num) && PyTypeNum_ISNUMBER(dtype->type_num))
        common = PyArray_PromoteTypes(given, dtype);
    const int is_read =
        common && common->type_num == dtype->type_num && PyArray_Pack(dtype, value, operand) == 0;
    PyErr_Clear();
    Py_XDECREF((PyObject *)given);
    Py_XDECREF((PyObject *)common);
    return is_read;
}

int fastrelu_read_number(PyObject *operand, PyObject *object, char *value)
{
    PyArray_Descr *dtype = (PyArray_Descr *)object;

    if (PyArray_CheckExact(operand)) {
        PyArrayObject *array = (PyArrayObject *)operand;
        if (PyArray_NDIM(array) != 0)
            return 0;
        if (!fastrelu_is_plain_array(operand, dtype->type_num))
            return read_promoted(operand, dtype, value);
        memcpy(value, PyArray_DATA(array), PyDataType_ELSIZE(dtype));
        return 1;
    }
    if (Py_TYPE(operand) == dtype->typeobj && PyTypeNum_ISNUMBER(dtype->type_num)) {
        PyArray_ScalarAsCtype(operand, value);
        return 1;
    }
    if (PyFloat_CheckExact(operand))
        return PyTypeNum_ISFLOAT(dtype->type_num) &&
               read_float(PyFloat_AS_DOUBLE(operand), dtype, operand, value);
    if (PyLong_CheckExact(operand) || PyBool_Check(operand)) {
        int overflow;
        const long long number = PyLong_AsLongLongAndOverflow(operand, &overflow);
        const long long exact = 1LL << DBL_MANT_DIG;
        if (overflow)
            return 0;
        if (PyTypeNum_ISINTEGER(dtype->type_num))
            return read_integer(number, dtype, value);
        return PyTypeNum_ISFLOAT(dtype->type_num) && -exact <= number && number <= exact &&
               read_float((double)number, dtype, operand, value);
    }
    return read_promoted(operand, dtype, value);
}
