"""Weak coupling: the slow variables against dense algebra, and accelerated steady states against exact ones."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from tnness import TEBD, Record, evolve, find, steady_state
from tnness import spin_half as s
from tnness.engines.accelerated import CALM
from tnness.engines.exact import DenseView
from tnness.engines.slow import SlowVariables
from tnness.errors import InputError
from tnness.model import draw, generator_of
from tnness.network.initial import identity_state, product_state
from tnness.observables import expectation
from tnness.problems.lindbladian import Lindbladian
from tnness.record import BURSTS

MBL = find("mbl-heisenberg")
FAST = TEBD(chi=16, schedule=(), accelerate=True, burst=40.0)


def chain(n=4, h=2.0, eps=0.003, seed=3):
    return draw(MBL(n=n, h=h, eps=eps), seed)


def terms_of(model):
    """The terms of H as dense matrices, from left to right: a site's field, then the exchange to the next."""
    n, found = model.n, []
    for i in range(n):
        field = systems.mbl_hamiltonian(1, model.h, model.fields_z[i : i + 1], model.fields_x[i : i + 1])
        found.append(np.kron(np.kron(np.eye(2**i), field), np.eye(2 ** (n - i - 1))))
        if i + 1 < n:
            exchange = systems.mbl_hamiltonian(2, 0.0, (0.0,) * 2, (0.0,) * 2)
            found.append(np.kron(np.kron(np.eye(2**i), exchange), np.eye(2 ** (n - i - 2))))
    return found


def answers(model):
    """SlowVariables of a model, its terms, and its dissipator on dense operators."""
    terms = terms_of(model)
    jumps = [np.sqrt(model.eps) * jump for jump in systems.mbl_jumps(model.n, model.drive)]
    dissipator = systems.dense_dissipator(jumps)
    return SlowVariables(generator_of(model)), terms, lambda x: (dissipator @ x.ravel()).reshape(x.shape)


def test_covariance_and_response_equal_dense_traces():
    model = chain(eps=0.1)
    slow, terms, dissipated = answers(model)
    assert_allclose(sum(terms), systems.mbl_hamiltonian(4, model.h, model.fields_z, model.fields_x), atol=1e-12)
    assert_allclose(slow.heating, [np.trace(q @ dissipated(np.eye(16))).real / 16 for q in terms], atol=1e-12)
    assert_allclose(slow.covariance, [[np.trace(a @ b).real / 16 for b in terms] for a in terms], atol=1e-12)
    response = -np.array([[np.trace(a @ dissipated(b)).real / 16 for b in terms] for a in terms])
    assert_allclose(slow.response, response, atol=1e-12)
    assert slow.rate == pytest.approx(response.sum() / slow.covariance.sum())
    jacobian = slow.jacobian(slow.conductances)
    assert_allclose((jacobian - response).sum(axis=0), 0, atol=1e-12)  # conduction moves energy, and makes none
    assert_allclose(slow.heating + jacobian @ slow.start, 0, atol=1e-12)


def test_what_the_jumps_change_equals_the_dense_trace():
    model = chain(eps=0.1)
    slow, terms, dissipated = answers(model)
    view, rho = near_identity(model, terms, np.linspace(-0.1, 0.2, len(terms)))
    assert_allclose(slow.dissipated(view), [np.trace(q @ dissipated(rho)).real for q in terms], atol=1e-13)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_conductances_are_learnt_from_the_flows_that_they_make(seed):
    slow, rng = answers(chain(eps=0.1))[0], np.random.default_rng(seed)
    true = slow.conductances * rng.uniform(0.2, 5.0, len(slow.conductances))
    lambdas = rng.normal(size=(12, slow.count))
    flows = lambdas @ (slow.jacobian(true) - slow.response).T
    found = slow.learnt(-lambdas @ slow.covariance, flows, np.zeros_like(flows))
    assert_allclose(found, true, atol=0.3 * np.abs(true).max())
    assert (found >= 0).all()


def test_the_start_is_warm_where_the_drive_cools():
    """The drive favours opposite neighbours, of negative exchange energy: a positive temperature."""
    model = chain(n=6, eps=0.01)
    run = FAST.init(generator_of(model), identity_state(generator_of(model).spaces))
    exact = float(steady_state(model, engine="exact")["energy"])
    assert_allclose(run.slow.energies(run.view()).sum(), exact, rtol=0.3)


def near_identity(model, terms, multipliers):
    """1 - sum lambda_k q_k as a view, and as a density matrix."""
    generator = generator_of(model)
    rho = (np.eye(16) - sum(x * q for x, q in zip(multipliers, terms, strict=True))) / 16
    tensor = rho.reshape((2,) * 8).transpose(0, 4, 1, 5, 2, 6, 3, 7)
    for space in generator.spaces:
        tensor = np.tensordot(tensor, space.elements, ((0, 1), (2, 1)))
    return DenseView(tensor.real.ravel(), generator.spaces, generator.functionals), rho


