"""Quadratic Lindbladians recognised from their terms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.exact import Exact
from tnness.engines.fermions.quadratic import NotQuadratic, bilinear, quadratic
from tnness.engines.gaussian import Gaussian
from tnness.network.initial import product_state
from tnness.operators.basis import electron, spin_one
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spinless as f
from tnness.problems.lindbladian import Lindbladian

PHASE = np.exp(0.7j)


def fermions(n=4):
    """Complex hopping, fields, loss and gain at both ends, dephasing on two sites, one of them with an offset."""
    chain = Lindbladian([f] * n)
    for i in range(n - 1):
        hop = (1.0 + 0.3 * i) * PHASE**i * f.Cd(i) * f.C(i + 1)
        chain.hamiltonian(hop + hop.dagger())
        chain.hamiltonian((0.4 - 0.3 * i) * f.N(i))
    chain.jump(f.C(0), rate=0.3)
    chain.jump(f.Cd(n - 1), rate=0.7)
    chain.jump(f.N(1), rate=0.5)
    chain.jump(PHASE * f.N(2) + 0.6j, rate=0.9)
    return chain


def spins(n=4):
    """The same chain in spins: a hop is a pair of Paulis, a dephasing Z is 2n - 1."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        strength, angle = 1.0 + 0.3 * i, 0.7 * i
        along = s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)
        across = s.X(i) * s.Y(i + 1) - s.Y(i) * s.X(i + 1)
        chain.hamiltonian(0.5 * strength * (np.cos(angle) * along + np.sin(angle) * across))
        chain.hamiltonian((0.2 - 0.15 * i) * s.Z(i))
    chain.jump(s.Sm(0), rate=0.3)
    chain.jump(s.Sp(n - 1), rate=0.7)
    chain.jump(s.Z(1), rate=0.125)
    chain.jump(0.5 * PHASE * s.Z(2) + 0.6j + 0.5 * PHASE, rate=0.9)
    return chain


def test_hopping_fields_and_rates_are_read_from_fermions():
    form = quadratic(fermions())
    assert_allclose(np.diag(form.hamiltonian, 1), [(1.0 + 0.3 * i) * PHASE**i for i in range(3)], atol=1e-15)
    assert_allclose(form.hamiltonian, form.hamiltonian.conj().T, atol=0)
    assert_allclose(form.loss, np.diag([0.3, 0, 0, 0]))
    assert_allclose(form.gain, np.diag([0, 0, 0, 0.7]))
    assert_allclose(form.dephasing, [0, 0.5, 0.9, 0])


def test_spins_are_the_same_fermions():
    first, second = quadratic(fermions()), quadratic(spins())
    for name in ("hamiltonian", "loss", "gain", "dephasing"):
        assert_allclose(getattr(second, name), getattr(first, name), atol=1e-14, err_msg=name)


@pytest.mark.parametrize("chain", [fermions(), spins()], ids=["fermions", "spins"])
def test_evolution_equals_the_density_matrix(chain):
    """Every convention at once: hop phases, strings, ends, the field that a jump's offset makes."""
    space, occupied = chain.spaces[0], int(chain.spaces[0] is f)
    fillings = [1, 0, 0, 1]
    digits = "".join(str(occupied if filled else 1 - occupied) for filled in fillings)
    start = product_state(chain.spaces, [np.diag(np.eye(2)[int(d)]) for d in digits])
    run = Exact().init(chain.generator(), start)
    lower, upper = (space.C, space.Cd) if space is f else (space.Sm, space.Sp)
    operators = [space.N(i) for i in range(4)]
    operators += [
        factor * upper(i) * lower(i + 1) + np.conj(factor) * upper(i + 1) * lower(i)
        for i in range(3)
        for factor in (1, 1j)
    ]
    for time, view in Gaussian().solve(chain, initial=f"product:{digits}", times=[0.0, 0.7, 2.0]).views:
        while run.time < time:
            run.step(time)
        dense = run.view()
        assert_allclose([view.expect(o) for o in operators], [dense.expect(o) for o in operators], atol=1e-8)


def hamiltonian(term):
    chain = Lindbladian([s] * 3)
    chain.hamiltonian(term)
    return chain


def jump(term, space=s):
    chain = Lindbladian([space] * 3)
    chain.jump(term)
    return chain


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (
            hamiltonian(s.X(0) * s.X(1) + s.Y(0) * s.Y(1) + 0.5 * s.Z(0) * s.Z(1)),
            r"0.5 Z\(0\) Z\(1\) is an interaction",
        ),
        (hamiltonian(s.X(1) * s.X(2)), r"X\(1\) X\(2\) makes or destroys pairs"),
        (hamiltonian(s.X(1)), r"X\(1\) is not quadratic"),
        (jump(s.Sm(1)), "Jordan-Wigner string"),
        (jump(s.X(0)), r"adds c and c\^\+"),
        (jump(s.Sm(0) + s.Sm(1)), "Jordan-Wigner string"),
        (jump(f.C(0) + 0.5 * f.Cd(1), f), r"adds c and c\^\+.*use engine 'tebd'"),
        (jump(f.N(0) + 1j * f.N(1), f), "different phases, which interact"),
        (jump(electron.Nu(0) * electron.Nd(0), electron), "no sum of c"),
        (jump(s.Sm(0) * s.Sp(1)), "no sum of c, of c\\^\\+ or of n"),
        (jump(s.Sm(0) + 0.5), "adds a constant"),
        (jump(spin_one.Sz(0), spin_one), "site 0 is a spin-1"),
        (jump(s.N(0)).generator(), "a Lindbladian is needed"),
    ],
)
def test_what_is_not_quadratic_is_refused_with_its_term(chain, reason):
    with pytest.raises(NotQuadratic, match=reason):
        quadratic(chain)


def test_interactions_that_cancel_are_none():
    chain = hamiltonian(s.X(0) * s.X(1) + s.Y(0) * s.Y(1) + 0.5 * s.Z(0) * s.Z(1))
    chain.hamiltonian(-0.5 * s.Z(0) * s.Z(1) + s.Z(0))
    assert_allclose(np.diag(quadratic(chain).hamiltonian), [2, 0, 0], atol=1e-15)


def test_an_observable_beyond_two_operators_is_named():
    with pytest.raises(NotQuadratic, match="no hop, density or product"):
        bilinear(s.X(0) * s.X(2), (s, s, s))
