/* Loaded before the C library (LD_PRELOAD), it lets calls into the system fail: of each kind those
   that a plan names, made by the thread that has called own_faults. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);
extern void *PyErr_NoMemory(void) __attribute__((weak)); /* in a process of Python */

/* Fails the calls from `first` to `last`, counted from 1; it raises a signal there instead, if one
   is given. `seen` and `hit` count. As in injection.py. */
enum kind { ALLOCATION, THREAD, CREATION, RENAMING, LOOP, MAP, KINDS };
struct plan {
    int first, last, signal, seen, hit;
};
struct plan fault_plans[KINDS];

/* What files may still take, in bytes; -1: all. */
long long fault_disk = -1;

/* Of all threads: blocks and bytes of maps that are allocated. */
_Atomic long long fault_blocks, fault_mapped;

/* Above 0, none fails. */
int fault_paused;

/* So many microseconds malloc takes in other threads: within a chunk of a reduction. */
int fault_delay;

static pthread_t owner;
static int owned;

void own_faults(void)
{
    owner = pthread_self();
    owned = 1;
}

static int is_owner(void) { return owned && pthread_equal(owner, pthread_self()); }

static int fails(enum kind kind)
{
    struct plan *const plan = &fault_plans[kind];
    if (plan->first == 0 || fault_paused || !is_owner())
        return 0;
    plan->seen++;
    if (plan->seen < plan->first || plan->seen > plan->last)
        return 0;
    plan->hit++;
    if (plan->signal == 0)
        return 1;
    raise(plan->signal);
    return 0;
}

static void *counted(void *block)
{
    fault_blocks += block != NULL;
    return block;
}

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    if (fault_delay && !is_owner())
        usleep((useconds_t)fault_delay);
    return fails(ALLOCATION) ? out_of_memory() : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return fails(ALLOCATION) ? out_of_memory() : counted(__libc_calloc(n, size));
}

void *memalign(size_t alignment, size_t size)
{
    return fails(ALLOCATION) ? out_of_memory() : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *const found = memalign(alignment, size);
    if (found == NULL)
        return ENOMEM;
    *block = found;
    return 0;
}

void free(void *block)
{
    fault_blocks -= block != NULL;
    __libc_free(block);
}

void *realloc(void *block, size_t size)
{
    if (block == NULL)
        return malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    return fails(ALLOCATION) ? out_of_memory() : __libc_realloc(block, size);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    static __typeof__(&mmap) next;
    if (next == NULL)
        next = NEXT(mmap);
    if (fails(ALLOCATION) || fails(MAP)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    void *const map = next(at, size, protection, flags, file, offset);
    if (map != MAP_FAILED)
        fault_mapped += (long long)size;
    return map;
}

int munmap(void *map, size_t size)
{
    static __typeof__(&munmap) next;
    if (next == NULL)
        next = NEXT(munmap);
    const int failed = next(map, size);
    if (!failed)
        fault_mapped -= (long long)size;
    return failed;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *context)
{
    return fails(THREAD) ? EAGAIN : NEXT(pthread_create)(thread, attributes, run, context);
}

static int open_file(int folder, const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) && fails(CREATION)) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(openat)(folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name, parameters, folder)                                         \
    int name parameters                                                        \
    {                                                                          \
        va_list rest;                                                          \
        va_start(rest, flags);                                                 \
        const int file = open_file(folder, path, flags, mode_of(flags, rest)); \
        va_end(rest);                                                          \
        return file;                                                           \
    }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)

int rename(const char *from, const char *to)
{
    if (fails(RENAMING)) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(rename)(from, to);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    static __typeof__(&write) next;
    if (next == NULL)
        next = NEXT(write);
    if (file <= STDERR_FILENO || fault_disk < 0 || !is_owner() || size == 0)
        return next(file, bytes, size);
    if (fault_disk == 0) {
        errno = ENOSPC;
        return -1;
    }
    const ssize_t done =
        next(file, bytes, (long long)size < fault_disk ? size : (size_t)fault_disk);
    if (done > 0)
        fault_disk -= done;
    return done;
}

/* Of NumPy's functions, two that fastrelu calls when it is imported, and when it first meets a type
   of ml_dtypes: without memory they crash. injection.py puts these before them. */

void *(*fault_new_ufunc)(void *, void *, void *, int, int, int, int, void *, void *, int);
int (*fault_register_loop)(void *, int, void *, void *, void *);

void *new_ufunc(void *functions, void *data, void *types, int ntypes, int nin, int nout,
                int identity, void *name, void *doc, int unused)
{
    fault_paused++;
    void *const ufunc =
        fault_new_ufunc(functions, data, types, ntypes, nin, nout, identity, name, doc, unused);
    fault_paused--;
    return ufunc;
}

int register_loop(void *ufunc, int type, void *function, void *types, void *data)
{
    if (fails(LOOP)) {
        PyErr_NoMemory();
        return -1;
    }
    fault_paused++;
    const int status = fault_register_loop(ufunc, type, function, types, data);
    fault_paused--;
    return status;
}

/* Where CPython 3.11 lacks memory for a type, it returns none and sets no error; Cython takes it
   for done and makes an object of it. That crash ends the process with a status of its own. */

enum { OF_NO_TYPE = 43 };

static void end_if_of_no_type(int number)
{
    void *frames[4];
    Dl_info found;
    const int n = backtrace(frames, 4);
    for (int i = 0; i < n; i++)
        if (dladdr(frames[i], &found) && found.dli_sname &&
            strcmp(found.dli_sname, "_PyObject_GC_New") == 0)
            _exit(OF_NO_TYPE);
    signal(number, SIG_DFL);
}

void expect_objects_of_no_type(void)
{
    void *frames[1];
    backtrace(frames, 1); /* which loads a library */
    signal(SIGSEGV, end_if_of_no_type);
}
