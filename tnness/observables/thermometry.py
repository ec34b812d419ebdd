"""Local temperatures: the thermal state of a Hamiltonian that is closest to a given state.

beta minimises F(beta) = Tr[(rho - rho_th)^2] with rho_th = exp(-beta h)/Z, over both signs of beta. Only the
populations p_k of rho in the eigenbasis of h matter, and

    dF/dbeta = 2 sum_k (p_k - w_k) (e_k - <e>_w) w_k,   w_k = exp(-beta e_k)/Z.

beta is the root of dF/dbeta with the lowest F, found by bracketing. Minimising F itself would leave errors of 1e-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.digest.content import digest
from tnness.errors import InputError
from tnness.observables.views import View
from tnness.typed import typed

Array = NDArray[Any]
Real = NDArray[np.float64]

COLDEST = 500.0
"""Largest |beta| that is tried, in units of 1/(width of the spectrum)."""

GRID = np.sinh(np.linspace(-1, 1, 81) * np.arcsinh(COLDEST))
"""Trial beta, in the same units, between which the sign changes of dF/dbeta are found."""

RESOLUTION = 1e-7
"""Smallest |dw/dbeta|, in the same units, that still determines beta: there the round-off of p shifts beta by 1e-8."""

CONVERGED = 1e-10
"""Newton's method stops after a step this small, relative to 1 + |beta|: the next step is its square."""

VANISHING = 1e-12
"""A mean beta below this, in the same units, is the round-off of beta = 0."""


@typed
def local_temperature(rho: ArrayLike, hamiltonian: ArrayLike) -> Real:
    """Return the inverse temperature beta of each state against its Hamiltonian: shape (...).

    Parameters
    ----------
    rho: density matrices (..., d, d).
    hamiltonian: Hermitian matrices h (..., d, d), whose leading axes broadcast against those of `rho`.

    Returns
    -------
    beta in units of 1/h. It is +inf or -inf if the populations do not determine a minimum of F: F falls all the way to
    the ground (or the highest) state, or it is so flat at low temperatures that round-off decides. It is NaN if every
    beta fits equally (h proportional to 1) or rho is not finite.

    Raises
    ------
    InputError: matrices that are not square and of one size.

    >>> h = np.diag([0.0, 1.0])
    >>> float(np.round(local_temperature(np.diag([0.75, 0.25]), h), 12))  # ln 3
    1.098612288668
    """
    rho, hamiltonian = np.asarray(rho), np.asarray(hamiltonian)
    if rho.ndim < 2 or rho.shape[-2:] != hamiltonian.shape[-2:] or rho.shape[-1] != rho.shape[-2]:
        raise InputError(
            f"a local temperature takes two square matrices of one size, got {rho.shape} and {hamiltonian.shape}"
        )
    energies, vectors = np.linalg.eigh(hamiltonian)
    populations = _populations(rho, vectors)
    energies = np.broadcast_to(energies, populations.shape)
    size = populations.shape[-1]
    return closest_beta(populations.reshape(-1, size), energies.reshape(-1, size)).reshape(populations.shape[:-1])


class BondThermometer:
    """Computes the inverse temperature of every bond of a chain, once for each view.

    Parameters
    ----------
    hamiltonians: h of sites (i, i + 1) for each bond i, Hermitian matrices of one size: n - 1 of (d, d).
    """

    def __init__(self, hamiltonians: Sequence[ArrayLike]) -> None:
        self._hamiltonians = np.array([np.asarray(h) for h in hamiltonians])  # (bond, d, d)
        self._energies, self._vectors = np.linalg.eigh(self._hamiltonians)
        self._read: WeakKeyDictionary[View, Real] = WeakKeyDictionary()

    def digest(self) -> str:
        """Return the hash of the Hamiltonians."""
        return digest("bond thermometer", self._hamiltonians)

    def beta(self, view: View) -> Real:
        """Return the inverse temperatures, see `local_temperature`: (bonds,)."""
        if view not in self._read:
            pairs = np.array([view.marginal((i, i + 1)) for i in range(len(self._energies))])  # (bond, d, d)
            self._read[view] = closest_beta(_populations(pairs, self._vectors), self._energies)
        return self._read[view]

    def variation(self, view: View) -> float:
        """Return std(beta)/mean(beta) over the bonds (ddof 0).

        NaN where it has no meaning: a bond without a finite beta, or a mean that vanishes (infinite temperature).
        """
        beta = self.beta(view)
        if not np.isfinite(beta).all() or abs(beta.mean()) * np.ptp(self._energies, axis=-1).max() < VANISHING:
            return float("nan")
        return float(beta.std() / beta.mean())


