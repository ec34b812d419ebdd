"""Disturbances: without trace, of both signs, and without a change of what the chain conserves."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import Lindbladian, bit
from tnness import spin_half as s
from tnness.engines.disturbance import Disturbance
from tnness.problems.conserved import conserved_sums


def hops(space, n, charges):
    """A chain that conserves charges: hops of `Sp Sm` kind, `Z`-like dephasing is not needed for the kicks."""
    chain = Lindbladian([space] * n)
    for i in range(n - 1):
        if space is bit:
            chain.jump(bit.Sm(i) * bit.Sp(i + 1), rate=1.0)
            chain.jump(bit.Sp(i) * bit.Sm(i + 1), rate=0.5)
        else:
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    return chain.generator()


def settled_of(generator, seed):
    """The marginals of a random product state."""
    rng, means = np.random.default_rng(seed), []
    for space in generator.spaces:
        weights = rng.random(space.levels)
        means.append(space.vector(np.diag(weights / weights.sum())))
    return [np.outer(means[i], means[i + 1]) for i in range(generator.n - 1)]


@pytest.mark.parametrize("space", [s, bit])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("n", [4, 5])
def test_the_distribution_of_the_charge_is_that_of_the_settled_state(space, number, n):
    generator = hops(space, n, 1)
    sums = conserved_sums(generator)
    assert len(sums) == 1
    difference = Disturbance(generator, settled_of(generator, 3), 7, sums).difference(number).dense()
    counts = {s: [np.diag([1.0, 0.0]), np.diag([0.0, 1.0])], bit: [np.diag([0.0, 1.0]), np.diag([1.0, 0.0])]}[space]
    for theta in np.linspace(0.0, np.pi, n + 2):  # <e^{i theta N}> fixes the distribution
        one = space.covector(counts[0]) * np.exp(1j * theta) + space.covector(counts[1])
        assert abs(functools.reduce(np.kron, [one] * n) @ difference) < 1e-12
    assert np.abs(difference).max() > 0.01


@pytest.mark.parametrize("number", [0, 1])
def test_sites_that_carry_no_charge_are_disturbed_freely(number):
    chain = Lindbladian([s] * 4)
    chain.hamiltonian(s.Z(0))
    for i in (1, 2, 3):
        chain.jump(s.Sm(i), rate=1.0)
    chain.hamiltonian(s.X(1) * s.X(2) + s.X(2) * s.X(3))
    generator = chain.generator()
    sums, trace = conserved_sums(generator), generator.functionals["trace"]
    difference = Disturbance(generator, settled_of(generator, 1), 5, sums).difference(number).dense().reshape((4,) * 4)
    for site in range(4):
        left = difference
        for other in reversed([i for i in range(4) if i != site]):
            left = np.tensordot(left, trace[other], (other, 0))
        assert_allclose(left[[0, 3] if site == 0 else [0]], 0, atol=1e-12)
        assert np.abs(left).max() > 0.1


def test_neutral_directions_leave_the_rest_alone():
    generator = hops(s, 4, 1)
    neutral = [np.diag([1.0, 0.0, 0.0, 1.0])] * 4
    difference = (
        Disturbance(generator, settled_of(generator, 2), 1, (), neutral).difference(0).dense().reshape((4,) * 4)
    )
    for axis in range(4):
        assert_allclose(np.take(difference, [1, 2], axis), 0, atol=1e-14)
    assert np.abs(difference).max() > 0.01


@pytest.mark.parametrize("seed", range(10))
def test_a_slow_density_has_its_share_of_every_kick(seed):
    """Whatever the seed, the densities of a staggered kick are no smaller than four tenths of it."""
    generator, trace = hops(s, 6, 0), s.trace
    settled = [np.outer(trace, trace) / trace.dot(trace) ** 2] * 5
    directions = [Disturbance(generator, settled, seed)._directions(number) for number in (1, 3)]
    z = s.covector(s.Z.matrix).real
    for staggered in directions:
        shares = [(-1) ** i * z @ d for i, d in enumerate(staggered)]
        assert abs(np.mean(shares)) > 0.4
    first, second = (np.array(d) * (-1.0) ** np.arange(6)[:, None] for d in directions)
    flips = [s.covector(o.matrix).real for o in (s.X, s.Y)]
    one, other = ([c @ d.mean(axis=0) for c in flips] for d in (first, second))
    assert abs(np.dot(one, other)) < 0.35 * np.linalg.norm(one) * np.linalg.norm(other) + 0.1
