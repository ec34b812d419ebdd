"""Trajectories: matrix-product states and Gaussian states see the same noise; averages are those of the Lindbladian."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.exact import Exact
from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.engines.pure.unraveling import why_no_noise, windows_of
from tnness.engines.trajectories import Trajectories
from tnness.errors import InputError, ModelError, Unavailable
from tnness.network.chain_state import ChainState
from tnness.network.initial import product_state
from tnness.operators.basis import quantum_space
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spinless as f
from tnness.problems.lindbladian import Lindbladian

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
    with pytest.raises(Unavailable):
        view.realizations[0].excitation(1)


@pytest.mark.parametrize(
    "settings", [{"dt": 0.0}, {"realizations": 0}, {"method": "exact"}, {"chi": 0}, {"substeps": 1.5}]
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Trajectories(**settings)
