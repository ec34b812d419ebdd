r"""Counting statistics: theta(lambda) = lim ln <exp(lambda Q_t)> / t of a counter Q, and what follows from it.

The derivatives of theta at 0 are the mean of Q per time, its variance per time (the noise), its third cumulant. They
come from the polynomial through theta at the fields and theta(0) = 0. Errors are those of theta, times their weights in
the derivative, and the difference from the polynomial of a lower degree. The large-deviation function is the Legendre
transform I(J) = lambda J - theta(lambda) at J = theta'(lambda).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.question import Answerer, Question, register_question
from tnness.engines.protocol import Report
from tnness.errors import InputError
from tnness.observables.observable import Observable, Stated
from tnness.observables.views import Estimate, View
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.tilted import check_counter
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.protocol import Rule

Array = NDArray[Any]
Real = NDArray[np.float64]

MOST_FIELDS = 1000
"""Most counting fields: each is a steady state of its own."""
CUMULANTS = {1: "mean", 2: "noise", 3: "third_cumulant"}
"""Names of the derivatives of theta at 0."""


@register_question
@dataclass(frozen=True, kw_only=True)
class Counting(Question):
    """The statistics of a counter.

    Parameters
    ----------
    counter: name of a counter of the jumps, or `bond:B` for what crosses bond B to the right.
    largest: largest field |lambda|. points: number of fields, even; they are Chebyshev nodes on both sides of 0.
    spread: share a field at one end among all bonds (see `tnness.problems.tilted.tilted`).
    """

    kind = "counting"
    refused = ("times", "period", "own_period", "kick", "errors", "adjoint", "watch")
    why_refused = "counting statistics are those of long times, of a counter"

    counter: str = "left"  # counter of the jumps, or bond:B
    largest: float = 0.5  # largest counting field
    points: int = 8  # number of counting fields, even
    spread: bool = True  # share a field at one end among all bonds

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.largest <= 20:
            raise InputError(f"counting: largest = {self.largest!r}: a field above 0 and at most 20 is needed")
        if not 4 <= self.points <= MOST_FIELDS or self.points % 2:
            raise InputError(
                f"counting: points = {self.points!r}: an even number of fields, 4 to {MOST_FIELDS}, is needed"
            )

    @property
    def fields(self) -> Real:
        """The counting fields, ascending: Chebyshev nodes stretched so that the outermost are +-largest."""
        nodes = -np.cos(np.pi * (np.arange(self.points) + 0.5) / self.points)
        return np.round(self.largest * nodes / nodes[-1], 14)

    def chain(self, problem: Any) -> Lindbladian:
        """Return the problem, a Lindbladian with this counter."""
        if not isinstance(problem, Lindbladian):
            raise InputError(f"counting: a Lindbladian with jumps is needed, got a {type(problem).__name__}")
        check_counter(problem, self.counter)
        return problem

    def observables(self, problem: Any) -> dict[str, Observable]:
        """Return theta and what follows from it."""
        jumps = [(jump.operator, jump.rate, list(jump.counts)) for jump in self.chain(problem).jumps]
        about = (self.dump(), jumps)

        def of(name: str, along: bool, unit: str, text: str) -> Observable:
            measure = Stated(lambda view: view.counted(name), ("counting", name, *about))
            dims, coordinates = (("field",), {"field": self.fields}) if along else ((), {})
            return Observable(measure, dims, unit=unit, description=text, coordinates=coordinates, needs=("counted",))

        return {
            "theta": of("theta", True, "1/time", "scaled generating function of the cumulants"),
            "mean": of("mean", False, "1/time", "mean of the counter per time"),
            "noise": of("noise", False, "1/time", "variance of the counter per time"),
            "third_cumulant": of("third_cumulant", False, "1/time", "third cumulant of the counter per time"),
            "fano": of("fano", False, "1", "noise over |mean|"),
            "flow": of("flow", True, "1/time", "J = theta'(field)"),
            "large_deviation": of("large_deviation", True, "1/time", "I(J) = field J - theta"),
        }


def interpolant(fields: Real, at: Real, order: int, degree: int) -> Real:
    """Return W with theta^(order)(at) = W theta(fields), of the polynomial through 0 and the fields nearest to 0.

    Parameters
    ----------
    fields: (k,). at: (m,). order: of the derivative. degree: of the polynomial, at most k.

    Returns
    -------
    (m, k): of a polynomial theta(x) = x p(x), so that theta(0) = 0.
    """
    scale = float(np.abs(fields).max())
    chosen = np.sort(np.argsort(np.abs(fields), kind="stable")[:degree])
    powers = np.arange(1, degree + 1)
    factors = np.array([math.perm(int(p), order) for p in powers], float)
    x, y = fields[chosen] / scale, np.asarray(at) / scale
    vandermonde = x[:, None] ** powers
    rows = factors * np.where(powers >= order, y[:, None] ** np.maximum(powers - order, 0), 0.0) / scale**order
    weights = np.zeros((len(y), len(fields)))
    weights[:, chosen] = np.linalg.solve(vandermonde.T, rows.T).T
    return weights


@dataclass
class CountingTable:
    """theta at the fields, with errors; NaN where it is not known yet."""

    fields: Real
    theta: Real
    errors: Real

    def derivative(self, order: int, at: Real) -> Estimate:
        """Return a derivative of theta, with its error, at some fields."""
        if np.isnan(self.theta).any():
            return Estimate(np.full(len(at), np.nan), np.full(len(at), np.nan))
        weights, fewer = (interpolant(self.fields, at, order, len(self.fields) - less) for less in (0, 2))
        value = weights @ self.theta
        spread = np.abs(value - fewer @ self.theta)
        return Estimate(value, np.abs(weights) @ self.errors + spread)

    def counted(self, name: str) -> Estimate:
        """Return a quantity by its name in the record."""
        if name == "theta":
            return Estimate(self.theta, self.errors)
        for order, cumulant in CUMULANTS.items():
            if name == cumulant:
                return _first(self.derivative(order, np.zeros(1)))
        if name == "fano":
            mean, noise = (_first(self.derivative(order, np.zeros(1))) for order in (1, 2))
            average, variance = (float(np.asarray(each.value)) for each in (mean, noise))
            fano = variance / abs(average) if average else math.nan
            errors = [float(np.asarray(each.error)) for each in (mean, noise)]
            relative = errors[1] / max(abs(variance), 1e-300) + errors[0] / max(abs(average), 1e-300)
            return Estimate(fano, abs(fano) * relative)
        flow = self.derivative(1, self.fields)
        if name == "flow":
            return flow
        legendre = self.fields * np.asarray(flow.value) - self.theta
        return Estimate(legendre, np.abs(self.fields) * np.asarray(flow.error) + self.errors)


def _first(estimate: Estimate) -> Estimate:
    return Estimate(np.asarray(estimate.value)[0], np.asarray(estimate.error)[0])


class CountingView(View):
    """The view of counting statistics."""

    def __init__(self, table: CountingTable) -> None:
        super().__init__()
        self._table = table

    def counted(self, name: str) -> Estimate:
        """Return a quantity by its name in the record, with its error."""
        return self._table.counted(name)


Solve = Callable[[float], tuple[float, float]]


@dataclass
class CountingRun:
    """A run that finds theta at one field after the other.

    solve: takes a field and returns theta with its error.
    """

    solve: Solve
    table: CountingTable
    time: float = 0.0

    def step(self, until: float | None = None) -> Report:
        """Find theta at the next field."""
        place = self.done
        self.table.theta[place], self.table.errors[place] = self.solve(float(self.table.fields[place]))
        finished = self.done == len(self.table.fields)
        self.time = math.inf if finished else self.time
        text = f"field {self.table.fields[place]:.3g}"
        return Report(
            self.time, finished=finished, sampled=False, text=text, fraction=self.done / len(self.table.fields)
        )

    @property
    def done(self) -> int:
        """The number of fields at which theta is known."""
        return int(np.isfinite(self.table.theta).sum())

    def view(self) -> CountingView:
        """Return the view of what is known."""
        return CountingView(self.table)

    def save(self) -> Snapshot:
        """Return theta so far."""
        return Snapshot({"theta": self.table.theta, "theta_errors": self.table.errors}, {"time": self.time})

    def recall(self, snapshot: Snapshot) -> None:
        """Take over what was saved."""
        self.table.theta, self.table.errors = (np.array(snapshot.arrays[k]) for k in ("theta", "theta_errors"))
        self.time = float(snapshot.numbers["time"])


class CountingSolver(Answerer):
    """Base class of what finds theta field by field at once: a subclass implements `theta`."""

    def theta(self, chain: Lindbladian, counting_field: float, start: Start) -> tuple[float, float]:
        """Return theta at a field, and its error."""
        raise NotImplementedError

    def begin(self, problem: Any, start: Start) -> CountingRun:
        """Return a run that knows no theta yet."""
        chain, fields = self.question.chain(problem), self.question.fields
        table = CountingTable(fields, *(np.full(len(fields), np.nan) for _ in range(2)))
        return CountingRun(lambda value: self.theta(chain, value, start), table)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> CountingRun:
        """Return the run that was saved."""
        run = self.begin(problem, start)
        run.recall(snapshot)
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a rule that calls the answer exact."""
        return Told(lambda: "exact")
