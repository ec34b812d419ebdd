"""Steady states by bursts of evolution and jumps of slow densities between them.

Two kinds of chains have slow densities that jumps can carry: weakly dissipative ones (`tnness.engines.weak.slow`), and
chains that transport a density from end to end (`tnness.engines.weak.transported`). The terms tell which one it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tnness.engines.accelerated_run import AcceleratedRun, Pace
from tnness.engines.ask import Ask, Start
from tnness.engines.initial import parse_initial
from tnness.engines.limits import need_of_network
from tnness.engines.metric import quickness_of, strength_of
from tnness.engines.profile_run import ProfileRun
from tnness.engines.protocol import Engine, Run
from tnness.engines.registry import register_engine
from tnness.engines.staged import ladder_rule, prior_of
from tnness.engines.starting import density_operator
from tnness.engines.tebd import TEBD
from tnness.engines.weak.transported import Transported
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.problems.chain import chain_of
from tnness.problems.generator import ChainGenerator
from tnness.problems.need import Need
from tnness.records.certificate import Prior
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.protocol import Rule

METHOD_KEEPING = "marginals"
"""Truncation method: it keeps the marginals, so that truncation does not change the slow densities."""
WEAK_STEP = 1.0
"""Default dt is this over the root of the largest |[G_b, G_b+1]|: commutators, not |G|, set the Trotter error.

In the driven MBL chain at eps = .001 the heating by finite steps then shifts the energy by less than 5e-4 of its value
(h = 2 and 4); steps 1.5 times as long shift it by 7e-3 (h = 2).
"""
LONGEST_STEP = 10.0
"""Largest default dt, over 1/|G| of the strongest bond: where neighbours commute, no error limits the step."""
SMALLEST_KEEPING = 24
"""Smallest bond dimension of a default earlier stage."""
WEAK_BURST = 60.0
"""Default time between two jumps of a weakly dissipative chain, whose Hamiltonian is of order 1."""
LOCAL_TIMES = 25.0
"""Default time between two jumps of a density that is transported, over the largest norm of a bond's generator."""


