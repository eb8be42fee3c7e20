"""
Calls fastrelu with arguments drawn at random, and compares each answer with NumPy's.

Of a call that differs it prints an @example for tests/proofs/test_random_calls.py, as short as
Hypothesis makes it. A seed stands for the same calls, with any number of jobs.
"""

import argparse
import datetime
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from proofs.drawn_calls import BYTES, TRAITS, draw, traits
from proofs.numpys_answer import UndefinedError, check

import fastrelu
from fastrelu._tool.common import Progress, duration

BATCH = 2000
MOST_SHOWN = 10


class Heard:
    """Within it every warning is kept in a list, and the calls have three threads."""

    def __enter__(self):
        self.before = fastrelu.get_num_threads()
        fastrelu.set_num_threads(3)
        self.errstate = np.errstate(all="warn")
        self.catching = warnings.catch_warnings(record=True)
        self.errstate.__enter__()
        caught = self.catching.__enter__()
        warnings.simplefilter("always")
        return caught

    def __exit__(self, *error):
        self.catching.__exit__(*error)
        self.errstate.__exit__(*error)
        fastrelu.set_num_threads(self.before)


def run_batch(seed, number, size, folder=None):
    """Return how often each trait was drawn, and of each call that fails the bytes and error."""
    rng, counts, failures = random.Random(f"{seed} {number}"), Counter(), []
    with open(os.path.join(folder, str(os.getpid())) if folder else os.devnull, "wb") as last:
        with Heard() as caught:
            for _ in range(size):
                data = rng.randbytes(BYTES)
                if folder:  # what is left if the process dies
                    os.pwrite(last.fileno(), data, 0)
                call = draw(data)
                counts.update(traits(call))
                try:
                    counts[f"answer: {check(call, caught)}"] += 1
                except UndefinedError:
                    counts["answer: undefined"] += 1
                except Exception as error:
                    failures.append((data, short(error)))
    return counts, failures


def short(error):
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__} in {place.name}: {text[:600]}"


def shrink(data):
    """Return the simplest failing call that Hypothesis finds, from bytes on; None if none fails."""
    # Imported only where something fails: it starts as many modules as all the rest.
    from hypothesis import HealthCheck, Phase, given, settings, strategies
    from hypothesis.database import InMemoryExampleDatabase

    found = [None]

    @settings(
        database=InMemoryExampleDatabase(),
        phases=[Phase.reuse, Phase.shrink],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(strategies.tuples(*[strategies.integers(0, 255)] * BYTES))
    def is_same(choices):
        call = draw(bytes(choices))
        with Heard() as caught:
            try:
                check(call, caught)
            except UndefinedError:
                pass
            except Exception:
                found[0] = call
                raise

    # A byte for each integer: Hypothesis keeps the example that fails, and then shrinks it.
    for attempt in (lambda: is_same.hypothesis.fuzz_one_input(data), is_same):
        try:
            attempt()
        except Exception:
            continue
    return found[0]


def show(failures):
    """Print the failures, shrunk: one of each function and kind of difference."""
    shown = {}
    for data, error in failures:
        shown.setdefault((draw(data).function, error.split(":")[0], error.split(":")[1]), data)
    print(f"{len(failures)} calls differ, in {len(shown)} ways")
    for (_, *what), data in list(shown.items())[:MOST_SHOWN]:
        sys.stdout.flush()
        call = shrink(data) or draw(data)
        print(f"\n@example({call!r})\n# {':'.join(what)}")
        with Heard() as caught:
            try:
                check(call, caught)
            except Exception as error:
                print("#", short(error))


def batches(calls):
    return [(number, min(BATCH, calls - number * BATCH)) for number in range(-(-calls // BATCH))]


def run(options, folder):
    """Return the counts and the failures of all batches, and how many calls were made."""
    counts, failures, done = Counter(), [], 0
    progress, start = Progress(), time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context) as pool:
        jobs = {
            pool.submit(run_batch, options.seed, number, size, folder): size
            for number, size in batches(options.calls)
        }
        try:
            for job in as_completed(jobs):
                some, failed = job.result()
                counts += some
                failures += failed
                done += jobs[job]
                left = (time.monotonic() - start) * (options.calls - done) / done
                progress.show(
                    f"{done} of {options.calls} calls, {len(failures)} differ, "
                    f"{duration(left)} left"
                )
        except KeyboardInterrupt:
            for process in list(pool._processes.values()):
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            progress.clear()
    return counts, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, metavar="N", help="default: 100000")
    parser.add_argument("--seed", help="any text; default: the date, so that each day has its own")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; default: 1")
    parser.add_argument(
        "--counts", action="store_true", help="print how often each trait was drawn"
    )
    options = parser.parse_args()
    options.seed = options.seed or f"{datetime.datetime.now(datetime.UTC):%Y%m%d}"
    if options.calls < 1 or options.jobs < 1:
        parser.error("--calls and --jobs must be positive")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            counts, failures = run(options, folder)
        except BrokenProcessPool:
            print("a process died in one of these calls:")
            for path in sorted(Path(folder).iterdir()):
                print(f"@example({draw(path.read_bytes())!r})")
            return 1
    seconds = time.monotonic() - start
    missing = [trait for trait in TRAITS if not counts[trait]]
    if options.counts:
        for trait, count in sorted(counts.items()):
            print(f"{count:9} {trait}")
    answers = ", ".join(
        f"{count} {trait.removeprefix('answer: ')}"
        for trait, count in counts.most_common()
        if trait.startswith("answer: ")
    )
    print(f"{options.calls} calls with seed {options.seed}, in {duration(seconds)}: {answers}")
    if failures:
        show(failures)
    if missing:
        print("never drawn:", ", ".join(missing))
    return 1 if failures or missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
