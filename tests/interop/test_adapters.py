"""Hand-over to quimb and TeNPy and back, and density matrices of pure states."""

import math

import numpy as np
import pytest
import quimb.tensor as quimb_tensor
import scipy.linalg as linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
from tenpy.models.xxz_chain import XXZChain
from tenpy.networks.mps import MPS
from tenpy.networks.site import BosonSite, FermionSite, SpinHalfFermionSite, SpinHalfHoleSite, SpinHalfSite, SpinSite

from chains import coefficients, dense_operator, random_lindbladian, random_state, seeds
from tnness.errors import InputError
from tnness.interop.quimb import from_quimb, to_quimb
from tnness.interop.tenpy import from_tenpy, to_tenpy
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.doubling import density_from_pure
from tnness.network.truncation import Truncation
from tnness.operators.basis import bit, boson, electron, parity_of, quantum_space, spin_half, spin_one, spinless, tj

s = spin_half
DIMS = [2, 3, 4, 2]
both_dtypes = st.sampled_from([np.float64, np.complex128])


def assert_same(state, vector, relative=1e-12):
    assert_allclose(state.dense(), vector, atol=relative * linalg.norm(vector))


def random_pure(levels, chi, seed):
    """A normalised pure state and its amplitudes."""
    state = random_state(levels, chi, np.random.default_rng(seed), np.complex128)
    state.canonicalise(0)
    state.log_norm = 0.0
    return state, state.dense()


# ---------------------------------------------------------------- quimb


@given(seeds, both_dtypes)
def test_states_survive_the_way_to_quimb_and_back(seed, dtype):
    state = random_state(DIMS, 3, np.random.default_rng(seed), dtype)
    vector, mps = state.dense(), to_quimb(state)
    assert isinstance(mps, quimb_tensor.MatrixProductState)
    assert_allclose(mps.to_dense().ravel(), vector, atol=1e-12 * linalg.norm(vector))
    back = from_quimb(mps)
    assert_same(back, vector)
    assert back.centre == 0
    assert back.dtype == dtype


@settings(max_examples=5)
@given(seed=seeds)
def test_generators_are_operators_of_quimb(seed):
    spaces = [s, spin_one, s]
    generator = random_lindbladian(spaces, seed).generator()
    mpo, matrix = to_quimb(generator), generator.matrix().toarray()
    assert_allclose(mpo.to_dense(), matrix, atol=1e-12 * np.abs(matrix).max())
    state = random_state(list(generator.dims), 2, np.random.default_rng(seed))
    image = mpo.apply(to_quimb(state))
    assert_allclose(image.to_dense().ravel(), matrix @ state.dense(), atol=1e-10 * np.abs(matrix).max())
    squared = mpo.apply(mpo, compress=True, cutoff=1e-14)  # the algebra is quimb's
    assert_allclose(squared.to_dense(), matrix @ matrix, atol=1e-9 * np.abs(matrix).max() ** 2)


@pytest.mark.parametrize(
    "mps",
    [
        quimb_tensor.MPS_rand_state(5, 4, dtype="complex128", seed=1),
        quimb_tensor.MPS_computational_state("0110"),
        quimb_tensor.MPS_ghz_state(4),
        quimb_tensor.MPS_neel_state(1),
    ],
    ids=["random", "computational", "ghz", "one site"],
)
def test_states_of_quimb_are_taken_in(mps):
    before = mps.to_dense().ravel()
    assert_same(from_quimb(mps), before)
    assert_allclose(mps.to_dense().ravel(), before)  # what was given is left alone


def test_a_factor_that_quimb_keeps_apart_is_taken_in():
    mps = quimb_tensor.MPS_rand_state(4, 3, seed=2)
    vector = mps.to_dense().ravel()
    mps.equalize_norms_(1.0)
    assert mps.exponent != 0
    assert_same(from_quimb(mps), vector)


