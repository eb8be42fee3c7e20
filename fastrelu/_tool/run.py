"""python -m fastrelu run: a script or a module as Python runs it, with np.maximum patched."""

import argparse
import builtins
import errno
import importlib.machinery
import importlib.util
import os
import pkgutil
import runpy
import sys
import types

from .._imports import when_imported
from .._patch import PATCHED_OF_SKLEARN, patch_numpy, patch_sklearn
from .common import BadInputError, whole_file

SKLEARN_OPTION, REPORT_OPTION, JSON_OPTION = "--sklearn", "--report", "--json"
USAGE = """\
usage: python -m fastrelu run [OPTION ...] SCRIPT [ARGUMENT ...]
       python -m fastrelu run [OPTION ...] -m MODULE [ARGUMENT ...]
"""
HELP = f"""\
{USAGE}
Run a script (or a folder or zip file with a __main__.py) or a module as python does, with
np.maximum(0, x) and np.maximum(x, 0) taking fastrelu's kernels: fastrelu.patch_numpy(). The
arguments, sys.path, the exit status and tracebacks are those that python gives. What it starts by
fork has the patch as well; other processes of its own do not.

  --sklearn    also patch scikit-learn's MLPClassifier and MLPRegressor, once the program imports
               them: fastrelu.sklearn.patch()
  --report     when the program has ended, print on stderr which of its lines call np.maximum with
               a zero, how often and how long, and what python -m fastrelu find says of its files
  --json FILE  the report, also as a file

example:
  python -m fastrelu run --report train.py --epochs 2
"""


def run(argv):
    """
    Run what the arguments after "run" name.

    Parameters
    ----------
    argv : list of str
        The options; the script or, after "-m", the module; and the arguments for it.

    Returns
    -------
    int
        The exit status, 0, where it has not left by an exception.
    """
    options, argv = _options(argv)
    if options is None:
        return _refuse(f"{JSON_OPTION} needs a file\n{USAGE}", end="")
    if argv[:1] in (["-h"], ["--help"]):
        print(HELP, end="")
        return 0
    as_module = argv[:1] == ["-m"]
    arguments = argv[1:] if as_module else argv
    if not arguments or (arguments[0].startswith("-") and not as_module):
        wrong = f"not {arguments[0]!r}" if arguments else "nothing was given"
        return _refuse(f"a script, or -m and a module, is needed: {wrong}\n{USAGE}", end="")
    try:
        with whole_file(JSON_OPTION, options.json):
            pass  # fail before the program runs, not after
        patch_numpy()
        if options.sklearn:
            _patch_sklearn()
    except (BadInputError, ImportError, RuntimeError) as error:
        return _refuse(str(error))
    return (_run_module if as_module else _run_script)(arguments, options)


def _start_report(program, options):
    if options.report:
        from .report import watch

        watch(program, options.json)


def _options(argv):
    """Return the options before the script, and the rest; None for those that are incomplete."""
    options = argparse.Namespace(sklearn=False, report=False, json=None)
    while argv and argv[0] in (SKLEARN_OPTION, REPORT_OPTION, JSON_OPTION):
        name, *argv = argv
        if name == SKLEARN_OPTION:
            options.sklearn = True
        elif name == REPORT_OPTION:
            options.report = True
        elif not argv:
            return None, argv
        else:
            options.report = True
            options.json, *argv = argv
            options.json = os.path.abspath(options.json)
    return options, argv


def _patch_sklearn():
    """Do it when the program imports scikit-learn, which may have to be set up before."""
    if importlib.util.find_spec("sklearn") is None:
        raise ImportError(
            f"{SKLEARN_OPTION}: scikit-learn is not installed for {sys.executable}: "
            "pip install scikit-learn"
        )
    when_imported(PATCHED_OF_SKLEARN, patch_sklearn)


def _run_module(arguments, options):
    name = arguments[0]
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        return _refuse(f"no module named {name!r}", status=1)
    sys.argv[:] = arguments
    _trim_tracebacks()
    _start_report(name, options)
    runpy.run_module(name, run_name="__main__", alter_sys=True)
    return 0


def _run_script(arguments, options):
    path = os.path.abspath(arguments[0])
    if not os.path.exists(path):
        return _refuse(f"can't open file {path!r}: {os.strerror(errno.ENOENT)}")
    sys.argv[:] = arguments
    if os.path.isfile(path) and not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    _trim_tracebacks()
    _start_report(arguments[0], options)
    if pkgutil.get_importer(path) is not None or path.endswith(".pyc"):
        runpy.run_path(path, run_name="__main__")
    else:
        _run_source(path)
    return 0


def _run_source(path):
    """Run it in a __main__ that outlives it, for its threads and what it registers for the exit."""
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=path, __loader__=loader, __cached__=None, __builtins__=builtins, __package__=None
    )
    sys.modules["__main__"] = module
    exec(compile(loader.get_data(path), path, "exec", dont_inherit=True), module.__dict__)


def _refuse(message, status=2, end="\n"):
    print(f"python -m fastrelu run: error: {message}", end=end, file=sys.stderr)
    return status


def _trim_tracebacks():
    """Leave the frames of those that run it out of printed tracebacks."""
    before = sys.excepthook
    tool = os.path.dirname(__file__)
    runners = {
        runpy.__spec__.origin,
        runpy.run_path.__code__.co_filename,
        *(os.path.join(tool, name) for name in ("main.py", "run.py")),
        os.path.join(os.path.dirname(tool), "__main__.py"),
    }

    def excepthook(kind, value, traceback):
        while traceback and traceback.tb_frame.f_code.co_filename in runners:
            traceback = traceback.tb_next
        before(kind, value.with_traceback(traceback), traceback)

    sys.excepthook = excepthook
