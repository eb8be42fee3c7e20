"""Measures small calls by several threads at once, beside one, on a Python without the GIL."""

import argparse
import os
import statistics
import sys
import threading
import time

import numpy as np

import fastrelu

DESCRIPTION = """\
Measure small calls by one thread and by several at once, each on arrays of its own. The last column
says how many times the work of one thread the others do together: as many as there are threads, if
they write to no memory that they share.
"""
EPILOG = """\
Each thread stays on a CPU of its own. The threads begin bursts of calls at the same moment; a burst
counts if each thread had its CPU throughout and all ran nearly as long. So other work on the
machine costs time, not accuracy; a line without figures had no such burst. A new array of NumPy
counts a reference to its memory handler, which all share: np.empty shows what that costs.
"""
BURST_SECONDS = 0.0005
BURSTS = 30
MOST_BURSTS = 1000
LEAD_NS = 200_000  # from the order to the begin of a burst
HAD_ITS_CPU = 0.97
RAN_TOGETHER = 0.85

CALLS = {
    "relu(x, out)": lambda x, out, mask: (fastrelu.relu, x, out),
    "relu_backward(x, x, out)": lambda x, out, mask: (fastrelu.relu_backward, x, x, out),
    "relu_with_mask(x, out, mask)": lambda x, out, mask: (fastrelu.relu_with_mask, x, out, mask),
    "relu(x)": lambda x, out, mask: (fastrelu.relu, x),
    "np.empty(n)": lambda x, out, mask: (np.empty, x.size, x.dtype),
    "np.positive(x, out)": lambda x, out, mask: (np.positive, x, out),
    "len(x)": lambda x, out, mask: (len, x),
}


def call_of(name, n):
    """
    Return a function and its arguments, arrays of the calling thread's own.

    They lie in one block, so that where they begin is the same for every thread, and at different
    places in a page: a load waits for a store before it to the same place in another page.
    """
    block = np.ones(2 * n + 2048, "f4")
    block = block[-block.ctypes.data % 64 // 4 :]
    after = -(-n // 1024) * 1024 + 512  # the half of a page, of 1024 elements, further on
    return CALLS[name](block[:n], block[after:][:n], np.empty((n + 7) // 8, "u1"))


def run(function, args, n):
    """Return begin and end of n calls, and the time of the CPU that they took, in ns."""
    cpu, begin = time.thread_time_ns(), time.perf_counter_ns()
    for _ in range(n):
        function(*args)
    end = time.perf_counter_ns()
    return begin, end, time.thread_time_ns() - cpu


def counts(burst):
    """Return whether each thread of a burst had its CPU, and all ran at the same time."""
    begins, ends, cpu = zip(*burst, strict=True)
    longest = max(end - begin for begin, end, _ in burst)
    return min(ends) - max(begins) > RAN_TOGETHER * longest and all(
        ns > HAD_ITS_CPU * (end - begin) for begin, end, ns in zip(begins, ends, cpu, strict=True)
    )


def measure(name, n_elements, n_threads, n_calls):
    """Return the CPU time of a call in ns, the median of the bursts that count, or None."""
    found, burst, cpus = [], [None] * n_threads, sorted(os.sched_getaffinity(0))
    ready, done = threading.Barrier(n_threads), threading.Barrier(n_threads)
    state = {"begin": 0, "left": MOST_BURSTS}

    def work(number):
        os.sched_setaffinity(0, {cpus[number]})
        function, *args = call_of(name, n_elements)
        while state["left"] and len(found) < BURSTS:
            if number == 0:
                state["begin"] = time.perf_counter_ns() + LEAD_NS
            ready.wait()
            while time.perf_counter_ns() < state["begin"]:
                pass
            burst[number] = run(function, args, n_calls)
            done.wait()
            if number == 0:
                if counts(burst):
                    found.append(sum(cpu for *_, cpu in burst) / n_threads / n_calls)
                state["left"] -= 1
            done.wait()

    threads = [threading.Thread(target=work, args=[number]) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.median(found) if found else None


def calls_of_a_burst(name, n_elements):
    function, *args = call_of(name, n_elements)
    begin, end, _ = min(run(function, args, 200) for _ in range(5))
    return max(1, int(200 * BURST_SECONDS * 1e9 / (end - begin)))


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument(
        "--elements", type=int, nargs="+", default=[16, 500, 4096], help="default: 16 500 4096"
    )
    options = parser.parse_args(argv)
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        parser.error("a Python without the GIL is needed, for example python3.14t")
    if not 2 <= options.threads <= len(os.sched_getaffinity(0)):
        parser.error("--threads: from 2 to the number of CPUs that this process may use")
    if min(options.elements) < 1:
        parser.error("--elements: from 1 up")
    fastrelu.set_num_threads(1)
    print(f"{'':30}{'elements':>9}{'ns by 1':>9}{f'ns by {options.threads}':>9}{'times':>7}")
    for name in CALLS:
        for n in options.elements:
            n_calls = calls_of_a_burst(name, n)
            one, all_together = (measure(name, n, t, n_calls) for t in (1, options.threads))
            cells = [f"{ns:.1f}" if ns else "-" for ns in (one, all_together)]
            cells.append(f"{options.threads * one / all_together:.2f}" if all_together else "-")
            print(f"{name:30}{n:>9}{cells[0]:>9}{cells[1]:>9}{cells[2]:>7}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
