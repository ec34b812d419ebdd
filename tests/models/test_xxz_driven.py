"""The driven XXZ chain against Prosen's solution. EXACT is what a direct solver leaves of 1e-16."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from measured import exact_values, tebd_values
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find

EXACT = 1e-9
XXZ = find("xxz-driven")


def check(values, expected, tolerance):
    assert set(values) == {"z", "current", "zz"}
    for name in values:
        assert_allclose(values[name], expected[name], atol=tolerance, err_msg=name)


@pytest.mark.parametrize("n", [2, 3, 5, 6])
@pytest.mark.parametrize("delta", [0.0, 0.5, 1.0, 1.5])
def test_maximal_driving_equals_prosen(n, delta):
    check(exact_values(XXZ(n=n, delta=delta, gamma=1.2)), systems.prosen_exact(n, delta, 1.2), EXACT)


@given(
    n=st.integers(2, 3),
    delta=st.floats(-2, 2),
    gamma=st.floats(0.3, 3.0),
    mu=st.floats(-1, 1),
)
@settings(max_examples=30, deadline=None)
def test_any_driving_equals_dense(n, delta, gamma, mu):
    rho = systems.dense_steady_state(systems.dense_liouvillian(*systems.xxz_dense(n, delta, gamma, mu)))
    expected = {
        "z": systems.z_profile(rho),
        "current": systems.spin_current(rho),
        "zz": systems.zz_correlation(rho),
    }
    check(exact_values(XXZ(n=n, delta=delta, gamma=gamma, mu=mu)), expected, EXACT)


def test_reversed_bias_mirrors_the_chain():
    forward, backward = (exact_values(XXZ(n=4, delta=0.7, mu=mu)) for mu in (0.4, -0.4))
    assert_allclose(backward["z"], forward["z"][::-1], atol=EXACT)
    assert_allclose(backward["current"], -forward["current"][::-1], atol=EXACT)
    assert_allclose(backward["zz"], forward["zz"][::-1, ::-1], atol=EXACT)


def test_tebd_reaches_prosen():
    values, run = tebd_values(XXZ(n=5, delta=0.5), until=60.0, chi=16, dt=0.2)
    assert run.trace_drift == pytest.approx(0, abs=1e-7)  # 600 steps with a cutoff of 1e-14
    check(values, systems.prosen_exact(5, 0.5, 1.0), 1e-4)  # order 4 at dt = 0.2; chi = 16 drops nothing at n = 5
    assert_allclose(np.diag(values["zz"]), 1, atol=1e-12)


def test_small():
    assert XXZ(n=40, delta=0.3).small() == XXZ(n=4, delta=0.3)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"n": 4.5}, "not an integer"),
        ({"gamma": -1.0}, "gamma = -1: a rate"),
        ({"mu": -1.5}, "mu = -1.5: the bias lies between -1 and 1"),
        ({"detla": 0.5}, "did you mean 'delta'"),
        ({"delta": "half"}, "delta = 'half' is not a number"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(XXZ, parameters)
