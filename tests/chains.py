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
    if spaces[0] is spinless:
        chain.jump(spinless.C(0), rate=rng.uniform(0, 2))
    if spaces[-1] is spinless:
        chain.jump(spinless.Cd(len(spaces) - 1), rate=rng.uniform(0, 2))
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
    """sum_a v_a E_a x E_b x ...: (prod d, prod d)."""
    return np.tensordot(vector, product_basis(spaces), 1)


def coefficients(rho: NDArray[np.complex128], spaces: list[LocalSpace]) -> NDArray[np.float64]:
    """Tr(E_a rho): (prod D,)."""
    return np.einsum("aij,ji->a", product_basis(spaces), rho).real


def product_basis(spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    return reduce(lambda a, b: np.array([np.kron(x, y) for x in a for y in b]), (s.elements for s in spaces))


def _dense_term(term: Term, spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    product = np.array([[term.coefficient]], complex) * np.eye(int(np.prod([s.levels for s in spaces])))
    for site, factor in term.factors:
        parts = [np.eye(s.levels, dtype=complex) for s in spaces]
        parts[site] = factor.matrix
        for j in range(site) if factor.odd else ():
            parts[j] = spaces[j].P.matrix if "C" in spaces[j].operators else parts[j]
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
