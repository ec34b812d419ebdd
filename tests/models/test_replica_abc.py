"""The averaged replica against dense averages, closed equations, enumeration and the exclusion process."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import replica_oracle as oracle
from measured import exact_values, exact_view, measure, tebd_values
from tnness import TEBD, steady_state
from tnness.engines.exact import steady_vector
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness.network.chain_view import ChainView
from tnness.operators.basis import product_elements
from tnness.problems.ensembles import replica_map
from tnness_models import conserving_gates, replica
from tnness_models.replica import replica_spin
from tnness_models.replica_abc import SOURCE

EXACT = 1e-9
ABC = find("replica-abc")
ASYMMETRIC = {"p1": 0.3, "p2": 0.2, "m_left": 0.3, "m_right": -0.1}
BASIS = np.array([replica_spin.vector(replica.STATES[name]) for name in replica.STATES])  # abc states as rows
"""replica_spin.vector keeps real parts: the abc states are real combinations of its elements."""


def abc_map(p1, p2):
    """W = sum_gates - 1 in the abc basis: (6, 6, 6, 6), output first."""
    whole = replica_map(conserving_gates.gates(p1, p2), replica_spin) - np.eye(36)
    pairs = np.kron(BASIS, BASIS)
    return (pairs @ whole @ pairs.T).reshape(6, 6, 6, 6)


def full_operator(model):
    """E[rho x rho] on all operators of the chain from the model's exact steady state: (16,) * n."""
    generator = generator_of(model)
    tensor = steady_vector(generator).vector.reshape(generator.dims)
    elements = replica_spin.elements.reshape(6, 16).real
    for _ in range(model.n):
        tensor = np.tensordot(tensor, elements, (0, 0))
    return tensor


# ---------------------------------------------------------------- the maps


def test_the_abc_states_are_an_orthonormal_basis():
    assert_allclose(BASIS @ BASIS.T, np.eye(6), atol=1e-15)


@given(st.floats(0, 1), st.floats(0, 1))
def test_bulk_map_equals_the_papers_tables(first, second):
    p1, p2 = first, (1 - first) * second
    w, g = abc_map(p1, p2).reshape(36, 36), p1 / 6
    block = [(2, 3), (3, 2), (4, 5), (5, 4), (0, 1), (1, 0)]  # b_up b_dn, b_dn b_up, c_up c_dn, ...
    sign = np.kron(np.array([[-1, 1, 1], [1, -1, -1], [1, -1, -1]]), np.ones((2, 2)))
    swap = np.kron(np.eye(3), np.array([[-1, 1], [1, -1]])) / 2
    index = [6 * a + b for a, b in block]
    assert_allclose(w[np.ix_(index, index)], swap + g * sign, atol=1e-14)  # E7
    for first_state, second_state, off, on in [(0, 2, 0.5, 0.5), (2, 4, 0.5, 0.5), (0, 4, -(1 - p2) / 2, (1 + p2) / 2)]:
        index = [6 * first_state + second_state, 6 * second_state + first_state]
        assert_allclose(w[np.ix_(index, index)], [[-on, off], [off, -on]], atol=1e-14)  # E8, in the spin basis


def test_boundary_map_equals_the_papers_tables_corrected():
    p1, p2, up = 0.3, 0.2, 0.8
    model = ABC(n=2, p1=p1, p2=p2, m_left=up - 0.5)
    fresh = replica_spin.vector(replica.occupied(up))
    end = BASIS @ model.end_map(fresh, left=True) @ BASIS.T
    down, g = 1 - up, p1 / 6
    both = up * down
    expected = np.array(
        [
            [-(down**2) * (0.5 + g) - both, up**2 * (0.5 - g), up**2 / 2 + g * both, up**2 / 2 + g * both],
            [down**2 * (0.5 - g), -(up**2) * (0.5 + g) - both, down**2 / 2 + g * both, down**2 / 2 + g * both],
            [both / 2 + g * down**2, g * up**2 + both / 2, -0.5 + both * (0.5 - g), both * (0.5 - g)],
            [both / 2 + g * down**2, g * up**2 + both / 2, both * (0.5 - g), -0.5 + both * (0.5 - g)],
        ]
    )
    assert_allclose(end[2:, 2:], expected, atol=1e-14)  # E9, c block by its erratum
    assert_allclose(end[:2, :2], (-0.5 - p2 * both) * np.eye(2), atol=1e-14)  # E10, by its erratum
    assert_allclose(end[:2, 2:], 0, atol=1e-14)


