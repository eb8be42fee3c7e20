/* What the pool and the block cache ask of the operating system: clocks, threads, CPUs, locks,
   memory, and to be told of forks. */

#ifndef FASTRELU_OS_H
#define FASTRELU_OS_H

#if defined(_WIN32)
#include "runtime/os_windows.h"
#else
#include "runtime/os_posix.h"
#endif

#endif
