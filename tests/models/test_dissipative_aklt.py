"""The AKLT state as a dark state: its matrix product, its exact correlations, and the way there by dense matrices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from measured import exact_values
from tnness import evolve
from tnness.engines.exact import Exact, steady_vector
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness.operators.basis import density_matrix

AKLT = find("dissipative-aklt")


def spin_matrices(twice):
    """(Sx, Sy, Sz) of a spin twice/2, levels from m = S down."""
    size = twice / 2
    m = size - np.arange(twice + 1)
    plus = np.diag(np.sqrt(size * (size + 1) - m[1:] * (m[1:] + 1)), 1)
    return (plus + plus.T) / 2, (plus - plus.T) / 2j, np.diag(m)


def aklt_vector(n):
    """Two spins 1/2 on every bond in a singlet, the two of a spin 1 projected on their triplet: (2 * 3^(n-2) * 2,)."""
    singlet = np.array([[0, 1], [-1, 0]]) / np.sqrt(2)
    triplet = np.zeros((3, 2, 2))
    triplet[0, 0, 0] = triplet[2, 1, 1] = 1
    triplet[1, 0, 1] = triplet[1, 1, 0] = 1 / np.sqrt(2)
    state = singlet  # (all sites so far, the open spin 1/2)
    for _ in range(n - 2):
        state = np.einsum("xa,sab,bc->xsc", state, triplet, singlet).reshape(-1, 2)
    return state.ravel() / np.linalg.norm(state)


def embedded(matrices, twice):
    """An operator on each site, or None, of spins of these sizes."""
    whole = np.eye(1)
    for matrix, size in zip(matrices, twice, strict=True):
        whole = np.kron(whole, np.eye(size + 1) if matrix is None else matrix)
    return whole


def bond_spins(twice, bond):
    """(left, right): the three components of both spins of a bond on the whole chain."""
    found = []
    for site in (bond, bond + 1):
        found.append(
            [embedded([m if i == site else None for i in range(len(twice))], twice) for m in spin_matrices(twice[site])]
        )
    return found


def largest_projector(twice, bond):
    """The projector on the largest total spin of a bond, from the eigenvalues of (S_i + S_{i+1})^2."""
    left, right = bond_spins(twice, bond)
    values, vectors = np.linalg.eigh(sum((a + b) @ (a + b) for a, b in zip(left, right, strict=True)))
    top = (twice[bond] + twice[bond + 1]) / 2
    kept = vectors[:, np.isclose(values, top * (top + 1))]
    return kept @ kept.conj().T


def dense_equation(model):
    """(H, jumps) from total spins."""
    twice = [1, *[2] * (model.n - 2), 1]
    hamiltonian, jumps = 0, []
    for bond in range(model.n - 1):
        largest = largest_projector(twice, bond)
        hamiltonian = hamiltonian + model.coupling * largest
        for a, b in zip(*bond_spins(twice, bond), strict=True):
            relative = 2 * a / twice[bond] - 2 * b / twice[bond + 1]
            jumps.append(np.sqrt(model.rate) * relative @ largest)
    return hamiltonian, jumps


@pytest.mark.parametrize(("n", "coupling"), [(3, 0.0), (4, 0.7)])
def test_the_steady_state_is_the_aklt_state(n, coupling):
    model, vector = AKLT(n=n, coupling=coupling), aklt_vector(n)
    rho = density_matrix(steady_vector(generator_of(model)).vector, model.spaces)
    assert_allclose(rho, np.outer(vector, vector), atol=1e-8)


def test_its_correlations_are_those_of_affleck_kennedy_lieb_and_tasaki():
    values = exact_values(AKLT(n=4))
    assert_allclose(values["largest_spin"], 0, atol=1e-8)
    assert_allclose(values["exchange"], [-1, -4 / 3, -1], atol=1e-8)
    assert_allclose(values["string"], [-4 / 9], atol=1e-8)


def test_string_order_does_not_fall_with_the_distance():
    """The AKLT state itself, by its vector: -4/9 at any distance; S S falls as (-1/3)^distance."""
    n, twice, vector = 6, [1, 2, 2, 2, 2, 1], aklt_vector(6)
    z, turn = spin_matrices(2)[2], np.diag([-1.0, 1.0, -1.0])
    for j in (2, 3, 4):
        strung = [z if i in (1, j) else turn if 1 < i < j else None for i in range(n)]
        plain = [z if i in (1, j) else None for i in range(n)]
        assert_allclose(vector @ embedded(strung, twice) @ vector, -4 / 9, atol=1e-12)
        assert_allclose(vector @ embedded(plain, twice) @ vector, 4 / 3 * (-1 / 3) ** (j - 1), atol=1e-12)


@pytest.mark.parametrize("engine", [Exact(), TEBD(chi=64, dt=0.1)], ids=["exact", "tebd"])
def test_the_way_there_is_that_of_dense_matrices(engine):
    """From all spins up; the weight of the largest spin of each bond."""
    model, twice = AKLT(n=4, coupling=0.5), [1, 2, 2, 1]
    hamiltonian, jumps = dense_equation(model)
    rho = np.zeros((36, 36), complex)
    rho[0, 0] = 1
    decay = sum(jump.conj().T @ jump for jump in jumps) / 2 + 1j * hamiltonian
    steps, time = 400, 1.0

    def change(state):
        lost = decay @ state
        return sum(jump @ state @ jump.conj().T for jump in jumps) - lost - lost.conj().T

    for _ in range(steps):  # Taylor series of fourth order
        term = rho
        for order in range(1, 5):
            term = time / steps / order * change(term)
            rho = rho + term
    expected = [np.trace(largest_projector(twice, bond) @ rho).real for bond in range(3)]
    record = evolve(model, [time], engine=engine, initial="product:0000", errors=False)
    assert 0.1 < expected[1] < 0.9
    assert_allclose(record["largest_spin"].values[-1], expected, atol=1e-7 if engine.name == "exact" else 1e-5)


def test_small():
    assert AKLT(coupling=1.0).small() == AKLT(n=4, coupling=1.0)
    assert "string" not in AKLT(n=3).observables()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 2}, "n = 2: a spin 1"),
        ({"rate": -1.0}, "rate = -1: a rate"),
        ({"couplng": 1.0}, "did you mean 'coupling'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(AKLT, parameters)
