"""The steady states of a small chain that has several: the one that belongs to a start.

If the null space of G has k dimensions, with right null vectors R and left null vectors L, the state rho goes to
R (L^T R)^{-1} L^T rho: the left null vectors are what the chain conserves. Parts that oscillate for ever average to 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from tnness.errors import NumericalError
from tnness.problems.generator import ChainGenerator, Real
from tnness.streams import stream

NULL_SHIFT = 1e-11
"""Shift of the factorised matrix, relative to |G|: an iteration shrinks all but the null vectors by shift / gap."""
NULL = 1e-9
"""Largest |G v| of a null vector, relative to |G|, for |v| = 1."""
FEWEST, MOST = 8, 512
"""Numbers of vectors that are iterated at first, and at most."""
ITERATIONS = 3


def settled_from(generator: ChainGenerator, vector: Real, seed: int = 0) -> tuple[Real, int]:
    """Return the steady state that a start goes to (on average, where it oscillates), and how many there are.

    Parameters
    ----------
    generator: of a chain whose sparse matrix can be factorised. vector: the start (prod D,).

    Returns
    -------
    The projection of the start on the null space, and the dimension of that space.

    Raises
    ------
    NumericalError: there are more than MOST steady states, or G has no complete set of eigenvectors at 0.

    >>> from tnness import Lindbladian, bit
    >>> chain = Lindbladian([bit] * 2)
    >>> chain.jump(bit.Sm(0) * bit.Sp(1))
    >>> chain.jump(bit.Sp(0) * bit.Sm(1))
    >>> steady, count = settled_from(chain.generator(), np.array([0.0, 1.0, 0.0, 0.0]))
    >>> [round(abs(float(p)), 6) for p in steady], count
    ([0.0, 0.5, 0.5, 0.0], 3)
    """
    matrix = generator.matrix().tocsc()
    size = matrix.shape[0]
    shifted = matrix - NULL_SHIFT * generator.scale * sparse.eye_array(size, format="csc")
    factors = sparse_linalg.splu(sparse.csc_matrix(shifted))
    count = FEWEST
    while True:
        wanted = min(count, size)
        right = _null_vectors(matrix, factors.solve, generator.scale, wanted, seed)
        if right.shape[1] < wanted or wanted == size:
            break
        if count >= MOST:
            raise NumericalError(f"the chain has more than {MOST} steady states: a larger part of it is closed")
        count *= 2
    left = _null_vectors(matrix.T.tocsc(), lambda b: factors.solve(b, "T"), generator.scale, wanted, seed)  # type: ignore[call-overload]
    overlap = left.T @ right
    if left.shape != right.shape or np.linalg.cond(overlap) > 1e10:
        raise NumericalError("the generator's null vectors are incomplete: part of the chain does not settle")
    return right @ np.linalg.solve(overlap, left.T @ vector), right.shape[1]


def _null_vectors(matrix: sparse.csc_array, solve: Callable[[Real], Real], scale: float, count: int, seed: int) -> Real:
    """Return an orthonormal basis of the null space, if it has fewer than `count` dimensions: (size, k)."""
    vectors = stream(seed, "null space").standard_normal((matrix.shape[0], count))
    for _ in range(ITERATIONS):
        vectors = np.linalg.qr(solve(vectors))[0]
    _, sizes, rotation = np.linalg.svd(matrix @ vectors, full_matrices=False)
    return np.asarray(vectors @ rotation[sizes < NULL * scale].T, float)
