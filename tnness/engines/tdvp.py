"""Time evolution of a `ChainState` by the time-dependent variational principle, for terms of any range.

The generator is a matrix-product operator (`tnness.problems.mpo`); the state is projected on two sites at a time
(`tnness.network.variational`). A run begins with a few steps of a Taylor series, as the projection of a product state
misses what longer terms do. The projection does not keep the trace: readings are divided by it, and its drift is
reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from tnness.engines.ask import Ask, Start
from tnness.engines.disturbance import Disturbance
from tnness.engines.driven import drive_of_problem, operation_layers
from tnness.engines.driven_operator import OperatorClock
from tnness.engines.initial import parse_initial
from tnness.engines.limits import need_of_network
from tnness.engines.protocol import Engine, Report, Run
from tnness.engines.registry import register_engine
from tnness.engines.staged import ladder_rule, prior_of
from tnness.engines.starting import density_operator
from tnness.engines.tebd import TEBD
from tnness.engines.tebd_run import TEBDRun
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation
from tnness.network.variational import change_of, taylor_step, two_site_step
from tnness.problems.chain import chain_of
from tnness.problems.driven import Stretch
from tnness.problems.generator import ChainGenerator
from tnness.problems.need import Need
from tnness.records.certificate import Prior
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.balance import checks
from tnness.stopping.course import Course
from tnness.stopping.protocol import Rule
from tnness.stopping.waiting import Waiting
from tnness.streams import stream

TDVP_STEP = 0.5
"""Default dt is TDVP_STEP over the largest spectral norm of a term."""
TAYLOR_STEPS, TAYLOR_SIZE = 4, 0.5
"""Number of Taylor steps that begin a run, and their length in units of 1 over the sum of the terms' norms."""


