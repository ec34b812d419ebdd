"""Splitting a two-site matrix and truncating its bond: methods by name.

A split takes M (m, n), real or complex, and returns an isometry Q (m, k) and the remainder C = Q^+ M (k, n), so that
M ~ Q C. `guess` is a first approximation from the engine: the old right tensor W (k0, n) with orthonormal
rows. For small gates range(M W^+) is nearly the dominant subspace: one product and one QR replace the SVD.

Methods (`TRUNCATIONS`): `svd` is the reference, optimal and rank-revealing; `qr` is one warm-started subspace iteration
by Householder QR; `cholesky-qr` the same by CholeskyQR2, several times faster, falling back to Householder;
`randomized` adds random directions to the guess and diagonalises the small remainder: it can grow and shrink a bond.
The `qr` kinds call it wherever the discarded weight exceeds the cutoff and the bond may still grow; `cholesky-svd` is
`cholesky-qr` with the SVD there, without random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.errors import InputError, NumericalError, suggestion
from tnness.network.orthonormal import Pass, cholesky_basis, cholesky_pass, householder
from tnness.typed import check_fields, shown, typed

Array = NDArray[Any]  # float32, float64 or complex128


MOST_POWERS = 100
"""Most power iterations: after a few the subspace is that of the SVD to every digit."""


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
    subspace: precision in which `cholesky-qr` looks for the subspace of a matrix of doubles. "auto" (default) takes
        single precision where it drops no more weight (see `SINGLE`), "float64" never.
    """

    chi: int = 64
    cutoff: float = 1e-14
    method: str = "cholesky-qr"
    power: int = 0
    subspace: Literal["auto", "float64"] = "auto"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.chi < 1:
            raise InputError(f"chi = {self.chi!r}: the bond dimension is an integer >= 1")
        if not 0 <= self.cutoff < 1:
            raise InputError(f"cutoff = {self.cutoff!r}: the discarded weight is a number in [0, 1)")
        if not 0 <= self.power <= MOST_POWERS:
            raise InputError(f"power = {self.power!r}: an integer, 0 to {MOST_POWERS}, is the number of iterations")
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


class Split(NamedTuple):
    """M ~ isometry @ remainder, with the relative weight that was dropped."""

    isometry: Array  # (m, k)
    remainder: Array  # (k, n)
    discarded: float
    fallbacks: int = 0


Method = Callable[..., Split]  # (matrix, guess, truncation, rng), and a `Kept` for the methods in KEEPING_METHODS
TRUNCATIONS: dict[str, Method] = {}
KEEPING_METHODS: set[str] = set()


@typed
def register_truncation(name: str, keeps: bool = False) -> Callable[[Method], Method]:
    """Register a truncation method under a new name. keeps: whether it takes a `Kept` as its last argument."""

    def keep(method: Method) -> Method:
        if not callable(method):
            raise InputError(f"truncation method {name!r} is a function, got {shown(method)}")
        if name in TRUNCATIONS:
            raise InputError(f"truncation method {name!r} is registered already")
        TRUNCATIONS[name] = method
        KEEPING_METHODS.update({name} if keeps else ())
        return method

    return keep


PROBES = 4
"""Random vectors that estimate a discarded weight below round-off: 4 give it to some 30 %, and many are added up."""


def smallest_cutoff(truncation: Truncation, dtype: np.dtype) -> float:
    """Return the cutoff, or the weight of round-off in single precision where that is larger."""
    return max(truncation.cutoff, 64 * _eps(dtype) ** 2)


def _eps(dtype: np.dtype) -> float:
    """Return the round-off unit of a dtype."""
    return 1.1920929e-07 if dtype in (np.float32, np.complex64) else 2.220446049250313e-16


def _square(matrix: Array) -> float:
    """Return |M|^2 of a matrix in any layout."""
    flat = matrix.ravel("K")  # a view, where vdot alone would copy a transposed matrix
    return float(flat.dot(flat.conj()).real)


def _weight(matrix: Array) -> float:
    """Return |M|^2; refuse 0 and numbers that are not finite."""
    weight = _square(matrix)
    if weight == 0:
        raise NumericalError("the state vanished: a two-site block has norm 0")
    if not math.isfinite(weight):
        raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
    return weight


def discarded_weight(
    matrix: Array, isometry: Array, remainder: Array, rng: np.random.Generator, whole: float | None = None
) -> float:
    """Return |M - Q Q^+ M|^2 / |M|^2, given the remainder Q^+ M and perhaps the whole |M|^2.

    1 - |Q^+ M|^2 / |M|^2 is accurate to round-off, 1e-7 in single precision. Below that the mean of |(1 - Q Q^+) M x|^2
    over random x is used, in which nothing cancels.
    """
    whole = _weight(matrix) if whole is None else whole
    kept, eps = _square(remainder), _eps(matrix.dtype)
    if not math.isfinite(kept):
        raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
    outside = max(0.0, 1 - kept / whole)
    if outside > 100 * eps or eps < 1e-10:
        return outside
    images = matrix @ rng.standard_normal((matrix.shape[1], PROBES)).astype(matrix.dtype, copy=False)
    images -= isometry @ (isometry.conj().T @ images)
    return _square(images) / PROBES / whole


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
    rank = kept_rank(s, truncation.chi, smallest_cutoff(truncation, matrix.dtype))
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
    rank = kept_rank(s, truncation.chi, max(0.0, smallest_cutoff(truncation, matrix.dtype) - missed))
    weights = s.astype(float) ** 2
    dropped = missed + (1 - missed) * float(np.sum(weights[rank:]) / np.sum(weights))
    return Split(isometry @ u[:, :rank], s[:rank, None] * vt[:rank], dropped, fallbacks)


