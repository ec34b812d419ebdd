"""Accelerated steady states of weakly coupled chains against exact ones."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import Accelerated, Lindbladian, Record, evolve, find, steady_state
from tnness import spin_half as s
from tnness.engines.accelerated_run import CALM
from tnness.engines.disturbance import Disturbance
from tnness.engines.kicks import Kick
from tnness.engines.metric import strength_of
from tnness.errors import InputError
from tnness.model.protocol import generator_of
from tnness.network.initial import identity_state, product_state
from tnness.records.record import BURSTS
from tnness.stopping.kicked import Kicked
from weak_chains import Magnet, chain

FAST = Accelerated(chi=16, schedule=(), burst=40.0)


def test_the_start_is_warm_where_the_drive_cools():
    """The drive favours opposite neighbours, of negative exchange energy: a positive temperature."""
    model = chain(n=6, eps=0.01)
    run = FAST.init(generator_of(model), identity_state(generator_of(model).spaces))
    exact = float(steady_state(model, engine="exact")["energy"])
    assert_allclose(run.slow.energies(run.view()).sum(), exact, rtol=0.3)


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


@pytest.mark.paper
@pytest.mark.parametrize(("n", "eps", "chi"), [(8, 0.01, 256), (8, 0.003, 256), (10, 0.01, 256), (10, 0.003, 512)])
def test_chains_of_eight_and_ten_sites_equal_the_exact_ones(n, eps, chi):
    """At a bond dimension that suffices: all of it at n = 8; minutes to half an hour each."""
    model = chain(n=n, eps=eps, seed=7)
    engine = Accelerated(chi=chi, power=0)
    record, exact = steady_state(model, engine=engine, tolerance=1e-2), steady_state(model, engine="exact")
    assert record.certificate.converged
    for name in ("beta_variation", "energy"):
        error = abs(float(record[name] - exact[name]))
        assert error < 1e-2 * abs(float(exact[name]))
        assert error < record.certificate.errors[name]


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
    generator, engine = generator_of(chain()), dataclasses.replace(FAST, burst=15.0)
    runs = [engine.init(generator, identity_state(generator.spaces)) for _ in range(2)]
    for k in range(200):
        for number, run in enumerate(runs):
            run.step()
            if run.proposal is not None:
                run.decide({"energy": np.array(1.0)}, 1.0, 0.0, 1e-3)
            if number and k in (60, 170):
                runs[1] = engine.restore(generator, run.save())
    assert runs[0].predicted == runs[1].predicted == {"energy": 1.0}
    first, second = (run.save() for run in runs)
    assert first.numbers == second.numbers
    for name, array in first.arrays.items():
        assert array.tobytes() == second.arrays[name].tobytes(), name


def test_a_run_that_cannot_settle_says_so():
    """Two of four columns of every bond are too few: truncation moves the energies more than the drive does."""
    engine = Accelerated(chi=3, schedule=(), burst=10.0)
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


def test_a_model_names_what_else_is_slow():
    engine = dataclasses.replace(FAST, burst=25.0, block=2)
    model = Magnet(fields=(0.0, 0.5, 0.0, 0.0))
    record, exact = steady_state(model, engine=engine, tolerance=1e-3), steady_state(model, engine="exact")
    assert record.certificate.converged
    assert_allclose(record["sz"], exact["sz"], atol=2e-3 * np.abs(exact["sz"]).max())


def test_a_jump_changes_energies_for_good():
    """What it changes at once beyond that averages out in the motion of the Hamiltonian."""
    model = chain(n=4, h=6.0, eps=1e-4)
    generator = generator_of(model)
    moved, left = (dataclasses.replace(FAST, burst=1e9).init(generator, identity_state(generator.spaces)) for _ in "ab")
    step = 0.02 * moved.slow.kept @ moved.slow.start
    moved.state = moved._moved(step)
    apart = []
    for _ in range(300):
        apart.append(moved.slow.energies(moved.view()) - moved.slow.energies(left.view()))
        moved.step()
        left.step()
    late = np.mean(apart[100:], axis=0)
    assert moved.slow.distance(late - step) < 0.1 * moved.slow.distance(step)
    assert np.linalg.norm(apart[0] - step) > 1.2 * np.linalg.norm(late - step)


@pytest.mark.parametrize("model", [find("ssep")(n=3), find("haar-circuit")()])
def test_it_needs_a_hamiltonian(model):
    with pytest.raises(InputError, match="needs a Lindbladian with a Hamiltonian"):
        steady_state(model, engine=FAST)


def test_it_is_for_steady_states():
    with pytest.raises(InputError, match="gives no time evolution"):
        evolve(chain(), [1.0], engine=FAST)


def test_a_burst_takes_time():
    with pytest.raises(InputError, match="burst = 0"):
        Accelerated(burst=0.0)


def test_a_kick_is_forgotten_as_fast_as_the_jumps_expect():
    """The slow densities of a kick decay by plain evolution, within a factor of two of the rate that jumps assume."""
    model = chain(eps=0.05)
    record = steady_state(model, engine=Accelerated(chi=16, schedule=(12,)))
    further = record.certificate.further
    assert record.certificate.converged
    assert 0 < further["forgets_in"] < record.time
    assert further["kick_left"] <= 0.1
    exact = steady_state(model, engine="exact")
    assert np.abs(record["sz"] - exact["sz"]).max() <= record["sz_error"].max()


def test_a_fast_part_that_outlasts_a_burst_is_no_slow_density():
    """Half of a curve decays at .05, not within a burst of 10, half of it at .01: jumps carry the latter only."""
    times = np.arange(1.0, 300.0)
    model = generator_of(chain())
    kick = Kick(Disturbance(model, [np.outer(v, v) for v in [np.array([2**-0.5, 0, 0, 0])] * 3], 1), 0, 8, 1.0)
    kick.times, kick.sizes = times.tolist(), (0.5 * np.exp(-0.05 * times) + 0.5 * np.exp(-0.01 * times)).tolist()
    kick.time, kick.steps = 299.0, 299
    assert kick.fast_left(10.0) == pytest.approx(0.5 * np.exp(-0.5), abs=0.02)
    assert kick.fast_left(100.0) < 0.01
    assert Kicked(1.0, 400.0, 250.0, 0.05, 1, 0.01, 0.4, kick.fast_left(10.0)).passed is False


def test_a_default_step_stays_finite_where_all_neighbours_commute():
    problem = Lindbladian([s] * 3)
    for i in range(2):
        problem.hamiltonian(s.X(i) * s.X(i + 1))
    generator = problem.generator()
    assert Accelerated().time_step(generator) == pytest.approx(10 / strength_of(generator))
