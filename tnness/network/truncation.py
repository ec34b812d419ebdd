"""Splitting a two-site matrix and truncating its bond: methods by name.

A split takes M (m, n), real or complex, and returns an isometry Q (m, k) and the remainder C = Q^+ M (k, n), so that
M ~ Q C. `guess` is a first approximation from the engine: the old right tensor W (k0, n) with orthonormal
rows. For small gates range(M W^+) is nearly the dominant subspace: one product and one QR replace the SVD.

Methods (`TRUNCATIONS`): `svd` is the reference, optimal and rank-revealing; `qr` is one warm-started subspace iteration
by Householder QR; `cholesky-qr` the same by CholeskyQR2, several times faster, falling back to Householder;
`randomized` adds random directions to the guess and diagonalises the small remainder: it can grow and shrink a bond.
The `qr` kinds call it wherever the discarded weight exceeds the cutoff and the bond may still grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.errors import InputError, NumericalError, suggestion
from tnness.typed import check_fields

Array = NDArray[Any]  # float32, float64 or complex128


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """The settings of the truncation of bonds.

    Parameters
    ----------
    chi: largest bond dimension, >= 1.
    cutoff: relative discarded weight |M - QC|^2 / |M|^2 that is always acceptable (default 1e-14; never less than
        1e-12 in single precision); bonds stay smaller than chi where this allows it.
    method: a name in `TRUNCATIONS` (default cholesky-qr).
    power: power iterations M M^+ of the subspace methods (default 0): more accurate, slower.
    """

    chi: int = 64
    cutoff: float = 1e-14
    method: str = "cholesky-qr"
    power: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.chi < 1:
            raise InputError(f"chi = {self.chi!r}: the bond dimension is an integer >= 1")
        if not 0 <= self.cutoff < 1:
            raise InputError(f"cutoff = {self.cutoff!r}: the discarded weight is a number in [0, 1)")
        if self.power < 0:
            raise InputError(f"power = {self.power!r}: the number of power iterations is an integer >= 0")
        if self.method not in TRUNCATIONS:
            raise InputError(f"truncation method {self.method!r} is unknown{suggestion(self.method, TRUNCATIONS)}")

    @property
    def keeps(self) -> bool:
        """True if the method can leave given marginals of the matrix unchanged."""
        return self.method in KEEPING_METHODS

    def split(self, matrix: Array, guess: Array | None, rng: np.random.Generator, *kept: Any) -> Split:
        """Split `matrix` by the chosen method; without a guess every method starts from random directions.

        kept: for a method that `keeps`, the parts to leave unchanged (`tnness.network.marginals.Kept`).
        """
        return TRUNCATIONS[self.method](matrix, guess, self, rng, *kept)


@dataclass(frozen=True)
class Split:
    """M ~ isometry @ remainder, with the relative weight that was dropped."""

    isometry: Array  # (m, k)
    remainder: Array  # (k, n)
    discarded: float
    fallbacks: int = 0


Method = Callable[..., Split]  # (matrix, guess, truncation, rng), and a `Kept` for the methods in KEEPING_METHODS
TRUNCATIONS: dict[str, Method] = {}
KEEPING_METHODS: set[str] = set()


def register_truncation(name: str, keeps: bool = False) -> Callable[[Method], Method]:
    """Register a truncation method under a new name. keeps: whether it takes a `Kept` as its last argument."""

    def keep(method: Method) -> Method:
        if name in TRUNCATIONS:
            raise InputError(f"truncation method {name!r} is registered already")
        TRUNCATIONS[name] = method
        KEEPING_METHODS.update({name} if keeps else ())
        return method

    return keep


@dataclass(frozen=True)
class Orthonormal:
    """columns = basis @ factor, basis isometric; `fallbacks` counts how often Householder QR had to help."""

    basis: Array
    factor: Array
    fallbacks: int = 0


def householder(columns: Array) -> Orthonormal:
    """QR by Householder reflections: always stable."""
    basis, factor = linalg.qr(columns, mode="economic", check_finite=False)
    return Orthonormal(basis, factor)


SALVAGEABLE = 1e-2
"""Largest element of E = Q^+Q - 1 up to which a second Cholesky pass is made instead of a Householder QR."""


def cholesky(columns: Array) -> Orthonormal:
    """QR by Cholesky factors of the Gram matrix, three times faster; Householder where that is not safe.

    Columns are scaled to unit length first. One Cholesky pass leaves E = Q^+Q - 1 of order cond^2 * eps; while E is
    small, multiplying by (1 + E)^(-1/2) does what the second pass of CholeskyQR2 does (Fukaya et al. 2014); if E is
    somewhat larger, a second pass is made. If single precision is not enough, double is tried before Householder.
    """
    if columns.shape[1] > columns.shape[0]:
        return householder(columns)
    lengths = np.sqrt(np.einsum("ij,ij->j", columns, columns.conj()).real)
    series = 0.15 * float(np.finfo(columns.dtype).eps) ** 0.2  # its error, |E|^5 / 4, is then below eps
    factors = _cholesky_pass(columns / lengths) if lengths.all() else None
    if factors is not None and factors[3] > series:
        second = _cholesky_pass(factors[0]) if factors[3] < SALVAGEABLE else None
        factors = None if second is None else (second[0], second[1] @ factors[1], *second[2:])
    if factors is None or not factors[3] <= series:
        if columns.dtype == np.float32:  # a Gram matrix in single precision loses small columns
            wide = cholesky(columns.astype(np.float64))
            return replace(wide, basis=wide.basis.astype(np.float32), factor=wide.factor.astype(np.float32))
        return replace(householder(columns), fallbacks=1)
    first, triangle, excess, error = factors
    root = _inverse_root(excess, error)
    excess.flat[:: len(excess) + 1] += 1
    return Orthonormal(first @ root, (root @ (excess @ triangle)) * lengths)


def _cholesky_pass(columns: Array) -> tuple[Array, Array, Array, float] | None:
    """Return Q = columns R^-1, R, E = Q^+Q - 1 and its largest element (R^+ R: the Gram matrix), or None on failure."""
    gram = columns.conj().T @ columns
    potrf: Callable[..., Any]
    trtri: Callable[..., Any]
    potrf, trtri = _cholesky_drivers(gram.dtype.char)
    triangle, failed = potrf(gram, lower=False, clean=True)
    if failed:
        return None
    inverse, failed = trtri(triangle, lower=False)
    if failed:
        return None
    first = columns @ inverse
    excess = first.conj().T @ first
    excess.flat[:: len(excess) + 1] -= 1
    return first, triangle, excess, float(np.abs(excess).max())


@cache
def _cholesky_drivers(dtype: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return LAPACK's potrf and trtri for a dtype; looking them up takes as long as a small factorisation."""
    potrf, trtri = linalg.get_lapack_funcs(("potrf", "trtri"), dtype=dtype)  # pyright: ignore[reportGeneralTypeIssues]
    return potrf, trtri


