"""Time evolution of a `ChainState` by Trotter gates (TEBD), to a steady state or to given times.

Each layer of gates is a sweep (`tnness.network.sweep`). If the problem conserves local charges and the state has a
definite charge, a sweep acts block by block (`tnness.network.sector_state`).

If the problem has a metric, the run multiplies every basis state by its weight: the plain norm of the scaled state is
the norm that the metric defines. Views, copies and snapshots are scaled back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from tnness.engines.adjoint import MEMORIES, Backwards
from tnness.engines.ask import TOLERANCE, Ask, Start
from tnness.engines.blocked import Blocks
from tnness.engines.circuits.network import NetworkState
from tnness.engines.circuits.run import CircuitRun, circuit_rule
from tnness.engines.driven import Clock, drive_of_problem
from tnness.engines.initial import parse_initial
from tnness.engines.limits import need_of_network
from tnness.engines.metric import quickness_of, scaled_state, strength_of
from tnness.engines.protocol import Adjoint, Companion, Engine, Run, check_initial
from tnness.engines.registry import register_engine
from tnness.engines.staged import ladder_rule, prior_of
from tnness.engines.starting import density_operator
from tnness.engines.tebd_run import TEBDRun, charges_of
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.halves import SHORTEST
from tnness.network.sector_state import STRAY_WEIGHT, SectorState
from tnness.network.sectors import Rules
from tnness.network.trotter import FRACTIONS
from tnness.network.truncation import Array, Truncation
from tnness.operators.terms import Operator
from tnness.problems.blocks import blocked, takes_blocks
from tnness.problems.chain import chain_of
from tnness.problems.circuit import Circuit
from tnness.problems.driven import Drive
from tnness.problems.generator import ChainGenerator
from tnness.problems.need import Need
from tnness.records.certificate import Prior
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.course import Course
from tnness.stopping.discretisation import Stage
from tnness.stopping.protocol import Rule
from tnness.stopping.waiting import Waiting

AUTO_STEP = 1.6
"""Default dt is AUTO_STEP over the largest spectral norm of a bond's generator (order 4; a third of it at order 2)."""
STEADY_STEP, LONGEST_STEADY = 1.2, 1.5
"""Step of a steady state at a tolerance of 1e-2, and the longest one, over the root of the largest |[G_b, G_b+1]|.

At fourth order its error is a tenth of the tolerance or so. It grows as dt^4: the step grows as the tolerance's fourth
root.
"""
LARGEST_FACTOR = 1.5
"""Longest step of a steady state, over the default dt: strong fields enlarge commutators of commutators."""
COARSER = math.sqrt(2)
"""Step of the coarse stages over the last one's, where the engine chooses dt: their difference tells its error.

They are cheaper, and of their difference, and of what truncation adds to it, half is the error of dt at most (order 4).
"""
METHOD, POWER = "cholesky-qr", 1
"""Default truncation method, and default number of power iterations."""
RESOLVING = "svd"
"""The method of splits that must resolve a small deviation from a large background: the faster ones lose it."""
IN_BLOCKS = (None, METHOD, RESOLVING)
"""The methods that split block by block."""
LARGEST_BLOCK = 1000
"""Most Trotter steps between two measurements: within them nothing is saved."""
IN_HALVES = ("cholesky-qr", "qr", "svd", "randomized")
"""The methods that a second process knows."""
STRAY_STEADY = 1e-6
"""Weight of other total charges in the recorded state from which a steady state goes on: truncation put them there."""
PARITY_FROM, CHARGES_FROM = 192, 192
"""Smallest D chi, D the largest local dimension, from which blocks of a parity, or of a charge, are faster."""


