/* The blocks that are kept.

   A block goes back to the system when it has been idle for some seconds. That is noticed whenever
   a block is taken or freed, and whenever Python's garbage collector has run: without a thread. */

#define _GNU_SOURCE /* for MAP_ANONYMOUS and madvise */

#include "runtime/blocks.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "runtime/os.h"

/* Data begin so far into a block: at the same place in a cache line as malloc's large arrays, so
   that loads from these and stores can both be aligned; and at another in a page, for a load waits
   for a store before it to the same place in another page. */
enum { HEADER = 1024 + 16 };

struct block {
    size_t size;                 /* of all of it, this header included */
    struct block *newer, *older; /* while it is kept */
    double freed;                /* when */
};

_Static_assert(sizeof(struct block) <= HEADER, "a block begins with its struct");

static struct {
    mutex lock;
    struct block *newest, *oldest;
    struct fastrelu_cache_info info;
    double idle_seconds;
} cache = {.lock = UNLOCKED, .idle_seconds = 5};

static atomic_size_t limit; /* as in cache.info */
static atomic_int huge_pages = 1;

/* Sizes that differ a little share a class: there are eight from one power of two to the next. */
static size_t size_class(size_t bytes)
{
    size_t step = page_size();
    while (step < bytes / 16)
        step *= 2;
    return (bytes + step - 1) / step * step;
}

static void take_out(struct block *block)
{
    *(block->newer ? &block->newer->older : &cache.newest) = block->older;
    *(block->older ? &block->older->newer : &cache.oldest) = block->newer;
    cache.info.held -= block->size;
}

/* Takes out what is over a limit or idle; the result is a list, for unmap. */
static struct block *take_out_excess(size_t most)
{
    struct block *excess = NULL, *block;
    const double idle_since = coarse_seconds() - cache.idle_seconds;
    while ((block = cache.oldest) && (cache.info.held > most || block->freed < idle_since)) {
        take_out(block);
        block->older = excess;
        excess = block;
    }
    return excess;
}

static void unmap(struct block *blocks)
{
    while (blocks) {
        struct block *block = blocks;
        blocks = block->older;
        unmap_memory(block, block->size);
    }
}

static void shrink_to(size_t most)
{
    lock_mutex(&cache.lock);
    struct block *excess = take_out_excess(most);
    unlock_mutex(&cache.lock);
    unmap(excess);
}

static void before_fork(void) { lock_mutex(&cache.lock); }
static void after_fork(void) { unlock_mutex(&cache.lock); }

/* A child would copy pages whose content nobody wants. */
static void in_child(void)
{
    unlock_mutex(&cache.lock);
    shrink_to(0);
}

void fastrelu_init_memory(void)
{
    static int done;
    if (!done)
        done = at_fork(before_fork, after_fork, in_child);
}

void *fastrelu_allocate(size_t bytes)
{
    const size_t size = bytes > PTRDIFF_MAX - HEADER ? 0 : size_class(bytes + HEADER);
    struct block *block;

    if (size == 0)
        return NULL;
    lock_mutex(&cache.lock);
    for (block = cache.newest; block; block = block->older)
        if (block->size >= size && block->size - size <= size / 4)
            break;
    if (block) {
        take_out(block);
        cache.info.hits++;
    } else
        cache.info.misses++;
    struct block *excess = take_out_excess(cache.info.limit);
    unlock_mutex(&cache.lock);
    unmap(excess);

    if (block == NULL) {
        block = map_memory(size, atomic_load(&huge_pages));
        if (block == NULL) {
            shrink_to(0);
            block = map_memory(size, atomic_load(&huge_pages));
        }
        if (block == NULL)
            return NULL;
        block->size = size;
    }
    return (char *)block + HEADER;
}

void fastrelu_release(void *data)
{
    if (data == NULL)
        return;
    struct block *block = (struct block *)((char *)data - HEADER), *excess;
    lock_mutex(&cache.lock);
    block->freed = coarse_seconds();
    block->newer = NULL;
    block->older = cache.newest;
    *(cache.newest ? &cache.newest->newer : &cache.oldest) = block;
    cache.newest = block;
    cache.info.held += block->size;
    if (block->size > cache.info.limit ||
        block->size < FASTRELU_CACHED_FROM) { /* the others may stay */
        take_out(block);
        block->older = NULL;
        excess = block;
    } else
        excess = take_out_excess(cache.info.limit);
    unlock_mutex(&cache.lock);
    unmap(excess);
}

void *fastrelu_allocate_zeros(size_t n, size_t each)
{
    if (each && n > SIZE_MAX / each)
        return NULL;
    void *data = fastrelu_allocate(n * each);
    return data ? memset(data, 0, n * each) : NULL;
}

void *fastrelu_reallocate(void *data, size_t bytes)
{
    if (data == NULL)
        return fastrelu_allocate(bytes);
    const size_t room = ((struct block *)((char *)data - HEADER))->size - HEADER;
    if (bytes <= room && bytes >= room / 2)
        return data;
    void *other = fastrelu_allocate(bytes);
    if (other == NULL)
        return NULL;
    memcpy(other, data, bytes < room ? bytes : room);
    fastrelu_release(data);
    return other;
}

struct fastrelu_cache_info fastrelu_get_cache_info(void)
{
    lock_mutex(&cache.lock);
    const struct fastrelu_cache_info info = cache.info;
    unlock_mutex(&cache.lock);
    return info;
}

size_t fastrelu_get_cache_limit(void) { return atomic_load(&limit); }
void fastrelu_set_huge_pages(int wanted) { atomic_store(&huge_pages, wanted); }

void fastrelu_set_cache_limit(size_t bytes)
{
    lock_mutex(&cache.lock);
    cache.info.limit = bytes;
    atomic_store(&limit, bytes);
    unlock_mutex(&cache.lock);
    shrink_to(bytes);
}

void fastrelu_clear_cache(void) { shrink_to(0); }
void fastrelu_release_idle(void) { shrink_to(SIZE_MAX); }

void fastrelu_set_idle_seconds(double seconds)
{
    lock_mutex(&cache.lock);
    cache.idle_seconds = seconds;
    unlock_mutex(&cache.lock);
}
