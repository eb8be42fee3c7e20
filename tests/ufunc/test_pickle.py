"""Pickled or copied, the ufuncs in use stay the same objects, in this process and in others."""

import copy
import functools
import multiprocessing
import pickle

import numpy as np
import pytest
from helpers import OPERATIONS

import fastrelu

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
X = np.array([-1.0, 0.0, 2.0, np.nan], "f4")
INPUTS = {
    **{name: [X] * operation.inputs for name, operation in OPERATIONS.items()},
    "relu_with_mask": [X],
    "relu_backward_from_mask": [X, np.array([12], "u1")],
}
NAMES = list(INPUTS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", NAMES)
def test_pickle_gives_the_same_object(name, protocol):
    function = getattr(fastrelu, name)
    assert pickle.loads(pickle.dumps(function, protocol)) is function


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("name", NAMES)
def test_copies_are_the_same_object(name, copier):
    function = getattr(fastrelu, name)
    assert copier(function) is function
    assert copier([function])[0] is function


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_partial_of_one_is_pickled(protocol):
    partial = functools.partial(fastrelu.relu, order="C")
    assert pickle.loads(pickle.dumps(partial, protocol)).func is fastrelu.relu


@pytest.fixture(scope="module")
def spawned():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.mark.parametrize("name", NAMES)
def test_another_process_names_the_same_object(spawned, name):
    function = getattr(fastrelu, name)
    returned = spawned.apply_async(copy.copy, (function,)).get(timeout=60)
    assert returned is function


@pytest.mark.parametrize("name", NAMES)
def test_another_process_computes_the_same(spawned, name):
    function = getattr(fastrelu, name)
    got, expected = spawned.apply_async(function, INPUTS[name]).get(60), function(*INPUTS[name])
    if name != "relu_with_mask":
        got, expected = [got], [expected]
    assert [a.tobytes() for a in got] == [a.tobytes() for a in expected]
