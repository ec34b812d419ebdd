"""The registry of models: a model is found by its registered name, or as `file.py:Class`.

Any installed package can add models. Its entry point `tnness.models` names a module that registers them when it is
imported.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import urllib.parse
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import TypeVar

from tnness.errors import InputError, ModelError, TnnessError, suggestion
from tnness.model.parameters import parameters
from tnness.typed import check_file_name, shown, typed

Class = TypeVar("Class", bound=type)

_MODELS: dict[str, type] = {}
_broken: dict[str, str] = {}
_loaded = False

ENTRY_POINT = "tnness.models"
FROM_FILE = "_tnness_file_"
"""What the names of modules in files begin with."""


def register(name: str) -> Callable[[Class], Class]:
    """Register a model class under a name. The same name for another class is an error.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @register("doctest-nothing")
    ... @dataclass(frozen=True, kw_only=True)
    ... class Nothing:
    ...     n: int = 2  # sites
    ...
    ...     def problem(self): ...
    ...     def observables(self): ...
    >>> _MODELS.pop("doctest-nothing") is Nothing
    True
    """
    if not isinstance(name, str) or not name:
        raise ModelError(f"a model is registered under a name, got {shown(name)}")

    def keep(cls: Class) -> Class:
        if not isinstance(cls, type):
            raise ModelError(f"a model is a class, got {shown(cls)}")
        other = _MODELS.get(name)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ModelError(
                f"model {name!r} is registered twice: by {other.__module__}.{other.__qualname__} "
                f"and by {cls.__module__}.{cls.__qualname__}"
            )
        _validate(cls)
        _MODELS[name] = cls
        cls.registered_name = name  # type: ignore[attr-defined]
        return cls

    return keep


def models() -> dict[str, type]:
    """Return every registered model by name, loading those of installed packages first."""
    _load_entry_points()
    return dict(sorted(_MODELS.items()))


def broken_packages() -> dict[str, str]:
    """Return the entry points that could not be loaded, with the reason."""
    _load_entry_points()
    return dict(_broken)


@typed
def find(name: str) -> type:
    """Return the model class for a registered name or for `path/to/file.py:Class`.

    Raises
    ------
    InputError: no such model (with the closest name), no such file, or no such class in it.
    """
    if names_file(name):
        return _from_file(name)
    known = models()
    if name not in known:
        hint = "; a model in a file is given as file.py:Class" if name.endswith(".py") else suggestion(name, known)
        raise InputError(f"there is no model {name!r}{hint}")
    return known[name]


def full_name(name: str) -> str:
    """Return a name that finds the model from any folder: the path of a file becomes absolute."""
    path, _, class_name = name.rpartition(":")
    return f"{Path(path).resolve()}:{class_name}" if names_file(name) else name


def names_file(name: str) -> bool:
    """True where a name is `path/to/file.py:NAME`."""
    path, separator, _ = name.rpartition(":")
    return bool(separator) and path.endswith(".py")


def _from_file(name: str) -> type:
    path, _, class_name = name.rpartition(":")
    check_file_name("model", path)
    if not Path(path).is_file():
        raise InputError(f"there is no file {path!r} to take model {class_name!r} from")
    module = module_from_file(path)
    cls = getattr(module, class_name, None)
    classes = [k for k, v in vars(module).items() if isinstance(v, type) and v.__module__ == module.__name__]
    if not isinstance(cls, type):
        raise InputError(f"{path} has no class {class_name!r}{suggestion(class_name, classes)}")
    _validate(cls)
    return cls


def module_from_file(path: str | Path) -> ModuleType:
    """Return the module in a file; a file is loaded only once.

    Raises
    ------
    InputError: there is no such file, or its own code fails.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    try:
        return importlib.import_module(_module_name(file))
    except TnnessError:
        raise
    except Exception as error:
        raise InputError(f"{path} could not be loaded: {type(error).__name__}: {error}") from error


def _module_name(file: Path) -> str:
    """Return the name of the module in a file, which holds the whole path and no dot."""
    stem, path = (urllib.parse.quote(text).replace(".", "%2E") for text in (file.stem, str(file)))
    return f"{FROM_FILE}{stem}:{path}"


class _Files(importlib.abc.MetaPathFinder):
    """Finds the modules in files by their names: what they define travels to the workers of a sweep."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where a module is, or None where it is not in a file of a model."""
        file = Path(urllib.parse.unquote(fullname.partition(":")[2]))
        if not fullname.startswith(FROM_FILE) or not file.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, file, loader=_Source(fullname, str(file)))


class _Source(importlib.machinery.SourceFileLoader):
    """Compiles a file whenever it is loaded.

    Python's own bytecode is taken for that of an edited file of the same length if the edit came within the second.
    """

    def get_code(self, fullname: str) -> CodeType:
        """Return the compiled source."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


sys.meta_path.append(_Files())


def _validate(cls: type) -> None:
    for method in ("problem", "observables"):
        if not callable(getattr(cls, method, None)):
            raise ModelError(f"{cls.__name__} has no method {method}(): a model needs problem() and observables()")
    parameters(cls)


def _load_entry_points() -> None:
    global _loaded
    if _loaded:
        return
    _loaded = True
    for point in importlib.metadata.entry_points(group=ENTRY_POINT):
        try:
            point.load()
        except Exception as error:  # one broken package must not prevent the others from loading
            _broken[f"{point.name} ({point.value})"] = f"{type(error).__name__}: {error}"
