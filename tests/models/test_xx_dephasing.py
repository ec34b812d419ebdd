"""The XX chain with dephasing against its closed formulas. EXACT is what a direct solver leaves of 1e-16."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from measured import exact_values, measure, tebd_values
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness.network.initial import identity_state

EXACT = 1e-9
XX = find("xx-dephasing")
FIELDS = (0.37, -0.81, 0.23, 0.64, -0.15, 0.5)
RATES = {"coupling": 0.8, "gamma": 1.4, "mu": 0.6, "dephasing": 0.7}


def check(values, expected, tolerance):
    assert set(values) == {"z", "current"}
    for name in values:
        assert_allclose(values[name], expected[name], atol=tolerance, err_msg=name)


@pytest.mark.parametrize("n", [2, 3, 5, 6])
@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_steady_state_equals_the_formula(n, dephasing):
    rates = RATES | {"dephasing": dephasing}
    check(exact_values(XX(n=n, **rates)), systems.xx_dephasing_exact(n, **rates), EXACT)


@given(
    fields=st.lists(st.floats(-3, 3), min_size=2, max_size=4),
    coupling=st.floats(0.3, 2.0),
    gamma=st.floats(0.3, 3.0),
    mu=st.floats(-1, 1),
    dephasing=st.floats(0, 3.0),
)
@settings(max_examples=30, deadline=None)
def test_steady_state_with_fields_equals_the_covariance_equation(fields, coupling, gamma, mu, dephasing):
    parameters = (len(fields), coupling, gamma, mu, dephasing, fields)
    model = build(XX, dict(zip(("n", "coupling", "gamma", "mu", "dephasing", "fields"), parameters, strict=True)))
    check(exact_values(model), systems.xx_covariance_steady(*parameters), EXACT)


@pytest.mark.parametrize("engine", [Exact(), TEBD(chi=64, dt=0.1)], ids=lambda e: e.name)
def test_transient_equals_the_covariance_equation(engine):
    model, times = XX(n=6, **RATES, fields=FIELDS), [0.5, 1.3, 3.0]
    expected = systems.xx_covariance_transient(6, **RATES, fields=FIELDS, times=times)
    generator = generator_of(model)
    run = engine.init(generator, identity_state(generator.spaces))
    for i, time in enumerate(times):
        while run.time < time:
            run.step(time)
        # expm to its own tolerance; order 4 at dt = 0.1, and chi = 64 = 4^3 drops nothing at n = 6
        tolerance = EXACT if engine.name == "exact" else 1e-5
        check(measure(model, run.view()), {name: values[i] for name, values in expected.items()}, tolerance)


def test_tebd_reaches_the_steady_state():
    model = XX(n=4, **RATES, fields=FIELDS[:4])
    values, _ = tebd_values(model, until=40.0, chi=16, dt=0.2)
    check(values, systems.xx_covariance_steady(4, **RATES, fields=FIELDS[:4]), 1e-5)  # order 4 at dt = 0.2


def test_no_bias_no_current():
    values = exact_values(XX(n=4, mu=0.0, fields=FIELDS[:4]))
    check(values, {"z": np.zeros(4), "current": np.zeros(3)}, EXACT)


def test_no_fields_are_zero_fields():
    model, zeros = XX(n=3), XX(n=3, fields=[0, 0, 0])
    assert model.fields is None
    assert zeros.fields == (0.0, 0.0, 0.0)
    check(exact_values(model), exact_values(zeros), EXACT)


def test_small_keeps_the_first_sites():
    assert XX(n=6, fields=FIELDS).small() == XX(n=4, fields=FIELDS[:4])
    assert XX(n=3).small() == XX(n=3)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 0}, "n = 0"),
        ({"gamma": -1.0}, "gamma = -1: a rate"),
        ({"dephasing": -0.5}, "dephasing = -0.5: a rate"),
        ({"mu": 1.1}, "mu = 1.1: the bias lies between -1 and 1"),
        ({"mu": float("nan")}, "finite"),
        ({"n": 3, "fields": [1.0]}, "fields takes one number per site, n = 3"),
        ({"delta": 1.0}, "no parameter 'delta'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(XX, parameters)
