"""The charge network: series resistance, and a current that nothing loses."""

import numpy as np
import pytest
import scipy.sparse.linalg
from numpy.testing import assert_allclose

from tnness import InputError, steady_state
from tnness.engines.transfer import Transfer
from tnness.model.parameters import build
from tnness.model.protocol import draw
from tnness.model.registry import find

ChargeNetwork = find("charge-network")


@pytest.mark.parametrize(("n", "alpha", "eps"), [(2, 0.5, 1e-2), (3, 1.0, 0.1), (500, 0.05, 1e-3), (500, 3.0, 1e-3)])
def test_one_dimension_is_a_series(n, alpha, eps):
    model = draw(ChargeNetwork(n=n, alpha=alpha, eps=eps), 1)
    lengths = np.array(model.lengths)
    current = 0.1 * n / np.sum(1 / (eps / lengths + 5 * np.exp(-lengths)))
    found = steady_state(model).dataset
    assert float(found["current_density"]) == pytest.approx(current, rel=1e-12)
    assert_allclose(found["current"], current, rtol=1e-7)  # links of a tiny drop: their potentials cancel
    assert found.sizes == {"site": n - 1, "bond": n}


def test_two_dimensions_lose_no_current_and_equal_the_direct_solve():
    model = draw(ChargeNetwork(n=10, dim=2, alpha=0.5, eps=0.05), 2)
    found = steady_state(model).dataset
    assert_allclose(found["current"], float(found["current"][0]), rtol=1e-11)
    assert float(found["current_density"]) == pytest.approx(float(found["current"][0]) / 10, rel=1e-11)
    chain = model.problem()
    expected = scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(chain.matrix()), chain.fixed_source().ravel())
    assert_allclose(found["potential"].values.ravel(), expected, atol=1e-12)


def test_equal_links_are_a_ramp():
    n = 6
    found = steady_state(ChargeNetwork(n=n, lengths=(1.0,) * n, voltage=3.0)).dataset
    assert_allclose(found["potential"], 3 * (1 - np.arange(1, n) / n), rtol=1e-13)


def test_batches_equal_single_runs():
    model = ChargeNetwork(n=20, alpha=0.3)
    lengths = model.links.draw(np.random.default_rng(0), (4, 20))
    view = Transfer().view(model.chain(lengths, 0.01))
    together = model.total_current(lengths, 0.01, view.solution())
    expected = 2.0 / np.sum(1 / model.links.conductance(lengths, 0.01), axis=-1)
    assert_allclose(together, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "reason"), [({"n": 1}, "n = 1"), ({"n": 4, "lengths": [1.0]}, "lengths takes 4")]
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(ChargeNetwork, parameters)
