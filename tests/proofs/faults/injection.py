"""
What a process under shim.c does: let each allocation of a call fail in turn, and look at it.

It does not import fastrelu before it has to, for that may be what fails.
"""

import collections
import ctypes
import functools
import gc
import itertools
import os
import sys
import traceback

import numpy as np

shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
ALLOCATION, THREAD, CREATION, RENAMING, LOOP, MAP = range(6)
ALL = 2**31 - 1
OF_NO_TYPE = 43  # as in shim.c


class Plan(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("first", "last", "signal", "seen", "hit")]


plans = list((Plan * 6).in_dll(shim, "fault_plans"))
blocks = ctypes.c_longlong.in_dll(shim, "fault_blocks")
mapped = ctypes.c_longlong.in_dll(shim, "fault_mapped")
delay = ctypes.c_int.in_dll(shim, "fault_delay")
paused = ctypes.c_int.in_dll(shim, "fault_paused")
disk = ctypes.c_longlong.in_dll(shim, "fault_disk")
clear_caches = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
shim.own_faults()


def run_handlers():
    """Python runs the handlers of signals when a function begins, at the latest."""


def attempt(call, kind, first, last, signal=0):
    """Return what a call returned, what it raised, and how many faults it met."""
    plan = plans[kind]
    plan.last, plan.signal, plan.seen, plan.hit = last, signal, 0, 0
    result = raised = None
    plan.first = first
    try:
        result = call()
        run_handlers()
    except BaseException as error:
        plan.first = 0  # which allocates nothing
        if not isinstance(error, MemoryError):
            error.add_note(f"raised in {traceback.extract_tb(error.__traceback__)[-1].filename}")
        raised = error.with_traceback(None)
        raised.__context__ = None
    plan.first = 0
    return result, raised, plan.hit


def snapshot(result):
    """Return all that can be seen of a result."""
    if isinstance(result, tuple):
        return [snapshot(item) for item in result]
    if isinstance(result, np.ndarray):
        content = result.tolist() if result.dtype.hasobject else result.tobytes()
        return result.dtype, result.shape, result.strides, content
    return type(result), result


def held():
    """Return what is allocated when all that can be given back has been."""
    import fastrelu

    fastrelu.clear_cache()
    clear_caches()  # of types, which hold names
    gc.collect()
    return blocks.value, mapped.value


def large_output():
    import fastrelu

    fastrelu.relu(np.ones(1 << 18, "f4"))


def sweep(
    call, *watched, last=None, kind=ALLOCATION, signal=0, allowed=MemoryError, after=lambda: None
):
    """
    Let each allocation of a call fail in turn: it alone, or it with all that follow.

    Whenever the call ends, its result is right or its error is allowed; `after` finds all as it
    should be; no memory and no reference to what is watched is lost; and the next call is right.
    With a signal, that is raised at each allocation, which does not fail. Return the number of
    faults.
    """
    for _ in range(12):  # NumPy keeps up to seven blocks of a size
        expected = snapshot(call())
        after()
    gc.freeze()
    wrong, faults = [], 0
    watched = [*watched, *(array.dtype for array in watched if isinstance(array, np.ndarray))]
    references = [sys.getrefcount(item) for item in watched]
    start = held()

    def once(first):
        result, raised, hit = attempt(call, kind, first, last or first, signal)
        if raised is None:
            assert snapshot(result) == expected, "another result"
        elif not isinstance(raised, allowed):
            raise AssertionError(f"raised {raised!r}") from raised
        after()
        if last == ALL:  # there was no memory to set NumPy's handler again
            large_output()
        assert np._core.multiarray.get_handler_name() == "default_allocator", "another allocator"
        return hit

    def look_for_a_leak(first):
        for _ in range(16):  # some are kept for the next errors
            once(first)
        before = held()
        for _ in range(16):
            once(first)
        lost = [now - then for now, then in zip(held(), before, strict=True)]
        assert max(lost) < 16, f"blocks and bytes of maps lost: {lost} in 16 calls"

    for first in itertools.count(1):
        try:
            hit = once(first)
            if hit == 0:
                break
            faults += hit
            assert snapshot(call()) == expected, "another result of the next call"
            after()
            found = [sys.getrefcount(item) for item in watched]
            assert found == references, f"references: {found}, not {references}"
            if max(now - then for now, then in zip(held(), start, strict=True)) > 0:
                look_for_a_leak(first)
        except AssertionError as error:
            wrong.append(f"call {first}: {error}")
            assert len(wrong) < 9, "\n".join(wrong)
    assert not wrong, "\n".join(wrong)
    assert faults, "allocates nothing"
    return faults


def fail_allocations(name, last=None, **fault):
    """Let each allocation of a call of fastrelu fail; print how many."""
    from proofs.faults import calls

    import fastrelu

    threads = fastrelu.get_num_threads()

    def after():
        is_patched = fastrelu.numpy_is_patched()
        if is_patched:
            fastrelu.unpatch_numpy()
        assert not is_patched, "np.maximum stays patched"
        assert fastrelu.get_num_threads() == threads, "another number of threads"

    print(sweep(calls.CALLS[name], *calls.OPERANDS, np.maximum, last=last, after=after, **fault))


def fail_others(name, last=None):
    """Do so to what a call needs of NumPy or Python and they do wrong."""
    from proofs.faults import calls

    sweep((calls.OF_NUMPY | calls.OF_PYTHON)[name], last=last)


def spare(function):
    """Return a function within which no call fails."""

    @functools.wraps(function)
    def spared(*args, **kwargs):
        paused.value += 1
        try:
            return function(*args, **kwargs)
        finally:
            paused.value -= 1

    return spared


def spare_others():
    """
    Let no allocation fail where others crash.

    They are NumPy's functions that make a ufunc and register a loop, and Python's compiler.
    """
    collections.namedtuple = spare(collections.namedtuple)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(np._core._multiarray_umath._UFUNC_API, None)
    functions = (ctypes.c_void_p * 3).from_address(address)
    for place, ours in {1: "new_ufunc", 2: "register_loop"}.items():
        ctypes.c_void_p.in_dll(shim, f"fault_{ours}").value = functions[place]
        functions[place] = ctypes.cast(getattr(shim, ours), ctypes.c_void_p).value


def sweep_in_forks(call, check, step=1, kind=ALLOCATION, excused=0):
    """
    Let each call of a kind that a process makes but once fail, each in a fork of its own.

    With a step, those at its distance alone. There `check` gets the error, or None. So many as are
    excused may end as shim.c's OF_NO_TYPE says. Return the number of faults.
    """
    for first in itertools.count(1, step):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _, raised, hit = attempt(call, kind, first, first)
                check(raised)
                status = 0 if hit else 42
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == OF_NO_TYPE and excused > 0:
            excused -= 1
            continue
        assert status in (0, 42), f"allocation {first}: the process ends with {status}"
        if status == 42:
            return first // step
