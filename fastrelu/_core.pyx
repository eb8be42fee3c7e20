# cython: language_level=3, freethreading_compatible=True
"""Makes the functions of each instruction set: the boundary between the C of csrc/ and Python."""

import os
from collections import namedtuple
from functools import partial
from _thread import RLock
from types import SimpleNamespace

cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc
from libc.stdint cimport uint32_t

import numpy as np

from fastrelu import reference

cdef extern from "kernels/kernels.h":
    enum:
        FASTRELU_N_OPERATIONS
        FASTRELU_N_DTYPES
        FASTRELU_MAX_LANES
        FASTRELU_relu
        FASTRELU_i8
        FASTRELU_u8
        FASTRELU_IEEE
    struct fastrelu_kernel:
        void *contiguous
        int inputs
        int numbers
        int status
    struct fastrelu_isa:
        const char *name
        int (*runs_here)()
        fastrelu_kernel kernels[FASTRELU_N_OPERATIONS][FASTRELU_N_DTYPES]
    const fastrelu_isa *fastrelu_compiled_isas[]
    const char *fastrelu_operation_names[]
    const char *fastrelu_operation_models[]
    const char *fastrelu_dtype_names[]

cdef extern from "kernels/plain.h":
    """
    _Static_assert(sizeof(fastrelu_longdouble) == NPY_SIZEOF_LONGDOUBLE, "NumPy's is another type");
    """
    struct fastrelu_plain:
        const char *operation
        const char *types
    const fastrelu_plain fastrelu_plain_loops[]

cdef extern from "check/floats.h":
    struct fastrelu_sweep:
        pass
    struct fastrelu_mismatch:
        pass
    int fastrelu_check_floats(
        const fastrelu_isa **isas, const fastrelu_sweep *sweep, uint32_t first, uint32_t step,
        uint32_t n, fastrelu_mismatch *mismatches, int n_mismatches) nogil

cdef extern from "runtime/blocks.h":
    struct cache_counts "fastrelu_cache_info":
        size_t hits, misses, held, limit
    cache_counts fastrelu_get_cache_info()
    void fastrelu_set_cache_limit(size_t size)
    void fastrelu_set_huge_pages(bint wanted)
    void fastrelu_clear_cache()
    void fastrelu_set_idle_seconds(double seconds)
    void fastrelu_init_memory()

cdef extern from "runtime/threads.h":
    enum:
        FASTRELU_MAX_THREADS
    void fastrelu_init_threads()
    int fastrelu_get_num_threads() nogil
    void fastrelu_set_num_threads(int n)

cdef extern from "runtime/execute.h":
    enum:
        FASTRELU_MIN_CHUNK
    struct thresholds "fastrelu_thresholds":
        size_t parallel_bytes, parallel_bytes_each
        size_t woken_bytes, woken_bytes_each
        size_t streaming_bytes, streaming_bytes_each, streaming_bytes_most
    thresholds fastrelu_current_thresholds
    void fastrelu_execute(
        const fastrelu_kernel *kernel, char **args, const Py_ssize_t *steps, size_t n) nogil
    void fastrelu_execute_chunks(const fastrelu_kernel *kernel, char **args,
                                 const Py_ssize_t *steps, size_t n, int n_threads,
                                 bint streaming) nogil

cdef extern from "python/types.h":
    enum:
        FASTRELU_TYPES
    int fastrelu_dtypes[FASTRELU_TYPES]
    int fastrelu_dtype_of(int type_num)

cdef extern from "python/loops.h":
    cnp.PyUFuncGenericFunction fastrelu_kernel_loop
    cnp.PyUFuncGenericFunction fastrelu_plain_inner_loop
    struct fastrelu_object_loop:
        const char *operation
        int inputs
        cnp.PyUFuncGenericFunction loop
    const fastrelu_object_loop fastrelu_object_loops[]

cdef extern from "python/operands.h":
    enum:
        FASTRELU_GIL_THRESHOLD

cdef extern from "python/memory.h":
    int fastrelu_init_memory_handler() except -1

