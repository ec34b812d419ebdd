"""Free fermions by their correlation matrices: quadratic Lindbladians of a thousand sites, exactly.

The problem is recognised from its terms (`tnness.engines.fermions.quadratic`); one that is not is refused with the term
that is not. What its averages need depends on the dephasing: none, on one site, or on several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.basis import LocalSpace
from tnness.engines.fermions.correlations import evolve_dephased, evolve_undephased, steady_correlation
from tnness.engines.fermions.quadratic import Quadratic, quadratic
from tnness.engines.fermions.renewal import Renewal
from tnness.engines.fermions.states import initial_correlation
from tnness.engines.fermions.view import GaussianView
from tnness.engines.protocol import Solution
from tnness.errors import InputError, NumericalError

Matrix = NDArray[Any]
Say = Callable[[str, float], None]

RESIDUAL = 1e-7
"""|dG/dt| relative to |X| |G| above which a steady state is not called exact."""
DRIFT = 1e-5
"""Change of the particle number, relative to n, above which an evolution is not called complete."""


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """Settings of the engine.

    Parameters
    ----------
    tolerance: of the density of a noisy site on a time step, of the Runge-Kutta steps (dephasing on several sites), and
        of the densities of a steady state; default 1e-8. Without dephasing nothing is approximated.
    """

    tolerance: float = 1e-8

    name = "gaussian"

    def __post_init__(self) -> None:
        if not 1e-12 <= self.tolerance <= 1e-2:
            raise InputError(f"tolerance = {self.tolerance!r}: a number from 1e-12 to 1e-2 is needed")

    def solve(
        self,
        problem: Any,
        *,
        initial: Any = None,
        times: Sequence[float] | None = None,
        seed: int = 0,
        report: Say = lambda text, fraction: None,
    ) -> Solution:
        """Return the steady state, or the states at the given times; see `DirectEngine`.

        `initial` is a label or a matrix, as `initial_correlation` takes it. The averages are exact, so that `seed` is
        not used.
        """
        form = quadratic(problem)
        if times is None:
            return self._steady(form, problem.spaces, report)
        start = initial_correlation(initial, form, problem.spaces)
        return self._evolution(form, start, problem.spaces, times, report)

    def _steady(self, form: Quadratic, spaces: Sequence[LocalSpace], report: Say) -> Solution:
        report("steady state", 0.0)
        # diffusion over n sites magnifies what the densities lack by n^2
        found = steady_correlation(form, 1e-4 * self.tolerance, lambda k: report(f"iteration {k}", 1 - 0.8**k))
        view = GaussianView(found.correlation, spaces, gaussian=not form.dephasing.any())
        figures = {"covariance_residual": found.residual, "iterations": float(found.iterations)}
        exact = found.residual < RESIDUAL
        return Solution([(math.inf, view)], figures, "exact" if exact else "not exact: X is close to defective")

    def _evolution(
        self, form: Quadratic, start: Matrix, spaces: Sequence[LocalSpace], times: Sequence[float], report: Say
    ) -> Solution:
        figures: dict[str, float] = {}
        noisy, last = form.noisy, times[-1] or 1.0

        def clock(now: float) -> None:
            report(f"time {now:.4g}", math.log1p(now) / math.log1p(last))

        def views() -> Iterator[tuple[float, GaussianView]]:
            if not noisy:
                for time, correlation in evolve_undephased(form, start, times):
                    clock(time)
                    yield time, self._view(form, start, correlation, spaces, figures)
            elif len(noisy) == 1 and form.conserving:
                yield from self._one_noisy_site(form, start, spaces, times, clock, figures)
            else:
                for time, correlation in evolve_dephased(form, start, times, 0.01 * self.tolerance, clock):
                    yield time, self._view(form, start, correlation, spaces, figures)

        def outcome() -> str:
            return "complete" if figures.get("number_drift", 0.0) < DRIFT else "the particle number drifts"

        return Solution(views(), figures, outcome)

    def _one_noisy_site(
        self,
        form: Quadratic,
        start: Matrix,
        spaces: Sequence[LocalSpace],
        times: Sequence[float],
        clock: Callable[[float], None],
        figures: dict[str, float],
    ) -> Iterator[tuple[float, GaussianView]]:
        site = form.noisy[0]
        particle = np.zeros((form.n, form.n), complex)
        particle[site, site] = 1.0
        system = Renewal(form.hamiltonian, site, float(form.dephasing[site]), self.tolerance)
        figures["eigenvector_condition"] = system.condition
        for time, (correlation, spread) in system.evolve(np.array([start, particle]), times, clock):
            figures["step_error"], figures["steps"] = system.worst, float(system.steps)
            excitation = site, np.real(np.diag(spread))
            yield time, self._view(form, start, correlation, spaces, figures, excitation)

    def _view(
        self,
        form: Quadratic,
        start: Matrix,
        correlation: Matrix,
        spaces: Sequence[LocalSpace],
        figures: dict[str, float],
        excitation: Any = None,
    ) -> GaussianView:
        if not np.isfinite(correlation).all():
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the correlation matrix")
        if form.conserving:
            drift = abs(float(np.trace(correlation - start).real)) / form.n
            figures["number_drift"] = max(figures.get("number_drift", 0.0), drift)
        return GaussianView(correlation, spaces, not form.dephasing.any(), excitation)
