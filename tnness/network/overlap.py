"""Overlaps of two matrix-product states, perhaps with a layer of gates between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tnness.network.chain_state import Array, ChainState
from tnness.network.sweep import theta_of


class Overlap(NamedTuple):
    """The number mantissa * exp(logarithm)."""

    mantissa: float
    logarithm: float

    @property
    def value(self) -> float:
        """The number itself; it may under- or overflow."""
        return self.mantissa * math.exp(self.logarithm) if self.mantissa else 0.0


def overlap(first: ChainState, second: ChainState, gates: Sequence[Array | None] | None = None) -> Overlap:
    """Return sum_xy a(x) U(x, y) b(y) of two real states.

    gates: U, one layer: per bond a matrix (D D', D D') or None, no two on neighbouring bonds; default: the identity.

    >>> up = ChainState.product([[1.0, 0.0], [0.0, 2.0]])
    >>> round(overlap(up, up).value, 12)
    4.0
    """
    carry, logarithm, i = np.ones((1, 1)), first.log_norm + second.log_norm, 0
    while i < first.n:
        carry = np.tensordot(carry, first.tensors[i], (0, 0))  # (b, p, a)
        gate = gates[i] if gates is not None and i < first.n - 1 else None
        if gate is None:
            carry, i = np.tensordot(carry, second.tensors[i], ((0, 1), (0, 1))), i + 1
        else:
            left, p, _ = second.tensors[i].shape
            _, q, right = second.tensors[i + 1].shape
            pair = theta_of(gate, second.tensors[i], second.tensors[i + 1]).reshape(left, p, q, right)
            carry = np.tensordot(carry, pair, ((0, 1), (0, 1)))  # (a, q, b)
            carry, i = np.tensordot(first.tensors[i + 1], carry, ((0, 1), (0, 1))), i + 2
        size = float(np.abs(carry).max())
        if size == 0:
            return Overlap(0.0, 0.0)
        carry = carry / size
        logarithm += math.log(size)
    return Overlap(float(carry.item()), logarithm)
