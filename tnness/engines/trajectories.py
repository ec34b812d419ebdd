"""Trajectories of pure states, many realizations at once: white noise, quantum jumps, or quantum-state diffusion.

Under white noise the states are Gaussian if the problem is quadratic, and matrix-product states otherwise. The noise of
realization r depends only on the seed and on r, so both forms of a state see the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, Protocol

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
from tnness.engines.pure.trajectory_view import FEWEST_JUMPS, TrajectoryView, truncation_error
from tnness.engines.pure.unraveling import UNRAVELINGS, Jumps, Noise, Unraveling, why_no_noise, windows_of
from tnness.engines.pure.view import PureView
from tnness.engines.registry import register_engine
from tnness.engines.starting import amplitudes_on
from tnness.errors import InputError, ModelError
from tnness.network.chain_state import ChainState
from tnness.network.stacked import StackedState
from tnness.network.trotter import FRACTIONS
from tnness.network.truncation import Truncation
from tnness.operators.basis import LocalSpace
from tnness.problems.driven import same_time
from tnness.problems.envelope import breaks_of
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.need import Need
from tnness.records.averages import TimeAverage
from tnness.records.history import History
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import COMPLETE, Sampling, Told
from tnness.stopping.protocol import Rule
from tnness.streams import stream

PIECE = {"gaussian": 4096, "mps": 8}
"""Time steps between two reports."""
DROPPED_PER_TRAJECTORY = 1e-6
"""Weight dropped in a whole trajectory below which truncation never counts as the dominant error."""
STATISTICAL = f"{COMPLETE}, with statistical errors alone"
"""The outcome where the error of the time step is not estimated."""

MOST_SUBSTEPS = 1000
"""Most Trotter steps of one time step: within it nothing is saved."""
MOST_REALIZATIONS = 1_000_000
"""Most realizations of the noise in one run: each has a state of its own, and all of them make a step together."""


@register_engine("trajectories")
@dataclass(frozen=True, kw_only=True)
class Trajectories(Engine):
    """Settings of the engine.

    Parameters
    ----------
    realizations: number of realizations (default 10).
    dt: time step (default 0.1); averages are second order in it. Its error is known for jumps and diffusion that do not
        depend on time and are even in fermions, and added to all errors (`tnness.engines.pure.splitting`).
    method: "gaussian", "mps", or "auto" (default): gaussian where white noise acts on free fermions.
    unraveling: "noise", "jumps", "diffusion", or "auto" (default): noise where all jumps are real diagonal operators of
        one site each, else jumps (`tnness.engines.pure.unraveling`).
    chi, cutoff: truncation of matrix-product states (defaults 64 and 1e-12; see `Truncation`).
    order: Trotter order of H; None takes 4 for white noise and 2 for the others: their averages are of second order
        anyway, and a time step takes a sixth of the gates.
    substeps: Trotter steps in a time step of matrix-product states (default 1).
    duration: for a steady state, the time over which it is averaged. relaxation: the time before that, which is left
        out. every: time between two samples (default 1).
    """

    realizations: int = 10  # realizations of the noise
    dt: float = 0.1  # time step [time]
    method: Literal["auto", "gaussian", "mps"] = "auto"  # auto, mps, or gaussian, which needs a quadratic problem
    unraveling: Literal["auto", "noise", "jumps", "diffusion"] = "auto"  # auto, noise, jumps or diffusion
    chi: int = 64  # largest bond dimension
    cutoff: float = 1e-12  # discarded weight that is always acceptable
    order: int | None = None  # Trotter order of H, 2 or 4; default 4 for white noise, else 2
    substeps: int = 1  # Trotter steps in a time step of matrix-product states
    relaxation: float | None = None  # of a steady state: time before averages begin [time]
    duration: float | None = None  # of a steady state: time over which averages go [time]
    every: float = 1.0  # of a steady state: time between two samples [time]

    also: ClassVar[tuple[str, ...]] = ("tebd",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("realizations", "substeps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)!r}: an integer >= 1 is needed")
        if self.realizations > MOST_REALIZATIONS:
            raise InputError(f"realizations = {self.realizations}: at most {MOST_REALIZATIONS:,} go in one run")
        if self.substeps > MOST_SUBSTEPS:
            raise InputError(f"substeps = {self.substeps}: a time step has at most {MOST_SUBSTEPS:,} Trotter steps")
        if not self.dt > 0:
            raise InputError(f"dt = {self.dt!r}: the time step is a finite number > 0")
        if self.order is not None and self.order not in FRACTIONS:
            raise InputError(f"order = {self.order!r}: the Trotter order is one of {sorted(FRACTIONS)}")
        if not self.every > 0:
            raise InputError(f"every = {self.every!r}: the time between two samples is a finite number > 0")
        for name in ("relaxation", "duration"):
            given = getattr(self, name)
            if given is not None and not given >= 0:
                raise InputError(f"{name} = {given!r}: a time is a finite number >= 0")
        self._bonds()

    def _bonds(self) -> Truncation:
        return Truncation(chi=self.chi, cutoff=self.cutoff, method="svd")

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the states of all realizations need."""
        spaces = getattr(problem, "spaces", ())
        if not spaces:
            return None
        n = len(spaces)
        matrices = 2 * n**2 if self.method == "gaussian" else 0  # for "auto" it is not known yet
        what = f"{self.realizations} realizations of {n} sites"
        return Need(16.0 * (matrices + n * self.realizations), what, "lower n or realizations")

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run at time 0. Its initial state must be pure: a product, a ground state, or amplitudes."""
        form = self._form_of(problem, start)
        if form is None:
            return self._network(problem, _amplitudes(problem, start.initial), start)
        occupied = initial_orbitals(start.initial, form, problem.spaces)
        return self._orbitals(problem, form, occupied, start)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        form = self._form_of(problem, start)
        if form is None:
            state = ChainState.product([np.eye(space.levels)[0] for space in problem.spaces], dtype=complex)
            run = self._network(problem, state, start)
        else:
            columns = snapshot.arrays["orbitals"].shape[1] // self.realizations
            occupied = np.zeros((form.n, columns - len(Orbitals.followed(form))))
            run = self._orbitals(problem, form, occupied, start)
        run.load(snapshot)
        return run

    def rule(self, run: TrajectoryRun, start: Start) -> Rule:
        """Return a stopping rule that takes outcome and figures from the run itself."""
        kind = TimeSampling if start.steady else Ensemble
        return kind(run.system.verdict, run.figures)

    def _network(self, problem: Lindbladian, state: ChainState, start: Start) -> TrajectoryRun:
        unraveling = self._unraveling(problem)
        noises, order = self._noises(start.seed), self._order(unraveling.name)
        system = MPSTrajectories(problem, unraveling, state, noises, self._bonds(), self.substeps, order)
        functions = [driven.function for driven in problem.driven]
        breaks = partial(_next_break, functions) if functions else _no_break
        samples = self._samples(start)
        return TrajectoryRun(MatrixProducts(system, problem.spaces), self.dt, PIECE["mps"], samples, breaks)

    def _orbitals(self, problem: Lindbladian, form: Quadratic, occupied: Any, start: Start) -> TrajectoryRun:
        system = Orbitals.begin(form, occupied, self._noises(start.seed), problem.spaces)
        return TrajectoryRun(system, self.dt, PIECE["gaussian"], self._samples(start))

    def _unraveling(self, problem: Lindbladian) -> Unraveling:
        windows = windows_of(problem)
        reason = why_no_noise(problem, windows) if self.unraveling in ("auto", "noise") else ""
        if reason and self.unraveling == "noise":
            raise ModelError(reason)
        name = ("jumps" if reason else "noise") if self.unraveling == "auto" else self.unraveling
        return UNRAVELINGS[name](windows)

    def _order(self, unraveling: str) -> int:
        return (4 if unraveling == Noise.name else 2) if self.order is None else self.order

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings with the unraveling and the Trotter order that this problem gets."""
        name = self._unraveling(problem).name
        return super().used(problem) | {"unraveling": name, "order": self._order(name)}

    def _samples(self, start: Start) -> Samples | None:
        if not start.steady:
            return None
        if self.duration is None or self.relaxation is None:
            raise InputError(
                "a steady state of trajectories is an average over time: give --set relaxation=T, left out before it, "
                "and --set duration=T; --time gives an evolution"
            )
        count = math.floor(self.duration / self.every + 1e-9)
        if count < 1:
            raise InputError(f"duration = {self.duration:g}: at least one sample, every = {self.every:g}, is needed")
        return Samples(self.relaxation, self.every, count)

    def _noises(self, seed: int) -> list[np.random.Generator]:
        """Return the random generator of each realization, the same for both forms of a state."""
        return [stream(seed, "noise", number) for number in range(self.realizations)]

    def _form_of(self, problem: Any, start: Start) -> Quadratic | None:
        """Return the quadratic form of the problem if its states are to be Gaussian, else None."""
        if not isinstance(problem, Lindbladian):
            raise ModelError(f"engine 'trajectories' takes a Lindbladian, got a {type(problem).__name__}")
        self._samples(start)
        noise = self.unraveling in ("auto", "noise")
        if self.method == "gaussian" and not noise:
            raise InputError(f"unraveling = {self.unraveling}: Gaussian states go with noise; --set method=mps")
        if self.method == "mps" or not noise:
            return None
        try:
            if problem.is_driven:
                raise NotQuadratic("it depends on time")
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
            if self.method == "auto" and self.unraveling == "auto":
                return None
            raise ModelError("a trajectory of white noise keeps its particles; this problem has jumps that do not")
        return form