@register_engine("tebd")
@dataclass(frozen=True, kw_only=True)
class TEBD(Engine):
    """Settings of the engine.

    Parameters
    ----------
    chi: largest bond dimension (default 64).
    dt: Trotter step in units of time; None takes 1.6 over the largest norm of a two-site generator (order 4); for a
        steady state up to 1.5 times that, as the tolerance and the commutators of neighbouring bonds allow.
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
    threads: cores that sweep a chain without blocks: 1 (default), or 2, one for either half (`tnness.network.halves`).
        Results differ within truncation, and are the same each time for either number. Kicks use one core.
    """

    chi: int = 64  # largest bond dimension
    dt: float | None = None  # Trotter step; by default chosen from the problem [time]
    order: int = 4  # Trotter order, 2 or 4
    method: str | None = None  # svd, qr, cholesky-qr (default), cholesky-svd, randomized, marginals
    cutoff: float = 1e-14  # discarded weight that is always acceptable
    power: int | None = None  # power iterations of each split, default 1
    symmetry: Literal["auto", "none", "parity", "charges"] = "auto"  # blocks of conserved charges
    schedule: tuple[int, ...] | None = None  # bond dimensions to pass through before chi
    dtype: Literal["float64", "float32"] = "float64"  # precision
    block: int = 1  # Trotter steps between measurements
    threads: int = 1  # cores for one chain, 1 or 2

    instead = "tdvp"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.truncation_of(Stage(chi=self.chi, dt=1.0, power=self.used_power))
        if self.dt is not None and not self.dt > 0:
            raise InputError(f"dt = {self.dt!r}: the time step is a finite number > 0")
        if self.order not in FRACTIONS:
            raise InputError(f"order = {self.order!r}: the Trotter order is one of {sorted(FRACTIONS)}")
        if not 1 <= self.block <= LARGEST_BLOCK:
            raise InputError(f"block = {self.block!r}: the steps between measurements are 1 to {LARGEST_BLOCK}")
        if self.threads not in (1, 2):
            raise InputError(f"threads = {self.threads!r}: one core sweeps a chain, or two, one for either half")
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
        more["step_factor"] = engine.step_factor(generator, start.ask)
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
        more["step_factor"] = engine.step_factor(generator, start.ask)
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
        used, drive = self.used(problem), self._drive(problem, ask)
        if drive is not None:
            return used | {"dt": self.driven_step(drive[0], ask)}
        return (
            used
            if isinstance(problem, Circuit)
            else used | {"dt": self.step_factor(self._chain(problem)[0], ask) * used["dt"]}
        )

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

    def stages(self, generator: ChainGenerator, factor: float = 1.0, coarser: float | None = None) -> tuple[Stage, ...]:
        """Return the schedule of a steady state on this problem.

        If there are several bond dimensions, the earlier ones are run at a longer step, and the last but one at dt
        again: the difference estimates the Trotter error. Where the step may not be longer, it is run at dt and at dt/2
        instead. The last two bond dimensions, chi/2 and chi, estimate the truncation error in the same way.

        factor: on the time step. coarser: the step of the earlier ones over dt; default: `coarser_step`.
        """
        dt = factor * self.time_step(generator)
        ratio = self.coarser_step(generator) if coarser is None else coarser
        chis = [c for c in self.coarse if c < self.chi] + [self.chi]
        stages = [Stage(chi=c, dt=dt, power=self.used_power) for c in chis]
        if len(stages) > 1:
            before = [replace(stage, dt=ratio * dt) for stage in stages[:-1]]
            stages[:-1] = [*before, replace(before[-1], dt=dt if ratio > 1 else dt / 2)]
        return tuple(stages)

    def coarser_step(self, generator: ChainGenerator) -> float:
        """Return the step of the coarse stages over that of the last one.

        It is sqrt(2) at order 4 where dt is not given; 2 for a given dt of half the default or less; 1 else.
        """
        if self.dt is None:
            return COARSER if self.order == 4 else 1.0
        if generator.distant:  # its blocks have another default
            return 1.0
        return 2.0 if 2 * self.dt <= self._default_step(generator) * (1 + 1e-9) else 1.0

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
        return self._default_step(generator) if self.dt is None else self.dt

    def _default_step(self, generator: ChainGenerator) -> float:
        share = 1.0 if self.order == 4 else 1 / 3
        return share * AUTO_STEP / max(1e-12, strength_of(generator))

    def step_factor(self, generator: ChainGenerator, ask: Ask) -> float:
        """Return by which factor the steps of a steady state are longer than the default: 1 where dt is given.

        Fewer splits of the state make its truncation error no larger.
        """
        known = self.dt is None and self.order == 4 and not generator.is_factored and generator.resolution == 1
        if ask.times is not None or not known:
            return 1.0
        quickness = quickness_of(generator)  # 0 where all neighbours commute
        longest = min(STEADY_STEP * (ask.tolerance / TOLERANCE) ** (1 / self.order), LONGEST_STEADY)
        return float(min(max(1.0, longest / (self.time_step(generator) * max(1e-12, quickness))), LARGEST_FACTOR))

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

    def check_threads(self, generator: ChainGenerator) -> None:
        """Refuse two cores where the halves of a chain are not swept at once."""
        if self.threads == 1:
            return
        if generator.n < SHORTEST or generator.is_factored:
            why = f"chains of less than {SHORTEST} sites, or with large ones, are"
        elif self.method_for(generator) not in IN_HALVES:
            why = f"truncation by {self.method!r} is"
        elif self.symmetry_for(generator, self.chi) != "none":
            why = "a chain in blocks of conserved charges is (symmetry = none leaves them out, and is slower)"
        else:
            return
        raise InputError(f"threads = {self.threads}: {why} swept by one core: leave threads out")

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
