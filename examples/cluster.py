"""
An array larger than memory
===========================

Run ReLU forward and backward over an array larger than the memory of a Dask cluster.

The workers run on this machine, each with a memory limit, or belong to a running cluster. They
generate the array in chunks. fastrelu's functions are ufuncs, so Dask treats them as it treats
NumPy's: relu(x) of a Dask array is a lazy Dask array with the same chunks. Each worker checks its
chunks against NumPy and returns one row of numbers for each.
"""

import argparse
import contextlib
import logging
import resource
import signal
import sys
import time

import dask.array as da
import numpy as np
from dask.distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed
from dask.utils import format_bytes, parse_bytes

import fastrelu
from fastrelu._tool.common import BadInputError, Progress, human

EPILOG = """\
on a real cluster, whose workers have fastrelu installed:
  dask scheduler                                            # on one machine
  dask worker tcp://SCHEDULER:8786 --memory-limit 8GiB      # on each of the others
  python cluster.py --scheduler tcp://SCHEDULER:8786        # anywhere

The imports of a worker take up to 200 MiB, before the first chunk.
sizes: bytes, or with a unit, as in 256MiB or 4GiB
exit status: 0, or 1 if a result is wrong or workers die, 2 on bad input, 130 if interrupted
"""
FEATURES = 1024
DTYPE = np.dtype("float32")
# Of a worker's memory, for each of its threads: a task holds about eight chunks at a time (inputs,
# results and their checks), and Dask pauses a worker at 0.8 of its limit.
SHARE_OF_CHUNK = 1 / 64
TIMES_THE_MEMORY = 4
# Expected for random numbers from -1/2 to 1/2: the share that passes, and the mean of relu.
PASSING, MEAN = 1 / 2, 1 / 8


class Settings(WorkerPlugin):
    """The limits of fastrelu in each worker, including workers that join later."""

    name = "fastrelu"

    def __init__(self, kept):
        self.kept = kept

    def setup(self, worker):
        self.before = fastrelu.get_num_threads(), fastrelu.cache_info().limit
        # Dask's own threads already use all cores. A worker with a nanny has OMP_NUM_THREADS=1; one
        # without a nanny does not.
        fastrelu.set_num_threads(1)
        # The block cache saves the page faults of each output, which cost more than ReLU itself. By
        # default it may hold 512 MiB, whatever limit Dask has set.
        fastrelu.set_cache_limit(self.kept)

    def teardown(self, worker):
        threads, kept = self.before
        fastrelu.set_num_threads(threads)
        fastrelu.set_cache_limit(kept)


def peak_memory():
    """Return the peak memory of this process."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # On Linux, getrusage also counts the memory of the parent before the fork.
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def about(dask_worker):
    """Return a worker's number of threads and its memory limit."""
    return dask_worker.state.nthreads, dask_worker.memory_manager.memory_limit


def check(x, grad, y, dx):
    """Return one row: elements, wrong ones forward and backward, passed ones, the sum of y."""
    passes = x > 0
    wrong = np.count_nonzero(y != np.maximum(0, x)), np.count_nonzero(dx != grad * passes)
    return np.array([[x.size, *wrong, np.count_nonzero(passes), y.sum(dtype=float)]])


def both_passes(rows, chunk, seed):
    """Return a lazy array with the row of `check` for each chunk of random numbers."""
    rng = da.random.default_rng(seed)
    x, grad = (
        rng.random((rows, FEATURES), dtype=DTYPE, chunks=(chunk, FEATURES)) - DTYPE.type(0.5)
        for _ in range(2)
    )
    y = fastrelu.relu(x)
    dx = fastrelu.relu_backward(grad, x)
    return da.map_blocks(check, x, grad, y, dx, dtype=float, chunks=(1, 5))


def collect(client, table, progress):
    """Compute the rows and return their sum."""
    rows = table.to_delayed().ravel().tolist()
    start, total = time.perf_counter(), np.zeros(5)
    for done, (future, row) in enumerate(
        as_completed(client.compute(rows), with_results=True), start=1
    ):
        future.release()
        total += row[0]
        seconds = time.perf_counter() - start
        left = seconds / done * (len(rows) - done)
        progress.show(
            f"{done} of {len(rows)} chunks, {format_bytes(int(total[0]) * DTYPE.itemsize)} of x, "
            f"{total[0] / seconds / 1e6:.0f} M elements/s, {human(left)} to go"
        )
    return total


