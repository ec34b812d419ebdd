"""Pure states under white noise, many realisations side by side: Gaussian where the problem is free, MPS elsewhere.

The noise of realisation r comes from the seed and r alone: both ways of computing see the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tnness.basis import LocalSpace
from tnness.engines.fermions.quadratic import NotQuadratic, Quadratic, quadratic
from tnness.engines.fermions.states import initial_orbitals
from tnness.engines.fermions.trajectories import GaussianTrajectories
from tnness.engines.fermions.view import GaussianView
from tnness.engines.protocol import Solution
from tnness.engines.pure.ground import ground_state
from tnness.engines.pure.trajectories import MPSTrajectories
from tnness.engines.pure.trajectory_view import TrajectoryView
from tnness.engines.pure.view import PureView
from tnness.errors import InputError, ModelError
from tnness.network.chain_state import ChainState
from tnness.network.truncation import Truncation
from tnness.problems.lindbladian import Lindbladian

Say = Callable[[str, float], None]

PIECE = {"gaussian": 4096, "mps": 8}
"""Time steps between two reports."""
DROPPED = 1e-6
"""Weight dropped in a whole trajectory above which the bond dimension dominates."""


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Settings of the engine.

    Parameters
    ----------
    realizations: of the noise (default 10). dt: time step (default 0.1); averages are second order in it.
    method: "gaussian", "mps", or "auto" (default): gaussian where the problem is quadratic.
    chi, cutoff, truncation: of matrix-product states (defaults 64, 1e-12 and svd; see `Truncation`).
    substeps: Trotter steps of fourth order in a time step of matrix-product states (default 1).
    """

    realizations: int = 10
    dt: float = 0.1
    method: Literal["auto", "gaussian", "mps"] = "auto"
    chi: int = 64
    cutoff: float = 1e-12
    truncation: str = "svd"
    substeps: int = 1

    name = "trajectories"

    def __post_init__(self) -> None:
        for name in ("realizations", "substeps"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InputError(f"{name} = {value!r}: an integer >= 1 is needed")
        if not (math.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"dt = {self.dt!r}: the time step is a finite number > 0")
        if self.method not in ("auto", "gaussian", "mps"):
            raise InputError(f"method = {self.method!r} is not one of auto, gaussian, mps")
        self._bonds()

    def _bonds(self) -> Truncation:
        return Truncation(chi=self.chi, cutoff=self.cutoff, method=self.truncation)

    def solve(
        self,
        problem: Any,
        *,
        initial: Any = None,
        times: Sequence[float] | None = None,
        seed: int = 0,
        report: Say = lambda text, fraction: None,
    ) -> Solution:
        """Return the realisations at the given times; see `DirectEngine`.

        `initial` is a pure state: "product:0101...", "ground:N", or (for matrix-product states) its amplitudes.
        """
        if times is None:
            raise InputError("a trajectory has no steady state: give times")
        if not isinstance(problem, Lindbladian):
            raise ModelError(f"engine 'trajectories' takes a Lindbladian, got a {type(problem).__name__}")
        parent = np.random.SeedSequence(seed, spawn_key=(1,))
        noises = [np.random.default_rng(child) for child in parent.spawn(self.realizations)]
        form = self._form(problem)
        if form is None:
            return self._mps(problem, initial, times, noises, report)
        return self._gaussian(form, problem.spaces, initial, times, noises, report)

    def _form(self, problem: Lindbladian) -> Quadratic | None:
        """The quadratic form where the Gaussian way is to be gone."""
        if self.method == "mps":
            return None
        try:
            form = quadratic(problem)
        except NotQuadratic:
            if self.method == "gaussian":
                raise
            return None
        if not form.conserving:
            raise ModelError("a trajectory of white noise keeps its particles; this problem has jumps that do not")
        return form

    def _gaussian(
        self,
        form: Quadratic,
        spaces: Sequence[LocalSpace],
        initial: Any,
        times: Sequence[float],
        noises: Sequence[np.random.Generator],
        report: Say,
    ) -> Solution:
        occupied = initial_orbitals(initial, form, spaces)
        single = form.noisy[0] if len(form.noisy) == 1 else None  # a particle of its own, to see how it spreads
        extra = np.eye(form.n)[:, [single]] if single is not None else np.zeros((form.n, 0))
        system = GaussianTrajectories(form, np.hstack([occupied, extra]), noises)
        count, figures = occupied.shape[1], {"realizations": float(self.realizations)}

        def views() -> Iterator[tuple[float, TrajectoryView]]:
            for time in self._clock(system, times, report, PIECE["gaussian"]):
                found = []
                for orbitals in system.orbitals():
                    state, spread = orbitals[:, :count], np.abs(orbitals[:, count:]) ** 2
                    excitation = (single, spread[:, 0]) if single is not None else None
                    found.append(GaussianView(state.conj() @ state.T, spaces, excitation=excitation))
                figures["unitarity"] = max(figures.get("unitarity", 0.0), system.unitarity(count))
                yield time, TrajectoryView(found, spaces)

        return Solution(views(), figures, "complete")

    def _mps(
        self,
        problem: Lindbladian,
        initial: Any,
        times: Sequence[float],
        noises: Sequence[np.random.Generator],
        report: Say,
    ) -> Solution:
        state = _amplitudes(problem, initial)
        system = MPSTrajectories(problem, state, noises, self._bonds(), self.substeps)
        figures = {"realizations": float(self.realizations)}

        def views() -> Iterator[tuple[float, TrajectoryView]]:
            for time in self._clock(system, times, report, PIECE["mps"]):
                figures["weight_dropped"] = system.dropped
                figures["bond_dimension"] = max(figures.get("bond_dimension", 0.0), float(system.bond_dimension))
                yield time, TrajectoryView([PureView(state, problem.spaces) for state in system.states], problem.spaces)

        def outcome() -> str:
            return "complete" if system.dropped < DROPPED else "truncation dominates: raise chi"

        return Solution(views(), figures, outcome)

    def _clock(
        self, system: GaussianTrajectories | MPSTrajectories, times: Sequence[float], report: Say, piece: int
    ) -> Iterator[float]:
        """Advance to each time in turn, in pieces short enough to report."""
        now, last = 0.0, times[-1] or 1.0
        for time in times:
            steps = math.ceil((time - now) / self.dt - 1e-9)
            length = (time - now) / max(steps, 1)
            while steps > 0:
                count = min(steps, piece)
                system.advance(count * length, count)
                steps -= count
                report(f"time {time - steps * length:.4g}", (time - steps * length) / last)
            now = time
            yield time


def _amplitudes(problem: Lindbladian, initial: Any) -> ChainState:
    if isinstance(initial, ChainState):
        if initial.dims != tuple(space.levels for space in problem.spaces):
            raise InputError(f"the initial amplitudes have {initial.dims} levels, not those of the problem's sites")
        return initial
    kind, _, value = str(initial).partition(":")
    levels = [space.levels for space in problem.spaces]
    digits = [int(d) for d in value] if value.isascii() and value.isdigit() else []
    if kind == "product" and len(digits) == len(levels) and all(k < d for k, d in zip(digits, levels, strict=True)):
        return ChainState.product([np.eye(d)[k] for k, d in zip(digits, levels, strict=True)], dtype=complex)
    if kind == "ground" and value.isdigit():
        return ground_state(problem, int(value))
    raise InputError(f"initial = {initial!s:.60}: a trajectory starts from a pure state, product:0101... or ground:N")
