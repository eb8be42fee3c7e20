/* Which of NumPy's type numbers have kernels. */

#ifndef FASTRELU_TYPES_H
#define FASTRELU_TYPES_H

#include <stdatomic.h>

/* NumPy's type numbers, and after these as many that others have registered as are looked up. */
enum { FASTRELU_TYPES = 256 + 64 };

/* The element of each type number, -1 where there are no kernels. Filled by _core.pyx, when a type
   has its loops. */
extern atomic_int fastrelu_dtypes[FASTRELU_TYPES];

static inline int fastrelu_dtype_of(int type_num)
{
    return type_num >= 0 && type_num < FASTRELU_TYPES
               ? atomic_load_explicit(&fastrelu_dtypes[type_num], memory_order_acquire)
               : -1;
}

#endif
