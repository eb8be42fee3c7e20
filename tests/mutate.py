"""
Breaks the code, one break at a time, and names the breaks that the tests do not find.

Each mutation in tests/mutations.toml is made in a copy of the tree, built, and met by the tests
that it names. It is caught if they fail, and missed if they pass. Before that they have to pass
without it.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime
import fnmatch
import functools
import hashlib
import importlib
import importlib.util
import json
import os
import queue
import random
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import tomllib
from pathlib import Path

SCRIPT = Path(__file__).resolve()
ROOT = SCRIPT.parents[1]
LIST = SCRIPT.with_name("mutations.toml")
SHAPES = "tests/proofs/check_shapes.sh"
LIMIT = 300  # seconds that a command may take, unless its mutation may hang
MEMORY = 16 << 30  # bytes of address space, for a break that asks for ever more

# What /proc/cpuinfo calls the sets that a CPU here may lack, and how others are compiled and run.
FLAGS = {"avx512": "avx512bw", "avx2": "avx2"}
EMULATED = {
    "neon": ("aarch64-linux-gnu-gcc", ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"])
}
DEFAULT_SETS = ("avx2",)

# The outcomes that have a column of the report each. All others are errors of the list.
COLUMNS = ("caught", "MISSED", "equivalent", "skipped")
GOOD = ("caught", "equivalent", "skipped")


class ListError(Exception):
    """The list of mutations, or the machine, does not allow the run; the message says why."""


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A break: `new` in place of `old`, which its file has once, and the tests that should fail."""

    area: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple = ()  # arguments of pytest
    keywords: str = ""  # its -k
    driver: str = ""  # or the options of the kernels' check in C, from "--set NAME" on
    shapes: str = ""  # or the parts of tests/proofs/check_shapes.sh
    sets: tuple = DEFAULT_SETS  # the instruction sets that are built, beside the scalar one
    needs: tuple = ()  # modules, without which it is skipped
    hangs: int = 0  # it may hang: after so many seconds it is caught
    equivalent: str = ""  # why nobody can see it: it has to be missed

    @property
    def command(self):
        """What it shares with other mutations: one run shows that these tests pass unbroken."""
        return Command(self.sets, self.keywords, self.driver, self.shapes, self.needs)

    @property
    def label(self):
        return f"{self.area}: {self.name}"


@dataclasses.dataclass(frozen=True)
class Command:
    sets: tuple
    keywords: str
    driver: str
    shapes: str
    needs: tuple

    @property
    def compiler(self):
        return next((EMULATED[name][0] for name in self.sets if name in EMULATED), "gcc")

    @property
    def emulator(self):
        return next((EMULATED[name][1] for name in self.sets if name in EMULATED), [])


def load(path=LIST):
    """Return the mutations of a file, in its order."""
    with open(path, "rb") as file:
        areas = tomllib.load(file)
    fields = {field.name for field in dataclasses.fields(Mutation)} - {"area"}
    mutations = []
    for area, entries in areas.items():
        for entry in entries:
            if unknown := entry.keys() - fields:
                raise ListError(f"{area}: {entry.get('name')}: unknown keys {sorted(unknown)}")
            if "driver" in entry:
                options = entry["driver"].split()
                entry["sets"] = [options[options.index("--set") + 1]]
            entry = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
            mutations.append(Mutation(area=area, **entry))
    return mutations


def check_texts(mutations):
    """Refuse mutations whose old text does not stand in its file, or not once."""
    lines = []
    for mutation in mutations:
        count = (ROOT / mutation.file).read_text().count(mutation.old)
        if count != 1:
            lines.append(
                f"{mutation.label}: {mutation.file} has its old text {count} times, not once"
            )
    if lines:
        raise ListError("\n".join(lines))


