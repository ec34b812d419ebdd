"""Sweeps that keep local charges: every two-site matrix is split block by block.

Each index of a bond carries a charge, and a tensor has elements only where left + physical = right. Blocks are split
by SVD, and the singular values of all of them compete for the bond: sectors grow and shrink as they need to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import Array, ChainState
from tnness.network.orthonormal import householder
from tnness.network.truncation import Truncation, safe_svd
from tnness.operators.charges import Charges, Labels

Index = NDArray[np.int64]
ABSENT = 1e-15
"""Singular values below this, relative to the state, are round-off: their sector is absent."""
STRAY = 1e-13
"""Parts of another total charge with a norm below this, relative to the state, are dropped as round-off."""


@dataclass
class ChargedState:
    """A `ChainState` whose bonds carry charges.

    labels: charges of the indices of all n + 1 bonds, outer ones included: (bond, C) each.
    """

    state: ChainState
    labels: list[Labels]
    charges: Charges

    @classmethod
    def adapted(cls, state: ChainState, charges: Charges) -> ChargedState | None:
        """Return the same state with bonds of definite charge, centre at the last site.

        Return None if the total charge is not definite.
        """
        state = state.copy()
        state.canonicalise(0)
        labels = [np.zeros((1, len(charges.moduli)), np.int64)]
        for i, tensor in enumerate(state.tensors):
            left, dim, right = tensor.shape
            matrix, rows = tensor.reshape(left * dim, right), charges.fuse(labels[-1], charges.sites[i])
            columns, carries, kept = [], [], []
            for sector in _sectors(charges.codes(rows)).values():
                u, s, vt, _ = safe_svd(matrix[sector])
                rank = int(np.count_nonzero(s > ABSENT))  # the norm is 1
                column = np.zeros((left * dim, rank))
                column[sector] = u[:, :rank]
                columns.append(column)
                carries.append(s[:rank, None] * vt[:rank])
                kept.append(np.repeat(rows[sector[:1]], rank, axis=0))
            whole, carry, label = np.hstack(columns), np.vstack(carries), np.concatenate(kept)
            if i < state.n - 1:
                state.tensors[i + 1] = np.ascontiguousarray(np.tensordot(carry, state.tensors[i + 1], 1))
            else:
                largest = int(np.abs(carry[:, 0]).argmax())
                if np.linalg.norm(np.delete(carry[:, 0], largest)) > STRAY:
                    return None
                whole, label = whole[:, [largest]] * carry[largest, 0], label[[largest]]
            labels.append(label)
            state.tensors[i] = whole.reshape(left, dim, -1)
        state.centre = state.n - 1
        return cls(state, labels, charges)

    @classmethod
    def read(cls, state: ChainState, charges: Charges) -> ChargedState | None:
        """Return a state with the charges that follow from the zeros of its tensors; None if they are not definite.

        The centre must be at an end. A result of `sweep` is read exactly, so that it can be saved without labels.
        """
        if state.centre not in (0, state.n - 1):
            return None
        none = np.zeros((1, len(charges.moduli)), np.int64)
        labels, rightwards = [none], state.centre == state.n - 1
        for tensor, site in (zip if rightwards else _backwards)(state.tensors, charges.sites):
            left, dim, right = tensor.shape
            if rightwards:
                matrix, outer = tensor.reshape(left * dim, right), charges.fuse(labels[-1], site)
            else:
                matrix, outer = tensor.reshape(left, dim * right).T, charges.fuse(-site, labels[-1])
            label = outer[np.abs(matrix).argmax(axis=0)]
            if matrix[charges.codes(outer)[:, None] != charges.codes(label)[None, :]].any():
                return None
            labels.append(label)
        if not rightwards:
            labels = [charges.fuse(label, -labels[-1]) for label in reversed(labels)]
        return cls(state, labels, charges)

    def copy(self) -> ChargedState:
        """Return a state whose lists of tensors and labels can be changed."""
        state = ChainState(list(self.state.tensors), self.state.centre, self.state.log_norm)
        return ChargedState(state, list(self.labels), self.charges)

    def sweep(self, gates: Sequence[Array | None], truncation: Truncation) -> tuple[float, int]:
        """Apply one layer of gates, moving the centre from one end of the chain to the other; see `network.sweep`."""
        rightwards, discarded, fallbacks = self.state.centre == 0, 0.0, 0
        bonds = range(self.state.n - 1)
        for i in bonds if rightwards else reversed(bonds):
            gate = gates[i]
            if gate is None:
                self._pass(i, rightwards)
            else:
                dropped, helped = self._split(i, gate, truncation, rightwards)
                discarded, fallbacks = discarded + dropped, fallbacks + helped
        self.state.centre = self.state.n - 1 if rightwards else 0
        return discarded, fallbacks

    def _outer(self, i: int) -> tuple[Labels, Labels]:
        """Return the charges of the bond between sites i and i + 1, from the left (l p) and from the right (q r)."""
        sites = self.charges.sites
        return (
            self.charges.fuse(self.labels[i], sites[i]),
            self.charges.fuse(-sites[i + 1], self.labels[i + 2]),
        )

    def _pass(self, i: int, rightwards: bool) -> None:
        """Move the centre over a bond by QR, sector by sector."""
        tensors, codes = self.state.tensors, self.charges.codes
        left, p, bond = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        outer = _sectors(codes(self._outer(i)[0 if rightwards else 1]))
        middle = {code: inner for code, inner in _sectors(codes(self.labels[i + 1])).items() if code in outer}
        first, second = tensors[i].reshape(left * p, bond), tensors[i + 1].reshape(bond, q * right)
        moved, other = (first, second) if rightwards else (second.T, first.T)  # moved (rows, bond), other (bond, rest)
        parts = {code: householder(moved[np.ix_(outer[code], inner)]) for code, inner in middle.items()}
        ranks = {code: part.basis.shape[1] for code, part in parts.items()}
        size = sum(ranks.values())
        isometry, carried = np.zeros((len(moved), size)), np.empty((size, other.shape[1]))
        labels, begin = np.empty((size, self.labels[0].shape[1]), np.int64), 0
        for code, part in parts.items():
            end = begin + ranks[code]
            isometry[outer[code], begin:end] = part.basis
            carried[begin:end] = part.factor @ other[middle[code]]
            labels[begin:end] = self.labels[i + 1][middle[code][0]]
            begin = end
        self._store(i, isometry, carried, labels, rightwards)

    def _split(self, i: int, gate: Array, truncation: Truncation, rightwards: bool) -> tuple[float, int]:
        """Apply a gate and split; return the discarded weight and the number of fallbacks."""
        tensors, codes = self.state.tensors, self.charges.codes
        left, p, bond = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        seen_left, seen_right = self._outer(i)
        rows, columns = _sectors(codes(seen_left)), _sectors(codes(seen_right))
        first, second = tensors[i].reshape(left * p, bond), tensors[i + 1].reshape(bond, q * right)
        theta = np.zeros((left * p, q * right))
        for code, inner in _sectors(codes(self.labels[i + 1])).items():
            if code in rows and code in columns:  # else no index on one side fits: the sector was dropped as round-off
                block = first[np.ix_(rows[code], inner)] @ second[np.ix_(inner, columns[code])]
                theta[np.ix_(rows[code], columns[code])] = block
        theta = np.matmul(gate, theta.reshape(left, p * q, right)).reshape(left * p, q * right)
        blocks, fallbacks = [], 0
        for code in rows.keys() & columns.keys():
            block = theta[np.ix_(rows[code], columns[code])]
            if block.any():
                *parts, helped = safe_svd(block)
                blocks.append((code, *parts))
                fallbacks += helped
        blocks.sort(key=lambda block: block[0])
        ranks, discarded = _compete([s for _, _, s, _ in blocks], truncation.chi, truncation.cutoff)
        size, begin = sum(ranks), 0
        isometry, carried = np.zeros((left * p, size)), np.zeros((size, q * right))
        labels = np.empty((size, self.labels[0].shape[1]), np.int64)
        if not rightwards:
            isometry, carried = np.zeros((q * right, size)), np.zeros((size, left * p))
        for (code, u, s, vt), rank in zip(blocks, ranks, strict=True):
            end = begin + rank
            isometric, remaining = (rows[code], columns[code]) if rightwards else (columns[code], rows[code])
            kept, rest = (u[:, :rank], vt[:rank]) if rightwards else (vt[:rank].T, u[:, :rank].T)
            isometry[isometric, begin:end] = kept
            carried[begin:end, remaining] = s[:rank, None] * rest
            labels[begin:end] = seen_left[rows[code][0]]
            begin = end
        self._store(i, isometry, carried, labels, rightwards)
        return discarded, fallbacks

    def _store(self, i: int, isometry: Array, carried: Array, labels: Labels, rightwards: bool) -> None:
        tensors = self.state.tensors
        left, p, _ = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        first, second = (isometry, carried) if rightwards else (carried.T, isometry.T)
        tensors[i] = np.ascontiguousarray(first).reshape(left, p, -1)
        tensors[i + 1] = np.ascontiguousarray(second).reshape(-1, q, right)
        self.labels[i + 1] = labels


def _backwards(*sequences: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    return zip(*map(reversed, sequences), strict=True)


def _sectors(codes: Labels) -> dict[int, Index]:
    """Return for each charge the indices that carry it."""
    order = np.argsort(codes, kind="stable")
    values, starts = np.unique(codes[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _compete(values: Sequence[Array], chi: int, cutoff: float) -> tuple[list[int], float]:
    """Return how many singular values each block keeps, and the relative weight dropped."""
    merged = np.sort(np.concatenate(values) ** 2)[::-1]
    tail = np.cumsum(merged[::-1])[::-1]
    needed = max(1, min(chi, int(np.count_nonzero(tail > cutoff * tail[0]))))
    threshold = merged[needed - 1]
    ranks = [int(np.count_nonzero(s**2 >= threshold)) for s in values]
    dropped = float(tail[needed] / tail[0]) if needed < len(tail) else 0.0
    return ranks, dropped
