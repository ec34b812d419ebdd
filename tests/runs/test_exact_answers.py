"""Steady states and evolutions against exact answers."""

import pytest
from numpy.testing import assert_allclose, assert_array_equal

import systems
from halting import HIGH, XX
from small_runs import assert_within_its_errors
from tnness import TEBD, Exact, evolve, find, steady_state

RATES = {"inject_left": 0.9, "remove_left": 0.4, "inject_right": 0.3, "remove_right": 1.1}


def test_ssep_is_derridas():
    record = steady_state(find("ssep")(n=5, **RATES), engine="tebd")
    expected = systems.ssep_exact(5, **RATES)
    assert record.outcome == "converged"
    assert_allclose(record["density"], expected["density"], atol=1e-4)
    assert_allclose(record["current"], expected["current"], atol=1e-4)


def test_xx_with_dephasing_is_the_covariance_equations():
    expected = systems.xx_covariance_steady(3, 1.0, 1.0, 1.0, 0.5, XX.fields)
    exact, record = steady_state(XX, engine="exact"), steady_state(XX, engine=HIGH)
    for name in ("z", "current"):
        assert_allclose(exact[name], expected[name], atol=1e-9)
        assert_within_its_errors(record, name, expected[name])
        assert record[f"{name}_error"].max() < 2e-2
    assert (exact.outcome, record.outcome) == ("exact", "converged")


def test_xxz_is_prosens():
    record = steady_state(find("xxz-driven")(n=4, delta=0.5), engine="exact")
    expected = systems.prosen_exact(4, 0.5, 1.0)
    for name in ("z", "current", "zz"):
        assert_allclose(record[name], expected[name], atol=1e-9)


def test_mbl_is_the_dense_one():
    model = find("mbl-heisenberg")(n=3, eps=0.3, fields_z=(0.31, -0.77, 0.52), fields_x=(-0.65, 0.22, 0.81))
    expected = systems.mbl_exact(3, 2.0, 0.3, model.fields_z, model.fields_x)
    exact, record = steady_state(model, engine="exact"), steady_state(model, engine=HIGH)
    for name, values in expected.items():
        assert_allclose(exact[name], values, atol=1e-9)
        assert_within_its_errors(record, name, values)


@pytest.mark.parametrize("engine", [TEBD(chi=4, dt=0.1), Exact()])
def test_a_transient_is_the_covariance_equations(engine):
    times = [0.0, 0.3, 1.0, 2.5]
    expected = systems.xx_covariance_transient(3, 1.0, 1.0, 1.0, 0.5, XX.fields, times)
    record = evolve(XX, times, engine=engine)
    assert_array_equal(record["time"], times)
    assert record["z"].dims == ("time", "site")
    for name in ("z", "current"):
        assert_allclose(record[name], expected[name], atol=1e-5)
    assert record.time == 2.5


def test_a_transient_from_a_product_state():
    expected = systems.xx_covariance_transient(3, 1.0, 1.0, 1.0, 0.5, XX.fields, [0.5], [1, -1, -1])
    record = evolve(XX, [0.5], engine=TEBD(chi=4, dt=0.1), initial="product:011")
    assert_allclose(record["z"], expected["z"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_the_reference_mbl_case(weight):
    case = systems.mbl_exact_reference()
    model = find("mbl-heisenberg")(**case.parameters(), field_weight=weight)
    expected = case.beta_variation_whole if weight == 1 else case.beta_variation_half
    loose = steady_state(model, engine=TEBD(chi=64))
    tight = steady_state(model, engine=TEBD(chi=64, dt=0.1, schedule=()), tolerance=1e-7)
    for record, tolerance in ((loose, 1e-3), (tight, 1e-6)):
        assert_allclose(record["energy"], case.energy, atol=tolerance)
        assert_allclose(record["beta_variation"], expected, atol=tolerance)
