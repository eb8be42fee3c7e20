/* The functions that all threads call. Without the GIL, each call would write into the count of
   their references, whose cache line then goes from core to core. */

#ifndef FASTRELU_REFERENCES_H
#define FASTRELU_REFERENCES_H

#include <Python.h>

/* For an object that lives as long as the process, before another thread has met it. */
static inline void fastrelu_stop_counting_references(PyObject *object)
{
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    if (!PyObject_GC_IsTracked(object)) /* as NumPy leaves a ufunc */
        PyObject_GC_Track(object);
    PyUnstable_Object_EnableDeferredRefcount(object);
#elif defined(Py_GIL_DISABLED)
    PyObject_GC_UnTrack(object);
    object->ob_tid = _Py_UNOWNED_TID; /* as 3.13 does with functions of its own */
    object->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    object->ob_ref_shared = 0;
#else
    (void)object;
#endif
}

#endif
