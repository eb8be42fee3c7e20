/* NumPy's inner loops: for kernels, for the plain loops, and for Python objects. */

#ifndef FASTRELU_LOOPS_H
#define FASTRELU_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* All are PyUFuncGenericFunctions. */
#define FASTRELU_INNER_LOOP(name) \
    void name(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);

FASTRELU_INNER_LOOP(fastrelu_kernel_loop)      /* data is the struct fastrelu_kernel */
FASTRELU_INNER_LOOP(fastrelu_plain_inner_loop) /* data is the struct fastrelu_plain */
#undef FASTRELU_INNER_LOOP

/* The loops of Python objects; each ends with an entry of NULLs. */
struct fastrelu_object_loop {
    const char *operation;
    int inputs;
    void (*loop)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);
};

extern const struct fastrelu_object_loop fastrelu_object_loops[];

#endif
