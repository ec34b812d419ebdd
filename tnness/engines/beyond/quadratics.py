"""Questions to quadratic problems, answered in closed form by the settings of engine `gaussian`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tnness.engines.ask import Start
from tnness.engines.beyond.correlation import CorrelationAtOnce, CorrelationSolver
from tnness.engines.beyond.counting import CountingSolver
from tnness.engines.beyond.modes import ModesAtOnce, ModesSolver, ModeTable, profile
from tnness.engines.beyond.question import answers
from tnness.engines.fermions.counting import Exchange
from tnness.engines.fermions.in_time import InTime
from tnness.engines.fermions.modes import OneBodyModes
from tnness.engines.fermions.quadratic import modes_of, quadratic
from tnness.errors import InputError
from tnness.operators.terms import Operator
from tnness.problems.lindbladian import Lindbladian


@answers("modes", "gaussian")
@dataclass(frozen=True, kw_only=True)
class QuadraticModes(ModesSolver):
    """The slowest modes of even operators (without dephasing), or of one-body operators (with it)."""

    def begin(self, problem: Any, start: Start) -> ModesAtOnce:
        """Return a run that has found nothing yet; its outcome will say among which operators it looks."""
        run = super().begin(problem, start)
        run.words = f"exact among {'one-body' if quadratic(problem).dephasing.any() else 'even'} operators"
        return run

    def solve_modes(self, problem: Any, start: Start, report: Callable[[str, float], None]) -> ModeTable:
        """Return the modes from the spectrum of the correlation matrix's equation."""
        found = OneBodyModes(quadratic(problem), self.question.count, report)
        first = [modes.start for modes in modes_of(problem.spaces)]  # a profile sums the modes of a site
        lefts, rights = (
            np.array([profile(row) for row in np.add.reduceat(rows, first, axis=1)])
            for rows in (found.lefts, found.rights)
        )
        about = found.values, found.residuals, found.errors, found.conditions, lefts, rights
        return ModeTable.of(self.question.count, start.ask.tolerance, *about)


@answers("counting", "gaussian")
@dataclass(frozen=True, kw_only=True)
class QuadraticCounting(CountingSolver):
    """Counting statistics of free fermions without dephasing, from the spectrum of a (2n, 2n) matrix."""

    def theta(self, chain: Lindbladian, counting_field: float, start: Start) -> tuple[float, float]:
        """Return theta at a field, and its round-off."""
        exchange = Exchange.of(chain, self.question.counter)
        return exchange.theta(counting_field), exchange.round_off()


@answers("correlation", "gaussian")
@dataclass(frozen=True, kw_only=True)
class QuadraticCorrelation(CorrelationSolver):
    """Correlations in time of free fermions without dephasing, by Wick's theorem and exp(X t)."""

    def solved(
        self, chain: Lindbladian, first: Sequence[Operator], second: Sequence[Operator], start: Start
    ) -> CorrelationAtOnce:
        """Return the correlations of the Gaussian steady state."""
        form = quadratic(chain)
        if form.dephasing.any():
            raise InputError(
                "correlation: with dephasing the steady state is no Gaussian one: choose engine 'tebd' or 'exact'"
            )
        steady = InTime(form, chain.spaces)
        means = tuple(np.array([steady.mean(of) for of in operators]) for operators in (first, second))
        return CorrelationAtOnce(lambda t: steady.correlations(first, second, t), (means[0], means[1]))