@register_engine("tdvp")
@dataclass(frozen=True, kw_only=True)
class TDVP(Engine):
    """Settings of the engine.

    Parameters
    ----------
    chi: largest bond dimension (default 64).
    dt: time step, second order; None takes 0.5 over the largest norm of a term's generator.
    cutoff: discarded weight that is always acceptable (default 1e-14).
    schedule: bond dimensions that a steady state passes through before `chi`; None takes chi/4, chi/2.
    tolerance: relative error of the local exponentials (default 1e-9).
    block: time steps between two measurements (default 1).
    """

    chi: int = 64  # largest bond dimension
    dt: float | None = None  # time step; by default chosen from the problem [time]
    cutoff: float = 1e-14  # discarded weight that is always acceptable
    schedule: tuple[int, ...] | None = None  # bond dimensions to pass through before chi
    tolerance: float = 1e-9  # relative error of the exponentials of local operators
    block: int = 1  # time steps between measurements

    like = "tebd"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.tolerance < 1e-2:
            raise InputError(f"tolerance = {self.tolerance!r}: a number above 0 and below 0.01 is needed")
        _ = self._plain

    @property
    def _plain(self) -> TEBD:
        given = {name: value for name, value in asdict(self).items() if name != "tolerance"}
        return TEBD(**given, order=2, method="svd", power=0, symmetry="none")

    def evolution(self, generator: ChainGenerator, start: Start | None = None) -> TEBD:
        """Return the settings that a run shares with `tebd`: stages, truncation, and the time step in use."""
        extends = self.schedule is None and start is not None and start.prior is not None
        plain = replace(self._plain, dt=self.time_step(generator))
        return replace(plain, schedule=()) if extends else plain

    def time_step(self, generator: ChainGenerator) -> float:
        """Return dt, or its default for this problem."""
        if self.dt is not None:
            return self.dt
        large = (hamiltonian.spread for hamiltonian in generator.coherent.values())
        return TDVP_STEP / max(
            1e-12, *(float(np.linalg.norm(matrix, 2)) for _, matrix in generator.local_terms), *large
        )

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the state and the matrices of the bonds need."""
        return need_of_network(problem, self.chi, "float64")

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run that starts from `start.initial` at time 0."""
        engine, generator, clock = self._prepared(problem, start.ask)
        return engine._run(generator, density_operator(start.initial, generator), start, clock)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        engine, generator, clock = self._prepared(problem, start.ask)
        more = {"accuracy": self.tolerance, "clock": clock}
        return TDVPRun.restored(engine.evolution(generator, start), generator, snapshot, **more)

    def extend(self, problem: Any, start: Start, record: Record) -> Run:
        """Return a run that goes on from the state of a record, on its clock."""
        engine, generator, clock = self._prepared(problem, start.ask)
        run = engine._run(generator, density_operator(parse_initial(record.state), generator), start, clock)
        run.time = record.time if np.isfinite(record.time) else 0.0
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return the stopping rule: `Waiting` in stages (`Ladder`) for a steady state, `Course` for an evolution."""
        if not start.steady:
            return Course(run)
        rate = start.prior.rate if start.prior is not None else float("nan")
        return ladder_rule(run, Waiting(start.target, run, rate), start)

    def prior(self, problem: Any, record: Record, judged: Any) -> Prior | None:
        """Return the bond dimension, time step and errors of a recorded steady state: a coarse stage of a new run."""
        return prior_of(problem, record, judged)

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings, with the time step and schedule that a run of this problem uses."""
        return self.used_for(problem, Ask(times=(1.0,)))

    def used_for(self, problem: Any, ask: Ask) -> dict[str, Any]:
        """Return the settings that a run uses; the time step in a drive is chosen for a request."""
        engine, generator, clock = self._prepared(problem, ask)
        if clock is not None:
            return asdict(engine) | {"schedule": list(self._plain.coarse), "operator_width": clock.width}
        width = max(tensor.shape[1] for tensor in _operator(generator)[:-1])
        evolution = self._plain
        return asdict(self) | {
            "dt": self.time_step(generator),
            "schedule": list(evolution.coarse),
            "operator_width": width,
        }

    def _prepared(self, problem: Any, ask: Ask) -> tuple[TDVP, ChainGenerator, OperatorClock | None]:
        """Return the settings, the chain, and what happens in it in the course of time."""
        drive = drive_of_problem(problem, ask)
        if drive is None:
            return self, self._chain(problem), None
        engine = replace(self, dt=self._plain.driven_step(drive, ask))
        clock = OperatorClock(drive, np.dtype(float), engine.dt or 1.0, ask.period)
        return engine, self._chain(drive.whole), clock

    def _chain(self, problem: Any) -> ChainGenerator:
        generator = chain_of(problem, f"engine {self.name!r}", any_sites=True)
        if generator.charges is not None or generator.metric is not None or generator.resolution != 1:
            raise InputError(f"engine {self.name!r} takes no chain with charges, a metric or a background: use 'tebd'")
        if generator.n == 1:
            raise InputError(
                f"engine {self.name!r} takes chains of at least two sites: this one is solved by engine 'exact'"
            )
        return generator

    def _run(
        self, generator: ChainGenerator, initial: ChainState, start: Start, clock: OperatorClock | None
    ) -> TDVPRun:
        evolution = self.evolution(generator, start)
        state = evolution.prepared(generator, initial)
        return TDVPRun(evolution, generator, state, start.seed, accuracy=self.tolerance, clock=clock)


