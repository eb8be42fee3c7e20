# cython: language_level=3
"""Makes the functions of each set: the one place where the kernels of csrc/ meet Python."""

from collections import namedtuple

cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc

import numpy as np

from fastrelu import reference

cdef extern from "kernels/kernels.h":
    enum:
        FASTRELU_N_OPERATIONS
        FASTRELU_N_DTYPES
        FASTRELU_relu
        FASTRELU_u8
    struct fastrelu_kernel:
        int inputs
    struct fastrelu_mask_kernel:
        pass
    struct fastrelu_isa:
        const char *name
        int (*runs_here)()
        fastrelu_kernel kernels[FASTRELU_N_OPERATIONS][FASTRELU_N_DTYPES]
        fastrelu_mask_kernel relu_with_mask[2][FASTRELU_N_DTYPES]
        fastrelu_mask_kernel relu_backward_from_mask[FASTRELU_N_DTYPES]
    const fastrelu_isa *fastrelu_compiled_isas[]
    const char *fastrelu_operation_names[]
    const char *fastrelu_dtype_names[]

cdef extern from "runtime/blocks.h":
    struct cache_counts "fastrelu_cache_info":
        size_t hits, misses, held, limit
    cache_counts fastrelu_get_cache_info()
    void fastrelu_set_cache_limit(size_t size)
    void fastrelu_clear_cache()
    void fastrelu_set_idle_seconds(double seconds)
    void fastrelu_init_memory()

cdef extern from "python/memory.h":
    object fastrelu_new_array(object dtype, int ndim, const cnp.npy_intp *shape,
                              const cnp.npy_intp *strides)

cdef extern from "runtime/threads.h":
    enum:
        FASTRELU_MAX_THREADS
    void fastrelu_init_threads()
    int fastrelu_get_num_threads()
    void fastrelu_set_num_threads(int n)

cdef extern from "runtime/execute.h":
    struct thresholds "fastrelu_thresholds":
        size_t parallel_bytes
        size_t streaming_bytes
    thresholds fastrelu_thresholds
    enum:
        FASTRELU_ANY_ORDER
    void fastrelu_execute_contiguous(const fastrelu_kernel *kernel, char **args, size_t n, int order) nogil
    void fastrelu_execute_masked(const fastrelu_mask_kernel *kernel, char **args, size_t n) nogil

cdef extern from "numpy/arrayobject.h":
    int PyArray_FailUnlessWriteable(cnp.ndarray array, const char *name) except -1

cdef extern from "python/types.h":
    enum:
        FASTRELU_TYPES
    signed char fastrelu_dtypes[FASTRELU_TYPES]
    int fastrelu_dtype_of(int type_num) nogil

cdef extern from "kernels/plain.h":
    cnp.PyUFuncGenericFunction fastrelu_relu_longdouble
    cnp.PyUFuncGenericFunction fastrelu_relu_cfloat
    cnp.PyUFuncGenericFunction fastrelu_relu_cdouble
    cnp.PyUFuncGenericFunction fastrelu_relu_clongdouble
    cnp.PyUFuncGenericFunction fastrelu_relu_timedelta
    cnp.PyUFuncGenericFunction fastrelu_relu_backward_longdouble

cdef extern from "python/loops.h":
    cnp.PyUFuncGenericFunction fastrelu_kernel_loop
    cnp.PyUFuncGenericFunction fastrelu_relu_object

cdef extern from "python/fast_call.h":
    int fastrelu_install_vectorcall(object ufunc) except -1

cdef extern from "python/patch.h":
    enum:
        FASTRELU_NOT_PATCHED
        FASTRELU_PATCHED_OVER
    void fastrelu_choose_for_maximum(int zero_operand, int type_num, object ufunc)
    bint fastrelu_patch_maximum(object maximum)
    int fastrelu_unpatch_maximum()
    bint fastrelu_maximum_is_patched()

cdef extern from "python/resolve.h":
    int fastrelu_ensure_loops(object dtype) except -1
    int (*fastrelu_register_user_dtype)(object dtype) except -1
    void fastrelu_resolve_dtypes(object ufunc)

cdef extern from *:
    """
    #if defined(__clang__) || !defined(__GNUC__)
    #define FASTRELU_COMPILER __VERSION__
    #else
    #define FASTRELU_COMPILER "GCC " __VERSION__
    #endif
    """
    const char *FASTRELU_COMPILER

cnp.import_array()
cnp.import_umath()
fastrelu_init_threads()
fastrelu_init_memory()

# NumPy's types with kernels. NumPy searches the loops in order and takes the first that its input
# casts to safely: integers first, then floats, each by size.
KERNEL_TYPES = "bBhHiIlLqQefd"

cdef enum:
    MOST_LOOPS = 24