cdef extern from "python/fast_call.h":
    bint fastrelu_is_vectorcall_at(size_t offset, object ufunc, object other, object another)
    int fastrelu_install_vectorcall(object ufunc, object other, object another) except -1
    const fastrelu_kernel *fastrelu_kernels_of(object ufunc)

cdef extern from "python/masks.h":
    int fastrelu_init_masks(object reference) except -1

cdef extern from "python/functions.h":
    bint fastrelu_document_function(const char *name, const char *doc)
    object fastrelu_make_functions(const fastrelu_isa *isa, object otherwise)

cdef extern from "python/patch.h":
    enum:
        FASTRELU_NOT_PATCHED
        FASTRELU_PATCHED_OVER
    void fastrelu_choose_for_maximum(int zero_operand, int type_num, object ufunc)
    bint fastrelu_patch_maximum(object maximum)
    int fastrelu_unpatch_maximum()
    bint fastrelu_maximum_is_patched()
    void fastrelu_watch_maximum(object start, object end)

cdef extern from "python/references.h":
    void fastrelu_stop_counting_references(object function)

cdef extern from "python/resolve.h":
    int (*fastrelu_register_user_dtype)(object dtype) except -1
    void fastrelu_resolve_dtypes(object ufunc, object model)

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
fastrelu_init_memory_handler()
fastrelu_init_masks(reference)

# NumPy's types with kernels. NumPy searches the loops in order and takes the first that its input
# casts to safely: integers first, then floats, each by size.
KERNEL_TYPES = "bBhHiIlLqQefd"

DTYPES = [fastrelu_dtype_names[i].decode() for i in range(FASTRELU_N_DTYPES)]
for type_num in range(FASTRELU_TYPES):
    fastrelu_dtypes[type_num] = -1
for type_char in KERNEL_TYPES:
    dtype = np.dtype(type_char)
    fastrelu_dtypes[dtype.num] = DTYPES.index(f"{dtype.kind}{8 * dtype.itemsize}")

Operation = namedtuple(
    "Operation", ["inputs", "types", "status", "numbers"], module="fastrelu._core")
Operation.__doc__ = """What kernels a function has, as the list in csrc/kernels/kernels.h says.

inputs: how many. types: the characters of NumPy's types with kernels. status: "quiet" if it raises
no floating-point flag, "ieee" if it reports those of its arithmetic. numbers: which inputs a kernel
takes as one number.
"""


cdef describe(const fastrelu_kernel *kernels):
    # Lists, because Cython crashes where it lacks memory for the type of generators.
    types = "".join([
        char for char in KERNEL_TYPES
        if kernels[fastrelu_dtype_of(np.dtype(char).num)].contiguous != NULL])
    kernel = &kernels[fastrelu_dtype_of(np.dtype(types[0]).num)]
    return Operation(
        kernel.inputs, types, "ieee" if kernel.status == FASTRELU_IEEE else "quiet",
        tuple([i for i in range(kernel.inputs) if kernel.numbers >> i & 1]))


OPERATIONS = {
    fastrelu_operation_names[i].decode(): describe(fastrelu_compiled_isas[0].kernels[i])
    for i in range(FASTRELU_N_OPERATIONS)
}
MAX_THREADS = FASTRELU_MAX_THREADS
MAX_LANES = FASTRELU_MAX_LANES
MIN_CHUNK = FASTRELU_MIN_CHUNK
GIL_THRESHOLD = FASTRELU_GIL_THRESHOLD

cdef enum:
    MAX_LOOPS = 32  # 13 types with kernels, and those of the plain loops and of objects
    MAX_OPERANDS = 4

# What NumPy keeps pointers to: it lives as long as the ufunc, which is for ever.
cdef struct LoopTable:
    cnp.PyUFuncGenericFunction functions[MAX_LOOPS]
    void *data[MAX_LOOPS]
    char types[MAX_OPERANDS * MAX_LOOPS]
    int length

cdef list docs = []
cdef list ufuncs = []

