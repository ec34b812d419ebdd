"""Eigenvalues of largest modulus of a linear map, by a block Krylov space with full orthogonalisation.

Blocks have two advantages: a multiple eigenvalue comes with all its vectors, and the map acts on matrices, which is
fast.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

SPACE_GROWTH = 1.2
"""The eigenvalues are computed each time the space has grown by this factor: that takes as long as the map."""


def dominant(
    apply: Callable[[Complex], Complex], start: Complex, least: float, sharp: float, tolerance: float, guess: int
) -> tuple[Complex, Complex, Real] | None:
    """Return all eigenvalues theta with |theta| > least, their vectors (size, count), and their relative residuals.

    The space grows until all their relative residuals are within the tolerance; that of an eigenvalue below `sharp` may
    be (sharp / |theta|)^4 times larger. If the space has no more room before that, return None.

    Parameters
    ----------
    apply: the map of (size, block) to itself. start: (size, block), independent columns. guess: about how many
        eigenvalues there are.
    """
    size, block = start.shape
    most = size // 2
    basis = np.empty((size, most), complex, order="F")
    projected = np.zeros((most, most), complex)
    basis[:, :block], _ = np.linalg.qr(start)
    test = 2 * guess + 5 * block
    for done in range(block, most - block + 1, block):
        last = slice(done - block, done)
        space = basis[:, :done]
        image = apply(basis[:, last])
        for _ in range(2):
            overlap = (image.conj().T @ space).conj().T  # the conjugate of the small factor is the cheaper one
            image -= space @ overlap
            projected[:done, last] += overlap
        basis[:, done : done + block], rest = np.linalg.qr(image)
        if done >= test:
            test = int(SPACE_GROWTH * done) + 1
            theta, vectors = np.linalg.eig(projected[:done, :done])
            chosen = np.abs(theta) > least
            size_of = np.abs(theta[chosen])
            residual = np.linalg.norm(rest @ vectors[last, chosen], axis=0) / size_of
            allowed = tolerance * np.maximum(1, sharp / size_of) ** 4
            if chosen.sum() + block <= done and np.all(residual <= allowed):
                return theta[chosen], space @ vectors[:, chosen], residual
        projected[done : done + block, last] = rest
    return None
