/* os.h for Linux, macOS and their like. */

#ifndef FASTRELU_OS_POSIX_H
#define FASTRELU_OS_POSIX_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

static inline long long monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline double coarse_seconds(void)
{
    struct timespec now;
#if defined(CLOCK_MONOTONIC_COARSE)
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct thread {
    pthread_t handle;
    void (*run)(int number);
    int number;
    long id;
};

static inline void *begin_thread(void *context)
{
    struct thread *thread = context;
#if defined(__linux__)
    thread->id = syscall(SYS_gettid);
#endif
    thread->run(thread->number);
    return NULL;
}

/* It blocks all signals but those that a thread itself causes. */
static inline int start_thread(struct thread *thread)
{
    static const int own[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    sigset_t others, before;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&others, own[i]);
    pthread_sigmask(SIG_SETMASK, &others, &before); /* a new thread inherits it */
    const int started = pthread_create(&thread->handle, NULL, begin_thread, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static inline void join_thread(struct thread *thread)
{
    pthread_join(thread->handle, NULL);
#if defined(__linux__)
    /* The kernel counts a joined thread a little longer, and Python counts after a fork. */
    for (int i = 0; i < 4000 && syscall(SYS_tgkill, getpid(), thread->id, 0) == 0; i++)
        sched_yield();
#endif
}

#if defined(__linux__)

static inline int usable_cpus(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus)
                                                         : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static inline int current_cpu(void) { return sched_getcpu(); }

/* Goes to another CPU, and may return. */
static inline void leave_cpu(int cpu)
{
    cpu_set_t usable, others;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        return;
    others = usable;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof usable, &usable);
}

#else

static inline int usable_cpus(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }
static inline int current_cpu(void) { return -1; }
static inline void leave_cpu(int cpu) { (void)cpu; }

#endif

typedef pthread_mutex_t mutex;
#define UNLOCKED PTHREAD_MUTEX_INITIALIZER
static inline void lock_mutex(mutex *mutex) { pthread_mutex_lock(mutex); }
static inline void unlock_mutex(mutex *mutex) { pthread_mutex_unlock(mutex); }

static inline size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* NULL if memory is short. What is large enough begins with a huge page, and asks for such. */
static inline void *map_memory(size_t size, int huge_pages)
{
    const size_t huge_page = 2 << 20, around = size >= huge_page ? huge_page : 0;
    char *p = mmap(NULL, size + around, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (around) {
        const size_t before = (huge_page - (uintptr_t)p % huge_page) % huge_page;
        if (before)
            munmap(p, before);
        if (around > before)
            munmap(p + before + size, around - before);
        p += before;
#if defined(MADV_HUGEPAGE)
        if (huge_pages)
            madvise(p, size, MADV_HUGEPAGE); /* where the system has none, it works without */
#endif
    }
    (void)huge_pages;
    return p;
}

static inline void unmap_memory(void *p, size_t size) { munmap(p, size); }

static inline int at_fork(void (*before)(void), void (*after)(void), void (*in_child)(void))
{
    return pthread_atfork(before, after, in_child) == 0;
}

static inline int stay_loaded(void) { return 1; } /* Python unloads no extension */

#endif
