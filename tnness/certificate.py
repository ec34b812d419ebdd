"""How far a steady state can be trusted: what every record carries.

Three errors are estimated for every observable that is monitored and watched, absolute and in its own unit:

- relaxation: a bound on what is still to come (`tnness.relaxation`);
- Trotter: the difference between dt and dt/2, Richardson-scaled, at the smallest bond dimension or at the largest;
- truncation: the difference between the last two bond dimensions.

Independent of these, the state is held against the equation it should solve (`tnness.balance`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from tnness.balance import checks, positivity
from tnness.engines.protocol import Run, SelfPaced, is_self_paced
from tnness.engines.tebd import TEBDRun
from tnness.problems.generator import ChainGenerator
from tnness.relaxation import CAUTION, FLOOR, History, Values, change, scale, size

KINDS = ("relaxation", "trotter", "truncation")
"""The three errors that are estimated per observable."""
SAFETY = 10.0
"""A run is converged where every observable's estimated error is below SAFETY times the tolerance of relaxation."""
NEGATIVE = -1e-2
"""Marginal probabilities or eigenvalues below this are no round-off of truncation: the state is not trusted."""
STALLED = 100
"""Measurements in a stage before it can be called stalled."""
SETTLING = 3.0
"""Relaxation times in a stage before it can be called stalled: a later stage first settles into its own state."""
UNBALANCED = 0.2
"""Largest imbalance of the total energy, relative to the dissipative flows, at which a state counts as steady."""
ROUND_OFF = 1e-11
"""Discarded weight per site in a whole stage that counts as none."""
PRIOR_STAGE = -1
"""The stage under which a history holds the values of the record that a run extends."""


