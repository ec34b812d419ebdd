"""Evolution of a `ChainState` by a matrix-product operator: the time-dependent variational principle on two sites.

The equation dP/dt = G P is projected on the two-site neighbourhood of the present state (Haegeman et al., Phys. Rev. B
94, 165116 (2016)). A step sweeps right and left: two sites go forward, the site that stays behind goes back. From a
product state the projection misses all that longer terms do: the first step is made by a Taylor series instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.network.exponential import exponential
from tnness.network.truncation import Truncation, kept_rank, safe_svd

Real = NDArray[np.float64]


def transfer_left(left: Real, bra: Real, operator: Real, ket: Real) -> Real:
    """Return an environment (bra, operator, ket) of the sites to the left, with one more site."""
    half = np.tensordot(left, ket, (2, 0))  # (a, w, p, r)
    half = np.tensordot(half, operator, ((1, 2), (0, 3)))  # (a, r, v, p')
    return np.tensordot(bra, half, ((0, 1), (0, 3))).transpose(0, 2, 1)  # (r', v, r)


def transfer_right(right: Real, bra: Real, operator: Real, ket: Real) -> Real:
    """Return an environment (bra, operator, ket) of the sites to the right, with one more site."""
    half = np.tensordot(ket, right, (2, 2))  # (l, p, r', v)
    half = np.tensordot(half, operator, ((1, 3), (3, 1)))  # (l, r', w, p')
    return np.tensordot(bra, half, ((1, 2), (3, 1))).transpose(0, 2, 1)  # (l', w, l)


def on_two(left: Real, first: Real, second: Real, right: Real, theta: Real) -> Real:
    """Return the projected operator times a two-site tensor (l, p, q, r)."""
    half = np.tensordot(left, theta, (2, 0))  # (a, w, p, q, r)
    half = np.tensordot(half, first, ((1, 2), (0, 3)))  # (a, q, r, v, p')
    half = np.tensordot(half, second, ((3, 1), (0, 3)))  # (a, r, p', u, q')
    return np.tensordot(half, right, ((3, 1), (1, 2)))  # (a, p', q', r')


def on_one(left: Real, operator: Real, right: Real, centre: Real) -> Real:
    """Return the projected operator times a one-site tensor (l, p, r)."""
    half = np.tensordot(left, centre, (2, 0))  # (a, w, p, r)
    half = np.tensordot(half, operator, ((1, 2), (0, 3)))  # (a, r, v, p')
    return np.tensordot(half, right, ((2, 1), (1, 2)))  # (a, p', r')


def two_site_step(
    state: ChainState, operator: Sequence[Real], time: float, truncation: Truncation, tolerance: float
) -> float:
    """Evolve a state by a time, second order; return the sum of the relative discarded weights.

    Parameters
    ----------
    state: changed in place; its centre is at site 0 afterwards. operator: tensors (left, right, out, in).
    truncation: of the bonds, by SVD. tolerance: of the local exponentials.
    """
    state.move_centre(0)
    n, tensors = state.n, state.tensors
    lefts, rights = [np.ones((1, 1, 1))] * n, [np.ones((1, 1, 1))] * n
    for i in range(n - 1, 1, -1):
        rights[i - 1] = transfer_right(rights[i], tensors[i], operator[i], tensors[i])
    half, dropped = time / 2, 0.0
    for rightwards in (True, False):
        for i in range(n - 1) if rightwards else range(n - 2, -1, -1):
            theta = np.tensordot(tensors[i], tensors[i + 1], 1)
            environments = lefts[i], operator[i], operator[i + 1], rights[i + 1]
            theta = exponential(lambda v, e=environments: on_two(*e, v), theta, half, tolerance)
            tensors[i], tensors[i + 1], weight = _split(theta, truncation, rightwards)
            dropped += weight
            if rightwards and i < n - 2:
                lefts[i + 1] = transfer_left(lefts[i], tensors[i], operator[i], tensors[i])
                around = lefts[i + 1], operator[i + 1], rights[i + 1]
                tensors[i + 1] = exponential(lambda v, e=around: on_one(*e, v), tensors[i + 1], -half, tolerance)
            if not rightwards and i > 0:
                rights[i] = transfer_right(rights[i + 1], tensors[i + 1], operator[i + 1], tensors[i + 1])
                around = lefts[i], operator[i], rights[i]
                tensors[i] = exponential(lambda v, e=around: on_one(*e, v), tensors[i], -half, tolerance)
        state.centre = n - 1 if rightwards else 0
    return dropped


def taylor_step(
    state: ChainState, operator: Sequence[Real], time: float, truncation: Truncation, order: int = 4
) -> ChainState:
    """Return sum_k (time G)^k / k! P up to an order, with compressed bonds: it finds directions that no sweep finds."""
    result = state
    for k in range(order, 0, -1):
        result = added(state, applied_operator(operator, result, time / k))
        result.compress(truncation)
    return result


def applied_operator(operator: Sequence[Real], state: ChainState, factor: float = 1.0) -> ChainState:
    """Return factor G P, exactly; bonds are products of bonds."""
    tensors = []
    for part, tensor in zip(operator, state.tensors, strict=True):
        product = np.tensordot(part, tensor, (3, 1)).transpose(0, 3, 2, 1, 4)  # (w, l, p', v, r)
        w, left, dim, v, right = product.shape
        tensors.append(product.reshape(w * left, dim, v * right))
    tensors[0] = factor * tensors[0]
    return ChainState(tensors, None, state.log_norm)


def added(first: ChainState, second: ChainState) -> ChainState:
    """Return the sum of two states; bonds add up."""
    shift = max(first.log_norm, second.log_norm)
    tensors = []
    for i, (a, b) in enumerate(zip(first.tensors, second.tensors, strict=True)):
        if i == 0:
            a, b = math.exp(first.log_norm - shift) * a, math.exp(second.log_norm - shift) * b
        joint = np.zeros((a.shape[0] + b.shape[0], a.shape[1], a.shape[2] + b.shape[2]))
        joint[: a.shape[0], :, : a.shape[2]], joint[a.shape[0] :, :, a.shape[2] :] = a, b
        if i == 0:
            joint = joint.sum(axis=0, keepdims=True)
        if i == first.n - 1:
            joint = joint.sum(axis=2, keepdims=True)
        tensors.append(joint)
    return ChainState(tensors, None, shift)


def summed(weights: Sequence[float] | Real, states: Sequence[ChainState]) -> ChainState:
    """Return sum_k w_k P_k of at least one state, with bonds that add up."""
    whole: ChainState | None = None
    for weight, state in zip(weights, states, strict=True):
        part = ChainState([float(weight) * state.tensors[0], *state.tensors[1:]], None, state.log_norm)
        whole = part if whole is None else added(whole, part)
    assert whole is not None
    return whole


def change_of(operator: Sequence[Real], state: ChainState) -> float:
    """Return |G P| / |P|."""
    norm = np.ones((1, 1))
    square, logarithm = np.ones((1, 1, 1, 1)), 0.0  # (bra, operator, operator, ket)
    for part, tensor in zip(operator, state.tensors, strict=True):
        norm = np.tensordot(np.tensordot(norm, tensor, (1, 0)), tensor, ((0, 1), (0, 1))).T
        half = np.tensordot(square, tensor, (3, 0))  # (a, w, w', p, r)
        half = np.tensordot(half, part, ((2, 3), (0, 3)))  # (a, w, r, v', o)
        half = np.tensordot(half, part, ((1, 4), (0, 2)))  # (a, r, v', v, p')
        square = np.tensordot(half, tensor, ((0, 4), (0, 1))).transpose(3, 2, 1, 0)
        size, other = float(np.abs(norm).max()), float(np.abs(square).max())
        norm, square = norm / size, square / max(other, 1e-300)
        logarithm += math.log(max(other, 1e-300)) - math.log(size)
    return math.sqrt(max(0.0, float(square.item() / norm.item()) * math.exp(logarithm)))


def _split(theta: Real, truncation: Truncation, rightwards: bool) -> tuple[Real, Real, float]:
    """Split a two-site tensor; its weight goes to the site that the sweep turns to next."""
    left, p, q, right = theta.shape
    u, s, vt, _ = safe_svd(theta.reshape(left * p, q * right))
    rank = kept_rank(s, truncation.chi, truncation.cutoff)
    dropped = float(np.sum(s[rank:] ** 2) / np.sum(s**2))
    first, second = u[:, :rank], vt[:rank]
    if rightwards:
        second = s[:rank, None] * second
    else:
        first = first * s[:rank]
    shape = (left, p, rank), (rank, q, right)
    return np.ascontiguousarray(first).reshape(shape[0]), np.ascontiguousarray(second).reshape(shape[1]), dropped
