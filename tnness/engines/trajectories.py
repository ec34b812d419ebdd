"""Trajectories of pure states under white noise, many realizations at once.

The states are Gaussian if the problem is quadratic, and matrix-product states otherwise. The noise of realization r
depends only on the seed and on r, so both forms of a state see the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from tnness.engines.ask import Ask, Start
from tnness.engines.fermions.quadratic import NotQuadratic, Quadratic, quadratic
from tnness.engines.fermions.states import MIXED, PURE, initial_orbitals
from tnness.engines.fermions.trajectories import GaussianTrajectories
from tnness.engines.fermions.view import GaussianView
from tnness.engines.initial import Initial
from tnness.engines.protocol import Engine, Report, Run
from tnness.engines.pure.ground import ground_state
from tnness.engines.pure.trajectories import MPSTrajectories
from tnness.engines.pure.trajectory_view import TrajectoryView
from tnness.engines.pure.view import PureView
from tnness.engines.registry import register_engine
from tnness.engines.starting import amplitudes_on
from tnness.errors import InputError, ModelError
from tnness.memory import Need
from tnness.network.chain_state import ChainState
from tnness.network.truncation import Truncation
from tnness.operators.basis import LocalSpace
from tnness.problems.lindbladian import Lindbladian
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import COMPLETE, Told
from tnness.stopping.protocol import Rule
from tnness.streams import stream

PIECE = {"gaussian": 4096, "mps": 8}
"""Time steps between two reports."""
DROPPED_PER_TRAJECTORY = 1e-6
"""Weight dropped in a whole trajectory above which truncation counts as the dominant error."""


MOST_REALIZATIONS = 1_000_000
"""Most realizations of the noise in one run: each has a state of its own, and all of them make a step together."""


@register_engine("trajectories")
@dataclass(frozen=True, kw_only=True)
class Trajectories(Engine):
    """Settings of the engine.

    Parameters
    ----------
    realizations: number of realizations of the noise (default 10).
    dt: time step (default 0.1); averages are second order in it.
    method: "gaussian", "mps", or "auto" (default): gaussian where the problem is quadratic.
    chi, cutoff, truncation: truncation of matrix-product states (defaults 64, 1e-12 and svd; see `Truncation`).
    substeps: Trotter steps of fourth order in a time step of matrix-product states (default 1).
    """

    realizations: int = 10  # realizations of the noise
    dt: float = 0.1  # time step [time]
    method: Literal["auto", "gaussian", "mps"] = "auto"  # auto, mps, or gaussian, which needs a quadratic problem
    chi: int = 64  # largest bond dimension
    cutoff: float = 1e-12  # discarded weight that is always acceptable
    truncation: str = "svd"  # how bonds are truncated
    substeps: int = 1  # Trotter steps in a time step of matrix-product states

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("realizations", "substeps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)!r}: an integer >= 1 is needed")
        if self.realizations > MOST_REALIZATIONS:
            raise InputError(f"realizations = {self.realizations}: at most {MOST_REALIZATIONS:,} go in one run")
        if not self.dt > 0:
            raise InputError(f"dt = {self.dt!r}: the time step is a finite number > 0")
        self._bonds()

    def _bonds(self) -> Truncation:
        return Truncation(chi=self.chi, cutoff=self.cutoff, method=self.truncation)

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the states of all realisations need."""
        spaces = getattr(problem, "spaces", ())
        if not spaces:
            return None
        n = len(spaces)
        matrices = 0 if self.method == "mps" else 2 * n**2  # its quadratic form is looked for
        what = f"{self.realizations} realizations of {n} sites"
        return Need(16.0 * (matrices + n * self.realizations), what, "lower n or realizations")

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run at time 0. Its initial state must be pure: a product, a ground state, or amplitudes."""
        form, noises = self._form_of(problem, start), self._noises(start.seed)
        if form is None:
            system = MPSTrajectories(problem, _amplitudes(problem, start.initial), noises, self._bonds(), self.substeps)
            return TrajectoryRun(MatrixProducts(system, problem.spaces), self.dt, PIECE["mps"])
        occupied = initial_orbitals(start.initial, form, problem.spaces)
        return TrajectoryRun(Orbitals.begin(form, occupied, noises, problem.spaces), self.dt, PIECE["gaussian"])

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        form, noises = self._form_of(problem, start), self._noises(start.seed)
        if form is None:
            state = ChainState.product([np.eye(space.levels)[0] for space in problem.spaces], dtype=complex)
            system = MPSTrajectories(problem, state, noises, self._bonds(), self.substeps)
            run = TrajectoryRun(MatrixProducts(system, problem.spaces), self.dt, PIECE["mps"])
        else:
            columns = snapshot.arrays["orbitals"].shape[1] // self.realizations
            occupied = np.zeros((form.n, columns - len(Orbitals.followed(form))))
            run = TrajectoryRun(Orbitals.begin(form, occupied, noises, problem.spaces), self.dt, PIECE["gaussian"])
        run.load(snapshot)
        return run

    def rule(self, run: TrajectoryRun, start: Start) -> Rule:
        """Return a stopping rule that takes outcome and figures from the run itself."""
        return Told(run.system.verdict, run.figures)

    def _noises(self, seed: int) -> list[np.random.Generator]:
        """Return the random generator of each realization, the same for both forms of a state."""
        return [stream(seed, "noise", number) for number in range(self.realizations)]

    def _form_of(self, problem: Any, start: Start) -> Quadratic | None:
        """Return the quadratic form of the problem if its states are to be Gaussian, else None."""
        if start.steady:
            raise InputError("a trajectory has no steady state: give times")
        if not isinstance(problem, Lindbladian):
            raise ModelError(f"engine 'trajectories' takes a Lindbladian, got a {type(problem).__name__}")
        if self.method == "mps":
            return None
        try:
            form = quadratic(problem)
        except NotQuadratic:
            if self.method == "gaussian":
                raise
            return None
        if form.n != problem.n or form.shared is not None:
            if self.method == "gaussian":
                raise ModelError("orbitals under noise take one mode a site, each with noise of its own: method 'mps'")
            return None
        if not form.conserving:
            raise ModelError("a trajectory of white noise keeps its particles; this problem has jumps that do not")
        return form


class Realizations(Protocol):
    """The states of all realizations of the noise, in one of two forms."""

    def advance(self, length: float, steps: int) -> None:
        """Evolve by a time, in a number of equal steps."""
        ...

    def view(self) -> TrajectoryView:
        """Return a view of all realizations."""
        ...

    def figures(self) -> dict[str, float]:
        """Return their figures for the certificate."""
        ...

    def verdict(self) -> str:
        """Return the outcome."""
        ...

    def save(self) -> Snapshot:
        """Return their states and the positions of their noise streams."""
        ...

    def load(self, snapshot: Snapshot) -> None:
        """Become the realizations that were saved."""
        ...


@dataclass
class TrajectoryRun:
    """A run of the engine.

    system: the realizations. dt: the longest time step. piece: time steps between two reports. left: time steps left
    until the next requested time. length: length of each of them.
    """

    system: Realizations
    dt: float
    piece: int
    time: float = 0.0
    left: int = 0
    length: float = 0.0

    def step(self, until: float | None = None) -> Report:
        """Advance towards `until` by at most `piece` time steps. All steps up to `until` have the same length."""
        assert until is not None
        if until < self.time:
            raise InputError(f"a run at time {self.time:g} cannot go back to {until:g}")
        if self.left == 0:
            self.left = math.ceil((until - self.time) / self.dt - 1e-9)
            self.length = (until - self.time) / max(self.left, 1)
        count = min(self.left, self.piece)
        if count:
            self.system.advance(count * self.length, count)
        self.left -= count
        self.time = until - self.left * self.length if self.left else until
        return Report(self.time, text=f"time {self.time:.4g}")

    def view(self) -> TrajectoryView:
        """Return a view of all realizations."""
        return self.system.view()

    def figures(self) -> dict[str, float]:
        """Return the figures of the realizations for the certificate."""
        return self.system.figures()

    def save(self) -> Snapshot:
        """Return the realizations and the clock."""
        saved = self.system.save()
        clock = {"time": self.time, "left": self.left, "length": self.length}
        return Snapshot(saved.arrays, saved.numbers | clock)

    def load(self, snapshot: Snapshot) -> None:
        """Become the run that was saved."""
        self.system.load(snapshot)
        numbers = snapshot.numbers
        self.time, self.left, self.length = float(numbers["time"]), int(numbers["left"]), float(numbers["length"])


@dataclass
class Orbitals:
    """Gaussian realizations.

    count: number of particles. sites: noisy sites; one extra particle starts on each. unitarity: largest deviation of
    the orbitals from orthonormality so far.
    """

    system: GaussianTrajectories
    count: int
    sites: list[int]
    spaces: Sequence[LocalSpace]
    unitarity: float = 0.0

    @staticmethod
    def followed(form: Quadratic) -> list[int]:
        """Return the sites on which an extra particle starts, to show how it spreads: a single noisy site, or none."""
        return [int(form.noisy[0])] if len(form.noisy) == 1 else []

    @classmethod
    def begin(
        cls, form: Quadratic, occupied: Any, noises: Sequence[np.random.Generator], spaces: Sequence[LocalSpace]
    ) -> Orbitals:
        """Return realizations that all start from the same orbitals (n, particles)."""
        sites = cls.followed(form)
        system = GaussianTrajectories(form, np.hstack([occupied, np.eye(form.n)[:, sites]]), noises)
        return cls(system, occupied.shape[1], sites, spaces)

    def advance(self, length: float, steps: int) -> None:
        """Evolve by a time, in a number of equal steps."""
        self.system.advance(length, steps)

    def view(self) -> TrajectoryView:
        """Return a view of all realizations."""
        views = []
        for orbitals in self.system.orbitals():
            state, spread = orbitals[:, : self.count], np.abs(orbitals[:, self.count :]) ** 2
            excitation = (self.sites[0], spread[:, 0]) if self.sites else None
            views.append(GaussianView(state.conj() @ state.T, self.spaces, excitation=excitation))
        self.unitarity = max(self.unitarity, self.system.unitarity(self.count))
        return TrajectoryView(views, self.spaces)

    def figures(self) -> dict[str, float]:
        """Return the number of realizations, and how far their orbitals are from orthonormal."""
        return {"realizations": float(len(self.system.noises)), "unitarity": self.unitarity}

    def verdict(self) -> str:
        """Return `complete`."""
        return COMPLETE

    def save(self) -> Snapshot:
        """Return the orbitals and the positions of the noise streams."""
        saved = self.system.save()
        return Snapshot(saved.arrays, saved.numbers | {"unitarity": self.unitarity})

    def load(self, snapshot: Snapshot) -> None:
        """Become the realizations that were saved."""
        self.system.load(snapshot)
        self.unitarity = float(snapshot.numbers["unitarity"])


@dataclass
class MatrixProducts:
    """Realizations as matrix-product states. largest: largest bond dimension so far."""

    system: MPSTrajectories
    spaces: Sequence[LocalSpace]
    largest: int = 1

    def advance(self, length: float, steps: int) -> None:
        """Evolve by a time, in a number of equal steps."""
        self.system.advance(length, steps)
        self.largest = max(self.largest, self.system.bond_dimension)

    def view(self) -> TrajectoryView:
        """Return a view of all realizations."""
        return TrajectoryView([PureView(state, self.spaces) for state in self.system.states], self.spaces)

    def figures(self) -> dict[str, float]:
        """Return the number of realizations, the weight dropped, and the largest bond dimension."""
        return {
            "realizations": float(len(self.system.noises)),
            "weight_dropped": self.system.dropped,
            "bond_dimension": float(self.largest),
        }

    def verdict(self) -> str:
        """Return `complete`, or that truncation dominates the error."""
        return COMPLETE if self.system.dropped < DROPPED_PER_TRAJECTORY else "truncation dominates: raise chi"

    def save(self) -> Snapshot:
        """Return the states and the positions of the noise streams."""
        saved = self.system.save()
        return Snapshot(saved.arrays, saved.numbers | {"largest": self.largest})

    def load(self, snapshot: Snapshot) -> None:
        """Become the realizations that were saved."""
        self.system.load(snapshot)
        self.largest = int(snapshot.numbers["largest"])


def _amplitudes(problem: Lindbladian, initial: Initial) -> ChainState:
    """Return the amplitudes of a pure initial state."""
    if initial.kind == "product" and MIXED not in initial.value:
        return ChainState.product([p.astype(float) for p in initial.populations(problem.spaces)], dtype=complex)
    if initial.kind == "ground":
        return ground_state(problem, initial.value)
    pure = amplitudes_on(initial, problem.spaces)
    if pure is not None:
        return pure.copy(complex)
    if initial.kind == "network":
        raise InputError(f"the initial amplitudes have {initial.value.dims} levels, not those of the problem's sites")
    raise initial.refused(PURE)
