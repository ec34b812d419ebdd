r"""Rates by Galerkin's method on snapshots, and their residuals.

For snapshots O_k with S_jk = <O_j|O_k>, K_jk = <O_j|G|O_k>, R_jk = <G O_j|G O_k>, all without the part along the
identity, the Ritz vectors v = sum c_k O_k solve K c = lambda S c, and |G v - lambda v|^2 = c^+ R c - |lambda|^2 for
c^+ S c = 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.network.truncation import Truncation
from tnness.network.variational import applied_operator

Array = NDArray[Any]
Real = NDArray[np.float64]

INDEPENDENT = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
"""Shares of the largest eigenvalue of S below which combinations of snapshots are left out: each is tried."""
PAIRED = 1e-6
"""Relative difference of two rates that count as one: those of a complex pair."""
CLEAN = 2e-15
"""Relative round-off of overlaps."""


@dataclass(frozen=True)
class Ritz:
    """Ritz pairs, the slowest first.

    values: lambda (k,). coefficients: c (k, snapshots), normalised. residuals: (k,). share: of the newest snapshot that
    lies in the space of the slowest ones, those `PAIRED` of the slowest rate (a complex pair).
    """

    values: Array
    coefficients: Array
    residuals: Real
    share: float


def ritz(gram: Real, moved: Real, squared: Real, wanted: int) -> Ritz:
    """Return the Ritz pairs of snapshots: in the subspace that serves those best that weigh most in the newest.

    Parameters
    ----------
    gram, moved, squared: S, K and R: (k, k). wanted: how many pairs are judged.

    >>> vectors, rates = np.array([[1.0, 0.5], [1.0, 0.1], [1.0, 0.01]]), np.diag([-1.0, -3.0])
    >>> found = ritz(vectors @ vectors.T, vectors @ rates @ vectors.T, vectors @ rates**2 @ vectors.T, 1)
    >>> [round(float(-value.real), 6) for value in found.values]
    [1.0, 3.0]
    """
    sizes, directions = np.linalg.eigh((gram + gram.T) / 2)
    best: Ritz | None = None
    newest = gram[-1]
    lowest = math.inf
    most = int((sizes > INDEPENDENT[-1] * sizes[-1]).sum())
    for share in INDEPENDENT:
        kept = sizes > share * sizes[-1]
        if int(kept.sum()) < min(wanted + 1, most):
            continue
        basis = directions[:, kept] / np.sqrt(sizes[kept])
        values, vectors = np.linalg.eig(basis.T @ moved @ basis)
        vectors = vectors / np.linalg.norm(vectors, axis=0)
        coefficients = (basis @ vectors).T
        square = np.einsum("kj,ji,ki->k", coefficients.conj(), squared, coefficients).real - np.abs(values) ** 2
        noise = CLEAN * float(np.abs(squared).max()) * np.sum(np.abs(coefficients), axis=1) ** 2
        residuals = np.sqrt(np.maximum(square, 0.0) + noise)
        order = np.argsort(-np.real(values), kind="stable")
        values, coefficients = values[order], coefficients[order]
        found = Ritz(values, coefficients, residuals[order], _share(values, coefficients, gram))
        weights = newest @ found.coefficients.conj().T if len(order) > 1 else np.ones(1)
        leading = np.argsort(-np.abs(weights), kind="stable")[: min(wanted, max(1, len(order) - 1))]
        worst = float(np.mean(found.residuals[leading]))
        if worst < lowest:
            best, lowest = found, worst
    assert best is not None
    return best


def _share(values: Array, coefficients: Array, gram: Real) -> float:
    rates = -np.real(values)
    slow = coefficients[rates <= (1 + PAIRED) * max(float(rates[0]), 0.0)]
    if not len(slow):
        return 0.0
    within, reached = slow.conj() @ gram @ slow.T, slow.conj() @ gram[-1]
    return math.sqrt(
        max(0.0, float(np.real(np.vdot(reached, np.linalg.lstsq(within, reached, rcond=1e-12)[0]))) / gram[-1, -1])
    )


UNTRUNCATED = Truncation(chi=1_000_000, cutoff=0.0, method="svd")
"""Truncation that drops round-off only."""


def image_of(operator: Sequence[Real], state: ChainState) -> ChainState:
    """Return W|b> of an operator with tensors (left, right, out, in), without the bonds that it does not need."""
    image = applied_operator(operator, state)
    image.compress(UNTRUNCATED)
    return image


def overlaps(states: Sequence[ChainState], other: ChainState) -> Real:
    """Return <a_k|b> of states of one chain, at once: (K,)."""
    count, logs = len(states), np.array([state.log_norm for state in states]) + other.log_norm
    carry = np.ones((count, 1, 1))
    for site, b in enumerate(other.tensors):
        bond, p, new = b.shape
        widest = max(state.tensors[site].shape[2] for state in states)
        whole = np.zeros((count, carry.shape[1], p, widest))  # smaller bonds are filled up with zeros
        for k, state in enumerate(states):
            left, _, right = state.tensors[site].shape
            whole[k, :left, :, :right] = state.tensors[site]
        carry = (carry.reshape(-1, bond) @ b.reshape(bond, p * new)).reshape(count, -1, new)
        carry = np.matmul(whole.reshape(count, -1, widest).transpose(0, 2, 1), carry)
        sizes = np.abs(carry).max(axis=(1, 2))
        safe = np.where(sizes > 0, sizes, 1.0)
        carry, logs = carry / safe[:, None, None], logs + np.log(safe)
    return carry.reshape(count) * np.exp(logs)


class Gathered:
    """The numbers S, K and R of snapshots, which grow with each new one.

    Parameters
    ----------
    operator: G (or G^T) as a matrix-product operator. identity: the normalised identity.
    """

    def __init__(self, operator: Sequence[Real], identity: ChainState) -> None:
        self.operator, self.identity = operator, identity
        self.snapshots: list[ChainState] = []
        self.images: list[ChainState] = []
        self.gram, self.moved, self.squared = (np.zeros((0, 0)) for _ in range(3))
        self._leaks: list[float] = []

    def add(self, snapshot: ChainState) -> None:
        """Take in a snapshot, which has no part along the identity."""
        image = image_of(self.operator, snapshot)
        self.snapshots.append(snapshot)
        self.images.append(image)
        self._leaks.append(float(overlaps([self.identity], image)[0]))
        size = len(self.snapshots)
        gram, moved, squared = (np.zeros((size, size)) for _ in range(3))
        for new, old in zip((gram, moved, squared), (self.gram, self.moved, self.squared), strict=True):
            new[:-1, :-1] = old
        gram[-1] = gram[:, -1] = overlaps(self.snapshots, snapshot)
        moved[-1] = overlaps(self.images, snapshot)
        moved[:, -1] = overlaps(self.snapshots, image)
        squared[-1] = squared[:, -1] = overlaps(self.images, image) - np.array(self._leaks) * self._leaks[-1]
        self.gram, self.moved, self.squared = gram, moved, squared

    def keep(self, chosen: Sequence[int]) -> None:
        """Forget all but some snapshots."""
        rows = np.ix_(chosen, chosen)
        self.gram, self.moved, self.squared = self.gram[rows], self.moved[rows], self.squared[rows]
        self.snapshots = [self.snapshots[k] for k in chosen]
        self.images = [self.images[k] for k in chosen]
        self._leaks = [self._leaks[k] for k in chosen]
