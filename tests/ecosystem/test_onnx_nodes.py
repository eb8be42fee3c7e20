"""ONNX's own tests of nodes pass with the operators of docs/integrations.md."""

from collections import Counter

import numpy as np
import pytest
from helpers import failing

import fastrelu

pytest.importorskip("onnx.reference")
loader = pytest.importorskip("onnx.backend.test.loader")
runner = pytest.importorskip("onnx.backend.test.runner")

from onnx.reference import ReferenceEvaluator  # noqa: E402

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc"),
    pytest.mark.xdist_group("onnx nodes"),  # the cases take ten seconds to load
]

# The cases of each operator alone in ONNX 1.23. Others expand to these operators.
AT_LEAST = {"Clip": 12, "LeakyRelu": 3, "PRelu": 2, "Relu": 1, "Shrink": 2, "ThresholdedRelu": 3}

# Range expands to a Loop, whose outputs have a dimension too many in ONNX 1.23's evaluator.
FAILS_WITHOUT_RECIPE = "test_range_"


def operators_of(case):
    return {node.op_type for node in case.model.graph.node} & set(AT_LEAST)


@pytest.fixture(scope="module")
def cases():
    """Return the cases with one of the operators; ONNX computes what all cases expect."""
    with np.errstate(all="ignore"):
        return [case for case in loader.load_model_tests(kind="node") if operators_of(case)]


@pytest.fixture(scope="module")
def new_ops(recipe):
    return recipe("onnx")["new_ops"]


def test_the_cases_of_every_operator_are_found(cases, new_ops):
    alone = Counter(
        case.model.graph.node[0].op_type for case in cases if len(case.model.graph.node) == 1
    )
    assert {cls.__name__ for cls in new_ops} == set(AT_LEAST)
    assert [name for name, count in AT_LEAST.items() if alone[name] < count] == []


def test_every_case_passes(cases, new_ops):
    def outputs(case, inputs, **options):
        evaluator = ReferenceEvaluator(case.model, **options)
        names = [value.name for value in case.model.graph.input]
        return evaluator, evaluator.run(None, dict(zip(names, inputs, strict=True)))

    def check(case):
        for inputs, expected in case.data_sets:
            evaluator, ours = outputs(case, inputs, new_ops=new_ops)
            of_recipe = {cls.__name__ for cls in map(type, evaluator.rt_nodes_) if cls in new_ops}
            assert of_recipe == operators_of(case)
            if case.name.startswith(FAILS_WITHOUT_RECIPE):
                _, expected = outputs(case, inputs)
            runner.Runner.assert_similar_outputs(expected, ours, rtol=case.rtol, atol=case.atol)

    assert [(case.name, error) for case, error in failing(check, cases)] == []
