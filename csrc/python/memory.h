/* New outputs, whose memory may come from the cache of blocks. */

#ifndef FASTRELU_MEMORY_H
#define FASTRELU_MEMORY_H

#include <Python.h>

#include <stdint.h>

/* A new array without objects, in C order if there are no strides, which are those of a dense
   array. Its memory is ours from some size on. */
PyObject *fastrelu_new_array(PyObject *dtype, int ndim, const intptr_t *shape,
                             const intptr_t *strides);

#endif
