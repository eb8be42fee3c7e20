/* Memory for large new outputs: freed blocks are kept for the next ones. */

#ifndef FASTRELU_MEMORY_H
#define FASTRELU_MEMORY_H

#include <Python.h>

#include <stddef.h>
#include <stdint.h>

struct fastrelu_cache_info {
    size_t hits, misses, held, limit; /* held and limit are bytes */
};

/* PyArray_NewFromDescr for a new array without objects: from some size on with memory of ours. */
PyObject *fastrelu_new_array(PyObject *dtype, int ndim, const intptr_t *shape, int fortran);

struct fastrelu_cache_info fastrelu_cache_info(void);
void fastrelu_set_cache_limit(size_t bytes);
void fastrelu_clear_cache(void);

/* Seconds after which a block that nobody asked for goes back to the system. */
void fastrelu_set_idle_seconds(double seconds);

#endif
