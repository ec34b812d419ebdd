"""TEBD: exact at full bond dimension, honest below it, and the same after an interruption."""

import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems as exact
from chains import random_lindbladian, random_matrix, random_state, seeds
from tnness.engines.ask import Ask
from tnness.engines.metric import quickness_of
from tnness.engines.protocol import Snapshot
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, NumericalError
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness.network.chain_state import ChainState
from tnness.network.initial import identity_state
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates
from tnness.network.truncation import TRUNCATIONS, Truncation
from tnness.operators.basis import bit, spin_half, spin_one
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.records.history import History
from tnness.runs.solve import steady_state
from tnness.stopping.discretisation import Stage, trotter_errors

s = spin_half
METHODS = sorted(TRUNCATIONS)
every_method = pytest.mark.parametrize("method", METHODS)


def identity(spaces):
    return ChainState.product([space.vector(np.eye(space.levels) / space.levels) for space in spaces])


def xx_dephasing(n, coupling=1.0, gamma=1.0, mu=0.8, dephasing=0.3, fields=None):
    """`systems.xx_dephasing_dense` as a `Lindbladian`."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(coupling * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)))
    for i in range(n):
        chain.hamiltonian((fields[i] if fields is not None else 0.0) * s.Z(i))
        chain.jump(s.Z(i), dephasing / 2)
    for site, sign in ((0, 1), (n - 1, -1)):
        chain.jump(s.Sp(site), gamma * (1 + sign * mu) / 2)
        chain.jump(s.Sm(site), gamma * (1 - sign * mu) / 2)
    return chain


def run_to(run, time):
    while run.time < time:
        run.step(until=time)
    return run


# ---------------------------------------------------------------- against the exact exponential


CHAINS = {"spin-half": [spin_half] * 4, "spin-1": [spin_one] * 3, "bit": [bit] * 6, "unequal": [s, spin_one, s]}


@pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)
@every_method
def test_dynamics_at_full_bond_dimension_are_exact(spaces, method):
    generator = random_lindbladian(spaces, seed=5).generator()
    start, bond = identity(spaces), generator.scale / (generator.n - 1)
    time = 8 / bond
    engine = TEBD(chi=max(generator.dims) ** 2, dt=0.4 / bond, method=method)
    run = run_to(engine.init(generator, start), time)
    expected = linalg.expm(time * generator.matrix().toarray()) @ start.dense()
    assert run.time == time
    assert_allclose(run.chain_state().dense(), expected, atol=2e-6 * linalg.norm(expected))  # the Trotter error
    assert run.discarded < 1e-11  # what the cutoff lets go
    assert abs(run.trace_drift) < math.sqrt(run.steps * 12 * generator.n * run.discarded) + 1e-12


@pytest.mark.parametrize(("order", "step", "tolerance"), [(2, 0.05, 4e-3), (4, 0.2, 3e-5)])
def test_dynamics_of_a_longer_chain_follow_the_covariance(order, step, tolerance):
    """XX chain with dephasing and random fields, where only the averages close: n = 8, beyond any dense vector here."""
    n, fields = 8, np.random.default_rng(0).uniform(-1, 1, 8)
    times = [0.5, 1.0, 2.0]
    expected = exact.xx_covariance_transient(n, 1.0, 1.0, 0.8, 0.3, fields, times)
    generator = xx_dephasing(n, fields=fields).generator()
    run = TEBD(chi=48, dt=step, order=order).init(generator, identity(generator.spaces))
    for k, time in enumerate(times):
        view = run_to(run, time).view()
        z = [view.expect(s.Z(i)) for i in range(n)]
        currents = [2 * view.expect(s.X(i) * s.Y(i + 1) - s.Y(i) * s.X(i + 1)) for i in range(n - 1)]
        assert_allclose(z, expected["z"][k], atol=tolerance)
        assert_allclose(currents, expected["current"][k], atol=3 * tolerance)


def test_long_times_reach_the_steady_state():
    generator = xx_dephasing(6).generator()
    run = TEBD(chi=32, schedule=()).init(generator, identity(generator.spaces))
    while run.time < 40:
        run.step()
    expected = exact.xx_dephasing_exact(6, 1.0, 1.0, 0.8, 0.3)["z"]
    assert_allclose([run.view().expect(s.Z(i)) for i in range(6)], expected, atol=1e-4)


def test_single_precision_is_good_to_its_digits():
    generator = xx_dephasing(6).generator()
    runs = [
        TEBD(chi=24, dt=0.1, dtype=dtype).init(generator, identity(generator.spaces))
        for dtype in ("float32", "float64")
    ]
    low, high = (run_to(run, 1.0).view() for run in runs)
    assert runs[0].state.dtype == np.float32
    assert_allclose([low.expect(s.Z(i)) for i in range(6)], [high.expect(s.Z(i)) for i in range(6)], atol=1e-5)
    assert runs[0].chain_state().dtype == np.float64


# ---------------------------------------------------------------- truncation is honest


@every_method
@settings(max_examples=10)
@given(seed=seeds, chi=st.integers(2, 8), leftwards=st.booleans())
def test_a_sweep_errs_by_no_more_than_it_reports(method, seed, chi, leftwards):
    """Each split projects at the centre: |P - Q| <= |P| sum_b sqrt(w_b) <= |P| sqrt(number of splits * sum w_b)."""
    generator = random_lindbladian([s] * 5, seed).generator()
    state = random_state([4] * 5, 6, np.random.default_rng(seed))
    state.canonicalise(4 if leftwards else 0)
    exact_state = ChainState(list(state.tensors), state.centre, state.log_norm)
    gates = Gates(generator.merged_bonds, state.dtype).layer(seed % 2, 0.01)
    rng = np.random.default_rng(0)
    dropped, _ = sweep_layer(state, gates, Truncation(chi=chi, method=method), rng)
    sweep_layer(exact_state, gates, Truncation(chi=10**6, cutoff=1e-30, method="svd"), rng)
    error = linalg.norm(state.dense() - exact_state.dense()) / linalg.norm(exact_state.dense())
    assert state.centre == (0 if leftwards else 4)
    assert error <= math.sqrt(2 * dropped) + 1e-7


@every_method
def test_a_sweep_leaves_isometries_on_both_sides_of_the_centre(method):
    generator = random_lindbladian([s] * 5, 0).generator()
    state = random_state([4] * 5, 6, np.random.default_rng(0))
    state.canonicalise(0)
    gates = Gates(generator.merged_bonds, state.dtype).layer(0, 0.05)
    for centre in (4, 0):
        sweep_layer(state, gates, Truncation(chi=8, method=method), np.random.default_rng(0))
        axes = ((0, 1), (0, 1)) if centre == 4 else ((1, 2), (1, 2))
        for tensor in state.tensors[:-1] if centre == 4 else state.tensors[1:]:
            overlap = np.tensordot(tensor, tensor, axes)
            assert_allclose(overlap, np.eye(len(overlap)), atol=1e-13)


@every_method
@pytest.mark.parametrize(("chi", "tolerance"), [(16, 1e-6), (6, 1.5)])
def test_complex_amplitudes_are_swept_with_adjoints(method, chi, tolerance):
    """Unitary gates on a pure state: exact at full bond dimension, below it 1.5 times the loss of the SVD at most."""
    rng, n = np.random.default_rng(1), 8
    gates = [linalg.qr(random_matrix(4, rng))[0] if i % 2 == 0 else None for i in range(n - 1)]
    small = [linalg.expm(0.1 * linalg.logm(gate)) if gate is not None else None for gate in gates]
    for centre in (0, n - 1):
        state = random_state([2] * n, chi, np.random.default_rng(2), np.complex128)
        state.canonicalise(centre)
        vector, best = state.dense(), ChainState(list(state.tensors), state.centre, state.log_norm)
        for i, gate in enumerate(small):
            vector = vector if gate is None else (gate @ vector.reshape(2**i, 4, -1)).ravel()
        sweep_layer(state, small, Truncation(chi=chi, method=method), rng)
        sweep_layer(best, small, Truncation(chi=chi, method="svd"), rng)
        error, least = (linalg.norm(x.dense() - vector) / linalg.norm(vector) for x in (state, best))
        assert error <= (tolerance if chi == 16 else tolerance * least)


def test_a_centre_in_the_bulk_is_moved_first():
    generator = random_lindbladian([s] * 4, 0).generator()
    gates = Gates(generator.merged_bonds, np.dtype(float)).layer(0, 0.1)
    states = [random_state([4] * 4, 4, np.random.default_rng(0)) for _ in range(2)]
    for state, centre in zip(states, (0, 2), strict=True):
        state.canonicalise(centre)
        sweep_layer(state, gates, Truncation(chi=64, method="svd"), np.random.default_rng(0))
    assert_allclose(states[0].dense(), states[1].dense(), atol=1e-12 * linalg.norm(states[0].dense()))


def test_what_too_small_a_bond_does_is_reported():
    generator = xx_dephasing(8, dephasing=0.0).generator()
    start = identity(generator.spaces)
    reports = []
    for chi in (4, 8, 16):
        run = run_to(TEBD(chi=chi, dt=0.1).init(generator, start), 3.0)
        assert max(run.state.bond_dimensions) <= chi
        reports.append((run.discarded, abs(run.trace_drift)))
    discarded, drift = np.array(reports).T
    assert all(np.diff(discarded) < 0)
    assert drift[0] > 1e-6 > 1e-9 * drift[0]  # seen, not hidden by a renormalisation
    assert drift[2] < drift[0]


# ---------------------------------------------------------------- the clock and the schedule


@given(st.floats(0.01, 3.0), st.integers(1, 5), st.floats(0.03, 0.5))
@settings(max_examples=10)
def test_a_run_ends_on_the_time_asked_for(until, block, dt):
    generator = xx_dephasing(2).generator()
    run = TEBD(chi=4, dt=dt, block=block).init(generator, identity(generator.spaces))
    clock = [run.time]
    while run.time < until:
        clock.append(run.step(until=until).time)
    assert run.time == until
    assert all(np.diff(clock) > 0)
    assert run.steps == math.ceil(until / dt - 1e-9)


def test_going_nowhere_changes_nothing_and_going_back_is_refused():
    generator = xx_dephasing(4).generator()
    run = run_to(TEBD(chi=8, dt=0.1).init(generator, identity(generator.spaces)), 1.0)
    before = run.chain_state().dense()
    run.step(until=1.0)
    assert_allclose(run.chain_state().dense(), before, atol=1e-14)
    with pytest.raises(InputError, match=r"a run at time 1 cannot go back to 0\.5"):
        run.step(until=0.5)


def test_a_schedule_visits_its_last_but_one_bond_dimension_at_two_steps():
    generator = xx_dephasing(4).generator()
    engine = TEBD(chi=64, dt=0.2)
    assert [(x.chi, x.dt) for x in engine.stages(generator)] == [(16, 0.2), (32, 0.2), (32, 0.1), (64, 0.2)]
    assert [x.chi for x in TEBD(chi=8).stages(generator)] == [6, 6, 8]
    assert [x.chi for x in TEBD(chi=8, schedule=()).stages(generator)] == [8]
    given = TEBD(chi=40, dt=0.2, schedule=(10, 20, 80), power=1).stages(generator)
    assert [(x.chi, x.power) for x in given] == [(10, 1), (20, 1), (20, 1), (40, 1)]


def test_a_small_step_is_compared_with_twice_itself():
    """Its error, and the noise in it, is then a fifteenth of the difference; the default step is no such step."""
    generator = xx_dephasing(4).generator()
    default = TEBD(chi=64).time_step(generator)
    for dt, first, second in ((default / 2, default, default / 2), (0.6 * default, 0.6 * default, 0.3 * default)):
        stages = TEBD(chi=64, dt=dt).stages(generator)
        assert [x.dt for x in stages] == pytest.approx([first, first, second, dt])


def neighbours_commutator(generator):
    """The largest |[G_b, G_b+1]|, from the whole matrices of three sites."""
    norms = []
    for bond in range(generator.n - 2):
        first, second = generator.merged_bonds[bond : bond + 2]
        left = np.kron(first, np.eye(generator.dims[bond + 2]))
        right = np.kron(np.eye(generator.dims[bond]), second)
        norms.append(np.linalg.norm(left @ right - right @ left, 2))
    return max(norms)


def test_a_steady_state_takes_longer_steps_where_the_tolerance_and_the_commutators_allow():
    generator = xx_dephasing(4).generator()
    default, quickness = TEBD().time_step(generator), neighbours_commutator(generator) ** 0.5
    for tolerance in (1e-6, 1e-2, 2e-2, 1e-1):
        longest = min(1.2 * (tolerance / 1e-2) ** 0.25, 1.5) / quickness
        expected = min(max(default, longest), 1.5 * default)
        assert TEBD().step_factor(generator, Ask(tolerance=tolerance)) * default == pytest.approx(expected)
    assert TEBD(dt=0.1).step_factor(generator, Ask(tolerance=0.1)) == 1
    assert TEBD(order=2).step_factor(generator, Ask(tolerance=0.1)) == 1
    assert TEBD().step_factor(generator, Ask(times=(1.0,), tolerance=0.1)) == 1
    model = find("ssep")(n=4)
    record = steady_state(model, engine=TEBD(chi=16), tolerance=1e-1)
    assert record.used["dt"] == pytest.approx(1.5 * TEBD().time_step(generator_of(model)))
    assert float(record.history.times[0]) == pytest.approx(2**0.5 * record.used["dt"])  # of the coarse stage


@pytest.mark.parametrize("space", [s, spin_one])
def test_the_quickness_of_a_chain_is_the_root_of_the_largest_commutator(space):
    """Sites of nine components are beyond a dense norm, and found by iteration."""
    generator = random_lindbladian([space] * 4, 5).generator()
    assert quickness_of(generator) == pytest.approx(neighbours_commutator(generator) ** 0.5, rel=1e-2)


def test_neighbours_that_commute_have_no_quickness():
    chain = Lindbladian([spin_one] * 4)
    chain.hamiltonian(spin_one.Sz(0) * spin_one.Sz(1))
    assert quickness_of(chain.generator()) == 0


@pytest.mark.parametrize(("dt", "caution"), [(0.4, 1), (0.2, 1), (0.1, 15 / 7)])
def test_the_error_of_the_step_is_found_from_any_two_steps(dt, caution):
    """A number that is wrong by 5 dt^4, in stages of steps .2 and .1: of a longer one than the last's as if by dt^3."""
    history = History()
    for stage, step in enumerate((0.2, 0.1, dt)):
        history.add(float(stage), stage, {"x": np.array([1 + 5 * step**4])})
    stages = [Stage(chi=8, dt=0.2), Stage(chi=8, dt=0.1), Stage(chi=16, dt=dt)]
    found = trotter_errors(SimpleNamespace(stages=stages, refined=0), 4, history, None)
    assert found["x"] == pytest.approx(1.3 * caution * 5 * dt**4)  # an error is increased by three tenths


