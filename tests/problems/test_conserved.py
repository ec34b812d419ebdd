"""Conserved sums against the null space of the dense transposed generator."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains import random_lindbladian, seeds
from tnness import Lindbladian, bit, find, spin_one
from tnness import spin_half as s
from tnness import spinless as f
from tnness.operators.basis import boson
from tnness.problems.conserved import conserved_sums


def dense(total, trace):
    """The covector of a sum of one-site operators, as a dense vector."""
    parts = []
    for i, own in enumerate(total):
        parts.append(functools.reduce(np.kron, [own if j == i else trace[j] for j in range(len(total))]))
    return np.sum(parts, axis=0)


def count_in_null_space(generator):
    """How many sums of one-site covectors, beside the trace, G^T takes to 0: by dense matrices alone."""
    trace = generator.functionals["trace"]
    columns = []
    for i, dim in enumerate(generator.dims):
        for a in range(dim):
            own = [np.eye(dim)[a] if j == i else np.zeros(generator.dims[j]) for j in range(generator.n)]
            columns.append(dense(own, trace))
    basis = np.linalg.svd(np.array(columns), full_matrices=False)
    span = basis[2][basis[1] > 1e-10 * basis[1].max()]
    moved = span @ generator.matrix().toarray()
    return len(span) - np.linalg.matrix_rank(moved, tol=1e-9) - 1


def hops(n, dephased=True, ends=0.0):
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + 0.3 * s.Z(i) * s.Z(i + 1))
    for i in range(n if dephased else 0):
        chain.jump(s.Z(i), rate=0.5)
    if ends:
        chain.jump(s.Sp(0), rate=ends)
    return chain.generator()


def exclusion(n):
    chain = Lindbladian([bit] * n)
    for i in range(n - 1):
        chain.jump(bit.Sm(i) * bit.Sp(i + 1), rate=1.0)
        chain.jump(bit.Sp(i) * bit.Sm(i + 1), rate=0.4)
    return chain.generator()


def mixed():
    """A boson and a spin that exchange excitations: N + Z/2 is conserved, on unequal sites."""
    b = boson(2)
    chain = Lindbladian([b, s, b])
    chain.hamiltonian(b.B(0) * s.Sp(1) + b.Bd(0) * s.Sm(1))
    chain.hamiltonian(b.B(2) * s.Sp(1) + b.Bd(2) * s.Sm(1))
    chain.jump(s.Z(1), rate=0.2)
    return chain.generator()


def apart():
    """Sites that do not touch, one of them closed."""
    chain = Lindbladian([s] * 3)
    chain.hamiltonian(0.4 * s.Z(1))
    for i in (0, 2):
        chain.jump(s.Sm(i), rate=1.0)
    return chain.generator()


def far(n, closed=True):
    """Exchange and hops over any distance on unequal sites: Z of the spins and N of the fermions are conserved."""
    chain = Lindbladian([s, f, spin_one, f, s][:n])
    spins, fermions = [i for i in (0, 2, 4) if i < n], [i for i in (1, 3) if i < n]
    for i, j in itertools.combinations(spins, 2):
        raise_ = [(s if chain.spaces[k] is s else spin_one).Sp(k) for k in (i, j)]
        term = raise_[0] * raise_[1].dag() / (j - i)
        chain.hamiltonian(term + term.dag())
    for i, j in itertools.combinations(fermions, 2):
        chain.hamiltonian(f.Cd(i) * f.C(j) + f.Cd(j) * f.C(i))
    for i in range(n):
        chain.jump({s: s.Z, f: f.N, spin_one: spin_one.Sz}[chain.spaces[i]](i), rate=0.3)
    if not closed:
        chain.jump(f.C(1) + 0.5 * f.Cd(3), rate=1e-6)
    return chain.generator()


@pytest.mark.parametrize(
    ("generator", "count"),
    [
        (hops(4), 1),
        (hops(4, dephased=False), 1),
        (hops(4, ends=1e-6), 0),
        (exclusion(5), 1),
        (mixed(), 1),
        (apart(), 1),
        (far(4), 2),
        (far(4, closed=False), 1),
        (find("xx-dephasing")(n=4).problem().generator(), 0),
        (find("replica-abc")(n=3).problem().generator(), 0),
    ],
)
def test_they_are_as_many_as_the_dense_null_space_holds(generator, count):
    totals, trace = conserved_sums(generator), generator.functionals["trace"]
    assert len(totals) == count == count_in_null_space(generator)
    for total in totals:
        covector = dense(total, trace)
        moved = generator.matrix().toarray().T @ covector
        assert np.abs(moved).max() < 1e-9 * np.abs(covector).max() * generator.scale


@settings(deadline=None, max_examples=10)
@given(seed=seeds, n=st.integers(2, 4))
def test_a_random_chain_conserves_nothing(seed, n):
    assert conserved_sums(random_lindbladian([s] * n, seed).generator()) == []


@settings(deadline=None, max_examples=5)
@given(seed=seeds)
def test_neither_does_one_with_terms_on_any_sites(seed):
    chain = random_lindbladian([s] * 4, seed)
    chain.hamiltonian(s.X(0) * s.Y(3))
    assert conserved_sums(chain.generator()) == []
