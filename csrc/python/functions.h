/* The functions that are no ufuncs: those of masks and the reductions. */

#ifndef FASTRELU_FUNCTIONS_H
#define FASTRELU_FUNCTIONS_H

#include <Python.h>

#include "kernels/kernels.h"

/* Gives a function its documentation, which begins with its signature and is kept. 0 if there is no
   function of this name. */
int fastrelu_document_function(const char *name, const char *doc);

/* A new module of the functions of an instruction set. What one of them does not take goes to the
   attribute of the same name of otherwise: it converts the arguments, computes without kernels, or
   raises. */
PyObject *fastrelu_make_functions(const struct fastrelu_isa *isa, PyObject *otherwise);

#endif
