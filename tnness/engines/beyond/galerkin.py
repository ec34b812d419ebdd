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
from tnness.network.overlap import overlap

Array = NDArray[Any]
Real = NDArray[np.float64]

INDEPENDENT = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
"""Shares of the largest eigenvalue of S below which combinations of snapshots are left out: each is tried."""
PAIRED = 1e-6
"""Relative difference of two rates that count as one: those of a complex pair."""
CLEAN = 4e-16
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


def moved_overlap(first: ChainState, operator: Sequence[Real], second: ChainState) -> float:
    """Return <a|W|b> of an operator with tensors (left, right, out, in)."""
    carry, logarithm = np.ones((1, 1, 1)), first.log_norm + second.log_norm
    for a, w, b in zip(first.tensors, operator, second.tensors, strict=True):
        carry = np.tensordot(carry, b, (2, 0))  # (a, w, p, b')
        carry = np.tensordot(carry, w, ((1, 2), (0, 3)))  # (a, b', w', o)
        carry = np.tensordot(a, carry, ((0, 1), (0, 3))).transpose(0, 2, 1)  # (a', w', b')
        size = float(np.abs(carry).max())
        if size == 0:
            return 0.0
        carry, logarithm = carry / size, logarithm + math.log(size)
    return float(carry.item()) * math.exp(logarithm)


def squared_overlap(first: ChainState, operator: Sequence[Real], second: ChainState) -> float:
    """Return <W a|W b>."""
    carry, logarithm = np.ones((1, 1, 1, 1)), first.log_norm + second.log_norm
    for a, w, b in zip(first.tensors, operator, second.tensors, strict=True):
        carry = np.tensordot(carry, b, (3, 0))  # (a, v, w, p, b')
        carry = np.tensordot(carry, w, ((2, 3), (0, 3)))  # (a, v, b', w', o)
        carry = np.tensordot(carry, w, ((1, 4), (0, 2)))  # (a, b', w', v', q)
        carry = np.tensordot(a, carry, ((0, 1), (0, 4))).transpose(0, 3, 2, 1)  # (a', v', w', b')
        size = float(np.abs(carry).max())
        if size == 0:
            return 0.0
        carry, logarithm = carry / size, logarithm + math.log(size)
    return float(carry.item()) * math.exp(logarithm)


class Gathered:
    """The numbers S, K and R of snapshots, which grow with each new one.

    Parameters
    ----------
    operator: G (or G^T) as a matrix-product operator. identity: the normalised identity.
    """

    def __init__(self, operator: Sequence[Real], identity: ChainState) -> None:
        self.operator, self.identity = operator, identity
        self.snapshots: list[ChainState] = []
        self.gram, self.moved, self.squared = (np.zeros((0, 0)) for _ in range(3))
        self._leaks: list[float] = []

    def add(self, snapshot: ChainState) -> None:
        """Take in a snapshot, which has no part along the identity."""
        self.snapshots.append(snapshot)
        self._leaks.append(moved_overlap(self.identity, self.operator, snapshot))
        size = len(self.snapshots)
        gram, moved, squared = (np.zeros((size, size)) for _ in range(3))
        for new, old in zip((gram, moved, squared), (self.gram, self.moved, self.squared), strict=True):
            new[:-1, :-1] = old
        for k, other in enumerate(self.snapshots):
            gram[k, -1] = gram[-1, k] = overlap(other, snapshot).value
            moved[k, -1] = moved_overlap(other, self.operator, snapshot)
            moved[-1, k] = moved_overlap(snapshot, self.operator, other)
            squared[k, -1] = squared[-1, k] = (
                squared_overlap(other, self.operator, snapshot) - self._leaks[k] * self._leaks[-1]
            )
        self.gram, self.moved, self.squared = gram, moved, squared

    def keep(self, chosen: Sequence[int]) -> None:
        """Forget all but some snapshots."""
        rows = np.ix_(chosen, chosen)
        self.gram, self.moved, self.squared = self.gram[rows], self.moved[rows], self.squared[rows]
        self.snapshots = [self.snapshots[k] for k in chosen]
        self._leaks = [self._leaks[k] for k in chosen]
