"""Splits of a two-site matrix: what they claim to drop is what they drop."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import seeds
from tnness.errors import InputError, NumericalError
from tnness.network import truncation
from tnness.network.truncation import (
    TRUNCATIONS,
    Split,
    Truncation,
    kept_rank,
    register_truncation,
    safe_svd,
)

METHODS = sorted(TRUNCATIONS)
SUBSPACE = ["cholesky-qr", "qr"]
PRECISION = {np.float32: 2e-6, np.float64: 4e-15, np.complex128: 4e-15}  # some ten roundings of a hundred numbers
dtypes = st.sampled_from(sorted(PRECISION, key=str))
every_method = pytest.mark.parametrize("method", METHODS)


def random_matrix(rows, columns, rng, dtype=np.float64, decay=0.5):
    """Singular values decay^k, singular vectors random."""
    size = min(rows, columns)
    u, v = (linalg.qr(noise(rng, n, size, dtype), mode="economic")[0] for n in (rows, columns))
    return ((u * decay ** np.arange(size)) @ v.conj().T).astype(dtype)


def noise(rng, rows, columns, dtype):
    values = rng.standard_normal((rows, columns))
    return values + 1j * rng.standard_normal((rows, columns)) if np.dtype(dtype).kind == "c" else values


def right_isometry(k, columns, rng, dtype=np.float64):
    return linalg.qr(noise(rng, columns, k, dtype), mode="economic")[0].conj().T.astype(dtype)


def dropped(matrix, split):
    """|M - QC|^2 / |M|^2, in double precision."""
    matrix = matrix.astype(complex)
    rest = matrix - split.isometry.astype(complex) @ split.remainder
    return linalg.norm(rest) ** 2 / linalg.norm(matrix) ** 2


def optimum(matrix, rank):
    s = linalg.svdvals(matrix.astype(complex))
    return np.sum(s[rank:] ** 2) / np.sum(s**2)


# ---------------------------------------------------------------- the claim


@every_method
@given(seeds, st.integers(1, 14), st.integers(1, 14), st.integers(1, 8), st.integers(0, 8), st.integers(0, 2), dtypes)
def test_what_is_claimed_is_what_is_dropped(method, seed, rows, columns, chi, guessed, power, dtype):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(rows, columns, rng, dtype)
    guess = right_isometry(min(guessed, columns), columns, rng, dtype) if guessed else None
    split = Truncation(chi=chi, method=method, power=power).split(matrix, guess, rng)
    rank, eps = split.isometry.shape[1], PRECISION[dtype]
    assert rank <= chi
    assert split.isometry.dtype == split.remainder.dtype == dtype
    assert_allclose(split.isometry.conj().T @ split.isometry, np.eye(rank), atol=10 * eps)
    assert_allclose(split.remainder, split.isometry.conj().T @ matrix, atol=10 * eps)
    assert_allclose(split.discarded, dropped(matrix, split), atol=10 * eps)
    assert split.discarded >= optimum(matrix, rank) - 10 * eps


@every_method
@given(seed=seeds, dtype=dtypes)
def test_all_methods_agree_at_full_rank(method, seed, dtype):
    rng = np.random.default_rng(seed)
    matrix, eps = random_matrix(12, 9, rng, dtype), PRECISION[dtype]
    split = Truncation(chi=9, method=method).split(matrix, right_isometry(9, 9, rng, dtype), rng)
    assert_allclose(split.isometry @ split.remainder, matrix, atol=10 * eps)
    assert split.discarded < 10 * eps


@given(seeds, st.integers(1, 10))
def test_svd_is_optimal(seed, chi):
    matrix = random_matrix(12, 10, np.random.default_rng(seed), decay=0.7)
    split = Truncation(chi=chi, cutoff=0.0, method="svd").split(matrix, None, np.random.default_rng(0))
    assert_allclose(split.discarded, optimum(matrix, chi), atol=1e-15)


@pytest.mark.parametrize("method", [*SUBSPACE, "randomized"])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_subspace_methods_are_optimal_with_the_exact_guess(method, dtype):
    rng = np.random.default_rng(0)
    matrix = random_matrix(40, 30, rng, dtype, decay=0.6)
    guess = linalg.svd(matrix)[2][:8]
    split = Truncation(chi=8, method=method).split(matrix, guess, rng)
    assert_allclose(split.discarded, optimum(matrix, 8), rtol=1e-9)


@pytest.mark.parametrize("method", SUBSPACE)
def test_power_iterations_approach_the_optimum(method):
    rng = np.random.default_rng(1)
    matrix, guess = random_matrix(40, 40, rng, decay=0.6), right_isometry(8, 40, rng)
    best = optimum(matrix, 8)
    excess = [
        Truncation(chi=8, method=method, power=power).split(matrix, guess, rng).discarded - best for power in range(4)
    ]
    assert all(after < before / 2 for before, after in pairwise(excess))


# ---------------------------------------------------------------- growing and shrinking


@pytest.mark.parametrize("method", [*SUBSPACE, "randomized"])
@given(seed=seeds)
def test_a_bond_grows_where_the_cutoff_asks_for_it(method, seed):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(30, 30, rng, decay=0.1)  # 1e-12 in weight after 6 values
    guess = linalg.svd(matrix)[2][:2]
    split = Truncation(chi=20, cutoff=3e-12, method=method).split(matrix, guess, rng)
    assert 2 < split.isometry.shape[1] <= 8
    assert dropped(matrix, split) <= 3e-12


@pytest.mark.parametrize("method", SUBSPACE)
def test_a_bond_that_is_good_enough_is_left_alone(method):
    rng = np.random.default_rng(2)
    matrix = random_matrix(30, 30, rng, decay=0.01)
    split = Truncation(chi=20, cutoff=1e-6, method=method).split(matrix, linalg.svd(matrix)[2][:3], rng)
    assert split.isometry.shape[1] == 3


@pytest.mark.parametrize("method", ["svd", "randomized"])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_a_bond_shrinks_to_the_rank_of_its_matrix(method, dtype):
    rng = np.random.default_rng(3)
    matrix = noise(rng, 24, 5, dtype) @ noise(rng, 5, 20, dtype)
    split = Truncation(chi=16, method=method).split(matrix, right_isometry(12, 20, rng, dtype), rng)
    assert split.isometry.shape[1] == 5


@every_method
def test_a_bond_shrinks_when_chi_falls(method):
    rng = np.random.default_rng(4)
    matrix = random_matrix(40, 40, rng, decay=0.7)
    split = Truncation(chi=6, method=method).split(matrix, linalg.svd(matrix)[2][:10], rng)
    assert split.isometry.shape[1] == 6
    assert split.discarded < 1.1 * optimum(matrix, 6)


@given(st.lists(st.floats(1e-8, 1.0), min_size=1, max_size=12), st.integers(1, 12), st.floats(0, 0.5))
def test_the_kept_rank_is_the_smallest_within_the_cutoff(values, chi, cutoff):
    values = np.sort(values)[::-1]
    rank = kept_rank(values, chi, cutoff)
    weight = np.cumsum((values**2)[::-1])[::-1]
    assert 1 <= rank <= min(chi, len(values))
    if rank < min(chi, len(values)):
        assert weight[rank] <= cutoff * weight[0]
    if 1 < rank < chi:
        assert weight[rank - 1] > cutoff * weight[0]


# ---------------------------------------------------------------- the subspace in single precision


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("power", [0, 1, 2])
@pytest.mark.parametrize("decay", [0.95, 0.8, 0.6, 0.3])
def test_single_precision_drops_no_more(decay, power, transposed):
    """At .95 and .8 the bond drops more than round-off; at .6 and .3 it does not, and double precision is used."""
    rng = np.random.default_rng(12)
    matrix = random_matrix(170, 150, rng, decay=decay)
    guess = linalg.svd(matrix)[2][:40] + 1e-3 * rng.standard_normal((40, 150))
    guess = linalg.qr(guess.T, mode="economic")[0].T
    if transposed:
        matrix, guess = np.asfortranarray(matrix), np.asfortranarray(guess)
    single, double = (
        Truncation(chi=40, cutoff=0.0, method="cholesky-qr", power=power, subspace=subspace).split(matrix, guess, rng)
        for subspace in ("auto", "float64")
    )
    assert_allclose(single.isometry.T @ single.isometry, np.eye(40), atol=4e-15)
    exact = [dropped(matrix, split) for split in (single, double)]
    assert exact[0] <= 1.001 * exact[1] + 1e-15
    assert single.fallbacks == double.fallbacks
    used_single = not np.array_equal(single.isometry, double.isometry)
    assert used_single == (decay > 0.7)


def test_single_precision_is_left_alone_where_squares_would_vanish():
    rng = np.random.default_rng(13)
    matrix = 1e-21 * random_matrix(160, 160, rng, decay=0.9)
    split = Truncation(chi=40, method="cholesky-qr").split(matrix, linalg.svd(matrix)[2][:40], rng)
    assert_allclose(
        dropped(1e21 * matrix, split._replace(remainder=1e21 * split.remainder)), optimum(matrix, 40), rtol=1e-6
    )


# ---------------------------------------------------------------- fallbacks


def test_fallbacks_of_a_split_are_counted():
    rng = np.random.default_rng(8)
    matrix = random_matrix(30, 30, rng, decay=1e-3)
    guess = linalg.svd(matrix)[2][:8]  # columns of M W^+ fall to 1e-21: scaled to length 1, they are parallel
    mixed = right_isometry(8, 8, rng) @ guess
    assert Truncation(chi=8, method="cholesky-qr").split(matrix, mixed, rng).fallbacks == 1
    assert Truncation(chi=8, method="qr").split(matrix, mixed, rng).fallbacks == 0


def test_where_gesdd_fails_gesvd_takes_over(monkeypatch):
    def failing(matrix, lapack_driver, **options):
        if lapack_driver == "gesdd":
            raise linalg.LinAlgError("SVD did not converge")
        return svd(matrix, lapack_driver=lapack_driver, **options)

    svd = linalg.svd
    monkeypatch.setattr(truncation.linalg, "svd", failing)
    matrix = np.random.default_rng(9).standard_normal((6, 4))
    u, s, vt, fallbacks = safe_svd(matrix)
    assert fallbacks == 1
    assert_allclose((u * s) @ vt, matrix, atol=1e-14)
    split = Truncation(chi=4, method="svd").split(matrix, None, np.random.default_rng(0))
    assert split.fallbacks == 1


# ---------------------------------------------------------------- what is refused


@every_method
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("guessed", [None, 3])
def test_what_is_not_finite_is_refused(method, bad, guessed):
    rng = np.random.default_rng(10)
    matrix = rng.standard_normal((8, 8))
    matrix[2, 3] = bad
    guess = None if guessed is None else right_isometry(guessed, 8, rng)
    with pytest.raises(NumericalError, match="not finite"), np.errstate(invalid="ignore"):
        Truncation(chi=3, method=method).split(matrix, guess, rng)


@every_method
@pytest.mark.parametrize("guessed", [None, 3])
def test_a_state_that_vanished_is_refused(method, guessed):
    rng = np.random.default_rng(11)
    guess = None if guessed is None else right_isometry(guessed, 8, rng)
    with pytest.raises(NumericalError, match="norm 0"):
        Truncation(chi=3, method=method).split(np.zeros((8, 8)), guess, rng)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chi": 0}, "chi = 0: the bond dimension is an integer >= 1"),
        ({"chi": 2.5}, "chi = 2.5"),
        ({"chi": True}, "chi = True"),
        ({"cutoff": -1e-3}, "cutoff = -0.001"),
        ({"cutoff": 1.0}, "cutoff = 1.0"),
        ({"cutoff": float("nan")}, "cutoff = nan"),
        ({"power": -1}, "power = -1"),
        ({"method": "sdv"}, r"'sdv' is unknown \(did you mean 'svd'\?\)"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        Truncation(**settings)


def test_a_method_of_ones_own_joins_the_others(monkeypatch):
    monkeypatch.setattr(truncation, "TRUNCATIONS", dict(TRUNCATIONS))

    @register_truncation("first-columns")
    def first_columns(matrix, guess, settings, rng):
        isometry = np.eye(len(matrix))[:, : settings.chi]
        remainder = isometry.T @ matrix
        return Split(isometry, remainder, 1 - linalg.norm(remainder) ** 2 / linalg.norm(matrix) ** 2)

    split = Truncation(chi=2, method="first-columns").split(np.diag([2.0, 1.0, 1.0]), None, np.random.default_rng(0))
    assert_allclose(split.discarded, 1 / 6)
    with pytest.raises(InputError, match="'svd' is registered already"):
        register_truncation("svd")(first_columns)


def test_cholesky_svd_keeps_blocks_apart_where_a_bond_grows():
    """Rows and columns of two charges; the guess has one direction of each, and the bond grows to four."""
    rng = np.random.default_rng(4)
    matrix = np.zeros((40, 40))
    matrix[:20, :20], matrix[20:, 20:] = rng.standard_normal((2, 20, 20))
    guess = np.zeros((2, 40))
    guess[0, :20], guess[1, 20:] = 20**-0.5, 20**-0.5
    for method, apart in (("cholesky-svd", True), ("cholesky-qr", False)):
        split = Truncation(chi=4, cutoff=0.0, method=method).split(matrix, guess, rng)
        assert split.isometry.shape == (40, 4)
        projector = split.isometry @ split.isometry.T
        assert (np.abs(projector[:20, 20:]).max() < 1e-12) == apart
