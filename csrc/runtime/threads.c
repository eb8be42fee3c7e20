/* The thread pool. tests/runtime/threads.pml models its protocol. */

#define _GNU_SOURCE /* for syscall and affinities */

#include "runtime/threads.h"

#include <stdatomic.h>
#include <stdint.h>

#include "kernels/fpstatus.h"
#include "runtime/os.h"
#include "runtime/wait.h"

static atomic_int num_threads = 1;

int fastrelu_get_num_threads(void) { return atomic_load(&num_threads); }

void fastrelu_set_num_threads(int n)
{
    atomic_store(&num_threads, n < 1 ? 1 : n > FASTRELU_MAX_THREADS ? FASTRELU_MAX_THREADS : n);
}

static void run_serially(size_t n_chunks, fastrelu_body *body, const void *context)
{
    for (size_t chunk = 0; chunk < n_chunks; chunk++)
        body(context, chunk);
}

/* In nanoseconds.

   AWAKE_NS      A worker spins so long for its next call. To wake a thread takes 5 to 50
                 microseconds; to spin for longer would take from others what calls at such a
                 distance do not miss.
   CROWDED_NS    The same where the pool has more threads than the process has CPUs.
   HELP_NS       A thread that has done its chunks waits so long before it looks for others'.
   END_NS        The caller spins so long for a worker's last chunk.
   LOST_NS       A worker that has kept the caller waiting so long had lost its CPU: then short
   calls are serial for RECOVERY times as long, or as MOST_LOST_NS. */
enum {
    AWAKE_NS = 100000,
    CROWDED_NS = 2000,
    HELP_NS = 2000,
    END_NS = 50000,
    LOST_NS = 500000,
    MOST_LOST_NS = 5000000,
    RECOVERY = 20
};

/* What the caller has asked of a worker, and how far it is. Only the caller leaves IDLE. A worker
   goes from CALLED to JOINED, unless the caller, having found all chunks taken, goes back to IDLE
   first; and from JOINED to IDLE, or from AWAITED, if the caller sleeps until then. */
enum state { IDLE, CALLED, JOINED, AWAITED, STOPPED };

/* Pairs of cache lines, for some CPUs fetch two at once. */
#define APART _Alignas(128)

/* Each thread has a range of chunks, so that the same memory meets the same core from call to call.
   All but `state` and `next` is written by the caller before CALLED, and read by a worker after
   JOINED, or of others after a look at `unclaimed`. */
struct member {
    APART atomic_uint state;
    atomic_int cpu; /* where it last began to run chunks */
    int n_threads, fpstatus;
    unsigned fpcontrol; /* of the caller */
    fastrelu_body *body;
    const void *context;
    atomic_size_t next;
    size_t end;
};

static struct {
    int usable;       /* its handlers of forks are there */
    int workers;      /* that run; numbered from 1: member 0 is the caller */
    int n_cpus;       /* as they were when the first worker was started */
    atomic_uint busy; /* by a call or a fork: 0, 1, or 2 if a fork waits for its end */
    struct thread threads[FASTRELU_MAX_THREADS];
    atomic_llong last_call, serial_until;

    APART atomic_uint_least64_t asleep; /* a bit for each that sleeps, or has not been started */
    APART atomic_int unclaimed;         /* ranges with chunks that nobody has taken */
    struct member members[FASTRELU_MAX_THREADS];
} pool = {.asleep = UINT64_MAX};

static uint64_t bit(int number) { return (uint64_t)1 << number; }

/* The last chunk of a range is counted when it is taken. */
static void run_range(struct member *member)
{
    size_t chunk;
    while ((chunk = atomic_fetch_add_explicit(&member->next, 1, memory_order_relaxed)) <
           member->end) {
        if (chunk + 1 == member->end)
            atomic_fetch_sub_explicit(&pool.unclaimed, 1, memory_order_relaxed);
        member->body(member->context, chunk);
    }
}

/* A range whose worker sleeps, or has lost its CPU, is done by others. In most calls all ranges
   are taken to their ends at nearly the same time, and nobody looks at those of others. */