def test_stages_grow_the_bonds_and_restart_the_account():
    generator = xx_dephasing(6, dephasing=0.0).generator()
    run = TEBD(chi=16, dt=0.2, schedule=(4, 8), block=4).init(generator, identity(generator.spaces))
    assert run.stage_names == ("chi=4 dt=0.2", "chi=8 dt=0.2", "chi=8 dt=0.1", "chi=16 dt=0.2")
    sizes = []
    for _ in run.stage_names:
        for _ in range(4):
            report = run.step()
        sizes.append(report.chi)
        assert run.discarded >= report.discarded >= 0
        before = run.discarded
        run.next_stage()
        kept = before if run.stage == run.refined_stage else 0.0  # a stage at dt/2 may be short
        assert run.discarded == kept
        assert run.trace_drift == 0.0
    assert before > 0
    assert sizes == [4, 8, 8, 16]
    assert run.step().chi == 16  # beyond the last stage its settings stay


def test_a_refinement_halves_the_last_step_once():
    generator = xx_dephasing(4).generator()
    run = TEBD(chi=8, dt=0.2, schedule=()).init(generator, identity(generator.spaces))
    assert run.refine()
    assert run.stage_names == ("chi=8 dt=0.2", "chi=8 dt=0.1")
    assert not run.refine()
    run.step()
    run.next_stage()
    assert_allclose(run.step().time, 0.3)