def _inverse_root(excess: Array, error: float) -> Array:
    """Return (1 + E)^(-1/2) by its series up to E^4; terms too small to matter are left out."""
    root = -0.5 * excess
    if error > 1e-9:
        square = excess @ excess
        root += 0.375 * square
        if error > 1e-6:
            cube = square @ excess
            root += -0.3125 * cube + (35 / 128) * (cube @ excess)
    root.flat[:: len(excess) + 1] += 1
    return root


PROBES = 4
"""Random vectors that estimate a discarded weight below round-off: 4 give it to some 30 %, and many are added up."""


def _cutoff(truncation: Truncation, dtype: np.dtype) -> float:
    """Return the cutoff, or the weight of round-off in single precision where that is larger."""
    return max(truncation.cutoff, 64 * float(np.finfo(dtype).eps) ** 2)


def _finish(matrix: Array, isometry: Array, fallbacks: int, rng: np.random.Generator) -> Split:
    remainder = isometry.conj().T @ matrix
    return Split(isometry, remainder, discarded_weight(matrix, isometry, remainder, rng), fallbacks)


def _weight(matrix: Array) -> float:
    """Return |M|^2; refuse 0 and numbers that are not finite."""
    weight = float(np.vdot(matrix, matrix).real)
    if weight == 0:
        raise NumericalError("the state vanished: a two-site block has norm 0")
    if not math.isfinite(weight):
        raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
    return weight


def discarded_weight(matrix: Array, isometry: Array, remainder: Array, rng: np.random.Generator) -> float:
    """Return |M - Q Q^+ M|^2 / |M|^2, given the remainder Q^+ M.

    1 - |Q^+ M|^2 / |M|^2 is accurate to round-off, 1e-7 in single precision. Below that the mean of |(1 - Q Q^+) M x|^2
    over random x is used, in which nothing cancels.
    """
    whole, kept, eps = _weight(matrix), float(np.vdot(remainder, remainder).real), float(np.finfo(matrix.dtype).eps)
    if not math.isfinite(kept):
        raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
    outside = max(0.0, 1 - kept / whole)
    if outside > 100 * eps or eps < 1e-10:
        return outside
    images = matrix @ rng.standard_normal((matrix.shape[1], PROBES)).astype(matrix.dtype, copy=False)
    images -= isometry @ (isometry.conj().T @ images)
    return float(np.vdot(images, images).real) / PROBES / whole


