"""Reading a pure state against its dense vector."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.pure.view import PureView
from tnness.errors import ModelError, Unavailable
from tnness.network.chain_state import ChainState
from tnness.operators.basis import spinless as f
from tnness.operators.terms import Operator

N = 5


@pytest.fixture
def vector():
    rng = np.random.default_rng(2)
    found = rng.standard_normal(2**N) + 1j * rng.standard_normal(2**N)
    return found / np.linalg.norm(found)


@pytest.fixture
def view(vector):
    return PureView(ChainState.from_dense(3.0 * vector, [2] * N), [f] * N)


def value(operator: Operator, vector):
    matrix = operator.matrix(range(N), dict.fromkeys(range(N), 2), dict.fromkeys(range(N), f.P.matrix))
    return np.vdot(vector, matrix @ vector)


@pytest.mark.parametrize(
    "operator",
    [
        f.N(0),
        f.N(4) + 2.0,
        f.Cd(1) * f.C(2),
        1j * f.Cd(3) * f.C(4) - 0.5 * f.N(2) * f.N(3),
        f.N(0) * f.N(3),
        f.Cd(0) * f.C(3) + f.Cd(3) * f.C(0),
    ],
    ids=str,
)
def test_expectations(view, vector, operator):
    assert_allclose(view.expect(operator), value(operator, vector), atol=1e-13)


def test_correlations_marginals_and_entropies(view, vector):
    folded = vector.reshape(4, 8)
    p = np.linalg.svd(folded, compute_uv=False) ** 2
    assert_allclose(view.entropy(slice(0, 2)), -(p * np.log(p)).sum(), atol=1e-12)
    assert_allclose(view.schmidt_values(1) ** 2, np.sort(np.outer(p, p).ravel())[::-1], atol=1e-13)
    assert_allclose(view.marginal([0, 1]), folded @ folded.conj().T, atol=1e-13)
    last = vector.reshape(16, 2)
    assert_allclose(view.marginal([4]), last.T @ last.conj(), atol=1e-13)
    assert_allclose(view.correlations(f.N, f.N)[0, 4], value(f.N(0) * f.N(4), vector), atol=1e-13)


def test_what_it_cannot_read(view):
    with pytest.raises(ModelError, match="reads site 5"):
        view.expect(f.N(5))
    for read in (lambda: view.entropy([1, 3]), lambda: view.marginal([0, 2]), lambda: view.excitation(1)):
        with pytest.raises(Unavailable):
            read()
