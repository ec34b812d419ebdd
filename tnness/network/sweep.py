"""Sweeps: one layer of gates on a `ChainState`, with an exact orthogonality centre throughout.

Even and odd layers are alternating left-right and right-left sweeps: gates on one half of the bonds, QR on the others,
so that every truncation happens at the centre even though dissipative gates are not isometries. Each split is
warm-started from the tensor it replaces (see `tnness.network.truncation`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tnness.network.chain_state import Array, ChainState
from tnness.network.factored import FactoredGate
from tnness.network.marginals import Traces
from tnness.network.orthonormal import cholesky
from tnness.network.truncation import Truncation
from tnness.operators.ketbra import KetBra

Gate = Array | FactoredGate
"""What a layer does at a bond."""


def sweep_layer(
    state: ChainState,
    gates: Sequence[Gate | None],
    truncation: Truncation,
    rng: np.random.Generator,
    trace: Sequence[Array] | None = None,
) -> tuple[float, int]:
    """Apply one layer of gates, moving the centre from one end of the chain to the other.

    Parameters
    ----------
    state: centre at site 0 or n - 1 (elsewhere it is moved to 0 first); changed in place.
    gates: per bond a matrix (D D', D D'), a `FactoredGate` or None; on a single site, one for its non-existent bond.
    truncation: how the bonds with a gate are split.
    rng: for random directions, where a bond grows.
    trace: one covector per site, for a method that keeps marginals; without it none are kept.

    Returns
    -------
    The sum of the relative discarded weights, and the number of LAPACK fallbacks.
    """
    if state.n == 1:
        for gate in gates:
            state.tensors[0] = _on_sites(gate, state.tensors[0], state.tensors[0])[0]
        return 0.0, 0
    if state.centre != state.n - 1:
        state.move_centre(0)
    rightwards = state.centre == 0
    traces = Traces(state, trace, rightwards) if trace is not None and truncation.keeps else None
    sweep_over = sweep_right if rightwards else sweep_left
    result = sweep_over(state.tensors, gates, truncation, rng, traces)
    state.centre = state.n - 1 if rightwards else 0
    return result


def sweep_right(
    tensors: list[Array],
    gates: Sequence[Gate | None],
    truncation: Truncation,
    rng: np.random.Generator,
    traces: Traces | None = None,
) -> tuple[float, int]:
    """Apply a layer to tensors whose centre is the first; it is the last afterwards. See `sweep_layer`."""
    discarded, fallbacks = 0.0, 0
    for i, given in enumerate(gates):
        old = tensors[i + 1]
        tensors[i], tensors[i + 1], gate = _on_sites(given, tensors[i], tensors[i + 1])
        left, p, bond = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        if gate is None:
            qr = cholesky(tensors[i].reshape(left * p, bond))
            isometry, helped = qr.basis, qr.fallbacks
            tensors[i + 1] = (qr.factor @ tensors[i + 1].reshape(bond, q * right)).reshape(-1, q, right)
        else:
            guess = old.reshape(bond, q * right)
            theta = theta_of(gate, tensors[i], tensors[i + 1])  # (left p, q right)
            split = truncation.split(theta, guess, rng, *(() if traces is None else (traces.across(i, p, q),)))
            isometry, helped = split.isometry, split.fallbacks
            tensors[i + 1] = np.ascontiguousarray(split.remainder).reshape(-1, q, right)
            discarded += split.discarded
        tensors[i] = np.ascontiguousarray(isometry).reshape(left, p, -1)
        fallbacks += helped
        if traces is not None:
            traces.passed_right(i, tensors[i])
    return discarded, fallbacks


def sweep_left(
    tensors: list[Array],
    gates: Sequence[Gate | None],
    truncation: Truncation,
    rng: np.random.Generator,
    traces: Traces | None = None,
) -> tuple[float, int]:
    """Apply a layer to tensors whose centre is the last; it is the first afterwards. See `sweep_layer`."""
    discarded, fallbacks = 0.0, 0
    for i in range(len(tensors) - 2, -1, -1):
        old = tensors[i]
        tensors[i], tensors[i + 1], gate = _on_sites(gates[i], tensors[i], tensors[i + 1])
        left, p, bond = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        if gate is None:
            qr = cholesky(tensors[i + 1].reshape(bond, q * right).T)
            isometry, helped = qr.basis, qr.fallbacks
            tensors[i] = (tensors[i].reshape(left * p, bond) @ qr.factor.T).reshape(left, p, -1)
        else:
            guess = old.reshape(left * p, bond).T
            theta = theta_of(gate, tensors[i], tensors[i + 1])  # (left p, q right)
            kept = () if traces is None else (traces.across(i, p, q).transposed(),)
            split = truncation.split(theta.T, guess, rng, *kept)
            isometry, helped = split.isometry, split.fallbacks
            tensors[i] = np.ascontiguousarray(split.remainder.T).reshape(left, p, -1)
            discarded += split.discarded
        tensors[i + 1] = np.ascontiguousarray(isometry.T).reshape(-1, q, right)
        fallbacks += helped
        if traces is not None:
            traces.passed_left(i + 1, tensors[i + 1])
    return discarded, fallbacks


def theta_of(gate: Array | KetBra, first: Array, second: Array) -> Array:
    """Contract two neighbours and apply a gate: (left p, q right)."""
    if isinstance(gate, KetBra):
        return gate.theta(first, second)
    left, p, bond = first.shape
    _, q, right = second.shape
    pair = first.reshape(left * p, bond) @ second.reshape(bond, q * right)
    return np.matmul(gate, pair.reshape(left, p * q, right)).reshape(left * p, q * right)


def _on_sites(gate: Gate | None, first: Array, second: Array) -> tuple[Array, Array, Array | KetBra | None]:
    """Apply the one-site maps of a gate to the tensors of its sites; return them, and what acts on the bond."""
    if not isinstance(gate, FactoredGate):
        return first, second, gate
    return _mapped(gate.first, first), _mapped(gate.second, second), gate.bond


def _mapped(matrix: Array | None, tensor: Array) -> Array:
    """Apply a map (D, D) to the physical index of a tensor."""
    return tensor if matrix is None else np.matmul(matrix, tensor)
