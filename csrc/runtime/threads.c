/* The threads of the pool: where they start, wait, context and end. */

#define _GNU_SOURCE /* for syscall and affinities */

#include "runtime/threads.h"

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/fpstatus.h"

static atomic_int num_threads = 1;

int fastrelu_get_num_threads(void) { return atomic_load(&num_threads); }

void fastrelu_set_num_threads(int n)
{
    atomic_store(&num_threads, n < 1 ? 1 : n > FASTRELU_MAX_THREADS ? FASTRELU_MAX_THREADS : n);
}

#if defined(_WIN32)

void fastrelu_init_threads(void) {}

void fastrelu_parallel_for(size_t n_chunks, fastrelu_body *body, const void *context)
{
    for (size_t chunk = 0; chunk < n_chunks; chunk++)
        body(context, chunk);
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* A wake-up costs 5 to 50 microseconds: who expects context, or its end, first looks for it this
 * often. */
enum { SPIN_ITERATIONS = 4000 };

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() (void)0
#endif

/* Each thread has a range of n_chunks, so that the same memory meets the same core from call to
   call; who has done his own helps with the others'. */
struct range {
    _Alignas(64) atomic_size_t next;
    size_t end;
};

static struct {
    int usable;           /* its handlers of forks are there */
    pthread_mutex_t busy; /* held by the thread whose context is done, and through a fork */

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t begun, ended;
    pthread_t threads[FASTRELU_MAX_THREADS];
    long ids[FASTRELU_MAX_THREADS];
    atomic_int cpus[FASTRELU_MAX_THREADS]; /* where each was last seen, plus 1; 0 if not known */
    int workers;                           /* that run; numbered from 1: 0 is the caller */
    int stop;
    int accepting;          /* a worker may still join in */
    atomic_uint generation; /* its number */
    atomic_int working;     /* how many have joined in and are not done */
    atomic_int fpstatus;    /* the floating-point flags that workers have raised */

    fastrelu_body *body;
    const void *context;
    int n_threads;
    struct range ranges[FASTRELU_MAX_THREADS];
} pool = {.busy = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .begun = PTHREAD_COND_INITIALIZER,
          .ended = PTHREAD_COND_INITIALIZER};

static void do_chunks(int me)
{
    for (int i = 0; i < pool.n_threads; i++) {
        struct range *range = &pool.ranges[(me + i) % pool.n_threads];
        size_t chunk;
        while ((chunk = atomic_fetch_add_explicit(&range->next, 1, memory_order_relaxed)) <
               range->end)
            pool.body(pool.context, chunk);
    }
}

#if defined(__linux__)

static void record_cpu(int me) { atomic_store(&pool.cpus[me], sched_getcpu() + 1); }

/* Some schedulers keep threads that wait for each other on one CPU, where they context in turns.
   Who was last seen on the CPU of another is told to keep off those that are taken. */
static void keep_apart(int workers)
{
    cpu_set_t taken, free;
    CPU_ZERO(&taken);
    CPU_SET(sched_getcpu(), &taken);
    for (int i = 1; i <= workers; i++) {
        const int cpu = atomic_load(&pool.cpus[i]) - 1;
        if (cpu < 0)
            continue;
        if (CPU_ISSET(cpu, &taken) && sched_getaffinity(0, sizeof free, &free) == 0) {
            CPU_AND(&taken, &taken, &free);
            CPU_XOR(&free, &free, &taken);
            if (CPU_COUNT(&free) > 0 &&
                sched_setaffinity((pid_t)pool.ids[i], sizeof free, &free) == 0)
                atomic_store(&pool.cpus[i], 0);
        } else
            CPU_SET(cpu, &taken);
    }
}

#else

static void record_cpu(int me) { (void)me; }
static void keep_apart(int workers) { (void)workers; }

#endif

static void *worker(void *number)
{
    const int me = (int)(intptr_t)number;
    unsigned seen = 0;

    pthread_mutex_lock(&pool.lock);
#if defined(__linux__)
    pool.ids[me] = syscall(SYS_gettid);
#endif
    while (!pool.stop) {
        if (atomic_load(&pool.generation) == seen)
            pthread_cond_wait(&pool.begun, &pool.lock);
        if (pool.stop)
            break;
        seen = atomic_load(&pool.generation);
        record_cpu(me);
        const int wanted = me < pool.n_threads, joins = wanted && pool.accepting;
        if (joins)
            atomic_fetch_add(&pool.working, 1);
        pthread_mutex_unlock(&pool.lock);
        if (joins) {
            fastrelu_clear_fpstatus();
            do_chunks(me);
            atomic_fetch_or(&pool.fpstatus, fastrelu_get_fpstatus());
            pthread_mutex_lock(&pool.lock);
            if (atomic_fetch_sub(&pool.working, 1) == 1)
                pthread_cond_signal(&pool.ended);
            pthread_mutex_unlock(&pool.lock);
        }
        /* Also if it woke up too late: else it would for each of a row of short calls. */
        for (int i = 0; wanted && i < SPIN_ITERATIONS && atomic_load(&pool.generation) == seen; i++)
            PAUSE();
        record_cpu(me);
        pthread_mutex_lock(&pool.lock);
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
    atomic_fetch_add(&pool.generation, 1); /* for those that look */
    pthread_cond_broadcast(&pool.begun);
    pthread_mutex_unlock(&pool.lock);
    for (; pool.workers > 0; pool.workers--) {
        pthread_join(pool.threads[pool.workers], NULL);
        atomic_store(&pool.cpus[pool.workers], 0);
#if defined(__linux__)
        /* A joined thread is counted by the kernel a little longer, and Python counts after a fork.
         */
        for (int i = 0;
             i < SPIN_ITERATIONS && syscall(SYS_tgkill, getpid(), pool.ids[pool.workers], 0) == 0;
             i++)
            sched_yield();
#endif
    }
    pool.stop = 0;
}

static void before_fork(void)
{
    pthread_mutex_lock(&pool.busy);
    stop();
}

static void after_fork(void) { pthread_mutex_unlock(&pool.busy); }

void fastrelu_init_threads(void)
{
    if (!pool.usable)
        pool.usable = pthread_atfork(before_fork, after_fork, after_fork) == 0;
}

static void run_with(int workers, fastrelu_body *body, const void *context, size_t n_chunks)
{
    const int n_threads = workers + 1;

    keep_apart(workers);
    pthread_mutex_lock(&pool.lock);
    pool.body = body;
    pool.context = context;
    pool.n_threads = n_threads;
    atomic_store(&pool.fpstatus, 0);
    for (int i = 0; i < n_threads; i++) {
        atomic_store_explicit(&pool.ranges[i].next, n_chunks * i / n_threads, memory_order_relaxed);
        pool.ranges[i].end = n_chunks * (i + 1) / n_threads;
    }
    pool.accepting = 1;
    atomic_fetch_add(&pool.generation, 1);
    pthread_cond_broadcast(&pool.begun);
    pthread_mutex_unlock(&pool.lock);

    do_chunks(0);

    pthread_mutex_lock(&pool.lock);
    pool.accepting = 0;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < SPIN_ITERATIONS && atomic_load(&pool.working) > 0; i++)
        PAUSE();
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.working) > 0)
        pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    fastrelu_raise_fpstatus(atomic_load(&pool.fpstatus));
}

void fastrelu_parallel_for(size_t n_chunks, fastrelu_body *body, const void *context)
{
    const size_t threads = (size_t)fastrelu_get_num_threads();
    int workers = (int)(n_chunks < threads ? n_chunks : threads) - 1;

    if (workers > 0 && pool.usable && pthread_mutex_trylock(&pool.busy) == 0) {
        if (pool.workers < workers)
            start(workers);
        if (pool.workers < workers)
            workers = pool.workers;
        run_with(workers, body, context, n_chunks);
        pthread_mutex_unlock(&pool.busy);
    } else
        for (size_t chunk = 0; chunk < n_chunks; chunk++)
            body(context, chunk);
}

#endif
