"""Orthonormal bases by Cholesky factors: as good as Householder's, in any layout."""

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from chains import seeds
from tnness.network.orthonormal import cholesky, cholesky_basis, cholesky_pass, householder

PRECISION = {np.float32: 2e-6, np.float64: 4e-15, np.complex128: 4e-15}  # some ten roundings of a hundred numbers
layouts = pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])


def noise(rng, rows, columns, dtype):
    values = rng.standard_normal((rows, columns))
    return values + 1j * rng.standard_normal((rows, columns)) if np.dtype(dtype).kind == "c" else values


def of_condition(condition, rng, dtype, rows=60, count=12):
    """Columns whose singular values fall from 1 to 1 / condition, mixed at random."""
    u, v = (linalg.qr(noise(rng, n, count, dtype), mode="economic")[0] for n in (rows, count))
    return ((u * condition ** (-np.arange(count) / (count - 1))) @ v).astype(dtype)


@layouts
@pytest.mark.parametrize("dtype", sorted(PRECISION, key=str))
@pytest.mark.parametrize("condition", [1e0, 1e2, 1e4, 1e6, 1e7, 3e7, 1e10, 1e16])
def test_cholesky_qr_is_as_good_as_householder(dtype, condition, layout):
    """At 3e7 one Cholesky pass in double precision leaves E = 1e-2: every branch lies near it, and rounding decides."""
    columns = layout(of_condition(condition, np.random.default_rng(5), dtype))
    kept = columns.copy()
    result, safe = cholesky(columns), householder(columns)
    for qr in (result, safe):
        assert_allclose(qr.basis.conj().T @ qr.basis, np.eye(12), atol=5 * PRECISION[dtype])
        assert_allclose(qr.basis @ qr.factor, columns, atol=5 * PRECISION[dtype])
        assert qr.basis.dtype == qr.factor.dtype == dtype
    assert_array_equal(columns, kept)
    hard = condition > 1 / np.sqrt(np.finfo(float).eps)  # single precision is helped by double
    assert condition == 3e7 or result.fallbacks == (1 if hard else 0)
    assert safe.fallbacks == 0


@layouts
@given(seed=seeds, count=st.integers(1, 9), more=st.integers(0, 20), dtype=st.sampled_from(sorted(PRECISION, key=str)))
def test_a_pass_divides_by_a_triangle(layout, seed, count, more, dtype):
    columns = layout(noise(np.random.default_rng(seed), 2 * count + more, count, dtype).astype(dtype))
    result = cholesky_pass(columns)
    assert_allclose(result.basis @ result.factor, columns, atol=50 * PRECISION[dtype])
    assert_array_equal(np.tril(result.factor, -1), 0)
    assert result.basis.flags.c_contiguous or result.basis.flags.f_contiguous
    basis, fallbacks = cholesky_basis(columns, result)
    assert fallbacks == 0
    assert_allclose(basis.conj().T @ basis, np.eye(count), atol=10 * PRECISION[dtype])


@layouts
def test_the_basis_is_laid_out_as_the_columns_are(layout):
    columns = layout(np.random.default_rng(1).standard_normal((30, 4)))
    assert cholesky(columns).basis.flags.c_contiguous == columns.flags.c_contiguous


def test_the_smallest_part_of_a_column_is_its_distance_from_those_before():
    columns = np.linalg.qr(np.random.default_rng(2).standard_normal((9, 3)))[0]
    columns[:, 2] = columns[:, 0] + 1e-3 * columns[:, 2]
    assert cholesky_pass(columns).smallest == pytest.approx(1e-3, rel=1e-9)


@pytest.mark.parametrize("column", [0, 2])
def test_a_column_of_zeros_falls_back_and_is_counted(column):
    columns = np.random.default_rng(6).standard_normal((9, 4))
    columns[:, column] = 0
    found = cholesky(columns)
    assert found.fallbacks == 1
    assert_allclose(found.basis.T @ found.basis, np.eye(4), atol=1e-14)
    assert_allclose(found.basis @ found.factor, columns, atol=1e-14)


def test_wide_matrices_keep_their_rows_as_rank():
    columns = np.random.default_rng(7).standard_normal((3, 8))
    found = cholesky(columns)
    assert found.basis.shape == (3, 3)
    assert_allclose(found.basis @ found.factor, columns, atol=1e-14)
    assert found.fallbacks == 0
