r"""Ensembles of random unitaries: drawn one by one, and averaged exactly.

An average over a circuit needs moments of its gates, E[(U x U*)^k]. An ensemble whose gates are trigonometric
polynomials of independent angles has a finite *design*: weighted unitaries that give the moments up to k = 2 without
error, since N equally spaced angles integrate e^{i m phi} exactly for |m| < N, and Gauss-Legendre nodes polynomials.

>>> rng = np.random.default_rng(0)
>>> mixture([(0.25, fixed(np.eye(4))), (0.75, phases(np.eye(4), [0, 1, 1, 2]))]).draw(rng).shape
(4, 4)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.digest.content import digest
from tnness.errors import InputError, ModelError
from tnness.operators.basis import LocalSpace, product_elements

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

ANGLES = 5
"""Points per angle: in U x U* x U x U*, an angle that U holds as e^{i phi} and e^{-i phi} has powers up to 4."""
ENSEMBLE_ROUND_OFF = 1e-12
"""Deviations below this count as 0: of weights from sum 1, of gates from unitary, of moments from their space."""
PROBED = 64
"""Number of gates drawn for the digest: ensembles of one design may still differ."""


@dataclass(frozen=True, eq=False)
class GateEnsemble:
    """Random unitaries.

    Parameters
    ----------
    weights: of the design, summing to 1: (K,).
    unitaries: of the design: (K, d, d). Its second moments are exactly those of the ensemble.
    sample: rng, count -> unitaries of the ensemble itself: (count, d, d).
    """

    weights: Real
    unitaries: Complex
    sample: Callable[[np.random.Generator, int], Complex]

    def __post_init__(self) -> None:
        if self.weights.min() < 0 or abs(self.weights.sum() - 1) > ENSEMBLE_ROUND_OFF:
            raise InputError(f"the weights of an ensemble are >= 0 and sum to 1, got a sum of {self.weights.sum():g}")
        excess = self.unitaries.conj().transpose(0, 2, 1) @ self.unitaries - np.eye(self.unitaries.shape[1])
        if np.abs(excess).max() > ENSEMBLE_ROUND_OFF:
            raise InputError("a gate of the ensemble is not unitary")

    def draw(self, rng: np.random.Generator) -> Complex:
        """Return one unitary of the ensemble itself: (d, d)."""
        return self.sample(rng, 1)[0]

    def digest(self) -> str:
        """Return a hash of the design and of some gates drawn by `sample`, whose law cannot be read otherwise."""
        return digest("ensemble", self.weights, self.unitaries, self.sample(np.random.default_rng(0), PROBED))

    @cached_property
    def channels(self) -> Complex:
        """U x U* of the design on matrix units |i><j|, i major: (K, d^2, d^2)."""
        d = self.unitaries.shape[1]
        return np.einsum("kab,kcd->kacbd", self.unitaries, self.unitaries.conj()).reshape(-1, d * d, d * d)

    def first_moment(self) -> Complex:
        """Return E[U x U*]: rho -> E[U rho U^+] on matrix units |i><j|: (d^2, d^2)."""
        return np.einsum("k,kab->ab", self.weights, self.channels)

    def second_moment(self) -> Complex:
        """Return E[U x U* x U x U*]: rho x rho' -> E[U rho U^+ x U rho' U^+], first replica major: (d^4, d^4)."""
        weighted, size = self.weights[:, None] * self.channels.reshape(len(self.weights), -1), self.channels.shape[1]
        moment = weighted.T @ self.channels.reshape(len(self.weights), -1)
        return moment.reshape(size, size, size, size).transpose(0, 2, 1, 3).reshape(size**2, size**2)


def fixed(unitary: ArrayLike) -> GateEnsemble:
    """Return the ensemble of one gate (d, d)."""
    gate = np.asarray(unitary, complex)
    return GateEnsemble(np.ones(1), gate[None], lambda rng, count: np.repeat(gate[None], count, axis=0))


def over_angles(count: int, gate: Callable[[Real], ArrayLike]) -> GateEnsemble:
    """Return gate(angles) with independent angles, uniform on the circle.

    Parameters
    ----------
    count: number of angles. gate: angles (..., count) -> (..., d, d), each angle entering as e^{+-i phi} and to no
        higher power.
    """
    grid = 2 * np.pi * np.arange(ANGLES) / ANGLES
    unitaries = np.asarray(gate(np.array(list(product(grid, repeat=count)))), complex)
    weights = np.full(len(unitaries), 1 / len(unitaries))

    def sample(rng: np.random.Generator, size: int) -> Complex:
        return np.asarray(gate(rng.uniform(0, 2 * np.pi, (size, count))), complex)

    return GateEnsemble(weights, unitaries, sample)


def phases(unitary: ArrayLike, groups: Sequence[int | None]) -> GateEnsemble:
    """Return U diag(e^{i phi_g}) with independent uniform phases.

    Parameters
    ----------
    unitary: U, (d, d). groups: for each column the number of its phase, or None for a phase of 0.
    """
    gate = np.asarray(unitary, complex)
    numbers = sorted({g for g in groups if g is not None})
    column = np.array([numbers.index(g) if g is not None else len(numbers) for g in groups])

    def turned(angles: Real) -> Complex:
        fixed_too = np.concatenate([angles, np.zeros((*angles.shape[:-1], 1))], axis=-1)
        return gate * np.exp(1j * fixed_too)[..., None, column]

    return over_angles(len(numbers), turned)


def haar_su2() -> GateEnsemble:
    """Return the Haar measure on SU(2): [[e^{ia} cos t/2, e^{ib} sin t/2], [-e^{-ib} sin t/2, e^{-ia} cos t/2]].

    cos t is uniform on [-1, 1], a and b on the circle.
    """

    def rotation(cosine: Real, a: Real, b: Real) -> Complex:
        c, s = np.sqrt((1 + cosine) / 2), np.sqrt((1 - cosine) / 2)
        rows = [[np.exp(1j * a) * c, np.exp(1j * b) * s], [-np.exp(-1j * b) * s, np.exp(-1j * a) * c]]
        return np.moveaxis(np.array(rows), (0, 1), (-2, -1))

    def sample(rng: np.random.Generator, count: int) -> Complex:
        return rotation(rng.uniform(-1, 1, count), *rng.uniform(0, 2 * np.pi, (2, count)))

    nodes, weights = np.polynomial.legendre.leggauss(3)  # moments averaged over the phases have degree 2 in cos t
    grid = 2 * np.pi * np.arange(ANGLES) / ANGLES
    unitaries = rotation(*np.array(list(product(nodes, grid, grid))).T)
    return GateEnsemble(np.repeat(weights / 2, ANGLES**2) / ANGLES**2, unitaries, sample)


def mapped(ensemble: GateEnsemble, embed: Callable[[Complex], ArrayLike]) -> GateEnsemble:
    """Return the ensemble of embed(U), e.g. of a block placed into a larger gate: (..., d, d) -> (..., d', d').

    `embed` must be linear in each U.
    """
    unitaries = np.asarray(embed(ensemble.unitaries), complex)
    return GateEnsemble(
        ensemble.weights, unitaries, lambda rng, count: np.asarray(embed(ensemble.sample(rng, count)), complex)
    )


def chained(first: GateEnsemble, second: GateEnsemble) -> GateEnsemble:
    """Return the ensemble of products V U, U from `first` and V from `second`, drawn independently."""
    unitaries = np.einsum("kab,lbc->lkac", second.unitaries, first.unitaries)
    weights = np.outer(first.weights, second.weights).ravel()

    def sample(rng: np.random.Generator, count: int) -> Complex:
        inner = first.sample(rng, count)
        return second.sample(rng, count) @ inner

    return GateEnsemble(weights, unitaries.reshape(-1, *unitaries.shape[2:]), sample)


def mixture(parts: Sequence[tuple[float, GateEnsemble]]) -> GateEnsemble:
    """Return the ensemble that draws from one of several; parts: (probability, ensemble) each."""
    probabilities = np.array([p for p, _ in parts], float)
    kept = [(p, e) for p, e in parts if p > 0]
    if probabilities.min(initial=0.0) < 0 or abs(probabilities.sum() - 1) > ENSEMBLE_ROUND_OFF:
        raise InputError(f"probabilities are >= 0 and sum to 1, got {', '.join(f'{p:g}' for p in probabilities)}")

    def sample(rng: np.random.Generator, count: int) -> Complex:
        which = rng.choice(len(kept), count, p=[p for p, _ in kept])
        unitaries = np.empty((count, *kept[0][1].unitaries.shape[1:]), complex)
        for number, (_, ensemble) in enumerate(kept):
            places = np.flatnonzero(which == number)
            unitaries[places] = ensemble.sample(rng, len(places))
        return unitaries

    weights = np.concatenate([p * e.weights for p, e in kept])
    return GateEnsemble(weights, np.concatenate([e.unitaries for _, e in kept]), sample)


def haar_second_moment(d: int) -> Real:
    """Return E[U x U* x U x U*] of the Haar measure on U(d), in the order of `GateEnsemble.second_moment`: (d^4, d^4).

    It projects rho x rho' onto the identity and the swap of the two replicas (Weingarten).
    """
    delta = np.eye(d)
    identity = np.einsum("ij,kl->ijkl", delta, delta).ravel()  # indices (row, column) of either replica
    swap = np.einsum("il,kj->ijkl", delta, delta).ravel()
    permutations = np.stack([identity, swap])
    return permutations.T @ np.linalg.solve(permutations @ permutations.T, permutations)


def haar_replica_map(space: LocalSpace) -> Real:
    """Return `replica_map` of Haar gates on two neighbours: the projector onto identity and swap: (D^2, D^2).

    space: as for `replica_map`; it must hold the identity and the swap of the replicas.
    """
    d = math.isqrt(space.levels)
    swap = np.eye(space.levels).reshape(d, d, d, d).swapaxes(0, 1).reshape(space.levels, space.levels)
    pair = [np.kron(v, v) for v in (space.vector(np.eye(space.levels)), space.vector(swap))]
    permutations = np.stack(pair)
    return permutations.T @ np.linalg.solve(permutations @ permutations.T, permutations)


def replica_map(ensemble: GateEnsemble, space: LocalSpace) -> Real:
    """Return E[UU . U^+U^+] for two neighbours of a two-replica space, output first, left site major: (D^2, D^2).

    Parameters
    ----------
    ensemble: gates of two sites of d levels, left site major.
    space: spanned by orthonormal operators on two replicas of a site, (D, d^2, d^2), first replica major.

    Raises
    ------
    ModelError: the average leaves the space, or is not real in it.
    """
    d = math.isqrt(space.levels)
    if d**2 != space.levels or ensemble.unitaries.shape[1] != d**2:
        raise ModelError(
            f"gates of {ensemble.unitaries.shape[1]} levels do not act on two sites of space {space.name!r} "
            f"with {space.levels} levels, two replicas of one site each"
        )
    basis = product_elements((space, space))  # (D^2, d^4, d^4), on site 0 (replicas 1, 2), site 1 (replicas 1, 2)
    averaged = np.zeros(basis.shape, complex)
    for weight, gate in zip(ensemble.weights, ensemble.unitaries, strict=True):
        pair = gate.reshape(d, d, d, d)
        both = np.einsum("abij,cdkl->acbdikjl", pair, pair).reshape(d**4, d**4)
        averaged += weight * (both @ basis @ both.conj().T)
    flat = basis.reshape(len(basis), -1)
    coefficients = averaged.reshape(len(basis), -1) @ flat.conj().T  # (input, output)
    left = np.abs(averaged.reshape(len(basis), -1) - coefficients @ flat).max()
    if max(left, np.abs(coefficients.imag).max()) > ENSEMBLE_ROUND_OFF:
        raise ModelError(f"the averaged gates leave the real span of space {space.name!r} (by {left:.1e})")
    return np.ascontiguousarray(coefficients.real.T)
