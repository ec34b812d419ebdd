"""Free fermions by their correlation matrices: quadratic Lindbladians of a thousand sites, exactly.

The engine recognises a quadratic problem from its terms (`tnness.engines.fermions.quadratic`). It refuses any other
problem and names the term that is not quadratic. The method of evolution depends on the dephasing: on no site, on a
few sites, or on many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Ask, Start
from tnness.engines.circuits.run import CircuitRun, circuit_rule
from tnness.engines.circuits.states import GaussianState
from tnness.engines.fermions.correlations import Dephased, Undephased, steady_correlation
from tnness.engines.fermions.quadratic import Quadratic, quadratic
from tnness.engines.fermions.renewal import Renewal, RenewalCourse
from tnness.engines.fermions.states import initial_correlation
from tnness.engines.fermions.view import GaussianView
from tnness.engines.limits import need_of_correlations
from tnness.engines.protocol import Engine, Report, Run
from tnness.engines.registry import register_engine
from tnness.errors import InputError, NumericalError
from tnness.operators.basis import LocalSpace
from tnness.problems.circuit import Circuit
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.need import Need
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.protocol import Rule

Matrix = NDArray[Any]

RESIDUAL = 1e-7
"""|dG/dt| relative to |X| |G| above which a steady state is not called exact."""
NUMBER_DRIFT = 1e-5
"""Change of the particle number, relative to n, above which an evolution is not called complete."""


@register_engine("gaussian")
@dataclass(frozen=True, kw_only=True)
class Gaussian(Engine):
    """Settings of the engine.

    Parameters
    ----------
    tolerance: error of densities (default 1e-8): of the noisy sites on a time step (dephasing on up to 24 sites, and
        half of all), in the Runge-Kutta steps (dephasing on more), and of a steady state. Without dephasing the engine
        makes no approximation.
    """

    tolerance: float = 1e-8  # error of densities on a time step, and of a steady state

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1e-12 <= self.tolerance <= 1e-2:
            raise InputError(f"tolerance = {self.tolerance!r}: a number from 1e-12 to 1e-2 is needed")

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the correlation matrices need."""
        return need_of_correlations(problem)

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run that starts from an initial state that `initial_correlation` accepts.

        Averages over noise are computed directly, so they need no seed.
        """
        if isinstance(problem, Circuit):
            return CircuitRun.begin(problem, GaussianState, start)
        form = quadratic(problem)
        if start.steady:
            return SteadyRun(form, problem.spaces, self.tolerance, start)
        initial = initial_correlation(start.initial, form, problem.spaces)
        return EvolvingRun(form, problem.spaces, initial, self._course(problem, form, initial))

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        if isinstance(problem, Circuit):
            return CircuitRun.resume(problem, GaussianState, start, snapshot)
        form = quadratic(problem)
        if start.steady:
            return SteadyRun.restore(form, problem.spaces, self.tolerance, start, snapshot)
        saved_course = Snapshot(
            {k.removeprefix("course_"): v for k, v in snapshot.arrays.items() if k.startswith("course_")},
            snapshot.numbers,
        )
        course = self._course(problem, form, snapshot.arrays["initial"], saved_course)
        drift = float(snapshot.numbers["number_drift"])
        return EvolvingRun(form, problem.spaces, snapshot.arrays["initial"], course, drift)

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a stopping rule that takes outcome and figures from the run itself."""
        return circuit_rule(run, start) if isinstance(run, CircuitRun) else Told(run.verdict, run.figures)

    def _course(
        self, problem: Lindbladian, form: Quadratic, initial: Matrix, saved: Snapshot | None = None
    ) -> CorrelationCourse:
        """Return the method that evolves the correlation matrix; it depends on the modes with dephasing."""
        if not form.noisy:
            return UndephasedCourse(form, initial, 0.0 if saved is None else float(saved.numbers["time"]))
        if form.few_noisy and form.conserving and form.n == problem.n:
            return NoisySitesCourse(form, initial, self.tolerance, saved)
        return DephasedCourse(form, initial, 0.01 * self.tolerance, saved)