# Of changes to ufuncs, ours and np.maximum. What is done under it executes no bytecode: no signal
# handler or finalizer can come in between. A fork takes it, for the child has no other thread that
# would give it back.
cdef object ufuncs_lock = RLock()
cdef object acquire = ufuncs_lock.acquire, release = ufuncs_lock.release
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=acquire, after_in_parent=release, after_in_child=release)
cdef set with_loops = set()


cdef int add_kernels(object dtype) except -1:
    """Give a type of ml_dtypes its loop in the ufuncs with kernels; return whether it is one."""
    cdef cnp.ufunc ufunc
    cdef int type_num = dtype.num
    name = reference.name_in_ml_dtypes(dtype)
    if name not in DTYPES:
        return name is not None
    cdef int number = DTYPES.index(name)
    with ufuncs_lock:
        if type_num not in with_loops:
            for ufunc in ufuncs:
                kernel = fastrelu_kernels_of(ufunc) + number
                if kernel.contiguous != NULL:
                    cnp.PyUFunc_RegisterLoopForType(
                        ufunc, type_num, fastrelu_kernel_loop, NULL, <void *> kernel)
            with_loops.add(type_num)
            if type_num < FASTRELU_TYPES:
                fastrelu_dtypes[type_num] = number
    return 1


fastrelu_register_user_dtype = add_kernels


cdef void add_loop(
    LoopTable *table, cnp.PyUFuncGenericFunction function, const void *data, str types
) except *:
    if table.length == MAX_LOOPS:
        raise OverflowError("more loops than a LoopTable holds")
    for position, type_char in enumerate(types):
        table.types[table.length * len(types) + position] = np.dtype(type_char).num
    table.functions[table.length] = function
    table.data[table.length] = <void *> data
    table.length += 1


cdef void add_plain_loops(LoopTable *table, const char *operation, bint of_bool) except *:
    cdef const fastrelu_plain *plain = fastrelu_plain_loops
    while plain.operation != NULL:
        if plain.operation == <bytes> operation and (plain.types[0] == b"?") == of_bool:
            add_loop(table, fastrelu_plain_inner_loop, plain, plain.types.decode())
        plain += 1


cdef void add_kernel_loops(LoopTable *table, const fastrelu_kernel *kernels) except *:
    for type_char in KERNEL_TYPES:
        kernel = &kernels[fastrelu_dtype_of(np.dtype(type_char).num)]
        if kernel.contiguous != NULL:
            add_loop(table, fastrelu_kernel_loop, kernel, type_char * (kernel.inputs + 1))


cdef void add_object_loop(LoopTable *table, const char *operation) except *:
    cdef const fastrelu_object_loop *entry = fastrelu_object_loops
    while entry.operation != NULL:
        if entry.operation == <bytes> operation:
            add_loop(table, entry.loop, NULL, "O" * (entry.inputs + 1))
        entry += 1


cdef make_ufunc(const fastrelu_isa *isa, int operation):
    name = fastrelu_operation_names[operation]
    table = <LoopTable *> PyMem_Calloc(1, sizeof(LoopTable))
    if table == NULL:
        raise MemoryError()
    add_plain_loops(table, name, True)
    add_kernel_loops(table, isa.kernels[operation])
    add_plain_loops(table, name, False)
    add_object_loop(table, name)
    docs.append((getattr(reference, name.decode()).__doc__ or "").encode())
    ufunc = cnp.PyUFunc_FromFuncAndData(
        table.functions, table.data, table.types, table.length,
        OPERATIONS[name.decode()].inputs, 1, cnp.PyUFunc_None, name, docs[-1], 0)
    ufuncs.append(ufunc)
    fastrelu_resolve_dtypes(ufunc, getattr(np, fastrelu_operation_models[operation].decode(), None))
    fastrelu_install_vectorcall(ufunc, np.add, np.negative)
    try:
        ufunc.__module__ = "fastrelu"
        ufunc.__qualname__ = name.decode()
    except AttributeError:  # before NumPy 2.2; pickle then searches the modules for it
        pass
    return ufunc


