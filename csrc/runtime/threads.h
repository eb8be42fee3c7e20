/* A pool of threads for the chunks of one call; it starts its threads on first use. */

#ifndef FASTRELU_THREADS_H
#define FASTRELU_THREADS_H

#include <stddef.h>

#include "kernels/compiler.h"

enum { FASTRELU_MAX_THREADS = 64 };

/* To be called on import, with the GIL held: a fork that is under way while its handlers are
   registered would leave the child a pool that another thread has locked. */
void fastrelu_init_threads(void);

/* How many threads share a call, at most. `awake` is their number if none of them has to be woken,
   `woken` if all have: it takes longer to wake a thread than to do a little of the work. */
int fastrelu_choose_threads(size_t awake, size_t woken);

/* Runs one chunk. Chunks may run in any order and in any thread. */
typedef void fastrelu_body(const void *context, size_t chunk);

/* Runs chunks 0 to n_chunks - 1 with up to n_threads threads, of which the caller is one. It runs
   all chunks itself if the pool is busy with the call of another thread. The floating-point flags
   that the chunks raise are then those of the caller. Needs no GIL. */
void fastrelu_parallel_for(int n_threads, size_t n_chunks, fastrelu_body *body,
                           const void *context);

/* For threadpoolctl they are the exported names of the library. */
EXPORTED int fastrelu_get_num_threads(void);
EXPORTED void fastrelu_set_num_threads(int n);

#endif
