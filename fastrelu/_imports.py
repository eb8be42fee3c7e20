"""Calls a function once a program has imported an optional library, which fastrelu never does."""

import sys

_calls = {}


def when_imported(name, call):
    """
    Call a function with a module when it has been imported: now, or as its import ends.

    Parameters
    ----------
    name : str
        The full name of the module.
    call : callable
        It gets the module and the stacklevel at which a warning shows the import. What it raises,
        the import raises. There is one for each name: the last that was given.
    """
    _calls[name] = call
    if sys.modules.get(name) is not None:
        call(sys.modules[name], stacklevel=5)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds a module as the next finders do, with a loader that makes the call in the end."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in _calls:
            return None
        for finder in sys.meta_path[sys.meta_path.index(cls) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        if hasattr(spec.loader, "exec_module"):
            exec_module = spec.loader.exec_module

            def exec_and_call(module):
                exec_module(module)
                _calls[name](module, stacklevel=3)

            try:
                spec.loader.exec_module = exec_and_call
            except AttributeError:
                spec.loader = _Loader(spec.loader, exec_and_call)
        return spec


class _Loader:
    """Stands before a loader that takes no attributes, with another exec_module."""

    def __init__(self, loader, exec_module):
        self._loader = loader
        self.exec_module = exec_module

    def __getattr__(self, name):
        return getattr(self._loader, name)