def test_density_matrices_of_quimb_are_made_real():
    state = random_state([4] * 4, 3, np.random.default_rng(3))
    mps = to_quimb(state).astype("complex128")
    taken = from_quimb(mps, [s] * 4)
    assert taken.dtype == np.float64
    assert_same(taken, state.dense())
    mps[0].modify(data=1j * mps[0].data)
    with pytest.raises(InputError, match="coefficients of a density matrix are real"):
        from_quimb(mps, [s] * 4)


def test_quimb_states_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="the quimb state is periodic"):
        from_quimb(quimb_tensor.MPS_rand_state(4, 3, cyclic=True))
    with pytest.raises(InputError, match=r"local dimensions \(2, 2, 2\), the spaces have \(9, 9, 9\)"):
        from_quimb(quimb_tensor.MPS_computational_state("000"), [spin_one] * 3)


# ---------------------------------------------------------------- TeNPy


@settings(max_examples=8)
@given(seeds, both_dtypes, st.integers(1, 4))
def test_states_survive_the_way_to_tenpy_and_back(seed, dtype, chi):
    state = random_state(DIMS, chi, np.random.default_rng(seed), dtype)
    vector, psi = state.dense(), to_tenpy(state)
    psi.test_sanity()
    assert_allclose(psi.norm_test(), 0, atol=1e-12)
    assert_allclose(psi.norm, linalg.norm(vector), rtol=1e-12)
    flat = psi.get_theta(0, psi.L).to_ndarray().ravel() * psi.norm
    assert_allclose(flat, vector, atol=1e-12 * linalg.norm(vector))
    assert_same(from_tenpy(psi), vector)


@pytest.mark.parametrize("conserve", [None, "Sz", "parity"])
def test_charges_are_dropped_and_levels_keep_their_order(conserve):
    site = SpinHalfSite(conserve=conserve)
    psi = MPS.from_product_state([site] * 3, ["up", "down", "down"], unit_cell_width=3)
    assert_same(from_tenpy(psi, [s] * 3), np.eye(8)[0b011])


def test_levels_are_matched_by_their_operators():
    sites = [SpinSite(1.0, conserve="Sz"), FermionSite(conserve="N"), BosonSite(2, conserve="N")]
    spaces = [spin_one, spinless, boson(2)]
    for i, (site, space) in enumerate(zip(sites, spaces, strict=True)):
        for name in {"Sz", "N"} & site.opnames & set(space.operators):
            for state in sorted(site.state_labels):
                psi = MPS.from_product_state([site] * 2, [state] * 2, unit_cell_width=2)
                pure = from_tenpy(psi, [space] * 2)
                view = ChainView(density_from_pure(pure, [space] * 2), [space] * 2, {"trace": [space.trace] * 2})
                value = view.expect(space.operators[name](1))
                assert_allclose(value, psi.expectation_value(name)[1], atol=1e-14, err_msg=f"{i} {name} {state}")


@pytest.mark.parametrize("conserve", [("N", "Sz"), (None, None), ("parity", "parity")])
@pytest.mark.parametrize(("kind", "space"), [(SpinHalfFermionSite, electron), (SpinHalfHoleSite, tj)])
def test_levels_of_electrons_are_matched_by_all_that_they_share(kind, space, conserve):
    """Sz alone does not tell empty from both, N alone not up from down."""
    site = kind(*conserve)
    names = {"empty": 0, "up": 1, "down": 2, "full": 3}
    for name in site.state_labels:
        psi = MPS.from_product_state([site] * 2, [name, "up"], unit_cell_width=2)
        assert_same(from_tenpy(psi, [space] * 2), np.eye(space.levels**2)[names[name] * space.levels + 1])


