"""`Circuit`: local maps drawn at random, one after another, on a chain between two reservoirs.

A gate on bond k acts on sites k - 1 and k; on bonds 0 and n it acts on an end site and on a fresh spin of the
reservoir, which is thrown away afterwards:

    rho -> Tr_0 [U (rho_left x rho) U^+],   rho -> Tr_{n+1} [U (rho x rho_right) U^+].

A trajectory is one sequence of gates. The seed alone fixes it: it is the same on every engine, in one run or in
several pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.digest.content import digest
from tnness.errors import InputError
from tnness.operators.basis import LocalSpace, product_elements
from tnness.problems.ensembles import GateEnsemble
from tnness.problems.need import sites_known
from tnness.typed import check_fields

Array = NDArray[Any]
Real = NDArray[np.float64]

DRAWN = 4096
"""Number of gates that are drawn at once; each such block has its own random generator."""
STREAM = 2
"""Number of the child of the seed from which gates are drawn."""
SAMPLED, SAMPLES = 40, 1024
"""Default number of gates of a trajectory, in units of (bonds)^3, and of its samples."""
DEVIATION = 1e-10
"""Deviations of matrices from unitary, Hermitian, positive or trace 1 that are below this count as 0."""


@dataclass(frozen=True)
class GateSequence:
    """Unitaries in the order in which they act.

    bonds: bond of each gate, 0 to n: (gates,).
    unitaries: on two neighbours of d levels, left one major: (gates, d^2, d^2).
    """

    bonds: NDArray[np.int64]
    unitaries: Array

    def __len__(self) -> int:
        return len(self.bonds)

    def __getitem__(self, part: slice) -> GateSequence:
        return GateSequence(self.bonds[part], self.unitaries[part])


@dataclass(frozen=True, eq=False)
class Circuit:
    """The law of a random circuit.

    Parameters
    ----------
    spaces: local space of each of the n >= 2 sites, all alike. In a quantum space gates act on density matrices; in a
        classical one every gate is followed by a measurement of both sites: populations p -> |U|^2 p.
    gates: unitaries of two neighbours, left one major.
    left, right: state of the reservoirs' spins, (d, d) or their populations (d,); None for an end without reservoir.
    placement: "random" puts each gate on a bond drawn uniformly; "layers" puts gates on all even bonds, then on all
        odd bonds, and so on. Unit time is one gate per bond.
    channel: Kraus operators (count, d, d) that act on both spins of a bond after every gate: noise, resets,
        measurements; default none.
    steps: gates of a trajectory whose averages stand for the steady state; default 40 (bonds)^3, two hundred times the
        relaxation of diffusive modes. settle: gates before the averages begin; default a fifth of the steps.
    every: gates between two samples; default such that there are about a thousand.

    Raises
    ------
    InputError: sites of several kinds, gates that do not fit them, a reservoir without a density matrix, a channel that
        does not conserve the trace, numbers of steps that make no sense.
    """

    form: ClassVar[str] = "circuit"
    """The kind of problem."""

    spaces: Sequence[LocalSpace]
    gates: GateEnsemble
    left: ArrayLike | None = None
    right: ArrayLike | None = None
    placement: Literal["random", "layers"] = "random"
    channel: ArrayLike | None = None
    steps: int | None = None
    settle: int | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, "a circuit")
        if self.n < 2 or len(set(self.spaces)) > 1:
            raise InputError(f"a circuit takes a chain of at least 2 sites, all alike, got {self.spaces}")
        sites_known(self)
        space = self.spaces[0]
        if self.gates.unitaries.shape[1] != space.levels**2:
            raise InputError(
                f"gates on two sites of {space.levels} levels are {space.levels**2} x {space.levels**2} matrices, "
                f"got {self.gates.unitaries.shape[1]} rows"
            )
        if self.placement not in ("random", "layers"):
            raise InputError(f"placement = {self.placement!r} is not one of random, layers")
        for name in ("left", "right"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else _density(name, given, space))
        if self.channel is not None:
            kraus = np.asarray(self.channel, complex)
            if kraus.ndim != 3 or kraus.shape[1:] != (space.levels,) * 2:
                raise InputError(f"a channel has Kraus operators (count, {space.levels}, {space.levels})")
            if np.abs(np.einsum("kba,kbc->ac", kraus.conj(), kraus) - np.eye(space.levels)).max() > DEVIATION:
                raise InputError("the channel does not conserve the trace: sum K^+ K is not 1")
            object.__setattr__(self, "channel", kraus)
        self._check_sampling()

    def _check_sampling(self) -> None:
        """Check steps, settle and every, and fill in their defaults."""
        steps = SAMPLED * len(self.bonds) ** 3 if self.steps is None else self.steps
        if steps < 1:
            raise InputError(f"steps = {steps}: a trajectory has at least 1 gate")
        settle = steps // 5 if self.settle is None else self.settle
        if not 0 <= settle < steps:
            raise InputError(f"settle = {settle}: averages begin after 0 to {steps - 1} of {steps} gates")
        every = self._apart(steps - settle) if self.every is None else self.every
        if not 1 <= every <= steps - settle:
            raise InputError(f"every = {every}: samples are 1 to {steps - settle} gates apart")
        for name, value in (("steps", steps), ("settle", settle), ("every", every)):
            object.__setattr__(self, name, int(value))

    def _apart(self, steps: int) -> int:
        """Return the gates between two of about SAMPLES samples; layers are sampled after whole periods only."""
        every, period = max(1, steps // SAMPLES), len(self.bonds)
        return every if self.placement == "random" or steps < period else -(-every // period) * period

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.spaces)

    @property
    def samples(self) -> range:
        """The numbers of gates after which the steady state is sampled."""
        steps, settle, every = (int(value or 0) for value in (self.steps, self.settle, self.every))
        return range(settle + every, steps + 1, every)

    @property
    def relaxation(self) -> float:
        """Gates in which the slowest mode of diffusion by exchanges of neighbours decays by e: 2 (bonds)^3 / pi^2."""
        return 2 * len(self.bonds) ** 3 / np.pi**2

    @cached_property
    def bonds(self) -> range:
        """The bonds on which gates act."""
        return range(0 if self.left is not None else 1, self.n + 1 if self.right is not None else self.n)

    def summary(self) -> str:
        """Return what the problem is, in one line."""
        ends = sum(end is not None for end in (self.left, self.right))
        where = "at random" if self.placement == "random" else "in layers"
        kind = "" if self.spaces[0].quantum else ", measured after every gate"
        return f"circuit of random gates on {self.n} sites and {ends} reservoirs, placed {where}{kind}"

    def digest(self) -> str:
        """Return a hash of the law: gates, reservoirs, channel, places, and the gates after which it is sampled."""
        ends, sampling = (self.left, self.right), (self.steps, self.settle, self.every)
        return digest("circuit", self.spaces, self.gates, ends, self.placement, self.channel, sampling)

    def count(self, time: float) -> int:
        """Return the number of gates up to a time; unit time is one gate per bond."""
        return round(time * len(self.bonds))

    def draw(self, seed: int, block: int) -> GateSequence:
        """Return the gates number block * DRAWN to (block + 1) * DRAWN - 1 of a trajectory.

        Raises
        ------
        InputError: a gate that is not unitary.
        """
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM, block)))
        numbers = np.arange(block * DRAWN, (block + 1) * DRAWN)
        if self.placement == "random":
            bonds = rng.integers(self.bonds.start, self.bonds.stop, DRAWN)
        else:
            order = np.array([*self.bonds[::2], *self.bonds[1::2]])
            bonds = order[numbers % len(order)]
        unitaries = self.gates.sample(rng, DRAWN)
        _check_unitary(unitaries)
        return GateSequence(bonds, unitaries)

    def trajectory(self, seed: int) -> Trajectory:
        """Return the sequence of gates of a seed."""
        return Trajectory(self, seed)

    def maps(self, gates: GateSequence) -> list[Real]:
        """Return the gates as real matrices on the coefficients of the sites: (D^2, D^2), (D, D) of bonds 0 and n.

        Raises
        ------
        InputError: a gate that is not unitary.
        """
        _check_unitary(gates.unitaries)
        both = superoperators(gates.unitaries, self.spaces[0])
        if self.channel is not None:
            single = _channel(np.asarray(self.channel), self.spaces[0])
            both = np.kron(single, single) @ both
        return [self._at(int(bond), matrix) for bond, matrix in zip(gates.bonds, both, strict=True)]

    def _at(self, bond: int, matrix: Real) -> Real:
        """Return the map of a gate on a bond. At an end it adds a fresh spin and traces it out after the gate."""
        space = self.spaces[0]
        if 0 < bond < self.n:
            return matrix
        pair = matrix.reshape((space.dim,) * 4)
        fresh = space.vector(np.asarray(self.left if bond == 0 else self.right))
        if bond == 0:
            return np.tensordot(np.tensordot(space.trace, pair, 1), fresh, (1, 0))
        return np.tensordot(np.tensordot(pair, fresh, 1), space.trace, (1, 0))


class Trajectory:
    """One sequence of gates."""

    def __init__(self, law: Circuit, seed: int) -> None:
        self.law, self.seed = law, seed
        self._block, self._drawn = -1, GateSequence(np.zeros(0, int), np.zeros((0, 0, 0)))

    def gates(self, start: int, stop: int) -> Iterator[GateSequence]:
        """Yield the gates number start..stop-1, in pieces."""
        for block in range(start // DRAWN, -(-stop // DRAWN)):
            if block != self._block:
                self._block, self._drawn = block, self.law.draw(self.seed, block)
            first = block * DRAWN
            yield self._drawn[max(start - first, 0) : min(stop - first, DRAWN)]


def superoperators(unitaries: Array, space: LocalSpace) -> Real:
    """Return U . U^+ on two sites as real matrices, output first: (..., D^2, D^2).

    In a classical space the sites are measured after the gate: |U_st|^2.

    >>> from tnness.operators.basis import bit
    >>> superoperators(np.eye(4)[[0, 2, 1, 3]], bit).tolist()[1]
    [0.0, 0.0, 1.0, 0.0]
    """
    if not space.quantum:
        return np.abs(unitaries) ** 2
    elements = product_elements((space, space))  # (D^2, d^2, d^2)
    flat = elements.reshape(len(elements), -1)
    kraus = np.asarray(unitaries)
    rotated = kraus[..., None, :, :] @ elements @ kraus.conj().swapaxes(-1, -2)[..., None, :, :]
    rows = rotated.reshape(*kraus.shape[:-2], *flat.shape) @ flat.conj().T  # (..., input, output)
    return np.ascontiguousarray(rows.real.swapaxes(-1, -2))


def _check_unitary(unitaries: Array) -> None:
    excess = np.abs(unitaries.conj().swapaxes(-1, -2) @ unitaries - np.eye(unitaries.shape[-1]))
    if excess.max(initial=0.0) > DEVIATION:
        raise InputError(f"gate {int(excess.max((1, 2)).argmax())} of a trajectory is not unitary: U^+ U is not 1")


def _channel(kraus: Array, space: LocalSpace) -> Real:
    """Return the channel of one site as a matrix: (D, D)."""
    if not space.quantum:
        return np.sum(np.abs(kraus) ** 2, axis=0)
    images = np.einsum("kab,mbc,kdc->mad", kraus, space.elements, kraus.conj())
    return np.einsum("nab,mba->nm", space.elements, images).real


def _density(name: str, given: ArrayLike, space: LocalSpace) -> Array:
    matrix = np.asarray(given, complex)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.shape != (space.levels,) * 2:
        raise InputError(f"the state of the {name} reservoir has shape {matrix.shape}, its sites {space.levels} levels")
    hermitian = np.abs(matrix - matrix.conj().T).max() < DEVIATION
    if not (hermitian and abs(np.trace(matrix) - 1) < DEVIATION and np.linalg.eigvalsh(matrix)[0] > -DEVIATION):
        raise InputError(f"the {name} reservoir's spins are in no state: a density matrix of trace 1 is needed")
    return matrix
