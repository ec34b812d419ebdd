"""The Gaussian engine on the driven chains: closed formulas, the covariance equation, exact density matrices."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems
from tnness.engines.exact import steady_vector
from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.engines.gaussian import Gaussian
from tnness.errors import InputError, NumericalError, Unavailable
from tnness.model.registry import find
from tnness.network.dense_view import DenseView
from tnness.observables.observable import purity, renyi2_entropy
from tnness.operators.basis import spin_half as s
from tnness.problems.lindbladian import Lindbladian
from tnness.runs.solve import evolve, steady_state

XX, XXZ = find("xx-dephasing"), find("xxz-driven")
FIELDS = (0.37, -0.81, 0.23, 0.64, -0.15, 0.5)
RATES = {"coupling": 0.8, "gamma": 1.4, "mu": 0.6, "dephasing": 0.7}


def steady(model):
    solution = Gaussian().solve(model.problem())
    ((time, view),) = solution.views
    assert time == math.inf
    assert solution.verdict == "exact"
    return view


def measure(model, view):
    return {name: observable(view) for name, observable in model.observables().items()}


@pytest.mark.parametrize("dephasing", [0.0, 0.01, 0.7])
def test_xx_chain_equals_the_formula_at_n_100(dephasing):
    rates = RATES | {"dephasing": dephasing}
    found, expected = measure(model := XX(n=100, **rates), steady(model)), systems.xx_dephasing_exact(100, **rates)
    for name in ("z", "current"):
        assert_allclose(found[name], expected[name], atol=1e-10, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_xx_chain_equals_the_formula_at_n_1000(dephasing):
    rates = RATES | {"dephasing": dephasing}
    found, expected = measure(model := XX(n=1000, **rates), steady(model)), systems.xx_dephasing_exact(1000, **rates)
    for name in ("z", "current"):
        assert_allclose(found[name], expected[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_xx_chain_with_fields_equals_the_covariance_equation(dephasing):
    rates = RATES | {"dephasing": dephasing}
    expected = systems.xx_covariance_steady(6, **rates, fields=FIELDS)["covariance"]
    assert_allclose(steady(XX(n=6, **rates, fields=FIELDS)).correlation, expected, atol=1e-13)


@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_transient_equals_the_covariance_equation(dephasing):
    rates, times = RATES | {"dephasing": dephasing}, [0.0, 0.5, 1.3, 30.0]
    expected = systems.xx_covariance_transient(6, **rates, fields=FIELDS, times=times)["covariance"]
    solution = Gaussian().solve(XX(n=6, **rates, fields=FIELDS).problem(), times=times)
    assert_allclose([view.correlation for _, view in solution.views], expected, atol=1e-9)


def test_free_xxz_chain_equals_the_density_matrix_with_its_correlations_and_entropies():
    model = XXZ(n=4, delta=0.0, gamma=1.3, mu=0.4)
    generator = model.problem().generator()
    dense = DenseView(steady_vector(generator).vector, generator.spaces, generator.functionals)
    view = steady(model)
    for name, observable in (model.observables() | {"purity": purity(), "renyi2": renyi2_entropy()}).items():
        assert_allclose(observable(view), observable(dense), atol=1e-12, err_msg=name)
    p = np.linalg.eigvalsh(dense.marginal([0, 1]))
    assert_allclose(view.entropy([0, 1]), -(p * np.log(p)).sum(), atol=1e-12)


def test_neighbours_of_the_free_chain_are_correlated_as_known():
    model = XX(n=30, **(RATES | {"dephasing": 0.0}))
    connected = steady(model).correlations(s.Z, s.Z)
    z = measure(model, steady(model))["z"]
    found = np.diag(connected - np.outer(z, z), 1)
    assert_allclose(found, systems.xx_free_neighbour_correlation(30, 0.8, 1.4, 0.6), atol=1e-13)


@pytest.mark.parametrize("initial", [None, "product:01*01*", "thermal:0.7", "ground:2"])
def test_initial_states_are_those_of_the_density_matrix(initial):
    model = XX(n=6, **RATES, fields=FIELDS)
    found, dense = (evolve(model, [0.0, 0.8], engine=engine, initial=initial) for engine in ("gaussian", "exact"))
    values = found["z"].values - dense["z"].values
    assert_allclose(values, 0.0, atol=1e-7)  # thermal density matrices come from a Trotter product


def test_mixed_sites_of_a_product():
    solution = Gaussian().solve(XX(n=4).problem(), initial="product:0*1*", times=[0.0])
    ((_, view),) = solution.views
    assert_allclose(np.diag(view.correlation), [1, 0.5, 0, 0.5])  # spin up is basis state 0, a particle


def test_the_record_of_a_steady_state():
    record = steady_state(XX(n=50), engine="gaussian")
    assert record.outcome == "exact"
    assert set(record.dataset.sizes) == {"site", "bond"}
    assert_allclose(record["current"].values.std(), 0.0, atol=1e-12)


def test_a_state_with_dephasing_has_no_entropy():
    view = steady(XX(n=4))
    for read in (view.entropy, view.log_purity, lambda: view.expect(s.Z(0) * s.Z(2)), lambda: view.marginal([0])):
        with pytest.raises(Unavailable):
            read()


def test_interactions_are_refused_with_their_term():
    with pytest.raises(NotQuadratic, match=r"0.5 Z\(0\) Z\(1\) is an interaction"):
        steady_state(XXZ(n=6, delta=0.5), engine="gaussian")


def test_a_conserved_particle_number_has_no_one_steady_state():
    with pytest.raises(NumericalError, match="not unique"):
        steady(XX(n=6, gamma=0.0))


def test_a_decoupled_orbital_has_no_one_steady_state():
    chain = Lindbladian([s] * 4)
    chain.hamiltonian(s.X(0) * s.X(1) + s.Y(0) * s.Y(1))
    chain.hamiltonian(s.Z(3))
    chain.jump(s.Sp(0))
    with pytest.raises(NumericalError, match="not unique"):
        list(Gaussian().solve(chain).views)


@pytest.mark.parametrize("initial", ["product:01", "ground:9", "ground:x", "thermal:x", "nonsense", np.ones((2, 3)), 3])
def test_initial_states_that_cannot_be(initial):
    with pytest.raises(InputError, match=r"^initial = |^product:01|^ground:|initial correlation"):
        Gaussian().solve(XX(n=4).problem(), initial=initial, times=[1.0])


def test_a_tolerance_out_of_range():
    with pytest.raises(InputError, match="tolerance = 0"):
        Gaussian(tolerance=0.0)
