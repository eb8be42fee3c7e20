/* New outputs, whose memory may come from the cache of blocks. */

#ifndef FASTRELU_MEMORY_H
#define FASTRELU_MEMORY_H

#include <Python.h>

#include <stdint.h>

/* To be called on import. Returns -1 with an exception, else 0. */
int fastrelu_init_memory_handler(void);

/* A new array without objects: dense, with the strides, or without them in C order, or in that of
   Fortran. A large one lies in the cache of blocks, unless the program has set a memory handler. */
PyObject *fastrelu_new_array(PyObject *dtype, int ndim, const intptr_t *shape,
                             const intptr_t *strides, int fortran);

/* After a MemoryError: clears it, and gives back what the cache holds idle. False if it holds
   nothing, or the exception is another: it then stands. */
int fastrelu_give_memory_back(void);

#endif
