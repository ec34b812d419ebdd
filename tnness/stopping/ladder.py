"""`Ladder`: a steady state by stages of growing bond dimension and finer time steps, whose differences are its errors.

Beside what is left of the relaxation, which the rule of a stage knows, the errors of the time step and of truncation
are estimated (`tnness.stopping.discretisation`). A settled state is kicked (`tnness.stopping.forgetting`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tnness.records.certificate import KINDS, Prior, sum_of
from tnness.records.history import History
from tnness.records.values import Estimates, Values
from tnness.stopping.balance import NEGATIVE, UNBALANCED
from tnness.stopping.discretisation import (
    Discretised,
    is_truncated,
    probed_errors,
    trotter_errors,
    truncation_errors,
)
from tnness.stopping.forgetting import Forgetting, Kickable
from tnness.stopping.protocol import Measure, Rule
from tnness.stopping.settling import Settling, SettlingOrWaiting
from tnness.stopping.target import Target, worst
from tnness.stopping.waiting import NOT_RELAXED, SHARE, TO_COME, Waiting

MAX_STEPS = 20_000
"""Time steps after which a steady state is given up, by default."""
STILL = 0.05
"""Share of the error asked for, taken as absolute, by which a marginal may move and count as standing still."""
OSCILLATES = "does not relax: it moves to and fro for ever, and nothing is truncated (a part without dissipation?)"
"""The outcome of a run whose state wanders although its bond dimension is no limit."""
NO_STAGES = "no error estimate: use tnness converge, or a schedule of several chi"


class Staged(Discretised, Kickable, Protocol):
    """A run in stages. trace_drift, fallbacks: of the present stage."""

    stage: int
    trace_drift: float
    fallbacks: int

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage."""
        ...

    @property
    def bond_dimension(self) -> int:
        """The largest bond dimension at present."""
        ...

    def next_stage(self) -> None:
        """Enter the next stage."""
        ...

    def start_over(self) -> bool:
        """Return to the state that the run began with; False where it was not kept."""
        ...

    def refine(self) -> bool:
        """Append a stage that measures the Trotter error directly; False where there is none to append."""
        ...

    def marginals_to_come(self, noise: float, reads: tuple[int, ...] = ()) -> float:
        """Return the largest change still to come of an element of the one- and two-site marginals of some sites."""
        ...

    def drift(self, reads: tuple[int, ...] = ()) -> float:
        """Return the change still to come of a marginal of some sites if all go on as they do; 0 without a drift."""
        ...


