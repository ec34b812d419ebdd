"""Exclusion processes against the master equation of their rules, and against Derrida's matrices at any length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from measured import exact_values, tebd_values
from systems.markov import configurations, exclusion_moves, master_equation, occupation_correlation, stationary
from systems.tasep import tasep_exact, tasep_norm
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find

EXACT = 1e-9
ASEP, TASEP = find("asep"), find("tasep")
ENDS = ("inject_left", "remove_left", "inject_right", "remove_right")
rates = st.floats(0.1, 3.0)


def expected_values(n, p, q, ends):
    probability = stationary(master_equation(n, exclusion_moves(p, q, ends)))
    states = np.array(configurations(n), float)
    here, there = states[:, :-1], states[:, 1:]
    current = probability @ (p * here * (1 - there) - q * (1 - here) * there)
    correlation = occupation_correlation(probability)
    return {"density": probability @ states, "current": current, "density_correlation": correlation}


@given(n=st.integers(2, 4), p=rates, q=rates, ends=st.tuples(rates, rates, rates, rates))
@settings(max_examples=15)
def test_steady_states_are_those_of_the_rules(n, p, q, ends):
    values = exact_values(ASEP(n=n, p=p, q=q, **dict(zip(ENDS, ends, strict=True))))
    expected = expected_values(n, p, q, ends)
    assert set(values) == set(expected)
    for name in values:
        assert_allclose(values[name], expected[name], atol=EXACT, err_msg=name)
    assert np.ptp(values["current"]) < EXACT


def test_the_generator_is_the_master_equation():
    model = ASEP(n=3, p=1.3, q=0.4, inject_left=0.9, remove_left=0.2, inject_right=0.3, remove_right=1.1)
    expected = master_equation(3, exclusion_moves(1.3, 0.4, (0.9, 0.2, 0.3, 1.1)))
    assert_allclose(generator_of(model).matrix().toarray(), expected, atol=1e-14)


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.7, 0.4), (0.2, 0.6)])
def test_totally_asymmetric_steady_states_are_derridas(n, alpha, beta):
    values, expected = exact_values(TASEP(n=n, alpha=alpha, beta=beta)), tasep_exact(n, alpha, beta)
    for name in expected:
        assert_allclose(values[name], expected[name], atol=EXACT, err_msg=name)


def test_derridas_matrices_give_his_sums():
    for n in (2, 5, 50):
        assert_allclose(tasep_exact(n, 1.0, 1.0)["current"], (n + 2) / (2 * (2 * n + 1)), rtol=1e-12)
    for n in (3, 6):
        current = tasep_norm(n - 1, 0.7, 0.4) / tasep_norm(n, 0.7, 0.4)
        assert_allclose(tasep_exact(n, 0.7, 0.4)["current"], current, rtol=1e-12)


def test_where_alpha_and_beta_add_up_to_1_sites_are_independent():
    values = exact_values(TASEP(n=5, alpha=0.3, beta=0.7))
    assert_allclose(values["density"], 0.3, atol=EXACT)
    assert_allclose(values["current"], 0.21, atol=EXACT)
    assert_allclose(values["density_correlation"], 0.21 * np.eye(5), atol=EXACT)


def test_equal_rates_to_both_sides_are_the_symmetric_process():
    ends = dict(zip(ENDS, (0.9, 0.4, 0.3, 1.1), strict=True))
    values, symmetric = exact_values(ASEP(n=4, p=0.6, q=0.6, **ends)), exact_values(find("ssep")(n=4, rate=0.6, **ends))
    for name in values:
        assert_allclose(values[name], symmetric[name], atol=EXACT, err_msg=name)


def test_tebd_reaches_derridas_state():
    values, run = tebd_values(TASEP(n=8), until=60.0, chi=16, dt=0.3)
    expected = tasep_exact(8, 1.0, 1.0)
    assert abs(run.trace_drift) < 1e-6
    assert_allclose(values["density"], expected["density"], atol=1e-4)
    assert_allclose(values["current"], expected["current"], atol=1e-4)


def test_small():
    assert TASEP(alpha=0.3).small() == TASEP(n=4, alpha=0.3)
    assert ASEP(n=3).small() == ASEP(n=3)


@pytest.mark.parametrize(
    ("model", "parameters", "reason"),
    [
        (TASEP, {"n": 1}, "n = 1"),
        (TASEP, {"alpha": -1.0}, "alpha = -1: a rate"),
        (ASEP, {"q": -0.5}, "q = -0.5: a rate"),
        (ASEP, {"inject_right": float("inf")}, "finite"),
        (ASEP, {"inject": 1.0}, "did you mean 'inject_left'|did you mean 'inject_right'"),
    ],
)
def test_bad_parameters_are_refused(model, parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(model, parameters)