def test_electrons_of_tenpy_keep_their_signs():
    """<c^+_0 c_1> of a state of two electrons in a superposition, from TeNPy and from here."""
    n, sites = 3, [SpinHalfFermionSite("N", "Sz")] * 3
    psi = MPS.from_product_state(sites, ["full", "up", "empty"], unit_cell_width=n)
    psi.apply_local_term([("Cdd", 2), ("Cd", 0)])
    other = MPS.from_product_state(sites, ["up", "full", "empty"], unit_cell_width=n)
    other.apply_local_term([("Cdd", 2), ("Cd", 1)])
    third = MPS.from_product_state(sites, ["up", "full", "empty"], unit_cell_width=n)
    psi = psi.add(third, 0.6, 0.8)
    psi.norm = 1.0
    psi.canonical_form()
    spaces = [electron] * n
    view = ChainView(density_from_pure(from_tenpy(psi, spaces), spaces), spaces, {"trace": [electron.trace] * n})
    for ours, theirs in (("Cu", "Cu"), ("Cd", "Cd")):
        mine = view.correlations(electron.operators[f"{ours}d"], electron.operators[ours])
        assert_allclose(mine, psi.correlation_function(f"Cd{ours[1]}", theirs), atol=1e-13)
    assert abs(mine).max() > 0.4


def test_an_ambiguous_order_of_tenpys_levels_is_refused():
    psi = MPS.from_product_state([SpinHalfFermionSite("N", "Sz")] * 2, ["up", "down"], unit_cell_width=2)
    with pytest.raises(InputError, match="levels of TeNPy site 0 and of the space mine cannot be matched by Sz, which"):
        from_tenpy(psi, [quantum_space("mine", {"Sz": np.diag([0, 0.5, -0.5, 0])})] * 2)
    half = MPS.from_product_state([SpinHalfSite(None)] * 2, ["up"] * 2, unit_cell_width=2)
    with pytest.raises(InputError, match="site 0 and the space classical-2 have different operators Sp"):
        from_tenpy(half, [bit] * 2)


def test_a_ground_state_of_dmrg_becomes_a_density_matrix():
    """Heisenberg chain, n = 6: the energy and the correlations of the density matrix are those of the ground state."""
    n = 6
    model = XXZChain({"L": n, "Jxx": 1.0, "Jz": 1.0, "hz": 0.0, "bc_MPS": "finite", "conserve": "Sz"})
    psi = MPS.from_product_state(model.lat.mps_sites(), ["up", "down"] * 3, unit_cell_width=n)
    energy, _ = TwoSiteDMRGEngine(psi, model, {"trunc_params": {"chi_max": 8}, "max_sweeps": 6}).run()
    hamiltonian = sum(s.Sx(i) * s.Sx(i + 1) + s.Sy(i) * s.Sy(i + 1) + s.Sz(i) * s.Sz(i + 1) for i in range(n - 1))
    assert_allclose(energy, linalg.eigvalsh(dense_operator(hamiltonian, [s] * n))[0], atol=1e-8)
    rho = density_from_pure(from_tenpy(psi, [s] * n), [s] * n)
    view = ChainView(rho, [s] * n, {"trace": [s.trace] * n})
    assert_allclose(view.expect(hamiltonian), energy, atol=1e-8)
    assert_allclose(view.log_purity(), 0, atol=1e-12)
    assert_allclose(view.correlations(s.Sz, s.Sz), psi.correlation_function("Sz", "Sz"), atol=1e-8)


def test_tenpy_states_that_do_not_fit_are_refused():
    psi = MPS.from_product_state([SpinHalfSite(None)] * 2, ["up"] * 2, bc="infinite", unit_cell_width=2)
    with pytest.raises(InputError, match="infinite"):
        from_tenpy(psi)
    finite = MPS.from_product_state([SpinHalfSite(None)] * 2, ["up"] * 2, unit_cell_width=2)
    with pytest.raises(InputError, match="local dimensions"):
        from_tenpy(finite, [s] * 3)
    half = MPS.from_product_state([BosonSite(1, conserve=None)] * 2, [0, 1], unit_cell_width=2)
    with pytest.raises(InputError, match=r"a TeNPy site has N = \[0. 1.\], the space shifted has \[1. 2.\]"):
        from_tenpy(half, [quantum_space("shifted", {"N": np.diag([1.0, 2.0])})] * 2)


# ---------------------------------------------------------------- density matrices of pure states