@dataclass
class SteadyRun:
    """A run to the steady state: its single step solves the covariance equation."""

    form: Quadratic
    spaces: Sequence[LocalSpace]
    tolerance: float
    start: Start
    time: float = 0.0
    correlation: Matrix = field(default_factory=lambda: np.zeros((0, 0)))
    residual: float = math.nan
    iterations: int = 0

    def step(self, until: float | None = None) -> Report:
        """Solve for the steady state."""
        report = self.start.report
        report("steady state", 0.0)
        # diffusion over n sites magnifies an error of the densities by n^2
        steady = steady_correlation(self.form, 1e-4 * self.tolerance, lambda k: report(f"iteration {k}", 1 - 0.8**k))
        self.correlation, self.residual, self.iterations = steady.correlation, steady.residual, steady.iterations
        self.time = math.inf
        return Report(self.time, finished=True)

    def view(self) -> GaussianView:
        """Return a view of the steady state; before the step, a view of the maximally mixed state."""
        correlation = self.correlation if len(self.correlation) else np.eye(self.form.n, dtype=complex) / 2
        return GaussianView(correlation, self.spaces, gaussian=not self.form.dephasing.any())

    def figures(self) -> dict[str, float]:
        """Return |dG/dt| relative to |X| |G|, and the number of iterations."""
        return {"covariance_residual": self.residual, "iterations": float(self.iterations)}

    def verdict(self) -> str:
        """Return whether the equation is solved."""
        return "exact" if self.residual < RESIDUAL else "not exact: X is close to defective"

    def save(self) -> Snapshot:
        """Return the correlation matrix."""
        numbers = {"time": self.time, "residual": self.residual, "iterations": self.iterations}
        return Snapshot({"correlation": self.correlation}, numbers)

    @classmethod
    def restore(
        cls, form: Quadratic, spaces: Sequence[LocalSpace], tolerance: float, start: Start, snapshot: Snapshot
    ) -> SteadyRun:
        """Return the run that was saved."""
        time, residual = (float(snapshot.numbers[name]) for name in ("time", "residual"))
        iterations = int(snapshot.numbers["iterations"])
        correlation = snapshot.arrays["correlation"]
        return cls(form, spaces, tolerance, start, time, correlation, residual, iterations)


class CorrelationCourse(Protocol):
    """A method that evolves a correlation matrix in time."""

    @property
    def time(self) -> float:
        """The time reached."""
        ...

    def advance(self, until: float) -> None:
        """Take one step towards a time, and not beyond it."""
        ...

    def correlation(self) -> Matrix:
        """Return G at the present time: (n, n)."""
        ...

    def excitation(self) -> dict[int, Any] | None:
        """Return the densities of a particle by the site on which it started; None if no particle is followed."""
        ...

    def figures(self) -> dict[str, float]:
        """Return its figures for the certificate."""
        ...

    def save(self) -> Snapshot:
        """Return everything needed to go on."""
        ...


@dataclass
class EvolvingRun:
    """The evolution of a correlation matrix.

    initial: G at time 0. course: the method that evolves G. drift: largest change of the particle number so far,
    relative to n.
    """

    form: Quadratic
    spaces: Sequence[LocalSpace]
    initial: Matrix
    course: CorrelationCourse
    drift: float = 0.0

    @property
    def time(self) -> float:
        """The run's clock."""
        return self.course.time

    def step(self, until: float | None = None) -> Report:
        """Take one step towards a time."""
        assert until is not None
        if until < self.time:
            raise InputError(f"a run at time {self.time:g} cannot go back to {until:g}")
        self.course.advance(until)
        return Report(self.time, text=f"time {self.time:.4g}")

    def view(self) -> GaussianView:
        """Return a view of the present state."""
        correlation = self.course.correlation()
        if not np.isfinite(correlation).all():
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the correlation matrix")
        if self.form.conserving:
            drift = abs(float(np.trace(correlation - self.initial).real)) / self.form.n
            self.drift = max(self.drift, drift)
        return GaussianView(correlation, self.spaces, not self.form.dephasing.any(), self.course.excitation())

    def figures(self) -> dict[str, float]:
        """Return the change of the particle number and the figures of the course."""
        return ({"number_drift": self.drift} if self.form.conserving else {}) | self.course.figures()

    def verdict(self) -> str:
        """Return `complete` if the particle number is conserved, else that it drifts."""
        return "complete" if self.drift < NUMBER_DRIFT else "the particle number drifts"

    def save(self) -> Snapshot:
        """Return the initial state and the state of the course."""
        course = self.course.save()
        arrays = {"initial": self.initial} | {f"course_{name}": array for name, array in course.arrays.items()}
        return Snapshot(arrays, course.numbers | {"number_drift": self.drift, "time": self.time})


