/* What an empty parallel call costs: the pool of csrc/runtime/threads.c beside OpenMP's. Run by
   bench/fork_join.py. */

#define _GNU_SOURCE

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/threads.h"

enum { ROUNDS = 15, CALLS_PER_LOOK = 50, ROUND_US = 3000, GAPS = 101, REST_US = 300000 };

static int n_threads;

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static void nothing(const void *context, size_t chunk) { (void)context, (void)chunk; }

static void fastrelu(void) { fastrelu_parallel_for(n_threads, (size_t)n_threads, nothing, NULL); }

static void openmp(void)
{
#pragma omp parallel num_threads(n_threads)
    __asm__ volatile("");
}

/* Calls in a row, after a rest in which the other pool falls asleep: the fastest of the rounds. */
static double hot(void (*call)(void))
{
    double best = 1e9;

    usleep(REST_US);
    for (int round = 0; round < ROUNDS; round++) {
        const double begin = now_us();
        double passed;
        int n = 0;
        do {
            for (int i = 0; i < CALLS_PER_LOOK; i++)
                call();
            n += CALLS_PER_LOOK;
            passed = now_us() - begin;
        } while (passed < ROUND_US);
        if (passed / n < best)
            best = passed / n;
    }
    return best;
}

static int compare(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* Single calls, each after a while of other work, or of sleep: the median. */
static double after(void (*call)(void), double gap_us, int asleep)
{
    double times[GAPS];

    usleep(REST_US);
    for (int i = 0; i < GAPS; i++) {
        double begin = now_us();
        if (asleep)
            usleep((unsigned)gap_us);
        else
            while (now_us() - begin < gap_us)
                ;
        begin = now_us();
        call();
        times[i] = now_us() - begin;
    }
    qsort(times, GAPS, sizeof *times, compare);
    return times[GAPS / 2];
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*call)(void);
    } pools[] = {{"fastrelu", fastrelu}, {"OpenMP", openmp}};

    fastrelu_init_threads();
    printf("%7s  %-8s  %10s  %12s  %18s\n", "threads", "pool", "in a row", "after 1 ms",
           "after 10 ms asleep");
    for (int i = 1; i < argc; i++) {
        n_threads = atoi(argv[i]);
        for (size_t k = 0; k < sizeof pools / sizeof *pools; k++) {
            printf("%7d  %-8s  %7.2f us", n_threads, pools[k].name, hot(pools[k].call));
            printf("  %9.1f us  %15.1f us\n", after(pools[k].call, 1000, 0),
                   after(pools[k].call, 10000, 1));
            fflush(stdout);
        }
    }
    return 0;
}
