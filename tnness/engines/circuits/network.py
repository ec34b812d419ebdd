"""A density operator as a matrix-product state under random gates, by the sweeps of `tebd`.

A sweep moves the orthogonality centre from end to end. On the way it applies every gate whose predecessors on both
sites are done, so one sweep covers more than one layer. Consecutive gates on one bond are multiplied first. The maps of
the reservoirs are not isometries; each acts while the centre is at its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.circuits.states import chain_state
from tnness.engines.initial import Initial
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.orthonormal import householder
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Split, Truncation, split_svd
from tnness.problems.circuit import Circuit, GateSequence
from tnness.records.snapshot import Snapshot
from tnness.streams import restore_stream, save_stream, stream

Array = NDArray[Any]


class LargeGates(Truncation):
    """Truncation for single gates that may multiply a bond dimension.

    If the new bond fits into chi, the split is exact. If the old bond is smaller than chi, the split is an SVD. The
    warm-started methods therefore start only from a bond of full size, which they keep.
    """

    def split(self, matrix: Array, guess: Array | None, rng: np.random.Generator, *kept: Any) -> Split:
        """Split `matrix` (m, n): exactly if m or n is at most chi."""
        rows, columns = matrix.shape
        if rows <= min(columns, self.chi):
            return Split(np.eye(rows, dtype=matrix.dtype), matrix, 0.0)
        if columns <= self.chi:
            exact = householder(matrix)
            return Split(exact.basis, exact.factor, 0.0)
        if guess is None or len(guess) < self.chi:
            return split_svd(matrix, None, self, rng)
        return super().split(matrix, guess, rng, *kept)


class NetworkState:
    """A matrix-product density operator.

    Parameters
    ----------
    truncation: truncation of the bonds. dtype: "float64" or "float32". seed: seed of the random directions in which
        bonds grow.
    """

    def __init__(
        self, circuit: Circuit, initial: Initial, truncation: Truncation, dtype: str = "float64", seed: int = 0
    ) -> None:
        self.law, self.truncation = circuit, LargeGates(**asdict(truncation))
        self.state = chain_state(circuit, initial).copy(np.dtype(dtype))
        self.state.canonicalise(0)
        self.rng = stream(seed, "truncation")
        self.trace = [space.trace for space in circuit.spaces]
        self.dropped, self.fallbacks, self.largest = 0.0, 0, 1

    def apply(self, gates: GateSequence) -> None:
        """Apply gates one after another."""
        maps = zip(gates.bonds.tolist(), self.law.maps(gates), strict=True)
        acting = [(bond, matrix.astype(self.state.dtype, copy=False)) for bond, matrix in maps if not _is_one(matrix)]
        queue = Queue([bond for bond, _ in acting], [matrix for _, matrix in acting], self.law.n)
        while queue:
            self._sweep(queue, rightwards=self.state.centre == 0)
        self.state.normalise()

    def _sweep(self, queue: Queue, rightwards: bool) -> None:
        n = self.law.n
        order = range(n + 1) if rightwards else range(n, -1, -1)
        taken = [queue.take(bond) for bond in order]
        if not rightwards:
            taken.reverse()
        self._end(0 if rightwards else n, taken)
        if any(matrix is not None for matrix in taken[1:n]) or taken[n if rightwards else 0] is not None:
            dropped, helped = sweep_layer(self.state, taken[1:n], self.truncation, self.rng, self.trace)
            self.dropped, self.fallbacks = self.dropped + dropped, self.fallbacks + helped
            self.largest = max(self.largest, *self.state.bond_dimensions)
            self._end(n if rightwards else 0, taken)

    def _end(self, bond: int, taken: Sequence[Array | None]) -> None:
        """Apply the map of the reservoir at one end; the centre must be there."""
        matrix = taken[bond]
        if matrix is not None:
            site = min(bond, self.law.n - 1)
            self.state.tensors[site] = np.ascontiguousarray(
                np.tensordot(matrix, self.state.tensors[site], (1, 1)).transpose(1, 0, 2)
            )

    def view(self) -> ChainView:
        """Return a view of the present state."""
        return ChainView(self.state.copy(), self.law.spaces, {"trace": self.trace})

    def figures(self) -> dict[str, float]:
        """Return the weight dropped in all splits, the largest bond dimension, and the number of LAPACK fallbacks."""
        largest, fallbacks = float(self.largest), float(self.fallbacks)
        return {"weight_dropped": self.dropped, "bond_dimension": largest, "qr_fallbacks": fallbacks}

    def save(self) -> Snapshot:
        """Return the tensors, the stream of random directions, and the sums for the certificate."""
        arrays: dict[str, Array] = {f"tensor_{i:04d}": tensor for i, tensor in enumerate(self.state.tensors)}
        assert self.state.centre is not None
        numbers = {"centre": self.state.centre, "log_norm": self.state.log_norm, "dropped": self.dropped}
        numbers |= {"fallbacks": self.fallbacks, "largest": self.largest}
        return Snapshot(arrays | {"directions": save_stream(self.rng)}, numbers)

    def load(self, snapshot: Snapshot) -> None:
        """Become the state that was saved."""
        arrays, numbers = snapshot.arrays, snapshot.numbers
        tensors = [arrays[name] for name in sorted(arrays) if name.startswith("tensor_")]
        self.state = ChainState(tensors, int(numbers["centre"]), float(numbers["log_norm"]))
        self.rng = restore_stream(arrays["directions"])
        self.dropped, self.fallbacks = float(numbers["dropped"]), int(numbers["fallbacks"])
        self.largest = int(numbers["largest"])


def _is_one(matrix: Array) -> bool:
    return bool(np.abs(matrix - np.eye(len(matrix))).max() < 1e-15)


class Queue:
    """A queue of gates, each of which waits for the earlier gates on its two sites.

    bonds: the bond of each gate, 0 to n. maps: the map of each gate.

    >>> queue = Queue([1, 2, 1], [np.eye(1)] * 3, 3)
    >>> [queue.take(bond) is not None for bond in (1, 2, 1)], bool(queue)
    ([True, True, True], False)
    """

    def __init__(self, bonds: Sequence[int] | Array, maps: Sequence[Array], n: int) -> None:
        self.maps, self.left = maps, len(maps)
        self.sites: list[deque[tuple[int, int]]] = [deque() for _ in range(n + 2)]  # site s stands at s + 1
        for number, bond in enumerate(np.asarray(bonds).tolist()):
            for place in (bond, bond + 1):
                self.sites[place].append((number, bond))

    def __bool__(self) -> bool:
        return self.left > 0

    def take(self, bond: int) -> Array | None:
        """Remove the gates of a bond that come next on both of its sites; return their product, or None."""
        first, second = self.sites[bond], self.sites[bond + 1]
        product = None
        while first and second and first[0] == second[0] and first[0][1] == bond:
            number, _ = first.popleft()
            second.popleft()
            self.left -= 1
            product = self.maps[number] if product is None else self.maps[number] @ product
        return product
