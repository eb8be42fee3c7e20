/* The block cache: memory for large new outputs, which keeps freed blocks for the next ones. */

#ifndef FASTRELU_BLOCKS_H
#define FASTRELU_BLOCKS_H

#include <stddef.h>

/* Below it malloc keeps blocks itself, and a call to it costs less than a change of the handler. */
enum { FASTRELU_CACHED_FROM = 1 << 20 };

/* To be called on import: it registers what forks need. */
void fastrelu_init_memory(void);

struct fastrelu_cache_info {
    size_t hits, misses, held, limit; /* held and limit are bytes */
};

struct fastrelu_cache_info fastrelu_get_cache_info(void);
size_t fastrelu_get_cache_limit(void); /* without the lock */
void fastrelu_set_cache_limit(size_t bytes);

/* Whether large blocks ask for huge pages: from the start they do. */
void fastrelu_set_huge_pages(int wanted);

void fastrelu_clear_cache(void);

/* Seconds after which a block that nobody asked for goes back to the system. */
void fastrelu_set_idle_seconds(double seconds);

/* Gives what has been idle for so long back to the system. */
void fastrelu_release_idle(void);

/* As malloc, calloc, realloc and free; NULL where memory is short, or the system has no such cache.
 */
void *fastrelu_allocate(size_t bytes);
void *fastrelu_allocate_zeros(size_t n, size_t each);
void *fastrelu_reallocate(void *data, size_t bytes);
void fastrelu_release(void *data);

#endif