class Ladder(Rule):
    """The rule of a run in stages.

    Parameters
    ----------
    run: the run. within: the rule of each stage. order: of the Trotter steps. check: returns the figures of the
        present state held against its equation. target: the error that is asked for, all kinds together.
    refine: whether a run without an estimate of its Trotter error goes on at half the step, and may not be called
        converged without. prior: the record that the run extends, if it does.
    forgetting: decides on kicks; None leaves them out.
    """

    judges = True

    def __init__(
        self,
        run: Staged,
        within: Waiting | Settling | SettlingOrWaiting,
        order: int,
        check: Callable[[], dict[str, float]],
        target: Target,
        refine: bool = True,
        prior: Prior | None = None,
        forgetting: Forgetting | None = None,
    ) -> None:
        self.run, self.within, self.order, self.check = run, within, order, check
        self.target, self.refine, self.prior, self.forgetting = target, refine, prior, forgetting
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
        if self.forgetting is not None and self._is_last and self.within.over(history):
            self.forgetting.kick()

    def over(self, history: History) -> bool:
        """Return whether the present stage has come to its end.

        The first one goes on while the sites that are read still drift: its steps are the cheapest. In the last one no
        element may be about to move, a kick must be forgotten, and what the kick says of the relaxation must fit into
        the error asked for.
        """
        if self._probed(history) is not None:
            return True
        if not self.within.over(history):
            return False
        if not self._is_last:
            return self.stage > 0 or self.forgetting is None or not self._drifts
        if self.forgetting is None or not self.forgetting.is_open:
            return True
        return self.forgetting.passed and self._elements_rest and self._relaxation_fits(history)

    @property
    def _drifts(self) -> bool:
        """True where the marginals that are read drift by more than what any stage may leave to come."""
        drift = self.run.drift(() if self.forgetting is None else self.forgetting.reads)
        return drift > TO_COME * self.target.relative or (drift > 0 and not self._elements_rest)

    @property
    def _elements_rest(self) -> bool:
        """True where no marginal is about to change by more than the error asked for, in units of its operator."""
        reads = () if self.forgetting is None else self.forgetting.reads
        return self.run.marginals_to_come(STILL * self.target.relative, reads) <= self.target.relative

    def _relaxation_fits(self, history: History) -> bool:
        """Return whether the relaxation still to come fits into what the other errors leave of the one asked for."""
        estimates, last = self.errors(history), history.last_of(self.stage)
        if not self.run.refined and self.refine and self._trotter_is_open(history):
            measured = {name: np.full_like(x, TO_COME * self.target.allowed(x)) for name, x in (last or {}).items()}
            estimates = {**estimates, "trotter": measured}
        return self._fits("relaxation", estimates, last)

    def _fits(self, kind: str, estimates: Estimates, last: Values | None) -> bool:
        """Return whether an error fits into what the others leave of the one asked for.

        Time reduces all errors but that of truncation. Where that one leaves next to nothing, the other two need not be
        smaller than they are; where it leaves some room, each has half of it.
        """
        last = last or {}
        one = self.target.excess(estimates[kind], last)
        rest = self._total(estimates, last, [other for other in KINDS if other != kind])
        taken, fixed = self.target.excess(rest, last), self.target.excess(estimates["truncation"], last)
        if taken < 1 - TO_COME:
            whole = {name: rest[name] + estimates[kind].get(name, math.inf) for name in last}
            return one <= SHARE and self.target.excess(whole, last) <= 1
        if fixed < 1 - TO_COME:
            return one <= max((1 - TO_COME - fixed) / 2, TO_COME)
        return one <= max(taken, SHARE)

    def stalled(self, history: History) -> bool:
        """Return whether more time would not bring the present stage to its end."""
        if self._is_last and self.forgetting is not None and self.forgetting.is_hopeless:
            return True
        return self.within.stalled(history) and not self.within.over(history)

    def next_stage(self, history: History) -> bool:
        """Enter the next stage; after the last one, where it ended well, one that measures an error still open."""
        if self._is_last and not (self.over(history) and self._append(history)):
            return False
        self.run.next_stage()
        return True

    def lost(self, history: History) -> bool:
        """Enter the next stage from the start of the run: a larger bond dimension may keep what a coarse one lost.

        What was measured in the lost stage tells no error.
        """
        if self._is_last or not self.run.start_over():
            return False
        history.forget(self.stage)
        self.run.next_stage()
        return True

    def _append(self, history: History) -> bool:
        open_ = self.refine and self._trotter_is_open(history)
        return (open_ and self.run.refine()) or self.within.next_stage(history)

    def _trotter_is_open(self, history: History) -> bool:
        """Return whether the Trotter error is unknown, or decides whether the run is converged."""
        estimates, last = self.errors(history), history.last_of(self.stage) or {}
        trotter, truncation = (self.target.excess(estimates[kind], last) for kind in ("trotter", "truncation"))
        if math.isnan(trotter):
            return True
        others = self._total(estimates, last, ("relaxation", "truncation"))
        whole = {name: others[name] + estimates["trotter"].get(name, 0.0) for name in others}
        if self.target.excess(whole, last) <= 1 - TO_COME:
            return False
        if trotter > SHARE and not truncation > max(1.0, trotter):
            return True
        room = 1 - TO_COME - truncation
        return (trotter > max(room, TO_COME) and room > 0) or self.target.excess(others, last) <= 1 - TO_COME

    @staticmethod
    def _total(estimates: Estimates, last: Values, kinds: Sequence[str]) -> Values:
        """Return the sum of some kinds of errors of every element."""
        return {name: sum_of([estimates[kind].get(name, np.zeros(())) for kind in kinds]) for name in last}

    # ------------------------------------------------------------------ the errors

    def errors(self, history: History) -> Estimates:
        """Return the three errors of every element of the monitored observables."""
        return self._probed(history) or self._settled(history)

    def _settled(self, history: History) -> Estimates:
        """Return the errors by the differences of stages that were relaxed."""
        relaxation, rate = self.within.errors(history)["relaxation"], math.nan
        if self.forgetting is not None:
            told, rate = self.forgetting.errors(history, self.stage), self.forgetting.rate
            relaxation = {k: np.maximum(error, told.get(k, 0.0)) for k, error in relaxation.items()}
        return {
            "relaxation": relaxation,
            "trotter": trotter_errors(
                self.run, self.order, history, self.prior, rate, lambda stage: self.within.remaining(history, stage)
            ),
            "truncation": truncation_errors(self.run, history, self.prior),
        }

    def _probed(self, history: History) -> Estimates | None:
        """Return the errors of a settled state that went on at dt/2 for a short time; None where they do not suffice.

        What was still to come when it settled is the error of the relaxation, the whole error of dt that of the time
        step: the state has hardly moved. Where that is too much, the stage goes on until it has relaxed at dt/2.
        """
        run, within, stage = self.run, self.within, self.stage
        if not run.refined or stage != run.refined_stage or isinstance(within, Settling) or not within.waits:
            return None
        if within.remaining(history, stage - 1) is None:  # it began to wait at dt/2
            return None
        told, rates = {}, [within.rate(history)]
        if self.forgetting is not None:
            told = self.forgetting.errors(history, stage - 1)
            rates.append(self.forgetting.rate)
        trotter = probed_errors(run, self.order, history, min(rates) if all(rate > 0 for rate in rates) else math.nan)
        if not trotter:
            return None
        relaxation = within.errors_of(history, stage - 1)
        relaxation = {k: np.maximum(error, told.get(k, 0.0)) for k, error in relaxation.items()}
        found = {
            "relaxation": relaxation,
            "trotter": trotter,
            "truncation": truncation_errors(run, history, self.prior),
        }
        last = history.last_of(stage)
        return found if all(self._fits(kind, found, last) for kind in ("relaxation", "trotter")) else None

    # ------------------------------------------------------------------ the certificate

    def figures(self, history: History) -> dict[str, float]:
        """Return the worst relative errors, the account of what was dropped, and the state against its equation."""
        run, last, estimates = self.run, history.last_of(self.stage), self.errors(history)
        account = {
            "discarded_weight": run.discarded,
            "trace_drift": run.trace_drift,
            "fallbacks": run.fallbacks,
        }
        return account | self._check() | self._pace(history) | {kind: worst(estimates[kind], last) for kind in KINDS}

    def _check(self) -> dict[str, float]:
        """Return the figures of the present state, computed once."""
        now = self.run.time, self.stage
        if self._checked is None or self._checked[0] != now:
            self._checked = now, self.check()
        return self._checked[1]

    def _pace(self, history: History) -> dict[str, float]:
        tails = Waiting(self.target).tails(history)
        known = {} if self.prior is None or not self.prior.rate > 0 else {"relaxation_rate": self.prior.rate}
        kicked = {} if self.forgetting is None else self.forgetting.figures()
        return {"relaxation_rate": tails.rate()} | self.within.figures(history) | kicked | known

    def verdict(self, history: History) -> str:
        """Return `converged`, or what dominates and what to change."""
        forgetting = self.forgetting
        if self._is_last and forgetting is not None:
            settled = self.within.over(history)
            if (settled and not forgetting.is_open) or (forgetting.failed and (settled or forgetting.is_hopeless)):
                return forgetting.outcome()
        if not (self._is_last and self.over(history)):
            return self._unfinished(history)
        figures = self.figures(history)
        if figures["positivity"] < NEGATIVE:
            return "not positive, truncation dominates: raise --chi"
        if figures["energy_balance"] > UNBALANCED:
            return "energy is not balanced: raise --chi or lower --dt"
        dominates = self._dominates(history)
        if dominates:
            return dominates
        return "converged, without a kick" if forgetting is None else f"converged{forgetting.remark}"

    def _unfinished(self, history: History) -> str:
        """Return the outcome of a run that ended too early."""
        if not self._is_last:
            return self.within.unfinished
        if self.within.over(history):
            return NOT_RELAXED
        if self.within.stalled(history) and not is_truncated(self.run):
            return OSCILLATES
        return self.within.verdict(history)

    def _dominates(self, history: History) -> str:
        """Return which error keeps the answer from the accuracy asked for; empty where none does."""
        estimates, last = self.errors(history), history.last_of(self.stage) or {}
        kinds = [kind for kind in KINDS if kind != "trotter" or self.refine or estimates["trotter"]]
        if any(not estimates[kind].keys() >= last.keys() for kind in kinds):
            return NO_STAGES
        total: Values = {name: sum_of([estimates[kind][name] for kind in kinds]) for name in last}
        if self.target.excess(total, last) <= 1:
            return ""
        largest = max(kinds, key=lambda kind: self.target.excess(estimates[kind], last))
        return {
            "relaxation": NOT_RELAXED,
            "trotter": "Trotter error dominates: lower --dt",
            "truncation": f"truncation dominates: {'raise --chi' if self.run.is_full else 'lower --cutoff'}",
        }[largest]

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
