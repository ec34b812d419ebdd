"""The leading eigenvector of a large real map with a known conserved functional, and the next eigenvalue.

A single Krylov space holds only one vector of a degenerate eigenvalue, so Arnoldi finds a second steady state only by
chance. Here the leading vector is removed and Arnoldi starts again, independently, among the vectors with
<left|v> = 0: the same eigenvalue appears again exactly if it is degenerate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness.errors import NumericalError
from tnness.network.chain_state import Array
from tnness.problems.generator import Real
from tnness.streams import stream

Map = Callable[[Real], Real]

WIDE_TOLERANCE = 1e-6
"""Relative residual of an eigenvalue that is hard to separate from others at the same distance."""
NEXT_TOLERANCE = 1e-10
"""Smallest tolerance of the next eigenvalue.

Deflation adds round-off of the leading eigenvalue, which is often 1e3 times larger than the next one.
"""


@dataclass(frozen=True)
class Leading:
    """The leading eigenvalue and its vector, and the next eigenvalue (equal to the first if it is degenerate)."""

    value: complex
    vector: Array
    next_value: complex


def leading(
    apply: Map,
    left: Real,
    seed: int,
    which: Literal["LM", "LR"],
    tolerance: float,
    ncv: int = 20,
    within: NDArray[np.bool_] | None = None,
) -> Leading:
    """Return the leading eigenpair of a map by Arnoldi, and the eigenvalue after it by deflation.

    Parameters
    ----------
    apply: v -> T v, (D,) real.
    left: the left eigenvector of T that belongs to its leading eigenvalue: <left|T = value <left|.
    seed: of the two starting vectors.
    which: the eigenvalue that leads: "LM" the one of largest modulus, "LR" of largest real part.
    tolerance: relative accuracy of the eigenvalues; 0 for the machine's.
    ncv: size of the Krylov space.
    within: True for the components of an invariant subspace to which the search is confined; default all.

    Raises
    ------
    NumericalError: no convergence.
    """
    first_start, next_start = stream(seed, "arnoldi").standard_normal((2, len(left)))
    inside = np.ones(len(left)) if within is None else within.astype(float)
    first_start, next_start = first_start * inside, next_start * inside

    def confined(v: Real) -> Real:
        return apply(v) * inside

    value, vector = _first(confined, first_start, which, tolerance, ncv)
    real = _real(vector)
    real = real / (left @ real)

    def deflated(v: Real) -> Real:
        image = confined(v)
        return image - (left @ image) * real

    next_start -= (left @ next_start) * real
    next_value, _ = _first(deflated, next_start, which, max(tolerance, NEXT_TOLERANCE), ncv)
    return Leading(value, real, next_value)


def nearest_to_shift(inverse: Callable[[Array], Array], size: int, dtype: np.dtype, seed: int) -> complex:
    """Return the largest eigenvalue of the inverse of a shifted matrix (size, size), real or complex, by Arnoldi."""
    start = stream(seed, "arnoldi of a part").standard_normal(size).astype(dtype)
    try:
        return _first(inverse, start, "LM", NEXT_TOLERANCE, 20)[0]
    except NumericalError:  # several eigenvalues at nearly the same distance: a larger space separates them
        return _first(inverse, start, "LM", WIDE_TOLERANCE, 100)[0]


def _first(apply: Map, start: Array, which: Literal["LM", "LR"], tolerance: float, ncv: int) -> tuple[complex, Array]:
    size = len(start)
    operator = sparse_linalg.LinearOperator((size, size), matvec=lambda v: apply(v.ravel()), dtype=start.dtype)
    try:
        values, vectors = sparse_linalg.eigs(
            operator, k=1, which=which, v0=start, tol=tolerance, ncv=min(ncv, size), maxiter=200
        )
    except sparse_linalg.ArpackNoConvergence as error:
        raise NumericalError(f"the iterative steady state did not converge to {tolerance:.0e}: {error}") from error
    return complex(values[0]), vectors[:, 0]


def _real(vector: Array) -> Real:
    """Return an eigenvector as a real vector: its arbitrary phase is removed."""
    largest = vector[abs(vector).argmax()]
    return (vector * (abs(largest) / largest)).real
