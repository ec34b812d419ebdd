"""A run that jumps over the relaxation of slow densities: bursts of evolution, and jumps between them.

Plain evolution needs a time 1/eps. Here every fast variable relaxes during a burst. A regression over the last part of
the burst gives the drift of the slow densities, and the drift gives a Newton step. Anderson mixing combines it with the
steps of earlier bursts, weighted by their noise. Gates of local cooling then move the state. The run first proposes a
jump, and the driver measures how much the jump would change the observables. If the change is small, the run does not
jump, and a second burst without a jump has to confirm it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.protocol import Report
from tnness.engines.tebd_run import TEBDRun
from tnness.engines.weak.bursts import Burst, mixed
from tnness.engines.weak.slow import SlowVariables
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.records.snapshot import Snapshot
from tnness.records.values import Values
from tnness.stopping.discretisation import Stage
from tnness.stopping.kicked import FORGOTTEN
from tnness.stopping.protocol import Rule
from tnness.stopping.settling import Settling
from tnness.stopping.target import Target
from tnness.streams import stream

Real = NDArray[np.float64]

FAST_SHARE = 0.4
"""Share of a burst during which fast variables relax; the drift is measured after it."""
CAP = 0.3
"""Largest change of a multiplier lambda_k in one jump, relative to the root mean square of all.

Each lambda_k counts with its weight in ln rho (`SlowVariables.weighted`).
"""
LONGEST = 4
"""A burst whose drift is hidden by noise is doubled in length, up to this multiple of `burst`."""
CLEAR = 0.7
"""Noise of a jump, relative to the jump, above which the burst is stretched and no jump is made."""
DRIFT_FACTOR = 2.5
"""Factor on the tolerance for the change that the present drift would still cause.

