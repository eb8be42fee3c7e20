/* The threads of the pool: where they start, wait, work and end. */

#define _GNU_SOURCE /* for syscall */

#include "pool.h"

#include <stdatomic.h>
#include <stdint.h>

static atomic_int num_threads = 1;

int fastrelu_get_num_threads(void) { return atomic_load(&num_threads); }

void fastrelu_set_num_threads(int n)
{
    atomic_store(&num_threads, n < 1 ? 1 : n > FASTRELU_MAX_THREADS ? FASTRELU_MAX_THREADS : n);
}

#if defined(_WIN32)

void fastrelu_init_pool(void) {}

void fastrelu_share(fastrelu_part do_part, const void *work, size_t parts)
{
    for (size_t part = 0; part < parts; part++)
        do_part(work, part);
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* A wake-up costs 5 to 50 microseconds: who expects work, or its end, first looks for it this
 * often. */
enum { LOOKS = 4000 };

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() (void)0
#endif

/* Each thread has a range of parts, so that the same memory meets the same core from call to call;
   who has done his own helps with the others'. */
struct range {
    _Alignas(64) atomic_size_t next;
    size_t end;
};

static struct {
    int usable;           /* its handlers of forks are there */
    pthread_mutex_t mine; /* held by the thread whose work is done, and through a fork */

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t begun, ended;
    pthread_t threads[FASTRELU_MAX_THREADS];
    long ids[FASTRELU_MAX_THREADS];
    int workers; /* that run; numbered from 1: 0 is the caller */
    int stop;
    int open;           /* a worker may still join in */
    atomic_uint call;   /* its number */
    atomic_int working; /* how many have joined in and are not done */

    fastrelu_part do_part;
    const void *work;
    int sharers;
    struct range ranges[FASTRELU_MAX_THREADS];
} pool = {.mine = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .begun = PTHREAD_COND_INITIALIZER,
          .ended = PTHREAD_COND_INITIALIZER};

static void do_parts(int me)
{
    for (int i = 0; i < pool.sharers; i++) {
        struct range *range = &pool.ranges[(me + i) % pool.sharers];
        size_t part;
        while ((part = atomic_fetch_add_explicit(&range->next, 1, memory_order_relaxed)) <
               range->end)
            pool.do_part(pool.work, part);
    }
}

static void *worker(void *number)
{
    const int me = (int)(intptr_t)number;
    unsigned seen = 0;

    pthread_mutex_lock(&pool.lock);
#if defined(__linux__)
    pool.ids[me] = syscall(SYS_gettid);
#endif
    while (!pool.stop) {
        if (pool.open && atomic_load(&pool.call) != seen && me < pool.sharers) {
            seen = atomic_load(&pool.call);
            atomic_fetch_add(&pool.working, 1);
            pthread_mutex_unlock(&pool.lock);
            do_parts(me);
            pthread_mutex_lock(&pool.lock);
            if (atomic_fetch_sub(&pool.working, 1) == 1)
                pthread_cond_signal(&pool.ended);
            pthread_mutex_unlock(&pool.lock);
            for (int i = 0; i < LOOKS && atomic_load(&pool.call) == seen; i++)
                PAUSE();
            pthread_mutex_lock(&pool.lock);
        } else
            pthread_cond_wait(&pool.begun, &pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

static void start(int workers)
{
    static const int own[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV}; /* what a thread itself causes */
    sigset_t others, before;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&others, own[i]);
    pthread_sigmask(SIG_SETMASK, &others, &before); /* a new thread inherits it */
    while (pool.workers < workers && pthread_create(&pool.threads[pool.workers + 1], NULL, worker,
                                                    (void *)(intptr_t)(pool.workers + 1)) == 0)
        pool.workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stop = 1;
    atomic_fetch_add(&pool.call, 1); /* for those that look */
    pthread_cond_broadcast(&pool.begun);
    pthread_mutex_unlock(&pool.lock);
    for (; pool.workers > 0; pool.workers--) {
        pthread_join(pool.threads[pool.workers], NULL);
#if defined(__linux__)
        /* A joined thread is counted by the kernel a little longer, and Python counts after a fork.
         */
        for (int i = 0; i < LOOKS && syscall(SYS_tgkill, getpid(), pool.ids[pool.workers], 0) == 0;
             i++)
            sched_yield();
#endif
    }
    pool.stop = 0;
}

static void before_fork(void)
{
    pthread_mutex_lock(&pool.mine);
    stop();
}

static void after_fork(void) { pthread_mutex_unlock(&pool.mine); }

void fastrelu_init_pool(void)
{
    if (!pool.usable)
        pool.usable = pthread_atfork(before_fork, after_fork, after_fork) == 0;
}

static void share_with(int workers, fastrelu_part do_part, const void *work, size_t parts)
{
    const int sharers = workers + 1;

    pthread_mutex_lock(&pool.lock);
    pool.do_part = do_part;
    pool.work = work;
    pool.sharers = sharers;
    for (int i = 0; i < sharers; i++) {
        atomic_store_explicit(&pool.ranges[i].next, parts * i / sharers, memory_order_relaxed);
        pool.ranges[i].end = parts * (i + 1) / sharers;
    }
    pool.open = 1;
    atomic_fetch_add(&pool.call, 1);
    pthread_cond_broadcast(&pool.begun);
    pthread_mutex_unlock(&pool.lock);

    do_parts(0);

    pthread_mutex_lock(&pool.lock);
    pool.open = 0;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < LOOKS && atomic_load(&pool.working) > 0; i++)
        PAUSE();
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.working) > 0)
        pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

void fastrelu_share(fastrelu_part do_part, const void *work, size_t parts)
{
    const size_t threads = (size_t)fastrelu_get_num_threads();
    int workers = (int)(parts < threads ? parts : threads) - 1;

    if (workers > 0 && pool.usable && pthread_mutex_trylock(&pool.mine) == 0) {
        if (pool.workers < workers)
            start(workers);
        if (pool.workers < workers)
            workers = pool.workers;
        share_with(workers, do_part, work, parts);
        pthread_mutex_unlock(&pool.mine);
    } else
        for (size_t part = 0; part < parts; part++)
            do_part(work, part);
}

#endif