class UndephasedCourse:
    """The evolution without dephasing: it reaches any time in one step."""

    def __init__(self, form: Quadratic, initial: Matrix, time: float) -> None:
        self.exact, self.time = Undephased(form, initial), time

    def advance(self, until: float) -> None:
        """Go to a time."""
        self.time = until

    def correlation(self) -> Matrix:
        """Return G at the present time."""
        return self.exact.at(self.time)

    def excitation(self) -> None:
        """Return None: no particle is followed."""

    def figures(self) -> dict[str, float]:
        """Return nothing: the answer is exact."""
        return {}

    def save(self) -> Snapshot:
        """Return the time: the state follows from the initial one."""
        return Snapshot({}, {"time": self.time})


class DephasedCourse:
    """The evolution with dephasing on several sites, by Runge-Kutta steps."""

    def __init__(self, form: Quadratic, initial: Matrix, tolerance: float, saved: Snapshot | None) -> None:
        self.steps = Dephased(form, initial, tolerance) if saved is None else Dephased.restore(form, tolerance, saved)

    @property
    def time(self) -> float:
        """The time reached."""
        return self.steps.time

    def advance(self, until: float) -> None:
        """Take one Runge-Kutta step."""
        self.steps.advance(until)

    def correlation(self) -> Matrix:
        """Return G at the present time."""
        return self.steps.correlation

    def excitation(self) -> None:
        """Return None: no particle is followed."""

    def figures(self) -> dict[str, float]:
        """Return nothing: errors are controlled step by step."""
        return {}

    def save(self) -> Snapshot:
        """Return G and the length of the next step."""
        return self.steps.save()


class NoisySitesCourse:
    """The evolution with noise on a few sites.

    It solves the renewal equation for the state, and for one particle that starts on a noisy site, on each in turn.
    """

    def __init__(self, form: Quadratic, initial: Matrix, tolerance: float, saved: Snapshot | None) -> None:
        self.sites = form.noisy
        self.system = Renewal(form.hamiltonian, self.sites, form.dephasing[self.sites].tolist(), tolerance)
        if saved is not None:
            self.course = RenewalCourse.restore(self.system, saved)
        else:
            particles = np.zeros((len(self.sites), form.n, form.n), complex)
            particles[range(len(self.sites)), self.sites, self.sites] = 1.0
            self.course = RenewalCourse.begin(self.system, np.concatenate([initial[None], particles]))
        self._read: tuple[float, Matrix] | None = None

    @property
    def time(self) -> float:
        """The time reached."""
        return self.course.time

    def advance(self, until: float) -> None:
        """Take one step, or go to `until` if that time lies within the next step."""
        self.course.advance(until)

    def correlation(self) -> Matrix:
        """Return G at the present time."""
        return self._correlations()[0]

    def excitation(self) -> dict[int, Any]:
        """Return the densities of a particle by the noisy site on which it started."""
        densities = np.real(np.einsum("kii->ki", self._correlations()[1:]))
        return dict(zip(self.sites, densities, strict=True))

    def _correlations(self) -> Matrix:
        if self._read is None or self._read[0] != self.time:
            self._read = self.time, self.course.correlations()
        return self._read[1]

    def figures(self) -> dict[str, float]:
        """Return the condition of the eigenvectors, the worst error of a step, and the number of steps."""
        system = self.system
        return {
            "eigenvector_condition": system.condition,
            "step_error": system.worst,
            "steps": float(system.steps),
        }

    def save(self) -> Snapshot:
        """Return everything needed to go on."""
        return self.course.save()