Truncation keeps this drift from vanishing.
"""
MEMORY = 6
"""Number of bursts, the present one included, that are mixed into a step."""
CALM = 2
"""The last stage is over after this many bursts in a row without a jump; an earlier stage is over after one."""
MOST, MOST_COARSE = 16, 8
"""Number of bursts after which the last stage, or an earlier stage, is given up."""
COARSE_FACTOR = 10.0
"""Factor on the tolerance in earlier stages, which only prepare the last stage."""
BRACKET = 0.3
"""Relative change of all energies that makes the starts of a bracket, one from above and one from below."""
STARTS = ("above", "below")
"""Names of the two starts of a bracket, in their order."""
PREDICTED = "predicted_"
"""Prefix, in a snapshot, of the arrays that hold the predicted remaining change of each observable."""
AIMS = 4
"""Rounds of gates in a jump; each round corrects the energies that the round before missed."""


@dataclass(frozen=True)
class Pace:
    """The settings of bursts and jumps.

    burst: time evolved between two jumps. bracket: settle from above and from below, too. schedule: bond dimensions
        before the last one of a run that waits instead.
    """

    burst: float
    bracket: bool = False
    schedule: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Proposal:
    """A state to jump to.

    burst: the burst that proposes the jump. step: change of the energies by the jump. size: largest change of a
    multiplier, relative to their typical size. noise: uncertainty of the step, relative to the step. shortened: whether
    CAP shortened the step.
    """

    burst: Burst
    state: ChainState
    step: Real
    size: float
    noise: float
    shortened: bool


@dataclass
class AcceleratedRun(TEBDRun):
    """A run of the engine.

    pace: the settings of bursts and jumps.
    bursts: the bursts of the present stage. A burst without a jump goes on; the longer burst then replaces it.
    calm: number of proposals in a row that were too small for a jump and showed no drift.
    stretch: length of the present burst, in units of `burst`. since: time from which on the present burst is measured;
    fast variables have relaxed by then. samples: times and energies from then on.
    starts: number of stages, from above and from below, that were appended.
    trace: one row per burst of the whole run: stage, time, relative change by the jump and by the drift, largest change
    of a multiplier, jumped (0 or 1).
    predicted: remaining change of every element (absolute), by the last proposal or by the drift.
    """

    pace: Pace = field(default_factory=lambda: Pace(60.0))
    bursts: list[Burst] = field(default_factory=list)
    calm: int = 0
    stretch: int = 1
    starts: int = 0
    trace: list[tuple[float, ...]] = field(default_factory=list)
    predicted: Values = field(default_factory=dict)
    samples: list[tuple[float, Real]] = field(default_factory=list)
    since: float = math.nan

    def __post_init__(self) -> None:
        self.slow = self._responding()
        super().__post_init__()
        self._proposal: Proposal | None = None
        if self.time == 0 and not self.trace:
            self._prepare()
        if math.isnan(self.since):
            self._begin()

    def _responding(self) -> Any:
        """Return the slow variables and their response."""
        return SlowVariables(self.generator)

    def _prepare(self) -> None:
        """Start at the first-order estimate of the steady state, where nothing better is given."""
        if np.abs(self.slow.energies(self.view())).max() < 1e-9:
            self.state = self._cooled(self.state, self.slow.start)

    def within(self, target: Target, along: frozenset[str] = frozenset()) -> Rule:
        """Return the rule of a stage. along: names of the observables that have one value per site, or per bond."""
        return Settling(self, target)

    @property
    def settled(self) -> bool:
        """True if the present stage is over: no jump would change enough."""
        return self.calm >= (CALM if self.last else 1)

    @property
    def exhausted(self) -> bool:
        """True if the present stage has used all its bursts without settling."""
        return sum(row[0] == self.stage for row in self.trace) >= (MOST if self.last else MOST_COARSE)

    @property
    def last(self) -> bool:
        """True in the last stage."""
        return self.stage >= len(self._schedule) - 1

    def step(self, until: float | None = None) -> Report:
        """Advance by one block of steps; at the end of a burst, propose a jump."""
        report = super().step(until)
        if not report.sampled:
            return report
        if self.time >= self.since:
            self.samples.append((self.time, self.slow.energies(self.view())))
        if self.time >= self._end:
            self._proposal = self._propose()
        return report

    @property
    def _end(self) -> float:
        """The time at which the present burst ends."""
        return self.since + (self.stretch - FAST_SHARE) * self.pace.burst

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the schedule and its refinement; then the last stage again for each start of a bracket."""
        stages = super().stages
        return (*stages, *(stages[-1] for _ in range(self.starts)))

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage; the label of a bracket's stage says `from above` or `from below`."""
        names, count = super().stage_names, len(super().stages)
        return (*names[:count], *(f"{name} from {where}" for name, where in zip(names[count:], STARTS, strict=False)))

    def start_again(self) -> bool:
        """Append the stage from above, on the next call that from below; return False if no stage is left to append."""
        if not self.pace.bracket or self.starts == len(STARTS):
            return False
        self.starts += 1
        return True

    def next_stage(self) -> None:
        """Enter the next stage; forget the bursts, which belong to another bond dimension or time step."""
        before = self._present.chi
        super().next_stage()
        if self.stage >= len(super().stages):  # energies < 0 at temperatures > 0: shrink them to start above
            change = -BRACKET if self.stage == len(super().stages) else BRACKET
            self.state = self._moved(change * self.slow.energies(self.view()))
            self.log_trace = self._log_trace(self.state)
        self.bursts, self.calm, self.stretch = [], 0, 1
        self._begin(self.pace.burst / 2 if self._present.chi != before else 0.0)  # fast variables fill new bonds

    # ------------------------------------------------------------------ proposals

    @property
    def proposal(self) -> ChainView | None:
        """A view of the state after the proposed jump; None if no jump is proposed."""
        if self._proposal is None:
            return None
        return ChainView(self._proposal.state, self.generator.spaces, self.generator.functionals)

    @property
    def uncertainty(self) -> float:
        """Factor by which the steady state may be further away than the proposed state: sqrt(1 + (noise/step)^2)."""
        return 1.0 if self._proposal is None else math.hypot(1.0, self._proposal.noise)

    def marginals_to_come(self, noise: float, reads: tuple[int, ...] = ()) -> float:
        """Return 0: what is still to come is told by the bursts, jumps make no course."""
        return 0.0

    def begin_kicks(self, limit: float, reads: tuple[int, ...] = ()) -> None:
        """Disturb the present state.

        After the time since the last jump, no more of a kick may be left than decays as the jumps expect.
        """
        super().begin_kicks(limit, reads)
        assert self.kicks is not None
        self.kicks.burst = self.time - self.since + FAST_SHARE * self.pace.burst

    @property
    def patience(self) -> float:
        """The time in which a kick must be forgotten: twice what the response model says, and a burst."""
        return 2 * math.log(1 / FORGOTTEN) / self.slowest + self.pace.burst

    @property
    def slowest(self) -> float:
        """The rate at which the conserved sums relax, to first order (1 / time)."""
        return self.slow.rate

    @property
    def repeated(self) -> Sequence[tuple[int, int]]:
        """Pairs of stages that should end in the same state.

        After both starts of a bracket: the stage from below with the stage from above, and with the stage before them.
        """
        below = len(self.stages) - 1
        return [(below - 1, below), (below - 2, below)] if self.starts == len(STARTS) else []

    @property
    def late(self) -> float:
        """The time from which on the present burst is measured."""
        return self.since

    def _begin(self, lead: float = 0.0) -> None:
        """Begin a burst after a time `lead`, during which nothing is measured."""
        self.samples, self.since = [], self.time + lead + FAST_SHARE * self.pace.burst

    @property
    def windows(self) -> tuple[float, ...]:
        """The times from which on drifts are measured."""
        return (self.since,)

    def changes_to_come(self, jumps: Values, slopes: Sequence[Values], late: Values) -> tuple[Values, Values]:
        """Return the changes of every element by jumps, and by the slow drift.

        jumps: by the proposed jump. slopes: the drift in each of `windows`. late: the means of the late part of the
        burst.
        """
        return jumps, {name: np.abs(slope) / self.slowest for name, slope in slopes[0].items()}

    def ends_with(self, now: Values, then: Values, late: Values) -> Values:
        """Return the final values of a coarse stage: those of its last proposal."""
        return then

    def decide(self, predicted: Values, jump: float, drift: float, tolerance: float) -> None:
        """Jump, stay, or stretch the burst.

        The run stays if the jump would change the observables by no more than the tolerance. It is calm if, in
        addition, the observables do not drift: a drift shows slow variables beside the densities, which only time
        relaxes and no jump. The run stretches the burst if noise hides the step.

        Parameters
        ----------
        predicted: remaining change of every element, absolute. jump: the largest relative change by the jump.
        drift: the largest relative change at the present drift, within the time 1/rate. tolerance: of both.
        """
        proposal, self._proposal = self._proposal, None
        assert proposal is not None
        allowed = tolerance * (1.0 if self.last else COARSE_FACTOR)
        small = jump <= allowed and not proposal.shortened
        calm = small and drift <= DRIFT_FACTOR * allowed
        if not calm and proposal.noise > CLEAR and self.stretch < LONGEST:
            self.stretch *= 2
            return
        self.predicted, self.calm = predicted, self.calm + 1 if calm else 0
        self.bursts = [*self._before, proposal.burst]
        self.trace.append((float(self.stage), self.time, jump, drift, proposal.size, float(not small)))
        if small:
            self.stretch += 1
            return
        clear = 1 - min(1.0, proposal.noise) ** 2  # noise lengthens a step on average: shorten it
        self.state = self._moved(clear * proposal.step)
        self.log_trace = self._log_trace(self.state) - self.trace_drift
        self.stretch = max(1, self.stretch // 2)
        self._begin()

    @property
    def _before(self) -> list[Burst]:
        """The bursts before the present one."""
        return [burst for burst in self.bursts if burst.time <= self.since]

    def _propose(self) -> Proposal | None:
        """Return the jump to the state where the drift of the densities vanishes, estimated from the bursts."""
        times, values = (np.array(column) for column in zip(*self.samples, strict=True))
        burst = Burst.read(times, values)
        step, uncertainty = mixed(self.slow, [*self._before[1 - MEMORY :], burst])
        step -= burst.drift * (times[-1] - times.mean())  # the state has already moved this far from the mean
        size = float(self.slow.weighted(step).max())
        typical = max(float(np.sqrt(np.mean(self.slow.weighted(x) ** 2))) for x in (burst.energies, self.slow.expected))
        share = min(1.0, CAP * typical / max(size, 1e-300))
        relative = uncertainty / max(self.slow.distance(step), 1e-300)
        step = share * step
        return Proposal(burst, self._moved(step), step, size * share / typical, relative, share < 1)

    def _moved(self, step: Real) -> ChainState:
        """Return the state after gates exp(-d_k q_k/2) . exp(-d_k q_k/2) that change the energies lastingly by `step`.

        At first they change the energies by more than `step`: the excess is fast and decays in the next burst.
        """
        state = self.state
        target = self.slow.energies(self.view()) - self.slow.covariance @ self.slow.multipliers(step)
        for _ in range(AIMS):
            view = ChainView(state, self.generator.spaces, self.generator.functionals)
            state = self._cooled(state, self.slow.gates(target - self.slow.energies(view)))
        return state

    def _cooled(self, state: ChainState, change: Real) -> ChainState:
        state = ChainState(list(state.tensors), state.centre, state.log_norm)
        gates = Gates(self.slow.cooling(change), state.dtype)
        truncation = self._truncation(self._present)
        rng = stream(self.seed, "jump", self.steps)
        for parity, fraction in layers(4, 1):
            sweep_layer(state, gates.layer(parity, fraction), truncation, rng, self._trace)
        state.normalise()
        return state

    # ------------------------------------------------------------------ saved and restored

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        plain = super().save()
        arrays: dict[str, NDArray[Any]] = {
            "slow_bursts": _table([burst.row for burst in self.bursts]),
            "slow_samples": _table([[t, *x] for t, x in self.samples]),
            "slow_trace": np.array(self.trace, dtype=float).reshape(-1, 6),
        }
        numbers: dict[str, float | int] = {"calm": self.calm, "stretch": self.stretch, "starts": self.starts}
        numbers["since"] = self.since
        arrays |= {f"{PREDICTED}{name}": values for name, values in self.predicted.items()}
        return Snapshot(plain.arrays | arrays, plain.numbers | numbers)

    def recall(self, snapshot: Snapshot) -> None:
        """Restore the bursts and counters that `save` adds to the state."""
        arrays = snapshot.arrays
        self.bursts = [Burst.of(row, self.slow.count) for row in arrays["slow_bursts"]]
        self.samples = [(float(row[0]), row[1:]) for row in arrays["slow_samples"]]
        self.trace = [tuple(row.tolist()) for row in arrays["slow_trace"]]
        numbers = snapshot.numbers
        self.calm, self.stretch, self.starts = (int(numbers[name]) for name in ("calm", "stretch", "starts"))
        self.since = float(numbers["since"])
        self.predicted = {k.removeprefix(PREDICTED): v for k, v in arrays.items() if k.startswith(PREDICTED)}


def _table(rows: list[list[float]]) -> Real:
    """Return rows of equal length as an array; (0, 1) without any."""
    return np.array(rows, dtype=float) if rows else np.zeros((0, 1))
