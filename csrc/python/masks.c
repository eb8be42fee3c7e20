/* The functions of masks: contiguous operands go to a kernel, others to fastrelu.reference, which
   converts them or raises. */

#include "python/masks.h"

#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

#include "python/memory.h"
#include "python/operands.h"
#include "python/resolve.h"
#include "python/types.h"
#include "runtime/execute.h"

static PyObject *reference;

int fastrelu_init_masks(PyObject *module)
{
    PyObject *before = reference;
    reference = Py_NewRef(module);
    Py_XDECREF(before);
    return 0;
}

static npy_intp mask_length(npy_intp n) { return (n + 7) / 8; }

static int is_contiguous(PyObject *operand, int type_num)
{
    return fastrelu_is_plain_array(operand, type_num) &&
           PyArray_IS_C_CONTIGUOUS((PyArrayObject *)operand);
}

/* Calls a check of the reference. False with an exception. */
static int call_reference(const char *check, PyObject *a, PyObject *b)
{
    PyObject *name = PyUnicode_FromString(check);
    PyObject *done = name ? PyObject_CallMethodObjArgs(reference, name, a, b, NULL) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(done);
    return done != NULL;
}

/* The operand itself if a kernel takes it as it is, otherwise the array that the reference makes of
   it: *made then owns it. */
static PyObject *contiguous_operand(const char *name, PyObject *given, PyObject **made)
{
    if (PyArray_CheckExact(given)) {
        const int type_num = PyArray_TYPE((PyArrayObject *)given);
        if (fastrelu_dtype_of(type_num) >= 0 && is_contiguous(given, type_num))
            return given;
    }
    PyObject *array = PyObject_CallMethod(reference, "contiguous_operand", "sO", name, given);
    if (array && fastrelu_ensure_loops((PyObject *)PyArray_DESCR((PyArrayObject *)array)) < 0)
        Py_CLEAR(array);
    return *made = array;
}

static PyObject *output_like(PyObject *operand)
{
    PyArrayObject *array = (PyArrayObject *)operand;
    return fastrelu_new_array((PyObject *)PyArray_DESCR(array), PyArray_NDIM(array),
                              PyArray_DIMS(array), NULL, 0);
}

/* Whether out may be the output for an operand. False with an exception. */
static int check_out(PyObject *out, PyObject *operand)
{
    if ((!is_contiguous(out, PyArray_TYPE((PyArrayObject *)operand)) ||
         !fastrelu_same_shape(out, operand) || !PyArray_ISWRITEABLE((PyArrayObject *)out)) &&
        !call_reference("check_out", out, operand))
        return 0;
    return fastrelu_may_write(out, "out");
}

/* Whether mask may be that of an operand of n elements. False with an exception. */
static int check_mask(PyObject *mask, PyObject *operand, npy_intp n, int written)
{
    if (!is_contiguous(mask, NPY_UINT8) || PyArray_NDIM((PyArrayObject *)mask) != 1 ||
        PyArray_DIM((PyArrayObject *)mask, 0) != mask_length(n) ||
        (written && !PyArray_ISWRITEABLE((PyArrayObject *)mask))) {
        if (!call_reference(written ? "check_written_mask" : "check_mask", mask, operand))
            return 0;
    }
    return !written || fastrelu_may_write(mask, "mask");
}

static char *data_of(PyObject *array) { return PyArray_BYTES((PyArrayObject *)array); }

static int share_memory(PyObject *a, npy_intp a_bytes, PyObject *b, npy_intp b_bytes)
{
    const char *p = data_of(a), *q = data_of(b);
    return p < q + b_bytes && q < p + a_bytes;
}

/* Neither the same memory nor disjoint. */
static int share_partly(PyObject *a, PyObject *b, npy_intp bytes)
{
    return data_of(a) != data_of(b) && share_memory(a, bytes, b, bytes);
}

/* Replaces an operand by a copy, which *made owns. False with an exception. */
static int copy_operand(PyObject **operand, PyObject **made)
{
    PyObject *before = *made;
    *operand = *made = PyArray_NewCopy((PyArrayObject *)*operand, NPY_CORDER);
    Py_XDECREF(before);
    return *operand != NULL;
}

static void execute(const struct fastrelu_mask_kernel *kernel, PyObject *operand, PyObject *y,
                    PyObject *mask, npy_intp n)
{
    char *args[] = {data_of(operand), data_of(y), data_of(mask)};
    NPY_BEGIN_THREADS_DEF

    NPY_BEGIN_THREADS_THRESHOLDED(n);
    fastrelu_execute_masked(kernel, args, (size_t)n);
    NPY_END_THREADS;
}

