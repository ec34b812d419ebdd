"""Small chains for the tests: random ones on every kind of space, and their dense matrices built independently."""

from functools import reduce

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.operators.basis import LocalSpace, bit, boson, classical, levels, spin_half, spin_one, spinless
from tnness.operators.terms import LocalOperator, Operator, Term
from tnness.problems.lindbladian import Lindbladian

SPACES = {s.name: s for s in (spin_half, spin_one, boson(2), levels(3), spinless, bit, classical(3))}
QUANTUM = {name: space for name, space in SPACES.items() if space.quantum}

seeds = st.integers(0, 2**32 - 1)
space_names = st.sampled_from(sorted(SPACES))


def random_matrix(d: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    return rng.standard_normal((d, d)) + 1j * rng.standard_normal((d, d))


def random_density_matrix(d: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    root = random_matrix(d, rng)
    rho = root @ root.conj().T
    return rho / np.trace(rho)


def even_density_matrix(spaces: list[LocalSpace], rng: np.random.Generator) -> NDArray[np.complex128]:
    """A random state of a chain: with fermions it does not superpose even and odd numbers of them."""
    rho = random_density_matrix(int(np.prod([space.levels for space in spaces])), rng)
    parity = reduce(np.kron, [np.eye(s.levels) if s.parity is None else s.parity for s in spaces])
    return (rho + parity @ rho @ parity) / 2


def random_lindbladian(spaces: list[LocalSpace], seed: int) -> Lindbladian:
    """Random Hermitian terms and jumps on every site and every bond, as general as the spaces allow."""
    chain, rng = Lindbladian(spaces), np.random.default_rng(seed)
    for i in range(len(spaces)):
        chain.hamiltonian(_hermitian(_local(spaces, i, rng)) if spaces[i].quantum else 0)
        chain.jump(_local(spaces, i, rng), rate=rng.uniform(0, 2))
    for i in range(len(spaces) - 1):
        if spaces[i].quantum and spaces[i + 1].quantum:
            chain.hamiltonian(_hermitian(_pair(spaces, i, rng)))
        chain.jump(_pair(spaces, i, rng), rate=rng.uniform(0, 2))
    for i in (i for i, space in enumerate(spaces) if space is spinless):
        chain.jump(spinless.C(i) - 0.6j * rng.standard_normal() * spinless.Cd(i), rate=rng.uniform(0, 2))
    return chain


def dense_operator(operator: Operator, spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    """The operator on the whole chain, each fermionic factor with its string from site 0: (prod d, prod d)."""
    size = int(np.prod([space.levels for space in spaces]))
    return sum((_dense_term(term, spaces) for term in operator), np.zeros((size, size), complex))


def dense_lindbladian(chain: Lindbladian) -> tuple[NDArray[np.complex128], list[NDArray[np.complex128]]]:
    """(H, jumps), jumps with the square roots of their rates."""
    spaces = list(chain.spaces)
    hamiltonian = dense_operator(Operator(tuple(t for o in chain.hamiltonian_terms for t in o)), spaces)
    return hamiltonian, [np.sqrt(j.rate) * dense_operator(j.operator, spaces) for j in chain.jumps]


def density_matrix(vector: NDArray[np.float64], spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    """sum_a v_a F_a: (prod d, prod d)."""
    return np.tensordot(vector, product_basis(spaces), 1)


def coefficients(rho: NDArray[np.complex128], spaces: list[LocalSpace]) -> NDArray[np.float64]:
    """Tr(F_a^+ rho): (prod D,)."""
    return np.einsum("aij,ij->a", product_basis(spaces).conj(), rho).real


def product_basis(spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    """Every product of elements of the sites, those that anticommute with a site's parity with strings from site 0."""
    products = [np.eye(int(np.prod([space.levels for space in spaces])), dtype=complex)]
    for site, space in enumerate(spaces):
        whole = []
        for element in space.elements:
            odd = space.parity is not None and np.allclose(space.parity @ element, -element @ space.parity)
            factor = LocalOperator("E", element, space.parity if odd else None)
            whole.append(_dense_term(Term(1.0, ((site, factor),)), spaces))
        products = [left @ right for left in products for right in whole]
    return np.array(products)


def _dense_term(term: Term, spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    product = np.array([[term.coefficient]], complex) * np.eye(int(np.prod([s.levels for s in spaces])))
    for site, factor in term.factors:
        parts = [np.eye(s.levels, dtype=complex) for s in spaces]
        parts[site] = factor.matrix
        for j in range(site) if factor.odd else ():
            parts[j] = parts[j] if spaces[j].parity is None else spaces[j].parity
        product = product @ reduce(np.kron, parts)
    return product


def _hermitian(operator: Operator) -> Operator:
    return operator + operator.dagger()


def _local(spaces: list[LocalSpace], site: int, rng: np.random.Generator) -> Operator:
    space = spaces[site]
    if space is spinless:
        return rng.standard_normal() * space.N(site)
    if not space.quantum:
        to, start = rng.choice(space.levels, 2, replace=False)
        return getattr(space, f"T{to}{start}")(site)
    return LocalOperator("A", random_matrix(space.levels, rng))(site)


def _pair(spaces: list[LocalSpace], site: int, rng: np.random.Generator) -> Operator:
    if spaces[site] is spinless and spaces[site + 1] is spinless:
        amplitude = complex(rng.standard_normal(), rng.standard_normal())
        hop = amplitude * spinless.Cd(site) * spinless.C(site + 1)
        return hop + rng.standard_normal() * spinless.C(site) * spinless.C(site + 1)
    return _local(spaces, site, rng) * _local(spaces, site + 1, rng)


def random_state(dims: list[int], chi: int, rng: np.random.Generator, dtype: type = np.float64) -> ChainState:
    """A matrix-product state in no particular gauge, with a norm far from 1."""
    bonds = [1, *(chi,) * (len(dims) - 1), 1]
    shapes = [(bonds[i], dim, bonds[i + 1]) for i, dim in enumerate(dims)]
    tensors = [rng.standard_normal(shape) for shape in shapes]
    if np.dtype(dtype).kind == "c":
        tensors = [t + 1j * rng.standard_normal(t.shape) for t in tensors]
    return ChainState([t.astype(dtype) for t in tensors], centre=None, log_norm=rng.standard_normal())
