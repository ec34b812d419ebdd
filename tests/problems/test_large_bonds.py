"""Chains of large sites, made small: the same generator as from matrices, on sites of different spaces."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import coefficients, dense_lindbladian, density_matrix, random_matrix, seeds
from tnness.errors import ModelError
from tnness.interop.quimb import to_quimb
from tnness.operators.basis import LocalSpace, boson, clock, spin_half, spin_one, spinless
from tnness.operators.terms import LocalOperator
from tnness.problems import lindbladian
from tnness.problems.conserved import conserved_sums
from tnness.problems.generator import ChainGenerator
from tnness.problems.large_bonds import large_hamiltonians
from tnness.problems.lindbladian import Lindbladian

SITES = [spin_half, spin_one, boson(2), clock(3)]


def random_chain(spaces: list[LocalSpace], seed: int) -> Lindbladian:
    """Hamiltonians of every bond, and Hamiltonians and jumps on every site."""
    chain, rng = Lindbladian(spaces), np.random.default_rng(seed)

    def local(i):
        return LocalOperator("A", random_matrix(spaces[i].levels, rng))(i)

    for i in range(len(spaces)):
        single = local(i)
        chain.hamiltonian(single + single.dag())
        chain.jump(local(i), rate=rng.uniform(0, 1))
    for i in range(len(spaces) - 1):
        pair = local(i) * local(i + 1) + local(i) * local(i + 1)
        chain.hamiltonian(pair + pair.dag())
    return chain


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(lindbladian, "LARGEST_TERM", 5)


@settings(max_examples=6)
@given(spaces=st.lists(st.sampled_from(SITES), min_size=1, max_size=3), seed=seeds)
def test_the_generator_is_the_lindblad_equation_of_the_symbols(spaces, seed):
    chain = random_chain(spaces, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lindbladian, "LARGEST_TERM", 5)
        generator = chain.generator()
    large = [a.levels * b.levels > 5 for a, b in pairwise(spaces)]
    assert [bond is None for bond in generator.small_bonds] == large
    vector = np.random.default_rng(seed).standard_normal(generator.dimension)
    h, jumps = dense_lindbladian(chain)
    rho = density_matrix(vector, spaces)
    change = -1j * (h @ rho - rho @ h)
    for jump in jumps:
        square = jump.conj().T @ jump
        change += jump @ rho @ jump.conj().T - (square @ rho + rho @ square) / 2
    wanted = coefficients(change, spaces)
    close = {"atol": 1e-12 * np.linalg.norm(wanted)}
    assert_allclose(generator.apply(vector), wanted, **close)
    matrix = generator.matrix()
    assert_allclose(matrix @ vector, wanted, **close)
    assert_allclose(generator.transposed().apply(vector), matrix.T @ vector, atol=1e-12 * np.linalg.norm(wanted))
    if len(spaces) > 1:
        assert_allclose(to_quimb(generator).to_dense(), matrix.toarray(), atol=1e-11 * np.abs(matrix).max())
    assert generator.scale >= np.linalg.norm(matrix.toarray(), 2) * (1 - 1e-12) or len(spaces) == 1


def hopping(spaces: list[LocalSpace], loss: float = 0.0, dephasing: float = 0.3) -> Lindbladian:
    chain = Lindbladian(spaces)
    for i in range(len(spaces) - 1):
        a, b = spaces[i], spaces[i + 1]
        chain.hamiltonian(a.Bd(i) * b.B(i + 1) + b.Bd(i + 1) * a.B(i))
    for i, space in enumerate(spaces):
        chain.jump(space.N(i), rate=dephasing)
        if loss:
            chain.jump(space.B(i), rate=loss)
    return chain


def test_a_conserved_number_is_found_without_matrices_of_bonds(small_limit):
    spaces = [boson(2), boson(3), boson(2)]
    (total,) = conserved_sums(hopping(spaces).generator())
    for q, space in zip(total, spaces, strict=True):
        wanted = space.covector(space.N.matrix - space.N.matrix.trace() / space.levels * np.eye(space.levels)).real
        assert_allclose(q, wanted, atol=1e-14)
    assert conserved_sums(hopping(spaces, loss=0.1).generator()) == []


def test_conserved_operators_of_a_single_site():
    chain = Lindbladian([boson(2)])
    chain.jump(boson(2).N(0))
    assert len(conserved_sums(chain.generator())) == 2  # the three populations, but for the trace
    chain.jump(boson(2).B(0))
    assert conserved_sums(chain.generator()) == []


def test_bosons_of_cutoff_16_are_stated_without_their_matrices():
    generator = hopping([boson(16)] * 3, loss=0.1).generator()
    assert generator.dims == (289,) * 3
    values = np.linalg.eigvalsh(generator.coherent[0].matrix)
    assert_allclose(generator.coherent[0].spread, values[-1] - values[0], rtol=1e-12)
    with pytest.raises(
        ModelError, match=r"sites 0 and 1 are too large .* 56 GB; engines 'tebd', 'tdvp' and 'exact' do without it"
    ):
        _ = generator.merged_bonds


def test_what_no_large_site_can_do_is_refused_in_one_line():
    b = boson(16)
    chain = Lindbladian([b] * 3)
    with pytest.raises(ModelError, match=r"acts on 2 sites with 289 levels together; what is no Hamiltonian may have"):
        chain.jump(b.B(0) * b.B(1))
    with pytest.raises(ModelError, match="or 1024 on two neighbours without fermions: lower the cutoff, or order"):
        chain.hamiltonian(b.N(0) * b.N(2))
    big = boson(40)
    with pytest.raises(
        ModelError, match="1681 levels together; two neighbouring sites may have 1024: lower the cutoff"
    ):
        Lindbladian([big] * 2).hamiltonian(big.N(0) * big.N(1))
    with pytest.raises(ModelError, match="Hamiltonian of bond 0 is not Hermitian"):
        ChainGenerator([spin_half] * 2, np.zeros((2, 4, 4)), [None], coherent={0: np.triu(np.ones((4, 4)))})
    with pytest.raises(ModelError, match="bond 0 has a Hamiltonian in `coherent` and takes no matrix besides"):
        ChainGenerator([spin_half] * 2, np.zeros((2, 4, 4)), [np.zeros((16, 16))], coherent={0: np.eye(4)})
    with pytest.raises(ModelError, match="has one site, and what was asked takes bonds"):
        _ = ChainGenerator([spinless], [np.zeros((4, 4))], []).merged_bonds


@pytest.mark.parametrize("bond", ["a", 1, -1, 0.5])
def test_a_hamiltonian_of_a_bond_that_is_not_there_is_refused_in_one_line(bond):
    with pytest.raises(ModelError, match="bonds are numbered 0 to 0"):
        large_hamiltonians([boson(2), boson(2)], {bond: np.eye(9)})