def safe_svd(matrix: Array) -> tuple[Array, Array, Array, int]:
    """Return U, s, V^+ and the number of fallbacks: gesdd, and gesvd where that fails."""
    if not np.isfinite(matrix).all():
        raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
    try:
        return *linalg.svd(matrix, full_matrices=False, lapack_driver="gesdd", check_finite=False), 0
    except linalg.LinAlgError:
        return *linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd", check_finite=False), 1


def kept_rank(singular_values: Array, chi: int, cutoff: float) -> int:
    """Return the smallest rank <= chi whose discarded weight is within `cutoff` of the whole (at least 1)."""
    weights = np.asarray(singular_values, float) ** 2
    tail = np.cumsum(weights[::-1])[::-1]  # tail[k] = weight dropped if k values are kept
    needed = int(np.count_nonzero(tail > cutoff * tail[0]))
    return max(1, min(chi, needed))


@register_truncation("svd")
def split_svd(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """Optimal split by the full SVD: the reference."""
    _weight(matrix)
    u, s, vt, fallbacks = safe_svd(matrix)
    rank = kept_rank(s, truncation.chi, _cutoff(truncation, matrix.dtype))
    remainder = s[:rank, None] * vt[:rank]
    dropped = float(np.sum(s[rank:].astype(float) ** 2) / np.sum(s.astype(float) ** 2))
    return Split(np.ascontiguousarray(u[:, :rank]), remainder, dropped, fallbacks)


@register_truncation("randomized")
def split_randomized(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """Warm-started randomised SVD (Halko, Martinsson, Tropp 2011): guess plus random directions, then a small SVD."""
    rows, columns = matrix.shape
    start = matrix @ guess[: truncation.chi].conj().T if guess is not None else matrix[:, :0]
    largest = min(rows, columns, truncation.chi + 10)
    extra = min(largest - min(largest, start.shape[1]), start.shape[1] // 2 + 10)
    if extra:
        noise = rng.standard_normal((columns, extra)).astype(matrix.dtype, copy=False)
        start = np.hstack([start, (matrix @ noise)])
    isometry = householder(start[:, :largest]).basis
    for _ in range(max(1, truncation.power)):
        isometry = householder(matrix @ (matrix.conj().T @ isometry)).basis
    small = isometry.conj().T @ matrix
    missed = discarded_weight(matrix, isometry, small, rng)
    u, s, vt, fallbacks = safe_svd(small)
    rank = kept_rank(s, truncation.chi, max(0.0, _cutoff(truncation, matrix.dtype) - missed))
    weights = s.astype(float) ** 2
    dropped = missed + (1 - missed) * float(np.sum(weights[rank:]) / np.sum(weights))
    return Split(isometry @ u[:, :rank], s[:rank, None] * vt[:rank], dropped, fallbacks)


@register_truncation("qr")
def split_qr(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """One warm-started subspace iteration by Householder QR."""
    return _subspace_split(matrix, guess, truncation, rng, householder)


@register_truncation("cholesky-qr")
def split_cholesky_qr(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """One warm-started subspace iteration by CholeskyQR2."""
    return _subspace_split(matrix, guess, truncation, rng, cholesky)


def _subspace_split(
    matrix: Array,
    guess: Array | None,
    truncation: Truncation,
    rng: np.random.Generator,
    orthonormalise: Callable[[Array], Orthonormal],
) -> Split:
    full = min(*matrix.shape, truncation.chi)
    if guess is None or len(guess) > full:
        return split_randomized(matrix, guess, truncation, rng)
    orthonormal = orthonormalise(matrix @ guess.conj().T)
    fallbacks = orthonormal.fallbacks
    for _ in range(truncation.power):
        orthonormal = orthonormalise(matrix @ (matrix.conj().T @ orthonormal.basis))
        fallbacks += orthonormal.fallbacks
    split = _finish(matrix, orthonormal.basis, fallbacks, rng)
    if len(guess) < full and split.discarded > _cutoff(truncation, matrix.dtype) + 2e-15:
        return split_randomized(matrix, guess, truncation, rng)
    return split
