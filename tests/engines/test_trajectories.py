"""Trajectories: matrix-product states and Gaussian states see the same noise; averages are those of the Lindbladian."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.exact import Exact
from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.engines.pure.splitting import pieces
from tnness.engines.pure.trajectory_view import FEWEST_JUMPS, TrajectoryView
from tnness.engines.pure.unraveling import why_no_noise, windows_of
from tnness.engines.pure.view import PureView
from tnness.engines.trajectories import Trajectories
from tnness.errors import InputError, ModelError, Unavailable
from tnness.network.chain_state import ChainState
from tnness.network.initial import product_state
from tnness.network.trotter import layers
from tnness.observables.observable import Observable, expectation, two_point
from tnness.operators.basis import bit, quantum_space
from tnness.operators.basis import electron as e
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spin_one as o
from tnness.operators.basis import spinless as f
from tnness.problems.envelope import Piecewise
from tnness.problems.lindbladian import Lindbladian
from tnness.records.averages import TimeAverage

FIELDS = np.random.default_rng(1).uniform(-2, 2, 8)


def chain(n=6, delta=0.0, noise=None):
    found = Lindbladian([f] * n)
    for i in range(n - 1):
        found.hamiltonian(-1.0 * (f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i)))
        found.hamiltonian(2 * delta * f.N(i) * f.N(i + 1))
    for i in range(n):
        found.hamiltonian(FIELDS[i] * f.N(i))
    for site, rate in (noise or {n // 2 - 1: 1.0}).items():
        found.jump(f.N(site), rate=rate)
    return found


def run(problem, times, initial, seed=3, **settings):
    solution = Trajectories(**settings).solve(problem, initial=initial, times=times, seed=seed)
    views = [view for _, view in solution.views]
    return views, solution


@pytest.mark.parametrize("initial", ["product:010101", "ground:3"])
@pytest.mark.parametrize("noise", [{2: 1.0}, {1: 0.5, 4: 2.0}], ids=["one site", "two sites"])
def test_matrix_product_states_equal_gaussian_states_for_the_same_noise(initial, noise):
    """Full bond dimension; fourth-order steps dt/4 leave 1e-9."""
    problem, times = chain(noise=noise), [0.0, 0.5, 2.0]
    free, _ = run(problem, times, initial, realizations=2)
    network, solution = run(problem, times, initial, realizations=2, method="mps", chi=8, cutoff=1e-18, substeps=4)
    assert solution.verdict == "complete"
    for one, other in zip(free, network, strict=True):
        for a, b in zip(one.realizations, other.realizations, strict=True):
            assert_allclose(b.entropy(slice(0, 3)), a.entropy(slice(0, 3)), atol=1e-8)
            assert_allclose([b.expect(f.N(i)) for i in range(6)], [a.expect(f.N(i)) for i in range(6)], atol=1e-8)
    first, second = free[-1].realizations
    assert abs(first.entropy(slice(0, 3)) - second.entropy(slice(0, 3))) > 1e-3  # another noise, another state


def test_averages_are_those_of_the_lindbladian_within_their_errors():
    problem, time = chain(), 3.0
    (view,), _ = run(problem, [time], "product:010101", realizations=1000, dt=0.05)
    exact = Exact().init(problem.generator(), product_state(problem.spaces, [np.eye(2)[i % 2] for i in range(6)]))
    exact.step(time)
    estimate = view.average(lambda v: [v.expect(f.N(i)) for i in range(6)])
    z = (estimate.value - [exact.view().expect(f.N(i)) for i in range(6)]) / estimate.error
    assert np.sqrt(np.mean(z**2)) < 2
    assert abs(z).max() < 3.5
    assert_allclose(view.expect(f.N(2)), estimate.value[2], atol=1e-14)


def test_interacting_averages_by_matrix_product_states():
    problem, time = chain(n=4, delta=1.0), 1.5
    (view,), _ = run(problem, [time], "product:0101", realizations=60, dt=0.15)
    exact = Exact().init(problem.generator(), product_state(problem.spaces, [np.eye(2)[i % 2] for i in range(4)]))
    exact.step(time)
    estimate = view.average(lambda v: [v.expect(f.N(i)) for i in range(4)])
    z = (estimate.value - [exact.view().expect(f.N(i)) for i in range(4)]) / estimate.error
    assert np.sqrt(np.mean(z**2)) < 2.5


def test_spins_are_kicked_like_fermions():
    """Dephasing Z at a quarter of the rate is the same noise up to a phase."""
    spins = Lindbladian([s] * 4)
    for i in range(3):
        spins.hamiltonian(-0.5 * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)))
    for i in range(4):
        spins.hamiltonian(FIELDS[i] * s.N(i))
    spins.jump(s.Z(1), rate=0.25)
    ours, _ = run(spins, [1.0], "product:1010", realizations=2, method="mps", substeps=2)
    theirs, _ = run(chain(n=4), [1.0], "product:0101", realizations=2, method="mps", substeps=2)
    for a, b in zip(ours[0].realizations, theirs[0].realizations, strict=True):
        assert_allclose([a.expect(s.N(i)) for i in range(4)], [b.expect(f.N(i)) for i in range(4)], atol=1e-12)


def test_a_fermionic_jump_can_be_white_noise_on_the_first_site_but_not_on_the_last():
    """In the eigenbasis of a Majorana operator w its parity is not diagonal, nor is P w."""
    majorana = quantum_space("majorana", {"P": np.array([[0, 1], [1, 0]])}, odd={"w": np.diag([1, -1])})
    for site in (0, 2):
        problem = Lindbladian([majorana] * 3)
        problem.jump(majorana.w(site), rate=0.25)
        assert ("no white noise" in why_no_noise(problem, windows_of(problem))) == (site == 2)


def test_one_noise_for_one_seed():
    problem = chain(n=4)
    a, b, c = (run(problem, [1.0], "product:0101", seed=k, realizations=2)[0][0].expect(f.N(1)) for k in (1, 1, 2))
    assert a == b
    assert a != c


def test_without_noise_the_ground_state_stays():
    problem = chain(noise={2: 0.0})
    (early, late), _ = run(problem, [0.0, 7.0], "ground:3", realizations=1)
    assert_allclose(late.realizations[0].correlation, early.realizations[0].correlation, atol=1e-13)


def test_a_small_bond_dimension_is_reported():
    _, solution = run(chain(), [4.0], "product:010101", realizations=1, method="mps", chi=2)
    assert solution.verdict == "truncation dominates: raise chi"
    assert solution.figures["weight_dropped"] > 1e-6
    assert solution.figures["bond_dimension"] == 2


def test_what_a_trajectory_cannot_be():
    lossy = chain(n=4)
    lossy.jump(f.C(0))
    cases = [
        (lossy, {"method": "gaussian"}, "product:0101", ModelError, "keeps its particles"),
        (lossy, {"unraveling": "noise", "method": "mps"}, "product:0101", ModelError, "no white noise"),
        (chain(n=4, delta=1.0), {"method": "gaussian"}, "product:0101", NotQuadratic, "an interaction"),
        (chain(n=4), {}, "identity", InputError, "pure state"),
        (chain(n=4), {"method": "mps"}, "product:01*1", InputError, "pure state"),
        (chain(n=4), {"method": "mps"}, ChainState.product([[1.0, 0.0]] * 3), InputError, "levels"),
    ]
    for problem, settings, initial, kind, told in cases:
        with pytest.raises(kind, match=told):
            Trajectories(realizations=1, **settings).solve(problem, initial=initial, times=[1.0])
    with pytest.raises(InputError, match="relaxation=T"):
        Trajectories().solve(chain(n=4), initial="product:0101")
    (view,), _ = run(chain(n=4, noise={1: 1.0, 2: 1.0}), [0.0], "product:0101", realizations=1)
    assert view.realizations[0].excitation(1).round(12).tolist() == [0, 1, 0, 0]
    with pytest.raises(Unavailable):
        view.realizations[0].excitation(0)


@pytest.mark.parametrize(
    "settings", [{"dt": 0.0}, {"realizations": 0}, {"method": "exact"}, {"chi": 0}, {"substeps": 1.5}]
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Trajectories(**settings)


# ---------------------------------------------------------------- jumps and diffusion


def xxz(n):
    """Dephasing everywhere, pumped and drained at its ends."""
    found = Lindbladian([s] * n)
    for i in range(n - 1):
        found.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + 0.7 * s.Z(i) * s.Z(i + 1))
    for i in range(n):
        found.jump(s.Z(i), rate=0.15)
    found.jump(s.Sp(0), rate=0.6)
    found.jump(s.Sm(n - 1), rate=0.9)
    return found, "product:" + "01" * (n // 2), [s.X(i) * s.X(i + 1) for i in range(n - 1)] + [s.Z(i) for i in range(n)]


def pair_loss(n):
    """Interacting fermions, lost in pairs, one by one, and from a superposition of two sites, and gained."""
    found = Lindbladian([f] * n)
    for i in range(n - 1):
        found.hamiltonian(-1.0 * (f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i)) + 0.5 * f.N(i) * f.N(i + 1))
        found.jump(f.C(i) * f.C(i + 1), rate=0.4 + 0.1 * i)
    for i in range(n):
        found.jump(f.C(i), rate=0.1)
        found.jump(f.Cd(i), rate=0.15)
    found.jump(f.C(1) + 0.5 * f.C(2), rate=0.3)
    hops = [f.Cd(i) * f.C(j) + f.Cd(j) * f.C(i) for i, j in [*zip(range(n - 1), range(1, n), strict=True), (0, n - 1)]]
    return found, "product:" + "110101"[:n], hops + [f.N(i) for i in range(n)]


def spins_one(n):
    """Jumps on sites, and on bonds, which overlap."""
    found = Lindbladian([o] * n)
    for i in range(n - 1):
        found.hamiltonian(0.5 * (o.Sx(i) * o.Sx(i + 1) + o.Sy(i) * o.Sy(i + 1) + o.Sz(i) * o.Sz(i + 1)))
        found.jump(o.Sp(i) * o.Sm(i + 1), rate=0.3)
    for i in range(n):
        found.jump(o.Sm(i), rate=0.2)
        found.jump(o.Sz(i), rate=0.2)
    bonds = [o.Sx(i) * o.Sx(i + 1) for i in range(n - 1)]
    return found, "product:" + "01210"[:n], bonds + [o.Sz(i) for i in range(n)]


def electrons(n):
    """Electrons of both spins, one kind of which is lost."""
    found = Lindbladian([e] * n)
    for i in range(n - 1):
        for create, annihilate in ((e.Cud, e.Cu), (e.Cdd, e.Cd)):
            found.hamiltonian(-1.0 * (create(i) * annihilate(i + 1) + create(i + 1) * annihilate(i)))
    for i in range(n):
        found.hamiltonian(2.0 * e.Nu(i) * e.Nd(i))
        found.jump(e.Cd(i), rate=0.3)
        found.jump(e.Nu(i), rate=0.2)
    return found, "product:" + "1231"[:n], [e.Nu(i) for i in range(n)] + [e.Nd(i) for i in range(n)]


def driven(n):
    """A field, and a rate, that depend on time."""
    found = Lindbladian([s] * n)
    for i in range(n - 1):
        found.hamiltonian(s.X(i) * s.X(i + 1) + 0.5 * s.Z(i) * s.Z(i + 1))
    for i in range(n):
        found.hamiltonian(s.Y(i), envelope=lambda t: np.cos(3 * t))
        found.jump(s.Sm(i), rate=Piecewise({0.0: 0.1, 0.55: 1.2}))
    return found, "product:" + "01" * (n // 2), [s.Z(i) for i in range(n)] + [s.X(i) for i in range(n)]


def z_of(case, times, **settings):
    """(average - exact) / statistical error of all operators at all times."""
    problem, initial, operators = case
    wanted = [v for _, v in Exact().solve(problem, initial=initial, times=times).views]
    views, solution = run(problem, times, initial, method="mps", cutoff=1e-9, **settings)
    assert solution.verdict.startswith(("complete", "Trotter error dominates"))
    for view in views:
        view._splitting = 0.0
    estimates = [view.with_error(lambda v: [v.expect(each) for each in operators]) for view in views]
    exact = np.array([[view.expect(each) for each in operators] for view in wanted])
    known = [exact[:, k].any() for k in range(len(operators))]
    z = (np.array([each.value for each in estimates]) - exact) / np.array([each.error for each in estimates])
    return z[:, known]


FAST = [
    ("jumps", xxz, 4),
    ("diffusion", xxz, 4),
    ("jumps", pair_loss, 4),
    ("jumps", spins_one, 3),
    ("diffusion", spins_one, 3),
    ("jumps", electrons, 3),
    ("jumps", driven, 4),
    ("diffusion", driven, 4),
]


@pytest.mark.parametrize(("unraveling", "case", "n"), FAST, ids=[f"{u} {c.__name__}" for u, c, _ in FAST])
def test_averages_over_jumps_and_diffusion_are_those_of_exact(unraveling, case, n):
    z = z_of(case(n), [0.6, 1.0], realizations=150, dt=0.1, unraveling=unraveling)
    assert np.sqrt(np.mean(z**2)) < 1.6
    assert np.abs(z).max() < 4


@pytest.mark.slow
@pytest.mark.timeout(1200)  # half a minute on a free core
@pytest.mark.parametrize("seed", [8101, 8102])
@pytest.mark.parametrize(
    ("unraveling", "case", "n"),
    [
        ("jumps", xxz, 6),
        ("diffusion", xxz, 6),
        ("jumps", pair_loss, 6),
        ("jumps", spins_one, 5),
        ("diffusion", spins_one, 5),
    ],
)
def test_fifty_averages_of_six_sites_are_within_their_errors(unraveling, case, n, seed):
    """chi^2 of 45 to 60 averages at five times, which are correlated: some 25 of them are independent."""
    z = z_of(case(n), [0.3, 0.6, 1.0, 1.5, 2.0], realizations=600, dt=0.05, unraveling=unraveling, seed=seed)
    assert z.size >= 45
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.5
    assert np.abs(z).max() < 4.5


def test_errors_of_few_trajectories_know_of_jumps_that_did_not_happen():
    """24 trajectories, a quarter of which has jumped: 8 % of plain jackknives are off by more than 4 errors."""
    problem, initial, operators = xxz(6)
    z_operators, groups, time = operators[5:], 60, 0.3
    (view,), _ = run(problem, [time], initial, seed=77, realizations=24 * groups, unraveling="jumps", dt=0.1)
    (exact,) = [v for _, v in Exact().solve(problem, initial=initial, times=[time]).views]
    wanted = np.array([exact.expect(each) for each in z_operators])
    plain, rare = [], []
    for number in range(groups):
        own = view.realizations[number::groups]
        for jumps, found in ((None, plain), (FEWEST_JUMPS, rare)):
            few = TrajectoryView(own, problem.spaces, jumps=jumps)
            estimate = few.with_error(lambda v: [v.expect(each) for each in z_operators])
            found.append(np.abs(estimate.value - wanted) / np.asarray(estimate.error))
    assert np.mean(np.array(plain) > 4) > 0.04
    assert np.mean(np.array(rare) > 4) < 0.01
    assert 0.6 < np.sqrt(np.mean(np.square(rare))) < 1.2


def test_no_error_is_claimed_where_hardly_any_trajectory_has_jumped():
    problem, initial, _ = xxz(4)
    views, solution = run(problem, [0.0, 0.02], initial, realizations=20, unraveling="jumps", dt=0.02)
    started, few = (view.with_error(lambda v: [v.expect(s.Z(i)) for i in range(4)]) for view in views)
    assert_allclose(np.asarray(started.error), 0.0)
    assert np.isnan(np.asarray(few.error)).all()
    assert solution.verdict == "no error estimate: fewer than 5 quantum jumps, raise realizations"


def test_the_average_is_of_second_order_in_the_time_step():
    """At dt = .8 the splitting shows, at dt = .2 it does not."""
    case, times = xxz(4), [1.6]
    far, near = (z_of(case, times, realizations=1000, dt=dt, unraveling="jumps") for dt in (0.8, 0.1))
    assert np.sqrt(np.mean(far**2)) > 2.5
    assert np.sqrt(np.mean(near**2)) < 1.6


@pytest.mark.parametrize("unraveling", ["jumps", "diffusion"])
def test_the_error_of_a_time_step_is_covered(unraveling):
    """At dt = .4 the bias of 1000 trajectories is several statistical errors, and the error says so."""
    problem, initial, operators = xxz(4)
    (view,), solution = run(problem, [1.6], initial, realizations=1000, dt=0.4, unraveling=unraveling, cutoff=1e-9)
    (exact,) = [v for _, v in Exact().solve(problem, initial=initial, times=[1.6]).views]
    wanted = np.array([exact.expect(each) for each in operators])
    estimate = view.with_error(lambda v: [v.expect(each) for each in operators])
    apart = np.abs(np.asarray(estimate.value) - wanted)
    assert np.all(apart <= np.asarray(estimate.error))
    assert 0.02 < solution.figures["splitting"] < 0.4


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize(("case", "n"), [(xxz, 4), (spins_one, 2)], ids=["spins", "jumps on a bond"])
def test_the_error_of_a_time_step_is_that_of_the_chain_where_a_piece_is_all_of_it(case, n, order):
    problem, initial, _ = case(n)
    amplitudes = [np.eye(space.levels)[int(k)] for space, k in zip(problem.spaces, initial[8:], strict=True)]
    state = PureView(ChainState.product(amplitudes), problem.spaces)
    (piece,) = pieces(problem, windows_of(problem), state.marginal)
    piece.advance(1.0, 10, list(layers(order, 1)))
    ((_, exact),) = Exact().solve(problem, initial=initial, times=[1.0]).views
    apart = [exact.marginal(slice(i, i + 2)) for i in range(n - 1)]
    for twin, share in zip(piece.twins, (1.0, 0.25), strict=True):
        off = [np.abs(np.linalg.eigvalsh(piece.pair(twin, i) - rho)).sum() for i, rho in enumerate(apart)]
        assert_allclose(max(off), share * piece.error(), rtol=0.15)


def test_errors_of_products_of_averages_are_those_of_the_jackknife():
    """The variance of a function of means by its derivatives, for many realizations."""
    problem, initial, _ = xxz(4)
    (view,), _ = run(problem, [1.0], initial, realizations=200, unraveling="jumps", method="mps", dt=0.05)
    connected = two_point(s.Z, s.Z, connected=True).estimate(view)
    a, b, ab = (np.array([v.expect(op) for v in view.realizations]) for op in (s.Z(0), s.Z(1), s.Z(0) * s.Z(1)))
    slopes = ab - a * b.mean() - b * a.mean()
    assert_allclose(np.asarray(connected.value)[0, 1], ab.mean() - a.mean() * b.mean(), atol=1e-13)
    assert_allclose(np.asarray(connected.error)[0, 1], slopes.std(ddof=1) / np.sqrt(200), rtol=0.3)
    plain = expectation([s.Z(i) for i in range(4)], "site").estimate(run(problem, [1.0], initial, realizations=20,
                        unraveling="jumps", method="mps", dt=0.2)[0][0])  # fmt: skip
    assert np.shape(plain.error) == (4,)
    assert np.isnan(Observable(lambda v: v.expect(s.Z(0))).estimate(
        run(problem, [0.2], initial, realizations=1, unraveling="jumps", method="mps")[0][0]).error)  # fmt: skip


def test_the_steady_state_is_an_average_over_time_and_realizations():
    problem = Lindbladian([s] * 2)
    problem.hamiltonian(s.X(0) * s.X(1) + s.Y(0) * s.Y(1))
    problem.jump(s.Sp(0), rate=3.0)
    problem.jump(s.Sm(1), rate=2.0)
    operators = [s.Z(0), s.Z(1), s.X(0) * s.Y(1) - s.Y(0) * s.X(1)]
    ((_, exact),) = Exact().solve(problem).views
    engine = Trajectories(realizations=8, relaxation=4.0, duration=160.0, every=2.0, dt=0.05)
    solution, average, times = engine.solve(problem, initial="product:01", seed=5), TimeAverage(), []
    for time, view in solution.views:
        times.append(time)
        average.add([view.expect(each) for each in operators])
    assert_allclose(times, np.arange(6, 165, 2))
    estimate = average.estimate()
    z = (np.asarray(estimate.value) - [exact.expect(each) for each in operators]) / estimate.error
    assert np.abs(z).max() < 4
    assert solution.rule.judge({"z": average}) == "complete, with statistical errors alone"


def test_one_seed_gives_one_trajectory_however_many_run_beside_it():
    problem, initial, operators = xxz(4)
    few, many = (
        run(problem, [1.0], initial, realizations=count, unraveling="jumps", method="mps")[0][0].realizations[1]
        for count in (2, 7)
    )
    assert_allclose([few.expect(each) for each in operators], [many.expect(each) for each in operators], atol=1e-10)


def test_what_jumps_and_diffusion_do_not_take():
    lossy, classical, long_range = chain(n=4), Lindbladian([bit] * 4), Lindbladian([s] * 4)
    lossy.jump(f.C(0))
    long_range.hamiltonian(s.Z(0) * s.Z(2))
    long_range.jump(s.Sm(0))
    pulsed = xxz(4)[0]
    pulsed.at(1.0, s.X(0))
    cases: list[tuple[Lindbladian, dict[str, Any], str]] = [
        (lossy, {"unraveling": "diffusion"}, "cannot diffuse"),
        (classical, {"unraveling": "jumps"}, "holds probabilities, which have no amplitudes"),
        (long_range, {"unraveling": "jumps"}, "reaches beyond neighbours"),
        (pulsed, {"unraveling": "jumps"}, "acts at a given time"),
        (lossy, {"unraveling": "jumps", "method": "gaussian"}, "Gaussian states go with noise"),
    ]
    for problem, settings, told in cases:
        with pytest.raises((ModelError, InputError), match=told):
            Trajectories(realizations=1, **settings).solve(problem, initial="product:0101", times=[1.0])
    with pytest.raises(InputError, match="at least one sample"):
        Trajectories(relaxation=1.0, duration=0.5).solve(xxz(4)[0], initial="product:0101")
