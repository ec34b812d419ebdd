"""The errors of the package, in the user's words.

Every error that the package raises on purpose derives from `TnnessError`; `Interrupted`, which is none, from
`KeyboardInterrupt`. Its text is one line that says what was
given, what is needed and, where it helps, in which place. The command line prints that line and nothing else.
"""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class TnnessError(Exception):
    """Base class of every error the package raises on purpose: one line, whatever values it shows.

    >>> str(TnnessError("two\\nlines"))
    'two lines'
    """

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class InputError(TnnessError, ValueError):
    """A value, name or file given by the user cannot be used."""


class ModelError(InputError):
    """A model states physics that is not a valid problem (non-neighbours, negative rate, ...)."""


class UnknownOperator(ModelError, AttributeError):
    """A local space has no operator of this name; an AttributeError too, so that `hasattr` answers no."""


class Unavailable(TnnessError, AttributeError):
    """A view cannot give a quantity, so the record leaves it out. An AttributeError too: `hasattr` answers no."""


class RecordError(TnnessError):
    """A record file is missing, foreign, damaged or does not fit what is asked of it."""


class WriteError(RecordError):
    """The machine cannot write a file: the disk is full, a quota or the size of a file is exceeded, a device fails."""


class Interrupted(KeyboardInterrupt):
    """The run was stopped by a signal. If it writes a file, its results so far are saved in the checkpoint.

    It is no `Exception`, so that `except Exception` in the code of a model or an observable does not swallow it.
    number: of the signal.
    """

    def __init__(self, text: str = "interrupted", number: int = signal.SIGINT) -> None:
        super().__init__(text)
        self.number = int(number)


class Doubt(UserWarning):
    """What is continued may not be what was begun: another version wrote it, or code that was not compared in full."""


class NumericalError(TnnessError):
    """A computation broke down (NaN, or a factorisation that failed even after its fallback)."""


class StateLost(NumericalError):
    """Truncation has left a state whose trace is not positive."""


def suggestion(given: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest known name, or the list of known names.

    >>> suggestion("gama", ["gamma", "mu"])
    " (did you mean 'gamma'?)"
    """
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known: {', '.join(names)})" if names else ""
