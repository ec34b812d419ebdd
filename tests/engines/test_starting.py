"""Every way to give an initial state, against dense density matrices."""

from functools import reduce

import numpy as np
import pytest
import quimb.tensor as quimb_tensor
from hypothesis import given, settings
from numpy.testing import assert_allclose
from tenpy.linalg import np_conserved as npc
from tenpy.networks.mpo import MPO
from tenpy.networks.mps import MPS
from tenpy.networks.purification_mps import PurificationMPS
from tenpy.networks.site import SpinHalfSite

from chains import coefficients, dense_operator, even_density_matrix, random_density_matrix, random_matrix, seeds
from tnness.engines.initial import parse_initial
from tnness.engines.starting import amplitudes_on, density_on, density_operator
from tnness.errors import InputError
from tnness.interop.tenpy import from_tenpy
from tnness.network.chain_state import ChainState
from tnness.operators.basis import LocalSpace, bit, boson, electron, spin_half, spin_one, spinless
from tnness.problems.lindbladian import Lindbladian
from tnness.runs.job import label

s = spin_half
MIXED = [spin_half, spin_one, boson(1)]


def taken(given: object, spaces: list[LocalSpace] = MIXED) -> np.ndarray:
    return density_on(parse_initial(given), spaces).dense()


def projector(ket: np.ndarray, spaces: list[LocalSpace] = MIXED) -> np.ndarray:
    ket = ket / np.linalg.norm(ket)
    return coefficients(np.outer(ket, ket.conj()), spaces)


@settings(max_examples=6)
@given(seed=seeds)
def test_amplitudes_matrices_and_products(seed):
    rng = np.random.default_rng(seed)
    ket, rho = random_matrix(12, rng)[0], even_density_matrix(MIXED, rng)
    local = [random_density_matrix(space.levels, rng) for space in MIXED]
    assert_allclose(taken(ket), projector(ket), atol=1e-12)
    assert_allclose(taken(rho), coefficients(rho, MIXED), atol=1e-12)
    assert_allclose(taken(local), coefficients(reduce(np.kron, local), MIXED), atol=1e-12)
    assert_allclose(taken(np.array([[0.2, 0.8], [1, 0]]), [s] * 2), coefficients(np.diag([0.2, 0, 0.8, 0]), [s] * 2))


@settings(max_examples=6)
@given(seed=seeds)
def test_matrix_product_states_of_every_kind(seed):
    rng = np.random.default_rng(seed)
    tensors = [random_matrix(12, rng).reshape(-1)[: a * d * b].reshape(a, d, b) for a, d, b in
               ((1, 2, 3), (3, 3, 2), (2, 2, 1))]  # fmt: skip
    state = ChainState(tensors)
    wanted = projector(state.dense())
    assert_allclose(taken(state), wanted, atol=1e-12)  # amplitudes
    assert_allclose(taken(tensors), wanted, atol=1e-12)
    coefficient_state = density_on(parse_initial(state), MIXED)
    assert_allclose(taken(coefficient_state), wanted, atol=1e-12)  # coefficients
    mps = quimb_tensor.MatrixProductState([tensors[0][0], tensors[1], tensors[2][..., 0]], shape="lpr")
    assert_allclose(taken(mps), wanted, atol=1e-12)
    double = [np.einsum("aib,cjd->acijbd", t, t.conj()) for t in tensors]
    double = [t.reshape(t.shape[0] ** 2 if k else 1, *t.shape[2:4], -1) for k, t in enumerate(double)]
    double = [t.reshape(len(tensors[k]) ** 2, t.shape[1], t.shape[2], -1) for k, t in enumerate(double)]
    assert_allclose(taken(double), wanted, atol=1e-12)
    mpo = quimb_tensor.MatrixProductOperator([double[0][0], double[1], double[2][..., 0]], shape="ludr")
    assert_allclose(taken(mpo), wanted, atol=1e-12)


def test_states_by_name():
    ghz = np.zeros(12)
    ghz[[0, 11]] = 1
    assert_allclose(taken("ghz"), projector(ghz), atol=1e-14)
    wall = np.zeros(12)
    wall[5] = 1  # 0 2 1
    assert_allclose(taken("domain_wall:1"), projector(wall), atol=1e-14)
    assert_allclose(taken("product:0,2,1"), projector(wall), atol=1e-14)
    assert_allclose(taken("identity"), coefficients(np.eye(12) / 12, MIXED), atol=1e-14)
    assert_allclose(taken("ghz", [bit] * 3), np.r_[0.5, np.zeros(6), 0.5], atol=1e-14)


@pytest.mark.parametrize("spaces", [MIXED, [spinless] * 3, [electron, spinless]], ids=["mixed", "modes", "electrons"])
def test_random_states_are_pure_even_and_drawn_by_their_seed(spaces):
    one, again, other = (taken(f"random:{seed}:3", spaces) for seed in (4, 4, 5))
    assert_allclose(one, again)
    assert np.abs(one - other).max() > 0.01
    assert_allclose(one @ one, 1)
    pure = amplitudes_on(parse_initial("random:4:3"), spaces)
    assert pure is not None
    assert_allclose(one, projector(pure.dense(), spaces), atol=1e-12)


