"""Correlations in time, <A(t) B(0)> in the steady state, for lists of operators A and B.

By the regression theorem <A(t) B(0)> = Tr A exp(G t) (B rho) for t >= 0; B rho is not Hermitian, so that the numbers
are complex. The record holds their real and imaginary parts, as they are and less <A><B>.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.question import Answerer, Question, register_question
from tnness.engines.protocol import Companion, Report
from tnness.errors import InputError
from tnness.observables.observable import Observable, Stated
from tnness.observables.views import View
from tnness.operators.reading import read_operator
from tnness.operators.terms import Operator
from tnness.problems.lindbladian import Lindbladian
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.protocol import Rule
from tnness.typed import typed

Array = NDArray[Any]


@register_question
@dataclass(frozen=True, kw_only=True)
class Correlation(Question):
    """Correlations in time.

    Parameters
    ----------
    first, second: the operators A and B as texts (see `tnness.operators.reading`).
    picture: which evolves in engine `tebd`, B rho ("schroedinger") or A ("heisenberg"); "auto": the fewer states.
    """

    kind = "correlation"
    refused = ("max_time", "period", "own_period", "kick", "adjoint", "watch")
    why_refused = "correlations in time are those of given times"
    needs_times = True
    of_steady_state = True

    first: tuple[str, ...]  # operator A of <A(t) B(0)> (repeatable)
    second: tuple[str, ...]  # operator B of <A(t) B(0)> (repeatable)
    picture: Literal["auto", "schroedinger", "heisenberg"] = "auto"  # what evolves: B rho, or A

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.first or not self.second:
            raise InputError("correlation: at least one operator A and one operator B are needed")

    def operators(self, problem: Any) -> tuple[list[Operator], list[Operator]]:
        """Return the operators A and B; refuse a problem that is no Lindbladian, and odd operators."""
        if not isinstance(problem, Lindbladian):
            raise InputError(f"correlation: a Lindbladian is needed, got a {type(problem).__name__}")
        first, second = ([read_operator(text, problem.spaces) for text in of] for of in (self.first, self.second))
        for operator, text in zip((*first, *second), (*self.first, *self.second), strict=True):
            if operator.odd:
                raise InputError(f"correlation: {text} is odd in fermions; products of an even number are needed")
        return first, second

    def observables(self, problem: Any) -> dict[str, Observable]:
        """Return the real and imaginary parts of the correlations."""
        first, second = self.operators(problem)

        def of(connected: bool, part: str) -> Observable:
            def measure(view: Any) -> Array:
                values = view.connected_in_time if connected else view.correlation_in_time
                return np.real(values) if part == "real" else np.imag(values)

            needs = "connected_in_time" if connected else "correlation_in_time"
            stated = Stated(measure, ("correlation in time", first, second, connected, part))
            text = f"{part} part of <A(t) B(0)>{' - <A><B>' if connected else ''}"
            return Observable(stated, ("first", "second"), description=text, needs=(needs,), monitored=connected)

        names = {"correlation": False, "connected": True}
        return {f"{name}_{part}": of(flag, part) for name, flag in names.items() for part in ("real", "imag")}


class CorrelationView(View):
    """The view of correlations at one time.

    Parameters
    ----------
    values: <A(t) B(0)> (first, second). means: <A> (first,) and <B> (second,).
    """

    def __init__(self, values: Array, means: tuple[Array, Array]) -> None:
        super().__init__()
        self._values, self._means = values, means

    @property
    def correlation_in_time(self) -> Array:
        """<A(t) B(0)>: (first, second)."""
        return self._values

    @property
    def connected_in_time(self) -> Array:
        """<A(t) B(0)> - <A><B>: (first, second)."""
        return self._values - np.outer(*self._means)


@dataclass
class CorrelationAtOnce:
    """A run that reaches any time in one step.

    at: takes a time and returns <A(t) B(0)>. means: <A> and <B>.
    """

    at: Callable[[float], Array]
    means: tuple[Array, Array]
    time: float = 0.0

    def step(self, until: float | None = None) -> Report:
        """Go to a time."""
        assert until is not None
        self.time = until
        return Report(self.time)

    def view(self) -> CorrelationView:
        """Return the view of the present time."""
        return CorrelationView(self.at(self.time), self.means)

    def save(self) -> Snapshot:
        """Return the time: the correlations follow from it."""
        return Snapshot({}, {"time": self.time})


class CorrelationSolver(Answerer):
    """Base class of what gives correlations at any time at once: a subclass implements `solved`."""

    def solved(self, chain: Lindbladian, first: Sequence[Operator], second: Sequence[Operator], start: Start) -> Any:
        """Return a `CorrelationAtOnce` at time 0."""
        raise NotImplementedError

    def begin(self, problem: Any, start: Start) -> CorrelationAtOnce:
        """Return a run at time 0."""
        if start.steady:
            raise InputError("correlation: the times are needed")
        first, second = self.question.operators(problem)
        return self.solved(problem, first, second, start)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> CorrelationAtOnce:
        """Return the run that was saved."""
        run = self.begin(problem, start)
        run.time = float(snapshot.numbers["time"])
        return run

    def companions(self, problem: Any, start: Start) -> dict[str, Companion | None]:
        """Return that there is neither a Trotter error nor one of truncation."""
        return {"trotter": None, "truncation": None}

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a rule that calls the correlations complete."""
        return Told(lambda: "complete")