@dataclass(frozen=True)
class Samples:
    """The times at which a steady state is sampled: first + k every, k = 1 ... count."""

    first: float
    every: float
    count: int

    def following(self, time: float) -> float:
        """Return the next of these times."""
        done = max(0, math.floor((time - self.first) / self.every + 1e-6))
        return self.first + min(done + 1, self.count) * self.every

    @property
    def end(self) -> float:
        """The last of them."""
        return self.first + self.count * self.every


class Ensemble(Told):
    """An average over realizations: what makes more than half of an error dominates, truncation or the time step."""

    def verdict(self, history: History) -> str:
        """Return the engine's verdict; where errors are known, what dominates them."""
        told, figures = self._verdict(), self.figures(history)
        if told == FEW_JUMPS or not history.errors or "weight_dropped" not in figures:
            return told
        splitting = figures.get("splitting", 0.0) / 2
        shares = {TRUNCATED: figures["weight_dropped"] if told == TRUNCATED else 0.0, COARSE: splitting}
        for outcome, weight in shares.items():
            for name, errors in history.errors.items():
                error, count = np.nan_to_num(errors[-1]), int(figures["realizations"])
                if truncation_error(weight, history.values[name][-1], error, count) > 0.5 * error.max(initial=0.0) > 0:
                    return outcome
        return (COMPLETE if splitting else STATISTICAL) if told == TRUNCATED else told


