"""A run of the engine `tebd`: the state of a chain, its clock, its stages, and the kicks that it must forget."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tnness.engines.blocked import Blocks
from tnness.engines.disturbance import Disturbance
from tnness.engines.driven import Clock
from tnness.engines.kicks import Kicks
from tnness.engines.metric import gates_of, scaled_covectors, scaled_state
from tnness.engines.protocol import Report
from tnness.errors import InputError, NumericalError, StateLost
from tnness.network.chain_state import ChainState, product_overlap
from tnness.network.chain_view import ChainView
from tnness.network.difference import neighbour_marginals
from tnness.network.factored import FactoredGates
from tnness.network.halves import Halves
from tnness.network.partner import Partner
from tnness.network.sector_state import SectorState
from tnness.network.sectors import Rules
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates
from tnness.network.truncation import Array, Truncation
from tnness.operators.charges import Charges
from tnness.problems.conserved import conserved_sums
from tnness.problems.generator import ChainGenerator
from tnness.records.snapshot import Snapshot
from tnness.stopping.balance import checks, positivity, residual
from tnness.stopping.discretisation import Stage
from tnness.stopping.kicked import PATIENCE, Kicked
from tnness.stopping.trail import Trail
from tnness.streams import stream

if TYPE_CHECKING:
    from tnness.engines.tebd import TEBD

MOST_IN_OLD_ORDER = 3
"""Most stages of a run that were always in one order; earlier versions measured the time step in the first one."""
STRAY_STAGE = 1e-2
"""Weight of other total charges that is dropped where a stage without blocks leaves its state to one with them."""
SYMMETRIES = ("none", "parity", "charges")
"""Kinds of blocks."""


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
    step_factor: factor on the time step of the settings. Kicks, of second order, have their own step.
    coarser: step of the coarse stages over that of the last one; None: as the settings choose it.
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
    step_factor: float = 1.0
    coarser: float | None = None
    gates: Gates | FactoredGates = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.gates = gates_of(self.generator, self.state.dtype)
        self._trace = scaled_covectors(self.generator)
        self._method = self.settings.method_for(self.generator)
        if self.coarser is None:
            self.coarser = self.settings.coarser_step(self.generator)
        self._schedule = self.settings.stages(self.generator, self.step_factor, self.coarser)
        self.settings.check_threads(self.generator)
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
        clock["step_factor"] = float(numbers.get("step_factor", 1.0))  # files of earlier versions had none
        if "coarser" in numbers:
            more["coarser"] = float(numbers["coarser"])
        elif getattr(settings, "dt", None) is None:
            more["coarser"] = 1.0  # earlier versions compared dt with dt/2
        run = cls(settings, generator, state, int(numbers["seed"]), **clock, **more)
        run.steps, run.stage, run.fallbacks = (int(numbers[name]) for name in ("steps", "stage", "fallbacks"))
        run.refined = int(numbers["refined"])
        if "step_factor" not in numbers and run.stage > 0 and len(run.stages) > MOST_IN_OLD_ORDER:
            raise InputError("the run was saved by an earlier version, whose stages had another order: begin it again")
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
        """True if a bond has reached chi and could be larger, so that chi limits it and not the cutoff."""
        chi, sizes = self.stages[-1].chi, [tensor.shape[1] for tensor in self.state.tensors]
        left, right = accumulate(sizes, operator.mul), [*accumulate(reversed(sizes), operator.mul)][-2::-1]
        largest = (min(sides) for sides in zip(left, right, strict=False))  # a bond has so many values at the most
        return any(chi <= bond < most for bond, most in zip(self.state.bond_dimensions, largest, strict=True))

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
    def used(self) -> dict[str, float]:
        """The settings that the run has chosen itself: its time step."""
        return {"dt": self._schedule[-1].dt}

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage of the schedule."""
        return tuple(f"chi={stage.chi} dt={stage.dt:.3g}" for stage in self.stages)

    def next_stage(self) -> None:
        """Enter the next stage of the schedule; reset the weight dropped and the drift of the trace.

        A stage at half the time step may be short: the weight that the one before it dropped counts there too.
        Coarse stages may displace what a chain conserves, and its powers, for ever: the last stage of such a chain
        begins from the start of the run, and the weight that it drops counts from there on.
        """
        self.stage += 1
        keeps = self.start is not None and bool(self.conserved)  # what is conserved keeps what was dropped
        if self.stage < self.refined_stage:
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
        halves = Halves(state, truncation, self._partner) if self.settings.threads == 2 else None
        for number, gates in enumerate(self._gate_layers(steps, dt, until)):
            rng = stream(self.seed, "truncation", self.steps, number)
            if halves is not None:
                dropped, helped = halves.sweep(gates, rng.spawn(3))
            elif sectors is not None:
                dropped, helped = sectors.sweep(gates, truncation, rng)
            else:
                dropped, helped = sweep_layer(state, gates, truncation, rng, self._trace)
            discarded, fallbacks = discarded + dropped / square, fallbacks + helped
            truncated += math.sqrt(dropped / square)
        if sectors is not None:
            sectors.normalise()
            state = sectors.real()
        else:
            state = state if halves is None else halves.joined()
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

    @cached_property
    def _partner(self) -> Partner:
        """The second process, which works on the right half of the chain."""
        return Partner()

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
        return self.trail.to_come(noise, self._elements_of(reads))

    def drift(self, reads: tuple[int, ...] = ()) -> float:
        """Return the change still to come of a marginal of some sites if all go on as they do; 0 without a drift."""
        return self.trail.drift(self._elements_of(reads))

    def _elements_of(self, reads: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return which elements of `marginals` belong to some sites; none stands for all."""
        reads = self.blocks.of(reads) if self.blocks else reads
        dims, wanted = self.generator.dims, [not reads or i in reads for i in range(self.n)]
        masks = [np.full(dim, chosen) for dim, chosen in zip(dims, wanted, strict=True)]
        masks += [np.full(dims[i] * dims[i + 1], wanted[i] and wanted[i + 1]) for i in range(self.n - 1)]
        return np.concatenate(masks)

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
        about = (
            stage.chi,
            stage.dt / self.step_factor,
            self.time,
            limit,
            sum(kicked.passed for kicked in self.kicked),
            reads,
        )
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
        names += ("trace_drift", "step_factor")
        numbers: dict[str, float | int] = {name: getattr(self, name) for name in names}
        assert self.state.centre is not None
        numbers |= {"centre": self.state.centre, "log_norm": self.state.log_norm}
        if self.sectors is not None:
            arrays |= self.sectors.save()
        if self.coarser is not None:
            numbers["coarser"] = self.coarser
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