@dataclass
class TDVPRun(TEBDRun):
    """A run of the engine. accuracy: of the local exponentials."""

    accuracy: float = 1e-9

    def __post_init__(self) -> None:
        self._trace = self.generator.functionals["trace"]
        self._method = "svd"
        self._schedule = self.settings.stages(self.generator)
        if np.isnan(self.log_trace):
            self.log_trace = self._log_trace(self.state)

    def step(self, until: float | None = None) -> Report:
        """Advance by one block of steps, not beyond `until`; the first step of a run begins with a Taylor series.

        Raises
        ------
        NumericalError: a NaN or infinity appeared, or the trace was lost. The run keeps its old state.
        """
        if until is None and self.kicks is not None:
            return self._kick(self.kicks)
        stage = self.stages[-1] if until is not None else self._present
        steps, dt, end = self._block(stage.dt, until)
        state = ChainState(list(self.state.tensors), self.state.centre, self.state.log_norm)
        truncation = self._truncation(stage)
        if self._operators is not None:
            state, dropped = self._driven(state, self._operators.stretch(self.time, until), dt, steps, truncation)
        else:
            state, dropped = self._steps(state, self._constant, dt, steps, truncation, self.steps)
        log_trace = self._log_trace(state)
        self.state, self.steps, self.time = state, self.steps + steps, end
        self.discarded += dropped
        self.trace_drift = log_trace - self.log_trace
        if until is None and self.is_sample:
            self._follow()
        return Report(time=self.time, discarded=dropped, chi=max(state.bond_dimensions), sampled=self.is_sample)

    def _steps(
        self,
        state: ChainState,
        operator: Callable[[float], list[np.ndarray]],
        dt: float,
        steps: int,
        truncation: Truncation,
        done: int = 1,
        start: float = 0.0,
    ) -> tuple[ChainState, float]:
        """Return a state some steps later, and the weight dropped.

        The first of all steps begins with a Taylor series, and so does one in a drive from a state with a product bond.
        operator: G at a time. done: steps before these. start: their time.
        """
        dropped = 0.0
        for number in range(steps):
            present, length = operator(start + (number + 0.5) * dt), dt
            bare = done + number == 0 or (self.clock is not None and 1 in state.bond_dimensions)
            if bare and dt > 0:
                short = min(TAYLOR_SIZE / max(self.generator.scale, 1e-12), dt / TAYLOR_STEPS)
                for _ in range(TAYLOR_STEPS):
                    state = taylor_step(state, present, short, truncation)
                length = dt - TAYLOR_STEPS * short
            if length > 1e-12 * dt:
                dropped += two_site_step(state, present, length, truncation, self.accuracy)
            state.normalise()
        return state, dropped

    @property
    def _operators(self) -> OperatorClock | None:
        """The clock of a drive, which holds operators in place of gates."""
        return cast("OperatorClock | None", self.clock)

    def _constant(self, time: float) -> list[np.ndarray]:
        """Return G of a chain that does not depend on time."""
        return _operator(self.generator)

    def _driven(
        self, state: ChainState, stretch: Stretch, dt: float, steps: int, truncation: Truncation
    ) -> tuple[ChainState, float]:
        """Return a state some steps after the start of a stretch, its operations first, and the weight dropped."""
        assert self._operators is not None
        dropped = 0.0
        for number, layer in enumerate(operation_layers(stretch.operations, self.generator.dims)):
            rng = stream(self.seed, "truncation", self.steps, number)
            dropped += sweep_layer(state, layer, truncation, rng, self._trace)[0]
        if self._operators.drive.is_still:
            return state, dropped
        operator = self._operators.frozen(stretch)
        state, more = self._steps(state, operator, dt, steps, truncation, start=stretch.start)
        return state, dropped + more

    def _disturbance(self, settled: list[np.ndarray]) -> Disturbance:
        """Return the recipe of the kicks of a settled state, which the same sweeps evolve."""

        def evolve(state: ChainState, dt: float, truncation: Truncation, number: int) -> ChainState:
            return self._steps(state, self._constant, dt, 1, truncation, number)[0]

        def evolve_for_a_period(state: ChainState, dt: float, truncation: Truncation, number: int) -> ChainState:
            assert self._operators is not None
            for stretch in self._operators.in_period():
                length = stretch.end - stretch.start
                steps = max(1, math.ceil(length / dt - 1e-9))
                state, _ = self._driven(state, stretch, length / steps, steps, truncation)
            return state

        about = self.generator, settled, self.seed, self.conserved
        if self.clock is None:
            return Disturbance(*about, evolve=evolve)
        return Disturbance(*about, period=self.clock.period, evolve=evolve_for_a_period)

    def checks(self) -> dict[str, float]:
        """Return the figures that test the state against its equation: residual, balances, positivity."""
        if self.clock is not None:
            return super().checks()
        return checks(self.generator, self.view(), change_of(_operator(self.generator), self.state))


def _operator(generator: ChainGenerator) -> list[np.ndarray]:
    """Return the generator as a matrix-product operator, built once."""
    kept = generator.__dict__.get("_operator")
    if kept is None:
        kept = generator.__dict__["_operator"] = generator.mpo_tensors()
    return kept
