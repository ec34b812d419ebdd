"""Time evolution of a `ChainState` by Trotter gates (TEBD), to a steady state or to given times.

Each layer of gates is a sweep (`tnness.network.sweep`). If the problem conserves local charges and the state has a
definite charge, a sweep acts block by block (`tnness.network.sector_state`).

If the problem has a metric, the run multiplies every basis state by its weight: the plain norm of the scaled state is
the norm that the metric defines. Views, copies and snapshots are scaled back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal, Self

import numpy as np

from tnness.engines.adjoint import MEMORIES, Backwards
from tnness.engines.ask import STEADY, Ask, Start
from tnness.engines.blocked import Blocks
from tnness.engines.circuits.network import NetworkState
from tnness.engines.circuits.run import CircuitRun, circuit_rule
from tnness.engines.disturbance import Disturbance
from tnness.engines.driven import Clock, drive_of_problem
from tnness.engines.initial import parse_initial
from tnness.engines.kicks import Kicks
from tnness.engines.limits import need_of_network
from tnness.engines.metric import gates_of, scaled_covectors, scaled_state, strength_of
from tnness.engines.protocol import Adjoint, Companion, Engine, Report, Run, check_initial
from tnness.engines.registry import register_engine
from tnness.engines.starting import density_operator
from tnness.errors import InputError, NumericalError, StateLost
from tnness.memory import Need
from tnness.network.chain_state import ChainState, product_overlap
from tnness.network.chain_view import ChainView
from tnness.network.difference import neighbour_marginals
from tnness.network.factored import FactoredGates
from tnness.network.sector_state import STRAY_WEIGHT, SectorState
from tnness.network.sectors import Rules
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import FRACTIONS, Gates
from tnness.network.truncation import Array, Truncation
from tnness.operators.charges import Charges
from tnness.operators.terms import Operator
from tnness.problems.blocks import blocked, takes_blocks
from tnness.problems.chain import chain_of
from tnness.problems.circuit import Circuit
from tnness.problems.conserved import conserved_sums
from tnness.problems.driven import Drive
from tnness.problems.generator import ChainGenerator
from tnness.records.certificate import Prior
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.balance import checks, positivity, residual
from tnness.stopping.course import Course
from tnness.stopping.discretisation import Stage
from tnness.stopping.forgetting import Forgetting
from tnness.stopping.kicked import PATIENCE, Kicked
from tnness.stopping.ladder import Ladder
from tnness.stopping.protocol import Rule
from tnness.stopping.trail import Trail
from tnness.stopping.waiting import Waiting
from tnness.streams import stream

AUTO_STEP = 1.6
"""Default dt is AUTO_STEP over the largest spectral norm of a bond's generator (order 4; a third of it at order 2)."""
METHOD, POWER = "cholesky-qr", 1
"""Default truncation method, and default number of power iterations."""
RESOLVING = "svd"
"""The method of splits that must resolve a small deviation from a large background: the faster ones lose it."""
IN_BLOCKS = (None, METHOD, RESOLVING)
"""The methods that split block by block."""
STRAY_STEADY = 1e-6
"""Weight of other total charges in the recorded state from which a steady state goes on: truncation put them there."""
STRAY_STAGE = 1e-2
"""The same for the state that an earlier stage without blocks leaves to the next one."""
SYMMETRIES = ("none", "parity", "charges")
"""Kinds of blocks."""
PARITY_FROM, CHARGES_FROM = 192, 192
"""Smallest D chi, D the largest local dimension, from which blocks of a parity, or of a charge, are faster."""


