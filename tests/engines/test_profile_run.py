"""Steady states of chains that transport a density, by jumps of its profile, against exact ones."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import TEBD, Accelerated, Lindbladian, Record, bit, expectation, find, steady_state
from tnness.engines.ask import Ask
from tnness.engines.profile_run import ProfileRun
from tnness.model.protocol import generator_of
from tnness.network.chain_view import ChainView
from tnness.network.initial import identity_state
from tnness.records.history import History
from tnness.records.record import BURSTS
from tnness.stopping.kicked import Kicked
from tnness.stopping.ladder import Ladder
from tnness.stopping.target import Target
from tnness.stopping.waiting import Waiting

XX, SSEP, XXZ = (find(name) for name in ("xx-dephasing", "ssep", "xxz-driven"))
EXCLUSION = SSEP(n=18, inject_left=0.7, remove_left=0.2, inject_right=0.1, remove_right=0.5)
WATCH = ("density", "current")


@pytest.fixture(scope="module")
def exclusion():
    return steady_state(EXCLUSION, engine=Accelerated(chi=8), tolerance=1e-2, watch=WATCH)


def test_the_exclusion_process_is_settled_by_a_jump(exclusion):
    assert exclusion.outcome == "converged"
    profile = EXCLUSION.profile()
    assert_allclose(exclusion["density"], profile, atol=1e-4)
    assert_allclose(exclusion["current"], profile[0] - profile[1], atol=1e-5)
    assert 0 < exclusion.certificate.further["jumps"] <= 3
    relaxes_in = np.log(1e3) / (np.pi**2 / 18**2)  # the time after which 1e-3 of the slowest part is left
    assert exclusion.time < relaxes_in / 3


def test_its_claims_cover_its_errors(exclusion):
    errors = np.abs(exclusion["density"] - EXCLUSION.profile())
    assert (errors <= exclusion["density_error"]).all()


def correlations_of(state):
    spaces = generator_of(EXCLUSION).spaces
    view = ChainView(state, spaces, {"trace": [space.trace for space in spaces]})
    return EXCLUSION.observables()["density_correlation"].measure(view)


def test_a_run_that_waits_from_its_first_stage_takes_the_steps_of_tebd_and_says_so(exclusion):
    model = find("tasep")(n=6)
    longer = TEBD().step_factor(generator_of(model), Ask(tolerance=1e-2)) * TEBD().time_step(generator_of(model))
    waiting, plain = (steady_state(model, engine=engine, tolerance=1e-2) for engine in (Accelerated(), TEBD()))
    assert longer > 1.1 * TEBD().time_step(generator_of(model))
    assert waiting.used["dt"] == pytest.approx(plain.used["dt"]) == pytest.approx(longer)
    assert exclusion.used["dt"] == pytest.approx(TEBD().time_step(generator_of(EXCLUSION)))
    ask = Ask(tolerance=1e-2)
    engine, generator = Accelerated(chi=8), generator_of(model)
    run = engine.init(generator, identity_state(generator.spaces), ask=ask)
    run._wait("a reason")
    assert engine.restore(generator, run.save(), ask).stages == run.stages
    assert engine.restore(generator, run.save()).stages == run.stages


@pytest.mark.slow
def test_correlations_are_waited_for_unless_others_are_watched(exclusion):
    """They relax at 2 pi^2 D / n^2, and are far off when the densities stand still."""
    record = steady_state(EXCLUSION, engine=Accelerated(chi=16), tolerance=2e-3)
    assert record.outcome == "converged"
    exact = correlations_of(EXCLUSION.steady_network())
    errors = [np.abs(found["density_correlation"].values - exact).max() for found in (exclusion, record)]
    scale = np.abs(exact).max()
    assert errors[1] < 2e-3 * scale
    assert errors[0] > 3 * errors[1]
    assert record.certificate.further["jumps"] <= 4


@pytest.mark.slow
def test_the_diffusive_xx_chain_is_settled_within_its_claim():
    model = XX(n=40)
    record = steady_state(model, engine=Accelerated(chi=32), tolerance=1e-2)
    exact = steady_state(model, engine="gaussian")
    assert record.outcome == "converged"
    for name in ("z", "current"):
        error = np.abs(record[name] - exact[name])
        assert float(error.max()) < 1e-3 * float(np.abs(exact[name]).max())
        assert (error <= record[f"{name}_error"]).all()


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (XX(n=20, dephasing=0.0), "gradient"),
        (find("tasep")(n=10, alpha=0.3, beta=0.8), ""),
        (SSEP(n=6), "soon"),
    ],
)
def test_what_does_not_diffuse_or_relaxes_soon_is_waited_for(model, why):
    generator = generator_of(model)
    run = Accelerated(chi=8).init(generator, identity_state(generator.spaces))
    assert isinstance(run, ProfileRun)
    while run.proposal is None and not run.waits:
        run.step()
    for _ in range(3):
        if run.waits:
            break
        run.changes_to_come({}, [{}], {})
        run.decide({}, 1.0, 1.0, 1e-3)
        while run.proposal is None and not run.waits:
            run.step()
    assert why in run.waits
    assert run.waits


def test_where_a_current_flows_up_the_first_profile_the_run_begins_again_as_one_of_tebd():
    generator = generator_of(XX(n=20, dephasing=0.0))
    start = identity_state(generator.spaces)
    run = Accelerated(chi=8).init(generator, start)
    profile = run.slow.energies(run.view())
    while not run.waits:
        run.step()
    assert np.abs(profile[:20]).max() > 0.1
    assert_allclose(run.slow.energies(run.view())[:20], 0, atol=1e-12)
    assert run.time == run.jumped_at == run.waits_since > 0
    assert run._present == TEBD(chi=8).init(generator, start)._present


def test_bursts_become_longer_while_their_currents_do_not_rest(monkeypatch):
    """What a too short burst has shown is forgotten, the burst goes on; a chain that never rests is waited for."""
    generator = generator_of(EXCLUSION)
    engine = Accelerated(chi=8, burst=1.0, dt=0.2)
    run = engine.init(generator, identity_state(generator.spaces))
    monkeypatch.setattr(type(run.slow), "unsteady", lambda self, bursts, first: "changes" if run.time > 1.5 else "")
    proposals = []
    while not run.waits:
        run.step()
        if run.proposal is not None:
            proposals.append(run.time)
            run.changes_to_come({}, [{}, {}], {})
            run.decide({}, 1.0, 1.0, 1e-3)
            began = run.time
        if run.doublings and not run.waits:
            assert run.pace.burst == 2.0**run.doublings
            assert run.since == pytest.approx(began + 0.4 * run.pace.burst)
            assert all(time >= run.since for time, _ in run.samples)
            assert run.bursts == run.lengths == []
            assert engine.restore(generator, run.save()).pace == run.pace
    dt = run._present.dt
    assert proposals == pytest.approx([1.0], abs=dt)
    assert run.doublings == 2
    assert run.time == pytest.approx(began + 4.0, abs=3 * dt)
    assert run.waits == "changes"


def proposing(schedule=()):
    """A run at the end of its first burst; by default it has one stage."""
    generator = generator_of(EXCLUSION)
    run = Accelerated(chi=8, schedule=schedule).init(generator, identity_state(generator.spaces), far=False)
    while run.proposal is None:
        run.step()
    return run


def test_of_a_drift_in_two_windows_the_smaller_counts():
    """What relaxes has drifted less in the later window; noise drifts less in the longer one."""
    run = proposing()
    slopes = [{"x": np.array([0.1, -0.4])}, {"x": np.array([0.2, 0.3])}]
    assert run.windows == (run.since, run.since)
    _, drifts = run.changes_to_come({"x": np.zeros(2)}, slopes, {"x": np.zeros(2)})
    assert_allclose(drifts["x"], 0.3 / (2 * run.slowest))
    run._begin(-0.4 * run.pace.burst)
    assert run.windows == (run.time, run.free_since)
    assert run.free_since < run.time


def test_what_varies_from_site_to_site_is_not_continued_at_the_slowest_rate():
    """Only of observables that are known to have a value per site, or per bond."""
    run = proposing()
    rough = (-1.0) ** np.arange(run.n)
    slopes = [{"x": rough, "y": rough, "smooth": np.ones(run.n)}] * 2
    for run.along, shorter in ((frozenset(), 1.0), (frozenset({"x", "smooth"}), 0.1)):
        _, drifts = run.changes_to_come({}, slopes, {})
        assert drifts["x"].max() <= shorter / (2 * run.slowest)
        assert_allclose(drifts["y"], 1 / (2 * run.slowest))
        assert (drifts["smooth"] > 0.5 / (2 * run.slowest)).all()


@pytest.mark.parametrize(("jumps", "looks", "exhausted"), [(16, 0, True), (15, 32, False), (0, 48, True)])
def test_the_last_stage_may_look_more_often_than_it_jumps(jumps, looks, exhausted):
    run = proposing()
    run.trace = [(0.0, 1.0, 0.1, 0.1, 0.1, jumped) for jumped in [1.0] * jumps + [0.0] * looks]
    assert run.exhausted == exhausted


@pytest.mark.parametrize(("noise", "jumps"), [(0.2, True), (0.4, False)])
def test_a_small_step_that_noise_may_have_made_is_not_taken(noise, jumps):
    run = proposing()
    run._proposal = dataclasses.replace(run._proposal, noise=noise)
    before = run.state
    run.changes_to_come({}, [{}], {})
    run.falls = 0.1
    run.decide({}, 2e-3, 0.0, 1e-3)
    assert not run.waits
    assert (run.state is not before) == jumps
    assert run.calm == (not jumps)


@pytest.mark.parametrize(("changes", "waits"), [(0.01, (True,)), (0.05, (False, True))])
def test_a_jump_that_leaves_much_is_forgiven_once_where_the_conductance_had_not_come_to_rest(changes, waits):
    run = proposing()
    for k in range(1 + len(waits)):
        while run.proposal is None:
            run.step()
        run.changes_to_come({}, [{}], {})
        if k:  # the jump before was as long as the one that is proposed now
            run.lengths[-1], run._noise = run.slow.distance(run._proposal.step), 0.0
            now = run._proposal.burst
            run.bursts[-1] = dataclasses.replace(now, time=run.bursts[-1].time, flows=(1 + changes) * now.flows)
        run.decide({}, 1.0, 0.0, 1e-3)
        assert bool(run.waits) == (k > 0 and waits[k - 1])
    assert run.forgiven == len(waits) - 1
    assert "leaves 100% of the distance" in run.waits


def test_a_burst_whose_step_is_noise_goes_on_and_is_measured_later():
    run = proposing()
    burst, began = run.pace.burst, run.began
    assert (began, run.since) == (0, pytest.approx(0.4 * burst))
    run._proposal = dataclasses.replace(run._proposal, noise=0.9)
    run.changes_to_come({}, [{}], {})
    run.decide({}, 1.0, 0.0, 1e-3)
    assert run.stretch == 2
    assert run.since == pytest.approx(0.8 * burst)
    assert all(time >= run.since for time, _ in run.samples)
    while run.proposal is None:
        run.step()
    assert run.time == pytest.approx(2 * burst, abs=run._present.dt)


@pytest.mark.parametrize(("schedule", "waits"), [((), True), ((4,), False)])
def test_noise_that_longer_bursts_do_not_quieten_ends_a_coarse_stage_and_the_jumps_of_the_last(schedule, waits):
    run = proposing(schedule)
    run._proposal, run.stretch = dataclasses.replace(run._proposal, noise=0.9), 4
    run.changes_to_come({}, [{}], {})
    run.decide({}, 1.0, 0.0, 1e-3)
    assert ("do not come to rest" in run.waits) == waits
    assert run.settled != waits


def test_a_run_that_waits_is_one_of_tebd_from_there_on():
    model = XXZ(n=6, delta=0.5, mu=0.5)
    record, exact = (steady_state(model, engine=engine) for engine in (Accelerated(chi=64), "exact"))
    assert record.certificate.converged
    assert record.certificate.further["jumps"] == 0
    for name in ("z", "current", "zz"):
        error = np.abs(record[name] - exact[name])
        assert float(error.max()) < 1e-2 * float(np.abs(exact[name]).max())


def test_a_run_that_waits_ends_its_stage_at_half_the_step_after_a_short_time():
    """As a run of `tebd` does: the stage before it has relaxed, and the short way tells the error of the step."""
    run, target, history = proposing(), Target(0.01), History()
    run._wait("this is a test")
    run.refined, run.stage = 1, 1
    for k in range(60):
        history.add(run.waits_since + 0.5 * k, 0, {"x": 1 + np.exp(-np.full(3, 0.5 * k))})
    for k in range(5):
        history.add(run.waits_since + 30 + 0.1 * k, 1, {"x": np.full(3, 1 + 1e-4 * k)})
    rules = [Ladder(run, rule, 4, dict, target) for rule in (run.within(target), Waiting(target, run))]
    first, second = (rule.errors(history) for rule in rules)
    assert all(rule.over(history) for rule in rules)
    assert first.keys() == second.keys()
    for kind, errors in first.items():
        assert_allclose(errors["x"], second[kind]["x"])
    run.waits_since += 30  # the stage before was one of jumps, and shows no relaxation
    assert not rules[0].over(history)
    run.waits = ""
    assert not rules[0].over(history)


def test_a_kick_that_outlasts_a_burst_ends_the_jumps():
    generator = generator_of(EXCLUSION)
    run = Accelerated(chi=8).init(generator, identity_state(generator.spaces))
    run.begin_kicks(run.patience)
    kicks = run.kicks
    assert kicks.pair[0].disturbance.balanced
    kicks.result = lambda: Kicked(1.0, 1.0, np.inf, 0.5, 3, 0.1, 1.0)
    while run.kicks is not None:
        run.step()
    assert "kick" in run.waits
    assert run.kicked == []
    run.begin_kicks(run.patience)
    assert not run.kicks.pair[0].disturbance.balanced


@pytest.mark.parametrize("model", [dataclasses.replace(EXCLUSION, n=12), XXZ(n=5, delta=0.5, mu=0.2)])
def test_a_saved_run_goes_on_bit_for_bit(model):
    """Both a run that jumps and one that waits, in the middle of a burst and in the middle of a kick."""
    generator, engine = generator_of(model), Accelerated(chi=8, burst=3.0)
    runs = [engine.init(generator, identity_state(generator.spaces)) for _ in range(2)]
    for k in range(70):
        for number, run in enumerate(runs):
            if k == 50:
                run.begin_kicks(5.0)
            run.step()
            if run.proposal is not None:
                jumps, drifts = run.changes_to_come({"x": np.ones(2)}, [{"x": np.ones(2)}], {"x": np.full(2, run.time)})
                run.decide({"x": jumps["x"] + drifts["x"]}, 1.0, 0.0, 1e-3)
            if number and k in (8, 30, 53, 69):
                runs[1] = engine.restore(generator, run.save())
    first, second = (run.save() for run in runs)
    assert {k: v for k, v in first.numbers.items() if v == v} == {k: v for k, v in second.numbers.items() if v == v}
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        assert np.asarray(array).tobytes() == np.asarray(second.arrays[name]).tobytes(), name


def test_bursts_are_kept_in_the_record(tmp_path, exclusion):
    assert set(BURSTS) <= set(exclusion.dataset)
    steady_state(
        dataclasses.replace(EXCLUSION, n=5), engine=Accelerated(chi=8, burst=2.0), watch=WATCH, out=tmp_path / "a.nc"
    )
    record = Record.open(tmp_path / "a.nc")
    assert record.used["burst"] == 2.0
    assert record.certificate.further["bursts"] == len(record["burst_time"])


def test_without_a_clear_jump_nothing_is_believed():
    """From the exact profile no jump is worth making, so that none shows where jumps lead: the run waits."""
    generator = generator_of(EXCLUSION)
    start = EXCLUSION.local_equilibrium()
    run = Accelerated(chi=8, schedule=()).init(generator, start)
    while not run.waits:
        run.step()
        if run.proposal is not None:
            run.changes_to_come({}, [{}], {})
            run.decide({}, 0.0, 0.0, 1e-3)
    assert "no jump has shown" in run.waits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Particles that hop between random reservoirs: alike or with a bias, with random rates, a weak bond or contact."""

    kind: str
    seed: int
    n: int = 11

    engines = ("tebd", "exact")

    def problem(self):
        rng, chain = np.random.default_rng(self.seed), Lindbladian([bit] * self.n)
        rates = 10 ** rng.uniform(-1.5, 0, self.n - 1) if self.kind == "random" else np.ones(self.n - 1)
        if self.kind == "weak bond":
            rates[rng.integers(1, self.n - 2)] = 10 ** rng.uniform(-3, -1)
        back = {"biased": 0.9, "asymmetric": 0.5}.get(self.kind, 1.0)
        for i, rate in enumerate(rates):
            chain.jump(bit.Sm(i) * bit.Sp(i + 1), rate=rate)
            chain.jump(bit.Sp(i) * bit.Sm(i + 1), rate=back * rate)
        inject, remove = rng.uniform(0.1, 1.5, 2), rng.uniform(0.03, 0.5, 2)
        contact = 10 ** rng.uniform(-3, -1) if self.kind == "weak contact" else 1.0
        chain.jump(bit.Sp(0), rate=contact * inject[0])
        chain.jump(bit.Sm(0), rate=contact * remove[0])
        chain.jump(bit.Sm(self.n - 1), rate=inject[1])
        chain.jump(bit.Sp(self.n - 1), rate=remove[1])
        return chain

    def observables(self):
        return {"density": expectation([bit.N(i) for i in range(self.n)], "site")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["alike", "biased", "asymmetric", "random", "weak bond", "weak contact"])
@pytest.mark.parametrize("seed", [907, 4411])
def test_verdicts_are_right_whatever_the_ends_drive(kind, seed):
    model = Exclusion(kind=kind, seed=seed)
    record = steady_state(model, engine=Accelerated(chi=24, burst=4.0), tolerance=1e-2)
    error = np.abs(record["density"] - steady_state(model, engine="exact")["density"])
    assert record.outcome == "converged"
    assert float(error.max()) < 1e-2 * float(np.abs(record["density"]).max())
    assert (error <= record["density_error"] + 1e-5).all()
