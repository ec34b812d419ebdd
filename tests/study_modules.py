"""The modules of a study by name, as `python studies/<study>/<figure>.py` finds them."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

STUDIES = Path(__file__).parents[1] / "studies"


@contextmanager
def modules_of(study: str) -> Iterator[dict[str, ModuleType]]:
    """Import every module of a study's folder, and forget them afterwards: two studies may share a name."""
    folder = STUDIES / study
    names = [path.stem for path in folder.glob("*.py")]
    sys.path.insert(0, str(folder))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