def test_energies_and_multipliers_of_a_hot_state():
    """exp(-sum lambda_k q_k) at small lambda: to first order the multipliers come back."""
    model = chain()
    terms, slow = terms_of(model), SlowVariables(generator_of(model))
    wanted = 1e-4 * np.linspace(-1, 2, slow.count)
    view, rho = near_identity(model, terms, wanted)
    energies = slow.energies(view)
    assert_allclose(energies, [np.trace(q @ rho).real for q in terms], atol=1e-14)
    assert_allclose(slow.multipliers(energies), wanted, rtol=1e-9, atol=1e-15)


def check(n, eps, engine):
    model = chain(n=n, eps=eps)
    record, exact = (steady_state(model, engine=e, tolerance=1e-3) for e in (engine, "exact"))
    assert_allclose(record["beta_variation"], exact["beta_variation"], rtol=5e-3)
    assert_allclose(record["sz"], exact["sz"], atol=2e-3)
    return record


def test_an_accelerated_steady_state_equals_the_exact_one():
    check(3, 0.03, dataclasses.replace(FAST, burst=15.0, block=4))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "eps"), [(4, 0.01), (6, 0.01)])
def test_longer_chains_too(n, eps):
    check(n, eps, dataclasses.replace(FAST, chi=4 ** (n // 2), burst=60.0))


@pytest.mark.slow
def test_a_chain_with_more_slow_variables_than_energies_is_not_called_converged_before_it_is():
    """Four spins at eps = 0.003: the drive resolves single levels, all sixteen populations are slow."""
    model = chain(n=4, eps=0.003)
    record, exact = steady_state(model, engine=FAST, tolerance=1e-3), steady_state(model, engine="exact")
    error = abs(float(record["beta_variation"] / exact["beta_variation"]) - 1)
    assert error < 5e-3 or not record.certificate.converged


@pytest.mark.slow
def test_it_settles_from_above_and_from_below():
    model = chain(eps=0.01)
    found = [float(steady_state(model, engine=FAST, initial=f"thermal:{beta}")["energy"]) for beta in (0.02, 1.0)]
    exact = float(steady_state(model, engine="exact")["energy"])
    assert_allclose(found, exact, rtol=5e-3)


def test_the_trace_says_what_was_done():
    generator = generator_of(chain(n=2, eps=0.1))
    run = dataclasses.replace(FAST, burst=10.0).init(generator, identity_state(generator.spaces))
    while not run.settled:
        while run.proposal is None:
            run.step()
        jump, drift = (0.5 if len(run.trace) == 0 else 1e-5), (0.5 if len(run.trace) == 1 else 1e-5)
        run.decide({"energy": jump}, jump, drift, 1e-3)
    stages, times, jumps, drifts, sizes, jumped = zip(*run.trace, strict=True)
    assert set(stages) == {0}
    assert all(np.diff(times) >= 10)
    assert (jumps[0], drifts[1]) == (0.5, 0.5)
    assert jumped[0] == 1
    assert jumped[-CALM:] == (0,) * CALM
    assert len(run.trace) >= 2 + CALM  # the jump, the drift, and what is calm after them
    assert all(size >= 0 for size in sizes)
    assert run.predicted == {"energy": 1e-5}


def test_a_jump_that_had_to_be_shortened_is_made_whatever_it_changes():
    generator = generator_of(chain(eps=0.01))
    run = FAST.init(generator, product_state(generator.spaces, [np.diag([1.0, 0.0])] * 4))
    while not run.trace:
        while run.proposal is None:
            run.step()
        run.decide({}, 0.0, 0.0, 1e-3)
    assert run.trace[0][5] == 1
    assert run.calm == 0


def test_a_saved_run_goes_on_bit_for_bit():
    generator = generator_of(chain())
    runs = [FAST.init(generator, identity_state(generator.spaces)) for _ in range(2)]
    for k in range(200):
        for number, run in enumerate(runs):
            run.step()
            if run.proposal is not None:
                run.decide({}, 1.0, 0.0, 1e-3)
            if number and k in (60, 170):
                runs[1] = FAST.restore(generator, run.save())
    first, second = (run.save() for run in runs)
    assert first.numbers == second.numbers
    for name, array in first.arrays.items():
        assert array.tobytes() == second.arrays[name].tobytes(), name


def test_a_run_that_cannot_settle_says_so():
    """Two of four columns of every bond are too few: truncation moves the energies more than the drive does."""
    engine = TEBD(chi=3, schedule=(), accelerate=True, burst=10.0)
    record = steady_state(chain(n=5, eps=0.001), engine=engine, tolerance=1e-5, max_time=60)
    assert not record.certificate.converged
    assert "not settled" in record.outcome or "truncation dominates" in record.outcome or "no error" in record.outcome


def test_it_is_kept_in_the_record(tmp_path):
    steady_state(chain(n=2, eps=0.1), engine=dataclasses.replace(FAST, burst=10.0), out=tmp_path / "a.nc")
    record = Record.open(tmp_path / "a.nc")
    assert set(BURSTS) <= set(record.dataset)
    assert record["burst_time"].dims == ("burst",)
    assert record["burst_jumped"].values[-CALM:].tolist() == [0] * CALM
    assert (np.diff(record["burst_time"]) >= 10).all()
    assert record.state.n == 2
    assert record.certificate.further["bursts"] == len(record["burst_time"])
    assert record.certificate.further["jumps"] == record["burst_jumped"].sum()


def test_a_bracket_closes_from_above_and_from_below():
    engine = dataclasses.replace(FAST, burst=15.0, block=4, bracket=True)
    model = chain(n=3, eps=0.03)
    record, exact = steady_state(model, engine=engine, tolerance=1e-3), steady_state(model, engine="exact")
    assert record.certificate.converged
    stages = sorted(set(record.history.stages))[-3:]
    ends = [record.history.last_of(stage)["energy"] for stage in stages]
    starts = [record.history.values["energy"][record.history.of(stage)[0]] for stage in stages[1:]]
    assert starts[0] > 0.9 * exact["energy"]  # from 0.7 of it, after a first block of steps
    assert starts[1] < 1.1 * exact["energy"]
    assert_allclose(ends, exact["energy"], rtol=2e-3)
    spread = record.certificate.further["bracket"]
    assert 0 < spread < 1e-2
    worst = max(abs(ends[2] - ends[0]), abs(ends[2] - ends[1]))
    assert record.certificate.estimates["relaxation"]["energy"] >= worst


def test_a_bracket_needs_acceleration():
    with pytest.raises(InputError, match="it needs accelerate"):
        TEBD(bracket=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Magnet:
    """A Heisenberg chain in fields along z: beside the energy, the magnetisation is nearly conserved."""

    n: int = 4
    eps: float = 0.01
    slow: bool = True
    fields: tuple[float, ...] = (0.3, -0.8, 0.5, 0.1)

    engines = ("tebd", "exact")

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.Sx(i) * s.Sx(i + 1) + s.Sy(i) * s.Sy(i + 1) + s.Sz(i) * s.Sz(i + 1))
            for flip, sign in ((s.Sp, 1), (s.Sm, -1)):
                chain.jump(flip(i) * (1 - 2 * sign * s.Sz(i + 1)), rate=(2 + sign) * self.eps / 8)
        for i in range(self.n):
            chain.hamiltonian(self.fields[i] * s.Sz(i))
            chain.jump(s.Sz(i), rate=self.eps * (1 + i))
        if self.slow:
            chain.nearly_conserved([s.Sz(i) for i in range(self.n)])
        return chain

    def observables(self):
        return {"sz": expectation([s.Sz(i) for i in range(self.n)], "site")}


def test_a_model_names_what_else_is_slow():
    engine = dataclasses.replace(FAST, burst=25.0, block=2)
    named, alone = (steady_state(Magnet(slow=slow), engine=engine, tolerance=1e-3) for slow in (True, False))
    exact = steady_state(Magnet(), engine="exact")
    assert named.certificate.converged
    assert_allclose(named["sz"], exact["sz"], atol=5e-3 * np.abs(exact["sz"]).max())
    assert named.time < alone.time  # what no jump reaches, time has to bring


def test_named_densities_stand_beside_the_energy():
    slow = SlowVariables(generator_of(Magnet()))
    assert slow.count == 7 + 4  # four fields and three exchanges, and the magnetisation
    assert_allclose(slow.covariance[7:, 7:], np.eye(4) / 4, atol=1e-12)
    assert_allclose(slow.covariance @ slow.multipliers(slow.covariance[3]), -slow.covariance[3], atol=1e-12)
    between = slow.links[(slow.links[:, 0] < 7) & (slow.links[:, 1] >= 7)]
    assert not len(between)  # energy does not turn into magnetisation


def test_a_density_that_the_hamiltonian_changes_is_refused():
    tilted = Magnet(slow=False).problem()
    tilted.nearly_conserved([s.Sx(i) for i in range(4)])
    with pytest.raises(InputError, match="density 0 is not conserved"):
        SlowVariables(tilted.generator())


def test_strong_dissipation_is_refused():
    with pytest.raises(InputError, match="is for weak dissipation: on a bond its norm is"):
        steady_state(chain(n=2, eps=5.0), engine=FAST)


def test_dissipation_that_leaves_the_energy_alone_is_refused():
    lonely = Lindbladian([s] * 2)
    lonely.hamiltonian(s.Sz(0) * s.Sz(1))
    lonely.jump(s.Sz(0), rate=0.01)
    with pytest.raises(InputError, match="does not relax the energy"):
        SlowVariables(lonely.generator())


@pytest.mark.parametrize("model", [find("ssep")(n=3), find("haar-circuit")()])
def test_it_needs_a_hamiltonian(model):
    with pytest.raises(InputError, match="needs a Lindbladian with a Hamiltonian"):
        steady_state(model, engine=FAST)


def test_it_is_for_steady_states():
    with pytest.raises(InputError, match="gives no time evolution"):
        evolve(chain(), [1.0], engine=FAST)


def test_a_burst_takes_time():
    with pytest.raises(InputError, match="burst = 0"):
        TEBD(burst=0.0)
