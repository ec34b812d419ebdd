"""Resonances: the poles of G(E) = 1/(E - H - Sigma(E)) near an energy window.

    G(E) = sum_i r_i r_i^T / (E - lambda_i) + a smooth rest,    r_i^T (1 - Sigma'(lambda_i)) r_i = 1.

H is real and symmetric, so that left and right vectors are transposes of each other. All poles within a radius come
from a shift-and-invert Krylov space of the problem with Sigma linearised at the centre; those next to the window are
then refined with the full Sigma.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.krylov import dominant
from tnness.errors import InputError
from tnness.problems.transfer import Lead, TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

DENSE = 64
"""Sites up to which all eigenvalues are computed densely."""
KRYLOV_BLOCK = 4
"""Columns of a block of the Krylov space."""
RITZ = 1e-5
"""Relative residual of the poles next to the centre, before they are refined."""
SHARP = 8.0
"""Poles within radius / SHARP have that residual; further out it grows with the fourth power of the distance."""
SHIFT = 1e-4
"""An elimination next to an eigenvalue is this far from it, in units of the radius."""
CLOSE = 1e-2
"""An elimination can refine an eigenvalue that is nearer than this, in units of the radius."""
SETTLED = 1e-9
"""An inverse iteration has converged when the vector changes by less than this: the next change is much smaller."""
ROUNDS = 4
"""Largest number of inverse iterations with one elimination, and of eliminations."""
NARROW = 1e-7
"""Below this width, in units of the radius, Im(lambda) comes from the flow into the leads, free of cancellation."""
BOUND = 1e-26
"""Below this width, in units of the radius, a level counts as bound: its amplitudes at the ends are round-off."""
DEGENERATE = 1e-7
"""The vectors of two eigenvalues nearer than this, in units of the radius, may be any mixture."""


@dataclass(frozen=True, eq=False)
class Poles:
    """Poles and their vectors.

    values: (pole,), lambda_i. vectors: (slice, m, pole), r_i. errors: (pole,), relative errors of the vectors.
    radius: no pole within it is missing. probes: for each refined pole the chain eliminated next to lambda_i^*.
    """

    values: Complex
    vectors: Complex
    errors: Real
    radius: float
    probes: dict[int, Elimination] = field(default_factory=dict)

    def radiating(self) -> Poles:
        """Return the poles that have a width: a bound level carries no current."""
        chosen = np.flatnonzero(self.values.imag < 0)
        probes = {new: self.probes[old] for new, old in enumerate(chosen.tolist()) if old in self.probes}
        return Poles(self.values[chosen], self.vectors[..., chosen], self.errors[chosen], self.radius, probes)


def find_poles(
    chain: TransferChain, centre: float, radius: float, guess: int = 12, elimination: Elimination | None = None
) -> Poles:
    """Return all poles with |lambda - centre| < radius, of the self-energy linearised at the centre.

    Parameters
    ----------
    chain: real, symmetric, between two leads, without batch axes. guess: about how many there are. elimination: the
        chain eliminated at the centre, if that is done already.

    Raises
    ------
    InputError: a chain that is complex: its poles have no common left and right vectors.
    NumericalError: the centre is an eigenvalue.
    """
    if np.iscomplexobj(chain.onsite) or np.iscomplexobj(chain.coupling):
        raise InputError("pole deflation needs a real chain; use energy_rule legendre")
    values, vectors, residuals = _linearised(chain, centre, radius, guess, elimination or Elimination(chain, centre))
    vectors = _normalised(chain, values, vectors.reshape(chain.slices, chain.m, len(values)))
    vectors = _separated(chain, centre, values, vectors, radius)
    errors = _errors(chain, centre, values, vectors, residuals, radius)
    values = np.array([_narrow(chain, values[i], vectors[..., i], radius) for i in range(len(values))], complex)
    return Poles(values, vectors, errors, radius)


def refine(chain: TransferChain, poles: Poles, chosen: NDArray[np.bool_]) -> Poles:
    """Return the poles; those chosen are refined with the full self-energy and have probes next to them."""
    values, vectors, errors = poles.values.copy(), poles.vectors.copy(), poles.errors.copy()
    probes = {}
    for i in np.flatnonzero(chosen).tolist():
        probe = Elimination(chain, _next_to(values[i].conjugate(), poles.radius))
        near = probe if abs(probe.energy - values[i]) < CLOSE * poles.radius else None
        values[i], vectors[..., i] = refined(chain, values[i], vectors[..., i], poles.radius, near)
        errors[i], probes[i] = 0.0, probe
    errors[_repeated(values, vectors, poles.radius)] = 1.0
    return Poles(values, vectors, errors, poles.radius, probes)


def _next_to(energy: complex, radius: float) -> complex:
    """Return an energy just beside a given one: off a pole that may be there, and the same for smooth functions."""
    return energy + SHIFT * radius


def _errors(
    chain: TransferChain, centre: float, values: Complex, vectors: Complex, residuals: Real, radius: float
) -> Real:
    """Return the relative errors, at the ends, of the vectors of a linearised self-energy: (pole,).

    The first part is the error of the self-energy times the response of G at the ends: 1 / radius from the smooth part
    of G, and a contribution of each other pole. The second part comes from the residuals of the Krylov space; it is
    largest for vectors that are small at the ends.
    """
    change = np.zeros(len(values))
    for lead in chain.leads:
        straight = lead.surface(centre) + (values[:, None] - centre) * lead.surface_slope(centre)
        change = np.maximum(change, lead.contact**2 * np.abs(lead.surface(values) - straight).max(axis=1))
    ends = [np.linalg.norm(end, axis=0) for end in (vectors[0], vectors[-1])]
    distance = np.maximum(np.abs(values[:, None] - values), DEGENERATE * radius)
    np.fill_diagonal(distance, np.inf)
    response = 1 / radius + np.max((ends[0] ** 2 + ends[1] ** 2) / distance, axis=1, initial=0)
    apart = np.minimum(1, np.min(distance / np.abs(values - centre), axis=1, initial=1))
    return change * response + residuals / apart * np.linalg.norm(vectors, axis=(0, 1)) / np.maximum(*ends)


def _repeated(values: Complex, vectors: Complex, radius: float) -> NDArray[np.bool_]:
    """Return which poles are duplicates: refinement has moved two to one place, so one is missing elsewhere."""
    flat = vectors.reshape(len(vectors) * vectors.shape[1], len(values))
    flat = flat / np.linalg.norm(flat, axis=0)
    alike = np.abs(flat.conj().T @ flat) > 0.99
    same = alike & (np.abs(values[:, None] - values) < DEGENERATE * radius)
    return same.sum(axis=1) > 1


def _linearised(
    chain: TransferChain, centre: float, radius: float, guess: int, elimination: Elimination
) -> tuple[Complex, Complex, Real]:
    """Eigenpairs of (H + Sigma - E0) r = (lambda - E0) (1 - Sigma') r within the radius, and relative residuals."""
    slopes = [lead.self_energy_slope(centre) for lead in chain.leads]
    n, m = chain.slices, chain.m
    size = n * m

    def apply(vectors: Complex) -> Complex:
        source = vectors.reshape(n, m, vectors.shape[-1]).astype(complex)
        ends = slopes[0] @ source[0], slopes[1] @ source[-1]
        source[0] -= ends[0]
        source[-1] -= ends[1]
        return -elimination.solve(source).reshape(size, -1)

    eigenpairs = None
    if size > DENSE:
        start = np.random.default_rng(0).normal(size=(size, KRYLOV_BLOCK)).astype(np.complex128)
        eigenpairs = dominant(apply, start, 1 / radius, SHARP / radius, RITZ, guess)
    if eigenpairs is None:
        theta, vectors = scipy.linalg.eig(apply(np.eye(size, dtype=complex)))
        eigenpairs = theta, vectors, np.zeros(size)
    theta, vectors, residuals = eigenpairs
    with np.errstate(divide="ignore"):
        values = centre + 1 / theta
    kept = np.abs(values - centre) < radius
    return values[kept], vectors[:, kept], residuals[kept]


def refined(
    chain: TransferChain, value: complex, vector: Complex, radius: float, near: Elimination | None = None
) -> tuple[complex, Complex]:
    """Return a pole and its vector (slice, m) with the full self-energy, from those of a linearised one.

    With T(E) = E - H - Sigma(E), the map T(s)^-1 (T(s) - T(lambda)) leaves r unchanged. It shrinks all other components
    by the distance of s from the pole, divided by its distance from the neighbouring poles. The symmetric Rayleigh
    quotient then gives lambda.

    radius: scale of the distances. near: the chain eliminated at some s, if that is done already.
    """
    for _ in range(ROUNDS):
        near = near or Elimination(chain, _next_to(value, radius))
        for _ in range(ROUNDS):
            step = near.energy - value
            source = step * vector[..., None]
            for lead, place in zip(chain.leads, (0, -1), strict=True):
                change = lead.contact**2 * (lead.surface(near.energy) - lead.surface(value))
                source[place, :, 0] -= lead.modes @ (change * (lead.modes.T @ vector[place]))
            new = _normalised(chain, np.array([value]), near.solve(source))[..., 0]
            new *= np.sign(np.vdot(vector, new).real)
            moved, value, vector = np.abs(new - vector).max(), value - _quadratic(chain, value, new), new
            if moved < SETTLED:
                return _narrow(chain, value, vector, radius), vector
        near = None
    return _narrow(chain, value, vector, radius), vector


def _narrow(chain: TransferChain, value: complex, vector: Complex, radius: float) -> complex:
    """Return a pole; the width of a narrow one is replaced by the flow into the leads."""
    if -2 * value.imag >= NARROW * radius:
        return value
    width = _flow(chain, value.real, vector)
    return complex(value.real, -width / 2 if width > BOUND * radius else 0.0)


def _quadratic(chain: TransferChain, value: complex, vector: Complex) -> complex:
    """Return r^T (lambda - H - Sigma(lambda)) r."""
    total = complex(value * np.sum(vector * vector))
    parts = np.stack([vector.real, vector.imag], axis=-1)  # H is real
    total -= complex(np.sum(vector * ((chain.onsite @ parts) @ [1, 1j])))
    for x in range(chain.slices - 1):
        total -= 2 * complex(np.sum(vector[x] * chain.couple(x, vector[x + 1][:, None])[:, 0]))
    for lead, end in zip(chain.leads, (vector[0], vector[-1]), strict=True):
        total -= complex(np.sum(lead.contact**2 * lead.surface(value) * (lead.modes.T @ end) ** 2))
    return total


def _flow(chain: TransferChain, energy: float, vector: Complex) -> float:
    """Return r^+ Gamma r / r^+ (1 - Sigma') r, the width of a narrow resonance: a sum of positive terms."""
    rate, weight = 0.0, float(np.sum(np.abs(vector) ** 2))
    for lead, end in zip(chain.leads, (vector[0], vector[-1]), strict=True):
        overlap = np.abs(lead.modes.T @ end) ** 2
        rate += float(np.sum(lead.broadening(energy) * overlap))
        weight -= float(np.sum(lead.contact**2 * np.real(lead.surface_slope(energy)) * overlap))
    return rate / weight


def _normalised(chain: TransferChain, values: Complex, vectors: Complex) -> Complex:
    """Return the vectors (slice, m, pole) with r^T (1 - Sigma'(lambda)) r = 1."""
    norm = np.sum(vectors * vectors, axis=(0, 1))
    for lead, end in zip(chain.leads, (vectors[0], vectors[-1]), strict=True):
        overlap = lead.modes.T @ end  # (channel, pole)
        norm = norm - np.sum(lead.contact**2 * lead.surface_slope(values).T * overlap**2, axis=0)
    return vectors / np.sqrt(norm)


def _separated(chain: TransferChain, centre: float, values: Complex, vectors: Complex, radius: float) -> Complex:
    """Return the vectors; those of equal eigenvalues are made orthogonal in r_i^T (1 - Sigma') r_j."""
    weighted = vectors.copy()
    for lead, place in zip(chain.leads, (0, -1), strict=True):
        weighted[place] -= lead.self_energy_slope(centre) @ vectors[place]
    overlap = np.einsum("xmi,xmj->ij", vectors, weighted)
    tied = np.abs(values[:, None] - values) < DEGENERATE * radius
    separated, done = vectors.copy(), np.zeros(len(values), bool)
    for i in range(len(values)):
        group = np.flatnonzero(tied[i] & ~done)
        done[group] = True
        if len(group) > 1:
            root = scipy.linalg.sqrtm(overlap[np.ix_(group, group)])
            separated[..., group] = vectors[..., group] @ np.linalg.inv(root)
    return separated


def is_deflatable(chain: TransferChain) -> bool:
    """True for a real chain between two leads, of one realization."""
    real = not (np.iscomplexobj(chain.onsite) or np.iscomplexobj(chain.coupling))
    return real and not chain.batch and isinstance(chain.left, Lead) and isinstance(chain.right, Lead)
