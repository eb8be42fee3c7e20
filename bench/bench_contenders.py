"""Every contender of `python -m fastrelu bench` under pytest-benchmark, from the same list."""

import numpy as np
import pytest

import fastrelu
from fastrelu._limits import usable_cpus
from fastrelu._tool.bench import contenders, measure
from fastrelu._tool.operations import takes

THREADS = sorted({1, usable_cpus()})
CALLS = [
    pytest.param(
        operation,
        output,
        contender,
        threads,
        id=f"{operation} {output}-{contender.name} x{threads}",
    )
    for operation in contenders.OPERATIONS
    for output in contenders.OUTPUTS
    for contender in contenders.find()[0]
    if contender.statement(operation, output)
    for threads in contender.threads(THREADS)
]


@pytest.fixture(scope="module", params=["float32", "float64", "float16", "int8"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(scope="module")
def operation(request):
    return request.param


@pytest.fixture(scope="module")
def output(request):
    return request.param


@pytest.fixture(scope="module")
def case(operation, output, dtype, elements):
    if not takes(contenders.OPERATIONS[operation].types_like, dtype):
        pytest.skip(f"no kernels for {operation} of {dtype}")
    of_8 = measure.Case(operation, output, dtype.name, 8)  # a whole byte of a mask
    n = int(elements(of_8.footprint / 8))
    return of_8._replace(elements=n - n % 256 or n)  # so that a matrix has 256 columns


@pytest.fixture(scope="module")
def operands(case):
    return {False: measure.Operands(case), True: measure.OperandsOfLimit(case)}


@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.filterwarnings("ignore")  # of other libraries
@pytest.mark.parametrize(
    ("operation", "output", "contender", "threads"),
    CALLS,
    indirect=["operation", "output"],
    scope="module",
)
def test_call(benchmark, case, operands, contender, threads):
    benchmark.group = str(case)
    with fastrelu.num_threads(fastrelu.get_num_threads()):
        try:
            timer = measure.checked_timer(contender, threads, operands[contender.is_limit], case)
        except contenders.UnavailableError as error:
            pytest.skip(f"{contender.name}: {error}")
        benchmark(timer.function())