def lacking(mutation):
    """Return what the machine lacks for a mutation, or None."""
    for module in mutation.needs:
        if importlib.util.find_spec(module) is None:
            return module
    for name in mutation.sets:
        if name in EMULATED:
            compiler, emulator = EMULATED[name]
            for program in (compiler, emulator[0]):
                if not shutil.which(program):
                    return program
        elif name in FLAGS and FLAGS[name] not in Path("/proc/cpuinfo").read_text().split():
            return f"a CPU with {name}"
    return None


class Processes:
    """Runs commands in process groups of their own, and ends them all when asked."""

    def __init__(self):
        self.lock = threading.Lock()
        self.groups = set()
        self.ended = False

    def run(self, command, folder, limit, env=None):
        """Return the status, None if it took too long, the output, and the seconds of CPU."""
        with tempfile.TemporaryFile() as output:
            with self.lock:
                if self.ended:
                    raise KeyboardInterrupt
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self.groups.add(process.pid)
            end = time.monotonic() + limit
            done = 0
            while not done and time.monotonic() < end:
                done, status, usage = os.wait4(process.pid, os.WNOHANG)
                if not done:
                    time.sleep(0.01)
            with self.lock:
                self.groups.discard(process.pid)
            with contextlib.suppress(ProcessLookupError):  # and what it has left behind
                os.killpg(process.pid, signal.SIGKILL)
            if not done:
                _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read().decode(errors="replace")
            if self.ended:
                raise KeyboardInterrupt
        return process.returncode if done else None, text, usage.ru_utime + usage.ru_stime

    def end(self):
        with self.lock:
            self.ended = True
            for group in self.groups:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


class Tree:
    """A copy of the tree, in which one mutation after another is made, built and tested."""

    def __init__(self, folder, files, processes):
        self.folder, self.processes = folder, processes
        self.cythonized, self.cpu = None, 0.0
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("FASTRELU_")
        } | {
            "CCACHE_NOHASHDIR": "1",
            "PYTHONPATH": str(folder),
            "CC": "ccache gcc -w",  # of the shapes
            "PYTHONDONTWRITEBYTECODE": "1",  # a .pyc may be taken for that of a file as long
        }

    @contextlib.contextmanager
    def broken(self, mutation):
        path = self.folder / mutation.file
        text = path.read_text()
        path.write_text(text.replace(mutation.old, mutation.new))
        try:
            yield
        finally:
            path.write_text(text)

    def run(self, command, limit=LIMIT):
        status, output, cpu = self.processes.run(command, self.folder, limit, self.environment)
        self.cpu += cpu
        return status, output

    def build(self, command):
        """Build the extension or the driver, with some instruction sets. Return what fails."""
        if command.shapes:
            return None  # its script builds
        sets = list(dict.fromkeys([*command.sets, "scalar"]))  # the driver compares with scalar
        lists = f"build/{'-'.join(sets)}"
        (self.folder / lists / "kernels").mkdir(parents=True, exist_ok=True)
        with open(self.folder / lists / "kernels/isa.inc", "w") as file:
            file.writelines(f"ISA({name})\n" for name in sets)
        patterns = [f"csrc/kernels/isa/{name}.c" for name in sets]
        if command.driver:
            patterns += ["csrc/kernels/*.c", "csrc/runtime/*.c", "csrc/check/*.c"]
            patterns += ["tests/kernels/driver/*.c"]
            target = ["-o", "build/driver"]
        else:
            status, output = self.cythonize()
            if status != 0:
                return output
            patterns += ["csrc/*/*.c", "build/*.c"]
            suffix = sysconfig.get_config_var("EXT_SUFFIX")
            target = ["-shared", "-o", f"fastrelu/_core{suffix}"]
        flags, flags_of_python = flags_of_extension()
        objects = []
        for source in sorted(path for pattern in patterns for path in self.folder.glob(pattern)):
            part = source.parent.name
            objects.append(f"build/{part}-{source.stem}.o")
            compile_one = ["ccache", command.compiler, f"-I{lists}", *flags]  # before csrc
            if part == "isa":  # which -O2 compiles in three times the time of -O0
                calls_little = command.driver and not command.emulator and source.stem != "scalar"
                compile_one.append("-O0" if calls_little else "-O1")
            compile_one += flags_of_python * (part in ("python", "build"))
            compile_one += ["-c", source.relative_to(self.folder), "-o", objects[-1]]
            status, output = self.run(compile_one)
            if status != 0:
                return output
        status, output = self.run([command.compiler, *objects, *target, "-lm", "-lpthread"])
        return None if status == 0 else output

    def cythonize(self):
        source, made = self.folder / "fastrelu/_core.pyx", self.folder / "build/_core.c"
        text = source.read_text()
        if text == self.cythonized:
            return 0, ""
        self.cythonized = text
        return self.run([sys.executable, "-m", "cython", source, "-o", made])

    def test(self, command, tests, limit=LIMIT):
        """Return the status of the tests, None if they took too long, and their output."""
        if command.shapes:
            return self.run(["bash", SHAPES, *command.shapes.split()], limit)
        if command.driver:
            driver = [*command.emulator, "build/driver", "--first", *command.driver.split()]
            return self.run(driver, limit)
        options = ["-q", "-x", "--tb=no", "--no-header", "-p", "no:cacheprovider"]
        keywords = ["-k", command.keywords] if command.keywords else []
        return self.run([sys.executable, "-m", "pytest", *options, *keywords, *tests], limit)