def is_vectorcall_at(size_t offset, ufunc, other, another):
    return fastrelu_is_vectorcall_at(offset, ufunc, other, another)


def make_functions(int number, relu):
    """Return the functions of a set that are no ufuncs, by its number in the list, and its relu."""
    otherwise = reference.reduce_otherwise
    numpys_sum = partial(reference.reduced, np.sum, relu)
    numpys_mean = partial(reference.reduced, np.mean, relu)

    def relu_sum(x, axis=None, *, threshold=0, dtype=None, out=None, keepdims=False):
        return otherwise(functions.relu_sum, numpys_sum, x, axis, threshold=threshold, dtype=dtype,
                         out=out, keepdims=keepdims)

    def relu_mean(x, axis=None, *, threshold=0, dtype=None, out=None, keepdims=False):
        return otherwise(functions.relu_mean, numpys_mean, x, axis, threshold=threshold,
                         dtype=dtype, out=out, keepdims=keepdims)

    def activity(x, axis=0):
        return otherwise(functions.activity, reference.activity, x, axis)

    def dead_units(x, axis=0):
        return otherwise(functions.dead_units, reference.dead_units, x, axis)

    functions = fastrelu_make_functions(fastrelu_compiled_isas[number], SimpleNamespace(
        relu_with_mask=reference.relu_with_mask,
        relu_backward_from_mask=reference.relu_backward_from_mask,
        relu_sum=relu_sum, relu_mean=relu_mean, activity=activity, dead_units=dead_units))
    return list(map(partial(getattr, functions), FUNCTIONS))


def signature(function):
    """Return the parameters of a function as text; inspect would load half of the library."""
    code, keyword_defaults = function.__code__, function.__kwdefaults__ or {}
    names = code.co_varnames[:code.co_argcount]
    defaults = dict(zip(names[::-1], (function.__defaults__ or ())[::-1]))
    parts = ["$module"]
    for name in names:
        parts.append(f"{name}={defaults[name]!r}" if name in defaults else name)
    parts += ["*"] * bool(keyword_defaults)
    for name, default in keyword_defaults.items():
        parts.append(f"{name}={default!r}")
    return ", ".join(parts)


FUNCTIONS = ["relu_with_mask", "relu_backward_from_mask", *reference.REDUCTIONS]
for name in FUNCTIONS:
    function = getattr(reference, name)
    docs.append(f"{name}({signature(function)})\n--\n\n{function.__doc__ or ''}".encode())
    fastrelu_document_function(name.encode(), docs[-1])

