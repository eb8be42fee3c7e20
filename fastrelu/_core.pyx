# cython: language_level=3
"""Makes the ufuncs: the one place where the kernels of csrc/ meet Python."""

from collections import namedtuple

cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc

import numpy as np

from fastrelu import reference

cdef extern from "fastrelu.h":
    enum:
        FASTRELU_N_OPERATIONS
        FASTRELU_N_ELEMENTS
    struct fastrelu_kernel:
        int inputs
    struct fastrelu_isa:
        const char *name
        int (*runs_here)()
        fastrelu_kernel kernels[FASTRELU_N_OPERATIONS][FASTRELU_N_ELEMENTS]
    const fastrelu_isa *fastrelu_built[]
    const char *fastrelu_operation_names[]
    const char *fastrelu_element_names[]

cdef extern from "loops.h":
    cnp.PyUFuncGenericFunction fastrelu_kernel_loop
    cnp.PyUFuncGenericFunction fastrelu_relu_longdouble
    cnp.PyUFuncGenericFunction fastrelu_relu_cfloat
    cnp.PyUFuncGenericFunction fastrelu_relu_cdouble
    cnp.PyUFuncGenericFunction fastrelu_relu_clongdouble
    cnp.PyUFuncGenericFunction fastrelu_relu_timedelta
    cnp.PyUFuncGenericFunction fastrelu_relu_object
    cnp.PyUFuncGenericFunction fastrelu_relu_backward_longdouble

cdef extern from "call.h":
    bint fastrelu_shorten_call(object ufunc)

cdef extern from "resolve.h":
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
    elements = [fastrelu_element_names[i].decode() for i in range(FASTRELU_N_ELEMENTS)]
    for type_char in KERNEL_TYPES:
        dtype = np.dtype(type_char)
        kernel = &kernels[elements.index(f"{dtype.kind}{8 * dtype.itemsize}")]
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
    if "m->m" in ufunc.types:
        fastrelu_resolve_dtypes(ufunc)
    fastrelu_shorten_call(ufunc)
    try:
        ufunc.__module__ = "fastrelu"
        ufunc.__qualname__ = name.decode()
    except AttributeError:  # before NumPy 2.2; pickle then searches the modules for it
        pass
    return ufunc


OPERATIONS = [fastrelu_operation_names[i].decode() for i in range(FASTRELU_N_OPERATIONS)]

Implementation = namedtuple("Implementation", OPERATIONS, module="fastrelu")
Implementation.__doc__ = "The ufuncs of one instruction set."

compiler = FASTRELU_COMPILER.decode()
built = []
implementations = {}

cdef int i = 0
while fastrelu_built[i] != NULL:
    built.append(fastrelu_built[i].name.decode())
    if fastrelu_built[i].runs_here():
        ufuncs = [make_ufunc(fastrelu_built[i], operation) for operation in range(len(OPERATIONS))]
        implementations[built[-1]] = Implementation(*ufuncs)
    i += 1
