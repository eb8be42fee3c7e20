/* Calls and forks, each from two threads, and a changing number of threads, on the pool alone: each
   chunk of a call runs once, rounds as its caller does, and all have run when it returns. */

#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/threads.h"

enum { CHUNKS = 37, CALLS = 3000, FORKS = 20, N = 2 };

struct call {
    int number, rounds_up;
    int *runs; /* written by the chunk's thread alone, without an atomic */
};

static int rounds_up(void)
{
    volatile double one = 1, little = 1e-30;
    return one + little > 1;
}

static void run(const void *context, size_t chunk)
{
    const struct call *call = context;
    if (rounds_up() == call->rounds_up)
        call->runs[chunk] += call->number;
}

static void check(int number, int n_threads, size_t n_chunks)
{
    int runs[CHUNKS] = {0};
    const struct call call = {number, rounds_up(), runs};

    fastrelu_parallel_for(n_threads, n_chunks, run, &call);
    for (size_t i = 0; i < CHUNKS; i++)
        if (runs[i] != (i < n_chunks ? number : 0)) {
            fprintf(stderr, "call %d: chunk %zu gave %d\n", number, i, runs[i]);
            _exit(1);
        }
}

static void *call_often(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;

    for (int i = 1; i <= CALLS; i++) {
        state = state * 1664525 + 1013904223;
        fesetround(state >> 4 & 1 ? FE_UPWARD : FE_TONEAREST);
        check(i, 1 + (int)(state >> 28) % 6, 1 + (state >> 20) % CHUNKS);
        if (state >> 8 & 1) /* so that workers sleep at times */
            nanosleep(&(struct timespec){.tv_nsec = (long)(state % 150000)}, NULL);
    }
    return NULL;
}

static void *fork_often(void *unused)
{
    for (int i = 0; i < FORKS; i++) {
        const pid_t child = fork();
        int status;
        if (child == 0) {
            alarm(60);
            check(1, 3, CHUNKS);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "a child failed\n");
            _exit(1);
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return unused;
}

int main(void)
{
    pthread_t callers[N], forkers[N];

    alarm(120);
    fastrelu_init_threads();
    for (size_t i = 0; i < N; i++)
        if (pthread_create(&callers[i], NULL, call_often, (void *)(i + 1)) ||
            pthread_create(&forkers[i], NULL, fork_often, NULL))
            return 2;
    for (int i = 0; i < N; i++) {
        pthread_join(callers[i], NULL);
        pthread_join(forkers[i], NULL);
    }
    return 0;
}