@functools.cache
def flags_of_extension():
    """Return the compiler's flags of all files, and those of what includes Python.h."""
    import numpy as np

    try:
        importlib.import_module("Cython")
        make_extension = runpy.run_path(str(ROOT / "setup.py"))["make_extension"]
    except ImportError as error:
        raise ListError(f"{error}: pip install 'setuptools>=77' cython") from None
    extension = make_extension(sys.platform, False, np.get_include())
    includes = [np.get_include(), sysconfig.get_paths()["include"]]
    macros = [f"-D{name}={value}" for name, value in extension.define_macros]
    flags = [*extension.extra_compile_args, "-w", "-fPIC", "-Icsrc"]
    return flags, [*macros, *(f"-I{folder}" for folder in includes)]


def meet(tree, mutation):
    """Return how the tests meet a mutation, and what caught it or went wrong."""
    with tree.broken(mutation):
        failed = tree.build(mutation.command)
        if failed is not None:
            return "not built", last_line(failed)
        status, output = tree.test(mutation.command, mutation.tests, mutation.hangs or LIMIT)
    if status is None and not mutation.hangs:
        return "too slow", f"the tests took more than {LIMIT} s"
    if status == (2 if mutation.driver or mutation.shapes else 5):
        return "no tests", last_line(output)
    return ("passed", "") if status == 0 else ("caught", what_failed(output, status))


def outcome(mutation, met):
    """Return what becomes of a mutation: what cannot be seen has to pass, all else to be caught."""
    if mutation.equivalent and met in ("passed", "caught"):
        return "equivalent" if met == "passed" else "NOT EQUIVALENT"
    return met if met in GOOD else {"passed": "MISSED"}.get(met, met.upper())


def what_failed(output, status):
    if status is None:
        return "it hangs"
    if status < 0:
        return signal.Signals(-status).name
    found = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR ", "    "))]
    return " ".join((found[0] if found else last_line(output)).split())


def last_line(output):
    return ([line for line in output.splitlines() if line.strip()] or [""])[-1].strip()


