"""The closed equation of correlation matrices: its steady state, and its evolution.

dG/dt = X G + G X^+ + diag(gain + dephasing * diag G). Without dephasing it is a Lyapunov equation, solved in the
eigenbasis of X. Dephasing adds the densities as unknowns: n = diag Lyap(gain + dephasing * n), n equations, solved by
GMRES with the classical rate equation as its preconditioner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.integrate as integrate
import scipy.linalg as linalg
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import Quadratic
from tnness.errors import NumericalError

Matrix = NDArray[Any]
Vector = NDArray[np.float64]

DEGENERACY = 1e-13
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

    def lyapunov(self, source: Vector) -> Matrix:
        """Return M with X G + G X^+ + diag(source) = 0 for G = V M V^+."""
        return -((self.inverse * source) @ self.inverse.conj().T) / self.rates

    def densities(self, source: Vector) -> Vector:
        """Return the diagonal of that G."""
        half = self.vectors @ self.lyapunov(source)
        return np.einsum("ia,ia->i", half, self.vectors.conj()).real


@dataclass(frozen=True)
class Steady:
    """A steady state: G, |dG/dt| relative to |X| |G|, and the matrix-free iterations it took."""

    correlation: Matrix
    residual: float
    iterations: int


def steady_correlation(form: Quadratic, tolerance: float, report: Callable[[int], None] = lambda n: None) -> Steady:
    """Return the steady state.

    Raises
    ------
    NumericalError: it is not unique (a particle number is conserved), or the iteration did not converge.
    """
    if form.conserving:
        raise NumericalError(
            "the steady state is not unique: no jump adds or removes a particle; give times, or another model"
        )
    basis = DriftBasis(form)
    if basis.values.real.max() > -DEGENERACY * np.abs(basis.values).max() and not form.dephasing.any():
        raise NumericalError("the steady state is not unique: an orbital is coupled to neither loss nor gain")
    source, count = form.gain.copy(), 0
    if form.dephasing.any():
        densities, count = _dephased(form, basis, tolerance, report)
        source = source + form.dephasing * densities
    correlation = basis.out(basis.lyapunov(source))
    correlation = (correlation + correlation.conj().T) / 2
    scale = float(np.linalg.norm(form.drift(), 2) * np.linalg.norm(correlation))
    return Steady(correlation, float(np.linalg.norm(form.derivative(correlation))) / scale, count)


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

    hops = classical_rates(form)
    leak = np.diag(form.loss + form.gain) - hops
    solve = linalg.lu_factor(leak)
    shifted = leak + np.diag(form.dephasing)
    size = (form.n, form.n)
    found, failed = sparse_linalg.gmres(
        sparse_linalg.LinearOperator(size, matvec=missing, dtype=float),
        basis.densities(form.gain),
        rtol=tolerance,
        restart=min(KRYLOV, form.n),
        maxiter=10,
        M=sparse_linalg.LinearOperator(size, matvec=lambda v: linalg.lu_solve(solve, shifted @ v), dtype=float),
    )
    if failed:
        raise NumericalError(f"the densities did not converge to {tolerance:.0e} in {count} iterations")
    return found, count


def classical_rates(form: Quadratic) -> Vector:
    """Return W of the rate equation dn/dt = W n that strong dephasing leaves of the hopping: columns add to 0.

    W_ij = 2 |h_ij|^2 k / (k^2 + (h_ii - h_jj)^2), k the decay rate of G_ij.
    """
    decay = form.loss + form.gain + form.dephasing
    k = np.maximum(np.add.outer(decay, decay) / 2, 1e-3 * np.abs(form.hamiltonian).max())
    fields = np.real(np.diag(form.hamiltonian))
    rates = 2 * np.abs(form.hamiltonian) ** 2 * k / (k**2 + np.subtract.outer(fields, fields) ** 2)
    np.fill_diagonal(rates, 0.0)
    return rates - np.diag(rates.sum(axis=0))


def evolve_undephased(form: Quadratic, initial: Matrix, times: Sequence[float]) -> Iterator[tuple[float, Matrix]]:
    """Yield (time, G) without dephasing, exactly at any time."""
    basis = DriftBasis(form)
    start, source = basis.into(initial), basis.into(np.diag(form.gain).astype(complex))
    for time in times:
        phases = basis.rates * time
        safe = np.where(np.abs(phases) > 1e-8, phases, 1.0)
        gained = np.where(np.abs(phases) > 1e-8, np.expm1(phases) / safe, 1 + phases / 2) * time
        correlation = basis.out(np.exp(phases) * start + gained * source)
        yield time, (correlation + correlation.conj().T) / 2


def evolve_dephased(
    form: Quadratic,
    initial: Matrix,
    times: Sequence[float],
    tolerance: float,
    report: Callable[[float], None] = lambda time: None,
) -> Iterator[tuple[float, Matrix]]:
    """Yield (time, G) with any dephasing, by a Runge-Kutta method of order 8 with error control."""
    drift = sparse.csr_array(form.drift())
    sites = np.arange(form.n)

    def derivative(time: float, flat: Matrix) -> Matrix:
        correlation = flat.reshape(form.n, form.n)
        half = drift @ correlation
        change = half + half.conj().T
        change[sites, sites] += form.gain + form.dephasing * np.real(correlation[sites, sites])
        return change.ravel()

    now, flat = 0.0, initial.astype(complex).ravel()
    for time in times:
        if time > now:
            solver = integrate.DOP853(derivative, now, flat, time, rtol=max(tolerance, 3e-14), atol=tolerance / 10)
            while solver.status == "running":
                solver.step()
                report(solver.t)
            if solver.status == "failed":
                raise NumericalError(f"the integration of the correlation matrix failed at time {solver.t:g}")
            now, flat = time, solver.y
        yield time, flat.reshape(form.n, form.n)
