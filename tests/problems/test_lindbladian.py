"""`Lindbladian`: the dense Lindblad equation, free fermions and their correlation matrix, what is refused."""

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems as exact
from chains import (
    QUANTUM,
    coefficients,
    dense_lindbladian,
    density_matrix,
    even_density_matrix,
    product_basis,
    random_density_matrix,
    random_lindbladian,
    random_matrix,
    seeds,
)
from tnness.errors import ModelError
from tnness.network.dense_view import DenseView
from tnness.operators.basis import LocalSpace, bit, boson, classical, oddness, spin_half, spin_one, spinless
from tnness.operators.terms import LocalOperator
from tnness.problems.lindbladian import Lindbladian

s, f = spin_half, spinless
CHAINS = {name: [space] * (3 if space.levels == 2 else 2) for name, space in QUANTUM.items()}
CHAINS |= {"spin and spin-1": [spin_half, spin_one], "fermion and spin": [spinless, spin_half, spinless]}
every_chain = pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)


def dense_superoperator(chain: Lindbladian) -> np.ndarray:
    """The dense Liouvillian of `systems`, taken to the Hermitian basis: (prod D, prod D)."""
    spaces = list(chain.spaces)
    basis = product_basis(spaces)
    size = len(basis)
    liouvillian = exact.dense_liouvillian(*dense_lindbladian(chain))
    return basis.reshape(size, -1).conj() @ liouvillian @ basis.reshape(size, -1).T


# ---------------------------------------------------------------- the Lindblad equation


@every_chain
@given(seed=seeds)
def test_generator_is_the_dense_lindblad_equation(spaces, seed):
    chain = random_lindbladian(spaces, seed)
    expected, even = dense_superoperator(chain), ~oddness(spaces)
    expected = expected[np.ix_(even, even)]
    assert_allclose(expected.imag, 0, atol=1e-12)  # Hermiticity is preserved
    built = chain.generator().matrix().toarray()
    assert_allclose(built[np.ix_(even, even)], expected.real, atol=1e-12 * np.abs(expected).max())
    assert_allclose(built[np.ix_(even, ~even)], 0, atol=1e-12)


@pytest.mark.parametrize("middle", [f, s], ids=["fermions", "fermions and a spin"])
@given(seed=seeds)
def test_fermions_lost_and_gained_on_any_site(middle, seed):
    """On states of definite parity the jumps are the dense ones, whose strings reach across the chain."""
    spaces: list[LocalSpace] = [f, middle, f]
    chain = random_lindbladian(spaces, seed)
    for i in (0, 1, 2) if middle is f else (0, 2):
        chain.jump(f.C(i) - 0.6j * f.Cd(i), rate=0.5)
    matrix, expected = chain.generator().matrix().toarray(), dense_superoperator(chain).real
    parity = np.diag(np.kron(np.kron([1, -1], [1, -1] if middle is f else [1, 1]), [1, -1]))
    rho = random_density_matrix(8, np.random.default_rng(seed))
    even = coefficients(rho + parity @ rho @ parity, spaces)
    assert_allclose(matrix @ even, expected @ even, atol=1e-12 * np.abs(matrix).max())


@every_chain
@given(seed=seeds)
def test_evolution_keeps_states_hermitian_positive_and_normalised(spaces, seed):
    rng = np.random.default_rng(seed)
    chain = random_lindbladian(spaces, seed)
    rho = even_density_matrix(spaces, rng)
    later = linalg.expm(0.3 * chain.generator().matrix().toarray()) @ coefficients(rho, spaces)
    evolved = density_matrix(later, spaces)
    assert_allclose(evolved, evolved.conj().T, atol=1e-13)
    assert_allclose(np.trace(evolved), 1, atol=1e-11)
    assert linalg.eigvalsh(evolved)[0] > -1e-12


@given(st.sampled_from([bit, classical(3)]), seeds)
def test_classical_chains_move_probabilities(space, seed):
    generator = random_lindbladian([space] * 3, seed).generator().matrix().toarray()
    rates = generator - np.diag(np.diag(generator))
    assert (rates >= 0).all()
    assert_allclose(generator.sum(axis=0), 0, atol=1e-12)


def test_exclusion_process_equals_its_master_equation():
    rates = (0.9, 0.4, 0.3, 1.1)
    chain = Lindbladian([bit] * 4)
    for i in range(3):
        chain.jump(bit.Sm(i) * bit.Sp(i + 1))
        chain.jump(bit.Sp(i) * bit.Sm(i + 1))
    for operator, rate in zip((bit.Sp(0), bit.Sm(0), bit.Sp(3), bit.Sm(3)), rates, strict=True):
        chain.jump(operator, rate)
    occupied_first = exact.dense_ssep_generator(4, *rates)  # there state 0 is occupied, here it is empty
    assert_allclose(chain.generator().matrix().toarray(), occupied_first[::-1, ::-1], atol=1e-14)


# ---------------------------------------------------------------- free fermions