def closest_beta(populations: Real, energies: Real) -> Real:
    """Return the beta whose Boltzmann weights are closest to the populations: (fits,).

    Parameters
    ----------
    populations: p in the eigenbasis of h, (fits, d).
    energies: eigenvalues of h, (fits, d).
    """
    width = np.ptp(energies, axis=1)
    fits = np.flatnonzero((width > 0) & np.isfinite(populations).all(axis=1))
    beta = np.full(len(width), np.nan)
    if fits.size:
        levels = (energies[fits] - energies[fits].min(axis=1, keepdims=True)) / width[fits, None]  # from 0 to 1
        beta[fits] = _lowest_minimum(populations[fits], levels) / width[fits]
    return beta


def _lowest_minimum(populations: Real, levels: Real) -> Real:
    """Return beta for spectra from 0 to 1, all fits at once: (fits,)."""
    everyone = np.arange(len(levels))
    slope = _Misfit(populations, levels).at(np.broadcast_to(GRID, (len(levels), GRID.size))).slope
    row, column = np.nonzero((slope[:, :-1] < 0) & (slope[:, 1:] >= 0))  # minima, maxima left out
    roots = _bracketed_roots(_Misfit(populations[row], levels[row]), GRID[column], GRID[column + 1])
    owner = np.concatenate([row, everyone, everyone])
    beta = np.concatenate([roots, np.full(len(levels), -COLDEST), np.full(len(levels), COLDEST)])
    points = _Misfit(populations[owner], levels[owner]).at(beta[:, None])
    order = np.lexsort((points.value[:, 0], owner))
    best = order[np.unique(owner[order], return_index=True)[1]]  # the lowest F of each fit
    resolved = np.linalg.norm(points.response[best, 0], axis=1) > RESOLUTION
    return np.where(resolved, beta[best], np.copysign(np.inf, beta[best]))


def _bracketed_roots(misfit: _Misfit, low: Real, high: Real) -> Real:
    """Refine brackets, dF/dbeta < 0 at `low` and >= 0 at `high`, by Newton steps and bisection: (roots,)."""
    beta, step = (low + high) / 2, high - low
    for _ in range(60):  # bisection alone would need no more
        here = misfit.at(beta[:, None])
        slope, curvature = here.slope[:, 0], here.curvature[:, 0]
        low, high = np.where(slope < 0, beta, low), np.where(slope < 0, high, beta)
        newton = beta - slope / np.where(curvature > 0, curvature, np.nan)
        tolerance = CONVERGED * (1 + np.abs(beta))
        trusted = np.abs(newton - beta) < np.maximum(np.abs(step) / 2, tolerance)  # False for NaN
        trusted &= (newton >= low - tolerance) & (newton <= high + tolerance)
        following = np.where(trusted, newton, (low + high) / 2)
        beta, step = following, following - beta
        if (trusted & (np.abs(step) <= tolerance)).all():
            break
    return beta


@dataclass(frozen=True)
class _Misfit:
    """F(beta) = |p - w(beta)|^2 and half of its derivatives, for several fits and several beta each."""

    populations: Real  # (fits, d)
    levels: Real  # (fits, d)

    def at(self, beta: Real) -> _Point:
        """Return w, dw/dbeta and related quantities at beta (fits, points)."""
        levels = self.levels[:, None, :]
        exponent = -beta[:, :, None] * levels
        weights = np.exp(exponent - np.maximum(0.0, -beta)[:, :, None])  # levels run from 0 to 1
        weights /= np.einsum("fbk->fb", weights)[:, :, None]
        gaps = self.levels[:, None, :] - self.levels[:, :, None]
        above = weights @ gaps  # e_k - <e> without cancellation, hence no false roots
        return _Point(self.populations[:, None, :] - weights, weights, above, -above * weights)


@dataclass(frozen=True)
class _Point:
    """The weights and their distance from the populations; (fits, points, d) each."""

    distance: Real  # p - w
    weights: Real
    above: Real  # e_k - <e>
    response: Real  # dw/dbeta

    @property
    def value(self) -> Real:
        """F."""
        return _dot(self.distance, self.distance)

    @property
    def slope(self) -> Real:
        """Half of dF/dbeta."""
        return -_dot(self.distance, self.response)

    @property
    def curvature(self) -> Real:
        """Half of d^2F/dbeta^2, where d^2w/dbeta^2 = (e - <e>)^2 w - var(e) w."""
        bend = -self.above * self.response + _dot(self.above, self.response)[:, :, None] * self.weights
        return _dot(self.response, self.response) - _dot(self.distance, bend)


def _dot(a: Real, b: Real) -> Real:
    return np.einsum("fbk,fbk->fb", a, b)


def _populations(rho: Array, vectors: Array) -> Real:
    """Return <k|rho|k> for the columns k of `vectors`: (..., d)."""
    return np.sum(vectors.conj() * (rho @ vectors), axis=-2).real