@dataclass(frozen=True)
class Certificate:
    """The figures and the verdict. NaN stands for a figure that does not apply.

    discarded_weight: relative weight dropped in the last stage, summed over all splits and steps.
    trace_drift: change of ln(trace) in the last stage, before any renormalisation.
    relaxation: worst relative change still to come, as extrapolated.
    trotter, truncation: worst relative error estimate over the monitored observables.
    relaxation_rate: rate of the whole relaxation (1 / time).
    residual: |G P| / |P| (1 / time).
    local_balance: worst |d<O>/dt| over one-site operators (1 / time): continuity of every local density.
    energy_balance: |d<H>/dt| relative to the dissipative flows into and out of H.
    positivity: smallest eigenvalue of the two-site marginals, or smallest probability.
    fallbacks: LAPACK factorisations that had to fall back.
    estimates: the three errors of every monitored observable, absolute.
    further: the figures of a direct engine, by name.
    """

    outcome: str
    discarded_weight: float = 0.0
    trace_drift: float = 0.0
    relaxation: float = math.nan
    relaxation_rate: float = math.nan
    trotter: float = math.nan
    truncation: float = math.nan
    residual: float = math.nan
    local_balance: float = math.nan
    energy_balance: float = math.nan
    positivity: float = math.nan
    fallbacks: int = 0
    estimates: dict[str, dict[str, float]] = field(default_factory=dict)
    further: dict[str, float] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """True where the outcome is `converged` or `exact`."""
        return self.outcome in ("converged", "exact")

    @property
    def errors(self) -> dict[str, float]:
        """Absolute error per observable: the sum of its estimates; NaN where one of the three is missing."""
        names = {name for kind in self.estimates.values() for name in kind}
        return {name: sum(self.estimates.get(k, {}).get(name, math.nan) for k in KINDS) for name in sorted(names)}

    def figures(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {k: float(v) for k, v in vars(self).items() if isinstance(v, (int, float))} | self.further

    @classmethod
    def rebuilt(cls, outcome: str, figures: dict[str, float], estimates: dict[str, dict[str, float]]) -> Certificate:
        """Return the certificate with these `figures()`."""
        own = {entry.name for entry in fields(cls)}
        known: dict[str, Any] = {k: v for k, v in figures.items() if k in own}
        if "fallbacks" in known:
            known["fallbacks"] = int(known["fallbacks"])
        further = {k: v for k, v in figures.items() if k not in own}
        return cls(outcome=outcome, estimates=estimates, further=further, **known)


@dataclass(frozen=True)
class Prior:
    """What is known of the same chain from the record that a run extends.

    chi, dt: what it was reached with. rate: of its relaxation (1 / time). estimates: its certificate's. Its values
    stand in the history under `PRIOR_STAGE`.
    """

    chi: int
    dt: float
    rate: float
    estimates: dict[str, dict[str, float]]


def certify_steady(
    run: Run,
    generator: ChainGenerator,
    history: History,
    tolerance: float,
    prior: Prior | None = None,
    needs_trotter: bool = True,
) -> Certificate:
    """Return the certificate of a steady state.

    Parameters
    ----------
    run: the finished run. generator: its problem. history: the monitored observables of every stage.
    tolerance: relative error asked of the relaxation. prior: the record that the run extends, if it does.
    needs_trotter: whether a run without an estimate of its Trotter error may not be called converged.
    """
    if not isinstance(run, TEBDRun):
        figures: dict[str, Any] = {**dict.fromkeys(KINDS, 0.0), **checks(run, generator)}
        estimates = {kind: dict.fromkeys(history.values, 0.0) for kind in KINDS}
        return Certificate(outcome="exact", estimates=estimates, **figures)
    tail, last = history.tail(run.stage), history.last_of(run.stage) or {}
    estimates = {
        "relaxation": _relaxation_error(run, history, prior),
        "trotter": _trotter_error(run, history, prior),
        "truncation": _truncation_error(run, history, prior),
    }
    figures: dict[str, Any] = {kind: _worst(estimates[kind], last) for kind in KINDS} | checks(run, generator)
    relaxed = run.stage == len(run.stages) - 1 and is_relaxed(run, history, tolerance, prior)
    rate = history.rate()
    judged: dict[str, Any] = figures | {
        "stalled": run.stage == len(run.stages) - 1 and is_stalled(run, history, tolerance)
    }
    figures |= {
        "outcome": _verdict(run, relaxed, judged, tolerance, needs_trotter),
        "relaxation": figures["relaxation"] if is_self_paced(run) else tail.relative if tail else math.inf,
        "relaxation_rate": prior.rate if prior is not None and prior.rate > 0 else rate,
    }
    return Certificate(
        discarded_weight=run.discarded,
        trace_drift=run.trace_drift,
        fallbacks=run.fallbacks,
        estimates=estimates,
        further=_acceleration(run, history) if is_self_paced(run) else {},
        **figures,
    )


def certify_evolution(run: Run) -> Certificate:
    """Return the certificate of a time evolution: what was dropped, the trace and positivity."""
    lowest = positivity(run.view())
    return Certificate(
        outcome="complete" if lowest >= NEGATIVE else "not positive, truncation dominates: raise --chi",
        discarded_weight=run.discarded,
        trace_drift=run.trace_drift,
        positivity=lowest,
        fallbacks=run.fallbacks,
    )


def is_relaxed(run: Run, history: History, tolerance: float, prior: Prior | None) -> bool:
    """True where all that is still to come in the present stage is small, and in the last stage surely so."""
    if is_self_paced(run):
        return run.settled
    tail = history.tail(run.stage)
    if tail is None or not tail.relative <= tolerance:
        return False
    if run.stage < len(run.stage_names) - 1:
        return True
    bounds = _relaxation_error(run, history, prior)
    return _worst(bounds, history.last_of(run.stage) or {}) <= SAFETY * tolerance


def is_stalled(run: Run, history: History, tolerance: float) -> bool:
    """True where truncation keeps the present stage from settling: more time would not help.

    It came within SAFETY times the tolerance in the first half of its time, and is no further now.
    """
    if is_self_paced(run):
        return run.exhausted
    tail, half = history.tail(run.stage), history.halfway(run.stage)
    if tail is None or half is None or len(history.of(run.stage)) < STALLED:
        return False
    if run.stage > 0 and history.time_in(run.stage) * history.rate() < SETTLING:
        return False
    return max(half.relative, tail.relative) <= SAFETY * tolerance


def trotter_is_open(run: Run, history: History, tolerance: float, prior: Prior | None) -> bool:
    """True where the Trotter error is unknown, or too large as estimated at a small bond dimension."""
    if not isinstance(run, TEBDRun):
        return False
    errors, last = _trotter_error(run, history, prior), history.last_of(run.stage)
    return not errors or last is None or _worst(errors, last) > SAFETY * tolerance


def _verdict(run: TEBDRun, relaxed: bool, figures: dict[str, Any], tolerance: float, needs_trotter: bool) -> str:
    trotter, truncation = figures["trotter"], figures["truncation"]
    if not relaxed and is_self_paced(run):
        return "not settled: raise --chi or the time between jumps (--set burst=...)"
    if not relaxed and figures["stalled"]:
        return "truncation keeps it from settling: raise --chi"
    if not relaxed:
        return "not relaxed: raise --max-time"
    if figures["positivity"] < NEGATIVE:
        return "not positive, truncation dominates: raise --chi"
    if math.isnan(truncation) or (needs_trotter and math.isnan(trotter)):
        return "no error estimate: use tnness converge, or a schedule of several chi"
    if trotter > SAFETY * tolerance and trotter > truncation:
        return "Trotter error dominates: lower --dt"
    if truncation > SAFETY * tolerance:
        return f"truncation dominates: {'raise --chi' if _is_full(run) else 'lower --cutoff'}"
    if figures["energy_balance"] > UNBALANCED:
        return "energy is not balanced: raise --chi or lower --dt"
    return "converged"


def _relaxation_error(run: Run, history: History, prior: Prior | None) -> dict[str, float]:
    if is_self_paced(run):
        spread = _bracket(run, history)
        return {
            name: max(CAUTION * run.predicted.get(name, math.inf), spread.get(name, 0.0)) for name in history.values
        }
    bounds = history.bounds(run.stage, prior.rate if prior is not None else math.nan)
    return dict.fromkeys(history.values, math.inf) if bounds is None else bounds


def _acceleration(run: SelfPaced, history: History) -> dict[str, float]:
    """Return the figures of an accelerated run: bursts, jumps, and the bracket where one was asked for."""
    figures = {"bursts": float(len(run.trace)), "jumps": float(sum(row[-1] for row in run.trace))}
    found = _bracket(run, history)
    return figures | ({"bracket": _worst(found, history.last_of(run.stage) or {})} if found else {})


def _bracket(run: SelfPaced, history: History) -> dict[str, float]:
    """Return how far the ends are apart of stages that should have come to the same, by observable."""
    found = [_change(history, first, second) for first, second in run.repeated]
    return {name: max(change[name] for change in found) for name in found[0]} if found else {}


def _trotter_error(run: TEBDRun, history: History, prior: Prior | None) -> dict[str, float]:
    """Richardson: |O(dt) - O(dt')| / ((dt/dt')^order - 1) is the error at dt'; the rest of it that at dt."""
    order, stages, final = run.settings.order, run.stages, len(run.stages) - 1
    if run.refined:
        return _change(history, run.refined_stage - 1, run.refined_stage, 1 / (2.0**order - 1))
    if final > 0 and stages[0].chi == stages[1].chi and stages[0].dt > stages[1].dt:
        ratio = (stages[0].dt / stages[1].dt) ** order
        return _change(history, 0, 1, ratio / (ratio - 1))
    if prior is None or prior.chi > stages[final].chi:
        return {}
    if math.isclose(prior.dt, stages[final].dt):
        return prior.estimates.get("trotter", {})
    if prior.dt > stages[final].dt and prior.chi == stages[final].chi:
        return _change(history, PRIOR_STAGE, final, 1 / ((prior.dt / stages[final].dt) ** order - 1))
    return {}


def _truncation_error(run: TEBDRun, history: History, prior: Prior | None) -> dict[str, float]:
    """|O(chi) - O(previous chi)|, and the root of the discarded weight where chi was no limit."""
    stages, final = run.stages, len(run.stages) - 1
    last = history.last_of(final)
    if last is None:
        return {}
    if not _is_full(run) or run.discarded <= ROUND_OFF * run.generator.n:
        return {name: math.sqrt(run.discarded) * scale(values) for name, values in last.items()}
    chi, dt = stages[final].chi, stages[final].dt * 2**run.refined
    before = [i for i, stage in enumerate(stages) if stage.chi < chi and stage.dt == dt]
    if before:
        return _change(history, before[-1], final)
    if prior is not None and prior.chi < chi:
        return _change(history, PRIOR_STAGE, final)
    return prior.estimates.get("truncation", {}) if prior is not None and prior.chi == chi else {}


def _is_full(run: TEBDRun) -> bool:
    """True where a bond has reached the bond dimension: chi limits it, not the cutoff."""
    return max(run.state.bond_dimensions) >= run.stages[-1].chi


def _change(history: History, first: int, second: int, factor: float = 1.0) -> dict[str, float]:
    """Return the largest change of every observable between the ends of two stages, times a factor."""
    before, after = history.last_of(first), history.last_of(second)
    if before is None or after is None:
        return {}
    return {name: factor * size(change(before[name], after[name])) for name in after}


def _worst(errors: dict[str, float], values: Values) -> float:
    """Return the largest error relative to the size of its observable; NaN of no errors."""
    return max((errors[k] / max(scale(values[k]), FLOOR) for k in errors if k in values), default=math.nan)
