r"""Classical hopping with rates of rank one, solved by its spectrum: any time in one step, at full relative accuracy.

dp/dt = g (g . p) - D p, D_a = G g_a, G = sum g. One rate is 0 (equal probabilities); the others lie between
neighbouring D_a, at the zeros of sum_a g_a / (D_a - lambda). The engine computes the distance of each zero from its
nearer pole, so that rates of 1e-200 are as accurate as rates of 1. It treats states of equal g as one level; the
differences between their probabilities decay at the rate D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Ask, Start
from tnness.engines.hopping_view import HoppingView
from tnness.engines.protocol import Engine, Report, Run
from tnness.engines.registry import register_engine
from tnness.errors import InputError
from tnness.problems.hopping import FactorisedHopping
from tnness.problems.need import Need
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import COMPLETE, EXACT, Told
from tnness.stopping.protocol import Rule

Array = NDArray[Any]

HALVINGS = 84
"""Number of bisections. They act on the exponent (of 2) of the distance between a zero and its pole."""
DEEPEST = 70.0
"""Largest exponent: the search resolves distances down to 2^-DEEPEST of the pole's own value."""
SMALLEST = 1e-280
"""Couplings below this, relative to the largest, count as 0."""


@register_engine("spectral")
@dataclass(frozen=True, kw_only=True)
class Spectral(Engine):
    """The engine; it has no settings."""

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the eigenvectors of the levels need."""
        if not isinstance(problem, FactorisedHopping):
            return None
        levels = len(np.unique(problem.couplings[coupled(problem.couplings)]))
        return Need(3 * 8.0 * levels**2, f"the spectrum of {levels} different couplings")

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run of a `FactorisedHopping`, whose parameters include the initial state."""
        if not isinstance(problem, FactorisedHopping):
            raise InputError(f"engine 'spectral' takes a FactorisedHopping, got a {type(problem).__name__}")
        if start.initial.kind != "identity":
            raise InputError("the initial state of a hopping problem is one of its own parameters")
        return HoppingRun(problem)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        return HoppingRun(problem, *(float(snapshot.numbers[name]) for name in ("time", "drift")))

    def rule(self, run: HoppingRun, start: Start) -> Rule:
        """Return a stopping rule that calls the answer exact, or an evolution complete."""
        return Told(lambda: EXACT if start.steady else COMPLETE, run.figures)


@dataclass
class HoppingRun:
    """A run that gets the probabilities at a time from the spectrum. drift: largest change of their sum so far."""

    problem: FactorisedHopping
    time: float = 0.0
    drift: float = 0.0

    def __post_init__(self) -> None:
        self.spectrum = Spectrum(self.problem.couplings)

    def step(self, until: float | None = None) -> Report:
        """Go to the time `until`, or to infinite time if none is given."""
        self.time = math.inf if until is None else until
        return Report(self.time, finished=until is None, text=f"time {self.time:.4g}")

    def view(self) -> HoppingView:
        """Return a view of the probabilities and densities."""
        p = self.spectrum.evolve(self.problem.initial, self.time)
        self.drift = max(self.drift, abs(float(p.sum()) - 1))
        return HoppingView(p, p if self.problem.shapes is None else self.problem.shapes @ p)

    def figures(self) -> dict[str, float]:
        """Return the largest change of the sum of the probabilities."""
        return {"probability_drift": self.drift}

    def save(self) -> Snapshot:
        """Return the time: the state follows from the initial one."""
        return Snapshot({}, {"time": self.time, "drift": self.drift})


def coupled(couplings: Array) -> NDArray[np.bool_]:
    """Return which states exchange with others at all."""
    return couplings > SMALLEST * couplings.max()


class Spectrum:
    """Rates and eigenvectors of g g^T - diag(G g). States of equal g form one level; uncoupled states are left out."""

    def __init__(self, couplings: Array) -> None:
        self.coupled = coupled(couplings)
        levels, self._group, counts = np.unique(couplings[self.coupled], return_inverse=True, return_counts=True)
        self._counts, self._weights = counts.astype(float), counts * levels
        self._poles = couplings[self.coupled].sum() * levels  # D, ascending
        origin, distance = self._zeros()
        self.rates = origin + distance
        gaps = (self._poles - origin[:, None]) - distance[:, None]  # D_a - lambda_k, without cancellation
        vectors = np.sqrt(self._counts) * levels / gaps  # (zeros, levels)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1)[:, None]

    def evolve(self, initial: Array, time: float) -> Array:
        """Return the probabilities at a time (or at infinity), from `initial` at time 0."""
        result = initial.astype(float)
        result[self.coupled] = self._evolve(result[self.coupled], time)
        return result

    def _evolve(self, initial: Array, time: float) -> Array:
        roots = np.sqrt(self._counts)
        together = np.bincount(self._group, initial, minlength=len(roots))
        moving = (np.exp(-self.rates * time) * (self._vectors @ (together / roots))) @ self._vectors
        apart = initial - (together / self._counts)[self._group]  # differences between equal states
        uniform = initial.sum() / len(initial)
        return uniform + (moving / roots)[self._group] + np.exp(-self._poles * time)[self._group] * apart

    def _zeros(self) -> tuple[Array, Array]:
        """Return the nearer pole of each zero, and the signed distance from it."""
        lower, upper = self._poles[:-1], self._poles[1:]
        width = upper - lower
        origin = np.where(self._secular(lower, width / 2) > 0, lower, upper)  # it rises with lambda, from -inf to inf
        sign = np.where(origin == lower, 1.0, -1.0)
        near, far = np.ones(len(width)), DEEPEST + np.where(origin == lower, np.log2(width / lower), 0.0)
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            value = self._secular(origin, sign * width * np.exp2(-middle))
            closer = sign * value > 0  # the zero lies nearer to its pole
            near, far = np.where(closer, middle, near), np.where(closer, far, middle)
        return origin, sign * width * np.exp2(-(near + far) / 2)

    def _secular(self, origin: Array, distance: Array) -> Array:
        """Return sum_a g_a / (D_a - lambda) at lambda = origin + distance."""
        return (self._weights / ((self._poles - origin[:, None]) - distance[:, None])).sum(axis=1)