WINDOWS: dict[str, Callable[[Array], Array]] = {
    "none": lambda u: np.ones_like(u),
    "hann": lambda u: np.cos(np.pi * u / 2) ** 2,
    "gauss": lambda u: np.exp(-4.5 * u**2),
}
"""Windows of a spectrum, of u = t / T from 0 to 1."""


@typed
def spectrum(times: Sequence[float], values: Array, frequencies: Sequence[float], window: str = "hann") -> Array:
    """Return S(omega) = 2 Re int_0^T w(t/T) C(t) exp(i omega t) dt: the spectrum of a correlation with C(-t) = C(t)^*.

    Parameters
    ----------
    times: from 0, ascending (k,). values: C(t), with the time as first axis (k, ...). frequencies: omega (m,).
    window: `none`, `hann` (cos^2(pi u / 2), a resolution of about pi / T) or `gauss` (exp(-4.5 u^2), about 3 / T).

    Returns
    -------
    (m, ...): by the exact integral of the cubic spline through w C, times exp(i omega t). Without a window
    int S d omega / 2 pi = C(0).

    >>> t = np.linspace(0, 40, 2001)
    >>> bool(abs(spectrum(t, np.exp(-t), [1.0], "none")[0] - 1) < 1e-6)  # 2 / (1 + omega^2)
    True
    """
    from scipy.interpolate import CubicSpline

    if window not in WINDOWS:
        raise InputError(f"window = {window!r}: one of {', '.join(WINDOWS)} is needed")
    t, c = np.asarray(times, float), np.asarray(values)
    if t.ndim != 1 or len(t) < 4 or t[0] != 0 or not (np.diff(t) > 0).all() or len(c) != len(t):
        raise InputError("a spectrum takes at least four ascending times from 0, and one value for each")
    weights = WINDOWS[window](t / t[-1]).reshape(-1, *[1] * (c.ndim - 1))
    pieces = CubicSpline(t, weights * c, axis=0).c  # (4, k - 1, ...): descending powers
    widths = np.diff(t)
    found = []
    for omega in np.asarray(frequencies, float):
        moments = _moments(omega, widths) * np.exp(1j * omega * t[:-1])  # (4, k - 1)
        found.append(2 * np.real(np.einsum("pk,pk...->...", moments, pieces)))
    return np.array(found)


def _moments(omega: float, widths: Array) -> Array:
    """Return int_0^h x^p exp(i omega x) dx for p = 3, 2, 1, 0: (4, k), by Gauss-Legendre nodes in pieces."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    parts = max(1, math.ceil(abs(omega) * float(widths.max()) / 6))
    total = np.zeros((4, len(widths)), complex)
    for part in range(parts):
        x = widths[:, None] * (part + (nodes + 1) / 2) / parts
        wave = np.exp(1j * omega * x) * weights * widths[:, None] / (2 * parts)
        total += np.array([(x**p * wave).sum(axis=1) for p in (3, 2, 1, 0)])
    return total
