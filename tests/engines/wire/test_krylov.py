"""Block Krylov spaces against dense eigenvalues."""

import numpy as np
import pytest

from tnness.engines.wire.krylov import dominant


def _matrix(values: np.ndarray, seed: int) -> np.ndarray:
    basis = np.random.default_rng(seed).normal(size=(len(values), len(values)))
    return basis @ np.diag(values) @ np.linalg.inv(basis)


@pytest.mark.parametrize("guess", [2, 12])
def test_all_large_eigenvalues_with_their_vectors(guess):
    values = np.concatenate([[30, -20j, 12, 12, 12, -11 + 4j, 10.5], np.linspace(-1, 1, 293)])
    matrix = _matrix(values, 0)
    start = np.random.default_rng(1).normal(size=(300, 4)) + 0j
    found = dominant(lambda v: matrix @ v, start, 10.0, 20.0, 1e-9, guess)
    assert found is not None
    theta, vectors, residuals = found
    assert (residuals < 1e-6).all()
    order = np.argsort(np.abs(theta))
    np.testing.assert_allclose(np.sort_complex(theta), np.sort_complex(values[:7]), atol=1e-6)
    np.testing.assert_allclose(matrix @ vectors[:, order], vectors[:, order] * theta[order], atol=1e-5)


def test_too_many_for_the_space():
    matrix = _matrix(np.linspace(1, 2, 40), 2)
    start = np.random.default_rng(1).normal(size=(40, 4)) + 0j
    assert dominant(lambda v: matrix @ v, start, 0.5, 1.0, 1e-9, 4) is None
