"""Energy integrals: nodes, weights for poles, resonances, and G^d by every rule against dense Gauss-Legendre."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad

from tnness.engines.wire.deflation import deflated
from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.poles import find_poles, refine
from tnness.engines.wire.quadrature import LegendreRule, Panel, energy_panels
from tnness.engines.wire.scattering import scattering_states, transmission
from tnness.engines.wire.window import Quadrature, integrate
from tnness.errors import InputError
from tnness.problems.transfer import Lead, TransferChain
from transfer_chains import FIRST_COHERENCE, FIRST_POTENTIAL, dense_coherence, dense_green, mirrored, wire

BIAS = 0.0495
FINE = np.polynomial.legendre.leggauss(800)  # exact to 1.05^-1600 for the poles of these tests
RULES = ["poles", "legendre"]


@pytest.mark.parametrize("width", [1e-1, 1e-6, 1e-15])
def test_nodes_and_what_they_miss_integrate_a_resonance_exactly(width):
    """int E^2 / ((E - a)^2 + w^2) by its closed form: no node is near the resonance."""
    rule = LegendreRule(Panel(-0.5, 1.5), 6)
    centre = 0.3
    pole = centre - 1j * width
    residue = pole**2 / (-2j * width)
    nodes = rule.weights @ (rule.nodes**2 / ((rule.nodes - centre) ** 2 + width**2))
    found = nodes + 2 * (residue * rule.missed(rule.scaled(pole))).real

    def primitive(e):
        u = e - centre
        return u + centre * np.log(u**2 + width**2) + (centre**2 - width**2) / width * np.arctan(u / width)

    assert_allclose(found, primitive(1.5) - primitive(-0.5), rtol=1e-9)


@given(st.complex_numbers(max_magnitude=6), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_what_nodes_miss_of_a_pole(z, count):
    if z.imag > -0.05:
        return
    rule = LegendreRule(Panel(-1.0, 1.0), count)
    x, w = FINE
    assert_allclose(rule.missed(z), w @ (1 / (x - z)) - rule.weights @ (1 / (rule.nodes - z)), atol=1e-9)
    assert_allclose(rule.highest_of_pole(z), -rule.highest @ (1 / (rule.nodes - z)), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("reach", [1.2, 3.0])
def test_what_nodes_miss_at_the_rim(count, reach):
    rule = LegendreRule(Panel(-1.0, 1.0), count)
    missed = rule.missed_per_highest(reach) * rule.highest_of_pole(reach)
    assert_allclose(missed, rule.missed(reach), rtol=1e-9, atol=1e-14)


def test_panels_are_cut_at_thresholds_and_resolve_their_roots():
    pieces = energy_panels(-1.0, 1.0, [-5.0, 0.0, 1.0])
    assert [(p.start, p.stop, p.root_start, p.root_stop) for p in pieces] == [
        (-1.0, 0.0, False, True),
        (0.0, 1.0, True, True),
    ]

    def f(e):
        return np.sqrt(np.abs(e)) * np.cos(e) + 1 / np.sqrt(np.abs(1 - e))

    total = sum(w @ f(x) for x, w in (p.rule(24) for p in pieces))
    assert total == pytest.approx(quad(f, -1, 1, points=[0.0], limit=400)[0], rel=1e-6)
    with pytest.raises(InputError, match="empty"):
        energy_panels(1.0, 1.0, [])


def test_legendre_series():
    rule = LegendreRule(Panel(2.0, 3.0), 3)
    x = 2 * rule.nodes - 5
    values = 1.5 * x**2 - 0.5 + 3 * x  # P_2 + 3 P_1
    assert rule.highest @ values == pytest.approx(1.0)
    z = np.array([0.2 + 1j, -3.0])
    assert_allclose(rule.interpolation(z) @ values, 1.5 * z**2 - 0.5 + 3 * z)
    assert_allclose(rule.last_degree(z), 1.5 * z**2 - 0.5)
    assert_allclose(rule.node_polynomial(z), z**3 - 0.6 * z)


@pytest.mark.parametrize(("size", "contact"), [(2, 1.0), (3, 0.2), (6, 1.0)])  # dense, dense, Arnoldi
def test_poles_solve_the_nonlinear_problem_and_carry_the_residue(size, contact):
    chain = wire(size, size + 2, 15.0, contact=contact, seed=4)
    poles = find_poles(chain, 0.1, 0.8)
    poles = refine(chain, poles, np.ones(len(poles.values), bool))
    assert len(poles.values) > 0
    for value, vector in zip(
        poles.values, poles.vectors.transpose(2, 0, 1).reshape(len(poles.values), -1), strict=True
    ):
        assert value.imag < 0
        near = 1e-5 * np.exp(0.7j)
        residue = near * dense_green(chain, value + near)
        assert_allclose(residue, np.outer(vector, vector), atol=2e-3 * np.abs(np.outer(vector, vector)).max())


def test_all_poles_are_found():
    """The number of poles inside a circle, by the argument principle for Tr G (of a chain without poles on the rim)."""
    chain = wire(6, 6, 12.0, seed=8)
    radius = 0.3
    found = find_poles(chain, 0.0, radius, guess=3)
    angles = 2 * np.pi * (np.arange(256) + 0.5) / 256
    total = 0
    for angle in angles:
        z = radius * np.exp(1j * angle)
        green = dense_green(chain, z)
        weighted = np.trace(green)
        for lead, part in zip(chain.leads, (green[:36, :36], green[-36:, -36:]), strict=True):
            weighted -= np.trace(part @ lead.self_energy_slope(z))
        total += z * weighted / 256
    assert len(found.values) == pytest.approx(total.real, abs=0.05)


@pytest.mark.parametrize("rule", RULES)
def test_first_coherence(rule):
    chain = wire(4, 4, 16.5, potential=FIRST_POTENTIAL)
    found = integrate(chain, -BIAS / 2, BIAS / 2, Quadrature(), rule, matrix=True)
    assert found.coherence.mutual_coherence == pytest.approx(FIRST_COHERENCE, rel=1e-9)
    assert_allclose(found.coherence.matrix, dense_coherence(chain, BIAS, 40), atol=1e-13)


@pytest.mark.parametrize(
    ("size", "length", "disorder", "contact", "seed"), [(3, 5, 21.0, 0.3, 3), (2, 7, 14.0, 0.5, 1)]
)
def test_rules_agree_through_narrow_resonances(size, length, disorder, contact, seed):
    chain = wire(size, length, disorder, contact=contact, seed=seed)
    level = np.linalg.eigvalsh(chain.matrix())
    centre = level[np.argmin(np.abs(level))]  # put the window on a level
    window = (centre - 0.1, centre + 0.13)
    by_poles = integrate(chain, *window, Quadrature(nodes=8), "poles", matrix=True)
    assert by_poles.poles >= 1
    by_nodes = integrate(chain, *window, Quadrature(tolerance=1e-9, most=40_000), "legendre", matrix=True)
    assert by_nodes.relative_error < 1e-9
    assert_allclose(
        by_poles.coherence.matrix, by_nodes.coherence.matrix, atol=1e-7 * np.abs(by_nodes.coherence.matrix).max()
    )
    assert by_poles.energies * 10 < by_nodes.energies


@pytest.mark.parametrize("seed", range(6))
def test_error_estimate_covers_the_error(seed):
    chain = wire(4, 5, 18.0, contact=0.5, seed=seed)
    panel, reach = Panel(-0.3, 0.3), 5.0
    elimination = Elimination(chain, panel.centre)
    poles = find_poles(chain, panel.centre, reach * panel.half, 12, elimination)
    poles = refine(chain, poles, np.abs(poles.values - panel.centre) < 2 * panel.half)
    best, _ = deflated(chain, panel, 14, poles, elimination, matrix=False)
    for count in (2, 3, 4, 5):
        found, error = deflated(chain, panel, count, poles, elimination, matrix=False)
        for name in ("halves", "density"):
            off = np.linalg.norm(getattr(found, name) - getattr(best, name))
            assert off <= np.linalg.norm(getattr(error, name)) + 1e-13


@pytest.mark.parametrize("rule", RULES)
def test_current_is_the_integrated_transmission_and_the_same_on_every_bond(rule):
    chain = wire(3, 6, 8.0, seed=5)
    found = integrate(chain, -BIAS / 2, BIAS / 2, Quadrature(nodes=8), rule).coherence
    x, w = np.polynomial.legendre.leggauss(60)
    expected = BIAS / 2 * w @ transmission(chain, BIAS / 2 * x) / (2 * np.pi)
    assert_allclose(found.current, expected, rtol=1e-10)


def test_density_is_antisymmetric_under_exchange_of_the_leads():
    chain = wire(3, 5, 12.0, seed=7)
    there, back = (integrate(c, -BIAS / 2, BIAS / 2, Quadrature(), "poles").coherence for c in (chain, mirrored(chain)))
    assert_allclose(there.density[::-1], -back.density, atol=1e-13)
    assert there.mutual_coherence == pytest.approx(back.mutual_coherence, rel=1e-9)


@pytest.mark.parametrize("rule", ["auto", "legendre"])
def test_window_across_a_threshold(rule):
    """(1, 1) leads of width 4 open and close channels at E = 0: cut there, and towards it."""
    chain = wire(4, 4, 3.0, t_par=1.0, seed=1)
    found = integrate(chain, -BIAS / 2, BIAS / 2, Quadrature(tolerance=1e-8), rule)
    assert found.relative_error < 1e-8
    assert found.plain == pytest.approx(1.0 if rule == "legendre" else 4.0**-4)
    x, w = np.polynomial.legendre.leggauss(200)
    current = 0.0
    for sign in (-1, 1):  # E = sign s^2 from the threshold on
        s = np.sqrt(BIAS / 2) * (x + 1) / 2
        current += np.sqrt(BIAS / 2) / 2 * w @ (2 * s * transmission(chain, sign * s**2)) / (2 * np.pi)
    assert_allclose(found.coherence.current, current, rtol=1e-8)


def test_narrow_resonances_beside_a_threshold():
    """Weak contacts: plain nodes need many energies, resonances in closed form few."""
    chain = wire(4, 4, 6.0, t_par=1.0, contact=0.15, seed=3)
    window = (-0.3, 0.3)
    by_poles = integrate(chain, *window, Quadrature(), "poles")
    assert by_poles.relative_error < 1e-5
    by_nodes = integrate(chain, *window, Quadrature(tolerance=1e-7, most=40_000), "legendre")
    assert_allclose(
        by_poles.coherence.halves, by_nodes.coherence.halves, atol=1e-5 * np.linalg.norm(by_nodes.coherence.halves)
    )
    assert by_poles.energies * 4 < by_nodes.energies


def test_a_window_next_to_a_threshold_is_cut_until_it_can_be_deflated():
    chain = wire(4, 4, 3.0, t_par=1.0, seed=1)
    found = integrate(chain, 0.002, 0.05, Quadrature(), "poles")
    assert found.plain == 0
    expected = integrate(chain, 0.002, 0.05, Quadrature(tolerance=1e-9), "legendre")
    assert_allclose(
        found.coherence.halves, expected.coherence.halves, atol=1e-5 * np.linalg.norm(found.coherence.halves)
    )


def test_a_batch_or_a_complex_chain_is_not_deflated():
    chain = wire(2, 3, 3.0, seed=1)
    other = TransferChain(chain.onsite + 0j, chain.coupling, chain.left, chain.right)
    with pytest.raises(InputError, match="real chain of one realization"):
        integrate(other, -0.1, 0.1, Quadrature(), "poles")
    assert integrate(other, -0.1, 0.1, Quadrature()).plain == 1


def test_equal_levels_are_deflated_together():
    """A clean cavity behind weak contacts has pairs of equal levels by the symmetry of the slice."""
    chain = wire(4, 3, 0.0, contact=0.2)
    by_poles = integrate(chain, -0.2, 0.25, Quadrature(nodes=8), "poles")
    by_nodes = integrate(chain, -0.2, 0.25, Quadrature(tolerance=1e-9), "legendre")
    assert by_poles.poles > 1
    assert_allclose(by_poles.coherence.halves, by_nodes.coherence.halves, atol=1e-7)


def test_a_bound_level_inside_the_window_carries_nothing():
    """Slices of two levels and narrow leads: the odd level, at E = 0.1, couples to a closed channel only."""
    modes = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    lead = Lead(modes, np.array([0.0, 9.0]), 0.5, 0.4)
    onsite = np.broadcast_to([[0.3, 0.2], [0.2, 0.3]], (2, 2, 2)).copy()
    chain = TransferChain(onsite, np.full((1, 2), 0.05), lead, lead)
    found = [integrate(chain, 0.0, 0.21, Quadrature(nodes=10), rule) for rule in ("poles", "legendre")]
    assert found[0].poles >= 2
    assert_allclose(found[0].coherence.halves, found[1].coherence.halves, atol=1e-7)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_wires(length):
    chain = wire(2, length, 5.0, seed=9)
    found = integrate(chain, -0.1, 0.1, Quadrature(), "auto").coherence
    half = length // 2
    assert found.halves.shape == (4 * half, 4 * half)
    expected = dense_coherence(chain, 0.2, 40)
    size = len(expected)
    block = expected[: 4 * half, size - 4 * half :]
    assert found.mutual_coherence == pytest.approx(2 * np.sum(np.abs(block) ** 2), rel=1e-8)


def test_weight_of_all_states_is_one_per_site():
    """int dE sum |phi|^2 and the bound states; the disorder is strong enough to push levels out of the band."""
    chain = wire(2, 2, 30.0, seed=4)
    total, bound = 0.0, 0.0
    edges = chain.thresholds()
    for panel in energy_panels(edges[0], edges[-1], edges):
        for piece in _split(panel, 48):
            energies, weights = piece.rule(16)
            for energy, weight in zip(energies, weights, strict=True):
                total = total + weight * np.sum(np.abs(scattering_states(chain, energy).states) ** 2, axis=-1)
    dense = chain.matrix()
    for low, high in ((-60.0, edges[0] - 1e-9), (edges[-1] + 1e-9, 60.0)):
        bound = bound + _bound_weight(chain, dense, low, high)
    assert bound.sum() > 0.5
    assert_allclose(total.ravel() + bound, 1, atol=1e-6)


def _split(panel: Panel, count: int) -> list[Panel]:
    edges = np.linspace(panel.start, panel.stop, count + 1)
    first, last = panel.root_start, panel.root_stop
    return [Panel(edges[k], edges[k + 1], first and k == 0, last and k == count - 1) for k in range(count)]


def _bound_weight(chain: TransferChain, dense: np.ndarray, low: float, high: float) -> np.ndarray:
    """|psi(x)|^2 on the wire, summed over the bound states with low < E < high, by bisection of each eigenvalue."""
    m = chain.m

    def shifted(energy):
        h = dense.copy()
        h[:m, :m] += chain.leads[0].self_energy(energy).real
        h[-m:, -m:] += chain.leads[1].self_energy(energy).real
        return np.linalg.eigh(h)

    weight = np.zeros(len(dense))
    for k in range(len(dense)):
        signs = [energy - shifted(energy)[0][k] for energy in (low, high)]
        if not signs[0] < 0 < signs[1]:
            continue
        a, b = low, high
        for _ in range(100):
            c = (a + b) / 2
            a, b = (c, b) if c < shifted(c)[0][k] else (a, c)
        vector = shifted(a)[1][:, k]
        norm = 1.0
        for lead, end in zip(chain.leads, (vector[:m], vector[-m:]), strict=True):
            norm -= end @ lead.self_energy_slope(a).real @ end
        weight += vector**2 / norm
    return weight


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"nodes": 1}, "nodes = 1"), ({"reach": 1.0}, "reach = 1"), ({"tolerance": 0.0}, "tolerance = 0")],
)
def test_bad_settings_are_refused(settings, reason):
    with pytest.raises(InputError, match=reason):
        Quadrature(**settings)


def test_unknown_rule_is_refused():
    with pytest.raises(InputError, match="energy_rule = 'simpson'"):
        integrate(wire(1, 2, 1.0), -0.1, 0.1, Quadrature(), "simpson")
