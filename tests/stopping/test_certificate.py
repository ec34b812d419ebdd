"""The certificate: its figures against dense linear algebra, its verdicts, and errors inside what it claims."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import tnness.engines.tebd_run
from chains import SPACES as LOCAL
from chains import random_density_matrix, random_lindbladian, seeds, space_names
from small_runs import QUICK, Pumped, observables
from tnness import TEBD, Lindbladian, evolve, find, identity_state, product_state, steady_state
from tnness import spin_half as s
from tnness.engines.exact import steady_vector
from tnness.errors import NumericalError
from tnness.model.protocol import draw, generator_of
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.dense_view import DenseView
from tnness.records.certificate import KINDS, Certificate
from tnness.stopping.balance import energy_balance, local_balance, positivity, residual


def random_state(dims, chi, rng):
    edges = [1, *rng.integers(1, chi + 1, len(dims) - 1), 1]
    return ChainState([rng.standard_normal((edges[i], d, edges[i + 1])) for i, d in enumerate(dims)])


def view_of(generator, state):
    return ChainView(state, generator.spaces, generator.functionals)


def dense_view(generator, vector):
    return DenseView(vector, generator.spaces, generator.functionals)


# ---------------------------------------------------------------- the figures


@given(names=st.lists(space_names, min_size=2, max_size=4), seed=seeds, chi=st.integers(1, 5))
def test_residual_is_the_dense_one(names, seed, chi):
    """|G P|/|P| of any matrix-product state, from its tensors alone."""
    spaces = [LOCAL[name] for name in names if LOCAL[name].dim < 9] or [s] * 2
    spaces = spaces * 2 if len(spaces) == 1 else spaces
    generator, rng = random_lindbladian(spaces, seed).generator(), np.random.default_rng(seed)
    state = random_state(generator.dims, chi, rng)
    vector = state.dense()
    expected = np.linalg.norm(generator.apply(vector)) / np.linalg.norm(vector)
    before = [tensor.copy() for tensor in state.tensors]
    assert residual(generator, state) == pytest.approx(expected, rel=1e-9)
    for tensor, old in zip(state.tensors, before, strict=True):
        assert_allclose(tensor, old, rtol=0, atol=0)


@given(seed=seeds, site=st.integers(0, 3))
def test_local_balance_is_the_worst_local_rate(seed, site):
    """|d<E>/dt| over the operator basis of each site, from G P itself."""
    generator = random_lindbladian([s] * 4, seed).generator()
    rng = np.random.default_rng(seed)
    state = product_state([s] * 4, [random_density_matrix(2, rng) for _ in range(4)])
    derivative = dense_view_of_change(generator, state)
    worst = max(np.linalg.norm(derivative(site)) for site in range(4))
    assert local_balance(generator, view_of(generator, state)) == pytest.approx(worst, rel=1e-9)


def dense_view_of_change(generator, state):
    change = generator.apply(state.dense()).reshape(generator.dims)

    def at(site):
        result = change
        for other in reversed(range(generator.n)):
            if other != site:
                result = np.tensordot(result, generator.functionals["trace"][other], (other, 0))
        return result

    return at


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mbl-heisenberg", {"n": 4}),
        ("xxz-driven", {"n": 4, "delta": 0.5}),
        ("xx-dephasing", {"n": 4}),
        ("ssep", {"n": 4, "space": "quantum"}),
    ],
)
def test_balances_vanish_in_the_steady_state_and_nowhere_else(name, parameters):
    model = draw(find(name)(**parameters), 0)
    generator = generator_of(model)
    steady = dense_view(generator, steady_vector(generator).vector)
    start = dense_view(generator, product_state(generator.spaces, [np.diag([0.8, 0.2])] * 4).dense())
    assert local_balance(generator, steady) < 1e-10
    assert local_balance(generator, start) > 1e-2
    energy = energy_balance(generator, steady)
    assert math.isnan(energy) if name == "ssep" else energy < 1e-9  # ssep has no Hamiltonian
    if name == "mbl-heisenberg":
        hot = dense_view(generator, identity_state(generator.spaces).dense())
        assert energy_balance(generator, hot) == pytest.approx(1.0)  # every flow cools


@given(seed=seeds)
def test_energy_balance_is_the_total_derivative(seed):
    """The flows add up to Tr[H D(rho)]; [H, rho] feeds nothing in."""
    lindbladian = random_lindbladian([s] * 3, seed)
    generator, rng = lindbladian.generator(), np.random.default_rng(seed)
    view = view_of(generator, product_state([s] * 3, [random_density_matrix(2, rng) for _ in range(3)]))
    figure = energy_balance(generator, view)
    derivative = view_of_derivative(lindbladian, generator, view)
    assert figure > 0
    assert figure <= 1 + 1e-12
    assert (abs(derivative) < 1e-9) == (figure < 1e-9)


def view_of_derivative(lindbladian, generator, view):
    from chains import dense_operator, density_matrix
    from tnness.operators.terms import Operator

    spaces = list(generator.spaces)
    change = density_matrix(generator.apply(view.state.dense()), spaces)
    hamiltonian = dense_operator(Operator(tuple(t for o in lindbladian.hamiltonian_terms for t in o)), spaces)
    return np.trace(hamiltonian @ change).real


def test_a_flow_that_vanishes_by_symmetry_is_no_scale():
    """In the driven XX chain no energy flows at all: a small error of the state is no imbalance of order one."""
    record = steady_state(find("xx-dephasing")(n=4), engine=TEBD(chi=16))
    assert record.certificate.energy_balance < 0.02
    assert record.outcome == "converged"


def test_positivity():
    plus = product_state([s] * 3, [np.diag([0.7, 0.3])] * 3)
    assert positivity(view_of(generator_of(Pumped()), plus)) == pytest.approx(0.09)
    wrong = ChainState.product([s.vector(np.diag([1.2, -0.2]))] * 3)
    assert positivity(view_of(generator_of(Pumped()), wrong)) == pytest.approx(-0.24)
    classical = generator_of(find("ssep")(n=3))
    assert positivity(view_of(classical, ChainState.product([[0.9, 0.1]] * 3))) == pytest.approx(0.01)
    lost = ChainState.product([[0.9, 0.1], [math.nan, 1.0], [0.9, 0.1]])
    with pytest.raises(NumericalError):
        positivity(view_of(classical, lost))


# ---------------------------------------------------------------- the verdicts

XX = find("xx-dephasing")


@pytest.mark.parametrize(
    ("outcome", "engine", "settings"),
    [
        ("exact", "exact", {}),
        ("converged", TEBD(chi=16), {}),
        ("not relaxed: raise --max-time", TEBD(chi=16), {"max_time": 2.0}),
        ("truncation dominates: raise --chi", TEBD(chi=10, schedule=(5,)), {}),
        ("truncation dominates: lower --cutoff", TEBD(chi=16, cutoff=1e-4), {}),
        ("Trotter error dominates: lower --dt", TEBD(chi=16, order=2, dt=0.5), {}),
        ("no error estimate: use tnness converge, or a schedule of several chi", TEBD(chi=10, schedule=()), {}),
    ],
)
def test_every_verdict_can_be_reached(outcome, engine, settings):
    record = steady_state(XX(n=4), engine=engine, **settings)
    assert record.outcome == outcome
    assert record.certificate.converged == (outcome in ("exact", "converged"))


@pytest.mark.parametrize(
    ("outcome", "figure", "value"),
    [
        ("not positive, truncation dominates: raise --chi", "positivity", -0.05),
        ("energy is not balanced: raise --chi or lower --dt", "energy_balance", 0.5),
    ],
)
def test_a_state_that_breaks_its_equation_is_not_converged(outcome, figure, value, monkeypatch):
    found = tnness.engines.tebd_run.checks
    monkeypatch.setattr(tnness.engines.tebd_run, "checks", lambda *run: found(*run) | {figure: value})
    assert steady_state(XX(n=4), engine=TEBD(chi=16)).outcome == outcome


@pytest.mark.parametrize(
    ("ratio", "outcome"), [(2.0, "energy is not balanced: raise --chi or lower --dt"), (1.1, "converged")]
)
def test_a_chain_that_takes_in_twice_as_much_energy_as_it_gives_off_is_not_steady(ratio, outcome, monkeypatch):
    """Spins in a field, fed at one end and drained at the other: the flows are 2 h (1 - p) and 2 h p', by hand.

    A state with a tenth more of one than of the other is what truncation leaves of a steady one.
    """
    fed, drained = 1 - 0.3 * ratio, 0.3
    chain = Lindbladian([s] * 3)
    for i in range(3):
        chain.hamiltonian(0.7 * s.Z(i))
    chain.jump(s.Sp(0))
    chain.jump(s.Sm(2))
    state = product_state([s] * 3, [np.diag([p, 1 - p]) for p in (fed, 0.5, drained)])
    generator, found = chain.generator(), tnness.engines.tebd_run.checks
    view, given, taken = view_of(generator, state), 2 * 0.7 * (1 - fed), 2 * 0.7 * drained
    assert given == pytest.approx(ratio * taken)
    assert energy_balance(generator, view) == pytest.approx((given - taken) / (given + taken))
    monkeypatch.setattr(tnness.engines.tebd_run, "checks", lambda *run: found(generator, view, 0.0))
    assert steady_state(XX(n=4), engine=TEBD(chi=16)).outcome == outcome


def test_verdicts_of_an_evolution():
    assert evolve(XX(n=3), [0.0, 0.5], engine=TEBD(chi=16), tolerance=1e-2).outcome == "complete"
    wrong = ChainState.product([s.vector(np.diag([1.5, -0.5]))] * 3)
    record = evolve(XX(n=3), [0.0], engine=QUICK, initial=wrong)
    assert record.outcome == "not positive, truncation dominates: raise --chi"


@pytest.mark.parametrize(("chi", "max_time"), [(8, 0.1), (8, 10.0), (32, 0.1), (32, 3.0), (32, 20.0)])
def test_a_run_that_is_cut_is_never_converged(chi, max_time):
    record = steady_state(XX(n=4, dephasing=0.1), engine=TEBD(chi=chi), max_time=max_time)
    assert record.time <= max_time + 5 * record.used["dt"]  # a step in each stage, those of coarse ones longer
    exact = observables(steady_state(XX(n=4, dephasing=0.1), engine="exact"))
    if max(np.abs(record[k].values - exact[k]).max() for k in exact) > 1e-2:
        assert not record.certificate.converged
    if record.time >= max_time:
        assert record.outcome == "not relaxed: raise --max-time"


def test_a_refined_run_is_given_time_for_its_last_stage():
    """The default cap counts steps of dt; halving dt does not halve it (and cut the last stage at once)."""
    record = steady_state(XX(n=3), engine=TEBD(chi=16, order=2, dt=0.5))
    assert record.snapshot.numbers["refined"] == 1
    assert record.outcome == "Trotter error dominates: lower --dt"


# ---------------------------------------------------------------- what is claimed

CLAIMS = [
    ("ssep", {"n": 5}, TEBD(chi=8)),
    ("ssep", {"n": 4, "space": "quantum", "rate": 0.6}, TEBD(chi=16)),
    ("xxz-driven", {"n": 4, "delta": 0.5}, TEBD(chi=16)),
    ("xx-dephasing", {"n": 4, "fields": [0.3, -0.5, 0.8, 0.1]}, TEBD(chi=12, schedule=(6,))),
    ("xx-dephasing", {"n": 4}, TEBD(chi=16, order=2, dt=0.2)),
    ("xx-dephasing", {"n": 4}, TEBD(chi=16, cutoff=1e-5)),
    ("mbl-heisenberg", {"n": 3, "eps": 0.3}, TEBD(chi=16)),
]
SLOW_CLAIMS = [
    ("mbl-heisenberg", {"n": 4, "h": 1.0, "eps": 0.5}, TEBD(chi=16)),
    ("xx-dephasing", {"n": 5, "dephasing": 0.1}, TEBD(chi=16)),
    ("xxz-driven", {"n": 5, "delta": 0.5, "mu": 0.2}, TEBD(chi=16)),
    ("ssep", {"n": 8}, TEBD(chi=8)),
    ("xxz-driven", {"n": 5, "delta": 1.5}, TEBD(chi=16)),
    ("xxz-driven", {"n": 6, "delta": 1.0}, TEBD(chi=32)),
    ("xxz-driven", {"n": 5, "delta": 1.0, "gamma": 0.2}, TEBD(chi=64)),
    ("xx-dephasing", {"n": 5, "dephasing": 0.3, "mu": 0.5, "fields": [0.3, -0.5, 0.8, 0.1, -0.9]}, TEBD(chi=32)),
    ("mbl-heisenberg", {"n": 4}, TEBD(chi=16)),
    ("mbl-heisenberg", {"n": 4}, TEBD(chi=64)),
    ("mbl-heisenberg", {"n": 5, "h": 4.0, "eps": 0.2}, TEBD(chi=16)),
]


def check_claims(name, parameters, engine):
    model = draw(find(name)(**parameters), 3)
    record, exact = steady_state(model, engine=engine), observables(steady_state(model, engine="exact"))
    errors = record.certificate.errors
    monitored = {key for key, observable in model.observables().items() if observable.monitored}
    assert set(errors) == monitored
    for key in monitored:
        assert (np.abs(record[key].values - exact[key]) <= errors[key]).all(), key
        assert_array_equal(record[f"{key}_error"], errors[key])
    if record.certificate.converged:
        assert max(errors[key].max() / np.abs(exact[key]).max() for key in monitored) < 0.05


@pytest.mark.parametrize(("name", "parameters", "engine"), CLAIMS)
def test_errors_lie_inside_what_is_claimed(name, parameters, engine):
    check_claims(name, parameters, engine)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters", "engine"), SLOW_CLAIMS)
def test_errors_lie_inside_what_is_claimed_of_harder_chains(name, parameters, engine):
    check_claims(name, parameters, engine)


def test_an_error_with_a_part_missing_is_not_known():
    certificate = Certificate(
        outcome="",
        estimates={"relaxation": {"z": np.array(1e-3)}, "trotter": {"z": np.array([1e-4, 0.0])}, "truncation": {}},
    )
    assert np.isnan(certificate.errors["z"]).all()
    whole = replace(certificate, estimates={kind: {"z": np.array([1e-3, 2e-3])} for kind in KINDS})
    assert_allclose(whole.errors["z"], [3e-3, 6e-3])


def test_figures_are_the_numbers():
    figures = Certificate(outcome="exact", fallbacks=2).figures()
    assert figures["fallbacks"] == 2.0
    assert "outcome" not in figures
    assert "estimates" not in figures


def test_a_loose_cutoff_is_no_exact_truncation():
    """A cutoff of 1e-4 drops weight at every step: the claim grows with it."""
    loose, tight = (steady_state(XX(n=4), engine=TEBD(chi=16, cutoff=c)) for c in (1e-4, 1e-14))
    assert loose.certificate.truncation > 0.02
    assert tight.certificate.truncation < 1e-5
