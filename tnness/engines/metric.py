"""The metric of a chain: weights of basis states, by which a state is scaled before it is truncated.

The plain norm of the scaled state is the norm that the metric defines. Weights are powers of 2, so that scaling and
scaling back are exact. Without a metric nothing is scaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.sparse.linalg import LinearOperator, svds

from tnness.errors import ModelError
from tnness.network.chain_state import Array, ChainState
from tnness.network.factored import FactoredGates
from tnness.network.trotter import Gates
from tnness.problems.generator import ChainGenerator
from tnness.streams import stream

LARGEST_DENSE = 512
"""Largest matrix of three sites whose norm is found by an SVD, which is then faster than an iteration."""
ROUGH, FEW = 0.01, 6
"""Relative error of the norm of a larger one, and vectors that its iteration keeps."""


def scaled_state(state: ChainState, metric: Sequence[Array] | None, inverse: bool = False) -> ChainState:
    """Return the state with every basis state multiplied (inverse: divided) by its weight; it has no centre then."""
    if metric is None:
        return state
    factors = [1 / weights if inverse else weights for weights in metric]
    tensors = [t * f.astype(t.dtype)[None, :, None] for t, f in zip(state.tensors, factors, strict=True)]
    return ChainState(tensors, None, state.log_norm)


def scaled_bonds(generator: ChainGenerator) -> Sequence[Array]:
    """Return the generator as two-site matrices that act on scaled states: n - 1 matrices (D D', D D')."""
    metric = generator.metric
    if metric is None:
        return generator.merged_bonds
    weights = [np.kron(*pair) for pair in pairwise(metric)]
    return [w[:, None] * bond / w for w, bond in zip(weights, generator.merged_bonds, strict=True)]


def gates_of(generator: ChainGenerator, dtype: np.dtype) -> Gates | FactoredGates:
    """Return the gates of a generator, as they act on scaled states."""
    if not generator.is_factored:
        return Gates(scaled_bonds(generator), dtype)
    if generator.metric is not None:
        raise ModelError("a chain with a metric has at least two sites, and none that are too large for a matrix")
    return FactoredGates(generator.site_terms, generator.small_bonds, generator.coherent, dtype)


def strength_of(generator: ChainGenerator) -> float:
    """Return the largest spectral norm (1 / time) of a bond with its share of one-site terms, or an upper bound."""
    if not generator.is_factored:
        return max(float(np.linalg.norm(bond, 2)) for bond in generator.merged_bonds)
    sites = [float(np.linalg.norm(matrix, 2)) for matrix in generator.site_terms]
    shares = [size * (1.0 if i in (0, generator.n - 1) else 0.5) for i, size in enumerate(sites)]
    strengths = [max(sites)]
    for i, bond in enumerate(generator.small_bonds):
        own = generator.coherent[i].spread if bond is None else float(np.linalg.norm(bond, 2))
        strengths.append(own + shares[i] + shares[i + 1])
    return max(strengths)


def scaled_covectors(generator: ChainGenerator) -> Sequence[Array]:
    """Return the covectors of the trace, as they read scaled states: n covectors (D,)."""
    trace = generator.functionals["trace"]
    if generator.metric is None:
        return trace
    return [vector / weights for vector, weights in zip(trace, generator.metric, strict=True)]


def quickness_of(generator: ChainGenerator) -> float:
    """Return the root of the largest |[G_b, G_b+1]| (1 / time): commutators of neighbours set the Trotter error."""
    norms = {}
    for bond, pair in enumerate(pairwise(generator.merged_bonds)):
        key = tuple(matrix.tobytes() for matrix in pair)
        if key not in norms:
            norms[key] = _commutator_norm(*pair, generator.dims[bond], generator.dims[bond + 2])
    return math.sqrt(max(norms.values(), default=0.0))


def _commutator_norm(first: Array, second: Array, before: int, after: int) -> float:
    """Return |[G_1, G_2]| of two bonds that share a site; before, after: the dimensions of the outer sites."""
    size = len(first) * after
    if size <= LARGEST_DENSE:
        a, b = np.kron(first, np.eye(after)), np.kron(np.eye(before), second)
        return float(np.linalg.norm(a @ b - b @ a, 2))

    def act(v: Array, x: Array, y: Array) -> Array:
        """Return X Y v - Y X v, X on the left two sites and Y on the right two."""
        right = (v.reshape(before, -1) @ y.T).reshape(len(first), -1)
        left = (x @ v.reshape(len(first), -1)).reshape(before, -1)
        return (x @ right).ravel() - (left @ y.T).ravel()

    start = stream(0, "commutator").standard_normal(size)
    if not act(start, first, second).any():
        return 0.0
    commutator = LinearOperator(
        (size, size), lambda v: act(v, first, second), lambda v: -act(v, first.T, second.T), dtype=float
    )
    return float(svds(commutator, k=1, ncv=FEW, tol=ROUGH, v0=start, return_singular_vectors=False)[0])
