/* In place of the thread pool: chunks run one after the other, in an order that is neither forward
   nor backward. That the pool runs each of them once is shown by tests/runtime/threads.pml. */

#ifndef FASTRELU_PROOFS_POOL_H
#define FASTRELU_PROOFS_POOL_H

#include "runtime/threads.h"

static int threads = 1;
static size_t chunks_run;

int fastrelu_choose_threads(size_t awake, size_t woken)
{
    return (void)awake, (void)woken, threads;
}

void fastrelu_parallel_for(int n_threads, size_t n_chunks, fastrelu_body *body, const void *context)
{
    (void)n_threads;
    for (size_t chunk = 1; chunk < n_chunks; chunk += 2)
        body(context, chunk);
    for (size_t chunk = (n_chunks + 1) / 2 * 2; chunk > 0; chunk -= 2)
        if (chunk - 2 < n_chunks)
            body(context, chunk - 2);
    chunks_run += n_chunks;
}

#endif
