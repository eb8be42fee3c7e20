/* The protocol of csrc/runtime/threads.c, for Spin: threads that call, one that forks, the workers.

   Between two statements that are not in one atomic block any other process may go on. A look at
   `asleep` may miss a worker that goes to sleep at the same time, so that a wake may always be
   left out, except when workers are stopped. A few times a sleeper wakes for no reason.

   Memory is sequentially consistent here; affinities, and when calls are serial, are left out.

   Proved for every order: each chunk of a call runs once, and within that call; a call returns when
   all its chunks are done; workers are stopped before a fork; nobody waits for ever. */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef CHUNKS
#define CHUNKS 4 /* of a call */
#endif
#ifndef CALLS
#define CALLS 2 /* by each caller */
#endif
#ifndef CALLERS
#define CALLERS 1
#endif
#ifndef FORKS
#define FORKS 1
#endif
#ifndef SPURIOUS
#define SPURIOUS 1 /* wake-ups for no reason */
#endif
#define MEMBERS (WORKERS + 1)

mtype = { IDLE, CALLED, JOINED, AWAITED, STOPPED }

typedef member {
    mtype state = IDLE;
    byte call;           /* stands for body and context */
    byte next, end;
    bool sleeps, caller_sleeps;
    bool asleep = true;  /* its bit in the pool's word */
}

member members[MEMBERS];
short unclaimed;
byte busy, workers, calls, running, runs[CHUNKS], ended, returned;
bool fork_sleeps;
byte spurious = SPURIOUS;

inline run_range(k, mine)
{
    do
    :: true ->
        atomic { taken = members[k].next; members[k].next++ }
        if
        :: taken >= members[k].end -> break
        :: else
        fi;
        if
        :: taken + 1 == members[k].end -> unclaimed--
        :: else
        fi;
        atomic {
            assert(members[k].call == calls && busy != 0);
            runs[taken]++;
            running++
        }
        running--
    od;
    taken = 0
}

/* Whether the others are waited for long enough is left open. */
inline run_others_ranges(me)
{
    if
    :: unclaimed <= 0
    :: unclaimed > 0 ->
        if
        :: (unclaimed <= 0)
        :: true ->
            other = 0;
            do
            :: other < MEMBERS ->
                if
                :: other != me && other <= workers_of_call -> run_range(other, me)
                :: else
                fi;
                other++
            :: else -> break
            od;
            other = 0
        fi
    fi
}

inline wake_children(me)
{
    child = 2 * me + 1;
    do
    :: child <= 2 * me + 2 && child <= workers_of_call ->
        if
        :: members[child].asleep -> members[child].sleeps = false
        :: true /* not seen */
        fi;
        child++
    :: else -> break
    od;
    child = 0
}

byte workers_of_call; /* each member has a copy, written before CALLED */

proctype worker(byte me)
{
    byte taken, other, child;
    bool joined;
    mtype old;

    members[me].asleep = false;
    do
    :: true ->
        /* spins, for any time */
        if
        :: members[me].state != IDLE
        :: true ->
            members[me].asleep = true;
            atomic { members[me].sleeps = (members[me].state == IDLE) }
            if
            :: !members[me].sleeps
            :: atomic { spurious > 0 -> spurious--; members[me].sleeps = false }
            fi;
            members[me].asleep = false
        fi;
        if
        :: members[me].state == STOPPED -> break
        :: else
        fi;
        atomic {
            joined = (members[me].state == CALLED);
            if
            :: joined -> members[me].state = JOINED
            :: else
            fi
        }
        if
        :: joined ->
            wake_children(me);
            run_range(me, me);
            run_others_ranges(me);
            atomic { old = members[me].state; members[me].state = IDLE }
            assert(old == JOINED || old == AWAITED);
            if
            :: old == AWAITED -> members[me].caller_sleeps = false
            :: else
            fi;
            old = 0
        :: else
        fi
    od;
    ended++
}

inline await(k)
{
    if
    :: members[k].state != JOINED /* seen while it spins */
    :: true ->
        atomic {
            waits = (members[k].state == JOINED);
            if
            :: waits -> members[k].state = AWAITED
            :: else
            fi
        }
        do
        :: waits && members[k].state == AWAITED ->
            atomic { members[k].caller_sleeps = (members[k].state == AWAITED) }
            if
            :: !members[k].caller_sleeps
            :: atomic { spurious > 0 -> spurious--; members[k].caller_sleeps = false }
            fi
        :: else -> break
        od;
        waits = false
    fi
}

inline run_with()
{
    atomic {
        calls++;
        i = 0;
        do
        :: i < CHUNKS -> runs[i] = 0; i++
        :: else -> break
        od;
        i = 0
    }
    workers_of_call = workers;
    do
    :: i <= workers ->
        members[i].call = calls;
        members[i].end = CHUNKS * (i + 1) / (workers + 1);
        members[i].next = CHUNKS * i / (workers + 1);
        i++
    :: else -> break
    od;
    i = 1;
    do
    :: i <= workers -> members[i].state = CALLED; i++
    :: else -> break
    od;
    unclaimed = unclaimed + workers + 1;
    wake_children(0);
    run_range(0, 0);
    run_others_ranges(0);
    i = 1;
    do
    :: i <= workers ->
        atomic {
            if
            :: members[i].state == CALLED -> members[i].state = IDLE
            :: else
            fi
        }
        await(i);
        i++
    :: else -> break
    od;
    atomic {
        i = 0;
        do
        :: i < CHUNKS -> assert(runs[i] == 1); i++
        :: else -> break
        od;
        i = 0;
        assert(running == 0 && unclaimed == 0)
    }
}

inline start()
{
    do
    :: workers < WORKERS -> atomic { workers++; run worker(workers) }
    :: else -> break
    od
}

inline unlock()
{
    atomic { was = busy; busy = 0 }
    if
    :: was == 2 -> fork_sleeps = false
    :: else
    fi;
    was = 0
}

proctype caller()
{
    byte taken, other, child, i, was, n;
    bool waits, locked;

    do
    :: n < CALLS ->
        n++;
        atomic {
            locked = (busy == 0);
            if
            :: locked -> busy = 1
            :: else
            fi
        }
        if
        :: locked -> start(); run_with(); unlock()
        :: else /* runs its chunks itself */
        fi;
        locked = false
    :: else -> break
    od;
    returned++
}

inline stop()
{
    ended = 0;
    i = 1;
    do
    :: i <= workers ->
        members[i].state = STOPPED;
        members[i].sleeps = false;
        i++
    :: else -> break
    od;
    ended == workers;
    atomic {
        i = 1;
        do
        :: i <= workers -> members[i].state = IDLE; members[i].asleep = true; i++
        :: else -> break
        od;
        i = 0;
        workers = 0
    }
}

inline fork()
{
    do
    :: atomic { was = busy; busy = 2 }
        if
        :: was == 0 -> break
        :: else
        fi;
        atomic { fork_sleeps = (busy == 2) }
        if
        :: !fork_sleeps
        :: atomic { spurious > 0 -> spurious--; fork_sleeps = false }
        fi
    od;
    was = 0;
    stop();
    assert(workers == 0 && running == 0);
    unlock()
}

/* Forks, and at the end stops the workers, so that a process that is left over is an error. */
init
{
    byte i, was, n;

    atomic {
        n = 0;
        do
        :: n < CALLERS -> run caller(); n++
        :: else -> break
        od;
        n = 0
    }
    do
    :: n < FORKS -> fork(); n++
    :: else -> break
    od;
    returned == CALLERS;
    stop()
}
