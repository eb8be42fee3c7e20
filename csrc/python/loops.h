/* NumPy's inner loops: one for every kernel, and that of Python objects. */

#ifndef FASTRELU_LOOPS_H
#define FASTRELU_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* Both are PyUFuncGenericFunctions. data is the struct fastrelu_kernel; that of objects takes none.
 */
void fastrelu_kernel_loop(char **args, const intptr_t *dimensions, const intptr_t *steps,
                          void *data);
void fastrelu_relu_object(char **args, const intptr_t *dimensions, const intptr_t *steps,
                          void *data);

#endif
