/* np.maximum with a zero as one operand, by our kernels. */

#ifndef FASTRELU_PATCH_H
#define FASTRELU_PATCH_H

#include <Python.h>

/* Whose kernels give the maximum of arrays of a type and the zero that is operand number
   zero_operand (0 or 1): those of one of our ufuncs, or None. A QUIET operation is called with the
   array as every input, an IEEE one with the array and the zero, and reports nothing. */
void fastrelu_choose_for_maximum(int zero_operand, int type_num, PyObject *ufunc);

/* Gives np.maximum the way in. Returns whether this NumPy lets it. To be undone as often. The
   caller has choices, patches and their undoing exclude each other. */
int fastrelu_patch_maximum(PyObject *maximum);

enum fastrelu_unpatched { FASTRELU_UNPATCHED, FASTRELU_NOT_PATCHED, FASTRELU_PATCHED_OVER };
enum fastrelu_unpatched fastrelu_unpatch_maximum(void);

int fastrelu_maximum_is_patched(void);

/* From now on, each call of np.maximum with one array is watched: start() comes before it, and
   end(what start returned, whether a kernel took it, all arguments, the names of the last of them
   or None) after it. To be called once, while there is one thread. */
void fastrelu_watch_maximum(PyObject *start, PyObject *end);

#endif