@register_engine("tebd")
@dataclass(frozen=True, kw_only=True)
class TEBD(Engine):
    """Settings of the engine.

    Parameters
    ----------
    chi: largest bond dimension (default 64).
    dt: Trotter step in units of time; None takes 1.6 over the largest norm of a two-site generator (order 4).
    order: 2 (Strang) or 4 (Blanes-Moan, default).
    method, cutoff, power: see `Truncation`; default cholesky-qr, 1e-14 and one power iteration. Without the power
        iteration the truncation error of the large gates of fourth order is several times that of the SVD. A problem
        that resolves a small deviation from its background uses the SVD and refuses any other method.
    symmetry: the blocks in which states are kept. "charges": of all diagonal operators that the terms conserve;
        "parity": of their parities; "none": no blocks; "auto" (default): in each stage the fastest of these. A problem
        that states its charges is split by these, or by none. Blocks need an initial state of definite charge, and the
        method cholesky-qr or svd; without them there are none. They change no answer beyond truncation.
    schedule: bond dimensions that a steady state passes through before `chi`; None takes chi/4, chi/2.
    dtype: "float64" (default) or "float32" (half the time, local observables to about 1e-5).
    block: Trotter steps between two measurements (default 1).
    """

    chi: int = 64  # largest bond dimension
    dt: float | None = None  # Trotter step; by default chosen from the problem [time]
    order: int = 4  # Trotter order, 2 or 4
    method: str | None = None  # truncation: svd, qr, cholesky-qr (default), randomized, marginals
    cutoff: float = 1e-14  # discarded weight that is always acceptable
    power: int | None = None  # power iterations of each split, default 1
    symmetry: Literal["auto", "none", "parity", "charges"] = "auto"  # blocks of conserved charges
    schedule: tuple[int, ...] | None = None  # bond dimensions to pass through before chi
    dtype: Literal["float64", "float32"] = "float64"  # precision
    block: int = 1  # Trotter steps between measurements

    instead = "tdvp"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.truncation_of(Stage(chi=self.chi, dt=1.0, power=self.used_power))
        if self.dt is not None and not self.dt > 0:
            raise InputError(f"dt = {self.dt!r}: the time step is a finite number > 0")
        if self.order not in FRACTIONS:
            raise InputError(f"order = {self.order!r}: the Trotter order is one of {sorted(FRACTIONS)}")
        if self.block < 1:
            raise InputError(f"block = {self.block!r}: the steps between measurements are an integer >= 1")
        for chi in self.schedule or ():
            Truncation(chi=chi)

    # ------------------------------------------------------------------ the engine

    @classmethod
    def serves(cls, problem: Any) -> bool:
        """Return whether there are two sites or more, and the terms reach over three at most."""
        return getattr(problem, "n", 2) > 1 and takes_blocks(problem)

    @classmethod
    def leaves_to(cls, problem: Any) -> str | None:
        """Return engine 'exact' for a single site, 'tdvp' for terms that reach further."""
        return "exact" if getattr(problem, "n", 2) == 1 else cls.instead

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the state and the matrices of the bonds need."""
        return need_of_network(problem, self.chi, self.dtype, self.symmetry != "none")

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run that starts from `start.initial` at time 0."""
        if isinstance(problem, Circuit):
            return CircuitRun.begin(problem, self._circuit_state(start), start)
        engine, generator, blocks, more = self._prepared(problem, start)
        initial = density_operator(start.initial, blocks.generator if blocks else generator)
        run = engine.init(generator, initial, start.seed, blocks=blocks, **more)
        if start.steady and len(run.stages) > 1:
            run.start = run.whole_state()
        return run

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        if isinstance(problem, Circuit):
            return CircuitRun.resume(problem, self._circuit_state(start), start, snapshot)
        engine, generator, blocks, more = self._prepared(problem, start)
        return engine.restore(generator, snapshot, blocks, **more)

    def extend(self, problem: Any, start: Start, record: Record) -> Run:
        """Return a run that goes on from the state of a record, on its clock."""
        if isinstance(problem, Circuit) or self._continues(record, start):
            return super().extend(problem, start, record)
        engine, generator, blocks, more = self._prepared(problem, start)
        given = density_operator(parse_initial(record.state), blocks.generator if blocks else generator)
        stray = STRAY_STEADY if start.steady else STRAY_WEIGHT  # of an evolution every part counts
        run = engine.init(generator, given, start.seed, stray, blocks, **more)
        run.time = record.time if math.isfinite(record.time) else 0.0
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return the stopping rule: `Waiting` in stages (`Ladder`) for a steady state, `Course` for an evolution."""
        if isinstance(run, CircuitRun):
            return circuit_rule(run, start)
        if not start.steady:
            return Course(run)
        rate = start.prior.rate if start.prior is not None else math.nan
        return ladder_rule(run, Waiting(start.target, run, rate), start)

    def companions(self, problem: Any, start: Start) -> Mapping[str, Companion | None]:
        """Return the companions of an evolution, at half the bond dimension and at half the time step.

        By Richardson |O(dt) - O(dt/2)| 2^p / (2^p - 1) is the error at dt, for a Trotter formula of order p.
        """
        half = Companion(replace(self, chi=max(1, self.chi // 2)))
        if isinstance(problem, Circuit):
            return {"trotter": None, "truncation": half}
        parts = 2.0**self.order
        return {"trotter": Companion(self, parts / (parts - 1), TEBDRun.refine), "truncation": half}

    def adjoint(self, problem: Any, start: Start) -> Adjoint:
        """Return what evolves operators backwards for twice the time in which the chain forgets a kick."""
        if isinstance(problem, Circuit):
            raise InputError("adjoint: the observables of a circuit are not evolved backwards: leave it out")
        if getattr(problem, "is_driven", False):
            raise InputError("adjoint: a chain that depends on time is not evolved backwards: leave it out")
        if self._chain(problem)[1] is not None:
            raise InputError("adjoint: terms over three sites are not evolved backwards: leave it out")
        if self._chain(problem)[0].is_factored:
            raise InputError("adjoint: chains of one site, or of large sites, are not evolved backwards: leave it out")
        return partial(self._adjoint_errors, start=start)

    def _adjoint_errors(self, run: TEBDRun, operators: Sequence[Operator], start: Start) -> Array | None:
        forgets_in = run.kicked[-1].forgets_in if run.kicked else math.inf
        if not math.isfinite(forgets_in):
            return None
        stage = run.stages[min(run.stage, len(run.stages) - 1)]
        truncation = self.truncation_of(
            replace(stage, chi=start.ask.adjoint * stage.chi), METHOD if run.generator.resolution == 1 else RESOLVING
        )
        about = run.state, self.order, stage.dt, truncation, MEMORIES * forgets_in, start.seed
        return Backwards(run.generator, *about).errors(operators, start.report)

    def prior(self, problem: Any, record: Record, judged: Sequence[str]) -> Prior | None:
        """Return the bond dimension, time step and errors of a recorded steady state: a coarse stage of a new run."""
        return prior_of(problem, record, judged)

    def used_for(self, problem: Any, ask: Ask) -> dict[str, Any]:
        """Return the settings that a run uses; the time step in a drive is chosen for a request."""
        drive = self._drive(problem, ask)
        return self.used(problem) | ({} if drive is None else {"dt": self.driven_step(drive[0], ask)})

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings, with the time step, schedule and truncation that a run of this problem uses."""
        given = asdict(self)
        if isinstance(problem, Circuit):
            return given | {"method": self.method or METHOD, "power": self.used_power}
        generator, blocks = self._chain(problem)
        by_svd = self.method_for(generator) == RESOLVING
        used = {
            "dt": self.time_step(generator),
            "schedule": list(self.coarse),
            "method": self.method_for(generator),
            "power": 0 if by_svd else self.used_power,
            "symmetry": self.symmetry_for(generator, self.chi),
        }
        return given | used | ({"joined_sites": 2} if blocks else {})

    def _chain(self, problem: Any) -> tuple[ChainGenerator, Blocks | None]:
        """Return a chain of terms on neighbours; where terms reach over three sites, it is a chain of blocks."""
        drive = self._drive(problem, None)
        if drive is not None:
            return drive[0].whole, drive[1]
        taker = f"engine {self.name!r}"
        generator = chain_of(problem, taker, any_sites=True)
        if generator.n == 1:
            raise InputError(f"{taker} takes chains of at least two sites: this one is solved by engine 'exact'")
        if generator.distant:
            return blocked(generator, taker), Blocks(generator)
        return generator, None

    def _drive(self, problem: Any, ask: Ask | None) -> tuple[Drive, Blocks | None] | None:
        """Return what a problem does in time, on sites or on blocks of them; None where it does not depend on time.

        ask: the request, by which it is checked; None checks nothing.
        """
        drive = drive_of_problem(problem, ask)
        if drive is None or not drive.whole.distant:
            return None if drive is None else (drive, None)
        return drive.blocked(f"engine {self.name!r}"), Blocks(drive.whole)

    def _prepared(self, problem: Any, start: Start) -> tuple[TEBD, ChainGenerator, Blocks | None, dict[str, Any]]:
        """Return the settings, the chain, and what a run of a chain that depends on time needs besides."""
        drive = self._drive(problem, start.ask)
        if drive is None:
            return self._after(start), *self._chain(problem), {}
        engine = replace(self._after(start), dt=self.driven_step(drive[0], start.ask))
        clock = Clock(drive[0], np.dtype(self.dtype), engine.dt or 1.0, start.ask.period)
        return engine, drive[0].whole, drive[1], {"clock": clock}

    def driven_step(self, drive: Drive, ask: Ask) -> float:
        """Return dt, or its default for a generator that depends on time; it divides the period of a Floquet state.

        Raises
        ------
        InputError: the given dt does not divide the period.
        """
        if self.dt is not None and ask.period is None:
            return self.dt
        if self.dt is not None and ask.period is not None:
            parts = ask.period / self.dt
            if abs(parts - round(parts)) > 1e-6 * parts:
                fitting = ask.period / math.ceil(parts)
                raise InputError(f"dt = {self.dt:g} does not divide the period {ask.period:g}: dt = {fitting:.6g} does")
            return ask.period / round(parts)
        span = ask.period or (ask.times or (1.0,))[-1]
        share = 1.0 if self.order == 4 else 1 / 3
        bounds = (AUTO_STEP / max(1e-12, drive.strength(span)), 1 / max(1e-12, drive.quickness(span)))
        dt = share * min(*bounds, span or 1.0)
        return dt if ask.period is None else ask.period / math.ceil(ask.period / dt - 1e-9)

    def _circuit_state(self, start: Start) -> partial[NetworkState]:
        """Return a function that makes the state of a circuit."""
        if self.dt is not None or self.schedule is not None:
            raise InputError("a circuit has no time step and no schedule: leave dt and the like out")
        truncation = self.truncation_of(Stage(chi=self.chi, dt=1.0, power=self.used_power))
        return partial(NetworkState, truncation=truncation, dtype=self.dtype, seed=start.seed)

    def _after(self, start: Start) -> TEBD:
        """Return the engine without a default schedule if the run extends a record: the record is the coarse stage."""
        return replace(self, schedule=()) if self.schedule is None and start.prior is not None else self

    def _continues(self, record: Record, start: Start) -> bool:
        """Return whether an evolution goes on as if it had never ended, with its random directions and its account."""
        known = record.settings
        ours = self.name, start.seed, self.dtype
        return not start.steady and ours == (known["engine"], known["seed"], known["engine_settings"].get("dtype"))

    # ------------------------------------------------------------------ the settings at work

    def stages(self, generator: ChainGenerator) -> tuple[Stage, ...]:
        """Return the schedule of a steady state on this problem.

        If there are several bond dimensions, the smallest is run at dt and again at dt/2: their difference estimates
        the Trotter error. The last two, chi/2 and chi, estimate the truncation error in the same way.
        """
        dt = self.time_step(generator)
        chis = [c for c in self.coarse if c < self.chi] + [self.chi]
        stages = [Stage(chi=c, dt=dt, power=self.used_power) for c in chis]
        if len(stages) > 1:
            stages.insert(1, replace(stages[0], dt=dt / 2))
        return tuple(stages)

    @property
    def coarse(self) -> tuple[int, ...]:
        """Bond dimensions that come before chi: the given schedule, or chi/4 and chi/2, those that are at least 8.

        A chi below 16 has one of 3/4 of its size before it, since half of so little says nothing; one below 8 has half,
        rounded up.
        """
        if self.schedule is not None:
            return self.schedule
        if self.chi == 1:
            return ()
        few = (3 * self.chi) // 4 if self.chi >= 8 else (self.chi + 1) // 2
        return tuple(c for c in (self.chi // 4, self.chi // 2) if c >= 8) or (few,)

    @property
    def used_power(self) -> int:
        """The power iterations of a split."""
        return POWER if self.power is None else self.power

    def time_step(self, generator: ChainGenerator) -> float:
        """Return dt, or its default for this problem."""
        if self.dt is not None:
            return self.dt
        share = 1.0 if self.order == 4 else 1 / 3
        return share * AUTO_STEP / max(1e-12, strength_of(generator))

    def symmetry_for(self, generator: ChainGenerator, chi: int) -> str:
        """Return which blocks are used at a bond dimension: of charges, of parities, or none."""
        if self.symmetry == "none" or self.method not in IN_BLOCKS or generator.is_factored:
            return "none"
        if generator.charges is not None:
            return "charges" if self.dtype == "float64" or generator.resolution == 1 else "none"
        size, wanted = max(generator.dims) * chi, self.symmetry
        charges = wanted == "charges" or (wanted == "auto" and size >= CHARGES_FROM)
        if charges and generator.conserved is not None:
            return "charges"
        parity = wanted == "parity" or (wanted == "auto" and size >= PARITY_FROM)
        return "parity" if parity and generator.parities is not None else "none"

    def in_blocks(
        self, generator: ChainGenerator, symmetry: str, state: ChainState, stray: float
    ) -> SectorState | None:
        """Return a state in blocks; None without any, or if parts of other total charges weigh more than stray."""
        charges = charges_of(generator, symmetry)
        return None if charges is None else SectorState.adapted(state, Rules(charges), stray)

    def method_for(self, generator: ChainGenerator) -> str:
        """Return the truncation method on this problem.

        Raises
        ------
        InputError: a method or a number of power iterations is given, but the problem needs the SVD.
        """
        if generator.resolution == 1:
            return self.method or METHOD
        for name, unused in (("method", self.method not in (None, RESOLVING)), ("power", bool(self.power))):
            if unused:
                why = "resolves a small deviation of this chain by SVD"
                raise InputError(f"{name} = {getattr(self, name)!r}: engine {self.name!r} {why}: leave it out")
        return RESOLVING

    def truncation_of(self, stage: Stage, method: str | None = None, resolution: float = 1.0) -> Truncation:
        """Return the truncation of a stage. Its cutoff is `cutoff` times the square of the resolution."""
        return Truncation(
            chi=stage.chi,
            cutoff=self.cutoff * resolution**2,
            method=method or self.method or METHOD,
            power=stage.power,
        )

    # ------------------------------------------------------------------ runs by hand

    def init(
        self,
        generator: ChainGenerator,
        initial: ChainState,
        seed: int = 0,
        stray: float = STRAY_WEIGHT,
        blocks: Blocks | None = None,
        **more: Any,
    ) -> TEBDRun:
        """Return a run that starts from `initial` (copied) at time 0 in the first stage.

        stray: weight of other total charges that is dropped. blocks: the single sites, if `generator` is a chain of
        blocks; `initial` is a state of the single sites. more: further arguments of the run.
        """
        if blocks is not None:
            check_initial(blocks.generator, initial)
            initial = blocks.join(initial)
        state = self.prepared(generator, initial)
        symmetry = self.symmetry_for(generator, self.chi)
        definite = self.in_blocks(generator, symmetry, state, stray) is not None
        return TEBDRun(self, generator, state, seed, definite=definite, blocks=blocks, **more)

    def prepared(self, generator: ChainGenerator, initial: ChainState) -> ChainState:
        """Return a copy of a state, scaled by the metric and canonical."""
        check_initial(generator, initial)
        state = scaled_state(initial.copy(np.dtype(self.dtype)), generator.metric)
        state.canonicalise(0)
        return state

    def restore(
        self, generator: ChainGenerator, snapshot: Snapshot, blocks: Blocks | None = None, **more: Any
    ) -> TEBDRun:
        """Return the run that was saved. more: further arguments of the run."""
        return TEBDRun.restored(self, generator, snapshot, blocks=blocks, **more)


def ladder_rule(run: Any, within: Any, start: Start) -> Ladder:
    """Return the stopping rule of a steady state in stages. within: the rule of a single stage."""

    def check() -> dict[str, float]:
        return run.checks()

    about = run.settings.order, check, start.target, start.ask.refine, start.prior
    rule = Ladder(run, within, *about)
    if start.ask.kick:
        rule.forgetting = Forgetting(run, start.reads, start.given, rule.longest)
    return rule


def prior_of(problem: Any, record: Record, judged: Sequence[str]) -> Prior | None:
    """Return the bond dimension, time step and errors of the observables `judged`, from a record of a steady state.

    Return None for any other record, and for a record that was not judged by all of these observables: the missing ones
    may not have relaxed.
    """
    used = record.used
    if record.unfinished or record.settings["kind"] != STEADY or used.get("dt") is None or "chi" not in used:
        return None
    errors = record.certificate.estimates
    if not set(judged) <= errors.get("relaxation", {}).keys():
        return None
    estimates = {kind: {name: error for name, error in of.items() if name in judged} for kind, of in errors.items()}
    refined = int(record.snapshot.numbers["refined"]) if record.snapshot is not None else 0
    dt = float(used["dt"]) / 2**refined
    return Prior(int(used["chi"]), dt, record.certificate.relaxation_rate, estimates)


@dataclass
class TEBDRun:
    """A run of the engine: the state, the clock and the sums of the weight dropped.

    truncated: sum over all layers of the root of the weight dropped, which bounds the change of the state.
    kicks: kicks that are being watched, while the state waits. kicked: the results of earlier ones.
    definite: whether the charge of the initial state was, so that there may be blocks. symmetry: the present kind of
    blocks. sectors: the state in these blocks, from which `state` is made, or None.
    start: the state that a steady state's run began with, until its last stage. trail: the marginals in this stage.
    blocks: the single sites, if generator and state are of blocks of sites.
    clock: of a chain that depends on time; `generator` then conserves what the drive conserves, and evolves nothing.
    """

    settings: TEBD
    generator: ChainGenerator
    state: ChainState
    seed: int = 0
    time: float = 0.0
    steps: int = 0
    stage: int = 0
    discarded: float = 0.0
    fallbacks: int = 0
    log_trace: float = math.nan
    truncated: float = 0.0
    trace_drift: float = 0.0
    refined: int = 0
    kicks: Kicks | None = None
    kicked: list[Kicked] = field(default_factory=list)
    definite: bool = False
    symmetry: str = "none"
    sectors: SectorState | None = None
    start: ChainState | None = None
    trail: Trail = field(default_factory=Trail)
    blocks: Blocks | None = None
    clock: Clock | None = None
    gates: Gates | FactoredGates = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.gates = gates_of(self.generator, self.state.dtype)
        self._trace = scaled_covectors(self.generator)
        self._method = self.settings.method_for(self.generator)
        self._schedule = self.settings.stages(self.generator)
        if math.isnan(self.log_trace):
            self.log_trace = self._log_trace(self.state)

    @classmethod
    def restored(cls, settings: TEBD, generator: ChainGenerator, snapshot: Snapshot, **more: Any) -> Self:
        """Return the run that was saved. more: further arguments of the class."""
        numbers = snapshot.numbers
        tensors = [snapshot.arrays[f"tensor_{i:04d}"] for i in range(generator.n)]
        state = scaled_state(ChainState(tensors, None, float(numbers["log_norm"])), generator.metric)
        state.centre = int(numbers["centre"])
        known = "symmetry" in numbers
        more["definite"] = bool(numbers["definite"]) if known else generator.charges is not None
        more["symmetry"] = SYMMETRIES[int(numbers["symmetry"])] if known else "none"
        charges = charges_of(generator, more["symmetry"])
        if charges is not None and "sector_0000" in snapshot.arrays:
            more["sectors"] = SectorState.load(snapshot.arrays, Rules(charges), state.centre > 0, state.log_norm)
        clock = {name: float(numbers[name]) for name in ("time", "log_trace")}
        run = cls(settings, generator, state, int(numbers["seed"]), **clock, **more)
        run.steps, run.stage, run.fallbacks = (int(numbers[name]) for name in ("steps", "stage", "fallbacks"))
        run.refined = int(numbers["refined"])
        run.discarded, run.trace_drift = (float(numbers[k]) for k in ("discarded", "trace_drift"))
        run.truncated = float(numbers.get("truncated", math.inf))  # files of earlier versions do not tell
        run.kicked = [Kicked.load(row) for row in snapshot.arrays.get("kicked", ())]
        if "kick_at" in numbers:
            run.kicks = Kicks.restore(run._disturbance, run._present.chi, snapshot)
        if "start_0000" in snapshot.arrays:
            kept = [snapshot.arrays[f"start_{i:04d}"] for i in range(generator.n)]
            run.start = ChainState(kept, None, float(numbers["start_log_norm"]))
        if "trail" in snapshot.arrays:
            about = int(numbers["trail_every"]), int(numbers["trail_offered"])
            run.trail = Trail.restore(list(snapshot.arrays["trail"]), *about)
        run.recall(snapshot)
        return run

    @property
    def n(self) -> int:
        """The number of sites."""
        return self.generator.n

    @property
    def bond_dimension(self) -> int:
        """The largest bond dimension at present."""
        return max(self.state.bond_dimensions)

    @property
    def is_full(self) -> bool:
        """True if a bond has reached chi, so that chi limits it and not the cutoff."""
        return self.bond_dimension >= self.stages[-1].chi

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The schedule, and one more stage at half the time step for each refinement."""
        final = self._schedule[-1]
        return (*self._schedule, *(replace(final, dt=final.dt / 2 ** (k + 1)) for k in range(self.refined)))

    def refine(self) -> bool:
        """Append a stage at half the time step, which measures the Trotter error at the full bond dimension.

        Return False if there is such a stage already.
        """
        if self.refined:
            return False
        self.refined = 1
        return True

    @property
    def refined_stage(self) -> int:
        """Index of the stage that `refine` appends."""
        return len(self._schedule)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage of the schedule."""
        return tuple(f"chi={stage.chi} dt={stage.dt:.3g}" for stage in self.stages)

    def next_stage(self) -> None:
        """Enter the next stage of the schedule; reset the weight dropped and the drift of the trace.

        Coarse stages may displace what a chain conserves, and its powers, for ever: the last stage of such a chain
        begins from the start of the run, and the weight that it drops counts from there on.
        """
        self.stage += 1
        keeps = self.start is not None and bool(self.conserved)  # what is conserved keeps what was dropped
        if not keeps or self.stage < self.refined_stage:
            self.discarded, self.truncated = 0.0, 0.0
        self.trace_drift, self.trail = 0.0, Trail()
        if keeps and self.stage == self.refined_stage - 1:
            self.start_over()
        elif not keeps and self.stage >= self.refined_stage - 1:
            self.start = None
        self.log_trace = self._log_trace(self.state)

    def start_over(self) -> bool:
        """Return to the state that the run began with; False where it was not kept."""
        if self.start is None:
            return False
        self.state = self.settings.prepared(self.generator, self.start)
        self.symmetry, self.sectors = "none", None  # `_enter` brings it into blocks
        return True

    def step(self, until: float | None = None) -> Report:
        """Advance by one block of steps, not beyond `until`.

        With `until`, all steps are shortened alike so that the last one ends on it; the settings are those of the last
        stage.

        Raises
        ------
        NumericalError: a NaN or infinity appeared, or the trace was lost. The run keeps its old state.
        """
        if until is None and self.kicks is not None:
            return self._kick(self.kicks)
        stage = self.stages[-1] if until is not None else self._present
        steps, dt, end = self._block(stage.dt, until)
        truncation, square = self._truncation(stage), self.generator.resolution**2
        self._enter(stage)
        sectors = self.sectors.copy() if self.sectors is not None else None
        state = ChainState(list(self.state.tensors), self.state.centre, self.state.log_norm)
        discarded, truncated, fallbacks = 0.0, 0.0, 0
        for number, gates in enumerate(self._gate_layers(steps, dt, until)):
            rng = stream(self.seed, "truncation", self.steps, number)
            if sectors is not None:
                dropped, helped = sectors.sweep(gates, truncation, rng)
            else:
                dropped, helped = sweep_layer(state, gates, truncation, rng, self._trace)
            discarded, fallbacks = discarded + dropped / square, fallbacks + helped
            truncated += math.sqrt(dropped / square)
        if sectors is not None:
            sectors.normalise()
            state = sectors.real()
        else:
            state.normalise()
        log_trace = self._log_trace(state)  # raises before a lost state replaces the old one
        self.state, self.sectors, self.steps, self.time = state, sectors, self.steps + steps, end
        self.discarded, self.fallbacks = self.discarded + discarded, self.fallbacks + fallbacks
        self.truncated += truncated
        self.trace_drift = log_trace - self.log_trace
        if until is None and self.is_sample:
            self._follow()
        about = {"discarded": discarded, "fallbacks": fallbacks, "chi": max(state.bond_dimensions)}
        return Report(time=self.time, sampled=self.is_sample, **about)

    @property
    def is_sample(self) -> bool:
        """True where the present state may be the steady state."""
        return self.clock is None or self.clock.is_sample(self.time)

    def _gate_layers(self, steps: int, dt: float, until: float | None) -> Iterator[list[Any]]:
        """Yield the layers of gates of some steps from the present time on."""
        if self.clock is not None:
            yield from self.clock.layers(self.settings.order, dt, steps, self.time, until)
            return
        yield from self.gates.layers(self.settings.order, steps, dt)

    def _follow(self) -> None:
        """Offer the one- and two-site marginals to the trail."""
        if not self.trail.wants():
            self.trail.skip()
            return
        self.trail.offer(self.marginals())

    def marginals(self) -> Array:
        """Return all one- and two-site marginals, flat, in units of their operators (+-1 for a Pauli matrix)."""
        trace = self.generator.functionals["trace"]
        pairs, whole = neighbour_marginals(self._natural(), trace)
        norms = [float(np.linalg.norm(covector)) for covector in trace]
        singles = [pairs[0] @ trace[1], *(trace[i] @ pair for i, pair in enumerate(pairs))]
        parts = [single * norm for single, norm in zip(singles, norms, strict=True)]
        parts += [pair * norms[i] * norms[i + 1] for i, pair in enumerate(pairs)]
        return np.concatenate([part.ravel() for part in parts]) / whole

    def marginals_to_come(self, noise: float, reads: tuple[int, ...] = ()) -> float:
        """Return the largest change still to come of an element of the one- and two-site marginals of some sites."""
        reads = self.blocks.of(reads) if self.blocks else reads
        dims, wanted = self.generator.dims, [not reads or i in reads for i in range(self.n)]
        masks = [np.full(dim, chosen) for dim, chosen in zip(dims, wanted, strict=True)]
        masks += [np.full(dims[i] * dims[i + 1], wanted[i] and wanted[i + 1]) for i in range(self.n - 1)]
        return self.trail.to_come(noise, np.concatenate(masks))

    @property
    def patience(self) -> float:
        """The time in which a kick must be forgotten."""
        return PATIENCE * self.time

    def begin_kicks(self, limit: float, reads: tuple[int, ...] = ()) -> None:
        """Disturb the present state, and watch what is left of it in the next steps, for a limited time.

        reads: the sites on which it must be forgotten; none stands for all.
        """
        stage = self._present
        view, reads = self.whole_view(), self.blocks.of(reads) if self.blocks else reads
        settled = [view.window(i, i + 2) for i in range(self.n - 1)]
        about = stage.chi, stage.dt, self.time, limit, sum(kicked.passed for kicked in self.kicked), reads
        self.kicks = Kicks.of(self._disturbance(settled), *about)

    def _disturbance(self, settled: list[Array]) -> Disturbance:
        """Return the recipe of the kicks of a settled state, given the coefficients of every two neighbours."""
        charges = charges_of(self.generator, self.symmetry) if self.sectors is not None else None
        neutral = [] if charges is None else [charges.neutral(i) for i in range(self.n)]
        about = self.generator, settled, self.seed, self.conserved, neutral
        return (
            Disturbance(*about)
            if self.clock is None
            else Disturbance(*about, self.clock.period, self.clock.gates.period)
        )

    @cached_property
    def conserved(self) -> list[tuple[Array, ...]]:
        """The conserved sums of one-site operators, on whose values the steady state depends."""
        return conserved_sums(self.generator)

    def _kick(self, kicks: Kicks) -> Report:
        """Advance the kicks by a step; the state waits."""
        text = kicks.step()
        if kicks.present is None:
            result = kicks.result()
            self.kicked.append(replace(result, site=self.blocks.starts[result.site]) if self.blocks else result)
            self.kicks = None
        return Report(self.time, sampled=False, text=text)

    def _enter(self, stage: Stage) -> None:
        """Bring the state into the blocks of a stage."""
        symmetry = self.settings.symmetry_for(self.generator, stage.chi) if self.definite else "none"
        if symmetry == self.symmetry:
            return
        sectors = self.settings.in_blocks(self.generator, symmetry, self.state, STRAY_STAGE)
        self.symmetry, self.sectors = symmetry, sectors
        if sectors is not None:
            sectors.normalise()
            self.state = sectors.real()

    @property
    def _present(self) -> Stage:
        return self.stages[min(self.stage, len(self.stages) - 1)]

    def _truncation(self, stage: Stage) -> Truncation:
        """Return the truncation of a stage for this problem."""
        return self.settings.truncation_of(stage, self._method, self.generator.resolution)

    def _block(self, dt: float, until: float | None) -> tuple[int, float, float]:
        """Return the number of steps of a block, their length, and the time at its end."""
        if until is not None and until < self.time:
            raise InputError(f"a run at time {self.time:g} cannot go back to {until:g}")
        if self.clock is not None:
            return self.clock.block(self.settings.block, dt, self.time, until)
        if until is None:
            steps = self.settings.block
            return steps, dt, self.time + steps * dt
        parts = 2**self.refined  # of a step: a refined run makes exactly so many for each step of one that is not
        steps = parts * self.settings.block
        remaining = parts * max(1, math.ceil((until - self.time) / (parts * dt) - 1e-9))
        dt = (until - self.time) / remaining
        return (remaining, dt, until) if remaining <= steps else (steps, dt, self.time + steps * dt)

    def chain_state(self) -> ChainState:
        """Return a copy of the present state in double precision."""
        if self.blocks is None:
            return self.whole_state()
        state = self.blocks.part(self.whole_state())
        state.canonicalise(0)
        return state

    def whole_state(self) -> ChainState:
        """Return a copy of the present state as the generator has it: of sites, or of blocks."""
        state = self._natural().copy(np.float64)
        if state.centre is None:
            state.canonicalise(0)
        return state

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        arrays = {f"tensor_{i:04d}": tensor for i, tensor in enumerate(self._natural().tensors)}
        names = ("seed", "steps", "stage", "fallbacks", "refined", "time", "discarded", "truncated", "log_trace")
        names += ("trace_drift",)
        numbers: dict[str, float | int] = {name: getattr(self, name) for name in names}
        assert self.state.centre is not None
        numbers |= {"centre": self.state.centre, "log_norm": self.state.log_norm}
        if self.sectors is not None:
            arrays |= self.sectors.save()
        numbers |= {"definite": int(self.definite), "symmetry": SYMMETRIES.index(self.symmetry)}
        numbers |= {"metric": 1} if self.generator.metric is not None else {}
        if self.start is not None:
            arrays |= {f"start_{i:04d}": tensor for i, tensor in enumerate(self.start.tensors)}
            numbers["start_log_norm"] = self.start.log_norm
        if self.trail.samples:
            kept, counts = self.trail.save()
            arrays, numbers = arrays | kept, numbers | counts
        if self.kicked:
            arrays["kicked"] = np.array([result.dump() for result in self.kicked])
        if self.kicks is not None:
            kicks = self.kicks.save()
            arrays, numbers = arrays | kicks.arrays, numbers | kicks.numbers
        return Snapshot(arrays, numbers)

    def recall(self, snapshot: Snapshot) -> None:
        """Restore the parts of a snapshot that a subclass adds; this class adds none."""

    def view(self) -> ChainView:
        """Return a view of the present state."""
        return self.blocks.view(self._natural()) if self.blocks else self.whole_view()

    def checks(self) -> dict[str, float]:
        """Return the figures that test the state against its equation: residual, balances, positivity.

        In a state that moves within its period no rate of change vanishes: there is the positivity alone.
        """
        if self.clock is not None:
            unknown = dict.fromkeys(("residual", "local_balance", "energy_balance"), math.nan)
            return unknown | {"positivity": positivity(self.whole_view())}
        return checks(self.generator, self.whole_view(), residual(self.generator, self.whole_state()))

    def whole_view(self) -> ChainView:
        """Return a view of the present state as the generator has it: of sites, or of blocks."""
        return ChainView(self._natural(), self.generator.spaces, self.generator.functionals)

    def _natural(self) -> ChainState:
        """Return the present state in the coordinates of the problem; with a metric it has no orthogonality centre."""
        return scaled_state(self.state, self.generator.metric, inverse=True)

    def _log_trace(self, state: ChainState) -> float:
        mantissa, logarithm = product_overlap(state, self._trace)
        if not (np.isfinite(mantissa) and np.isfinite(logarithm)):
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
        if not mantissa.real > 0:
            raise StateLost(f"the trace of the state is not positive ({mantissa.real:.3g}): the state is lost")
        return math.log(mantissa.real) + logarithm


def charges_of(generator: ChainGenerator, symmetry: str) -> Charges | None:
    """Return the charges of one kind of blocks, or None."""
    if symmetry == "charges":
        return generator.charges or generator.conserved
    return generator.parities if symmetry == "parity" else None
