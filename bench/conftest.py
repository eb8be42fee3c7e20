"""Fixtures of the benchmarks: sizes named by the cache that holds the data, and the machine."""

import os
from pathlib import Path

import numpy as np
import pytest

import fastrelu

# Those of a common x86-64 core, for a machine that does not report its own.
USUAL_CACHES = {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20}

DTYPES = ["float32", "float64", "float16", "int32", "int8"]


def cache_sizes(folder="/sys/devices/system/cpu/cpu0/cache"):
    """Return the bytes of the caches that the first core reaches, by level."""
    found = {}
    try:
        for cache in Path(folder).glob("index*"):
            if (cache / "type").read_text().strip() != "Instruction":
                level = "L" + (cache / "level").read_text().strip()
                found[level] = int((cache / "size").read_text().strip().removesuffix("K")) << 10
    except (OSError, ValueError):
        found = {}
    return {level: found.get(level, usual) for level, usual in USUAL_CACHES.items()}


CACHES = cache_sizes()

# Bytes of all operands together: half of each cache, so that they fit, and four times the last.
WORKING_SETS = {level: size // 2 for level, size in CACHES.items()} | {"DRAM": 4 * CACHES["L3"]}

CALL_ELEMENTS = 16


def machine():
    """Return what a measurement depends on, as strings by name."""
    caches = ", ".join(f"{level} {size >> 10} KiB" for level, size in CACHES.items())
    return fastrelu.show_config(mode="dicts") | {"caches": caches, "cores": os.cpu_count()}


def pytest_report_header(config):
    return [f"{name}: {value}" for name, value in machine().items()]


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["fastrelu"] = machine()


@pytest.fixture(scope="module", params=["call", *WORKING_SETS])
def size(request):
    """The name of a size: "call" is 16 elements, where the overhead of a call is all the cost."""
    return request.param


@pytest.fixture(scope="module")
def elements(size):
    """Return elements(bytes): the number of elements of so many bytes that a size stands for."""
    return lambda each: WORKING_SETS[size] // each if size in WORKING_SETS else CALL_ELEMENTS


@pytest.fixture(scope="module", params=DTYPES)
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(scope="module")
def operands(request, elements, dtype):
    """The arrays of a case, as many as the module's OPERANDS; the last is for the output."""
    count = request.module.OPERANDS
    n = elements(dtype.itemsize * count)
    rng = np.random.default_rng(0)
    return [(100 * rng.standard_normal(n, np.float32)).clip(-99, 99).astype(dtype)] + [
        rng.integers(-99, 99, n, np.int8).astype(dtype) for _ in range(count - 1)
    ]


@pytest.fixture
def group(benchmark, request, size, dtype, operands):
    """The benchmark, grouped by the work and the arrays."""
    work = [request.module.__name__.rpartition("bench_")[2], dtype.name, size]
    benchmark.group = f"{' '.join(work)}: {operands[0].size} elements"
    return benchmark