class State:
    """The results, kept in a file for the next run, which takes those of the same texts."""

    def __init__(self, path, files):
        self.path, self.kept = path, {}
        if path and path.exists():
            self.kept = json.loads(path.read_text())
        self.digests = {name: hashlib.sha256((ROOT / name).read_bytes()) for name in files}

    def key(self, command, tests, change=()):
        """Return a digest of the sources, of what tests them, and of a break."""
        total = hashlib.sha256(repr((command, tests, change)).encode())
        tested = {test.partition("::")[0] for test in tests}
        for name, digest in self.digests.items():
            folder, _, file = name.rpartition("/")
            if (
                name.startswith(("csrc/", "fastrelu/", "setup.py"))
                or (command.driver and folder == "tests/kernels/driver")
                or (command.shapes and name.startswith("tests/proofs/"))
                or name in tested
                or (folder == "tests" and file.endswith(".py") and file != SCRIPT.name)
            ):
                total.update(digest.digest())
        return total.hexdigest()[:16]

    def put(self, key, result):
        self.kept[key] = result
        if self.path:
            part = self.path.with_name(f"{self.path.name}.part")
            part.write_text(f"{json.dumps(self.kept, indent=1, ensure_ascii=False)}\n")
            part.replace(self.path)


def tracked_files():
    """Return what git knows or would take: nothing that was built."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ListError(f"the tree has to be one of git: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\0")[:-1] if (ROOT / name).is_file()]


class Run:
    """The runs of many mutations by several jobs, each with a tree of its own."""

    def __init__(self, args, mutations):
        self.args, self.mutations = args, mutations
        self.files = tracked_files()
        self.state = State(args.state, self.files)
        self.work = Path(tempfile.mkdtemp(prefix="fastrelu-mutate-"))
        self.processes = Processes()
        self.progress = Progress()
        self.trees = queue.Queue()
        self.cpu = 0.0

    def each(self, function, items):
        """Call function(tree, item) for each item, by all jobs; yield items and what it returns."""

        def call(item):
            tree = self.trees.get()
            tree.cpu = 0.0
            try:
                return function(tree, item), tree.cpu
            finally:
                self.trees.put(tree)

        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as executor:
            futures = {executor.submit(call, item): item for item in items}
            try:
                for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
                    self.progress.show(f"{number} of {len(futures)}")
                    result, cpu = future.result()
                    self.cpu += cpu
                    yield futures[future], result, round(cpu, 1)
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                self.processes.end()
                raise

    def __call__(self):
        try:
            for number in range(self.args.jobs):
                self.trees.put(Tree(self.work / str(number), self.files, self.processes))
            return self.check_unbroken() or self.meet_all()
        finally:
            self.progress.clear()
            shutil.rmtree(self.work, ignore_errors=True)

    def check_unbroken(self):
        """Run the tests without a break, file by file. Return the status of a failure, or 0."""
        tests, left, failed = collections.defaultdict(set), {}, 0
        for mutation in self.mutations:
            if not lacking(mutation):
                for test in mutation.tests or [""]:
                    tests[mutation.command, test.partition("::")[0]].add(test)
        for (command, file), named in tests.items():
            named = sorted(named - {""})
            key = self.state.key(command, named)
            if key not in self.state.kept:
                left[command, file] = named, key

        def check(tree, unit):
            failed = tree.build(unit[0])
            return (1, failed) if failed else tree.test(unit[0], left[unit][0])

        for unit, (status, output), cpu in self.each(check, left):
            named, key = left[unit]
            if status == 0:
                self.state.put(key, {"met": "passed", "by": "unbroken", "cpu": cpu})
            else:
                failed = 2
                self.progress.clear()
                print(f"{output}\n{named or unit} fails without a break", file=sys.stderr)
        return failed

    def meet_all(self):
        """Meet all mutations that have no result yet, and report. Return the status."""
        results = {mutation: None for mutation in self.mutations}
        keys = {}
        for mutation in results:
            change = mutation.file, mutation.old, mutation.new
            keys[mutation] = self.state.key(mutation.command, mutation.tests, change)
            if what := lacking(mutation):
                results[mutation] = {"met": "skipped", "by": f"needs {what}", "cpu": 0}
            else:
                results[mutation] = self.state.kept.get(keys[mutation])
        left = [mutation for mutation, result in results.items() if result is None]
        for mutation, (met, by), cpu in self.each(meet, left):
            results[mutation] = {"met": met, "by": by, "cpu": cpu}
            self.state.put(keys[mutation], results[mutation])
            self.progress.print(f"{outcome(mutation, met):13} {mutation.label}: {by}"[:200])
        report(results, self.cpu)
        return any(outcome(m, results[m]["met"]) not in GOOD for m in results)


class Progress:
    """A line that shows progress if stderr is a terminal."""

    def __init__(self):
        self.shown = sys.stderr.isatty()

    def show(self, text):
        if self.shown:
            print(f"\r{text[:78]:78}", end="\r", file=sys.stderr, flush=True)

    def clear(self):
        self.show("")

    def print(self, text):
        self.clear()
        print(text, flush=True)


def report(results, cpu):
    """Print the table by area, and what was not caught."""
    columns = [*COLUMNS, "errors", "CPU s"]
    areas = collections.defaultdict(collections.Counter)
    lines = []
    for mutation, result in results.items():
        found = outcome(mutation, result["met"])
        for area in (mutation.area, "all"):
            areas[area][found if found in COLUMNS else "errors"] += 1
            areas[area]["CPU s"] += result["cpu"]
        if found not in ("caught", "equivalent"):
            lines.append(f"{found}: {mutation.label} ({mutation.file}) {result['by']}".rstrip())
    areas["all"] = areas.pop("all")
    width = max(map(len, areas))
    print(f"\n{'':{width}}  {'  '.join(columns)}")
    for area, counts in areas.items():
        cells = [f"{counts[column]:{len(column)}.0f}" for column in columns]
        print(f"{area:{width}}  {'  '.join(cells)}")
    print(*lines, f"{cpu:.0f} s of CPU in this run, with the tests of the tree unbroken", sep="\n")


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="tests/mutate.py",
        description=__doc__,
        epilog="Needs git, gcc, ccache, and a Python with numpy, setuptools, cython and what the "
        "tests need. Mutations for which a library, an emulator or an instruction set is missing "
        "are skipped by name. Exit status: 0 if all are caught, 1 if not, 2 if the tests fail "
        "without a break or the call was wrong, 130 after Ctrl-C.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        metavar="PATTERN",
        help="those whose 'area: name' contains it, or matches it with * and ?",
    )
    parser.add_argument("--sample", type=positive, metavar="N", help="so many, drawn by the seed")
    parser.add_argument(
        "--seed", default=str(datetime.date.today()), help="any text; the date of today by default"
    )
    parser.add_argument(
        "--jobs", type=positive, default=2, metavar="N", help="at a time; 2 by default"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep results here, and take those that are there",
    )
    parser.add_argument("--list", action="store_true", help="print the mutations and make none")
    return parser.parse_args(argv)


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def chosen(mutations, args):
    if args.only:
        pattern = args.only if set(args.only) & set("*?") else f"*{args.only}*"
        mutations = [m for m in mutations if fnmatch.fnmatch(m.label, pattern)]
    if args.sample:  # of those that count
        count = [m for m in mutations if not m.equivalent]
        drawn = set(random.Random(args.seed).sample(count, min(args.sample, len(count))))
        mutations = [m for m in mutations if m in drawn]
    if not mutations:
        raise ListError(f"no mutation is called so: {args.only}")
    return mutations


def set_limits_and_signals():
    """Keep a break from filling the memory, or the disk with its image, and be ended in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    if most == resource.RLIM_INFINITY or most > MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))


def main(argv=None):
    args = parse(argv)
    try:
        mutations = chosen(load(), args)
        if args.list:
            for mutation in mutations:
                print(mutation.label + " (equivalent)" * bool(mutation.equivalent))
            return 0
        for program in ("git", "gcc", "ccache"):
            if not shutil.which(program):
                raise ListError(f"there is no {program}: on Debian, apt-get install {program}")
        if args.sample:
            print(f"{len(mutations)} drawn by --seed {args.seed}", flush=True)
        check_texts(mutations)
        flags_of_extension()
        set_limits_and_signals()
        return int(Run(args, mutations)())
    except ListError as error:
        print(f"mutate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mutate.py: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
