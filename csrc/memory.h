/* Memory for large new outputs: freed blocks are kept for the next ones. */

#ifndef FASTRELU_MEMORY_H
#define FASTRELU_MEMORY_H

#include <Python.h>

#include <stddef.h>
#include <stdint.h>

/* To be called on import: it registers what forks need. */
void fastrelu_init_memory(void);

struct fastrelu_cache_info {
    size_t hits, misses, held, limit; /* held and limit are bytes */
};

/* A new array without objects, in C order if there are no strides, which are those of a dense
   array. Its memory is ours from some size on. */
PyObject *fastrelu_new_array(PyObject *dtype, int ndim, const intptr_t *shape,
                             const intptr_t *strides);

struct fastrelu_cache_info fastrelu_cache_info(void);
void fastrelu_set_cache_limit(size_t bytes);
void fastrelu_clear_cache(void);

/* Seconds after which a block that nobody asked for goes back to the system. */
void fastrelu_set_idle_seconds(double seconds);

#endif