def test_averages_over_unitaries_keep_trace_and_purity():
    w = abc_map(0.4, 0.35).reshape(36, 36)
    for functional in ([0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]):
        assert_allclose(np.kron(functional, functional) @ w, 0, atol=1e-14)


def test_the_dense_average_has_no_other_component():
    """What one pair map makes of the six states stays within them, in the space of all 256 pairs of operators."""
    pair = oracle.averaged_pair_map(0.3, 0.2).reshape(256, 256)
    spanned = product_elements((replica_spin, replica_spin)).reshape(36, 4, 4, 4, 4)  # (s1 s1'), (s2 s2') by rows
    flat = np.array(
        [np.kron(a, b) for a in replica_spin.elements.reshape(6, 16) for b in replica_spin.elements.reshape(6, 16)]
    )
    assert spanned.shape[0] == len(flat)
    images = flat @ pair.T
    assert_allclose(images - (images @ flat.T) @ flat, 0, atol=1e-14)


# ---------------------------------------------------------------- steady states at finite delta


def test_first_test():
    values = exact_values(ABC(n=2, p1=0.3, p2=0.2, m_left=0.3, m_right=-0.3))
    assert_allclose(values["purity"], 0.41484890175, atol=5e-12)
    assert_allclose(values["h"][0], 0.05467408585, atol=5e-12)
    assert_allclose(values["a"][0, 1], 0.00745230525, atol=5e-12)


@pytest.mark.parametrize("n", [2, 3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_exact_solves_the_dense_average(n):
    model = ABC(n=n, **ASYMMETRIC)
    operator = full_operator(model)
    assert oracle.unbalanced(operator, 0.3, 0.2, 0.8, 0.4) < 1e-12
    matrix = operator.reshape([2] * (4 * n))
    kets, bras = [4 * i + r for i in range(n) for r in (0, 1)], [4 * i + r for i in range(n) for r in (2, 3)]
    dense = matrix.transpose(*kets, *bras).reshape(4**n, 4**n)
    assert_allclose(np.trace(dense), 1, atol=1e-12)
    ones = [np.eye(2)] * (2 * n)
    values = exact_values(model)

    def expect(inserted):
        factors = [inserted.get(k, one) for k, one in enumerate(ones)]  # site-major, replicas 0 and 1
        total = factors[0]
        for factor in factors[1:]:
            total = np.kron(total, factor)
        return np.trace(total @ dense).real

    up, raising, z = np.diag([1.0, 0.0]), np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])
    mean = np.array([expect({2 * i: up}) for i in range(n)])
    assert_allclose(values["density"], mean, atol=EXACT)
    for i in range(n):
        assert_allclose(values["h"][i], expect({2 * i: up, 2 * i + 1: up}) - mean[i] ** 2, atol=EXACT)
        for j in range(i + 1, n):
            strings = {2 * k + r: z for k in range(i + 1, j) for r in (0, 1)}
            ends = {2 * i: raising, 2 * j: raising.T, 2 * i + 1: raising.T, 2 * j + 1: raising}
            assert_allclose(values["a"][i, j], expect(strings | ends), atol=EXACT)
            tau = expect({2 * i: up, 2 * j: up}) - mean[i] * mean[j]
            assert_allclose(values["tau"][i, j], tau, atol=EXACT)
    swap, purity = np.eye(4)[[0, 2, 1, 3]].ravel(), operator
    for _ in range(n):
        purity = np.tensordot(purity, swap, (0, 0))
    assert_allclose(values["purity"], purity, atol=EXACT)


