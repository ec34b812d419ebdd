"""A run that jumps to the profile of a density which its chain transports from end to end.

Plain evolution of a diffusive chain needs a time n^2 / D. A burst shows densities and currents; their response
(`tnness.engines.weak.profile`) gives the profile at which the currents are the same everywhere, and gates on single
sites move the state there. A run that finds a chain not to be diffusive waits from then on, as `tebd` does.

What a jump does to an observable is seen only after the next burst. So the run keeps how much the last jump has
changed each, per length of the jump, and the share of the distance that a jump leaves: both tell what is still to come.
What drifts beside the profile, such as correlations over long distances, relaxes twice as fast as the profile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.accelerated_run import (
    CLEAR,
    COARSE_FACTOR,
    DRIFT_FACTOR,
    FAST_SHARE,
    LONGEST,
    MOST,
    MOST_COARSE,
    AcceleratedRun,
    Proposal,
)
from tnness.engines.disturbance import Disturbance
from tnness.engines.protocol import Report
from tnness.engines.tebd_run import TEBDRun
from tnness.engines.weak.bursts import Burst, mixed
from tnness.engines.weak.profile import FALLS, SOON_AT_REST, Profile, conductance
from tnness.engines.weak.transported import Transported
from tnness.network.chain_state import ChainState
from tnness.records.snapshot import Snapshot
from tnness.records.values import Values, change
from tnness.stopping.kicked import PATIENCE
from tnness.stopping.protocol import Rule
from tnness.stopping.settling import SettlingOrWaiting
from tnness.stopping.target import Target
from tnness.stopping.trail import Trail

Real = NDArray[np.float64]

MIXES = 4
"""Number of bursts, the present one included, that are mixed into a step."""
BUMP = 0.05
"""Height of the arch on the first profile, relative to the difference of the reservoirs: the first jump removes it."""
PREPARES = 2.0
"""Factor on the tolerance in earlier stages."""
SHOWS = 0.5
"""Largest share of the distance left by a jump that shows that jumps lead to the steady state."""
ABOVE = 2.0
"""Times the uncertainty and what truncation has displaced since the last jump, up to which a step is noise."""
OF_PAIRS = 2.0
"""Slowest rate of what drifts beside the profile, its pair correlations, over that of the profile itself."""
RESTS = 0.02
"""Relative change of the conductance from burst to burst, above which it may account for a jump that leaves much."""
HIDDEN = 0.3
"""Noise of a jump, relative to the jump, above which a small jump is not worth making, and bursts stay long."""
DOUBLINGS = 2
"""Most times that a run makes its bursts twice as long, because the currents of a burst were not yet at rest."""
LATER = 0.25
"""Time to the next look at a state that does not jump but still drifts, over the time since the last jump."""
LOOKS = 48
"""Bursts of the last stage, with or without a jump, after which it is given up: each is later than the one before."""
GAIN, LEVEL = "gain_", "level_"
"""Prefixes, in a snapshot, of what the last jump has changed, and of the means of the last burst."""

CLOCKS_OF_PROFILE = ("falls", "jumped_at", "waits_since", "free_since", "began")
NUMBERS_OF_PROFILE = (*CLOCKS_OF_PROFILE, "from_first", "far", "doublings", "forgiven")
"""The numbers of a run that are saved."""


@dataclass
class ProfileRun(AcceleratedRun):
    """A run that jumps to a profile, or waits.

    waiting_factor: on the time step of the settings, once the run waits from its first stage.
    waits: why the run waits; empty while it jumps. waits_since: from which time on. from_first: whether it waits with
    the schedule of `tebd`. lengths: of the steps proposed in the present stage. falls: the share of the distance that
    the last clear jump has left; NaN before the first. jumped_at: time of the last jump. gains: change of every element
    per length of the last jump. levels: means of the last burst.
    far: whether correlations of the density at any distance must be at rest too, which no watched observable may show.
    correlations: these, when the measured part of the present burst began; none before.
    along: names of the observables that have one value per site, or per bond.
    doublings: how many times the bursts have become twice as long. forgiven: how many jumps left much because the
    conductance had not come to rest; one may. began: when the present burst did. free_since: the
    time from which on fast variables have relaxed, and no jump was made.
    """

    transported: Transported | None = None
    waiting_factor: float = 1.0
    waits: str = ""
    waits_since: float = math.inf
    from_first: bool = False
    lengths: list[float] = field(default_factory=list)
    falls: float = math.nan
    jumped_at: float = 0.0
    gains: Values = field(default_factory=dict)
    levels: Values = field(default_factory=dict)
    far: bool = True
    along: frozenset[str] = frozenset()
    doublings: int = 0
    forgiven: int = 0
    free_since: float = math.nan
    began: float = 0.0
    correlations: Real = field(default_factory=lambda: np.zeros((0, 0)))
    _late: Values = field(default_factory=dict, init=False, repr=False)  # means of the late part of the present burst
    _noise: float = field(default=0.0, init=False, repr=False)  # of the proposed step, with what truncation displaced
    _moving: float = field(default=0.0, init=False, repr=False)  # distance that the profile drifts per unit of time

    def _responding(self) -> Profile:
        assert self.transported is not None
        return Profile(self.generator, self.transported)

    def _prepare(self) -> None:
        """Start from the linear profile with an arch, unless the given state has a profile."""
        profile: Profile = self.slow
        if np.abs(profile.energies(self.view())[: 2 * profile.n - 1]).max() < 1e-9:
            self.start = self.whole_state()
            first, last = self.transported.targets if self.transported else (0.0, 0.0)
            arch = np.sin(np.pi * np.arange(1, profile.n + 1) / (profile.n + 1))
            self._place(profile.moved(self.state, profile.start - BUMP * (last - first) * arch))

    def _place(self, state: ChainState) -> None:
        """Put a state in place of the present one."""
        self.state, self.symmetry, self.sectors = state, "none", None
        self.log_trace = self._log_trace(state) - self.trace_drift

    def within(self, target: Target, along: frozenset[str] = frozenset()) -> Rule:
        """Return the rule of a stage. along: names of the observables that have one value per site, or per bond."""
        self.along = along
        return SettlingOrWaiting(self, target)

    # ------------------------------------------------------------------ jumps

    def step(self, until: float | None = None) -> Report:
        """Advance by one block of steps; at the end of a burst, propose a jump."""
        if self.waits:
            return TEBDRun.step(self, until)
        report = super().step(until)
        if self.far and len(self.samples) == 1 and report.sampled:
            self.correlations = self._correlations()
        return report

    @property
    def exhausted(self) -> bool:
        """True if the present stage has used up its jumps, or its bursts, without settling."""
        jumped = [row[-1] > 0 for row in self.trace if row[0] == self.stage]
        return sum(jumped) >= MOST or len(jumped) >= (LOOKS if self.last else MOST_COARSE)

    def _correlations(self) -> Real:
        assert self.transported is not None
        return self.transported.correlations(self.whole_view())

    @property
    def _far_drift(self) -> float:
        """The largest change still to come of a correlation of the density, relative to the variance of a site."""
        if not self.far or not self.correlations.size:
            return 0.0
        variance = float((np.ptp(self.slow.transported.levels, axis=1) ** 2).max()) / 4
        moved = float(np.abs(self._correlations() - self.correlations).max())
        return moved / max(self.samples[-1][0] - self.samples[0][0], 1e-300) / self.slowest / variance

    def _propose(self) -> Proposal | None:
        profile, (times, values) = self.slow, (np.array(column) for column in zip(*self.samples, strict=True))
        burst = profile.burst(times, values)
        profile.learn(burst)
        bursts = [*self._before[1 - MIXES :], burst]
        step, uncertainty = mixed(profile, bursts) if profile.is_diffusive else (np.full(self.n, math.inf), math.inf)
        objection, unsteady = profile.objection(burst.energies + step, self.pace.burst), ""
        if not objection:
            unsteady = profile.unsteady(bursts, first=not self.doublings)
        if unsteady and self._lengthen():
            return None
        if objection or unsteady:
            self._wait(objection or unsteady)
            return None
        centred = times - times.mean()
        moving = centred @ values[:, : self.n] / float(centred @ centred)  # d n / d t, truncation included
        leaked = profile.distance(moving - burst.drift) * (self.time - self.jumped_at)
        self._noise, self._moving = uncertainty + leaked, profile.distance(moving)
        step = step + burst.energies - values[-1, : self.n]  # the state has already moved this far from the mean
        length = profile.distance(step)
        relative = uncertainty / max(length, 1e-300)
        state = profile.moved(self.state, values[-1, : self.n] + step)
        return Proposal(burst, state, step, float(np.abs(step).max()) / profile.spread, relative, False)

    def _lengthen(self) -> bool:
        """Go on with the present burst until it is twice as long, as all bursts from now on; False where none may be.

        The currents of coherent chains rest late: what shorter bursts have shown is forgotten.
        """
        longer = 2 * self.pace.burst
        if self.doublings == DOUBLINGS or self.slow.rate * longer > SOON_AT_REST:
            return False
        self.doublings, self.pace = self.doublings + 1, replace(self.pace, burst=longer)
        self._measure_later(self.stretch)
        self.free_since = self.since
        self.bursts, self.lengths, self.levels, self.correlations = [], [], {}, np.zeros((0, 0))
        return True

    def _measure_later(self, stretch: int) -> None:
        """Forget the samples of the part of a longer burst in which fast variables relax. stretch: of the burst."""
        self.since = max(self.since, self.began + FAST_SHARE * stretch * self.pace.burst)
        self.samples = [sample for sample in self.samples if sample[0] >= self.since]

    def _begin(self, lead: float = 0.0) -> None:
        super()._begin(lead)
        self.began = self.since - FAST_SHARE * self.pace.burst
        if lead >= 0:
            self.free_since = self.since

    @property
    def _end(self) -> float:
        """The time at which the present burst ends."""
        return self.began + self.stretch * self.pace.burst

    @property
    def windows(self) -> tuple[float, ...]:
        """The times from which on drifts are measured: of the present burst, and since the last jump.

        A drift relaxes, so that it is no larger than that of either window; noise is less in the longer one.
        """
        return self.since, self.free_since

    def changes_to_come(self, jumps: Values, slopes: Sequence[Values], late: Values) -> tuple[Values, Values]:
        """Return the changes of every element by jumps, and by what drifts beside the profile.

        jumps: by the proposed jump. slopes: the drift in each of `windows`. late: the means of the late part of the
        burst.
        """
        assert self._proposal is not None
        length, rest = self.slow.distance(self._proposal.step), self._left
        self._late = late
        gains = self._gains(late)
        series = 1 / (1 - rest)
        jumps = {name: series * np.maximum(moved, gains.get(name, 0.0) * length) for name, moved in jumps.items()}
        largest = {
            name: min(self._beside(name, window[name], gains.get(name, 0.0)) for window in slopes) for name in slopes[0]
        }
        return jumps, {name: np.full(np.shape(slopes[0][name]), value) for name, value in largest.items()}

    def _beside(self, name: str, slope: Real, gain: Any) -> float:
        """Return the largest change still to come of an element, but for what the motion of the profile accounts for.

        What relaxes least soon is smooth along the chain: a drift that varies from site to site lasts less.
        """
        least = OF_PAIRS * self.slowest
        whole = float(np.max(np.abs(slope) - gain * self._moving, initial=0.0)) / least
        if name not in self.along or np.shape(slope) not in ((self.n,), (self.n - 1,)) or not np.isfinite(slope).all():
            return whole
        return min(whole, float(np.abs(self.slow.lasts(slope, least)).max()))

    def ends_with(self, now: Values, then: Values, late: Values) -> Values:
        """Return the final values of a coarse stage: means of its last burst, and what the proposed jump changes.

        The noise that truncation makes at a coarse bond dimension is no error of the next one.
        """
        return {name: late[name] + change(now[name], then[name]) for name in then}

    @property
    def _left(self) -> float:
        """The share of the distance that a jump leaves; as much as is allowed where no jump has shown it."""
        return FALLS if math.isnan(self.falls) else min(max(self.falls, 0.0), SHOWS)

    @property
    def _has_jumped(self) -> bool:
        """True where a jump was made in the present stage just before the present burst."""
        return bool(self.lengths) and self.trace[-1][-1] > 0

    def _restless(self, burst: Burst) -> bool:
        """Return whether the conductance has changed since the last burst by more than what counts as rest."""
        before, now = conductance(self._before[-1]), conductance(burst)
        return abs(now - before) > RESTS * abs(now)

    def _gains(self, late: Values) -> Values:
        if not (self._has_jumped and self.levels) or (self.stage and len(self.lengths) == 1):
            return self.gains  # after the first jump of a later stage, a new bond dimension or time step changes more
        return {name: np.abs(late[name] - self.levels[name]) / max(self.lengths[-1], 1e-300) for name in late}

    def decide(self, predicted: Values, jump: float, drift: float, tolerance: float) -> None:
        """Jump, stay, stretch the burst, or wait from now on. See `AcceleratedRun.decide`."""
        proposal = self._proposal
        assert proposal is not None
        allowed, length = tolerance * (1.0 if self.last else PREPARES), self.slow.distance(proposal.step)
        left = length / max(self.lengths[-1], 1e-300) if self._has_jumped else 0.0
        fails = left > FALLS and length > ABOVE * self._noise
        hidden = proposal.noise > HIDDEN
        small = jump <= (DRIFT_FACTOR * allowed if hidden else allowed)
        small = small or (not self.last and left > FALLS and jump <= COARSE_FACTOR * allowed)
        drift = max(drift, self._far_drift if small and self.last else 0.0)
        calm = small and (drift <= DRIFT_FACTOR * allowed or not self.last)
        if not small and proposal.noise > CLEAR and self.stretch < LONGEST:
            self.stretch *= 2
            self._measure_later(self.stretch)
            self._proposal = None
            return
        self._proposal = None
        if self._has_jumped:
            self.gains = self._gains(self._late)
            stuck = self.last and len(self.lengths) > 1 and min(left, self.lengths[-1] / self.lengths[-2]) > FALLS
            if not small and (stuck or (fails and (self.forgiven or not self._restless(proposal.burst)))):
                self._wait(f"a jump leaves {left:.0%} of the distance")
                return
            self.forgiven += not small and fails
            self.falls = left if left <= SHOWS else self.falls
        if not small and proposal.noise > CLEAR:
            if self.last:
                self._wait("the currents do not come to rest within a burst")
                return
            small = calm = True  # coarse stages prepare: more bond dimension may quieten the noise
        if calm and self.last and math.isnan(self.falls):
            self._wait("no jump has shown that jumps lead to the steady state")
            return
        self.predicted, self.calm, self.levels = predicted, self.calm + 1 if calm else 0, self._late
        self.bursts = [*self._before, proposal.burst]
        self.lengths.append(length)
        self.trace.append((float(self.stage), self.time, jump, drift, proposal.size, float(not small)))
        if small:
            waited = (self.time - self.free_since) / self.pace.burst
            self.stretch = max(1, self.stretch // 2) if calm else max(1, round(LATER * waited))
            self._begin(-FAST_SHARE * self.pace.burst)
            return
        self._place(proposal.state)
        self.stretch, self.jumped_at = self.stretch if hidden else max(1, self.stretch // 2), self.time
        self._begin()

    def next_stage(self) -> None:
        """Enter the next stage; forget the bursts, which belong to another bond dimension or time step."""
        TEBDRun.next_stage(self)
        if self.waits:
            return
        self.bursts, self.calm, self.stretch, self.lengths, self.levels = [], 0, 1, [], {}
        self._begin()

    def start_again(self) -> bool:
        """Return False: there is nothing to bracket."""
        return False

    # ------------------------------------------------------------------ waiting

    def _wait(self, why: str) -> None:
        """Wait from now on, as a run of `tebd` does, with its schedule if the first stage is not over.

        Where a current flows up the gradient of the first profile, that led away from the steady state: the run begins
        again.
        """
        self.waits, self.waits_since, self._proposal, self.kicked, self.trail = why, self.time, None, [], Trail()
        if self.stage == 0 and not self.refined:
            self._wait_from_the_first_stage()
            if self.start is not None and not self.slow.is_diffusive and not self.lengths:
                self._place(self.settings.prepared(self.generator, self.start))
                self.jumped_at = self.time

    def start_over(self) -> bool:
        """Return to the state that the run began with, if it waits; False where it was not kept, or has no profile."""
        return bool(self.waits) and super().start_over()

    def _wait_from_the_first_stage(self) -> None:
        self.settings, self.step_factor = replace(self.settings, schedule=self.pace.schedule), self.waiting_factor
        self._schedule = self.settings.stages(self.generator, self.step_factor, self.coarser)
        self.from_first = True

    def marginals_to_come(self, noise: float, reads: tuple[int, ...] = ()) -> float:
        """Return the largest change still to come of an element of the marginals; 0 where the run jumps."""
        return TEBDRun.marginals_to_come(self, noise, reads) if self.waits else 0.0

    @property
    def patience(self) -> float:
        """The time in which a kick must be forgotten: all but the profile relaxes between two jumps.

        A run that waits is one that began with the last jump.
        """
        since = self.time - self.jumped_at
        return PATIENCE * since if self.waits else max(since, self.pace.burst)

    def begin_kicks(self, limit: float, reads: tuple[int, ...] = ()) -> None:
        """Disturb the present state."""
        TEBDRun.begin_kicks(self, limit, reads)

    def _disturbance(self, settled: list[Any]) -> Disturbance:
        plain = super()._disturbance(settled)
        assert self.transported is not None
        return plain if self.waits else replace(plain, balanced=self.transported.densities)

    def _kick(self, kicks: Any) -> Report:
        report = super()._kick(kicks)
        if not self.waits and self.kicked and not self.kicked[-1].passed:
            self._wait("a kick outlasts the time since the last jump")
        return report

    @property
    def slowest(self) -> float:
        """The rate at which the profile relaxes, by the measured conductances (1 / time)."""
        return self.slow.rate

    # ------------------------------------------------------------------ saved and restored

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        plain = super().save()
        arrays = {"profile_lengths": np.array(self.lengths), "profile_conductances": self.slow.conductances}
        arrays["profile_correlations"] = self.correlations
        arrays["profile_waits"] = np.frombuffer(self.waits.encode(), np.uint8).astype(np.int64)
        arrays |= {f"{GAIN}{name}": values for name, values in self.gains.items()}
        arrays |= {f"{LEVEL}{name}": values for name, values in self.levels.items()}
        numbers = {name: float(getattr(self, name)) for name in NUMBERS_OF_PROFILE}
        return Snapshot(plain.arrays | arrays, plain.numbers | numbers)

    def recall(self, snapshot: Snapshot) -> None:
        """Restore what `save` adds to the state."""
        super().recall(snapshot)
        arrays, numbers = snapshot.arrays, snapshot.numbers
        self.lengths = arrays["profile_lengths"].tolist()
        self.slow.conductances = np.array(arrays["profile_conductances"])
        self.correlations = arrays["profile_correlations"]
        self.waits = arrays["profile_waits"].astype(np.uint8).tobytes().decode()
        self.gains = {k.removeprefix(GAIN): v for k, v in arrays.items() if k.startswith(GAIN)}
        self.levels = {k.removeprefix(LEVEL): v for k, v in arrays.items() if k.startswith(LEVEL)}
        self.falls, self.jumped_at, self.waits_since, self.free_since, self.began = (
            float(numbers[name]) for name in CLOCKS_OF_PROFILE
        )
        self.far = bool(numbers["far"])
        self.doublings, self.forgiven = int(numbers["doublings"]), int(numbers["forgiven"])
        self.pace = replace(self.pace, burst=2**self.doublings * self.pace.burst)
        if numbers["from_first"]:
            self.waiting_factor = self.step_factor
            self._wait_from_the_first_stage()
        if self.kicks is not None:  # their recipe depends on whether the run waits
            recipe = self._disturbance(self.kicks.pair[0].disturbance.settled)
            for kick in self.kicks.pair:
                kick.disturbance = recipe