static void run_others_ranges(int me, int n_threads)
{
    long long end = 0;
    for (unsigned turn = 1;; turn++) {
        if (atomic_load_explicit(&pool.unclaimed, memory_order_acquire) <= 0)
            return;
        PAUSE();
        if (turn % PAUSES_PER_LOOK)
            continue;
        const long long now = monotonic_ns();
        if (end == 0)
            end = now + HELP_NS;
        else if (now >= end)
            break;
    }
    for (int i = 1; i < n_threads; i++)
        run_range(&pool.members[(me + i) % n_threads]);
}

/* Threads are woken as a tree. Whoever is late in it costs time, no chunk. */
static void wake_children(int me, int n_threads)
{
    const uint64_t asleep = atomic_load_explicit(&pool.asleep, memory_order_relaxed);
    for (int i = 2 * me + 1; i <= 2 * me + 2 && i < n_threads; i++)
        if (asleep & bit(i))
            wake(&pool.members[i].state);
}

static void record_cpu(int me)
{
    const int cpu = current_cpu();
    if (atomic_load_explicit(&pool.members[me].cpu, memory_order_relaxed) != cpu)
        atomic_store_explicit(&pool.members[me].cpu, cpu, memory_order_relaxed);
}

/* The kernel of a virtual machine may take a CPU that its host has put to rest for a busy one, and
   wake a thread on the CPU of the one that wakes it, where the two then run in turns. A worker that
   finds itself there goes to another CPU, and may return. */
static void leave_cpu_of_waker(int me)
{
    const struct member *const waker = &pool.members[(me - 1) / 2];
    const int cpu = current_cpu();
    if (cpu >= 0 && cpu == atomic_load_explicit(&waker->cpu, memory_order_relaxed))
        leave_cpu(cpu);
}

static void worker(int me)
{
    struct member *const member = &pool.members[me];

    atomic_fetch_and(&pool.asleep, ~bit(me));
    for (int crowded = 0;;) {
        unsigned called = CALLED;
        if (!spin_while_equal(&member->state, IDLE, crowded ? CROWDED_NS : AWAKE_NS)) {
            atomic_fetch_or(&pool.asleep, bit(me));
            sleep_while_equal(&member->state, IDLE);
            atomic_fetch_and(&pool.asleep, ~bit(me));
            leave_cpu_of_waker(me);
        }
        if (atomic_load(&member->state) == STOPPED)
            return;
        if (!atomic_compare_exchange_strong(&member->state, &called, JOINED))
            continue;
        record_cpu(me);
        crowded = member->n_threads > pool.n_cpus;
        wake_children(me, member->n_threads);
        fastrelu_set_fpcontrol(member->fpcontrol);
        fastrelu_clear_fpstatus();
        run_range(member);
        run_others_ranges(me, member->n_threads);
        member->fpstatus = fastrelu_get_fpstatus();
        if (atomic_exchange(&member->state, IDLE) == AWAITED)
            wake(&member->state);
    }
}

static void start(int workers)
{
    if (pool.workers == 0)
        pool.n_cpus = usable_cpus();
    while (pool.workers < workers) {
        struct thread *const thread = &pool.threads[pool.workers + 1];
        thread->run = worker;
        thread->number = pool.workers + 1;
        if (!start_thread(thread))
            break;
        pool.workers++;
    }
}

static void stop(void)
{
    for (int i = 1; i <= pool.workers; i++) {
        atomic_store(&pool.members[i].state, STOPPED);
        wake(&pool.members[i].state);
    }
    for (; pool.workers > 0; pool.workers--) {
        join_thread(&pool.threads[pool.workers]);
        atomic_store(&pool.members[pool.workers].state, IDLE);
    }
    atomic_store(&pool.asleep, UINT64_MAX);
}

static int try_lock(void)
{
    unsigned unlocked = 0;
    return atomic_compare_exchange_strong(&pool.busy, &unlocked, 1);
}

static void unlock(void)
{
    if (atomic_exchange(&pool.busy, 0) == 2)
        wake(&pool.busy);
}

static void before_fork(void)
{
    while (atomic_exchange(&pool.busy, 2) != 0)
        sleep_while_equal(&pool.busy, 2);
    stop();
    lock_sleepers();
}

static void after_fork(void)
{
    unlock_sleepers();
    unlock();
}