# What NumPy keeps pointers to: it lives as long as the ufunc, which is for ever.
cdef struct LoopTable:
    cnp.PyUFuncGenericFunction functions[MOST_LOOPS]
    void *data[MOST_LOOPS]
    char types[3 * MOST_LOOPS]
    int length

cdef list docs = []
cdef list ufuncs = []

DTYPES = [fastrelu_dtype_names[i].decode() for i in range(FASTRELU_N_DTYPES)]
for type_num in range(FASTRELU_TYPES):
    fastrelu_dtypes[type_num] = -1
for type_char in KERNEL_TYPES:
    dtype = np.dtype(type_char)
    fastrelu_dtypes[dtype.num] = DTYPES.index(f"{dtype.kind}{8 * dtype.itemsize}")


cdef int add_kernels(object dtype) except -1:
    """Give all ufuncs the loop of a type of ml_dtypes; to any other type, nothing."""
    cdef cnp.ufunc ufunc
    name = reference.name_in_ml_dtypes(dtype)
    if name not in DTYPES:
        return 0
    element = DTYPES.index(name)
    for ufunc in ufuncs:
        cnp.PyUFunc_RegisterLoopForType(
            ufunc, dtype.num, fastrelu_kernel_loop, NULL,
            <fastrelu_kernel *> ufunc.data[0] + <int> element)
    if dtype.num < FASTRELU_TYPES:
        fastrelu_dtypes[dtype.num] = element
    return 0


fastrelu_register_user_dtype = add_kernels


cdef void add_loop(
    LoopTable *table, cnp.PyUFuncGenericFunction function, const void *data, str types
) except *:
    if table.length == MOST_LOOPS:
        raise OverflowError("more loops than a LoopTable holds")
    for position, type_char in enumerate(types):
        table.types[table.length * len(types) + position] = np.dtype(type_char).num
    table.functions[table.length] = function
    table.data[table.length] = <void *> data
    table.length += 1


cdef void add_kernel_loops(LoopTable *table, const fastrelu_kernel *kernels) except *:
    for type_char in KERNEL_TYPES:
        kernel = &kernels[fastrelu_dtype_of(np.dtype(type_char).num)]
        add_loop(table, fastrelu_kernel_loop, kernel, type_char * (kernel.inputs + 1))


cdef void add_plain_loops(LoopTable *table, str operation) except *:
    if operation == "relu":
        add_loop(table, fastrelu_relu_longdouble, NULL, "gg")
        add_loop(table, fastrelu_relu_cfloat, NULL, "FF")
        add_loop(table, fastrelu_relu_cdouble, NULL, "DD")
        add_loop(table, fastrelu_relu_clongdouble, NULL, "GG")
        add_loop(table, fastrelu_relu_timedelta, NULL, "mm")
        add_loop(table, fastrelu_relu_object, NULL, "OO")
    elif operation == "relu_backward":
        add_loop(table, fastrelu_relu_backward_longdouble, NULL, "ggg")


cdef make_ufunc(const fastrelu_isa *isa, int operation):
    name = fastrelu_operation_names[operation]
    table = <LoopTable *> PyMem_Calloc(1, sizeof(LoopTable))
    if table == NULL:
        raise MemoryError()
    add_kernel_loops(table, isa.kernels[operation])
    add_plain_loops(table, name.decode())
    docs.append(getattr(reference, name.decode()).__doc__.encode())
    ufunc = cnp.PyUFunc_FromFuncAndData(
        table.functions, table.data, table.types, table.length,
        isa.kernels[operation][0].inputs, 1, cnp.PyUFunc_None, name, docs[-1], 0)
    ufuncs.append(ufunc)
    fastrelu_resolve_dtypes(ufunc)
    fastrelu_install_vectorcall(ufunc)
    try:
        ufunc.__module__ = "fastrelu"
        ufunc.__qualname__ = name.decode()
    except AttributeError:  # before NumPy 2.2; pickle then searches the modules for it
        pass
    return ufunc


cdef enum:
    GIL_THRESHOLD = 500  # elements: up to so many, as NumPy's own loops do

cdef inline cnp.ndarray contiguous_operand(str name, object given):
    """The array if kernels take it as it is; else what the reference makes of it."""
    cdef cnp.ndarray array
    if cnp.PyArray_CheckExact(given):
        array = given
        if (cnp.PyArray_IS_C_CONTIGUOUS(array) and cnp.PyArray_ISNOTSWAPPED(array)
                and fastrelu_dtype_of(cnp.PyArray_TYPE(array)) >= 0):
            return array
    array = reference.contiguous_operand(name, given)
    fastrelu_ensure_loops(array.dtype)
    return array


