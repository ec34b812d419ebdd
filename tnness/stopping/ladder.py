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

from tnness.records.certificate import KINDS, Prior
from tnness.records.history import PRIOR_STAGE, History
from tnness.records.values import scale
from tnness.stopping.balance import NEGATIVE, UNBALANCED
from tnness.stopping.protocol import Estimates, Measure, Rule
from tnness.stopping.settling import Settling, ends_apart
from tnness.stopping.waiting import SAFETY, Waiting, worst

ROUND_OFF = 1e-11
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
    """

    stage: int
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
    ) -> None:
        self.run, self.within, self.order, self.check = run, within, order, check
        self.tolerance, self.refine, self.prior = tolerance, refine, prior
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
        """Take note of the latest measurement."""
        self.within.seen(history, measure)

    def over(self, history: History) -> bool:
        """Return whether the present stage has come to its end."""
        return self.within.over(history)

    def stalled(self, history: History) -> bool:
        """Return whether more time would not bring the present stage to its end."""
        return self.within.stalled(history)

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
        """Return the three errors of every monitored observable."""
        return self.within.errors(history) | {
            "trotter": self._trotter(history),
            "truncation": self._truncation(history),
        }

    def _trotter(self, history: History) -> dict[str, float]:
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

    def _truncation(self, history: History) -> dict[str, float]:
        """|O(chi) - O(previous chi)|, and the root of the discarded weight where chi was no limit."""
        run, stages, prior, final = self.run, self.run.stages, self.prior, len(self.run.stages) - 1
        last = history.last_of(final)
        if last is None:
            return {}
        if not run.is_full or run.discarded <= ROUND_OFF * run.n:
            return {name: math.sqrt(run.discarded) * scale(values) for name, values in last.items()}
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
        rate = self.prior.rate if self.prior is not None and self.prior.rate > 0 else tails.rate()
        return {"relaxation_rate": rate} | self.within.figures(history)

    def verdict(self, history: History) -> str:
        """Return `converged`, or what dominates and what to change."""
        figures, allowed = self.figures(history), SAFETY * self.tolerance
        trotter, truncation = figures["trotter"], figures["truncation"]
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
        return "converged"

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