@contextlib.contextmanager
def workers_here(options):
    """Start workers on this machine."""
    with (
        LocalCluster(
            n_workers=options.workers,
            threads_per_worker=1,
            memory_limit=options.memory_limit,
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def workers_there(address):
    """Use the workers of a running cluster."""
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise BadInputError(f"--scheduler {address}: {error}") from None
    with client:
        yield client


@contextlib.contextmanager
def settings_for(client, kept):
    client.register_plugin(Settings(kept))
    try:
        yield
    finally:
        client.unregister_worker_plugin(Settings.name)


def run(options, progress, client):
    """Run both passes on the workers of a client; return the exit status."""
    workers = client.run(about).values()
    if not workers:
        raise BadInputError(f"--scheduler {options.scheduler}: it has no workers")
    limits = [limit for _, limit in workers if limit]
    if not limits and not (options.size and options.chunk):
        raise BadInputError("the workers have no memory limit: give --size and --chunk")
    threads = [threads for threads, _ in workers]
    row = FEATURES * DTYPE.itemsize
    rows = -(-(options.size or TIMES_THE_MEMORY * sum(limits)) // row)
    chunk = max(1, int(options.chunk or min(limits) / max(threads) * SHARE_OF_CHUNK) // row)
    kept = 4 * max(threads) * chunk * row  # the two results of a task, with room to spare
    print(
        f"x: {rows:,} x {FEATURES} {DTYPE}, {format_bytes(rows * row)}, "
        f"in chunks of {format_bytes(min(chunk, rows) * row)}"
    )
    held = f" and {format_bytes(sum(limits))} of memory" if limits else ""
    print(f"workers: {len(workers)}, together with {sum(threads)} threads{held}", flush=True)
    with settings_for(client, kept):
        start = time.perf_counter()
        elements, *wrong, passed, total = collect(
            client, both_passes(rows, chunk, options.seed), progress
        )
        seconds = time.perf_counter() - start
        peaks = client.run(peak_memory).values()
    progress.clear()
    print(f"wrong: {wrong[0]:.0f} forward, {wrong[1]:.0f} backward, of {elements:,.0f} elements")
    print(f"passed: {passed / elements:.4f}, expected {PASSING:.4f}")
    print(f"mean of relu: {total / elements:.4f}, expected {MEAN:.4f}")
    print(
        f"{human(seconds)}, with making the numbers and checking them: "
        f"{elements / seconds / 1e6:.0f} M elements/s"
    )
    print(f"most memory of a worker: {format_bytes(max(peaks))}")
    return 1 if any(wrong) or elements != rows * FEATURES else 0


def size(text):
    """Return the bytes that a size on the command line stands for."""
    try:
        number = parse_bytes(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a size such as 256MiB is needed, not {text!r}")
    return number


def count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 up is needed, not {text!r}")
    return int(text)


def make_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--workers", type=count, default=2, help="processes on this machine (2)")
    add(
        "--memory-limit",
        type=size,
        default="512MiB",
        help="of each of them (512MiB)",
    )
    add("--scheduler", metavar="ADDRESS", help="use the workers of this scheduler instead")
    add(
        "--size",
        type=size,
        help=f"of x ({TIMES_THE_MEMORY} times the memory of all workers: more than they can hold)",
    )
    add("--chunk", type=size, help="of x in a task (1/64 of a worker's memory for each thread)")
    add("--seed", type=int, default=0, help="of the random numbers (0)")
    return parser


def main():
    parser, progress = make_parser(), Progress()
    options = parser.parse_args()
    # If an interrupt arrives while a client waits, distributed logs that its cancelling failed.
    logging.getLogger("tornado.application").addFilter(
        lambda record: "sync.<locals>.cancel" not in record.getMessage()
    )
    try:
        if not options.scheduler and options.memory_limit < 1.5 * peak_memory():
            needed = format_bytes(int(1.5 * peak_memory()))
            raise BadInputError(
                f"--memory-limit {format_bytes(options.memory_limit)}: a worker needs {needed}"
            )
        progress.show("starting workers ...")
        workers = workers_there(options.scheduler) if options.scheduler else workers_here(options)
        with workers as client:
            progress.clear()
            return run(options, progress, client)
    except BadInputError as error:
        progress.clear()
        parser.error(str(error))
    except (KilledWorker, MemoryError):
        progress.clear()
        print(
            f"{parser.prog}: workers ran out of memory; give more of it, or a smaller --chunk",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        progress.clear()
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
elif __name__ == "__mp_main__":  # in a worker, which imports this file; an interrupt is not for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