Implementation = namedtuple(
    "Implementation",
    [*OPERATIONS, *FUNCTIONS],
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
        made = []  # Cython 3.3 releases an item of a comprehension twice if memory is short
        for number in range(len(OPERATIONS)):
            made.append(make_ufunc(fastrelu_compiled_isas[i], number))
        relu = made[FASTRELU_relu]
        implementations[compiled_isas[-1]] = Implementation(
            *made, *make_functions(i, relu))
        for function in implementations[compiled_isas[-1]]:
            fastrelu_stop_counting_references(function)
    i += 1


def choose_for_maximum(bint zero_is_last, dtype, ufunc):
    cdef int type_num = dtype.num
    with ufuncs_lock:
        fastrelu_choose_for_maximum(zero_is_last, type_num, ufunc)


def patch_maximum(maximum, list done):
    """Patch it and set done[0]: a handler of a signal may raise as soon as this returns."""
    with ufuncs_lock:
        done[0] = fastrelu_patch_maximum(maximum)
    if not done[0]:
        raise RuntimeError(
            "np.maximum cannot be patched: it is not a ufunc of this NumPy that can be called by "
            f"vectorcall, but {maximum!r} of NumPy {np.__version__}")


def unpatch_maximum():
    acquire()  # "with" would take memory, for want of which np.maximum would stay patched
    result = fastrelu_unpatch_maximum()
    release()
    if result == FASTRELU_NOT_PATCHED:
        raise RuntimeError("np.maximum is not patched")
    if result == FASTRELU_PATCHED_OVER:
        raise RuntimeError("np.maximum has been changed by another since it was patched")


def maximum_is_patched():
    return fastrelu_maximum_is_patched()


def watch_maximum(start, end):
    fastrelu_watch_maximum(start, end)


def get_num_threads():
    return fastrelu_get_num_threads()


def set_num_threads(int n):
    fastrelu_set_num_threads(n)


Thresholds = namedtuple(
    "Thresholds",
    ["parallel", "parallel_each", "woken", "woken_each",
     "streaming", "streaming_each", "streaming_most"],
    module="fastrelu._core")
Thresholds.__doc__ = """In bytes that a call reads and writes: see csrc/runtime/execute.h.

parallel, parallel_each: from where threads that are awake share a call, and how much each has.
woken, woken_each: the same for threads that have to be woken. streaming, streaming_each,
streaming_most: stores are non-temporal from the first and, for each thread, the second on, or from
the last on.
"""


def set_thresholds(
    size_t parallel, size_t parallel_each, size_t woken, size_t woken_each,
    size_t streaming, size_t streaming_each, size_t streaming_most
):
    if not (parallel_each and woken_each):
        raise ValueError("a thread has to move one byte at least")
    global fastrelu_current_thresholds
    fastrelu_current_thresholds = thresholds(
        parallel, parallel_each, woken, woken_each, streaming, streaming_each, streaming_most)


def get_thresholds():
    cdef thresholds now = fastrelu_current_thresholds
    return Thresholds(
        now.parallel_bytes, now.parallel_bytes_each, now.woken_bytes, now.woken_bytes_each,
        now.streaming_bytes, now.streaming_bytes_each, now.streaming_bytes_most)


def cache_info():
    cdef cache_counts info = fastrelu_get_cache_info()
    return info.hits, info.misses, info.held, info.limit


def set_cache_limit(size_t size):
    fastrelu_set_cache_limit(size)


def clear_cache():
    fastrelu_clear_cache()


def set_huge_pages(bint wanted):
    fastrelu_set_huge_pages(wanted)


def set_idle_seconds(double seconds):
    fastrelu_set_idle_seconds(seconds)


def copy(cnp.ndarray source, cnp.ndarray target, bint streaming):
    """Copy as relu does, with all threads: the limit that benchmarks hold it against."""
    cdef char *args[2]
    cdef Py_ssize_t *steps = [1, 1]
    cdef size_t n = cnp.PyArray_NBYTES(source)
    if cnp.PyArray_NBYTES(target) != <cnp.npy_intp> n or not (
            source.flags.c_contiguous and target.flags.c_contiguous and target.flags.writeable):
        raise ValueError("contiguous arrays of as many bytes are needed, the second one writable")
    args[0] = cnp.PyArray_BYTES(source)
    args[1] = cnp.PyArray_BYTES(target)
    # of unsigned integers relu keeps all
    cdef const fastrelu_kernel *kernel = &best.kernels[FASTRELU_relu][FASTRELU_u8]
    with nogil:
        if streaming or 2 * n >= fastrelu_current_thresholds.parallel_bytes:
            fastrelu_execute_chunks(kernel, args, steps, n, fastrelu_get_num_threads(), streaming)
        else:
            fastrelu_execute(kernel, args, steps, n)


def check_floats(cnp.ndarray sweep, uint32_t first, uint32_t step, uint32_t n,
                 cnp.ndarray mismatches):
    """Check kernels by csrc/check/floats.h; its structs are elements of the arrays."""
    cdef int status, size = mismatches.size
    if (sweep.nbytes, mismatches.itemsize) != (sizeof(fastrelu_sweep), sizeof(fastrelu_mismatch)):
        raise TypeError("the elements are not those of csrc/check/floats.h")
    with nogil:
        status = fastrelu_check_floats(
            fastrelu_compiled_isas, <fastrelu_sweep *> cnp.PyArray_DATA(sweep), first, step, n,
            <fastrelu_mismatch *> cnp.PyArray_DATA(mismatches), size)
    return status