@pytest.mark.parametrize(
    "spaces", [[s] * 4, [s, spin_one, s], [spinless] * 4, [s] * 2], ids=["spins", "unequal", "f", "2"]
)
@settings(max_examples=8)
@given(seed=seeds, chi=st.integers(1, 4))
def test_pure_states_become_projectors(spaces, seed, chi):
    pure, amplitudes = random_pure([space.levels for space in spaces], chi, seed)
    if spaces[0] is spinless:
        amplitudes = amplitudes + np.diag(parity_of(spaces)) * amplitudes
        amplitudes, chi = amplitudes / linalg.norm(amplitudes), 2 * chi
        pure = ChainState.from_dense(amplitudes, [2] * 4)
    pure.log_norm = 3.0  # norms are dropped
    rho = density_from_pure(pure, spaces)
    expected = coefficients(np.outer(amplitudes, amplitudes.conj()), spaces)
    assert rho.dtype == np.float64
    assert_allclose(rho.dense(), expected, atol=1e-12)
    assert max(rho.bond_dimensions) <= chi**2
    assert_allclose(rho.log_norm_squared(), 0, atol=1e-11)  # the purity


def test_classical_spaces_keep_the_probabilities():
    pure, amplitudes = random_pure([2] * 4, 3, 0)
    assert_allclose(density_from_pure(pure, [bit] * 4).dense(), np.abs(amplitudes) ** 2, atol=1e-13)


@given(seeds, st.integers(1, 12))
def test_truncation_of_a_projector_is_optimal_at_each_bond(seed, chi):
    pure, amplitudes = random_pure([2] * 4, 4, seed)
    expected = coefficients(np.outer(amplitudes, amplitudes.conj()), [s] * 4)
    cut = density_from_pure(pure, [s] * 4, Truncation(chi=chi, method="svd"))
    assert max(cut.bond_dimensions) <= chi
    best = 0.0
    for bond in range(3):
        values = linalg.svdvals(expected.reshape(4 ** (bond + 1), -1))
        best += np.sum(values[chi:] ** 2)
    assert linalg.norm(cut.dense() - expected) ** 2 <= best + 1e-12


def test_large_bonds_are_cut_as_they_arise():
    """chi = 32: a tensor with both bonds of size 1024 is never formed."""
    pure, _ = random_pure([2] * 10, 32, 1)
    rho = density_from_pure(pure, [s] * 10, Truncation(chi=24, method="svd"))
    assert max(rho.bond_dimensions) == 24


def test_a_product_stays_a_product():
    pure = ChainState.product([[1.0, 0.0], [math.sqrt(0.5)] * 2] * 5)
    rho = density_from_pure(pure, [s] * 10)
    view = ChainView(rho, [s] * 10, {"trace": [s.trace] * 10})
    assert max(rho.bond_dimensions) == 1
    assert_allclose([view.expect(s.Z(0)), view.expect(s.X(1))], [1, 1])


def test_a_pure_state_of_another_chain_is_refused():
    with pytest.raises(InputError, match=r"the pure state has \(2, 2\) levels, the spaces have \(2, 3\)"):
        density_from_pure(ChainState.product([[1.0, 0.0]] * 2), [s, spin_one])


def test_the_two_point_function_of_fermions_survives_the_hand_over():
    """TeNPy strings its fermions from the left, as `tnness.operators.terms` does."""
    n, spaces = 4, [spinless] * 4
    h = np.diag([0.3, -0.2, 0.5, 0.1]) + np.diag([1.0, 0.7, 1.3], 1) + np.diag([1.0, 0.7, 1.3], -1)
    operator = sum(h[i, j] * spinless.Cd(i) * spinless.C(j) for i in range(n) for j in range(n) if h[i, j])
    values, vectors = linalg.eigh(dense_operator(operator, spaces))
    pure = ChainState.from_dense(vectors[:, 0].astype(complex), [2] * n)
    view = ChainView(density_from_pure(pure, spaces), spaces, {"trace": [spinless.trace] * n})
    energies, modes = linalg.eigh(h)
    filled = modes[:, energies < 0]
    assert_allclose(values[0], energies[energies < 0].sum())
    assert_allclose(view.correlations(spinless.Cd, spinless.C), filled @ filled.T, atol=1e-12)
