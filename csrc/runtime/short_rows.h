/* Rows of few bytes, as in relu(x[:, :3], out=y): by way of a buffer, a call of the kernel takes
   many. */

#ifndef FASTRELU_SHORT_ROWS_H
#define FASTRELU_SHORT_ROWS_H

#include "kernels/kernels.h"

/* Of rows that do not overlap, so many bytes each, and prefetches what lies `ahead`, unless 0. */
void fastrelu_copy_rows(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t from_step,
                        size_t bytes, size_t rows, ptrdiff_t ahead);

struct fastrelu_short_rows {
    const struct fastrelu_kernel *kernel;
    const ptrdiff_t *steps, *row_steps; /* of elements, and of rows */
    size_t n, at_once;                  /* elements of a row; rows of a call */
    int copied;                         /* bit i: rows of operand i do not follow each other */
    int streams;                        /* stores are non-temporal, and the caller orders them */
    ptrdiff_t rows_ahead;               /* so many rows ahead are prefetched, or 0 */
};

/* Steps that the contiguous kernel takes. False, and nothing is set, where a call for each row
   costs less, and where an operand is another number for each. */
int fastrelu_are_short_rows(struct fastrelu_short_rows *short_rows,
                            const struct fastrelu_kernel *kernel, const ptrdiff_t steps[],
                            const ptrdiff_t row_steps[], size_t n, size_t rows);

/* Rows along one axis. Nothing may depend on the order of elements. */
void fastrelu_execute_short_rows(const struct fastrelu_short_rows *short_rows, char *const args[],
                                 size_t rows);

#endif
