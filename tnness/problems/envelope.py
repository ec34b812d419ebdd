"""Functions of time: envelopes of Hamiltonian terms and rates of jumps, smooth or by pieces.

Any function of t that returns a real number will do. `Piecewise` also says at which times it jumps, so that engines end
a step there: a step across a jump would be of first order only.
"""

from __future__ import annotations

import bisect
import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.digest.content import digest, digest_of_function
from tnness.errors import InputError, ModelError
from tnness.typed import shown

Function = Callable[[float], float]

READINGS = 96
"""Number of times at which a function is read for its digest."""
SPANS = (1.0, 10.0, 100.0)
"""Lengths of time over which they are spread."""
GOLDEN = (math.sqrt(5) - 1) / 2
SAME_TIME = 1e-9
"""Times closer than this, in units of the time where it is above 1, are one."""


@dataclass(frozen=True, init=False)
class Piecewise:
    """A function of time by pieces: from each start on its own value, which is a number or a function of time.

    Parameters
    ----------
    pieces: the time at which each piece starts -> its value; the first one starts at 0. A function gets the time, or
        with a period the time since its beginning.
    period: length of time after which all repeats; default: the last piece lasts for ever.

    Raises
    ------
    InputError: starts that do not begin at 0, or do not lie within the period; a value that is neither a real number
        nor a function.

    Examples
    --------
    >>> square = Piecewise({0.0: 1.0, 0.5: -1.0}, period=2.0)
    >>> [square(t) for t in (0.0, 0.4, 0.5, 1.9, 2.1)]
    [1.0, 1.0, -1.0, -1.0, 1.0]
    """

    starts: tuple[float, ...]
    values: tuple[float | Function, ...]
    period: float | None

    def __init__(self, pieces: Mapping[float, float | Function], period: float | None = None) -> None:
        if not isinstance(pieces, Mapping) or not all(map(_is_real, pieces)):
            raise InputError(f"the pieces of a function of time are {{start: value}}, got {shown(pieces)}")
        if period is not None and not _is_real(period):
            raise InputError(f"period = {shown(period)}: a number is needed")
        starts = tuple(sorted(float(start) for start in pieces))
        if not starts or starts[0] != 0 or not all(map(math.isfinite, starts)):
            raise InputError(f"the pieces of a function of time start at 0 and at later times, got {list(starts)}")
        if period is not None and not (math.isfinite(period) and period > starts[-1]):
            raise InputError(f"period = {period!r}: it ends after the start of the last piece, {starts[-1]:g}")
        values = {float(start): value for start, value in pieces.items()}
        for start, value in values.items():
            if not callable(value) and not _is_real(value):
                raise InputError(f"the piece from {start:g} on is {value!r}: a real number or a function is needed")
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "values", tuple(values[start] for start in starts))
        object.__setattr__(self, "period", None if period is None else float(period))

    def __call__(self, time: float) -> float:
        """Return the value at a time; where a piece starts, that of this piece."""
        return self.on(time, time)(time)

    def on(self, start: float, end: float) -> Function:
        """Return the function on a stretch of time within one piece, ends included."""
        middle = (start + end) / 2
        before = 0.0 if self.period is None else math.floor(middle / self.period) * self.period
        value = self.values[max(0, bisect.bisect_right(self.starts, middle - before) - 1)]
        if callable(value):
            return value if self.period is None else lambda time: value(time - before)
        constant = float(value)
        return lambda time: constant

    def breaks(self, start: float, end: float) -> list[float]:
        """Return the times between two times, these left out, at which a piece starts."""
        if self.period is None:
            return [time for time in self.starts if start < time < end]
        first, last = math.floor(start / self.period) - 1, math.ceil(end / self.period) + 1
        times = [k * self.period + own for k in range(first, last) for own in self.starts]
        return [time for time in times if start < time < end]

    def digest(self) -> str:
        """Return a digest of the pieces."""
        contents = [digest_of_function(v) if callable(v) else digest(float(v)) for v in self.values]
        return digest("piecewise", list(self.starts), contents, self.period)


def piece_of(function: Function, start: float, end: float) -> Function:
    """Return a function of time on a stretch between two jumps, ends included."""
    return function.on(start, end) if isinstance(function, Piecewise) else function


def breaks_of(function: Function, start: float, end: float) -> list[float]:
    """Return the times between two times at which a function jumps, as far as it says so."""
    return function.breaks(start, end) if isinstance(function, Piecewise) else []


def value_at(function: Function, time: float, name: str, is_rate: bool = False) -> float:
    """Return the value of a function of time.

    Raises
    ------
    ModelError: the value is no finite real number, or is a rate below 0. name: what the function belongs to.
    """
    value = function(time)
    what = "rate" if is_rate else "envelope"
    if not _is_real(value) or not math.isfinite(value):
        raise ModelError(f"{name} has the {what} {value!r} at t = {time:g}; a finite real number is needed")
    if is_rate and value < 0:
        raise ModelError(f"{name} has the negative rate {float(value):g} at t = {time:g}; rates are >= 0")
    return float(value)


def content_of(function: Function) -> tuple[str, str]:
    """Return the tag and the digest of a function of time: of its code, of what it reads, and of some of its values.

    The tag names the version of Python whose bytecode was read; it is empty where none was.
    """
    tag, _, code = digest_of_function(function).rpartition(":")
    if isinstance(function, Piecewise):
        tag = "+".join(sorted({content_of(value)[0] for value in function.values if callable(value)} - {""}))
    return tag, digest(code, _probed(function))


def is_periodic(function: Function, period: float) -> bool:
    """Return whether a function has the same values a period later, at as many times as its digest reads."""
    times = period * (np.arange(1, READINGS + 1) * GOLDEN % 1)
    first, later = (np.array([function(t + shift) for t in times], float) for shift in (0.0, period))
    return bool(np.allclose(first, later, rtol=1e-7, atol=1e-7 * max(1e-300, float(np.abs(first).max()))))


def largest(function: Function, span: float) -> float:
    """Return the largest magnitude of a function of time among the values read within a span of time."""
    return float(np.nanmax(np.abs(_values(function, _spread(span))), initial=0.0))


def quickness(function: Function, span: float) -> float:
    """Return how fast a function changes, relative to its largest magnitude, within a span of time (1 / time).

    It is the rate that nine tenths of the readings do not exceed, so that a few jumps do not count.
    """
    size, apart = largest(function, span), 1e-4 * span
    if isinstance(function, Piecewise) and not any(callable(value) for value in function.values):
        return 0.0
    changes = np.abs(_values(function, _spread(span) + apart) - _values(function, _spread(span))) / apart
    known = changes[np.isfinite(changes)]
    return float(np.quantile(known, 0.9)) / size if known.size and size > 0 else 0.0


def _spread(span: float) -> NDArray[np.float64]:
    return np.array([span * k / READINGS for k in range(READINGS + 1)])


def _times() -> NDArray[np.float64]:
    numbers_ = np.arange(READINGS)
    return np.asarray((numbers_ * GOLDEN % 1) * np.resize(SPANS, READINGS), float)


def _probed(function: Function) -> NDArray[np.float64]:
    return np.nan_to_num(_values(function, _times()), nan=-1e300)


def _values(function: Function, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values of a function, NaN where it has none."""
    values = np.full(len(times), np.nan)
    for k, time in enumerate(times):
        try:
            values[k] = function(float(time))
        except (ValueError, ArithmeticError):  # it may end there
            continue
    return values


def _is_real(value: Any) -> bool:
    return not isinstance(value, (bool, np.bool_)) and (
        isinstance(value, numbers.Real)
        or (isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiu")
    )
