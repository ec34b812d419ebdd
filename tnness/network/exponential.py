"""exp(t A) v for an operator of which only products with vectors are known: Arnoldi's method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.errors import NumericalError

Real = NDArray[np.float64]

LARGEST_SPACE = 30
"""Largest Krylov space; a time for which it is not enough is halved."""
MOST_HALVINGS = 12


def exponential(apply: Callable[[Real], Real], vector: Real, time: float, tolerance: float = 1e-10) -> Real:
    """Return exp(time A) v, to a relative accuracy.

    Parameters
    ----------
    apply: v -> A v, of any shape. tolerance: of the result, relative to |v|.

    Raises
    ------
    NumericalError: no convergence.

    >>> matrix = np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> exponential(lambda v: matrix @ v, np.array([1.0, 0.0]), np.pi / 2).round(9).tolist()
    [0.0, -1.0]
    """
    left, piece = time, time
    for _ in range(2**MOST_HALVINGS):
        result = _krylov(apply, vector, piece, tolerance)
        if result is None:
            piece /= 2
            if abs(piece) < abs(time) / 2**MOST_HALVINGS:
                break
            continue
        vector, left = result, left - piece
        if abs(left) <= 1e-14 * abs(time):
            return vector
        piece = min(piece, left, key=abs)
    raise NumericalError(f"the exponential of a local operator did not converge to {tolerance:.0e}")


def _krylov(apply: Callable[[Real], Real], vector: Real, time: float, tolerance: float) -> Real | None:
    """Return exp(time A) v from one Krylov space, or None where it would have to be too large."""
    size = float(np.linalg.norm(vector))
    if size == 0 or time == 0:
        return vector
    basis = np.empty((min(LARGEST_SPACE, vector.size) + 1, vector.size))
    hessenberg = np.zeros((len(basis), len(basis) - 1))
    basis[0] = vector.ravel() / size
    for k in range(len(basis) - 1):
        image = apply(basis[k].reshape(vector.shape)).ravel()
        length = float(np.linalg.norm(image))
        for _ in range(2):
            overlaps = basis[: k + 1] @ image
            image = image - overlaps @ basis[: k + 1]
            hessenberg[: k + 1, k] += overlaps
        rest = float(np.linalg.norm(image))
        is_complete = rest <= 1e-13 * max(length, 1e-300) or k + 1 == vector.size
        if is_complete or k >= 2:
            weights = linalg.expm(time * hessenberg[: k + 1, : k + 1])[:, 0]
            if is_complete or abs(time) * rest * abs(weights[-1]) <= tolerance:
                return size * (weights @ basis[: k + 1]).reshape(vector.shape)
        hessenberg[k + 1, k] = rest
        basis[k + 1] = image / rest
    return None
