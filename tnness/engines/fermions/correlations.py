"""The closed equation of correlation matrices: its steady state, and its evolution.

dG/dt = X G + G X^+ + gain + dephasing * diag G + shared * G. Without dephasing it is a Lyapunov equation, solved in the
eigenbasis of X. With dephasing the densities are unknown too: they obey n = diag Lyap(gain + dephasing * n), which
GMRES solves with the classical rate equation as its preconditioner. Where jumps dephase several modes together, their
coherences are unknown as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg as linalg
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import Quadratic
from tnness.errors import NumericalError
from tnness.records.snapshot import Snapshot

if TYPE_CHECKING:
    from scipy.integrate import DOP853

Matrix = NDArray[Any]
Vector = NDArray[np.float64]

UNDAMPED = 1e-13
"""A decay rate below this, relative to |X|, means that the steady state is not unique."""
KRYLOV = 60
"""Krylov vectors between restarts."""


class DriftBasis:
    """X = V diag(a) V^-1, and the Lyapunov equation in this basis."""

    def __init__(self, form: Quadratic) -> None:
        self.form = form
        self.values, self.vectors = linalg.eig(form.drift(), check_finite=False)
        self.inverse = np.linalg.inv(self.vectors)
        self.rates = np.add.outer(self.values, self.values.conj())

    def into(self, matrix: Matrix) -> Matrix:
        """Return V^-1 M V^-+."""
        return self.inverse @ matrix @ self.inverse.conj().T

    def out(self, matrix: Matrix) -> Matrix:
        """Return V M V^+."""
        return self.vectors @ matrix @ self.vectors.conj().T

    def lyapunov(self, source: Matrix) -> Matrix:
        """Return M with X G + G X^+ + source = 0 for G = V M V^+; of a vector the diagonal matrix is meant."""
        half = self.inverse * source if source.ndim == 1 else self.inverse @ source
        return -(half @ self.inverse.conj().T) / self.rates

    def densities(self, source: Matrix) -> Vector:
        """Return the densities, the diagonal of the G that `lyapunov` solves for."""
        half = self.vectors @ self.lyapunov(source)
        return np.einsum("ia,ia->i", half, self.vectors.conj()).real


@dataclass(frozen=True)
class SteadyCorrelation:
    """A steady state: G, |dG/dt| relative to |X| |G|, and the number of matrix-free iterations."""

    correlation: Matrix
    residual: float
    iterations: int


def steady_correlation(
    form: Quadratic, tolerance: float, report: Callable[[int], None] = lambda n: None
) -> SteadyCorrelation:
    """Return the steady state.

    Raises
    ------
    NumericalError: the steady state is not unique (a particle number is conserved), or the iteration did not converge.
    """
    if form.conserving:
        raise NumericalError(
            "the steady state is not unique: no jump adds or removes a particle; give times, or another model"
        )
    basis = DriftBasis(form)
    if basis.values.real.max() > -UNDAMPED * np.abs(basis.values).max() and not form.dephasing.any():
        raise NumericalError("the steady state is not unique: an orbital is coupled to neither loss nor gain")
    source, count = form.gain, 0
    if form.shared is not None:
        returned, count = _shared(form, basis, tolerance, report)
        source = source + returned
    elif form.dephasing.any():
        densities, count = _dephased(form, basis, tolerance, report)
        source = source + np.diag(form.dephasing * densities)
    correlation = basis.out(basis.lyapunov(source))
    correlation = (correlation + correlation.conj().T) / 2
    scale = float(np.linalg.norm(form.drift(), 2) * np.linalg.norm(correlation))
    return SteadyCorrelation(correlation, float(np.linalg.norm(form.derivative(correlation))) / scale, count)


def _dephased(
    form: Quadratic, basis: DriftBasis, tolerance: float, report: Callable[[int], None]
) -> tuple[Vector, int]:
    """Solve n - diag Lyap(dephasing * n) = diag Lyap(gain)."""
    count = 0

    def missing(densities: Vector) -> Vector:
        nonlocal count
        count += 1
        report(count)
        return densities - basis.densities(form.dephasing * densities)

    size, precondition = (form.n, form.n), _by_rates(form)
    densities, failed = sparse_linalg.gmres(
        sparse_linalg.LinearOperator(size, matvec=missing, dtype=float),
        basis.densities(form.gain),
        rtol=tolerance,
        restart=min(KRYLOV, form.n),
        maxiter=10,
        M=sparse_linalg.LinearOperator(size, matvec=precondition, dtype=float),
    )
    if failed:
        raise NumericalError(f"the densities did not converge to {tolerance:.0e} in {count} iterations")
    return densities, count


def _by_rates(form: Quadratic) -> Callable[[Vector], Vector]:
    """Return the inverse of n - diag Lyap(dephasing * n) if particles hop by the classical rates."""
    leak = np.diag(np.real(np.diag(form.loss + form.gain))) - classical_rates(form)
    solve, shifted = linalg.lu_factor(leak), leak + np.diag(form.dephasing)
    return lambda densities: linalg.lu_solve(solve, shifted @ densities)


def _shared(form: Quadratic, basis: DriftBasis, tolerance: float, report: Callable[[int], None]) -> tuple[Matrix, int]:
    """Return S = dephasing * diag G + shared * G, from S / weights = Lyap(gain + S) where the weights are not 0."""
    assert form.shared is not None
    weights = form.shared + np.diag(form.dephasing)
    rows, columns = np.nonzero(weights)
    diagonal, count = np.flatnonzero(rows == columns), 0
    noisy, precondition = rows[diagonal], _by_rates(form)

    def spread(entries: Matrix) -> Matrix:
        matrix = np.zeros((form.n, form.n), complex)
        matrix[rows, columns] = weights[rows, columns] * entries
        return matrix

    def missing(entries: Matrix) -> Matrix:
        nonlocal count
        count += 1
        report(count)
        return entries - basis.out(basis.lyapunov(spread(entries)))[rows, columns]

    def guessed(entries: Matrix) -> Matrix:
        densities = np.zeros(form.n, complex)
        densities[noisy] = entries[diagonal]
        result = entries.copy()
        result[diagonal] = precondition(densities)[noisy]
        return result

    size = (len(rows), len(rows))
    system: Any = sparse_linalg.LinearOperator(size, matvec=missing, dtype=complex)  # scipy's types know real ones only
    nearly: Any = sparse_linalg.LinearOperator(size, matvec=guessed, dtype=complex)
    entries, failed = sparse_linalg.gmres(
        system,
        basis.out(basis.lyapunov(form.gain))[rows, columns],
        rtol=tolerance,
        restart=min(KRYLOV, len(rows)),
        maxiter=10,
        M=nearly,
    )
    if failed:
        raise NumericalError(f"the dephased correlations did not converge to {tolerance:.0e} in {count} iterations")
    return spread(entries), count


def classical_rates(form: Quadratic) -> Vector:
    """Return W of dn/dt = W n, the rate equation to which strong dephasing reduces hopping: columns add to 0.

    W_ij = 2 |h_ij|^2 k / (k^2 + (h_ii - h_jj)^2), k the decay rate of G_ij.
    """
    decay = form.decay
    k = np.maximum(np.add.outer(decay, decay) / 2, 1e-3 * np.abs(form.hamiltonian).max())
    fields = np.real(np.diag(form.hamiltonian))
    rates = 2 * np.abs(form.hamiltonian) ** 2 * k / (k**2 + np.subtract.outer(fields, fields) ** 2)
    np.fill_diagonal(rates, 0.0)
    return rates - np.diag(rates.sum(axis=0))


class Undephased:
    """The evolution of a correlation matrix without dephasing, exact at any time.

    Parameters
    ----------
    form: the problem. initial: G at time 0.
    """

    def __init__(self, form: Quadratic, initial: Matrix) -> None:
        self.basis, self.initial = DriftBasis(form), initial
        self._start = self.basis.into(initial)
        self._source = self.basis.into(form.gain.astype(complex))

    def at(self, time: float) -> Matrix:
        """Return G at a time."""
        phases = self.basis.rates * time
        safe = np.where(np.abs(phases) > 1e-8, phases, 1.0)
        gained = np.where(np.abs(phases) > 1e-8, np.expm1(phases) / safe, 1 + phases / 2) * time
        correlation = self.basis.out(np.exp(phases) * self._start + gained * self._source)
        return (correlation + correlation.conj().T) / 2


class Dephased:
    """The evolution of a correlation matrix with any dephasing, by a Runge-Kutta method of order 8 with error control.

    Parameters
    ----------
    form: the problem. correlation: G at `time`. tolerance: relative error of each
        step; the absolute one is a tenth of it.
    """

    def __init__(self, form: Quadratic, correlation: Matrix, tolerance: float, time: float = 0.0) -> None:
        self.form, self.tolerance, self.time = form, tolerance, time
        self._flat = correlation.astype(complex).ravel()
        self._drift, self._gain = sparse.csr_array(form.drift()), sparse.csr_array(form.gain)
        self._shared = None if form.shared is None else sparse.csr_array(form.shared)
        self._solver: DOP853 | None = None

    @property
    def correlation(self) -> Matrix:
        """G at the present time."""
        return self._flat.reshape(self.form.n, self.form.n)

    def advance(self, until: float) -> None:
        """Take one step towards a time, and not beyond it."""
        if self._solver is None or self._solver.t_bound != until:
            self._solver = self._towards(until)
        self._solver.step()
        if self._solver.status == "failed":
            raise NumericalError(f"the integration of the correlation matrix failed at time {self._solver.t:g}")
        self.time, self._flat = float(self._solver.t), self._solver.y
        if self._solver.status == "finished":
            self.time, self._solver = until, None

    def _towards(self, until: float) -> DOP853:
        from scipy.integrate import DOP853  # loads scipy.optimize: a tenth of a second, and few runs need it

        relative, absolute = max(self.tolerance, 3e-14), self.tolerance / 10
        return DOP853(self._derivative, self.time, self._flat, until, rtol=relative, atol=absolute)

    def _derivative(self, time: float, flat: Matrix) -> Matrix:
        n, correlation = self.form.n, flat.reshape(self.form.n, self.form.n)
        half = self._drift @ correlation
        change = half + half.conj().T
        change.reshape(-1)[:: n + 1] += self.form.dephasing * np.real(np.diag(correlation))
        change = np.asarray(change + self._gain)
        if self._shared is not None:
            change = change + self._shared.multiply(correlation)
        return np.asarray(change).ravel()

    def save(self) -> Snapshot:
        """Return G and its time; on the way to a time, also that time and the length of the next step."""
        numbers = {"time": self.time}
        if self._solver is not None:
            numbers |= {"towards": float(self._solver.t_bound), "step_length": float(self._solver.h_abs)}
        return Snapshot({"correlation": self.correlation.copy()}, numbers)

    @classmethod
    def restore(cls, form: Quadratic, tolerance: float, snapshot: Snapshot) -> Dephased:
        """Return the evolution that was saved."""
        numbers = snapshot.numbers
        course = cls(form, snapshot.arrays["correlation"], tolerance, float(numbers["time"]))
        if "towards" in numbers:
            course._solver = course._towards(float(numbers["towards"]))
            course._solver.h_abs = float(numbers["step_length"])
        return course
