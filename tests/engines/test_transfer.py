"""The transfer engine as a whole: linear problems, filled levels, Lyapunov exponents, decay, what its figures say."""

import math

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

import tnness.engines.wire.lyapunov as engine
from tnness.engines.fermions.entropy import mutual_information
from tnness.engines.transfer import Transfer
from tnness.engines.wire.equilibrium import bound_states, filled_correlations
from tnness.engines.wire.lyapunov import lyapunov
from tnness.engines.wire.scattering import scattering_states
from tnness.errors import InputError
from tnness.problems.resistors import resistor_chain
from tnness.problems.transfer import Lead, RandomBar, TransferChain, ring_hamiltonian
from transfer_chains import FIRST_POTENTIAL, mirrored, wire

BIAS = 0.0495
RNG = np.random.default_rng(5)


def bar(width: int, disorder: float, energy: float = 0.0, length: int = 60_000) -> RandomBar:
    def potential(rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.uniform(-disorder / 2, disorder / 2, (count, width**2))

    return RandomBar(ring_hamiltonian((width, width)), potential, energy, length)


def test_linear_solution_and_its_residual():
    chain = resistor_chain(
        RNG.uniform(0.1, 3, (8, 3)), RNG.uniform(0, 1, (9, 2)), sinks=0.1, sources=RNG.normal(size=(9, 3))
    )
    solution = Transfer().solve(chain)
    for time, view in solution.views:
        assert time == math.inf
        assert_allclose(
            view.solution().ravel(), np.linalg.solve(chain.matrix(), chain.fixed_source().ravel()), atol=1e-12
        )
    assert solution.figures["linear_residual"] < 1e-15
    assert solution.verdict == "exact"


# ---------------------------------------------------------------- filled levels


def test_filled_levels_of_a_clean_chain():
    """<c^+_x c_y> = sin(k_F (x - y)) / (pi (x - y)) of an endless chain, here a piece of it between its own leads."""
    lead = Lead(np.ones((1, 1)), np.zeros(1))
    chain = TransferChain(np.zeros((6, 1, 1)), np.ones((5, 1)), lead, lead)
    mu = -0.6
    k = np.arccos(-mu / 2)  # E = 2 cos q: filled are the momenta within k of pi
    distance = np.subtract.outer(np.arange(6), np.arange(6))
    with np.errstate(invalid="ignore"):
        expected = np.where(distance == 0, k / np.pi, (-1.0) ** distance * np.sin(k * distance) / (np.pi * distance))
    assert_allclose(filled_correlations(chain, mu), expected, atol=1e-12)


def test_filled_levels_of_a_long_isolated_system():
    """A wire and 400 sites of each lead, diagonalised: a gap at mu makes the finite leads good enough."""
    lead = Lead(np.ones((1, 1)), np.zeros(1))
    potential = RNG.uniform(-3, 3, 5)
    chain = TransferChain(potential[:, None, None], np.ones((4, 1)), lead, lead)
    mu = -2.5  # below the band: only bound states are filled
    full = np.zeros(805)
    full[400:405] = potential
    levels, vectors = scipy.linalg.eigh_tridiagonal(full, np.ones(804))
    filled = vectors[400:405, levels < mu]
    assert_allclose(filled_correlations(chain, mu), filled @ filled.T, atol=1e-9)
    assert bound_states(chain) == (int(np.sum(levels < -2 - 1e-6)), int(np.sum(levels > 2 + 1e-6)))


def test_levels_between_two_chemical_potentials_are_the_scattering_states():
    chain = wire(3, 4, 12.0, seed=2)
    difference = filled_correlations(chain, BIAS / 2) - filled_correlations(chain, -BIAS / 2)
    x, w = np.polynomial.legendre.leggauss(40)
    between = 0
    for node, weight in zip(x, w, strict=True):
        states = scattering_states(chain, BIAS / 2 * node).states.reshape(36, -1)
        between = between + BIAS / 2 * weight * states @ states.conj().T
    assert np.abs(between.imag).max() < 1e-15  # G^s is real: it carries no current
    assert_allclose(difference, between, atol=1e-13)


def test_correlations_are_a_state_and_mutual_information_obeys_its_bound():
    chain = wire(4, 4, 16.5, potential=FIRST_POTENTIAL)
    state = Transfer().view(chain).filled(BIAS)
    g = state.correlation
    levels = np.linalg.eigvalsh(g)
    assert levels.min() > -1e-12
    assert levels.max() < 1 + 1e-12
    coherence = 2 * np.sum(np.abs(g[:32, 32:]) ** 2)
    particles = np.trace(g).real
    shared = state.entropy(range(32)) + state.entropy(range(32, 64)) - state.entropy()
    assert shared >= 64 * coherence**2 / (2 * particles * (64 - particles))


@pytest.mark.parametrize("seed", range(5))
def test_bound_on_mutual_information_of_any_gaussian_state(seed):
    """S38."""
    rng = np.random.default_rng(seed)
    unitary = np.linalg.qr(rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8)))[0]
    g = unitary * rng.uniform(0, 1, 8) @ unitary.conj().T
    coherence, particles = 2 * np.sum(np.abs(g[:4, 4:]) ** 2), np.trace(g).real
    assert mutual_information(g, range(4), range(4, 8)) >= 8 * coherence**2 / (2 * particles * (8 - particles))


def test_mutual_information_near_infinite_temperature():
    """S40: I = 2 C for G = 1/2 + small."""
    delta = 1e-3 * RNG.normal(size=(8, 8))
    g = np.eye(8) / 2 + delta + delta.T
    coherence = 2 * np.sum(g[:4, 4:] ** 2)
    assert mutual_information(g, range(4), range(4, 8)) == pytest.approx(2 * coherence, rel=1e-3)


