"""Resonances: the poles of G(E) = 1/(E - H - Sigma(E)) near an energy window.

    G(E) = sum_i r_i r_i^T / (E - lambda_i) + a smooth rest,    r_i^T (1 - Sigma'(lambda_i)) r_i = 1.

H is real and symmetric, so that left and right vectors are transposes of each other. All poles within a radius come
from shift-and-invert Arnoldi on the problem with Sigma linearised at the centre; those next to the window are then
refined on the full one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigs

from tnness.engines.wire.elimination import Elimination
from tnness.errors import InputError, NumericalError
from tnness.problems.transfer import Lead, TransferChain

Complex = NDArray[np.complex128]

DENSE = 200
"""Sites up to which all eigenvalues are computed densely."""
SHIFT = 1e-6
"""Distance from the eigenvalue, over the radius, at which an inverse iteration is made."""
NARROW = 1e-7
"""Width, over the radius, below which Im(lambda) is taken from the flow into the leads: free of cancellation."""
BOUND = 1e-26
"""Width, over the radius, below which a level counts as bound: its ends are round-off, and who fills it is unknown."""
DEGENERATE = 1e-7
"""Distance of two eigenvalues, over the radius, below which their vectors may be any mixture."""


@dataclass(frozen=True, eq=False)
class Poles:
    """Poles and their vectors.

    values: (pole,), lambda_i. vectors: (slice, m, pole), r_i. radius: within which none is missing.
    """

    values: Complex
    vectors: Complex
    radius: float


def find_poles(chain: TransferChain, centre: float, radius: float, refine_within: float, guess: int = 24) -> Poles:
    """Return all poles with |lambda - centre| < radius.

    Parameters
    ----------
    chain: real, symmetric, between two leads, without batch axes. refine_within: distance up to which poles are refined
        beyond the linearised self-energy. guess: how many poles to ask for at first.

    Raises
    ------
    InputError: a chain that is complex: its poles have no common left and right vectors.
    NumericalError: Arnoldi did not converge.
    """
    if np.iscomplexobj(chain.onsite) or np.iscomplexobj(chain.coupling):
        raise InputError("pole deflation needs a real chain; use energy_rule legendre")
    values, vectors = _linearised(chain, centre, radius, guess)
    shape = (chain.slices, chain.m, len(values))
    vectors = _normalised(chain, values, vectors.reshape(shape))
    values, vectors = values.copy(), _separated(chain, centre, values, vectors, radius)
    for i in np.flatnonzero(np.abs(values - centre) < refine_within):
        values[i], vectors[..., i] = refined(chain, values[i], vectors[..., i], radius)
    return Poles(values, vectors, radius)


def _linearised(chain: TransferChain, centre: float, radius: float, guess: int) -> tuple[Complex, Complex]:
    """Eigenpairs of (H + Sigma - E0) r = (lambda - E0) (1 - Sigma') r within the radius."""
    elimination = Elimination(chain, centre)
    slopes = [lead.self_energy_slope(centre) for lead in chain.leads]
    n, m = chain.slices, chain.m
    size = n * m

    def apply(vector: Complex) -> Complex:
        source = np.ascontiguousarray(vector.reshape(n, m, -1)).astype(complex)
        weighted = source.copy()
        weighted[0] -= slopes[0] @ source[0]
        weighted[-1] -= slopes[1] @ source[-1]
        return -elimination.solve(weighted).reshape(size, -1)

    count = guess
    while count + 2 < size and size > DENSE:
        operator: Any = LinearOperator((size, size), matvec=lambda v: apply(v)[:, 0], dtype=complex)  # type: ignore[call-overload]
        start = np.random.default_rng(0).normal(size=size) + 0j  # ARPACK's own start would differ from run to run
        try:
            theta, vectors = eigs(operator, k=count, which="LM", v0=start, ncv=min(size, 2 * count + 20))
        except (ArpackError, ArpackNoConvergence) as error:
            raise NumericalError(f"the resonances near E = {centre:g} were not found: {error}") from error
        if 1 / np.abs(theta).min() > radius:
            break
        count = max(int(1.5 * count), count + 8)
    else:
        theta, vectors = scipy.linalg.eig(apply(np.eye(size, dtype=complex)))
    with np.errstate(divide="ignore"):
        values = centre + 1 / theta
    kept = np.abs(values - centre) < radius
    return values[kept], vectors[:, kept]


def refined(chain: TransferChain, value: complex, vector: Complex, radius: float) -> tuple[complex, Complex]:
    """Return a pole and its vector (slice, m) on the full self-energy, from those of a linearised one.

    Inverse iteration with Sigma(lambda), and the symmetric Rayleigh quotient; two rounds. radius: scale of the shift.
    """
    for _ in range(2):
        elimination = Elimination(chain, np.asarray(value + SHIFT * radius), boundary=np.asarray(value))
        new = elimination.solve(np.ascontiguousarray(vector[..., None]))
        new = _normalised(chain, np.array([value]), new)[..., 0]
        defect = _quadratic(chain, value, new)  # r^T (lambda - H - Sigma(lambda)) r, its slope being 1
        value, vector = value - defect, new
    vector = _normalised(chain, np.array([value]), vector[..., None])[..., 0]
    width = -2 * value.imag
    if width < NARROW * radius:
        width = _flow(chain, value.real, vector)
        value = complex(value.real, -width / 2 if width > BOUND * radius else 0.0)
    return value, vector


def _quadratic(chain: TransferChain, value: complex, vector: Complex) -> complex:
    """Return r^T (lambda - H - Sigma(lambda)) r."""
    total = complex(value * np.sum(vector * vector))
    total -= complex(np.einsum("xi,xij,xj->", vector, chain.onsite, vector, optimize=True))
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
    """Return the vectors with those of equal eigenvalues made orthogonal in r_i^T (1 - Sigma') r_j."""
    weighted = vectors.copy()
    for lead, place in zip(chain.leads, (0, -1), strict=True):
        weighted[place] -= lead.self_energy_slope(centre) @ vectors[place]
    overlap = np.einsum("xmi,xmj->ij", vectors, weighted)
    tied = np.abs(values[:, None] - values) < DEGENERATE * radius
    found, done = vectors.copy(), np.zeros(len(values), bool)
    for i in range(len(values)):
        group = np.flatnonzero(tied[i] & ~done)
        done[group] = True
        if len(group) > 1:
            root = scipy.linalg.sqrtm(overlap[np.ix_(group, group)])
            found[..., group] = vectors[..., group] @ np.linalg.inv(root)
    return found


def is_deflatable(chain: TransferChain) -> bool:
    """True for a real chain between two leads, of one realisation."""
    real = not (np.iscomplexobj(chain.onsite) or np.iscomplexobj(chain.coupling))
    return real and not chain.batch and isinstance(chain.left, Lead) and isinstance(chain.right, Lead)
