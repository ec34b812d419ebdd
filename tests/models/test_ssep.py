"""The exclusion process against Derrida's solution. EXACT is what a direct solver leaves of 1e-16."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from measured import exact_values, measure, tebd_values
from tnness import TEBD
from tnness.engines.exact import steady_vector
from tnness.errors import InputError, NumericalError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness.network.chain_view import ChainView

EXACT = 1e-9
SSEP = find("ssep")
RATES = {"inject_left": 0.9, "remove_left": 0.4, "inject_right": 0.3, "remove_right": 1.1}


def check(values, expected, tolerance):
    expected = {**expected, "density_correlation": expected.get("density_correlation", expected.get("correlation"))}
    assert set(values) == {"density", "current", "density_correlation"}
    for name in values:
        assert_allclose(values[name], expected[name], atol=tolerance, err_msg=name)


@pytest.mark.parametrize("space", ["classical", "quantum"])
@pytest.mark.parametrize("n", [2, 3, 5, 6])
@pytest.mark.parametrize("rate", [1.0, 0.6])
def test_steady_state_equals_derrida(n, rate, space):
    check(exact_values(SSEP(n=n, rate=rate, space=space, **RATES)), systems.ssep_exact(n, **RATES, rate=rate), EXACT)


@given(st.tuples(*[st.floats(0.1, 3.0)] * 5), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_quantum_equals_classical(rates, n):
    rates = dict(zip(("rate", *RATES), rates, strict=True))
    classical, quantum = (exact_values(SSEP(n=n, space=space, **rates)) for space in ("classical", "quantum"))
    check(quantum, classical, EXACT)


def test_one_set_of_terms_serves_both_spaces():
    classical, quantum = (SSEP(n=3, space=space, **RATES).problem() for space in ("classical", "quantum"))
    assert [(str(j.operator).replace("T10", "Sp").replace("T01", "Sm"), j.rate) for j in classical.jumps] == [
        (str(j.operator), j.rate) for j in quantum.jumps
    ]
    assert classical.generator().dims == (2, 2, 2)
    assert quantum.generator().dims == (4, 4, 4)


def test_classical_generator_is_the_master_equation():
    order = np.arange(8)[::-1]  # systems.py counts from (occupied, ...), the bit from (empty, ...)
    expected = systems.dense_ssep_generator(3, **RATES, rate=0.6)[np.ix_(order, order)]
    assert_allclose(generator_of(SSEP(n=3, rate=0.6, **RATES)).matrix().toarray(), expected, atol=1e-14)


@pytest.mark.parametrize(("space", "n", "chi"), [("classical", 6, 8), ("quantum", 4, 16)])
def test_tebd_reaches_derrida(space, n, chi):
    values, run = tebd_values(SSEP(n=n, space=space, **RATES), until=100.0, chi=chi, dt=0.4)
    assert run.trace_drift == pytest.approx(0, abs=1e-6)  # 250 steps with a cutoff of 1e-14
    check(
        values, systems.ssep_exact(n, **RATES), 1e-4
    )  # order 4 at dt = 0.4; the gap, about (pi/(n + 2))^2, leaves e^-15


def test_equal_reservoirs_have_no_current_and_no_correlations():
    equal = {"inject_left": 0.6, "remove_left": 0.4, "inject_right": 1.2, "remove_right": 0.8}
    values = exact_values(SSEP(n=5, **equal))
    expected = {
        "density": np.full(5, 0.6),
        "current": np.zeros(4),
        "density_correlation": 0.24 * np.eye(5),
    }
    check(values, expected, EXACT)


def test_closed_chain_has_many_steady_states():
    with pytest.raises(NumericalError, match="not unique"):
        exact_values(SSEP(n=3, inject_left=0.0, remove_right=0.0))


@pytest.mark.parametrize("space", ["classical", "quantum"])
@pytest.mark.parametrize(
    "rates", [RATES, {"density_left": 0.8, "density_right": 0.3}, {"density_left": 0.6, "density_right": 0.6}]
)
def test_derridas_network_is_the_steady_state(rates, space):
    model = SSEP(n=4, rate=0.7, space=space, **rates)
    generator = generator_of(model)
    network = model.steady_network()
    assert_allclose(network.dense(), steady_vector(generator).vector, atol=1e-13)
    assert network.bond_dimensions == (4, 3, 2)


@pytest.mark.parametrize("n", [20, 100])
def test_derridas_network_at_any_length(n):
    model = SSEP(n=n, density_left=1.0, density_right=0.0)
    generator = generator_of(model)
    values = measure(model, ChainView(model.steady_network(), generator.spaces, generator.functionals))
    i = np.arange(1, n + 1)
    assert_allclose(values["density"], 1 - i / (n + 1), atol=1e-13)
    assert_allclose(values["density"], model.profile(), atol=1e-13)
    tau = -np.minimum.outer(i, i) * (n + 1 - np.maximum.outer(i, i)) / ((n + 1) ** 2 * n)
    off = ~np.eye(n, dtype=bool)
    assert_allclose(values["density_correlation"][off], tau[off], atol=1e-13)


def test_density_of_a_reservoir_stands_for_its_rates():
    given = SSEP(n=3, rate=0.5, density_left=0.8, density_right=0.1)
    rates = SSEP(n=3, rate=0.5, inject_left=0.4, remove_left=0.1, inject_right=0.05, remove_right=0.45)
    assert_allclose(generator_of(given).matrix().toarray(), generator_of(rates).matrix().toarray(), atol=1e-15)


@pytest.mark.slow
def test_a_hundred_sites_by_tebd():
    model = SSEP(n=100, density_left=1.0, density_right=0.0)
    run = TEBD(chi=16, dt=1.2, schedule=(), block=50).init(generator_of(model), model.local_equilibrium())
    while run.time < 1800:  # correlations relax at 2 (pi/101)^2; densities start exact
        run.step(1800)
    i = np.arange(1, 101)
    tau = -np.minimum.outer(i, i) * (101 - np.maximum.outer(i, i)) / (101**2 * 100)
    off = ~np.eye(100, dtype=bool)
    assert_allclose(measure(model, run.view())["density_correlation"][off], tau[off], atol=1e-4)


def test_small():
    assert SSEP(space="quantum").small() == SSEP(n=4, space="quantum")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"rate": -1.0}, "rate = -1: a rate"),
        ({"remove_right": -0.1}, "remove_right = -0.1: a rate"),
        ({"inject_left": float("inf")}, "finite"),
        ({"density_left": 1.2}, "density_left = 1.2: a density"),
        ({"space": "quantom"}, "did you mean 'quantum'"),
        ({"inject": 1.0}, "did you mean 'inject_left'|did you mean 'inject_right'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(SSEP, parameters)
