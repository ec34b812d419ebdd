"""Random small chains of many kinds, with exact answers: what a certificate is held against.

`KINDS` holds the kinds by name. `Drawn(kind=..., n=..., seed=...)` is a model: the same three values give the same
chain. `Truth.of(model, start)` is its steady state by dense linear algebra; where there are several, the one that
belongs to the start. `benchmarks.calibration` runs the engine on them, and the tests run a few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tnness import (
    Lindbladian,
    LocalSpace,
    Observable,
    bit,
    boson,
    classical,
    expectation,
    spin_half,
    spin_one,
    spinless,
)
from tnness.engines.exact import steady_vector
from tnness.engines.initial import parse_initial
from tnness.engines.starting import density_operator
from tnness.network.dense_view import DenseView
from tnness.observables.observable import measured
from tnness.operators.terms import LocalOperator, Operator
from tnness.streams import stream

Rng = np.random.Generator
Build = Callable[[int, Rng], Lindbladian]
NULL = 1e-9
"""An eigenvalue below this, relative to the largest, counts as 0."""
s, b, f, one = spin_half, bit, spinless, spin_one


@dataclass(frozen=True)
class Kind:
    """A kind of chain.

    build: draws one of n sites. sizes: the lengths that have a quick exact answer, the usual ones repeated.
    unique: whether there is one steady state.
    """

    build: Build
    sizes: tuple[int, ...]
    unique: bool = True


SPINS, BITS, LARGE = (3, 4, 4, 5, 5, 6), (3, 4, 5, 6, 7, 8, 8), (3, 3, 3, 4)
KINDS: dict[str, Kind] = {}


def kind(name: str, sizes: tuple[int, ...] = SPINS, unique: bool = True) -> Callable[[Build], Build]:
    """Add a kind of chain."""

    def keep(build: Build) -> Build:
        KINDS[name] = Kind(build, sizes, unique)
        return build

    return keep


def decades(rng: Rng, low: float, high: float) -> float:
    """Return a number whose logarithm is uniform: between 10^low and 10^high."""
    return float(10 ** rng.uniform(low, high))


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A chain of one of the KINDS.

    The observables are every one-site operator of its space by name, products on neighbours, and currents.
    """

    kind: str  # name in KINDS
    n: int  # sites
    seed: int  # of the random numbers

    def problem(self) -> Lindbladian:
        """Return the chain."""
        return KINDS[self.kind].build(self.n, stream(self.seed, f"calibration {self.kind}", self.n))

    def observables(self) -> dict[str, Observable]:
        """Return what is measured."""
        spaces = self.problem().spaces
        local, pairs = _measured_on(spaces[0])
        one_site = {name: expectation([o(i) for i in range(self.n)], "site") for name, o in local.items()}
        bonds = range(self.n - 1)
        return one_site | {name: expectation([pair(i) for i in bonds], "bond") for name, pair in pairs.items()}

    def start(self, rng: Rng) -> str | None:
        """Return a random start: every level of every site with equal chances, or the identity (None)."""
        levels = [space.levels for space in self.problem().spaces]
        digits = "".join(str(rng.integers(d)) for d in levels)
        return f"product:{digits}" if rng.random() < 0.5 else None


def _measured_on(space: LocalSpace) -> tuple[dict[str, LocalOperator], dict[str, Callable[[int], Operator]]]:
    """Return the one-site operators, and the operators on sites i and i + 1, that are measured on a space."""
    if space is spin_half:
        return {"x": s.X, "y": s.Y, "z": s.Z}, {
            "xx": lambda i: s.X(i) * s.X(i + 1),
            "zz": lambda i: s.Z(i) * s.Z(i + 1),
            "current": lambda i: s.X(i) * s.Y(i + 1) - s.Y(i) * s.X(i + 1),
        }
    if space is spin_one:
        return {"sx": one.Sx, "sz": one.Sz}, {
            "szsz": lambda i: one.Sz(i) * one.Sz(i + 1),
            "current": lambda i: one.Sx(i) * one.Sy(i + 1) - one.Sy(i) * one.Sx(i + 1),
        }
    if space is spinless:
        return {"n": f.N}, {
            "nn": lambda i: f.N(i) * f.N(i + 1),
            "hop": lambda i: f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i),
            "current": lambda i: 1j * (f.Cd(i + 1) * f.C(i) - f.Cd(i) * f.C(i + 1)),
        }
    if not space.quantum:
        return {"n": space.N}, {
            "nn": lambda i: space.N(i) * space.N(i + 1),
            "step": lambda i: space.N(i) - space.N(i) * space.N(i + 1),
        }
    return {"n": space.N}, {
        "nn": lambda i: space.N(i) * space.N(i + 1),
        "hop": lambda i: space.Bd(i) * space.B(i + 1) + space.Bd(i + 1) * space.B(i),
        "current": lambda i: 1j * (space.Bd(i + 1) * space.B(i) - space.Bd(i) * space.B(i + 1)),
    }


