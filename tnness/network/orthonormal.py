"""Orthonormal bases of the columns of a matrix: by Householder reflections, or by Cholesky factors.

Cholesky factors are several times faster. The products are LAPACK and BLAS calls on the matrix as it lies in memory:
rows or columns may be contiguous, nothing is copied or conjugated, and the basis is laid out as the matrix was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

Array = NDArray[Any]  # float32, float64 or complex128


class Orthonormal(NamedTuple):
    """columns = basis @ factor, basis isometric; `fallbacks` counts how often Householder QR had to help."""

    basis: Array
    factor: Array
    fallbacks: int = 0


def householder(columns: Array) -> Orthonormal:
    """QR by Householder reflections: always stable."""
    basis, factor = linalg.qr(columns, mode="economic", check_finite=False)
    return Orthonormal(basis, factor)


WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.complex64): np.complex128}
NEAR_ONE = 0.1
"""Largest length of the diagonal of R - 1, R the second factor; beyond it the first pass was too inexact."""


def cholesky(columns: Array) -> Orthonormal:
    """QR by two Cholesky passes (CholeskyQR2, Fukaya et al. 2014); by Householder where that is not safe.

    One pass leaves Q^+Q - 1 of order cond^2 * eps, the second removes it. If single precision is not enough, double is
    tried before Householder.
    """
    first, second = _passes(columns, None)
    if first is not None and second is not None:
        return Orthonormal(second.basis, second.factor.dot(first.factor))
    if columns.dtype in WIDER and columns.shape[1] <= len(columns):
        wide = cholesky(columns.astype(WIDER[columns.dtype]))  # a Gram matrix in single precision loses small columns
        return Orthonormal(wide.basis.astype(columns.dtype), wide.factor.astype(columns.dtype), wide.fallbacks)
    return householder(columns)._replace(fallbacks=int(columns.shape[1] <= len(columns)))


def cholesky_basis(columns: Array, first: Pass | None = None) -> tuple[Array, int]:
    """Return an orthonormal basis (m, k) of columns (m, k), m >= k, as `cholesky` does, and the number of fallbacks.

    first: the first pass, if it has been made; its basis is overwritten.
    """
    second = _passes(columns, first)[1]
    return (householder(columns).basis, 1) if second is None else (second.basis, 0)


def _passes(columns: Array, first: Pass | None) -> tuple[Pass | None, Pass | None]:
    """Return both passes, the second only where it leaves a basis that is orthonormal to round-off."""
    if columns.shape[1] > len(columns):
        return None, None
    first = first or cholesky_pass(columns)
    if first is None:
        return None, None
    second = cholesky_pass(first.basis, overwrite=True)
    if second is None:
        return first, None
    excess = second.factor.diagonal() - 1
    return first, second if excess.dot(excess).real < NEAR_ONE**2 else None


class Pass(NamedTuple):
    """columns = basis @ factor; the factor is triangular and the basis nearly orthonormal."""

    basis: Array
    factor: Array

    @property
    def smallest(self) -> float:
        """Length of the shortest part of a column that is orthogonal to the columns before it."""
        return float(np.abs(self.factor.diagonal()).min())


UPPER, LEFT, RIGHT = 0, 0, 1


def cholesky_pass(columns: Array, overwrite: bool = False) -> Pass | None:
    """Divide columns (m, k) by the Cholesky factor of their Gram matrix; return None if that fails.

    overwrite: whether the basis may take the place of `columns` in memory.
    """
    herk, potrf, trtri, trmm = _drivers(columns.dtype.char)
    rowwise = columns.flags.c_contiguous
    fortran = columns.T if rowwise else columns  # a view (k, m) whose rows are made orthonormal, or (m, k) itself
    gram = herk(1.0, fortran) if rowwise else herk(1.0, fortran, trans=2)
    triangle, failed = potrf(gram, UPPER, 1, 1)  # clean, in place; naming arguments costs a tenth of a small pass
    if failed:
        return None
    inverse, failed = trtri(triangle, UPPER)
    if failed:
        return None
    if rowwise:
        return Pass(trmm(1.0, inverse, fortran, LEFT, UPPER, 2, 0, overwrite).T, triangle.conj())
    return Pass(trmm(1.0, inverse, fortran, RIGHT, UPPER, 0, 0, overwrite), triangle)


@cache
def _drivers(dtype: str) -> tuple[Callable[..., Any], ...]:
    """Return syrk or herk, potrf, trtri and trmm for a dtype; looking them up takes as long as a small pass."""
    gram = "herk" if dtype in "FD" else "syrk"
    herk, trmm = linalg.get_blas_funcs((gram, "trmm"), dtype=dtype)  # pyright: ignore[reportGeneralTypeIssues]
    potrf, trtri = linalg.get_lapack_funcs(("potrf", "trtri"), dtype=dtype)  # pyright: ignore[reportGeneralTypeIssues]
    return herk, potrf, trtri, trmm
