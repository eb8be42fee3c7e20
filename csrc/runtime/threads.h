/* A pool of threads that share the context of one call; none is started before the first need. */

#ifndef FASTRELU_THREADS_H
#define FASTRELU_THREADS_H

#include <stddef.h>

enum { FASTRELU_MAX_THREADS = 64 };

/* To be called on import, with the GIL held: a fork that is under way while its handlers are
   registered would leave the child a pool that another thread has locked. */
void fastrelu_init_threads(void);

/* Does one chunk of the context. Parts may be done in any order and by any thread. */
typedef void (*fastrelu_body)(const void *context, size_t chunk);

/* Does n_chunks 0 to n_chunks - 1, in as many threads as are wanted and can be had: the caller is
   one, and does all of it itself when another thread's context occupies the pool. Needs no GIL. */
void fastrelu_parallel_for(fastrelu_body body, const void *context, size_t n_chunks);

/* For threadpoolctl they are the exported names of the library. */
#if defined(__GNUC__)
#define FASTRELU_EXPORTED __attribute__((visibility("default")))
#else
#define FASTRELU_EXPORTED
#endif
FASTRELU_EXPORTED int fastrelu_get_num_threads(void);
FASTRELU_EXPORTED void fastrelu_set_num_threads(int n);

#endif
