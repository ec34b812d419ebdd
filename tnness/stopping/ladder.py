"""`Ladder`: a steady state by stages of growing bond dimension and finer time steps, whose differences are its errors.

Beside what is left of the relaxation, which the rule of a stage knows, two errors are estimated for every observable:

- Trotter: the difference between dt and dt/2, Richardson-scaled, at the smallest bond dimension or at the largest;
- truncation: the difference between the last two bond dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tnness.records.certificate import KINDS, Prior
from tnness.records.history import PRIOR_STAGE, History
from tnness.records.values import Estimates, Values, scale
from tnness.stopping.balance import NEGATIVE, UNBALANCED
from tnness.stopping.kicked import AGAIN, PATIENCE, Kicked
from tnness.stopping.protocol import Measure, Rule
from tnness.stopping.settling import Settling, ends_apart
from tnness.stopping.waiting import SAFETY, Waiting, worst

NEGLIGIBLE_WEIGHT = 1e-11
"""Discarded weight per site in a whole stage that counts as none."""
MAX_STEPS = 20_000
"""Time steps after which a steady state is given up, by default."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: a bond dimension, a time step, and the power iterations of its splits."""

    chi: int
    dt: float
    power: int = 0


class Staged(Protocol):
    """A run in stages.

    discarded, trace_drift, fallbacks: of the present stage. refined: how many stages `refine` has appended.
    kicked: what kicks told.
    """

    stage: int
    kicked: list[Kicked]
    discarded: float
    trace_drift: float
    fallbacks: int
    refined: int

    @property
    def time(self) -> float:
        """The run's clock."""
        ...

    @property
    def n(self) -> int:
        """The number of sites."""
        ...

    @property
    def stages(self) -> Sequence[Stage]:
        """All stages."""
        ...

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage."""
        ...

    @property
    def refined_stage(self) -> int:
        """The index of the stage that `refine` appends."""
        ...

    @property
    def is_full(self) -> bool:
        """True where a bond has reached the bond dimension: chi limits it, not the cutoff."""
        ...

    @property
    def bond_dimension(self) -> int:
        """The largest bond dimension at present."""
        ...

    def next_stage(self) -> None:
        """Enter the next stage."""
        ...

    def begin_kicks(self, limit: float, reads: tuple[int, ...] = ()) -> None:
        """Disturb the present state, and watch for a limited time what is left of it."""
        ...

    def refine(self) -> bool:
        """Append a stage that measures the Trotter error directly; False where there is none to append."""
        ...


class Ladder(Rule):
    """The rule of a run in stages.

    Parameters
    ----------
    run: the run. within: the rule of each stage. order: of the Trotter steps. check: returns the figures of the
        present state held against its equation. tolerance: relative error asked of the relaxation.
    refine: whether a run without an estimate of its Trotter error goes on at half the step, and may not be called
        converged without. prior: the record that the run extends, if it does.
    kick: whether the settled state is disturbed, and must be forgotten. reads: the sites on which it must be; none
        stands for all. remark: what is added to `converged`.
    """

    judges = True

    def __init__(
        self,
        run: Staged,
        within: Waiting | Settling,
        order: int,
        check: Callable[[], dict[str, float]],
        tolerance: float,
        refine: bool = True,
        prior: Prior | None = None,
        kick: bool = False,
        reads: tuple[int, ...] = (),
        remark: str = "",
    ) -> None:
        self.run, self.within, self.order, self.check = run, within, order, check
        self.tolerance, self.refine, self.prior = tolerance, refine, prior
        self.kick, self.reads, self.remark = kick, reads, remark
        self._checked: tuple[tuple[float, int], dict[str, float]] | None = None

    # ------------------------------------------------------------------ the stages

    @property
    def stage(self) -> int:
        """The number of the present stage."""
        return self.run.stage

    @property
    def _is_last(self) -> bool:
        return self.stage == len(self.run.stage_names) - 1

    @property
    def longest(self) -> float:
        """The time of MAX_STEPS steps."""
        return MAX_STEPS * self.run.stages[self.run.refined_stage - 1].dt

    def share(self) -> float:
        """Return the present stage's share: coarse stages have the first half of the time, the last one all of it."""
        return 1.0 if self._is_last else 0.5 * (self.stage + 1) / len(self.run.stage_names)

    def seen(self, history: History, measure: Measure) -> None:
        """Take note of the latest measurement; kick a state that has settled in the last stage."""
        self.within.seen(history, measure)
        if not (self.kick and self._is_last and self.within.over(history)):
            return
        last = self._last_kick
        if last is None or (not last.passed and not self._is_hopeless and self.run.time >= AGAIN * last.at):
            self.run.begin_kicks(PATIENCE * self.run.time, self.reads)

    @property
    def _last_kick(self) -> Kicked | None:
        return self.run.kicked[-1] if self.run.kicked else None

    @property
    def _is_hopeless(self) -> bool:
        """True where the last kick would not be forgotten within the longest time, at the rate at which it decays."""
        last = self._last_kick
        return last is not None and not last.passed and last.needs / PATIENCE > self.longest

    def over(self, history: History) -> bool:
        """Return whether the present stage has come to its end: in the last one, whether a kick was forgotten too."""
        if not self.within.over(history):
            return False
        if not (self.kick and self._is_last):
            return True
        last = self._last_kick
        if last is None or not last.passed:
            return False
        return self.run.refined > 0 or history.time_in(self.stage) >= last.forgets_in / 2

    def stalled(self, history: History) -> bool:
        """Return whether more time would not bring the present stage to its end."""
        if self._is_last and self._is_hopeless:
            return True
        return self.within.stalled(history) and not self.within.over(history)

    def next_stage(self, history: History) -> bool:
        """Enter the next stage; after the last one, where it ended well, one that measures an error still open."""
        if self._is_last and not (self.over(history) and self._append(history)):
            return False
        self.run.next_stage()
        return True

    def _append(self, history: History) -> bool:
        open_ = self.refine and self._trotter_is_open(history)
        return (open_ and self.run.refine()) or self.within.next_stage(history)

    def _trotter_is_open(self, history: History) -> bool:
        errors, last = self._trotter(history), history.last_of(self.stage)
        return not errors or last is None or worst(errors, last) > SAFETY * self.tolerance

    # ------------------------------------------------------------------ the errors

    def errors(self, history: History) -> Estimates:
        """Return the three errors of every element of the monitored observables."""
        relaxation, last = self.within.errors(history)["relaxation"], self._last_kick
        if last is not None and last.passed:
            told = last.errors(history, self.stage)
            relaxation = {name: np.maximum(error, told[name]) for name, error in relaxation.items()}
        return {
            "relaxation": relaxation,
            "trotter": self._trotter(history),
            "truncation": self._truncation(history),
        }

    def _trotter(self, history: History) -> Values:
        """Richardson: |O(dt) - O(dt')| / ((dt/dt')^order - 1) is the error at dt'; the rest of it that at dt."""
        run, stages, prior, final = self.run, self.run.stages, self.prior, len(self.run.stages) - 1
        if run.refined:
            return ends_apart(history, run.refined_stage - 1, run.refined_stage, 1 / (2.0**self.order - 1))
        if final > 0 and stages[0].chi == stages[1].chi and stages[0].dt > stages[1].dt:
            ratio = (stages[0].dt / stages[1].dt) ** self.order
            return ends_apart(history, 0, 1, ratio / (ratio - 1))
        if prior is None or prior.chi > stages[final].chi:
            return {}
        if math.isclose(prior.dt, stages[final].dt):
            return prior.estimates.get("trotter", {})
        if prior.dt > stages[final].dt and prior.chi == stages[final].chi:
            return ends_apart(history, PRIOR_STAGE, final, 1 / ((prior.dt / stages[final].dt) ** self.order - 1))
        return {}

    def _truncation(self, history: History) -> Values:
        """|O(chi) - O(previous chi)|, and the root of the discarded weight where chi was no limit."""
        run, stages, prior, final = self.run, self.run.stages, self.prior, len(self.run.stages) - 1
        last = history.last_of(final)
        if last is None:
            return {}
        if not run.is_full or run.discarded <= NEGLIGIBLE_WEIGHT * run.n:
            return {
                name: np.full_like(values, math.sqrt(run.discarded) * scale(values)) for name, values in last.items()
            }
        chi, dt = stages[final].chi, stages[final].dt * 2**run.refined
        before = [i for i, stage in enumerate(stages) if stage.chi < chi and stage.dt == dt]
        if before:
            return ends_apart(history, before[-1], final)
        if prior is not None and prior.chi < chi:
            return ends_apart(history, PRIOR_STAGE, final)
        return prior.estimates.get("truncation", {}) if prior is not None and prior.chi == chi else {}

    # ------------------------------------------------------------------ the certificate

    def figures(self, history: History) -> dict[str, float]:
        """Return the worst relative errors, the account of what was dropped, and the state against its equation."""
        run, last, estimates = self.run, history.last_of(self.stage), self.errors(history)
        account = {
            "discarded_weight": run.discarded,
            "trace_drift": run.trace_drift,
            "fallbacks": run.fallbacks,
        }
        return account | {kind: worst(estimates[kind], last) for kind in KINDS} | self._check() | self._pace(history)

    def _check(self) -> dict[str, float]:
        """Return the figures of the present state, computed once."""
        now = self.run.time, self.stage
        if self._checked is None or self._checked[0] != now:
            self._checked = now, self.check()
        return self._checked[1]

    def _pace(self, history: History) -> dict[str, float]:
        tails = Waiting(self.tolerance).tails(history)
        known = {} if self.prior is None or not self.prior.rate > 0 else {"relaxation_rate": self.prior.rate}
        last = self._last_kick
        kicked = {} if last is None else {k: v for k, v in last.figures().items() if not math.isnan(v)}
        return {"relaxation_rate": tails.rate()} | self.within.figures(history) | kicked | known

    def verdict(self, history: History) -> str:
        """Return `converged`, or what dominates and what to change."""
        figures, allowed = self.figures(history), SAFETY * self.tolerance
        trotter, truncation = figures["trotter"], figures["truncation"]
        last = self._last_kick
        if self._is_last and last is not None and not last.passed and (self._is_hopeless or self.within.over(history)):
            return self._remembered(last)
        if not (self._is_last and self.over(history)):
            return self.within.verdict(history) if self._is_last else self.within.unfinished
        if figures["positivity"] < NEGATIVE:
            return "not positive, truncation dominates: raise --chi"
        if math.isnan(truncation) or (self.refine and math.isnan(trotter)):
            return "no error estimate: use tnness converge, or a schedule of several chi"
        if trotter > allowed and trotter > truncation:
            return "Trotter error dominates: lower --dt"
        if truncation > allowed:
            return f"truncation dominates: {'raise --chi' if self.run.is_full else 'lower --cutoff'}"
        if figures["energy_balance"] > UNBALANCED:
            return "energy is not balanced: raise --chi or lower --dt"
        return f"converged{self.remark}"

    @staticmethod
    def _remembered(last: Kicked) -> str:
        """Return the outcome of a chain that has not forgotten a kick."""
        where = f"sites {last.site} and {last.site + 1}"
        if math.isinf(last.needs):
            return (
                f"the steady state may not be unique: it depends on the start ({where} keep {last.left:.0%} of a kick)"
            )
        return (
            f"not relaxed: {where} keep {last.left:.0%} of a kick after t = {last.limit:.3g}; at the rate "
            f"{last.rate:.2g} it takes t = {last.needs:.3g}: raise --max-time"
        )

    # ------------------------------------------------------------------ what is shown

    def stage_name(self) -> str:
        """Return the present stage's number and label."""
        names = self.run.stage_names
        return f"stage {self.stage + 1}/{len(names)} ({names[self.stage]})"

    def status(self, history: History) -> str:
        """Return time, bond dimension and what is still to come."""
        return f"t={self.run.time:.4g} bond={self.run.bond_dimension} {self.within.status(history)}"

    def ended(self, history: History) -> str:
        """Return how the present stage ended."""
        return f"still to come {self.within.to_come(history)}"

    def course(self) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
        """Return what the rule of the stages keeps."""
        return self.within.course()