def free_fermions(n: int, seed: int) -> tuple[Lindbladian, np.ndarray, np.ndarray, np.ndarray]:
    """H = sum h_jk c+_j c_k with complex hops, loss and gain at both ends: the chain, h, losses, gains."""
    rng = np.random.default_rng(seed)
    h = np.diag(rng.standard_normal(n)).astype(complex)
    hops = rng.standard_normal(n - 1) + 1j * rng.standard_normal(n - 1)
    h += np.diag(hops, 1) + np.diag(hops.conj(), -1)
    loss, gain = np.zeros(n), np.zeros(n)
    loss[[0, -1]], gain[[0, -1]] = rng.uniform(0.2, 1, (2, 2))
    chain = Lindbladian([f] * n)
    for i in range(n):
        chain.hamiltonian(h[i, i] * f.N(i))
    for i in range(n - 1):
        chain.hamiltonian(h[i, i + 1] * f.Cd(i) * f.C(i + 1))
        chain.hamiltonian(h[i + 1, i] * f.Cd(i + 1) * f.C(i))
    for i in (0, n - 1):
        chain.jump(f.C(i), loss[i])
        chain.jump(f.Cd(i), gain[i])
    return chain, h, loss, gain


@pytest.mark.parametrize("seed", range(3))
def test_free_fermions_follow_their_correlation_matrix(seed):
    """dC/dt = i [h^T, C] - {G + L, C}/2 + G with C_jk = <c+_j c_k>, loss rates L and gain rates G."""
    n, time = 4, 0.7
    chain, h, loss, gain = free_fermions(n, seed)
    drift = 1j * h.T - np.diag(loss + gain) / 2
    flow = np.zeros((n * n + 1,) * 2, complex)
    flow[:-1, :-1] = np.kron(drift, np.eye(n)) + np.kron(np.eye(n), drift.conj())
    flow[:-1, -1] = np.diag(gain).ravel()
    filled = np.diag([1.0, 0.0, 1.0, 0.0])
    correlations = (linalg.expm(time * flow) @ np.append(filled.ravel(), 1.0))[:-1].reshape(n, n)

    generator = chain.generator()
    start = coefficients(exact.product_state([np.diag([1 - p, p]) for p in np.diag(filled)]), [f] * n)
    vector = linalg.expm(time * generator.matrix().toarray()) @ start
    view = DenseView(vector, generator.spaces, generator.functionals)
    measured = [[view.expect(f.Cd(j) * f.C(k)) for k in range(n)] for j in range(n)]
    assert_allclose(measured, correlations, atol=1e-12)
    assert_allclose(view.correlations(f.Cd, f.C), correlations, atol=1e-12)


# ---------------------------------------------------------------- parts of the equation


@given(seeds)
def test_bond_hamiltonians_add_up_to_the_hamiltonian(seed):
    spaces: list[LocalSpace] = [spin_half, spin_one, spin_half]
    chain = random_lindbladian(spaces, seed)
    shared = [chain.bond_hamiltonian_shared(b) for b in range(2)]
    total = np.kron(shared[0], np.eye(2)) + np.kron(np.eye(2), shared[1])
    assert_allclose(total, dense_lindbladian(chain)[0], atol=1e-12)


def test_a_bond_hamiltonian_weighs_its_sites_own_terms():
    chain = Lindbladian([s] * 3)
    chain.hamiltonian(s.X(0) * s.X(1) + 2 * s.Z(0) + 3 * s.Z(1) + 5 * s.Z(2))
    xx, z0, z1 = (np.kron(a, b) for a, b in ((exact.X, exact.X), (exact.Z, exact.ONE), (exact.ONE, exact.Z)))
    assert_allclose(chain.bond_hamiltonian(0), xx + 2 * z0 + 3 * z1)
    assert_allclose(chain.bond_hamiltonian(0, site_weight=0.5), xx + z0 + 1.5 * z1)
    assert_allclose(chain.bond_hamiltonian_shared(0), xx + 2 * z0 + 1.5 * z1)


@given(seeds)
def test_dissipator_and_cooling_maps(seed):
    spaces: list[LocalSpace] = [spin_half, spin_one]
    chain = random_lindbladian(spaces, seed)
    hamiltonian, jumps = dense_lindbladian(chain)
    rho = random_density_matrix(6, np.random.default_rng(seed))
    vector = coefficients(rho, spaces)
    dissipated = (exact.dense_dissipator(jumps) @ rho.ravel()).reshape(6, 6)
    assert_allclose(chain.dissipator().apply(vector), coefficients(dissipated, spaces), atol=1e-11)
    cooled = -(hamiltonian @ rho + rho @ hamiltonian) / 2
    assert_allclose(chain.cooling_maps()[0] @ vector, coefficients(cooled, spaces), atol=1e-12)


