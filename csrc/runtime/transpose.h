/* Inputs that lie along another axis than the output, as in relu(x.T, out=y): the call goes by
   panels, parts of both axes whose inputs are transposed within the first cache. */

#ifndef FASTRELU_TRANSPOSE_H
#define FASTRELU_TRANSPOSE_H

#include "runtime/execute.h"

/* False, and nothing is done, where no input lies so or panels do not pay. The axes are sorted by
   the steps of the output, and elements may be taken in any order; `bytes` are those that the call
   reads and writes, shared by up to n_threads. */
int fastrelu_execute_transposed(const struct fastrelu_kernel *kernel,
                                const struct fastrelu_operands *operands, size_t bytes,
                                int n_threads, enum fastrelu_stores stores);

#endif