def test_the_default_step_depends_on_the_order_and_the_problem():
    generator = xx_dephasing(4).generator()
    fourth, second = TEBD().time_step(generator), TEBD(order=2).time_step(generator)
    assert_allclose(second, fourth / 3)
    faster = xx_dephasing(4, coupling=4.0).generator()
    assert TEBD().time_step(faster) < fourth / 2


# ---------------------------------------------------------------- interruption


def through_a_file(snapshot):
    file = io.BytesIO()
    np.savez(file, **snapshot.arrays, **{f"number {k}": v for k, v in snapshot.numbers.items()})
    file.seek(0)
    with np.load(file, allow_pickle=False) as kept:
        arrays = {k: kept[k] for k in kept if not k.startswith("number ")}
        return Snapshot(arrays, {k: kept[f"number {k}"].item() for k in snapshot.numbers})


@every_method
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_restored_run_goes_on_bit_for_bit(method, dtype):
    generator = xx_dephasing(6, dephasing=0.0).generator()
    engine = TEBD(chi=12, dt=0.17, method=method, dtype=dtype, schedule=(6,), block=3)

    def through(run, interrupted):
        for k in range(6):
            run.step()
            if k == 2:
                run.next_stage()
            if interrupted:
                run = engine.restore(generator, through_a_file(run.save()))
        while run.time < 4.0:
            run.step(until=4.0)
            if interrupted:
                run = engine.restore(generator, through_a_file(run.save()))
        return run

    once = through(engine.init(generator, identity(generator.spaces), seed=3), interrupted=False)
    often = through(engine.init(generator, identity(generator.spaces), seed=3), interrupted=True)
    for a, b in zip(once.state.tensors, often.state.tensors, strict=True):
        assert np.array_equal(a, b)
    assert once.save().numbers == often.save().numbers