static void after_fork_in_child(void)
{
    renew_sleepers();
    unlock();
}

void fastrelu_init_threads(void)
{
    if (!pool.usable)
        pool.usable = at_fork(before_fork, after_fork, after_fork_in_child) && stay_loaded();
}

/* Waits until a worker has done its last chunk. */
static void await(struct member *member)
{
    unsigned joined = JOINED;

    if (spin_while_equal(&member->state, JOINED, END_NS))
        return;
    const long long begin = monotonic_ns();
    if (atomic_compare_exchange_strong(&member->state, &joined, AWAITED))
        while (atomic_load(&member->state) == AWAITED)
            sleep_while_equal(&member->state, AWAITED);
    const long long now = monotonic_ns(), lost = now - begin;
    if (lost > LOST_NS)
        atomic_store(&pool.serial_until,
                     now + RECOVERY * (lost < MOST_LOST_NS ? lost : MOST_LOST_NS));
}

static void run_with(int n_threads, size_t n_chunks, fastrelu_body *body, const void *context)
{
    const unsigned fpcontrol = fastrelu_get_fpcontrol();
    int fpstatus = 0;

    record_cpu(0);
    for (int i = 0; i < n_threads; i++) {
        struct member *const member = &pool.members[i];
        member->n_threads = n_threads;
        member->fpstatus = 0;
        member->fpcontrol = fpcontrol;
        member->body = body;
        member->context = context;
        member->end = n_chunks * (size_t)(i + 1) / (size_t)n_threads;
        atomic_store_explicit(&member->next, n_chunks * (size_t)i / (size_t)n_threads,
                              memory_order_relaxed);
    }
    for (int i = 1; i < n_threads; i++)
        atomic_store_explicit(&pool.members[i].state, CALLED, memory_order_release);
    atomic_fetch_add_explicit(&pool.unclaimed, n_threads, memory_order_release);
    wake_children(0, n_threads);

    run_range(&pool.members[0]);
    run_others_ranges(0, n_threads);

    for (int i = 1; i < n_threads; i++) {
        struct member *const member = &pool.members[i];
        unsigned state = atomic_load_explicit(&member->state, memory_order_acquire);
        if (state == CALLED && atomic_compare_exchange_strong(&member->state, &state, IDLE))
            continue;
        if (state == JOINED)
            await(member);
        fpstatus |= member->fpstatus;
    }
    fastrelu_raise_fpstatus(fpstatus);
}

void fastrelu_parallel_for(int n_threads, size_t n_chunks, fastrelu_body *body, const void *context)
{
    if ((size_t)n_threads > n_chunks)
        n_threads = (int)n_chunks;
    if (n_threads < 2 || !pool.usable || !try_lock()) {
        run_serially(n_chunks, body, context);
        return;
    }
    if (pool.workers < n_threads - 1)
        start(n_threads - 1);
    if (pool.workers < n_threads - 1)
        n_threads = pool.workers + 1;
    run_with(n_threads, n_chunks, body, context);
    unlock();
}

int fastrelu_choose_threads(size_t awake, size_t woken)
{
    const size_t limit = (size_t)fastrelu_get_num_threads();
    const size_t most = awake < limit ? awake : limit, least = woken < limit ? woken : limit;
    int n_awake = 1;

    if (most < 2)
        return 1;
    if (least == most)
        return (int)most;
    if (least < 2 && atomic_load_explicit(&pool.serial_until, memory_order_relaxed)) {
        if (monotonic_ns() < atomic_load(&pool.serial_until))
            return 1;
        atomic_store(&pool.serial_until, 0);
    }
    const uint64_t asleep = atomic_load_explicit(&pool.asleep, memory_order_relaxed);
    while (n_awake < (int)most && !(asleep & bit(n_awake)))
        n_awake++;
    if (n_awake == (int)most)
        return n_awake;
    /* Soon after another call: the next will find awake whom this one wakes. */
    const long long now = monotonic_ns();
    const long long before = atomic_exchange_explicit(&pool.last_call, now, memory_order_relaxed);
    if (now - before < AWAKE_NS)
        return (int)most;
    return n_awake > (int)least ? n_awake : (int)least ? (int)least : 1;
}
