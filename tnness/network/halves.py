"""Sweeps over both halves of a chain at once, with an exact orthogonality centre in each.

With the centre C on the bond in the middle, the state is L C R. Gates on the left half see L C, with the orthonormal R
as if it were one more index, and gates on the right half see C R. Both go from the middle outwards in one layer, and
come back in the next, at the same time. They leave L' Y and Y' R', and the state

    L' (Y C^-1 Y') R',

from which the next pair of layers starts. Small singular values of C do no harm: what C^-1 divides by, Y and Y' have as
a factor. A gate on the middle bond acts while C is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy.linalg as linalg

from tnness.network.chain_state import Array, ChainState
from tnness.network.orthonormal import cholesky
from tnness.network.sweep import sweep_left, sweep_right, theta_of
from tnness.network.truncation import Truncation

SHORTEST = 4
"""Sites from which a chain has two halves that can sweep."""
RANK = 1e-13
"""Pivot of the centre, relative to its largest, below which its rank ends."""

Layer = Sequence[Array | None]
"""Per bond a matrix (D D', D D'), or None."""


class Half(Protocol):
    """One half of a chain, here or in another process; its edge is the tensor next to the middle."""

    def begin(self, tensors: list[Array], truncation: Truncation) -> None:
        """Take the tensors of this half."""

    def outwards(self, edge: Array, gates: Layer, rng: np.random.Generator) -> None:
        """Begin a layer from the middle to the end. edge: the edge with the centre on its inner bond."""

    def back(self, gates: Layer, rng: np.random.Generator) -> None:
        """Begin a layer from the end to the middle."""

    def done(self) -> tuple[float, int]:
        """Wait for the layer; return its discarded weight and the number of fallbacks."""
        ...

    def border(self) -> tuple[Array, Array]:
        """Split the edge; return the factor (new bond, old bond) and the isometry."""
        ...

    def end(self) -> list[Array]:
        """Return the tensors."""
        ...


class LeftHalf:
    """The left half, worked on in this process."""

    def begin(self, tensors: list[Array], truncation: Truncation) -> None:
        """Take the tensors."""
        self.tensors, self._truncation, self._fallbacks = tensors, truncation, 0

    def outwards(self, edge: Array, gates: Layer, rng: np.random.Generator) -> None:
        """Sweep to the left end."""
        self.tensors[-1] = edge
        self._result = sweep_left(self.tensors, gates, self._truncation, rng)

    def back(self, gates: Layer, rng: np.random.Generator) -> None:
        """Sweep to the middle."""
        self._result = sweep_right(self.tensors, gates, self._truncation, rng)

    def done(self) -> tuple[float, int]:
        """Return the discarded weight of the layer and the number of fallbacks."""
        return self._result

    def border(self) -> tuple[Array, Array]:
        """Make the last tensor an isometry; return Y of L Y, and L."""
        left, p, bond = self.tensors[-1].shape
        qr = cholesky(self.tensors[-1].reshape(left * p, bond))
        self.tensors[-1] = np.ascontiguousarray(qr.basis).reshape(left, p, -1)
        return qr.factor, self.tensors[-1]

    def end(self) -> list[Array]:
        """Return the tensors."""
        return self.tensors


class RightHalf(LeftHalf):
    """The right half, worked on in this process."""

    def outwards(self, edge: Array, gates: Layer, rng: np.random.Generator) -> None:
        """Sweep to the right end."""
        self.tensors[0] = edge
        self._result = sweep_right(self.tensors, gates, self._truncation, rng)

    def back(self, gates: Layer, rng: np.random.Generator) -> None:
        """Sweep to the middle."""
        self._result = sweep_left(self.tensors, gates, self._truncation, rng)

    def border(self) -> tuple[Array, Array]:
        """Make the first tensor an isometry; return the transpose of Y in Y R, and R."""
        factor, self.tensors[0] = centre_and_isometry(self.tensors[0])
        return factor.T, self.tensors[0]


def centre_and_isometry(tensor: Array) -> tuple[Array, Array]:
    """Return Y (bond, k) and the right-isometric R (k, q, right) of a tensor Y R."""
    bond, q, right = tensor.shape
    qr = cholesky(tensor.reshape(bond, q * right).T)
    return qr.factor.T, np.ascontiguousarray(qr.basis.T).reshape(-1, q, right)


class Halves:
    """A chain in two halves with a centre between them.

    Parameters
    ----------
    state: a canonical chain of at least `SHORTEST` sites, which is not changed. truncation: of every bond with a gate.
    right: what works on the right half; default: this process, after the left half.
    """

    def __init__(self, state: ChainState, truncation: Truncation, right: Half | None = None) -> None:
        self._truncation = truncation
        whole = ChainState(list(state.tensors), state.centre, state.log_norm)
        self._cut = whole.n // 2
        whole.move_centre(self._cut)
        self._log_norm, self._inside = whole.log_norm, True
        self._left, self._right = LeftHalf(), right or RightHalf()
        self._centre, self._last = centre_and_isometry(whole.tensors[self._cut])
        self._first = whole.tensors[self._cut - 1]
        self._left.begin(whole.tensors[: self._cut], truncation)
        self._right.begin(whole.tensors[self._cut :], truncation)

    def sweep(self, gates: Layer, rngs: Sequence[np.random.Generator]) -> tuple[float, int]:
        """Apply one layer of gates: outwards from the middle, or back to it.

        rngs: of the left half, the right half and the middle bond.

        Returns
        -------
        The sum of the relative discarded weights, and the number of LAPACK fallbacks.
        """
        left, middle, right = gates[: self._cut - 1], gates[self._cut - 1], gates[self._cut :]
        discarded, fallbacks = self._across(middle, rngs[2]) if self._inside else (0.0, 0)
        if self._inside:
            self._right.outwards(np.tensordot(self._centre, self._last, 1), right, rngs[1])
            self._left.outwards(np.tensordot(self._first, self._centre, 1), left, rngs[0])
        else:
            self._right.back(right, rngs[1])
            self._left.back(left, rngs[0])
        results = [(discarded, fallbacks), self._left.done(), self._right.done()]
        self._inside = not self._inside
        if self._inside:
            (before, self._first), (after, self._last) = self._left.border(), self._right.border()
            self._centre = before @ divided(self._centre, after.T)
            results.append(self._across(middle, rngs[2]))
        return sum(result[0] for result in results), sum(result[1] for result in results)

    def joined(self) -> ChainState:
        """Return the chain, with its centre on the first site of the right half."""
        if not self._inside:
            nothing = [None] * (self._cut + len(self._right.end()) - 1)
            self.sweep(nothing, [np.random.default_rng(0)] * 3)  # no gate, no random number
        tensors = [*self._left.end()[:-1], self._first, np.tensordot(self._centre, self._last, 1)]
        return ChainState([*tensors, *self._right.end()[1:]], self._cut, self._log_norm)

    def _across(self, gate: Array | None, rng: np.random.Generator) -> tuple[float, int]:
        """Apply a gate to the bond in the middle."""
        if gate is None:
            return 0.0, 0
        first, second = np.tensordot(self._first, self._centre, 1), self._last
        left, p, bond = first.shape
        _, q, right = second.shape
        split = self._truncation.split(theta_of(gate, first, second), second.reshape(bond, q * right), rng)
        self._first = np.ascontiguousarray(split.isometry).reshape(left, p, -1)
        remainder = np.ascontiguousarray(split.remainder).reshape(-1, q, right)
        self._centre, self._last = centre_and_isometry(remainder)
        return split.discarded, split.fallbacks


def divided(centre: Array, images: Array) -> Array:
    """Return X of C X = Y for a Y in the range of C, by QR with pivots.

    The pivots make the rows of the triangle as small as what they are multiplied by, so that errors are of the size of
    round-off in C X, whatever the condition of C.
    """
    basis, triangle, order = linalg.qr(centre, mode="economic", pivoting=True, check_finite=False)
    sizes = np.abs(np.diag(triangle))
    rank = int(np.count_nonzero(sizes > RANK * sizes[0]))
    rows = basis[:, :rank].conj().T @ images
    result = np.zeros((centre.shape[1], images.shape[1]), images.dtype)
    result[order[:rank]] = linalg.solve_triangular(triangle[:rank, :rank], rows, check_finite=False)
    return result