def test_the_seed_decides_the_random_directions_and_nothing_else():
    generator = xx_dephasing(6, dephasing=0.0).generator()
    engine = TEBD(chi=12, dt=0.1, method="randomized")
    runs = [run_to(engine.init(generator, identity(generator.spaces), seed=k), 1.0) for k in (0, 0, 1)]
    vectors = [run.chain_state().dense() for run in runs]
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
    assert_allclose(vectors[0], vectors[2], atol=1e-3 * linalg.norm(vectors[0]))


@every_method
def test_a_nan_raises_and_the_last_good_state_stays(method):
    generator = xx_dephasing(5).generator()
    run = TEBD(chi=8, dt=0.1, method=method).init(generator, identity(generator.spaces))
    run.step()
    before = run.save()
    for parity in (0, 1):
        good = run.gates.layer
        run.gates.layer = lambda p, time, good=good, bad=parity: [
            gate * np.nan if gate is not None and p == bad else gate for gate in good(p, time)
        ]
        with pytest.raises(NumericalError, match="not finite"):
            run.step()
        run.gates.layer = good
        after = run.save()
        assert after.numbers == before.numbers
        assert all(np.array_equal(after.arrays[k], before.arrays[k]) for k in before.arrays)


def test_a_lost_trace_raises_and_the_last_good_state_stays():
    generator = xx_dephasing(4).generator()
    run = TEBD(chi=8, dt=0.1, block=1).init(generator, identity(generator.spaces))
    before, good = run.save(), run.gates.layer
    run.gates.layer = lambda p, time: [
        -gate if i == 0 and gate is not None else gate for i, gate in enumerate(good(p, time))
    ]
    with pytest.raises(NumericalError, match="trace of the state is not positive"):
        run.step()  # bond 0 is acted on seven times
    assert run.save().numbers == before.numbers


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chi": 0}, "chi = 0"),
        ({"dt": 0.0}, "dt = 0.0: the time step is a finite number > 0"),
        ({"dt": float("nan")}, "dt = nan"),
        ({"order": 3}, r"order = 3: the Trotter order is one of \[2, 4\]"),
        ({"dtype": "float16"}, "dtype = 'float16' is not one of float64, float32"),
        ({"block": 0}, "block = 0"),
        ({"schedule": (0,)}, "chi = 0"),
        ({"method": "svdd"}, r"did you mean 'svd'\?"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        TEBD(**settings)


def test_an_initial_state_of_another_chain_is_refused():
    generator = xx_dephasing(4).generator()
    with pytest.raises(InputError, match=r"local dimensions \(4, 4, 4\), the problem \(4, 4, 4, 4\)"):
        TEBD().init(generator, identity([s] * 3))
    with pytest.raises(InputError, match="initial state is complex: a pure state becomes a density matrix by"):
        TEBD().init(generator, identity([s] * 4).copy(complex))


def test_a_metric_changes_coordinates_and_no_number():
    chain = find("xxz-driven")(n=4)
    generator = generator_of(chain)
    weights = [np.array([1.0, 2.0, 2.0, 4.0])] * 4
    weighed = ChainGenerator(generator.spaces, generator.site_terms, generator.bond_terms, metric=weights)
    start = identity_state(generator.spaces)
    plain, scaled = (TEBD(chi=256, dt=0.1, cutoff=0.0, method="svd").init(g, start) for g in (generator, weighed))
    for run in (plain, scaled):
        while run.time < 2:
            run.step(2)
    assert_allclose(scaled.chain_state().dense(), plain.chain_state().dense(), atol=1e-11)
    assert scaled.view().log_purity() == pytest.approx(plain.view().log_purity(), abs=1e-10)
    assert_allclose(scaled.view().schmidt_values(1), plain.view().schmidt_values(1), atol=1e-9)