# ---------------------------------------------------------------- Lyapunov exponents


def test_exponents_of_a_clean_bar_outside_its_band():
    """gamma_n = arccosh |z_n|, z_n = (E - eps_n) / 2."""
    found = lyapunov(bar(2, 0.0, energy=9.0), RNG, blocks=2)
    expected = np.sort(np.arccosh(np.abs(9.0 - np.linalg.eigvalsh(ring_hamiltonian((2, 2)))) / 2))[::-1]
    assert_allclose(found.values, expected, atol=1e-3)


@pytest.mark.parametrize("disorder", [0.7, 1.0])
def test_one_dimension_at_the_centre_of_the_band(disorder):
    """gamma = W^2 / 105.2 at E = 0 (the anomaly of Kappus and Wegner; 1/96 without it)."""
    found = lyapunov(bar(1, disorder, length=6_400_000), np.random.default_rng(3), blocks=6400)
    assert found.errors[0] < 0.015 * found.values[0]
    assert found.values[0] == pytest.approx(disorder**2 / 105.2, rel=0.03)


def test_exponents_do_not_depend_on_when_columns_are_orthogonalised(monkeypatch):
    model = bar(2, 8.0, length=2 * 960)
    found = []
    for every in (1, 2, 8):
        monkeypatch.setattr(engine, "interval", lambda bar, every=every: every)
        found.append(lyapunov(model, np.random.default_rng(0), blocks=2).values)
    assert (np.diff(found[0]) <= 0).all()
    assert_allclose(found[1:], [found[0]] * 2, rtol=1e-9)


@pytest.mark.slow
def test_localization_ratio_at_the_transition():
    """Lambda = 0.5879(18) for M = 4 at W = 16.5."""
    found = lyapunov(bar(4, 16.5, length=1_600_000), np.random.default_rng(1), blocks=64)
    ratio, error = 1 / (4 * found.values[-1]), found.errors[-1] / (4 * found.values[-1] ** 2)
    assert error < 0.003
    assert ratio == pytest.approx(0.588, abs=3 * np.hypot(error, 0.0018))


def test_bars_too_short_or_too_few_are_refused():
    with pytest.raises(InputError, match="blocks of at least"):
        lyapunov(bar(2, 8.0, length=100), RNG)
    with pytest.raises(InputError, match="at least 2"):
        lyapunov(bar(2, 8.0), RNG, blocks=1)


def test_bar_repeats_with_its_seed():
    model = bar(2, 10.0, length=4000)
    found = [next(iter(Transfer().solve(model, seed=s).views))[1].lyapunov().values for s in (1, 1, 2)]
    assert_allclose(found[0], found[1], rtol=0)
    assert np.abs(found[0] - found[2]).max() > 0


# ---------------------------------------------------------------- decay


def test_decay_equals_the_matrix_exponential():
    conductances = RNG.uniform(0.1, 2, (3, 5, 1))
    source = np.zeros((6, 1))
    source[2] = 1
    chain = resistor_chain(conductances, sources=source)
    times = [0.0, 0.5, 7.0]
    for time, view in Transfer().solve(chain, times=times).views:
        for k in range(3):
            expected = scipy.linalg.expm(-chain.matrix()[k] * time) @ source[:, 0]
            assert_allclose(view.decayed()[k], expected, atol=1e-13)
        assert_allclose(view.decayed().sum(axis=-1), 1, atol=1e-13)


# ---------------------------------------------------------------- the engine's manners


def test_figures_say_which_rule_was_used_and_how_far_it_is_converged():
    chain = wire(3, 3, 20.0, contact=0.3, seed=3)
    for rule in ("poles", "legendre"):
        solution = Transfer().solve(chain)
        for _, view in solution.views:
            view.nonequilibrium(0.4, rule)
        assert solution.figures["quadrature"] < 1e-6
        assert np.isnan(solution.figures["poles"]) == (rule == "legendre")
        assert solution.figures["unitarity"] < 1e-12
        assert solution.verdict == "converged"


def test_an_integral_that_is_not_converged_says_so():
    solution = Transfer(nodes=4, most=12).solve(wire(3, 4, 20.0, contact=0.1, seed=3))
    for _, view in solution.views:
        view.nonequilibrium(2.0, "legendre")
    assert solution.verdict.startswith("quadrature dominates")


def test_reports_and_interrupts():
    def report(text: str, fraction: float) -> None:
        assert 0 <= fraction <= 1
        raise KeyboardInterrupt

    _, view = next(iter(Transfer().solve(wire(2, 3, 5.0), report=report).views))
    with pytest.raises(KeyboardInterrupt):
        view.nonequilibrium(BIAS)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda: Transfer(blocks=1), "blocks = 1"),
        (lambda: Transfer(nodes=1), "nodes = 1"),
        (lambda: Transfer().solve("a chain"), "solves a TransferChain"),
        (lambda: Transfer().solve(wire(1, 2, 1.0), initial="product:0"), "no initial state"),
        (lambda: Transfer().solve(bar(1, 1.0), times=[1.0]), "no time evolution"),
        (lambda: list(Transfer().solve(wire(1, 2, 1.0), times=[1.0]).views), "open ends"),
        (lambda: Transfer().view(wire(1, 2, 1.0)).decayed(), "give --time"),
        (lambda: Transfer().view(mirrored(wire(1, 2, 1.0))).nonequilibrium(-1.0), "empty"),
    ],
)
def test_what_cannot_be_answered_is_refused(act, reason):
    with pytest.raises(InputError, match=reason):
        act()
