/* A pool of threads that share the work of one call; none is started before the first need. */

#ifndef FASTRELU_POOL_H
#define FASTRELU_POOL_H

#include <stddef.h>

enum { FASTRELU_MAX_THREADS = 64 };

/* To be called on import, with the GIL held: a fork that is under way while its handlers are
   registered would leave the child a pool that another thread has locked. */
void fastrelu_init_pool(void);

/* Does one part of the work. Parts may be done in any order and by any thread. */
typedef void (*fastrelu_part)(const void *work, size_t part);

/* Does parts 0 to parts - 1, in as many threads as are wanted and can be had: the caller is one,
   and does all of it itself when another thread's work occupies the pool. Needs no GIL. */
void fastrelu_share(fastrelu_part do_part, const void *work, size_t parts);

/* For threadpoolctl they are the exported names of the library. */
#if defined(__GNUC__)
#define FASTRELU_EXPORTED __attribute__((visibility("default")))
#else
#define FASTRELU_EXPORTED
#endif
FASTRELU_EXPORTED int fastrelu_get_num_threads(void);
FASTRELU_EXPORTED void fastrelu_set_num_threads(int n);

#endif
