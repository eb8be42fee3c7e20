"""examples/cluster.py: both passes over more than the workers can hold, checked; a clean end."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastrelu

dask = pytest.importorskip("dask")
pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")

EXAMPLE = Path(__file__).parents[2] / "examples" / "cluster.py"

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc"),
    pytest.mark.skipif(not EXAMPLE.exists(), reason="examples/ is not beside these tests"),
]


@pytest.fixture(autouse=True)
def own_scheduler():
    """Have dask forget the cluster of a test in this process."""
    with dask.config.set(scheduler=None):
        yield


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("cluster_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(*arguments):
    return [sys.executable, str(EXAMPLE), *arguments]


def test_more_than_the_workers_can_hold():
    result = subprocess.run(
        command("--memory-limit", "384MiB", "--size", "1GiB"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "1.00 GiB, in chunks of 6.00 MiB" in result.stdout
    assert "workers: 2, together with 2 threads and 768.00 MiB of memory" in result.stdout
    assert f"wrong: 0 forward, 0 backward, of {1 << 28:,} elements" in result.stdout
    assert "passed: 0.5000, expected 0.5000" in result.stdout
    assert "mean of relu: 0.1250, expected 0.1250" in result.stdout
    peak = re.search(r"most memory of a worker: ([\d.]+) MiB", result.stdout)
    assert float(peak[1]) < 384


def running_in(group):
    """Return the processes of a group that have not ended."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_and_its_workers():
    with subprocess.Popen(
        command("--memory-limit", "384MiB"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own: as from a terminal, its workers get it too
    ) as process:
        try:
            assert process.stdout.readline().startswith("x: ")
            assert process.stdout.readline().startswith("workers: 2")
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    assert errors.endswith("cluster.py: interrupted\n")
    assert "Traceback" not in errors
    deadline = time.monotonic() + 20
    while running_in(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running_in(process.pid) == []


def test_the_workers_of_a_scheduler_are_left_as_they_were():
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, memory_limit="512MiB", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(fastrelu.set_num_threads, 3)
        client.run(fastrelu.set_cache_limit, 12345678)
        arguments = "--scheduler", cluster.scheduler_address, "--size", "100MiB"
        result = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        assert "100.00 MiB, in chunks of 4.00 MiB" in result.stdout
        assert "wrong: 0 forward, 0 backward, of 26,214,400 elements" in result.stdout
        assert set(client.run(fastrelu.get_num_threads).values()) == {3}
        (info,) = client.run(fastrelu.cache_info).values()
        assert info.limit == 12345678
        assert info.hits > 0


def test_what_is_wrong_is_counted(example):
    x, grad = np.array([[-1.0, 2, -3, 4]]), np.array([[5.0, 6, 7, 8]])
    y, dx = np.array([[0.0, 2, 0, 4]]), np.array([[0.0, 6, 0, 8]])
    assert example.check(x, grad, y, dx).tolist() == [[4, 0, 0, 2, 6]]
    assert example.check(x, grad, x, dx).tolist() == [[4, 2, 0, 2, 2]]
    assert example.check(x, grad, y, grad).tolist() == [[4, 0, 2, 2, 6]]


def test_wrong_elements_are_a_failure(example, monkeypatch, capsys):
    monkeypatch.setattr(example, "collect", lambda *_: np.array([1024.0, 0, 1, 512, 128]))
    monkeypatch.setattr(
        sys, "argv", ["cluster.py", "--workers", "1", "--memory-limit", "1TiB", "--size", "4KiB"]
    )
    monkeypatch.setattr(
        example,
        "LocalCluster",
        lambda **options: distributed.LocalCluster(**options, processes=False),
    )
    assert example.main() == 1
    assert "wrong: 0 forward, 1 backward, of 1,024 elements" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "much"], "argument --size: a size such as 256MiB is needed, not 'much'"),
        (["--memory-limit", "0"], "argument --memory-limit: a size such as 256MiB is needed"),
        (["--memory-limit", "1MiB"], "--memory-limit 1.00 MiB: a worker needs"),
        (["--workers", "0"], "argument --workers: a whole number from 1 up is needed, not '0'"),
        (["--scheduler", "tcp://127.0.0.1"], "--scheduler tcp://127.0.0.1: "),
    ],
    ids=lambda value: "".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_named(example, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["cluster.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        example.main()
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
