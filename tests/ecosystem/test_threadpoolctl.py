"""threadpoolctl sees the pool, whichever is imported first; fastrelu itself never imports it."""

import os
import subprocess
import sys

import pytest

import fastrelu

pytest.importorskip("threadpoolctl")
pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has no pool")

LIMIT = """
import sys
with threadpoolctl.threadpool_limits(1, user_api="fastrelu"):
    print(fastrelu.get_num_threads())
(pool,) = threadpoolctl.ThreadpoolController().select(user_api="fastrelu").info()
print(pool["num_threads"], pool["version"] == fastrelu.__version__)
"""


def python(code, *options, **environment):
    return subprocess.run(
        [sys.executable, "-P", *options, "-c", code],
        env={**os.environ, "FASTRELU_NUM_THREADS": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


ORDERS = {
    "after": "import fastrelu, threadpoolctl",
    "before": "import threadpoolctl, fastrelu",
    "after it was looked for": """
import fastrelu, importlib.util
importlib.util.find_spec("threadpoolctl")
import threadpoolctl
""",
    "reloaded": "import fastrelu, importlib, threadpoolctl; importlib.reload(threadpoolctl)",
    "imported afresh": """
import fastrelu, sys, threadpoolctl
del sys.modules["threadpoolctl"]
import threadpoolctl
""",
    "both imported afresh": """
import sys, fastrelu, threadpoolctl
for name in [name for name in sys.modules if name.split(".")[0] in ("fastrelu", "threadpoolctl")]:
    del sys.modules[name]
import fastrelu, threadpoolctl
""",
    "by a loader that takes no attributes": """
import importlib.machinery, sys
class Loader:
    __slots__ = ()
    create_module = exec_module = None
class Finder:
    def find_spec(name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if name == "threadpoolctl":
            Loader.create_module = spec.loader.create_module
            Loader.exec_module = spec.loader.exec_module
            spec.loader = Loader()
        return spec
sys.meta_path.insert(0, Finder)
import fastrelu, threadpoolctl
""",
    "lazily": """
import fastrelu, importlib.util, sys
spec = importlib.util.find_spec("threadpoolctl")
loader = importlib.util.LazyLoader(spec.loader)
spec.loader = loader
threadpoolctl = importlib.util.module_from_spec(spec)
sys.modules["threadpoolctl"] = threadpoolctl
loader.exec_module(threadpoolctl)
""",
}


@pytest.mark.parametrize("imports", ORDERS.values(), ids=ORDERS)
def test_it_limits_the_pool(imports):
    done = python(imports + LIMIT, "-W", "error")
    assert (done.stdout, done.stderr) == ("1\n3 True\n", "")


def test_fastrelu_does_not_import_it():
    done = python("import sys, fastrelu; print('threadpoolctl' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_its_own_module_and_source_stay_as_they_are():
    code = "import {}threadpoolctl, inspect; print(type(threadpoolctl.__spec__.loader),"
    code += " threadpoolctl.__file__, hash(inspect.getsource(threadpoolctl)))"
    runs = [python(code.format(first), PYTHONHASHSEED="0") for first in ("", "fastrelu, ")]
    assert runs[0].stdout == runs[1].stdout != ""


def test_the_fallback_registers_nothing():
    code = "import fastrelu, threadpoolctl; print(threadpoolctl.threadpool_info())"
    done = python(code, FASTRELU_ISA="python")
    assert done.stderr == ""
    assert "fastrelu" not in done.stdout


def test_where_it_is_not_installed_it_is_not_found():
    code = """
import sys
sys.path[:] = []
try:
    import threadpoolctl
except ModuleNotFoundError as error:
    print(error.name)
"""
    done = python("import fastrelu" + code)
    assert (done.stdout, done.stderr) == ("threadpoolctl\n", "")