@given(seeds)
def test_effective_generator_is_minus_i_h_eff(seed):
    chain = random_lindbladian([spin_half, spin_one], seed)
    hamiltonian, jumps = dense_lindbladian(chain)
    expected = -1j * hamiltonian - sum(jump.conj().T @ jump for jump in jumps) / 2
    assert_allclose(chain.effective_generator().toarray(), expected, atol=1e-12)


def test_a_term_and_its_conjugate_may_be_added_apart():
    apart, together = Lindbladian([s] * 2), Lindbladian([s] * 2)
    apart.hamiltonian(1j * s.Sp(0) * s.Sm(1))
    apart.hamiltonian(-1j * s.Sm(0) * s.Sp(1))
    together.hamiltonian(1j * s.Sp(0) * s.Sm(1) - 1j * s.Sm(0) * s.Sp(1))
    assert_allclose(apart.generator().bond_terms[0], together.generator().bond_terms[0])


def test_constants_and_empty_sums_change_nothing():
    chain = Lindbladian([s] * 2)
    chain.hamiltonian(3.0 + 0 * s.Z(1))
    chain.hamiltonian(sum(s.Z(i) for i in range(0)))
    assert chain.generator().scale == 0


# ---------------------------------------------------------------- what is refused


def hamiltonian(operator, spaces=(s, s, s)):
    chain = Lindbladian(spaces)
    chain.hamiltonian(operator)
    return chain.generator()


def jump(operator, rate=1.0, spaces=(s, s, s)):
    chain = Lindbladian(spaces)
    chain.jump(operator, rate)
    return chain.generator()


REFUSED = [
    (lambda: Lindbladian([]), "a chain needs at least one site"),
    (lambda: hamiltonian(s.X(3)), "acts on site 3; the chain has sites 0 to 2"),
    (lambda: hamiltonian(1j * s.X(1)), r"not Hermitian on sites \(1,\): \|h - h\^\+\| = 2.00e\+00"),
    (lambda: hamiltonian(s.Sp(0) * s.Sm(1)), r"not Hermitian on sites \(0, 1\)"),
    (lambda: hamiltonian(float("nan") * s.X(0)), "has a coefficient that is not finite"),
    (lambda: hamiltonian(s.X), "takes operators on numbered sites, .* got a LocalOperator"),
    (lambda: hamiltonian(spin_one.Sx(0)), "operator Sx has 3 levels, site 0 has 2"),
    (lambda: hamiltonian(f.C(0), [f] * 2), r"term C\(0\) is odd in fermions"),
    (lambda: jump(s.Sm(0), -0.5), r"jump 0 \(Sm\(0\)\) has the negative rate -0.5"),
    (lambda: jump(s.Sm(0), float("inf")), "has rate inf; a rate is a finite number >= 0"),
    (lambda: jump(s.Sm(0), 1j), "has rate 1j"),
    (lambda: jump(s.Sm(0), True), "has rate True"),
    (lambda: jump(s.Sm), "jump 0 takes operators on numbered sites"),
    (lambda: jump(float("inf") * s.Sm(0)), "has a coefficient that is not finite"),
    (lambda: jump(f.C(0) + f.N(0), 1.0, [f] * 3), "mixes even and odd fermionic terms"),
    (
        lambda: jump(bit.Sp(0) + bit.N(0), 1.0, [bit] * 2),
        r"jump 0 \(Sp\(0\) \+ N\(0\)\) creates coherences in a classical",
    ),
    (
        lambda: hamiltonian(bit.Sp(0) + bit.Sm(0), [bit] * 2),
        r"Hamiltonian on sites \(0,\) creates coherences in a classi",
    ),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_lindbladian_is_refused_in_one_line(build, message):
    with pytest.raises(ModelError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_jumps_are_numbered_in_messages():
    chain = Lindbladian([s] * 2)
    chain.jump(s.Sm(0))
    with pytest.raises(ModelError, match="jump 1"):
        chain.jump(LocalOperator("A", random_matrix(3, np.random.default_rng(0)))(1))


def test_large_windows_are_built_by_sparse_products(monkeypatch):
    """An oscillator beside a spin: the same matrices as by dense products, which 30 levels would take minutes for."""
    oscillator, n = boson(3), spin_half
    matrices = []
    for largest in (0, 10**6):
        monkeypatch.setattr("tnness.problems.assembly.DENSE_WINDOW", largest)
        chain = Lindbladian([oscillator, n])
        chain.hamiltonian(oscillator.N(0) + 0.3j * (oscillator.B(0) - oscillator.Bd(0)))
        chain.hamiltonian(0.2 * (oscillator.B(0) * n.Sp(1) + oscillator.Bd(0) * n.Sm(1)))
        chain.jump(oscillator.B(0) + 0.1 * n.Z(1), rate=0.7)
        chain.jump(oscillator.N(0) * n.Sm(1), rate=0.4)
        generator = chain.generator()
        matrices.append((*generator.site_terms, *generator.bond_terms))
    for one, other in zip(*matrices, strict=True):
        assert_allclose(one, other, atol=1e-13)
