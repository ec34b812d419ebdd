"""Closed lattice equations against the dense averages, and against their scaling limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import replica_oracle as oracle
from measured import exact_values, measure
from tnness import TEBD
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness_models.replica_solutions import phase_two, two_point, two_point_state

ABC = find("replica-abc")


@given(st.integers(2, 5), st.floats(0.05, 1), st.floats(0, 1), st.floats(0, 1))
def test_gaussian_equations_equal_iterated_gates(n, p1, left, right):
    assert_allclose(phase_two(n, p1, left, right), oracle.phase_two(n, p1, left, right), atol=1e-11)


def test_gaussian_scaling_limit():
    n, delta = 200, 0.01
    values = phase_two(n, 1.0, 0.5 + delta / 2, 0.5 - delta / 2) / delta**2 / n
    deviation = 2 * np.trace(values) + 4 * np.triu(values, 1).sum()
    assert_allclose([deviation, 4 * values[: n // 2, n // 2 :].sum()], [0.16752, 0.06281], atol=5e-6)
    assert_allclose(deviation, 1 / 6, rtol=1e-2)


@pytest.mark.parametrize("parameters", [{"p1": 0.4, "p2": 0.0}, {"p1": 0.0, "p2": 0.5}])
def test_two_point_equations_close_without_one_kind_of_gate(parameters):
    model = ABC(n=4, order="second", **parameters)
    values, closed = exact_values(model), two_point(generator_of(model))
    for name, found in (("h", closed.h), ("a", closed.a), ("b", closed.b)):
        assert_allclose(values[name], found, atol=1e-5, err_msg=name)  # SOURCE in the exact values
    assert_allclose(values["entropy_deviation"], closed.entropy_deviation, atol=1e-4)
    assert_allclose(values["mutual_information"], closed.mutual_information, atol=1e-4)


@pytest.mark.parametrize(("p1", "p2"), [(0.3, 0.0), (0.4, 0.6)])
def test_two_point_equations_close_without_coherences(p1, p2):
    model = ABC(n=4, p1=p1, p2=p2, order="second", coherences=False)
    values, closed = exact_values(model), two_point(generator_of(model))
    assert_allclose(values["h"], closed.h, atol=1e-5)  # SOURCE in the exact values
    assert_allclose(values["entropy_deviation"], closed.entropy_deviation, atol=1e-4)
    assert_allclose(closed.mutual_information, 0, atol=1e-9)  # no information at order delta^2


def test_two_point_equations_equal_the_gaussian_ones_at_small_bias():
    n, p1, delta = 12, 0.7, 1e-3
    closed = two_point(generator_of(ABC(n=n, p1=p1, p2=0.0, order="second")))
    values = phase_two(n, p1, 0.5 + delta / 2, 0.5 - delta / 2) / delta**2
    assert_allclose(closed.h, np.diag(values), atol=1e-8)
    assert_allclose(closed.a, values * (1 - np.eye(n)), atol=1e-8)


def test_two_point_equations_do_not_close_with_both_kinds():
    model = ABC(n=4, order="second")
    closed = two_point(generator_of(model))
    assert closed.entropy_deviation < 0.9 * exact_values(model)["entropy_deviation"]


def test_two_point_equations_give_the_papers_powers():
    """(38), (39): Delta S = 10.6/L, I = 4.9/L^2 at p1 = p2 = 1/2, but for coarse-graining over one decay length."""
    deviation, information = [], []
    for n in (20, 40):
        closed = two_point(generator_of(ABC(n=n, p1=0.5, p2=0.5, order="second")))
        deviation.append(n * closed.entropy_deviation)
        information.append(n**2 * closed.mutual_information[n // 2 - 1])
    assert_allclose(2 * deviation[1] - deviation[0], 10.63, rtol=0.2)
    assert_allclose(2 * information[1] - information[0], 4.90, rtol=0.2)


def test_the_start_holds_the_two_point_solution_and_the_exact_correlations():
    n = 8
    model = ABC(n=n, order="second")
    generator = generator_of(model)
    run = TEBD(chi=64).init(generator, two_point_state(generator))
    values, closed = measure(model, run.view()), two_point(generator)
    assert_allclose(values["entropy_deviation"], closed.entropy_deviation, rtol=1e-4)  # SOURCE
    assert_allclose(values["mutual_information"], closed.mutual_information, rtol=1e-3)
    assert_allclose(values["h"], closed.h, atol=1e-6)
    i = np.arange(1, n + 1)
    tau = -np.minimum.outer(i, i) * (n + 1 - np.maximum.outer(i, i)) / ((n + 1) ** 2 * n)
    assert_allclose(values["tau"], tau * (1 - np.eye(n)), atol=1e-8)