@pytest.mark.parametrize("n", [2, 3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_tebd_reaches_exact(n):
    model = ABC(n=n, **ASYMMETRIC)
    values, run = tebd_values(model, until=25 * (n + 1) ** 2 / np.pi**2, chi=216, dt=0.4)
    assert run.trace_drift == pytest.approx(0, abs=1e-9)
    exact = exact_values(model)
    for name, value in values.items():
        assert_allclose(value, exact[name], atol=1e-5, err_msg=name)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.booleans())
def test_the_average_is_the_exclusion_process(first, second, m_left, m_right, coherences):
    n = 3
    values = exact_values(
        ABC(n=n, p1=first, p2=(1 - first) * second, m_left=m_left, m_right=m_right, coherences=coherences)
    )
    i, delta = np.arange(1, n + 1), m_left - m_right
    assert_allclose(values["density"], 0.5 + m_left - delta * i / (n + 1), atol=EXACT)
    tau = -np.minimum.outer(i, i) * (n + 1 - np.maximum.outer(i, i)) * delta**2 / ((n + 1) ** 2 * n)
    assert_allclose(values["tau"], tau * (1 - np.eye(n)), atol=EXACT)


@pytest.mark.parametrize("p1", [1.0, 0.3])
def test_without_interactions_it_is_the_closed_gaussian_average(p1):
    n, m_left, m_right = 4, 0.4, -0.3
    values = exact_values(ABC(n=n, p1=p1, p2=0.0, m_left=m_left, m_right=m_right))
    expected = oracle.phase_two(n, p1, 0.5 + m_left, 0.5 + m_right)
    assert_allclose(values["a"], expected * (1 - np.eye(n)), atol=EXACT)
    assert_allclose(values["h"], np.diag(expected), atol=EXACT)


@pytest.mark.parametrize("p2", [0.0, 0.6])
def test_without_partial_swaps_it_is_an_enumeration_of_configurations(p2):
    n, m_left, m_right = 3, 0.4, -0.2
    ssep = find("ssep")(n=n, rate=0.5, inject_left=0.5, remove_right=0.5)  # polarised reservoirs
    probabilities = steady_vector(generator_of(ssep)).vector
    expected = oracle.polarised(n, probabilities, m_left, m_right)
    assert_allclose(full_operator(ABC(n=n, p1=0.0, p2=p2, m_left=m_left, m_right=m_right)), expected, atol=EXACT)


def test_without_coherences_only_populations_are_left():
    values = exact_values(ABC(n=3, **ASYMMETRIC, coherences=False))
    assert "a" not in values
    assert np.all(values["h"] > 0)
    assert_allclose(values["h"], exact_values(ABC(n=3, **ASYMMETRIC))["h"], rtol=0.5)
    unitary = exact_values(replace(ABC(n=3, **ASYMMETRIC), p1=0.0))
    measured = exact_values(replace(ABC(n=3, **ASYMMETRIC, coherences=False), p1=0.0))
    for name in measured:  # without partial swaps no coherence ever appears
        assert_allclose(measured[name], unitary[name], atol=EXACT, err_msg=name)


# ---------------------------------------------------------------- order delta^2


@pytest.mark.parametrize(("n", "deviation", "information"), [(4, 0.8550, 0.2033)])
def test_second_order_equals_the_exact_numbers(n, deviation, information):
    values = exact_values(ABC(n=n, order="second"))
    assert_allclose(values["entropy_deviation"], deviation, atol=5e-5)
    assert_allclose(values["mutual_information"][n // 2 - 1], information, atol=5e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "deviation", "information"), [(6, 0.9966, 0.2925), (8, 1.0798, 0.3597)])
def test_second_order_by_tebd_equals_the_exact_numbers(n, deviation, information):
    record = steady_state(ABC(n=n, order="second"), engine=TEBD(chi=216, dt=0.8, schedule=()), tolerance=1e-5)
    assert_allclose(record["entropy_deviation"], deviation, atol=1e-4)
    assert_allclose(record["mutual_information"][n // 2 - 1], information, atol=1e-4)


@pytest.mark.parametrize(
    "parameters", [{"p1": 0.5, "p2": 0.5}, {"p1": 0.3, "p2": 0.0}, {"p1": 0.4, "coherences": False}]
)
def test_second_order_is_the_limit_of_finite_delta(parameters):
    n, delta = 3, 0.02
    second = exact_values(ABC(n=n, order="second", **parameters))
    finite = exact_values(ABC(n=n, m_left=delta / 2, m_right=-delta / 2, **parameters))
    for name in second.keys() - {"density", "purity"}:
        assert_allclose(finite[name] / delta**2, second[name], atol=1e-3, err_msg=name)  # corrections of order delta
    assert_allclose((finite["purity"] - 2.0**-n) / delta**2, second["purity"], atol=1e-3)
    assert_allclose(second["density"], 0, atol=1e-8)


def test_pair_truncation_is_exact_for_two_sites():
    values = exact_values(ABC(n=2, order="second"))
    assert_allclose(values["pair_entropy_deviation"], values["entropy_deviation"], rtol=1e-4)  # SOURCE, not exact
    assert_allclose(values["pair_mutual_information"], values["mutual_information"], rtol=1e-4)
    longer = exact_values(ABC(n=4, order="second"))
    assert longer["pair_mutual_information"][1] < 0.7 * longer["mutual_information"][1]


def test_tebd_at_second_order_keeps_the_trace_and_the_charges():
    model = ABC(n=4, order="second")
    run = TEBD(chi=64, dt=0.4, schedule=()).init(generator_of(model), model.initial_state("tebd"))
    while run.time < 60:
        run.step(60)
    assert run.trace_drift == pytest.approx(0, abs=1e-11)
    values, exact = measure(model, run.view()), measure(model, exact_view(model))
    for name in ("entropy_deviation", "mutual_information", "h", "a", "tau"):
        assert_allclose(values[name], exact[name], atol=1e-5, err_msg=name)


def test_truncation_keeps_the_trace_to_round_off_of_the_source():
    model = ABC(n=6, order="second")
    run = TEBD(chi=12, dt=1.0, schedule=()).init(generator_of(model), model.initial_state("tebd"))
    while run.time < 30:
        run.step(30)
    assert max(run.state.bond_dimensions) == 12
    assert abs(run.trace_drift) < 1e-6 * SOURCE


# ---------------------------------------------------------------- input


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"p1": -0.1}, "p1 = -0.1: a probability"),
        ({"p2": 1.5}, "p2 = 1.5: a probability"),
        ({"p1": 0.7, "p2": 0.4}, "p1 \\+ p2 = 1.1"),
        ({"m_left": 0.6}, "m_left = 0.6: a magnetisation"),
        ({"order": "second", "m_left": 0.1}, "order delta\\^2 is for antisymmetric"),
        ({"order": "third"}, "order = 'third' is not one of"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(ABC, parameters)


def test_a_record_hands_out_the_state_in_the_chains_own_coordinates():
    model = ABC(n=3, order="second")
    generator = generator_of(model)
    record = steady_state(model, engine=TEBD(chi=36, dt=0.5), tolerance=1e-4)
    view = ChainView(record.state, generator.spaces, generator.functionals)
    assert_allclose(replica.entropy_deviation(view) / SOURCE, record["entropy_deviation"], rtol=1e-9)
    assert_allclose(record["entropy_deviation"], exact_values(model)["entropy_deviation"], rtol=1e-3)
    again = TEBD(chi=36).init(generator, record.state)
    assert_allclose(replica.entropy_deviation(again.view()) / SOURCE, record["entropy_deviation"], rtol=1e-6)
