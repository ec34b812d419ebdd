r"""The averaged correlation matrix of free fermions with a few noisy sites, to any time.

dG/dt = X G + G X^+ + sum_c gamma_c n_c(t) |c><c|, X = i h^T - sum_c gamma_c |c><c| / 2: the last term depends on G
through one number of each noisy site, n_c = G_cc. In the eigenbasis of X, G = V Z V^+ and x = a + a^*:

    Z(t) = e^{x t} Z(0) + sum_c gamma_c u_c int_0^t e^{x (t - s)} n_c(s) ds,   n_c = v_c . Z:

a renewal equation for the n_c. The exponentials are exact at every frequency: coherences that oscillate undamped for
1e8 periods cost nothing. Only the n_c are approximated: on each time step they are polynomials, determined by a
Galerkin projection on polynomials. The projection averages oscillations that are too fast for the step; they are not
aliased. The residual in the next few degrees is the error estimate. Steps double while it stays below the tolerance.

The real parts of a come from Re a = -sum_c gamma_c |V_ca|^2 / (2 |V_a|^2). States far from the noise decay at rates of
1e-20; an eigensolver loses these beside eigenvalues of size 1, the formula does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from tnness.records.snapshot import Snapshot

Matrix = NDArray[Any]
Vector = NDArray[Any]

DEGREES = 16
"""Legendre polynomials that represent n_c on a step."""
EXTRA = 4
"""Further degrees, whose residual is the error estimate."""
NODES = 48
"""Gauss nodes. They integrate polynomials exactly, and exp(x y) times these to round-off up to |x| = SMALL_EXPONENT."""
SMALL_EXPONENT = 20.0
"""|x| up to which moments are integrated numerically; beyond it their recurrence is stable."""
FIRST_STEP = 8.0
"""First trial step: |x| <= FIRST_STEP / 2."""
PAIRS = 1 << 15
"""Pairs of eigenstates handled at a time, to bound memory; fewer with several noisy sites."""

_NORMS = 2 / (2 * np.arange(DEGREES + EXTRA) + 1)
_SIGNS = (-1.0) ** np.arange(DEGREES)


class Renewal:
    """Free fermions with noisy sites.

    Parameters
    ----------
    hamiltonian: h (n, n), Hermitian. sites: the noisy one, or several. gamma: strength of the noise, or of each site's.
    tolerance: error of n_c on a step (default 1e-8). The error of G is smaller, by Galerkin averaging: see the tests.
    """

    def __init__(
        self, hamiltonian: Matrix, sites: int | Sequence[int], gamma: float | Sequence[float], tolerance: float = 1e-8
    ) -> None:
        chosen = np.atleast_1d(np.asarray(sites, int))
        strengths = np.broadcast_to(np.asarray(gamma, float), chosen.shape)
        drift = 1j * hamiltonian.T.astype(complex)
        drift[chosen, chosen] -= strengths / 2
        values, self.vectors = np.linalg.eig(drift)
        self.inverse = np.linalg.inv(self.vectors)
        weights = strengths @ np.abs(self.vectors[chosen]) ** 2 / np.sum(np.abs(self.vectors) ** 2, axis=0)
        values = 1j * np.imag(values) - weights / 2
        self.count, self.tolerance = len(chosen), tolerance
        self._rows, self._columns = np.triu_indices(len(values))  # Z is Hermitian: pairs a <= b are enough
        multiple = np.where(self._rows == self._columns, 1.0, 2.0)
        self.rates = self.pairs(np.add.outer(values, values.conj()))
        into = [self.pairs(np.outer(self.inverse[:, c], self.inverse[:, c].conj())) for c in chosen]
        self.into = strengths[:, None] * np.array(into)  # gamma_c u_c: (sites, pairs)
        read = [self.pairs(np.outer(self.vectors[c], self.vectors[c].conj())) for c in chosen]
        self.read = multiple * np.array(read)  # v_c: (sites, pairs)
        self.worst = 0.0
        self.steps = 0

    @property
    def condition(self) -> float:
        """Condition number of the eigenvectors."""
        return float(np.linalg.cond(self.vectors))

    def evolve(
        self, correlations: Matrix, times: Sequence[float], report: Callable[[float], None] = lambda time: None
    ) -> Iterator[tuple[float, Matrix]]:
        """Yield (time, G) at increasing times, for several initial states at once.

        Parameters
        ----------
        correlations: G(0) of each state, Hermitian: (k, n, n). times: increasing, >= 0.
        report: called with the time after each step.
        """
        course = RenewalCourse.begin(self, correlations)
        for time in times:
            while course.time < time:
                course.advance(time)
                report(course.time)
            yield time, course.correlations()

    def first_step(self, states: Matrix) -> Step:
        """Return a first step, halved until its error is below the tolerance."""
        step = Step(self, FIRST_STEP / max(float(np.abs(self.rates).max()), 1e-12))
        while step.solve(states)[1] > self.tolerance and step.length > 8 * self.shortest:
            step = Step(self, step.length / 2)
        return step

    @property
    def shortest(self) -> float:
        """The length at which a step is no longer halved."""
        return FIRST_STEP / max(float(np.abs(self.rates).max()), 1e-12) / 1024

    def pairs(self, matrix: Matrix) -> Matrix:
        """Return the elements of a Hermitian matrix on and above its diagonal: (pairs,)."""
        return matrix[self._rows, self._columns]

    def matrices(self, states: Matrix) -> Matrix:
        """Return G, (k, n, n), of states given in the eigenbasis, (k, pairs)."""
        correlations = np.empty((len(states), *self.vectors.shape), complex)
        for result, state in zip(correlations, states, strict=True):
            matrix = np.empty_like(self.vectors)
            matrix[self._columns, self._rows] = state.conj()
            matrix[self._rows, self._columns] = state
            result[:] = self.vectors @ matrix @ self.vectors.conj().T
        return correlations


@dataclass
class RenewalCourse:
    """The evolution of several states, by steps that double as the dynamics slows down.

    states: the states at the end of the last whole step, (k, pairs). reached: the time of that end. retry: before this
    time no longer step is tried. step: the present step. time: the present time, which lies within the step after
    `reached`.
    """

    system: Renewal
    states: Matrix
    step: Step
    reached: float = 0.0
    retry: float = 0.0
    time: float = 0.0

    @classmethod
    def begin(cls, system: Renewal, correlations: Matrix) -> RenewalCourse:
        """Return the course of initial correlation matrices (k, n, n)."""
        states = np.array([system.pairs(system.inverse @ g @ system.inverse.conj().T) for g in correlations])
        return cls(system, states, system.first_step(states))

    def advance(self, until: float) -> None:
        """Take one step, or none where `until` lies within the next one."""
        while self.reached + self.step.length < until * (1 - 1e-14):
            if self.reached >= self.retry and self.reached >= 2 * self.step.length and self._lengthen():
                continue
            densities, left = self.step.solve(self.states)
            if left > 100 * self.system.tolerance and self.step.length > self.system.shortest:
                self.step = Step(self.system, self.step.length / 2)
                continue
            self.states, self.reached = self.step.advance(self.states, densities), self.reached + self.step.length
            self.time = self.reached
            self.system.worst, self.system.steps = max(self.system.worst, left), self.system.steps + 1
            return
        self.time = until

    def _lengthen(self) -> bool:
        """Double the step if that is accurate, and return whether it was; if not, set the time of the next trial."""
        longer = Step(self.system, 2 * self.step.length)
        if longer.solve(self.states)[1] <= self.system.tolerance:
            self.step = longer
            return True
        self.retry = 1.5 * self.reached + self.step.length
        return False

    def save(self) -> Snapshot:
        """Return the evolution as arrays and numbers."""
        numbers = {"reached": self.reached, "retry": self.retry, "step_length": self.step.length, "time": self.time}
        return Snapshot({"states": self.states}, numbers | {"worst": self.system.worst, "steps": self.system.steps})

    @classmethod
    def restore(cls, system: Renewal, snapshot: Snapshot) -> RenewalCourse:
        """Return the course that was saved."""
        numbers = snapshot.numbers
        system.worst, system.steps = float(numbers["worst"]), int(numbers["steps"])
        step = Step(system, float(numbers["step_length"]))
        places = (float(numbers[name]) for name in ("reached", "retry", "time"))
        return cls(system, snapshot.arrays["states"], step, *places)

    def correlations(self) -> Matrix:
        """Return G of each state at the present time: (k, n, n)."""
        if self.time == self.reached:
            return self.system.matrices(self.states)
        densities, left = self.step.solve(self.states)
        self.system.worst = max(self.system.worst, left)
        return self.system.matrices(self.step.within(self.states, densities, self.time - self.reached))


@dataclass
class Step:
    """One time step of a given length: everything that depends on the length alone."""

    system: Renewal
    length: float

    def __post_init__(self) -> None:
        system, count = self.system, self.system.count
        half = self.length / 2
        self.scaled = system.rates * half
        self.into = half * system.into
        self.moments = np.empty((DEGREES + EXTRA, len(self.scaled)), complex)
        memory = np.zeros((DEGREES + EXTRA, DEGREES, count**2))
        block = max(PAIRS // count**2, 256)
        for start in range(0, len(self.scaled), block):
            part = slice(start, start + block)
            self.moments[:, part] = _moments(self.scaled[part])
            kernels = (system.read[:, None, part] * self.into[None, :, part]).reshape(count**2, -1)
            memory += _memory(self.scaled[part], kernels, self.moments[:, part])
        self._memory = memory.reshape(DEGREES + EXTRA, DEGREES, count, count).transpose(2, 0, 3, 1)  # (d, i, c, j)
        size = count * DEGREES
        within = np.diag(np.tile(_NORMS[:DEGREES], count)) - self._memory[:, :DEGREES].reshape(size, size)
        self._inverse = np.linalg.inv(within)
        self._decay = np.exp(2 * self.scaled)

    def solve(self, states: Matrix) -> tuple[Vector, float]:
        """Return the n_c as Legendre coefficients (k, sites, DEGREES), and the estimate of their absolute error."""
        free = np.real((states[:, None] * self.system.read) @ self.moments.T)  # (k, sites, DEGREES + EXTRA)
        shape = (*free.shape[:2], DEGREES)
        densities = (free[..., :DEGREES].reshape(len(states), -1) @ self._inverse.T).reshape(shape)
        later = np.einsum("dicj,kcj->kdi", self._memory[:, DEGREES:], densities)
        beyond = (free[..., DEGREES:] + later) / _NORMS[DEGREES:]
        return densities, float(np.abs(beyond).max() + np.abs(densities[..., -2:]).max())

    def advance(self, states: Matrix, densities: Vector) -> Matrix:
        """Return the states at the end of the step."""
        gained = (densities * _SIGNS) @ self.moments[:DEGREES]
        return self._decay * states + np.einsum("cp,kcp->kp", self.into, gained)

    def within(self, states: Matrix, densities: Vector, time: float) -> Matrix:
        """Return the states at a time inside the step."""
        position = 2 * time / self.length - 1
        result = np.exp(self.scaled * (position + 1)) * states
        block = max(PAIRS // self.system.count, 256)
        for start in range(0, len(self.scaled), block):
            part = slice(start, start + block)
            gained = _response(self.scaled[part], position, densities.reshape(-1, DEGREES))
            gained = gained.reshape(*densities.shape[:2], -1)
            result[:, part] += np.einsum("cp,kcp->kp", self.into[:, part], gained)
        return result


def _moments(x: Matrix) -> Matrix:
    """int_{-1}^{1} e^{x (y + 1)} P_j(y) dy for all degrees: (DEGREES + EXTRA, pairs)."""
    nodes, weights = _gauss()
    result = np.empty((DEGREES + EXTRA, len(x)), complex)
    small = np.abs(x) <= SMALL_EXPONENT
    polynomials = legendre.legvander(nodes, DEGREES + EXTRA - 1) * weights[:, None]
    result[:, small] = polynomials.T @ np.exp(np.multiply.outer(nodes + 1, x[small]))
    inverse, end = 1 / x[~small], np.exp(2 * x[~small])
    previous = (end - 1) * inverse
    present = (end + 1 - previous) * inverse
    rows = [previous, present]
    for j in range(1, DEGREES + EXTRA - 1):
        rows.append(rows[-2] - (2 * j + 1) * inverse * rows[-1])
    result[:, ~small] = rows
    return result


def _memory(x: Matrix, kernels: Matrix, moments: Matrix) -> Vector:
    """Re sum_x kernel int P_i(y) int_{-1}^y e^{x (y - y')} P_j(y') dy' dy: (DEGREES + EXTRA, DEGREES, kernels)."""
    nodes, weights = _gauss()
    small = np.abs(x) <= SMALL_EXPONENT
    lagged = _real_product(np.exp(np.multiply.outer(nodes + 1, x[small])), kernels[:, small])  # (NODES, kernels)
    result = np.tensordot(_lags(), weights[:, None] * lagged, (0, 0))
    if small.all():
        return result
    inverse, kernels, moments = 1 / x[~small], kernels[:, ~small], moments[:, ~small]
    previous = moments * inverse
    previous[0] -= 2 * inverse
    present = (previous - moments) * inverse
    present[1] -= _NORMS[1] * inverse
    result[:, 0] += _real_product(previous, kernels)
    result[:, 1] += _real_product(present, kernels)
    for j in range(1, DEGREES - 1):
        following = previous + (2 * j + 1) * inverse * present
        following[j + 1] -= _NORMS[j + 1] * inverse
        following[j - 1] += _NORMS[j - 1] * inverse
        result[:, j + 1] += _real_product(following, kernels)
        previous, present = present, following
    return result


def _real_product(factors: Matrix, kernels: Matrix) -> Vector:
    """Re sum_x factors[i, x] kernels[k, x]: (i, k)."""
    return np.real(factors) @ np.real(kernels).T - np.imag(factors) @ np.imag(kernels).T


def _response(x: Matrix, position: float, densities: Vector) -> Matrix:
    """int_{-1}^{y} e^{x (y - y')} n(y') dy' at y = position, n = sum_j densities[:, j] P_j: (densities, pairs)."""
    nodes, weights = _gauss()
    result = np.empty((len(densities), len(x)), complex)
    small, half = np.abs(x) <= SMALL_EXPONENT, (position + 1) / 2
    inside = half * (nodes + 1)  # y - y', from 0 to position + 1
    values = densities @ legendre.legvander(position - inside, DEGREES - 1).T  # (k, NODES)
    result[:, small] = (half * weights * values) @ np.exp(np.multiply.outer(inside, x[small]))
    inverse, end = 1 / x[~small], np.exp(x[~small] * (position + 1))
    polynomials = legendre.legvander(np.array([position]), DEGREES)[0]
    previous = (end - 1) * inverse
    present = (previous - polynomials[1] - end) * inverse
    total = np.multiply.outer(densities[:, 0], previous) + np.multiply.outer(densities[:, 1], present)
    for j in range(1, DEGREES - 1):
        gap = polynomials[j + 1] - polynomials[j - 1]
        previous, present = present, previous + ((2 * j + 1) * present - gap) * inverse
        total += np.multiply.outer(densities[:, j + 1], present)
    result[:, ~small] = total
    return result


@cache
def _gauss() -> tuple[Vector, Vector]:
    return legendre.leggauss(NODES)


@cache
def _lags() -> Vector:
    """int_{s - 1}^{1} P_i(y) P_j(y - s) dy at the lags s = node + 1: (NODES, DEGREES + EXTRA, DEGREES)."""
    nodes, weights = _gauss()
    result = np.empty((NODES, DEGREES + EXTRA, DEGREES))
    for k, lag in enumerate(nodes + 1):
        half = 1 - lag / 2
        y = lag - 1 + half * (nodes + 1)
        left = legendre.legvander(y, DEGREES + EXTRA - 1) * (half * weights)[:, None]
        result[k] = left.T @ legendre.legvander(y - lag, DEGREES - 1)
    return result
