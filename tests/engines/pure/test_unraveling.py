"""Unravelings of one window: their averages are exact for any step, and their fluctuations are known in closed form."""

import numpy as np
import pytest
import scipy.linalg as linalg
from numpy.testing import assert_allclose

from tnness.engines.pure.unraveling import Diffusion, Jumps, Noise, kraus_of, windows_of
from tnness.errors import ModelError
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spin_one as o
from tnness.operators.basis import spinless as f
from tnness.problems.lindbladian import Lindbladian

RATES = (0.7, 0.4, 1.1)
START = np.array([0.6, 0.5j, np.sqrt(0.39)])


def spin_one_chain():
    chain = Lindbladian([o] * 2)
    for operator, rate in zip((o.Sm(0), o.Sp(0), o.Sz(0) + 0.3), RATES, strict=True):
        chain.jump(operator, rate=rate)
    return chain


def propagated(jumps, rates, length, rho):
    """exp(length D) rho by the matrix of D."""
    one = np.eye(len(rho))
    generator = sum(
        rate * (np.kron(m, m.conj()) - 0.5 * (np.kron(m.conj().T @ m, one) + np.kron(one, (m.conj().T @ m).T)))
        for m, rate in zip(jumps, rates, strict=True)
    )
    return (linalg.expm(length * generator) @ rho.ravel()).reshape(rho.shape)


def stepped(unraveling, vectors, length, streams):
    """Vectors (count, d) after one step of window 0, and what was done."""
    rho = np.einsum("ri,rj->rij", vectors, vectors.conj())
    drawn = np.array([unraveling.draw(stream) for stream in streams])
    turned = unraveling.turn(0, rho, unraveling.windows[0].rates(0.0), length, drawn, streams)
    assert turned is not None
    moved = np.einsum("rij,rj->ri", turned.matrices, vectors)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True), turned


def streams_of(count, seed):
    return [np.random.default_rng([seed, r]) for r in range(count)]


@pytest.mark.parametrize("length", [0.1, 1.5])
def test_kraus_operators_make_up_the_map(length):
    jumps = [j.matrix for j in windows_of(spin_one_chain())[0].jumps]
    kraus = kraus_of(jumps, np.array(RATES), length)
    rho = np.outer(START, START.conj())
    assert_allclose(np.einsum("kia,ab,kjb->ij", kraus, rho, kraus.conj()),
                    propagated(jumps, RATES, length, rho), atol=1e-13)  # fmt: skip
    assert_allclose(np.einsum("kai,kaj->ij", kraus.conj(), kraus), np.eye(3), atol=1e-13)


@pytest.mark.parametrize("kind", [Jumps, Diffusion])
@pytest.mark.parametrize("length", [0.1, 1.5])
def test_the_average_over_the_draws_is_exact_however_long_the_step(kind, length):
    """Within five standard errors of 4000 draws, for three jumps that do not commute."""
    unraveling, count = kind(windows_of(spin_one_chain())), 4000
    found, _ = stepped(unraveling, np.repeat(START[None], count, axis=0), length, streams_of(count, 5))
    draws = np.einsum("ri,rj->rij", found, found.conj())
    jumps = [j.matrix for j in unraveling.windows[0].jumps]
    wanted = propagated(jumps, RATES, length, np.outer(START, START.conj()))
    for part in (np.real, np.imag):
        error = part(draws).std(axis=0) / np.sqrt(count)
        assert (np.abs(part(draws.mean(axis=0) - wanted)) < 5 * error + 1e-12).all()


def test_jumps_happen_at_exponential_times():
    """Up decays to down once; from equal weights half of the states have nothing to lose."""
    chain = Lindbladian([s] * 2)
    chain.jump(s.Sm(0), rate=2.0)
    unraveling, count = Jumps(windows_of(chain)), 4000
    for vector, share in (([1, 0], 1.0), ([np.sqrt(0.5), np.sqrt(0.5)], 0.5)):
        _, turned = stepped(
            unraveling, np.repeat(np.array([vector], complex), count, axis=0), 0.3, streams_of(count, 2)
        )
        assert turned.jumps is not None
        assert set(turned.jumps) == {0, 1}
        assert abs(turned.jumps.mean() - share * (1 - np.exp(-0.6))) < 5 * 0.5 / np.sqrt(count)


def test_dephasing_by_jumps_measures_nothing_and_by_diffusion_as_quantum_state_diffusion_does():
    """dz = sqrt(2 rate) (1 - z^2) dW from z = 0 has z = tanh y, y an equal mixture of N(+-tau, tau), tau = 2 rate t."""
    chain = Lindbladian([s] * 2)
    chain.jump(s.Z(0), rate=0.5)
    steps, length, count = 40, 0.02, 3000
    squares = {}
    for kind in (Jumps, Diffusion):
        unraveling, streams = kind(windows_of(chain)), streams_of(count, 11)
        vectors = np.full((count, 2), np.sqrt(0.5), complex)
        for _ in range(steps):
            drawn = np.array([unraveling.draw(stream) for stream in streams])
            rho = np.einsum("ri,rj->rij", vectors, vectors.conj())
            turned = unraveling.turn(0, rho, np.array([0.5]), length, drawn, streams)
            if turned is not None:
                vectors = np.einsum("rij,rj->ri", turned.matrices, vectors)
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        squares[kind.name] = (np.abs(vectors[:, 0]) ** 2 - np.abs(vectors[:, 1]) ** 2) ** 2
    tau = 2 * 0.5 * steps * length
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    wanted = weights @ np.tanh(tau + np.sqrt(tau) * nodes) ** 2 / weights.sum()
    assert_allclose(squares["jumps"], 0, atol=1e-25)
    error = squares["diffusion"].std() / np.sqrt(count)
    assert abs(squares["diffusion"].mean() - wanted) < 4 * error
    assert wanted > 20 * error


def test_what_no_unraveling_takes():
    chain = Lindbladian([f] * 4)
    chain.jump(f.C(1))
    with pytest.raises(ModelError, match="odd in fermions and cannot diffuse"):
        Diffusion(windows_of(chain))
    chain = Lindbladian([s] * 4)
    chain.jump(s.Sm(0) * s.Sm(2))
    with pytest.raises(ModelError, match="acts on sites 0, 2: a trajectory takes jumps on one site or two neighbours"):
        windows_of(chain)


def test_noise_kicks_by_the_square_root_of_rate_and_time():
    chain = Lindbladian([f] * 2)
    chain.jump(2.0 * f.N(0), rate=0.25)
    noise = Noise(windows_of(chain))
    turned = noise.turn(0, None, np.array([0.25]), 0.16, np.array([[1.5]]), streams_of(1, 0))
    assert turned is not None
    occupied = int(np.argmax(np.diag(f.N.matrix).real))
    assert_allclose(turned.matrices[0, occupied, occupied], np.exp(-1.5j * 0.4))
