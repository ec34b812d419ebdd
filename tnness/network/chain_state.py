"""`ChainState`: a matrix-product state with an orthogonality centre, generic in dtype.

P = exp(log_norm) * B_0 B_1 ... B_{n-1}, tensors in the index order (left, physical, right). Left of the centre they are
left-isometric, right of it right-isometric, so that the norm of the centre is the norm of the product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.errors import InputError
from tnness.network.orthonormal import householder
from tnness.network.truncation import Truncation, kept_rank, safe_svd
from tnness.typed import shown

Array = NDArray[Any]


@dataclass
class ChainState:
    """A matrix-product state.

    Parameters
    ----------
    tensors: n arrays (left, physical, right); the outer bonds have size 1.
    centre: site of the orthogonality centre, or None where there is none (call `canonicalise`).
    log_norm: logarithm of a factor kept outside the tensors (default 0), so that long chains cannot underflow.
    """

    tensors: list[Array]
    centre: int | None = None
    log_norm: float = field(default=0.0)

    def __post_init__(self) -> None:
        if not isinstance(self.tensors, (list, tuple)):
            raise InputError(f"a chain state is a list of tensors, got {shown(self.tensors)}")
        for i, tensor in enumerate(self.tensors):
            if not isinstance(tensor, np.ndarray) or tensor.ndim != 3:
                told = f"has shape {tensor.shape}" if isinstance(tensor, np.ndarray) else f"is {shown(tensor)}"
                raise InputError(f"tensor {i} must have indices (left, physical, right), but {told}")
        edges = [1, *(t.shape[2] for t in self.tensors)]
        for i, tensor in enumerate(self.tensors):
            if tensor.shape[0] != edges[i]:
                raise InputError(
                    f"tensor {i} has left bond {tensor.shape[0]}, its neighbour's right bond is {edges[i]}"
                )
        if not self.tensors or edges[-1] != 1:
            raise InputError("a chain state needs at least one tensor and outer bonds of size 1")

    @classmethod
    def product(cls, vectors: Sequence[ArrayLike], dtype: Any = float) -> ChainState:
        """Return the product state of n vectors (D_i,), canonical at site 0."""
        state = cls([np.asarray(v, dtype).reshape(1, -1, 1) for v in vectors])
        state.canonicalise(0)
        return state

    @classmethod
    def from_dense(cls, vector: ArrayLike, dims: Sequence[int], truncation: Truncation | None = None) -> ChainState:
        """Return the state of a dense vector (prod dims,) by successive SVDs; exact unless truncated."""
        truncation = truncation or Truncation(chi=10**9, cutoff=1e-30, method="svd")
        rest, tensors = np.asarray(vector).reshape(1, -1), []
        if rest.size != math.prod(dims):
            raise InputError(f"a vector of {rest.size} numbers does not fit local dimensions {tuple(dims)}")
        for dim in dims[:-1]:
            left = rest.shape[0]
            u, s, vt, _ = safe_svd(rest.reshape(left * dim, -1))
            rank = kept_rank(s, truncation.chi, truncation.cutoff)
            tensors.append(u[:, :rank].reshape(left, dim, rank))
            rest = s[:rank, None] * vt[:rank]
        tensors.append(rest.reshape(-1, dims[-1], 1))
        return cls(tensors, centre=len(dims) - 1)

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.tensors)

    @property
    def dims(self) -> tuple[int, ...]:
        """Physical dimensions."""
        return tuple(t.shape[1] for t in self.tensors)

    @property
    def bond_dimensions(self) -> tuple[int, ...]:
        """Sizes of the n - 1 inner bonds."""
        return tuple(t.shape[2] for t in self.tensors[:-1])

    @property
    def dtype(self) -> np.dtype:
        """Element type of the tensors."""
        return self.tensors[0].dtype

    def copy(self, dtype: Any = None) -> ChainState:
        """Return a deep copy, converted to `dtype` if one is given."""
        tensors = [np.array(t, dtype=dtype or t.dtype, order="C") for t in self.tensors]
        return ChainState(tensors, self.centre, self.log_norm)

    def canonicalise(self, centre: int = 0) -> None:
        """Make the state canonical with the given centre, and move its norm into `log_norm`.

        A state without a centre may be in any gauge; if it names a centre, its gauge is not checked.
        """
        if self.centre is None:
            for i in range(self.n - 1):
                self._rescale(i)
                self._push_right(i)
            self.centre = self.n - 1
        self.normalise()
        self.move_centre(centre)
        self.normalise()

    def move_centre(self, site: int) -> None:
        """Move the centre by QR; the state does not change."""
        if self.centre is None:
            raise InputError("the state has no orthogonality centre: canonicalise it first")
        while self.centre < site:
            self._push_right(self.centre)
            self.centre += 1
        while self.centre > site:
            self._push_left(self.centre)
            self.centre -= 1

    def normalise(self) -> None:
        """Move the norm of the centre tensor into `log_norm`."""
        assert self.centre is not None
        self._rescale(self.centre)

    def log_norm_squared(self) -> float:
        """Return ln <P|P> (ln of the purity, for a density matrix in a Hermitian basis)."""
        if self.centre is None:
            raise InputError("the state has no orthogonality centre: canonicalise it first")
        centre = self.tensors[self.centre]
        return 2 * self.log_norm + math.log(float(np.vdot(centre, centre).real))

    def singular_values(self, bond: int) -> Array:
        """Return the Schmidt values across a bond, normalised to sum s^2 = 1, largest first."""
        probe = ChainState(list(self.tensors), self.centre, self.log_norm)
        probe.move_centre(bond)
        values = safe_svd(probe.tensors[bond].reshape(-1, probe.tensors[bond].shape[2]).astype(float_of(self.dtype)))[1]
        return values / np.linalg.norm(values)

    def compress(self, truncation: Truncation) -> float:
        """Truncate every bond by SVD, optimally; return the largest relative discarded weight."""
        self.canonicalise(0)
        worst = 0.0
        for i in range(self.n - 1):
            left, dim, right = self.tensors[i].shape
            u, s, vt, _ = safe_svd(self.tensors[i].reshape(left * dim, right))
            rank = kept_rank(s, truncation.chi, truncation.cutoff)
            whole = float(np.sum(s**2))
            worst = max(worst, float(np.sum(s[rank:] ** 2)) / whole if whole > 0 else 0.0)
            self.tensors[i] = np.ascontiguousarray(u[:, :rank]).reshape(left, dim, rank)
            carry = s[:rank, None] * vt[:rank]
            self.tensors[i + 1] = np.tensordot(carry, self.tensors[i + 1], 1)
            self.centre = i + 1
        self.canonicalise(0)
        return worst

    def dense(self) -> Array:
        """Return the full vector (prod dims,): small chains only."""
        result = self.tensors[0]
        for tensor in self.tensors[1:]:
            result = np.tensordot(result, tensor, 1)
        return math.exp(self.log_norm) * result.reshape(-1)

    def memory(self) -> int:
        """Bytes held by the tensors."""
        return sum(t.nbytes for t in self.tensors)

    def _rescale(self, i: int) -> None:
        norm = float(np.linalg.norm(self.tensors[i]))
        if norm > 0:
            self.tensors[i] = self.tensors[i] / self.dtype.type(norm)
            self.log_norm += math.log(norm)

    def _push_right(self, i: int) -> None:
        left, dim, right = self.tensors[i].shape
        qr = householder(self.tensors[i].reshape(left * dim, right))
        self.tensors[i] = np.ascontiguousarray(qr.basis).reshape(left, dim, -1)
        self.tensors[i + 1] = np.ascontiguousarray(np.tensordot(qr.factor, self.tensors[i + 1], 1))

    def _push_left(self, i: int) -> None:
        left, dim, right = self.tensors[i].shape
        qr = householder(self.tensors[i].reshape(left, dim * right).T)  # (dim right, left)
        self.tensors[i] = np.ascontiguousarray(qr.basis.T).reshape(-1, dim, right)
        self.tensors[i - 1] = np.ascontiguousarray(np.tensordot(self.tensors[i - 1], qr.factor.T, 1))


def float_of(dtype: np.dtype) -> type:
    """Return the double-precision type that a measurement in this dtype uses."""
    return np.complex128 if np.dtype(dtype).kind == "c" else np.float64


def product_overlap(state: ChainState, vectors: Sequence[Array]) -> tuple[complex, float]:
    """Return <v_0 v_1 ...|P> as (mantissa, logarithm): mantissa * exp(logarithm). No conjugation of the covectors."""
    mantissa: complex = 1.0
    carry, logarithm = np.ones(1), state.log_norm
    for tensor, vector in zip(state.tensors, vectors, strict=True):
        carry = carry @ np.tensordot(vector, tensor.astype(float_of(tensor.dtype)), (0, 1))
        size = float(np.abs(carry).max())
        if size == 0:
            return 0.0, 0.0
        carry = carry / size
        logarithm += math.log(size)
    mantissa = carry.item()
    return mantissa, logarithm
