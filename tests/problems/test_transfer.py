"""Transfer chains: shapes, leads, and the tensor network that a chain is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tnness.engines.wire.elimination import Elimination
from tnness.errors import InputError
from tnness.interop.quimb import to_quimb
from tnness.interop.transfer_network import one_particle, transfer_network
from tnness.problems.resistors import Links, resistor_chain
from tnness.problems.transfer import FixedValues, Lead, TransferChain, ring_hamiltonian, ring_modes
from transfer_chains import wire

RNG = np.random.default_rng(3)


def random_chain(slices: int, m: int, complex_blocks: bool, seed: int) -> TransferChain:
    """Hermitian blocks and full couplings."""
    rng = np.random.default_rng(seed)
    onsite = rng.normal(size=(slices, m, m)) + 1j * complex_blocks * rng.normal(size=(slices, m, m))
    coupling = rng.normal(size=(slices - 1, m, m)) + 1j * complex_blocks * rng.normal(size=(slices - 1, m, m))
    return TransferChain((onsite + onsite.conj().swapaxes(-1, -2)) / 2, coupling)


@given(st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_network_contracts_to_the_operator(slices, m, complex_blocks, seed):
    chain = random_chain(slices, m, complex_blocks, seed)
    dense = to_quimb(chain).to_dense()
    single = [
        int(np.ravel_multi_index(tuple((1 + i) * (x == y) for y in range(slices)), (1 + m,) * slices))
        for x in range(slices)
        for i in range(m)
    ]
    assert_allclose(dense[np.ix_(single, single)], chain.matrix(), atol=1e-14)


def test_network_applied_to_the_engines_solution_gives_the_source():
    chain = random_chain(4, 2, complex_blocks=False, seed=5)
    source = RNG.normal(size=(4, 2))
    solution = -Elimination(chain).solve(source[..., None])[..., 0]  # (0 - H) u = -source
    applied = to_quimb(chain).apply(one_particle(solution))
    assert_allclose(applied.to_dense(), one_particle(source).to_dense(), atol=1e-12)


@pytest.mark.parametrize("energy", [0.3, -1.7])
def test_contracted_transfer_matrices_give_the_engines_response(energy):
    """The literal product, closed with the self-energies, against block elimination: G between the ends."""
    chain = wire(2, 4, 6.0)
    m = chain.m
    product = transfer_network(chain, energy).contract(output_inds=("b4", "b0")).data
    (a, b), (c, d) = (np.hsplit(row, 2) for row in np.vsplit(product, 2))
    left, right = (lead.self_energy(energy) for lead in chain.leads)
    # u_n = Sigma_R u_{n-1}, u_{-1} = Sigma_L u_0 + source
    first = np.linalg.solve(a + b @ left - right @ (c + d @ left), right @ d - b)
    last = (c + d @ left) @ first + d
    source = np.zeros((4, m, m))
    source[0] = np.eye(m)
    solution = Elimination(chain, energy).solve(source)
    assert_allclose(solution[0], first, atol=1e-11)
    assert_allclose(solution[-1], last, atol=1e-11)


@given(st.floats(-12, 12), st.floats(0.5, 3), st.floats(-4, 4))
@settings(max_examples=60, deadline=None)
def test_surface_function_solves_its_own_equation(energy, hopping, threshold):
    lead = Lead(np.ones((1, 1)), np.array([threshold]), hopping)
    g = lead.surface(energy)[0]
    assert_allclose(g * (energy - threshold - hopping**2 * g), 1, atol=1e-7)  # g = 1/(E - eps - t^2 g)
    assert g.imag <= 0
    assert abs(hopping * g) <= 1 + 1e-12
    assert_allclose(lead.broadening(energy)[0], -2 * g.imag, atol=1e-14)


@pytest.mark.parametrize("energy", [0.3 + 0.2j, -1.9 + 1e-3j, 5.0 + 0.1j, 0.4 - 0.05j])
def test_slopes_of_the_self_energy(energy):
    lead = Lead(np.ones((1, 1)), np.array([0.3]), 1.3)
    step = 1e-6
    slope = (lead.surface(energy + step) - lead.surface(energy - step)) / (2 * step)
    assert_allclose(lead.surface_slope(energy), slope, rtol=1e-6)


def test_lead_is_retarded_in_the_upper_half_plane_and_continued_into_the_lower():
    lead = Lead(np.ones((1, 1)), np.array([0.0]), 1.0)
    assert_allclose(lead.surface(0.4 + 1e-9j), lead.surface(0.4), atol=1e-8)
    assert_allclose(lead.surface(0.4 - 1e-9j), lead.surface(0.4), atol=1e-8)  # no cut: the sheet of the resonances
    assert_allclose(lead.surface(100j) * 100j, 1, atol=1e-3)  # G ~ 1/z


def test_rings():
    assert_allclose(
        np.linalg.eigvalsh(ring_hamiltonian((4,))), np.sort(2 * np.cos(np.pi / 2 * np.arange(4))), atol=1e-14
    )
    assert_allclose(ring_hamiltonian((1, 1)), 0)
    assert_allclose(ring_hamiltonian((2,)), [[0, 2], [2, 0]])
    modes, energies = ring_modes((3, 3), 0.7)
    assert_allclose(modes @ np.diag(energies) @ modes.T, 0.7 * ring_hamiltonian((3, 3)), atol=1e-14)


def test_resistors_by_hand():
    """Two islands between 1 V and 0 V in a row of equal conductances: a third of the drop each."""
    chain = resistor_chain(np.ones((1, 1)), left=(1.0, np.ones(1)), right=(0.0, np.ones(1)))
    assert_allclose(np.linalg.solve(chain.matrix(), chain.fixed_source().ravel()), [2 / 3, 1 / 3])
    with pytest.raises(InputError, match="negative"):
        resistor_chain(-np.ones((1, 1)))


@pytest.mark.parametrize("dim", [1, 2])
def test_link_lengths_follow_their_law(dim):
    links = Links(alpha=0.5, dim=dim)
    lengths = links.draw(np.random.default_rng(1), 200_000)
    assert lengths.min() >= 1
    xi = 2.0
    grid = np.linspace(1, 40, 400_001)
    weight = np.exp(-((grid / xi) ** dim))
    mean = np.trapezoid(grid * weight, grid) / np.trapezoid(weight, grid)
    assert lengths.mean() == pytest.approx(mean, abs=4 * lengths.std() / np.sqrt(len(lengths)))


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: TransferChain(np.zeros((3, 2)), np.zeros((2, 2))), "onsite must have shape"),
        (lambda: TransferChain(np.zeros((3, 2, 2)), np.zeros((1, 2))), "coupling must have shape"),
        (lambda: TransferChain(np.full((1, 1, 1), np.nan), np.zeros((0, 1))), "not finite"),
        (
            lambda: TransferChain(np.zeros((1, 2, 2)), np.zeros((0, 2)), Lead(np.eye(3), np.zeros(3))),
            "modes on 2 sites",
        ),
        (
            lambda: TransferChain(np.zeros((2, 1, 1)), np.zeros((1, 1)), source=np.zeros((3, 1))),
            "source must have shape",
        ),
        (lambda: Lead(np.eye(2), np.zeros(3)), "one threshold per channel"),
        (lambda: Lead(np.eye(1), np.zeros(1), hopping=0.0), "hopping"),
        (lambda: random_chain(2, 1, False, 0).leads, "a lead at both ends"),
        (lambda: to_quimb(TransferChain(np.zeros((5, 2, 1, 1)), np.zeros((5, 1, 1)))), "one realization"),
        (lambda: Links(alpha=0.0), "alpha = 0"),
        (lambda: Links(alpha=1.0, dim=3), "dim = 3"),
    ],
)
def test_bad_chains_are_refused(build, reason):
    with pytest.raises(InputError, match=reason):
        build()


def test_summary():
    chain = TransferChain(np.zeros((4, 3, 1, 1)), np.ones((4, 2, 1)), FixedValues(np.ones(1), -np.ones(1)))
    assert chain.summary() == "3 slices of 1 site, batch (4,), fixed values on the left, an open end on the right"