# ---------------------------------------------------------------- exact answers


@dataclass(frozen=True)
class Truth:
    """The exact steady state of a chain.

    values: of the observables. gap: the slowest rate at which it is reached (1 / time). unique: whether every start
    leads to it. oscillates: whether undamped oscillations remain from this start; `values` are then their averages.
    """

    values: dict[str, NDArray[np.float64]]
    gap: float
    unique: bool = True
    oscillates: bool = False

    @classmethod
    def of(cls, model: Drawn, start: str | None = None) -> Truth:
        """Return the steady state of a model: where it is not unique, the one that belongs to a start."""
        generator = model.problem().generator()

        def values(vector: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            view = DenseView(vector, generator.spaces, generator.functionals)
            return {name: np.asarray(e.value) for name, e in measured(model.observables(), view).items()}

        if KINDS[model.kind].unique:
            steady = steady_vector(generator)
            return cls(values(steady.vector), steady.gap)
        first = density_operator(parse_initial(start), generator).dense()
        last, gap, oscillates = limit(generator.matrix().toarray(), first)
        return cls(values(last), gap, False, oscillates)


def limit(matrix: NDArray[np.float64], start: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, bool]:
    """Return the average of exp(G t) v over all late times, the gap, and whether undamped oscillations remain.

    With left and right eigenvectors l_k, r_k of the eigenvalue 0: sum_kl r_k (l r)^-1_kl l_l v.
    """
    rates, left, right = scipy.linalg.eig(matrix, left=True, right=True)  # type: ignore[misc]  # it returns three
    small = NULL * np.abs(rates).max()
    null, undamped = np.abs(rates) < small, np.abs(rates.real) < small

    def part(which: NDArray[np.bool_]) -> NDArray[np.complex128]:
        overlaps = left[:, which].conj().T @ right[:, which]
        return right[:, which] @ np.linalg.lstsq(overlaps, left[:, which].conj().T @ start, rcond=1e-10)[0]

    last = part(null)
    remains = np.linalg.norm(part(undamped) - last) > 1e-8 * np.linalg.norm(last) if (undamped & ~null).any() else False
    return last.real, float(-rates.real[~undamped].max(initial=-math.inf)), bool(remains)


# ---------------------------------------------------------------- pieces of chains


def xyz(chain: Lindbladian, couplings: Sequence[Sequence[float]]) -> None:
    """Add J_x XX + J_y YY + J_z ZZ on each bond."""
    for i, (x, y, z) in enumerate(couplings):
        chain.hamiltonian(x * s.X(i) * s.X(i + 1) + y * s.Y(i) * s.Y(i + 1) + z * s.Z(i) * s.Z(i + 1))


def xxz(chain: Lindbladian, coupling: float, delta: float) -> None:
    """Add the same J (XX + YY + delta ZZ) on each bond."""
    xyz(chain, [(coupling, coupling, coupling * delta)] * (chain.n - 1))


def fields(chain: Lindbladian, rng: Rng, strength: float) -> None:
    """Add a random field along z on each site."""
    for i in range(chain.n):
        chain.hamiltonian(rng.uniform(-strength, strength) * s.Z(i))


def everywhere(chain: Lindbladian, operator: LocalOperator, rate: float) -> None:
    """Add one jump on each site."""
    for i in range(chain.n):
        chain.jump(operator(i), rate=rate)


def ends(chain: Lindbladian, rng: Rng, up: LocalOperator, down: LocalOperator, scale: float = 1.0) -> None:
    """Raise and lower at both ends, at four random rates."""
    for i in (0, chain.n - 1):
        chain.jump(up(i), rate=scale * rng.uniform(0.1, 1))
        chain.jump(down(i), rate=scale * rng.uniform(0.1, 1))


def hops(chain: Lindbladian, up: LocalOperator, down: LocalOperator, right: float, left: float) -> None:
    """Move a particle to an empty neighbour."""
    for i in range(chain.n - 1):
        chain.jump(down(i) * up(i + 1), rate=right)
        chain.jump(up(i) * down(i + 1), rate=left)


def rotated(rng: Rng) -> NDArray[np.complex128]:
    """Return a random unitary of one spin."""
    return np.linalg.qr(rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2)))[0]


