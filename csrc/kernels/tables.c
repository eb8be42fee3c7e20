/* Walks the lists: every set that was built, best first, and the names of operations and elements.
 */

#include "kernels/kernels.h"

#define ISA(name) extern const struct fastrelu_isa fastrelu_##name;
#include "kernels/isa.inc"
#undef ISA

#define ISA(name) &fastrelu_##name,
const struct fastrelu_isa *const fastrelu_compiled_isas[] = {
#include "kernels/isa.inc"
    NULL};
#undef ISA

#define NAME(name, ...) #name,
#define MODEL(name, inputs, numbers, dtypes, status, model, ...) #model,
const char *const fastrelu_operation_names[] = {FASTRELU_OPERATIONS(NAME, ) NULL};
const char *const fastrelu_operation_models[] = {FASTRELU_OPERATIONS(MODEL, ) NULL};
const char *const fastrelu_dtype_names[] = {FASTRELU_DTYPES(NAME, ) NULL};