def test_thermal_states_belong_to_the_hamiltonian():
    chain = Lindbladian([spin_half, spin_one])
    chain.hamiltonian(s.Sx(0) * spin_one.Sx(1) + 0.3 * s.Sz(0))
    h = dense_operator(s.Sx(0) * spin_one.Sx(1) + 0.3 * s.Sz(0), [spin_half, spin_one])
    values, vectors = np.linalg.eigh(h)
    rho = (vectors * np.exp(-0.7 * values)) @ vectors.conj().T
    state = density_operator(parse_initial("thermal:0.7"), chain.generator())
    assert_allclose(state.dense(), coefficients(rho / np.trace(rho), [spin_half, spin_one]), atol=1e-7)


def test_objects_of_tenpy():
    """A state, a density operator and a purification, on sites whose levels TeNPy orders by their charge."""
    n, site = 3, SpinHalfSite("Sz")
    psi = MPS.from_product_state([site] * n, ["up", "down", "down"], unit_cell_width=n)
    up_down = projector(np.eye(8)[0b011], [s] * n)
    assert_allclose(taken(psi, [s] * n), up_down, atol=1e-14)
    projectors = [[[("Sz", sign)]] for sign in (1.0, -1.0, -1.0)]
    grids = [[[[("Id", 0.5), *entry[0]]]] for entry in projectors]
    mpo = MPO.from_grids([site] * n, grids, IdL=0, IdR=0, bc="finite", mps_unit_cell_width=n)
    assert_allclose(taken(mpo, [s] * n), up_down, atol=1e-14)
    hot = PurificationMPS.from_infiniteT([site] * n, bc="finite", unit_cell_width=n)
    pairs = [npc.outer(site.get_op(a), site.get_op(b)) for a, b in (("Sz", "Sz"), ("Sp", "Sm"), ("Id", "Sz"))]
    cooling = 0.3 * pairs[0] + 0.4j * pairs[1] + pairs[2]
    cooling.iset_leg_labels(["p0", "p0*", "p1", "p1*"])
    hot.apply_local_op(1, cooling, unitary=False)
    act = 0.3 * s.Sz(1) * s.Sz(2) + 0.4j * s.Sp(1) * s.Sm(2) + s.Sz(2)
    root = dense_operator(act, [s] * n)
    rho = root @ root.conj().T
    assert_allclose(taken(hot, [s] * n), coefficients(rho / np.trace(rho), [s] * n), atol=1e-12)
    with pytest.raises(InputError, match="is a purification, which has no amplitudes"):
        from_tenpy(hot, [s] * n)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones(11), r"amplitudes of this chain are 12 numbers, not all 0, got shape \(11,\)"),
        (np.zeros(12), "12 numbers, not all 0"),
        (np.eye(11) / 11, r"a state for each of 3 sites is needed, got shape \(11, 11\)"),
        ([np.eye(2) / 2, np.eye(3) / 3], "for each of 3 sites is needed, got 2 of them"),
        ([np.eye(2) / 2] * 3, "site 1 must have shape"),
        (["x", "y", "z"], r"arrays of numbers up to 1e\+100 are needed"),
        ([np.eye(2) / 2, "x", np.eye(2) / 2], r"arrays of numbers up to 1e\+100 are needed"),
        (
            ChainState.product([[1.0, 0.0]] * 3),
            r"local dimensions \(2, 2, 2\), the problem \(4, 9, 4\), or \(2, 3, 2\)",
        ),
        ([np.ones((1, 2, 1))] * 3, r"d = \(2, 3, 2\) are needed, got d = \(2, 2, 2\)"),
        ([np.ones((1, 2, 2, 1))] * 3, r"has tensors \(left, d, d, right\), got"),
        (quimb_tensor.MPS_computational_state("000"), r"the state has local dimensions \(2, 2, 2\)"),
        (quimb_tensor.MPO_identity(3), r"has tensors \(left, d, d, right\), got"),
        ("ground:1", "identity"),
    ],
)
def test_wrong_shapes_are_refused_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as refused:
        taken(given)
    assert "\n" not in str(refused.value)


def test_a_dense_vector_that_is_too_large_is_refused():
    with pytest.raises(InputError, match=r"up to|may have 1,100,000 amplitudes"):
        taken(np.ones(2**21), [s] * 21)


def test_equal_states_have_equal_labels():
    mps = quimb_tensor.MPS_rand_state(3, 2, seed=1)
    other = quimb_tensor.MPS_rand_state(3, 2, seed=2)
    assert label(mps) == label(mps.copy()) != label(other)
    assert label([np.eye(2), np.eye(3)]) == label([np.eye(2), np.eye(3)]) != label([np.eye(2), np.eye(2)])
    assert label([[1.0, 0.0], [[0.5, 0], [0]]]) == "[[1.0, 0.0], [[0.5, 0], [0]]]"  # refused by the run
    psi = MPS.from_product_state([SpinHalfSite(None)] * 2, ["up"] * 2, unit_cell_width=2)
    assert label(psi) == label(psi.copy())