cdef inline bint is_like(object given, int type_num, int ndim, const cnp.npy_intp *shape):
    """Whether it is a C-contiguous ndarray of that type and shape, and of no subclass."""
    if not cnp.PyArray_CheckExact(given):
        return False
    cdef cnp.ndarray array = given
    if (cnp.PyArray_NDIM(array) != ndim or cnp.PyArray_TYPE(array) != type_num
            or not cnp.PyArray_ISNOTSWAPPED(array) or not cnp.PyArray_IS_C_CONTIGUOUS(array)):
        return False
    for axis in range(ndim):
        if cnp.PyArray_DIM(array, axis) != shape[axis]:
            return False
    return True


cdef cnp.ndarray output(object given, cnp.ndarray operand):
    cdef int type_num = cnp.PyArray_TYPE(operand), ndim = cnp.PyArray_NDIM(operand)
    if given is None:
        return fastrelu_new_array(operand.dtype, ndim, cnp.PyArray_DIMS(operand), NULL)
    if (not is_like(given, type_num, ndim, cnp.PyArray_DIMS(operand))
            or not cnp.PyArray_ISWRITEABLE(given)):
        reference.check_out(given, operand)
    PyArray_FailUnlessWriteable(given, "out")
    return given


cdef cnp.ndarray mask_of(object given, cnp.ndarray operand, bint written):
    cdef cnp.npy_intp length = (cnp.PyArray_SIZE(operand) + 7) // 8
    if (not is_like(given, cnp.NPY_UINT8, 1, &length)
            or (written and not cnp.PyArray_ISWRITEABLE(given))):
        reference.check_mask(given, operand, written=written)
    if written:
        PyArray_FailUnlessWriteable(given, "mask")
    return given


cdef inline bint overlap(cnp.ndarray a, cnp.ndarray b):
    cdef char *p = cnp.PyArray_BYTES(a)
    cdef char *q = cnp.PyArray_BYTES(b)
    return p < q + cnp.PyArray_NBYTES(b) and q < p + cnp.PyArray_NBYTES(a)


cdef inline void run_masked(
    const fastrelu_mask_kernel *kernel, cnp.ndarray operand, cnp.ndarray y, cnp.ndarray mask
):
    cdef char *args[3]
    cdef size_t n = cnp.PyArray_SIZE(operand)
    args[0] = cnp.PyArray_BYTES(operand)
    args[1] = cnp.PyArray_BYTES(y)
    args[2] = cnp.PyArray_BYTES(mask)
    if n <= GIL_THRESHOLD:
        fastrelu_execute_masked(kernel, args, n)
    else:
        with nogil:
            fastrelu_execute_masked(kernel, args, n)


def make_mask_functions(int number):
    """Return relu_with_mask and relu_backward_from_mask of a set, by its number in the list."""
    cdef const fastrelu_isa *isa = fastrelu_compiled_isas[number]

    def relu_with_mask(x, out=None, mask=None, *, at_zero=0):
        if type(at_zero) is not int or not 0 <= at_zero <= 1:
            reference.check_at_zero(at_zero)
        cdef cnp.ndarray operand = contiguous_operand("x", x), y, bits
        cdef cnp.npy_intp length = (cnp.PyArray_SIZE(operand) + 7) // 8
        cdef int element = fastrelu_dtype_of(cnp.PyArray_TYPE(operand))
        if element < 0:
            return reference.relu_with_mask(operand, out, mask, at_zero=at_zero)
        if mask is not None:
            bits = mask_of(mask, operand, True)
        y = output(out, operand)
        if mask is None:
            bits = cnp.PyArray_EMPTY(1, &length, cnp.NPY_UINT8, False)
        else:
            if overlap(y, bits):
                reference.check_apart(y, bits)
            if overlap(operand, bits):
                operand = np.array(operand)
        if (out is not None and cnp.PyArray_BYTES(operand) != cnp.PyArray_BYTES(y)
                and overlap(operand, y)):
            operand = np.array(operand)
        run_masked(&isa.relu_with_mask[1 if at_zero else 0][element], operand, y, bits)
        return y, bits

    def relu_backward_from_mask(grad, mask, out=None):
        cdef cnp.ndarray operand = contiguous_operand("grad", grad), y, bits
        cdef int element = fastrelu_dtype_of(cnp.PyArray_TYPE(operand))
        if element < 0:
            return reference.relu_backward_from_mask(operand, mask, out)
        bits = mask_of(mask, operand, False)
        y = output(out, operand)
        if out is not None:
            if cnp.PyArray_BYTES(operand) != cnp.PyArray_BYTES(y) and overlap(operand, y):
                operand = np.array(operand)
            if overlap(bits, y):
                bits = np.array(bits)
        run_masked(&isa.relu_backward_from_mask[element], operand, y, bits)
        return y

    for function in relu_with_mask, relu_backward_from_mask:
        function.__doc__ = getattr(reference, function.__name__).__doc__
        function.__module__ = "fastrelu"
        function.__qualname__ = function.__name__
    return relu_with_mask, relu_backward_from_mask


