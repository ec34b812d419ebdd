"""Small chains for the tests: random ones on every kind of space, and their dense matrices built independently."""

from functools import reduce

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.operators.basis import (
    LocalSpace,
    bit,
    boson,
    classical,
    clock,
    electron,
    levels,
    spin,
    spin_half,
    spin_one,
    spinless,
    tj,
)
from tnness.operators.terms import LocalOperator, Operator, Term
from tnness.problems.lindbladian import Lindbladian

SPACES = {s.name: s for s in (spin_half, spin_one, boson(2), levels(3), spinless, bit, classical(3))}
QUANTUM = {name: space for name, space in SPACES.items() if space.quantum}

MIXED = (spin_half, spinless, boson(1), spin_one, tj, clock(3), spin(3), electron, levels(4), spin_half & spinless)
"""Quantum spaces of two to four levels, with and without fermions."""

seeds = st.integers(0, 2**32 - 1)
space_names = st.sampled_from(sorted(SPACES))


def mixed_chains(largest: int = 256, least: int = 1, most: int = 4) -> st.SearchStrategy[list[LocalSpace]]:
    """Sites of any of the `MIXED` spaces in any order; `largest`: most levels of all of them together."""
    lists = st.lists(st.sampled_from(MIXED), min_size=least, max_size=most)
    return lists.filter(lambda spaces: np.prod([space.levels for space in spaces]) <= largest)


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


def random_product(spaces: list[LocalSpace], rng: np.random.Generator, most: int = 3) -> Operator:
    """A random number times up to `most` named operators on any sites in any order: 32 levels together at most."""
    sites = rng.integers(0, len(spaces), rng.integers(1, most + 1)).tolist()
    while np.prod([spaces[i].levels for i in set(sites)]) > 32:
        sites.pop()
    product = complex(*rng.standard_normal(2)) * Operator((Term(1.0, ()),))
    for i in sites:
        own = list(spaces[i].operators.values())
        product = product * own[rng.integers(len(own))](i)
    return product


def random_sum(spaces: list[LocalSpace], rng: np.random.Generator) -> Operator:
    """Two random products added, or one of them if they differ in parity or are too large together."""
    first, second = random_product(spaces, rng, 2), random_product(spaces, rng, 1)
    together = np.prod([spaces[i].levels for i in {*first.sites, *second.sites}])
    return first + second if first.odd == second.odd and together <= 32 else first


def random_far_chain(spaces: list[LocalSpace], seed: int) -> Lindbladian:
    """Random products of up to three operators on any sites, in any order, and jumps that are sums of such products."""
    chain, rng = Lindbladian(spaces), np.random.default_rng(seed)
    for _ in range(6):
        term = random_product(spaces, rng)
        if not term.odd:
            chain.hamiltonian(term + term.dag())
        chain.jump(random_sum(spaces, rng), rng.uniform(0.1, 1))
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
    """sum_a v_a F_a: (prod d, prod d); F_a the products of elements, odd ones with their strings from site 0.

    The strings of the odd elements right of a site multiply its own one from the right: E_a or E_a P.
    """
    size = 1
    parts = [np.reshape(vector, (-1, 1, 1)).astype(complex), np.zeros((np.size(vector), 1, 1), complex)]
    for space in reversed(spaces):  # parts[m]: m odd elements, modulo 2, right of the sites left to do
        size *= space.levels
        joined = [np.zeros((len(parts[0]) // space.dim, size, size), complex) for _ in range(2)]
        for m, part in enumerate(parts):
            for a, (element, odd) in enumerate(zip(_strung(space, m), _odd(space), strict=True)):
                inner = part.reshape(-1, space.dim, *part.shape[1:])[:, a]
                joined[m ^ int(odd)] += np.einsum("st,xij->xsitj", element, inner).reshape(-1, size, size)
        parts = joined
    return parts[0][0] + parts[1][0]


def coefficients(rho: NDArray[np.complex128], spaces: list[LocalSpace]) -> NDArray[np.float64]:
    """Tr(F_a^+ rho): (prod D,); F_a as for `density_matrix`."""
    size, odd, part = len(rho), np.zeros(1, int), np.asarray(rho, complex).reshape(len(rho), len(rho), 1)
    for space in reversed(spaces):
        size //= space.levels
        tensor = part.reshape(size, space.levels, size, space.levels, -1)
        both = [np.einsum("ast,isjtk->ijak", _strung(space, m).conj(), tensor, optimize=True) for m in range(2)]
        part = np.where(odd == 0, both[0], both[1]).reshape(size, size, -1)
        odd = (_odd(space)[:, None].astype(int) ^ odd).ravel()
    return part.ravel().real


def product_basis(spaces: list[LocalSpace]) -> NDArray[np.complex128]:
    """Every product F_a as a matrix: (prod D, prod d, prod d)."""
    products = [np.eye(int(np.prod([space.levels for space in spaces])), dtype=complex)]
    for site, space in enumerate(spaces):
        whole = []
        for element, odd in zip(space.elements, _odd(space), strict=True):
            factor = LocalOperator("E", element, space.parity if odd else None)
            whole.append(_dense_term(Term(1.0, ((site, factor),)), spaces))
        products = [left @ right for left in products for right in whole]
    return np.array(products)


def _odd(space: LocalSpace) -> NDArray[np.bool_]:
    """Which elements anticommute with the parity of their site: (D,)."""
    if space.parity is None:
        return np.zeros(space.dim, bool)
    return np.array([np.allclose(space.parity @ element, -element @ space.parity) for element in space.elements])


def _strung(space: LocalSpace, count: int) -> NDArray[np.complex128]:
    """The elements, times the parity if the number of odd ones right of them is odd: (D, d, d)."""
    return space.elements @ space.parity if count and space.parity is not None else space.elements


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