@register_truncation("qr")
def split_qr(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """One warm-started subspace iteration by Householder QR."""
    return _subspace_split(matrix, guess, truncation, rng, _householder_subspace)


@register_truncation("cholesky-qr")
def split_cholesky_qr(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """One warm-started subspace iteration by CholeskyQR2."""
    return _subspace_split(matrix, guess, truncation, rng, dominant_basis)


@register_truncation("cholesky-svd")
def split_cholesky_svd(matrix: Array, guess: Array | None, truncation: Truncation, rng: np.random.Generator) -> Split:
    """As `cholesky-qr`, but a bond grows by the SVD: nothing is random, and blocks of a charge stay apart."""
    return _subspace_split(matrix, guess, truncation, rng, dominant_basis, split_svd)


def _subspace_split(
    matrix: Array,
    guess: Array | None,
    truncation: Truncation,
    rng: np.random.Generator,
    subspace: Callable[[Array, Array, Truncation, float], tuple[Array, int]],
    growing: Method = split_randomized,
) -> Split:
    full = min(*matrix.shape, truncation.chi)
    if guess is None or len(guess) > full:
        return growing(matrix, guess, truncation, rng)
    whole = _weight(matrix)
    isometry, fallbacks = subspace(matrix, guess, truncation, whole)
    remainder = _times(isometry.conj().T, matrix)
    discarded = discarded_weight(matrix, isometry, remainder, rng, whole)
    if len(guess) < full and discarded > smallest_cutoff(truncation, matrix.dtype) + 2e-15:
        return growing(matrix, guess, truncation, rng)
    return Split(isometry, remainder, discarded, fallbacks)


def _times(first: Array, second: Array) -> Array:
    """Return the product, laid out as `second` is: a sweep to the left works on transposed matrices."""
    return first.dot(second) if second.flags.c_contiguous else second.T.dot(first.T).T


def _images(matrix: Array, vectors: Array) -> Array:
    """Return M V, laid out as M is."""
    return matrix.dot(vectors) if matrix.flags.c_contiguous else vectors.T.dot(matrix.T).T


def _householder_subspace(matrix: Array, guess: Array, truncation: Truncation, whole: float) -> tuple[Array, int]:
    """Return an orthonormal basis of (M M^+)^power M W^+ by Householder QR, and 0 fallbacks."""
    basis = householder(_images(matrix, guess.conj().T)).basis
    for _ in range(truncation.power):
        basis = householder(_images(matrix, _images(matrix.conj().T, basis))).basis
    return basis, 0


SINGLE = 1e-10
"""Weight of the last column of M W^+, relative to |M|^2, above which its subspace is found in single precision.

Round-off then adds some 4e-15 of weight for each column; where the last column weighs more than this, truncation drops
at least as much.
"""
SMALLEST_SINGLE = 32
"""Bond dimension below which single precision saves nothing."""
HALVES = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
SINGLE_RANGE = 1e-12, 1e12
"""Weights |M|^2 for which no square over- or underflows in single precision."""


def dominant_basis(matrix: Array, guess: Array, truncation: Truncation, whole: float) -> tuple[Array, int]:
    """Return an orthonormal basis of (M M^+)^power M W^+ by CholeskyQR2, and the number of fallbacks.

    It is found in single precision where that is safe.
    """
    wanted = truncation.subspace == "auto" and matrix.dtype in HALVES and len(guess) >= SMALLEST_SINGLE
    if wanted and SINGLE_RANGE[0] < whole < SINGLE_RANGE[1]:
        half = HALVES[matrix.dtype]
        single = matrix.astype(half)
        images = _images(single, guess.astype(half).conj().T)
        passed = cholesky_pass(_wide(images))
        if passed is not None and passed.smallest**2 > SINGLE * whole:
            return _powers(single, images, truncation.power, passed)
    basis, fallbacks = _powers(matrix, _images(matrix, guess.conj().T), truncation.power)
    return basis.astype(matrix.dtype, copy=False), fallbacks


def _powers(matrix: Array, images: Array, power: int, passed: Pass | None = None) -> tuple[Array, int]:
    """Return an orthonormal basis of (M M^+)^power times the images, in double precision, and the fallbacks.

    Between two products one Cholesky pass is enough: the columns need not be orthonormal, only not parallel.
    passed: this pass of the images, if it has been made.
    """
    fallbacks = 0
    for _ in range(power):
        passed = passed or cholesky_pass(_wide(images))
        fallbacks += passed is None
        basis = householder(images).basis if passed is None else passed.basis
        images = _images(matrix, _images(matrix.conj().T, basis.astype(matrix.dtype, copy=False)))
        passed = None
    basis, helped = cholesky_basis(_wide(images), passed)
    return basis, fallbacks + helped


def _wide(matrix: Array) -> Array:
    if matrix.dtype == np.float32:
        return matrix.astype(np.float64)
    return matrix.astype(np.complex128) if matrix.dtype == np.complex64 else matrix
