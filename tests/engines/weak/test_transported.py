"""The density that a chain transports is found in its terms, whatever they are called."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from tnness import Lindbladian, find
from tnness import spin_half as s
from tnness.engines.weak.transported import Transported
from tnness.model.protocol import generator_of
from tnness.network.chain_view import ChainView
from tnness.network.operator_state import density_from_matrix
from weak_chains import chain

TRANSPORTING = [
    ("xx-dephasing", {}, 0.5),
    ("xxz-driven", {"delta": 1.0, "mu": 0.2}, 0.1),
    ("ssep", {}, 0.5),
    ("ssep", {"space": "quantum"}, 0.5),
    ("tasep", {}, 0.5),
    ("fermi-hubbard-driven", {}, 0.5),
]


@pytest.mark.parametrize(("name", "parameters", "target"), TRANSPORTING)
def test_models_that_drive_a_density_through_their_ends_are_found(name, parameters, target):
    found = Transported.of(generator_of(find(name)(n=5, **parameters)))
    assert_allclose(np.abs(found.targets), target, atol=1e-9)
    assert np.sign(found.targets[0]) == -np.sign(found.targets[1])
    assert_allclose(np.ptp(found.levels, axis=1), 1)


@pytest.mark.parametrize(
    ("name", "parameters"), [("xx-dephasing", {"mu": 0.0}), ("contact-process", {}), ("bose-hubbard-driven", {})]
)
def test_models_whose_ends_drive_nothing_or_whose_bulk_conserves_nothing_are_not(name, parameters):
    assert Transported.of(generator_of(find(name)(**parameters))) is None


def test_a_weakly_dissipative_chain_transports_nothing():
    assert Transported.of(generator_of(chain(n=4))) is None


def turned(axis):
    """A Heisenberg chain whose reservoirs polarise along an axis: one of three conserved sums is driven."""
    magnet = Lindbladian([s] * 4)
    for i in range(3):
        magnet.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + s.Z(i) * s.Z(i + 1))
    if axis == "z":
        magnet.jump(s.Sp(0))
        magnet.jump(s.Sm(3))
    else:
        magnet.jump(s.Y(0) + 1j * s.Z(0), rate=0.25)
        magnet.jump(s.Y(3) + -1j * s.Z(3), rate=0.25)
    return magnet.generator()


@pytest.mark.parametrize(("axis", "element"), [("z", 3), ("x", 1)])
def test_of_several_conserved_sums_the_driven_one_is_taken(axis, element):
    found = Transported.of(turned(axis))
    for q in found.densities:
        assert_allclose(np.abs(np.delete(q, element)), 0, atol=1e-9)
        assert abs(q[element]) > 0.1
    assert_allclose(np.abs(found.targets), 0.5, atol=1e-9)


def random_state(generator, seed):
    rng = np.random.default_rng(seed)
    levels = int(np.prod([space.levels for space in generator.spaces]))
    matrix = rng.normal(size=(levels, levels)) + 1j * rng.normal(size=(levels, levels))
    matrix = matrix @ matrix.conj().T
    return matrix / np.trace(matrix)


@pytest.mark.parametrize("name", ["xx-dephasing", "xxz-driven", "ssep"])
def test_currents_and_sources_add_up_to_the_change_of_the_densities(name):
    """d n_i / d t = j_{i-1} - j_i + sources, in any state: against the generator applied to a dense state."""
    parameters = {"space": "quantum"} if name == "ssep" else {}
    generator = generator_of(find(name)(n=4, **parameters))
    found, state = Transported.of(generator), density_from_matrix(random_state(generator, 5), generator.spaces)
    read = found.read(ChainView(state, generator.spaces, generator.functionals))
    dense = state.dense()
    dense = dense / float(np.vdot(np.ravel(product_trace(generator)), dense))
    change = generator.apply(dense).reshape(generator.dims)
    currents, sources = read[4:7], read[7:]
    expected = np.r_[sources[0], 0, 0, sources[1]] + np.r_[0, currents] - np.r_[currents, 0]
    for i in range(4):
        rest = change
        for site in reversed(range(4)):
            covector = found.densities[i] if site == i else generator.spaces[site].trace
            rest = np.tensordot(rest, covector, (site, 0))
        assert_allclose(rest, expected[i], atol=1e-12)


def product_trace(generator):
    whole = np.ones(1)
    for space in generator.spaces:
        whole = np.multiply.outer(whole, space.trace).ravel()
    return whole


def test_a_tilt_is_multiplication_by_the_root_of_the_exponential_on_both_sides():
    found = Transported.of(turned("x"))
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    rho = matrix @ matrix.conj().T
    root = scipy.linalg.expm(0.35 * np.tensordot(found.densities[0], s.elements, 1))
    tilted = found.tilts(np.full(4, 0.7))[0] @ s.vector(rho)
    assert_allclose(tilted, s.vector(root @ rho @ root), atol=1e-12)


def test_correlations_of_the_density_are_derridas():
    """-(a - b)^2 (i + p - 1)(n + q - j) / ((n + p + q - 1)^2 (n + p + q - 2)), Derrida, Lebowitz, Speer 2007."""
    n, left, right = 7, (0.7, 0.2), (0.1, 0.5)
    model = find("ssep")(n=n, inject_left=left[0], remove_left=left[1], inject_right=right[0], remove_right=right[1])
    generator = generator_of(model)
    view = ChainView(model.steady_network(), generator.spaces, generator.functionals)
    found = Transported.of(generator).correlations(view)
    p, q, drop = 1 / sum(left), 1 / sum(right), left[0] / sum(left) - right[0] / sum(right)
    i, j = np.arange(1, n + 1)[:, None], np.arange(1, n + 1)
    length = n + p + q - 1
    exact = -(drop**2) * (i + p - 1) * (n + q - j) / (length**2 * (length - 1))
    assert_allclose(found, np.triu(exact, 1), atol=1e-12)
