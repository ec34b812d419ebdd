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


LARGEST_CARRY = 4_000_000
"""Numbers that overlaps of several states at once may hold at a site; beyond it there are fewer at once."""


class Stacked:
    """States of one chain whose overlaps with another are taken at once.

    Parameters
    ----------
    states: K matrix-product states. Smaller bonds are filled up with zeros.
    """

    def __init__(self, states: Sequence[ChainState]) -> None:
        self.logs = np.array([state.log_norm for state in states])
        self.tensors: list[Real] = []
        for site in range(states[0].n):
            shapes = np.array([state.tensors[site].shape for state in states])
            whole = np.zeros((len(states), *shapes.max(axis=0)))
            for k, (left, p, right) in enumerate(shapes):
                whole[k, :left, :p, :right] = states[k].tensors[site]
            self.tensors.append(whole)

    def overlaps(self, other: ChainState, *operators: Sequence[Real]) -> Real:
        """Return <a_k|V ... W|b> of operators with tensors (left, right, out, in), the last one first: (K,)."""
        inner = math.prod(max(max(w.shape[:2]) for w in operator) for operator in operators)
        widest = max(whole.shape[1] * whole.shape[2] for whole in self.tensors)
        most = max(1, LARGEST_CARRY // (widest * inner * max(b.shape[2] for b in other.tensors)))
        parts = [slice(first, first + most) for first in range(0, len(self.logs), most)]
        return np.concatenate([self._overlaps(part, other, operators) for part in parts])

    def _overlaps(self, part: slice, other: ChainState, operators: Sequence[Sequence[Real]]) -> Real:
        logs = self.logs[part] + other.log_norm
        count = len(logs)
        carry = np.ones((count, 1, 1, 1))  # (k, a, bonds of the operators, b)
        for site, (whole, b) in enumerate(zip(self.tensors, other.tensors, strict=True)):
            a = whole[part]
            _, left, _, right = a.shape
            bonds, (bond, p, new) = carry.shape[2], b.shape
            carry = (carry.reshape(-1, bond) @ b.reshape(bond, p * new)).reshape(count, left, bonds, p, new)
            for operator in reversed(operators):  # its bond comes first; it goes last when it has been used
                w = operator[site]
                own, after, out, _ = w.shape
                carry = carry.reshape(count * left, own, -1, p, new).transpose(0, 2, 4, 1, 3)
                rest, ends = carry.shape[1], carry.shape[2]
                carry = carry.reshape(-1, own * p) @ w.transpose(0, 3, 1, 2).reshape(own * p, after * out)
                carry = carry.reshape(count * left, rest, ends, after, out).transpose(0, 1, 3, 4, 2)
                p = out
            bonds = carry.size // (count * left * p * new)
            carry = carry.reshape(count, left, bonds, p, new).transpose(0, 1, 3, 2, 4).reshape(count, left * p, -1)
            carry = np.matmul(a.reshape(count, left * p, right).transpose(0, 2, 1), carry)
            sizes = np.abs(carry).max(axis=(1, 2))
            safe = np.where(sizes > 0, sizes, 1.0)
            carry = (carry / safe[:, None, None]).reshape(count, right, bonds, new)
            logs = logs + np.log(safe)
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
        self.gram, self.moved, self.squared = (np.zeros((0, 0)) for _ in range(3))
        self._leaks: list[float] = []

    def add(self, snapshot: ChainState) -> None:
        """Take in a snapshot, which has no part along the identity."""
        self.snapshots.append(snapshot)
        self._leaks.append(float(Stacked([self.identity]).overlaps(snapshot, self.operator)[0]))
        size, stacked = len(self.snapshots), Stacked(self.snapshots)
        gram, moved, squared = (np.zeros((size, size)) for _ in range(3))
        for new, old in zip((gram, moved, squared), (self.gram, self.moved, self.squared), strict=True):
            new[:-1, :-1] = old
        transposed = [w.transpose(0, 1, 3, 2) for w in self.operator]
        gram[-1] = gram[:, -1] = stacked.overlaps(snapshot)
        moved[-1] = stacked.overlaps(snapshot, transposed)
        moved[:, -1] = stacked.overlaps(snapshot, self.operator)
        leaks = np.array(self._leaks)
        squared[-1] = squared[:, -1] = stacked.overlaps(snapshot, transposed, self.operator) - leaks * leaks[-1]
        self.gram, self.moved, self.squared = gram, moved, squared

    def keep(self, chosen: Sequence[int]) -> None:
        """Forget all but some snapshots."""
        rows = np.ix_(chosen, chosen)
        self.gram, self.moved, self.squared = self.gram[rows], self.moved[rows], self.squared[rows]
        self.snapshots = [self.snapshots[k] for k in chosen]
        self._leaks = [self._leaks[k] for k in chosen]