class TimeSampling(Sampling):
    """An average over time and over realizations. It is never called converged: statistical errors alone are known."""

    def judge(self, averages: Mapping[str, TimeAverage]) -> str:
        """Return the outcome from the averages of the monitored observables."""
        found = super().judge(averages)
        return STATISTICAL if found == "converged" else found


def _no_break(start: float, end: float) -> float:
    return end


def _next_break(functions: Sequence[Any], start: float, end: float) -> float:
    """Return the first time between two at which one of several functions jumps; the later one if none does."""
    times = [t for function in functions for t in breaks_of(function, start + same_time(start), end)]
    return min((t for t in times if t < end - same_time(end)), default=end)


class Realizations(Protocol):
    """The states of all realizations of the noise, in one of two forms."""

    def advance(self, start: float, length: float, steps: int) -> None:
        """Evolve from a time on by a length, in a number of equal steps."""
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

    system: the realizations. dt: the longest time step. piece: time steps between two reports. samples: of a steady
    state. breaks: returns the end of a step between two times: at the latest where a function of time jumps. left: time
    steps left until then, or until the next time asked for. length: length of each of them.
    """

    system: Realizations
    dt: float
    piece: int
    samples: Samples | None = None
    breaks: Callable[[float, float], float] = _no_break
    time: float = field(default=0.0, init=False)
    left: int = field(default=0, init=False)
    length: float = field(default=0.0, init=False)

    def step(self, until: float | None = None) -> Report:
        """Advance towards `until`, or the next sample, by at most `piece` time steps of equal length."""
        goal = until
        if goal is None:
            assert self.samples is not None
            goal = self.samples.following(self.time)
        if goal < self.time:
            raise InputError(f"a run at time {self.time:g} cannot go back to {goal:g}")
        end = self.breaks(self.time, goal)
        if self.left == 0:
            self.left = math.ceil((end - self.time) / self.dt - 1e-9)
            self.length = (end - self.time) / max(self.left, 1)
        count = min(self.left, self.piece)
        if count:
            self.system.advance(self.time, count * self.length, count)
        self.left -= count
        self.time = end - self.left * self.length if self.left else end
        return self._report(goal, steady=until is None)

    def _report(self, goal: float, steady: bool) -> Report:
        text = f"time {self.time:.4g}"
        if not steady or self.samples is None:
            return Report(self.time, text=text)
        reached = self.time >= goal
        return Report(
            self.time,
            finished=reached and goal >= self.samples.end - 0.5 * self.samples.every,
            sampled=reached,
            text=text,
            fraction=self.time / self.samples.end,
        )

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
        """Return the sites on which an extra particle starts, to show how it spreads: the noisy ones if few."""
        return form.noisy if form.few_noisy else []

    @classmethod
    def begin(
        cls, form: Quadratic, occupied: Any, noises: Sequence[np.random.Generator], spaces: Sequence[LocalSpace]
    ) -> Orbitals:
        """Return realizations that all start from the same orbitals (n, particles)."""
        sites = cls.followed(form)
        system = GaussianTrajectories(form, np.hstack([occupied, np.eye(form.n)[:, sites]]), noises)
        return cls(system, occupied.shape[1], sites, spaces)

    def advance(self, start: float, length: float, steps: int) -> None:
        """Evolve from a time on by a length, in a number of equal steps."""
        self.system.advance(length, steps)

    def view(self) -> TrajectoryView:
        """Return a view of all realizations."""
        views = []
        for orbitals in self.system.orbitals():
            state, spread = orbitals[:, : self.count], np.abs(orbitals[:, self.count :]) ** 2
            excitation = dict(zip(self.sites, spread.T, strict=True)) or None
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
    """Realizations as matrix-product states."""

    system: MPSTrajectories
    spaces: Sequence[LocalSpace]

    def advance(self, start: float, length: float, steps: int) -> None:
        """Evolve from a time on by a length, in a number of equal steps."""
        self.system.advance(start, length, steps)

    def view(self) -> TrajectoryView:
        """Return a view of all realizations; the density matrices of pairs of sites are read of all at once."""
        stack = self.system.stack.copy()
        pairs = Pairs(stack)
        views = [PureView(stack.state(r), self.spaces, partial(pairs.of, r)) for r in range(stack.count)]
        weight, jumps = float(stack.dropped.mean()), self.system.rare_jumps
        return TrajectoryView(views, self.spaces, weight, jumps, self.system.splitting)

    def figures(self) -> dict[str, float]:
        """Return the number of realizations, the weight dropped by each, the bonds, and the jumps of each."""
        stack = self.system.stack
        figures = {
            "realizations": float(stack.count),
            "weight_dropped": float(stack.dropped.mean()),
            "bond_dimension": float(stack.largest.max()),
            "mean_bond_dimension": float(stack.largest.mean()),
        }
        if self.system.unraveling.name == Jumps.name:
            figures["quantum_jumps"] = self.system.jumps / stack.count
        if self.system.pieces:
            figures["splitting"] = self.system.splitting
        return figures

    def verdict(self) -> str:
        """Return `complete`, with what is not known, or why errors are unknown or mostly those of truncation."""
        jumps = self.system.rare_jumps
        if jumps is not None and jumps < FEWEST_JUMPS:
            return FEW_JUMPS
        if self.system.stack.dropped.mean() >= DROPPED_PER_TRAJECTORY:
            return TRUNCATED
        known = self.system.unraveling.name == Noise.name or self.system.pieces
        return COMPLETE if known else STATISTICAL

    def save(self) -> Snapshot:
        """Return the states and the positions of the noise streams."""
        return self.system.save()

    def load(self, snapshot: Snapshot) -> None:
        """Become the realizations that were saved."""
        self.system.load(snapshot)


TRUNCATED = "truncation dominates: raise chi"
COARSE = "Trotter error dominates: lower dt"
FEW_JUMPS = f"no error estimate: fewer than {FEWEST_JUMPS} quantum jumps, raise realizations"


@dataclass
class Pairs:
    """The density matrices of pairs of neighbours of all realizations, computed once."""

    stack: StackedState

    @cached_property
    def _all(self) -> list[Any]:
        return self.stack.pair_densities()

    def of(self, realization: int) -> list[Any]:
        """Return those of one realization."""
        return [pairs[realization] for pairs in self._all]


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