/* 0 or 1; -1 with an exception. 0 if it is not given. */
static int read_at_zero(PyObject *at_zero)
{
    if (at_zero == NULL)
        return 0;
    if (PyLong_CheckExact(at_zero)) {
        int overflow;
        const long number = PyLong_AsLongAndOverflow(at_zero, &overflow);
        if (!overflow && (number == 0 || number == 1))
            return (int)number;
    }
    return call_reference("check_at_zero", at_zero, NULL) ? PyObject_IsTrue(at_zero) : -1;
}

/* A dtype without kernels, for example longdouble. */
static PyObject *with_mask_by_reference(PyObject *operand, PyObject *out, PyObject *mask,
                                        int at_zero)
{
    PyObject *function = PyObject_GetAttrString(reference, "relu_with_mask");
    PyObject *args = PyTuple_Pack(3, operand, out, mask);
    PyObject *keywords = Py_BuildValue("{s:i}", "at_zero", at_zero);
    PyObject *result =
        function && args && keywords ? PyObject_Call(function, args, keywords) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    return result;
}

PyObject *fastrelu_relu_with_mask(const struct fastrelu_isa *isa, PyObject *x, PyObject *out,
                                  PyObject *mask, PyObject *at_zero)
{
    const int zero_passes = read_at_zero(at_zero);
    PyObject *made = NULL, *made_y = NULL, *made_bits = NULL, *result = NULL;
    PyObject *operand = zero_passes < 0 ? NULL : contiguous_operand("x", x, &made);
    if (operand == NULL)
        return NULL;

    const int dtype = fastrelu_dtype_of(PyArray_TYPE((PyArrayObject *)operand));
    if (dtype < 0) {
        result = with_mask_by_reference(operand, out, mask, zero_passes);
        goto done;
    }
    const struct fastrelu_mask_kernel *kernel = &isa->relu_with_mask[zero_passes][dtype];
    const npy_intp n = PyArray_SIZE((PyArrayObject *)operand),
                   bytes = n * (npy_intp)kernel->itemsize;
    npy_intp length = mask_length(n);
    if (mask != Py_None && !check_mask(mask, operand, n, 1))
        goto done;
    if (out != Py_None && !check_out(out, operand))
        goto done;
    PyObject *const y = out != Py_None ? out : (made_y = output_like(operand));
    PyObject *const bits =
        mask != Py_None ? mask : (made_bits = PyArray_EMPTY(1, &length, NPY_UINT8, 0));
    if (y == NULL || bits == NULL)
        goto done;
    if (share_memory(y, bytes, bits, length) && !call_reference("check_apart", y, bits))
        goto done;
    if ((share_memory(operand, bytes, bits, length) || share_partly(operand, y, bytes)) &&
        !copy_operand(&operand, &made))
        goto done;
    execute(kernel, operand, y, bits, n);
    result = PyTuple_Pack(2, y, bits);

done:
    Py_XDECREF(made);
    Py_XDECREF(made_y);
    Py_XDECREF(made_bits);
    return result;
}

PyObject *fastrelu_relu_backward_from_mask(const struct fastrelu_isa *isa, PyObject *grad,
                                           PyObject *mask, PyObject *out)
{
    PyObject *made = NULL, *made_bits = NULL, *bits = mask, *y = NULL;
    PyObject *operand = contiguous_operand("grad", grad, &made);
    if (operand == NULL)
        return NULL;

    const int dtype = fastrelu_dtype_of(PyArray_TYPE((PyArrayObject *)operand));
    if (dtype < 0) {
        y = PyObject_CallMethod(reference, "relu_backward_from_mask", "OOO", operand, mask, out);
        goto done;
    }
    const struct fastrelu_mask_kernel *kernel = &isa->relu_backward_from_mask[dtype];
    const npy_intp n = PyArray_SIZE((PyArrayObject *)operand),
                   bytes = n * (npy_intp)kernel->itemsize;
    if (!check_mask(mask, operand, n, 0) || (out != Py_None && !check_out(out, operand)))
        goto done;
    y = out == Py_None ? output_like(operand) : Py_NewRef(out);
    if (y == NULL)
        goto done;
    if ((share_partly(operand, y, bytes) && !copy_operand(&operand, &made)) ||
        (share_memory(bits, mask_length(n), y, bytes) && !copy_operand(&bits, &made_bits))) {
        Py_CLEAR(y);
        goto done;
    }
    execute(kernel, operand, y, bits, n);

done:
    Py_XDECREF(made);
    Py_XDECREF(made_bits);
    return y;
}