# ---------------------------------------------------------------- spins 1/2


@kind("xyz-fields")
def _xyz_fields(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xyz(chain, rng.uniform(-1, 1, (n - 1, 3)).tolist())
    for i in range(n):
        chain.hamiltonian(rng.uniform(-1, 1) * s.X(i) + rng.uniform(-1, 1) * s.Z(i))
        for operator in (s.Sp, s.Sm, s.Z):
            chain.jump(operator(i), rate=rng.uniform(0, 0.6))
    return chain


@kind("any-pairs")
def _any_pairs(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        matrices = rng.standard_normal((4, 2, 2)) + 1j * rng.standard_normal((4, 2, 2))
        pair = LocalOperator("A", matrices[0])(i) * LocalOperator("B", matrices[1])(i + 1)
        chain.hamiltonian(0.3 * (pair + pair.dagger()))
        chain.jump(LocalOperator("L", matrices[2])(i) * LocalOperator("M", matrices[3])(i + 1), rate=0.1)
    return chain


@kind("xxz-ends")
def _xxz_ends(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, 0.5, rng.uniform(0, 1.5))
    ends(chain, rng, s.Sp, s.Sm)
    return chain


@kind("dephasing")
def _dephasing(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, rng.uniform(0.5, 1), rng.uniform(0, 1))
    everywhere(chain, s.Z, decades(rng, -1, 0.3))
    ends(chain, rng, s.Sp, s.Sm)
    return chain


@kind("random-fields")
def _random_fields(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, 0.5, 1.0)
    fields(chain, rng, rng.uniform(1, 3))
    ends(chain, rng, s.Sp, s.Sm)
    everywhere(chain, s.Z, decades(rng, -2, -1))
    return chain


@kind("pair-loss")
def _pair_loss(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, rng.uniform(0.3, 1), 0.0)
    for i in range(n - 1):
        chain.jump(s.Sm(i) * s.Sm(i + 1), rate=rng.uniform(0.2, 1))
    chain.jump(s.Sp(int(rng.integers(n))), rate=rng.uniform(0.1, 1))
    everywhere(chain, s.Z, 0.1)
    return chain


@kind("asymmetric-hops")
def _asymmetric_hops(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, rng.uniform(0.1, 0.6), rng.uniform(0, 1))
    hops(chain, s.Sp, s.Sm, 1.0, rng.uniform(0, 0.6))
    ends(chain, rng, s.Sp, s.Sm)
    return chain


@kind("quantum-ssep")
def _quantum_ssep(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    hops(chain, s.Sp, s.Sm, 1.0, 1.0)
    fields(chain, rng, 1.0)
    ends(chain, rng, s.Sp, s.Sm)
    return chain


@kind("quantum-east")
def _quantum_east(n: int, rng: Rng) -> Lindbladian:
    chain, drive = Lindbladian([s] * n), rng.uniform(0.3, 1)
    chain.hamiltonian(drive * s.X(0))
    for i in range(n - 1):
        chain.hamiltonian(drive * s.N(i) * s.X(i + 1))
        chain.jump(s.N(i) * s.Sm(i + 1), rate=rng.uniform(0.3, 1))
    chain.jump(s.Sm(0), rate=rng.uniform(0.3, 1))
    everywhere(chain, s.Sm, decades(rng, -2, -0.5))
    return chain


@kind("rydberg")
def _rydberg(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    drive, detuning, blockade = rng.uniform(0.3, 1.5), rng.uniform(-1, 1), rng.uniform(0.5, 4)
    for i in range(n):
        chain.hamiltonian(drive / 2 * s.X(i) + detuning * s.N(i))
        chain.jump(s.Sm(i), rate=rng.uniform(0.1, 1))
    for i in range(n - 1):
        chain.hamiltonian(blockade * s.N(i) * s.N(i + 1))
    everywhere(chain, s.N, rng.uniform(0, 0.5))
    return chain


@kind("dark-state")
def _dark_state(n: int, rng: Rng) -> Lindbladian:
    """A product of one-site states that every jump empties into, and that H leaves alone."""
    chain, bases = Lindbladian([s] * n), [rotated(rng) for _ in range(n)]
    other = [LocalOperator("Q", np.outer(u[:, 1], u[:, 1].conj())) for u in bases]
    for i, basis in enumerate(bases):
        chain.jump(LocalOperator("L", np.outer(basis[:, 0], basis[:, 1].conj()))(i), rate=decades(rng, -1.5, 0))
    for i in range(n - 1):
        chain.hamiltonian(rng.uniform(-1, 1) * other[i](i) * other[i + 1](i + 1))
        chain.hamiltonian(rng.uniform(-1, 1) * other[i](i))
    return chain


@kind("collective-loss")
def _collective_loss(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, 0.3, 0.5)
    for i in range(n - 1):
        phase = np.exp(2j * np.pi * rng.random())
        chain.jump(s.Sm(i) + phase * s.Sm(i + 1), rate=rng.uniform(0.2, 1))
    for i in range(n):
        chain.hamiltonian(rng.uniform(0.2, 1) * s.X(i))
    return chain


@kind("weak-bulk")
def _weak_bulk(n: int, rng: Rng) -> Lindbladian:
    chain, weak = Lindbladian([s] * n), decades(rng, -1.7, -0.5)
    xxz(chain, 0.25, 1.0)
    for i in range(n):
        chain.hamiltonian(rng.uniform(-1, 1) * s.Z(i) + rng.uniform(-0.5, 0.5) * s.X(i))
        for operator in (s.Sp, s.Sm, s.Z):
            chain.jump(operator(i), rate=weak * rng.uniform(0, 1))
    return chain


@kind("one-contact")
def _one_contact(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, rng.uniform(0.3, 1), rng.uniform(0, 1))
    chain.jump(s.Sp(0), rate=rng.uniform(0.2, 1))
    chain.jump(s.Sm(0), rate=rng.uniform(0.2, 1))
    for i in range(1, n):
        chain.jump(s.Z(i), rate=rng.uniform(0, 0.5))
    return chain


@kind("rates-over-decades")
def _rates_over_decades(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xyz(chain, [[decades(rng, -2, 0) for _ in range(3)] for _ in range(n - 1)])
    for i in range(n):
        chain.hamiltonian(decades(rng, -2, 0) * s.X(i))
        for operator in (s.Sp, s.Sm, s.Z):
            chain.jump(operator(i), rate=decades(rng, -3, 0))
    return chain


@kind("weak-link")
def _weak_link(n: int, rng: Rng) -> Lindbladian:
    chain, weak = Lindbladian([s] * n), int(rng.integers(n - 1))
    couplings = np.ones(n - 1)
    couplings[weak] = decades(rng, -2, -0.5)
    xyz(chain, [(c, c, 0.5 * c) for c in couplings])
    chain.jump(s.Sp(0), rate=1.0)
    for i in range(weak + 1, n):
        chain.jump(s.Z(i), rate=0.5)
    return chain


@kind("weak-contact")
def _weak_contact(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, rng.uniform(0.3, 1), rng.uniform(0, 1))
    everywhere(chain, s.Z, rng.uniform(0.1, 1))
    ends(chain, rng, s.Sp, s.Sm, decades(rng, -3.5, -0.5))
    return chain


@kind("dimer")
def _dimer(n: int, rng: Rng) -> Lindbladian:
    return _dimers(n, rng, decades(rng, -3, -1))


@kind("dimer-contact-1e-3")
def _dimer_contact(n: int, rng: Rng) -> Lindbladian:
    return _dimers(n, rng, 1e-3)


def _dimers(n: int, rng: Rng, contact: float) -> Lindbladian:
    """Strong and weak bonds in turn, and a weak contact at one end."""
    chain, weak = Lindbladian([s] * n), decades(rng, -1.5, -0.3)
    xyz(chain, [(c, c, 0.0) for c in [1.0 if i % 2 == 0 else weak for i in range(n - 1)]])
    everywhere(chain, s.Z, rng.uniform(0.1, 1))
    chain.jump(s.Sp(0), rate=contact)
    chain.jump(s.Sm(0), rate=contact * decades(rng, -1, 0))
    return chain


@kind("pair-loss-weak-contact")
def _pair_loss_weak_contact(n: int, rng: Rng) -> Lindbladian:
    return _pairs(n, rng, decades(rng, -3.5, -1))


@kind("pair-loss-contact-1e-3")
def _pair_loss_contact(n: int, rng: Rng) -> Lindbladian:
    return _pairs(n, rng, 1e-3)


def _pairs(n: int, rng: Rng, contact: float) -> Lindbladian:
    """Neighbours come and vanish together, which keeps the difference of the sublattices but for a weak contact."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(rng.uniform(0.2, 1) * s.Z(i) * s.Z(i + 1))
        chain.jump(s.Sm(i) * s.Sm(i + 1), rate=rng.uniform(0.5, 1))
        chain.jump(s.Sp(i) * s.Sp(i + 1), rate=rng.uniform(0.1, 1))
    chain.jump(s.Sp(0), rate=contact * rng.uniform(0.2, 1))
    chain.jump(s.Sm(0), rate=contact)
    return chain


# ---------------------------------------------------------------- other quantum sites


@kind("spin-one", LARGE)
def _spin_one(n: int, rng: Rng) -> Lindbladian:
    chain, angle = Lindbladian([one] * n), rng.uniform(0, 2 * np.pi)
    for i in range(n - 1):
        dot = one.Sx(i) * one.Sx(i + 1) + one.Sy(i) * one.Sy(i + 1) + one.Sz(i) * one.Sz(i + 1)
        chain.hamiltonian(0.5 * np.cos(angle) * dot + 0.3 * np.sin(angle) * dot * dot)
    ends(chain, rng, one.Sp, one.Sm, 0.5)
    everywhere(chain, one.Sz, decades(rng, -1, 0))
    return chain


@kind("bosons", LARGE)
def _bosons(n: int, rng: Rng) -> Lindbladian:
    mode = boson(2)
    chain, interaction = Lindbladian([mode] * n), rng.uniform(0, 2)
    for i in range(n):
        chain.hamiltonian(rng.uniform(-1, 1) * mode.N(i) + interaction / 2 * (mode.N(i) * mode.N(i) - mode.N(i)))
        chain.hamiltonian(rng.uniform(0, 0.6) * (mode.B(i) + mode.Bd(i)))
        chain.jump(mode.B(i), rate=rng.uniform(0.2, 1))
    for i in range(n - 1):
        chain.hamiltonian(0.4 * (mode.Bd(i) * mode.B(i + 1) + mode.Bd(i + 1) * mode.B(i)))
    return chain


@kind("fermions")
def _fermions(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([f] * n)
    hop, pairing, repulsion = rng.uniform(0.3, 1), rng.uniform(0, 0.8), rng.uniform(0, 1)
    for i in range(n - 1):
        move, pair = f.Cd(i) * f.C(i + 1), f.C(i) * f.C(i + 1)
        chain.hamiltonian(hop * (move + move.dagger()) + pairing * (pair + pair.dagger()))
        chain.hamiltonian(repulsion * f.N(i) * f.N(i + 1))
    for i in (0, n - 1):
        chain.jump(f.Cd(i), rate=rng.uniform(0, 1))
        chain.jump(f.C(i), rate=rng.uniform(0.1, 1))
    everywhere(chain, f.N, rng.uniform(0, 0.5))
    return chain


# ---------------------------------------------------------------- master equations


@kind("contact-process", BITS)
def _contact_process(n: int, rng: Rng) -> Lindbladian:
    chain, spread = Lindbladian([b] * n), rng.uniform(0.5, 3)
    for i in range(n - 1):
        chain.jump(b.N(i) * b.Sp(i + 1), rate=spread / 2)
        chain.jump(b.Sp(i) * b.N(i + 1), rate=spread / 2)
    everywhere(chain, b.Sm, 1.0)
    everywhere(chain, b.Sp, decades(rng, -4, -1))
    return chain


@kind("absorbing", BITS)
def _absorbing(n: int, rng: Rng) -> Lindbladian:
    chain, spread = Lindbladian([b] * n), rng.uniform(0.3, 2)
    for i in range(n - 1):
        chain.jump(b.N(i) * b.Sp(i + 1), rate=spread / 2)
        chain.jump(b.Sp(i) * b.N(i + 1), rate=spread / 2)
    everywhere(chain, b.Sm, 1.0)
    return chain


@kind("glauber", BITS)
def _glauber(n: int, rng: Rng) -> Lindbladian:
    """Each site copies or leaves its neighbour, as a bond of an Ising chain would have it."""
    chain, coupling, field = Lindbladian([b] * n), rng.uniform(-1.5, 1.5), rng.uniform(-0.5, 0.5)
    for i, k in [pair for j in range(n - 1) for pair in ((j, j + 1), (j + 1, j))]:
        for other, sign in ((b.N(i), 1), (1 - b.N(i), -1)):
            up = 1 / (1 + np.exp(-2 * (sign * coupling + field)))
            chain.jump(other * b.Sp(k), rate=up)
            chain.jump(other * b.Sm(k), rate=1 - up)
    return chain


@kind("voter", BITS)
def _voter(n: int, rng: Rng) -> Lindbladian:
    """Neighbours agree; the two ends hold different opinions, weakly."""
    chain = Lindbladian([b] * n)
    for i, k in [pair for j in range(n - 1) for pair in ((j, j + 1), (j + 1, j))]:
        chain.jump(b.N(i) * b.Sp(k), rate=0.5)
        chain.jump((1 - b.N(i)) * b.Sm(k), rate=0.5)
    chain.jump(b.Sp(0), rate=decades(rng, -2.5, 0))
    chain.jump(b.Sm(n - 1), rate=decades(rng, -2.5, 0))
    return chain


@kind("classical-east", BITS)
def _classical_east(n: int, rng: Rng) -> Lindbladian:
    chain, density = Lindbladian([b] * n), rng.uniform(0.1, 0.6)
    chain.jump(b.Sp(0), rate=density)
    chain.jump(b.Sm(0), rate=1 - density)
    for i in range(n - 1):
        chain.jump(b.N(i) * b.Sp(i + 1), rate=density)
        chain.jump(b.N(i) * b.Sm(i + 1), rate=1 - density)
    return chain


@kind("ssep", BITS)
def _ssep(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([b] * n)
    hops(chain, b.Sp, b.Sm, 1.0, 1.0)
    ends(chain, rng, b.Sp, b.Sm)
    return chain


@kind("asep", BITS)
def _asep(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([b] * n)
    hops(chain, b.Sp, b.Sm, 1.0, rng.choice([0.0, rng.uniform(0, 1)]))
    chain.jump(b.Sp(0), rate=rng.uniform(0.1, 1))
    chain.jump(b.Sm(n - 1), rate=rng.uniform(0.1, 1))
    return chain


@kind("ssep-weak-link", BITS)
def _ssep_weak_link(n: int, rng: Rng) -> Lindbladian:
    chain, weak = Lindbladian([b] * n), int(rng.integers(n - 1))
    for i in range(n - 1):
        rate = decades(rng, -3, -0.5) if i == weak else 1.0
        chain.jump(b.Sm(i) * b.Sp(i + 1), rate=rate)
        chain.jump(b.Sp(i) * b.Sm(i + 1), rate=rate)
    chain.jump(b.Sp(0), rate=1.0)
    chain.jump(b.Sm(0), rate=rng.uniform(0.1, 1))
    return chain


@kind("far-ends", BITS)
def _far_ends(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([b] * n)
    hops(chain, b.Sp, b.Sm, 1.0, rng.uniform(0.1, 0.9))
    chain.jump(b.Sp(0), rate=decades(rng, -4, -1))
    chain.jump(b.Sm(n - 1), rate=decades(rng, -4, -1))
    return chain


@kind("staggered", BITS)
def _staggered(n: int, rng: Rng) -> Lindbladian:
    return _created_pairs(n, rng, decades(rng, -3.5, -1))


@kind("staggered-contact-1e-3", BITS)
def _staggered_contact(n: int, rng: Rng) -> Lindbladian:
    return _created_pairs(n, rng, 1e-3)


def _created_pairs(n: int, rng: Rng, contact: float) -> Lindbladian:
    """Neighbours are created and destroyed together; a weak contact changes the difference of the sublattices."""
    chain = Lindbladian([b] * n)
    for i in range(n - 1):
        chain.jump(b.Sp(i) * b.Sp(i + 1), rate=rng.uniform(0.2, 1))
        chain.jump(b.Sm(i) * b.Sm(i + 1), rate=rng.uniform(0.2, 1))
    chain.jump(b.Sp(0), rate=contact)
    chain.jump(b.Sm(0), rate=contact * rng.uniform(0.1, 1))
    return chain


@kind("three-states", (3, 4, 5))
def _three_states(n: int, rng: Rng) -> Lindbladian:
    site = classical(3)
    chain = Lindbladian([site] * n)
    for i in range(n - 1):
        for left, right in ((1, 0), (2, 0), (2, 1)):
            swap = getattr(site, f"T{right}{left}")(i) * getattr(site, f"T{left}{right}")(i + 1)
            chain.jump(swap, rate=rng.uniform(0.2, 1))
            chain.jump(swap.dagger(), rate=rng.uniform(0, 0.5))
    for i in (0, n - 1):
        for to, start in ((1, 0), (2, 1), (0, 2)):
            chain.jump(getattr(site, f"T{to}{start}")(i), rate=rng.uniform(0.1, 1))
    return chain


# ---------------------------------------------------------------- several steady states


@kind("closed-dephasing", (3, 4), unique=False)
def _closed_dephasing(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([s] * n)
    xxz(chain, rng.uniform(0.3, 1), rng.uniform(0, 1))
    everywhere(chain, s.Z, rng.uniform(0.1, 1))
    return chain


@kind("closed-exclusion", (3, 4, 5, 6, 7), unique=False)
def _closed_exclusion(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([b] * n)
    hops(chain, b.Sp, b.Sm, 1.0, rng.uniform(0.1, 1))
    return chain


@kind("closed-pairs", (3, 4, 5, 6, 7), unique=False)
def _closed_pairs(n: int, rng: Rng) -> Lindbladian:
    chain = Lindbladian([b] * n)
    for i in range(n - 1):
        chain.jump(b.Sp(i) * b.Sp(i + 1), rate=rng.uniform(0.2, 1))
        chain.jump(b.Sm(i) * b.Sm(i + 1), rate=rng.uniform(0.2, 1))
    return chain


@kind("half-closed", (3, 4), unique=False)
def _half_closed(n: int, rng: Rng) -> Lindbladian:
    """The last two sites are apart from the others and from any bath: they oscillate for ever."""
    chain = Lindbladian([s] * n)
    for i, _ in enumerate(pairwise(range(n))):
        if i != n - 3:
            coupling = rng.uniform(0.3, 1)
            chain.hamiltonian(coupling * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)))
    fields(chain, rng, 1.0)
    for i in range(n - 2):
        chain.jump(s.Sp(i), rate=rng.uniform(0.1, 1))
        chain.jump(s.Sm(i), rate=rng.uniform(0.1, 1))
    return chain


def draw(name: str, seed: int, index: int) -> tuple[Drawn, Any]:
    """Return model number `index` of a kind, and the stream from which its run is drawn further."""
    rng = stream(seed, f"calibration run {name}", index)
    n = int(rng.choice(KINDS[name].sizes))
    return Drawn(kind=name, n=n, seed=int(rng.integers(2**31))), rng
