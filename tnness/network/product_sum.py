"""Sums of products of one vector per site, as matrix-product states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import Array, ChainState
from tnness.network.truncation import Truncation

Real = NDArray[np.float64]

LOSSLESS = 1e-28
"""Relative weight that a compression without loss may drop: that of round-off."""


def product_sum(products: Sequence[Sequence[Array]], weights: Sequence[complex]) -> ChainState:
    """Return the real part of sum_k w_k prod_i v_ki as a chain, canonical at site 0 and compressed without loss.

    Parameters
    ----------
    products: for each k one vector (D_i,) per site, real or complex. weights: one number each.

    >>> up, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    >>> product_sum([[up, down], [up, up]], [2.0, -1.0]).dense().round(12).tolist()
    [-1.0, 2.0, 0.0, 0.0]
    """
    count, last, tensors = len(products), len(products[0]) - 1, list[Real]()
    given = [*weights, *(v for vectors in products for v in vectors)]
    pairs = any(bool(np.any(np.imag(numbers))) for numbers in given)
    for i in range(last + 1):
        vectors = np.array([np.asarray(vectors[i], complex) for vectors in products])
        if i == last:
            vectors = vectors * np.array(weights, complex)[:, None]
        tensor = np.zeros((count, vectors.shape[1], count), complex)
        tensor[np.arange(count), :, np.arange(count)] = vectors
        tensor = tensor.sum(axis=0, keepdims=True) if i == 0 else tensor
        tensor = tensor.sum(axis=2, keepdims=True) if i == last else tensor
        tensors.append(as_pairs(tensor, i == 0, i == last) if pairs else np.real(tensor))
    state = ChainState(tensors)
    state.compress(Truncation(chi=max(1, 2 * count), cutoff=LOSSLESS, method="svd"))
    return state


def as_pairs(tensor: Array, first: bool, last: bool) -> Real:
    """Return a complex tensor as a real one that acts on pairs (real part, imaginary part) of its bonds."""
    left, dim, right = tensor.shape
    doubled = np.zeros((2, left, dim, 2, right))
    doubled[0, :, :, 0] = doubled[1, :, :, 1] = np.real(tensor)
    doubled[0, :, :, 1], doubled[1, :, :, 0] = np.imag(tensor), -np.imag(tensor)
    doubled = doubled[:1] if first else doubled  # it begins with the real number 1
    doubled = doubled[:, :, :, :1] if last else doubled  # and ends with the real part
    return doubled.reshape(-1, dim, right if last else 2 * right)