@register_engine("accelerated")
@dataclass(frozen=True, kw_only=True)
class Accelerated(Engine):
    """Settings of the engine: a `TEBD` (`evolution`), and the bursts between jumps.

    A weakly dissipative chain is evolved with a truncation that keeps marginals. A chain that transports a density
    between its ends is evolved as by `TEBD`.

    Parameters
    ----------
    chi, order, cutoff, power, dtype, block: as for `TEBD`.
    dt: Trotter step; None takes 1 over the root of the largest commutator of neighbouring two-site generators where
        dissipation is weak, and that of `TEBD` where a density is transported.
    schedule: bond dimensions before `chi`; None takes chi/2 if that is at least 24; where a density is transported the
        last of those of `TEBD`.
    burst: time evolved between two jumps; None takes 60 where dissipation is weak, in units of time of a Hamiltonian of
        order 1, and 25 over the largest norm of a bond's generator where a density is transported. A burst whose drift
        is hidden by noise is up to 4 times as long; all bursts become 2 or 4 times as long where currents rest late.
    bracket: settle twice more at the end, from above and from below, and compare. Default False. It is for weak
        dissipation.
    """

    chi: int = 64  # largest bond dimension
    dt: float | None = None  # Trotter step; by default chosen from the problem [time]
    order: int = 4  # Trotter order, 2 or 4
    cutoff: float = 1e-14  # discarded weight that is always acceptable
    power: int | None = None  # power iterations of each split, default 1
    schedule: tuple[int, ...] | None = None  # bond dimensions to pass through before chi
    dtype: Literal["float64", "float32"] = "float64"  # precision
    block: int = 1  # Trotter steps between measurements
    burst: float | None = None  # time evolved between two jumps; by default chosen from the problem [time]
    bracket: bool = False  # settle from above and from below too, and compare

    like = "tebd"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.burst is not None and not self.burst > 0:
            raise InputError(f"burst = {self.burst!r}: the time between two jumps is a finite number > 0")
        _ = self._plain

    @property
    def _plain(self) -> TEBD:
        """Return the settings that this engine shares with `TEBD`."""
        given = {name: value for name, value in asdict(self).items() if name not in ("burst", "bracket")}
        return TEBD(**given, method=METHOD_KEEPING)

    def evolution(self, generator: ChainGenerator, transported: Transported | None = None) -> TEBD:
        """Return the engine that evolves between jumps. transported: the density that the chain transports, if any."""
        if transported is None:
            return replace(self._plain, dt=self.time_step(generator), schedule=self.coarse)
        plain = replace(self._plain, method=None)
        return plain if self.schedule is not None else replace(plain, schedule=plain.coarse[-1:])

    def pace(self, generator: ChainGenerator, transported: Transported | None) -> Pace:
        """Return the settings of bursts and jumps on this problem."""
        default = WEAK_BURST if transported is None else LOCAL_TIMES / max(1e-12, strength_of(generator))
        return Pace(default if self.burst is None else self.burst, self.bracket, self.schedule)

    @property
    def coarse(self) -> tuple[int, ...]:
        """The bond dimensions before chi: the given schedule, or chi/2 if it is at least 24.

        The columns that keep the marginals fill a smaller bond and leave no room for others.
        """
        if self.schedule is not None:
            return self.schedule
        return tuple(c for c in (self.chi // 2,) if c >= SMALLEST_KEEPING)

    def time_step(self, generator: ChainGenerator) -> float:
        """Return dt, or its default for this problem."""
        if self.dt is not None:
            return self.dt
        if generator.n == 2:
            return self._plain.time_step(generator)
        share = 1.0 if self.order == 4 else 1 / 3
        quickness = quickness_of(generator)  # 0 where all neighbours commute
        return share * WEAK_STEP / max(1e-6, quickness, strength_of(generator) / LONGEST_STEP)

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the state, the matrices of the bonds and the covariance of their energies need."""
        need = need_of_network(problem, self.chi, self.dtype)
        bonds = len(getattr(problem, "spaces", ())) - 1
        return need and replace(need, bytes=need.bytes + 8.0 * bonds**2)

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run that starts from `start.initial` at time 0."""
        if not start.steady:
            raise InputError("engine 'accelerated' jumps to a steady state: it gives no time evolution")
        generator = chain_of(problem, f"engine {self.name!r}")
        initial = density_operator(start.initial, generator)
        return self._after(start).init(generator, initial, start.seed, far=not start.ask.watch, ask=start.ask)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        return self._after(start).restore(chain_of(problem, f"engine {self.name!r}"), snapshot, start.ask)

    def extend(self, problem: Any, start: Start, record: Record) -> Run:
        """Return a run that goes on from the state of a record, on its clock."""
        generator = chain_of(problem, f"engine {self.name!r}")
        state = density_operator(parse_initial(record.state), generator)
        time = record.time if math.isfinite(record.time) else 0.0
        return self._after(start).init(generator, state, start.seed, time, not start.ask.watch, start.ask)

    def rule(self, run: Any, start: Start) -> Rule:
        """Return the stopping rule of a run: stages that settle by jumps."""
        return ladder_rule(run, run.within(start.target, start.along), start)

    def prior(self, problem: Any, record: Record, judged: Sequence[str]) -> Prior | None:
        """Return the bond dimension, time step and errors of a recorded steady state: a coarse stage of a new run."""
        return prior_of(problem, record, judged)

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings, with the time step, schedule and truncation that a run of this problem uses."""
        generator = chain_of(problem, f"engine {self.name!r}")
        transported = Transported.of(generator)
        burst = self.pace(generator, transported).burst
        return self.evolution(generator, transported).used(problem) | {"burst": burst, "bracket": self.bracket}

    def _after(self, start: Start) -> Accelerated:
        """Return the engine without a default schedule if the run extends a record: the record is the coarse stage."""
        return replace(self, schedule=()) if self.schedule is None and start.prior is not None else self

    def init(
        self,
        generator: ChainGenerator,
        initial: ChainState,
        seed: int = 0,
        time: float = 0.0,
        far: bool = True,
        ask: Ask | None = None,
    ) -> AcceleratedRun:
        """Return a run that starts from `initial` (copied) in the first stage.

        far: whether correlations of a density that is transported must rest, at any distance. ask: the request, whose
        tolerance may allow longer steps where the run waits.
        """
        transported = Transported.of(generator)
        evolution, pace = self.evolution(generator, transported), self.pace(generator, transported)
        if transported is None:
            return AcceleratedRun(
                evolution, generator, evolution.prepared(generator, initial), seed, pace=pace, time=time
            )
        plain = evolution.init(generator, initial, seed)
        factor = 1.0 if ask is None else evolution.step_factor(generator, ask)
        about = {
            "definite": plain.definite,
            "waiting_factor": factor,
            "pace": pace,
            "time": time,
            "transported": transported,
            "far": far,
        }
        return ProfileRun(evolution, generator, plain.state, seed, **about)

    def restore(self, generator: ChainGenerator, snapshot: Snapshot, ask: Ask | None = None) -> AcceleratedRun:
        """Return the run that was saved. ask: the request, as for `init`."""
        transported = Transported.of(generator)
        evolution, pace = self.evolution(generator, transported), self.pace(generator, transported)
        if transported is None:
            return AcceleratedRun.restored(evolution, generator, snapshot, pace=pace)
        factor = 1.0 if ask is None else evolution.step_factor(generator, ask)
        about = {"waiting_factor": factor, "pace": pace, "transported": transported}
        return ProfileRun.restored(evolution, generator, snapshot, **about)
