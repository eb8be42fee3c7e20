/* How one thread waits for another that changes a word: first it spins, then it sleeps. */

#ifndef FASTRELU_WAIT_H
#define FASTRELU_WAIT_H

#include <limits.h>
#include <stdatomic.h>

#include "runtime/os.h"

#if defined(__linux__) && !defined(FASTRELU_WITHOUT_FUTEX)
#define HAS_FUTEX
#include <linux/futex.h>
#endif

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("isb" ::: "memory") /* a yield takes but a cycle */
#else
#define PAUSE() (void)0
#endif

/* A pause takes 1 to 140 cycles, so the clock says when to end; it takes as long as some pauses. */
enum { PAUSES_PER_LOOK = 16 };

/* Returns whether the word has another value before so much time has passed. */
static inline int spin_while_equal(atomic_uint *word, unsigned value, long long ns)
{
    long long end = 0;

    for (unsigned turn = 1; atomic_load_explicit(word, memory_order_acquire) == value; turn++) {
        PAUSE();
        if (turn % PAUSES_PER_LOOK)
            continue;
        const long long now = monotonic_ns();
        if (end == 0)
            end = now + ns;
        else if (now >= end)
            return 0;
    }
    return 1;
}

#if defined(HAS_FUTEX) || defined(_WIN32)

/* May return early. Does not begin to sleep if the word has another value. */
static inline void sleep_while_equal(atomic_uint *word, unsigned value)
{
#if defined(_WIN32)
    WaitOnAddress(word, &value, sizeof value, INFINITE);
#else
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
#endif
}

/* Of all that sleep on a word. To be called after it has been changed. */
static inline void wake(atomic_uint *word)
{
#if defined(_WIN32)
    WakeByAddressAll(word);
#else
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

static inline void lock_sleepers(void) {}
static inline void unlock_sleepers(void) {}
static inline void renew_sleepers(void) {}

#else

struct sleepers {
    mutex lock;
    pthread_cond_t changed;
};

static const struct sleepers no_sleepers = {UNLOCKED, PTHREAD_COND_INITIALIZER};
static struct sleepers sleepers = {UNLOCKED, PTHREAD_COND_INITIALIZER};

static inline void sleep_while_equal(atomic_uint *word, unsigned value)
{
    lock_mutex(&sleepers.lock);
    if (atomic_load(word) == value)
        pthread_cond_wait(&sleepers.changed, &sleepers.lock);
    unlock_mutex(&sleepers.lock);
}

static inline void wake(atomic_uint *word)
{
    (void)word;
    lock_mutex(&sleepers.lock);
    pthread_cond_broadcast(&sleepers.changed);
    unlock_mutex(&sleepers.lock);
}

/* Around a fork: threads that sleep, or are about to, are not in the child. */
static inline void lock_sleepers(void) { lock_mutex(&sleepers.lock); }
static inline void unlock_sleepers(void) { unlock_mutex(&sleepers.lock); }
static inline void renew_sleepers(void) { sleepers = no_sleepers; }

#endif

#endif