Operation = namedtuple("Operation", ["inputs", "types", "status", "numbers"], module="fastrelu._core")
Operation.__doc__ = """What kernels a function has, as the list in csrc/kernels/kernels.h says.

inputs: how many. types: the characters of NumPy's types with kernels. status: "quiet" if it raises
no floating-point flag, "ieee" if it reports those of its arithmetic. numbers: which inputs a kernel
takes as one number.
"""

OPERATIONS = {
    fastrelu_operation_names[i].decode(): Operation(
        fastrelu_compiled_isas[0].kernels[i][0].inputs, KERNEL_TYPES, "quiet", ())
    for i in range(FASTRELU_N_OPERATIONS)
}
MAX_THREADS = FASTRELU_MAX_THREADS

Implementation = namedtuple(
    "Implementation",
    [*OPERATIONS, "relu_with_mask", "relu_backward_from_mask"],
    module="fastrelu",
)
Implementation.__doc__ = "The functions of one instruction set."

compiler = FASTRELU_COMPILER.decode()
compiled_isas = []
implementations = {}

cdef int i = 0
cdef const fastrelu_isa *best = NULL
while fastrelu_compiled_isas[i] != NULL:
    compiled_isas.append(fastrelu_compiled_isas[i].name.decode())
    if fastrelu_compiled_isas[i].runs_here():
        if best == NULL:
            best = fastrelu_compiled_isas[i]
        pair = [make_ufunc(fastrelu_compiled_isas[i], operation) for operation in range(len(OPERATIONS))]
        implementations[compiled_isas[-1]] = Implementation(*pair, *make_mask_functions(i))
    i += 1


def choose_for_maximum(bint zero_is_last, dtype, ufunc):
    fastrelu_choose_for_maximum(zero_is_last, dtype.num, ufunc)


def patch_maximum(maximum):
    if not fastrelu_patch_maximum(maximum):
        raise RuntimeError(
            "np.maximum cannot be patched: it is not a ufunc of this NumPy that can be called by "
            f"vectorcall, but {maximum!r} of NumPy {np.__version__}")


def unpatch_maximum():
    result = fastrelu_unpatch_maximum()
    if result == FASTRELU_NOT_PATCHED:
        raise RuntimeError("np.maximum is not patched")
    if result == FASTRELU_PATCHED_OVER:
        raise RuntimeError("np.maximum has been changed by another since it was patched")


def maximum_is_patched():
    return fastrelu_maximum_is_patched()


def get_num_threads():
    return fastrelu_get_num_threads()


def set_num_threads(int n):
    fastrelu_set_num_threads(n)


def set_thresholds(size_t parallel_bytes, size_t streaming_bytes):
    """Set from how many bytes moved on a call is parallel, and its stores are non-temporal."""
    fastrelu_thresholds.parallel_bytes = parallel_bytes
    fastrelu_thresholds.streaming_bytes = streaming_bytes


def get_thresholds():
    return fastrelu_thresholds.parallel_bytes, fastrelu_thresholds.streaming_bytes


def cache_info():
    cdef cache_counts info = fastrelu_get_cache_info()
    return info.hits, info.misses, info.held, info.limit


def set_cache_limit(size_t size):
    fastrelu_set_cache_limit(size)


def clear_cache():
    fastrelu_clear_cache()


def set_idle_seconds(double seconds):
    fastrelu_set_idle_seconds(seconds)


def copy(cnp.ndarray source, cnp.ndarray target, bint streaming):
    """Copy as relu goes, with all threads: the limit that benchmarks hold it against."""
    cdef char *args[2]
    cdef size_t n = cnp.PyArray_NBYTES(source), before = fastrelu_thresholds.streaming_bytes
    if cnp.PyArray_NBYTES(target) != <cnp.npy_intp> n or not (
            source.flags.c_contiguous and target.flags.c_contiguous and target.flags.writeable):
        raise ValueError("contiguous arrays of as many bytes are needed, the second one writable")
    args[0] = cnp.PyArray_BYTES(source)
    args[1] = cnp.PyArray_BYTES(target)
    fastrelu_thresholds.streaming_bytes = 0 if streaming else <size_t> -1
    try:
        with nogil:  # of unsigned integers relu keeps all
            fastrelu_execute_contiguous(
                &best.kernels[FASTRELU_relu][FASTRELU_u8], args, n, FASTRELU_ANY_ORDER)
    finally:
        fastrelu_thresholds.streaming_bytes = before
