"""Errors of the time step and of truncation, from the differences of stages.

- Trotter: the difference between two steps, scaled, at the last bond dimension or the one before it;
- truncation: the difference between the last two bond dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tnness.records.certificate import Prior
from tnness.records.history import PRIOR_STAGE, History
from tnness.records.values import Values, cautious, change, scale

NEGLIGIBLE_WEIGHT = 1e-11
"""Discarded weight per site in a whole stage that counts as none."""

FEWEST_LOOKS = 4
"""Fewest measurements at dt/2 that tell the error of dt."""
AVERAGED = 3
"""Most measurements of which a mean is taken."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: a bond dimension, a time step, and the power iterations of its splits."""

    chi: int
    dt: float
    power: int = 0


class Discretised(Protocol):
    """A run in stages. discarded: weight, in the present stage. refined: how many stages `refine` has appended."""

    discarded: float
    refined: int

    @property
    def n(self) -> int:
        """The number of sites."""
        ...

    @property
    def stages(self) -> Sequence[Stage]:
        """All stages."""
        ...

    @property
    def refined_stage(self) -> int:
        """The index of the stage that `refine` appends."""
        ...

    @property
    def is_full(self) -> bool:
        """True where a bond has reached the bond dimension: chi limits it, not the cutoff."""
        ...


def trotter_errors(
    run: Discretised,
    order: int,
    history: History,
    prior: Prior | None,
    rate: float = math.nan,
    remaining: Callable[[int], Values | None] = lambda stage: {},
) -> Values:
    """Return the error of the time step of every element; empty where no stage tells it.

    The error of a step is c dt^order, so that |O(dt) - O(dt')| = c (dt^order - dt'^order) tells c. A longer step than
    the last stage's may be too long for that: at order 4 its difference is read as if the order were 3, which makes the
    error larger.

    Parameters
    ----------
    run: the run. order: of its steps. prior: the record that it extends. rate: at which the slowest part of a change
        decays (1 / time), where it is known: a stage that is shorter than 1/rate shows a part of a difference only.
    remaining: returns what was still to come when a stage ended: it may hide as much of the difference. None where the
        stage did not wait: jumps show no way, and its last values alone count.
    """
    stages, final = run.stages, len(run.stages) - 1
    if run.refined:
        return ends_apart(history, run.refined_stage - 1, run.refined_stage, 1 / (2.0**order - 1))
    halved = [k for k in range(1, final + 1) if stages[k].chi == stages[k - 1].chi and stages[k].dt < stages[k - 1].dt]
    if halved:
        finer = halved[-1]
        coarse, fine = (stage.dt / stages[final].dt for stage in stages[finer - 1 : finer + 1])
        power = max(order - 1, 2) if coarse > 1 else order
        factor, left, after = 1 / (coarse**power - fine**power), remaining(finer - 1), remaining(finer)
        if left is None or after is None or not rate > 0:
            shown = -math.expm1(-rate * history.time_in(finer)) if rate > 0 else 1.0
            return ends_apart(history, finer - 1, finer, factor / shown) if shown > 0 else {}
        found = whole_way(history, finer - 1, finer, rate, factor)
        return {name: error + factor * left.get(name, 0.0) for name, error in found.items()}
    if prior is None or prior.chi > stages[final].chi:
        return {}
    if math.isclose(prior.dt, stages[final].dt):
        return prior.estimates.get("trotter", {})
    if prior.dt > stages[final].dt and prior.chi == stages[final].chi:
        return ends_apart(history, PRIOR_STAGE, final, 1 / ((prior.dt / stages[final].dt) ** order - 1))
    return {}


def probed_errors(run: Discretised, order: int, history: History, rate: float) -> Values:
    """Return the error of dt of every element from a short time at dt/2; empty while that was too short."""
    parts = 2.0**order
    return whole_way(history, run.refined_stage - 1, run.refined_stage, rate, parts / (parts - 1))


def whole_way(history: History, before: int, stage: int, rate: float, factor: float = 1.0) -> Values:
    """Return how far every element has to go, absolute, where a stage with another time step leads; times a factor.

    A settled state leaves towards the steady state of the new step. If nothing is slower than `rate`, it makes in a
    time t a part 1 - exp(-rate t) of the way at least. So the way is no longer than |x(t) - x(0)| over this part. What
    answers at once is not stretched: it is no longer than |x(s) - x(0)| + |x(t) - x(s)| / (1 - exp(-rate (t - s)))
    either, where s is early. The smaller bound counts. x(0), x(s), x(t) are means of a few measurements, against the
    noise of truncation. In an element a fast and a slow part may have opposite signs, and cancel for a while: each is
    given the largest error of its array. Empty while there are too few measurements.
    """
    past, looks = history.of(before), history.of(stage)
    if len(looks) < FEWEST_LOOKS or not past or not rate > 0:
        return {}
    few = min(AVERAGED, len(looks) // 2)
    parts = past[-few:], looks[:few], looks[-few:]
    since = np.array(history.times) - history.times[past[-1]]
    early, late = (float(np.exp(-rate * since[part]).mean()) for part in parts[1:])  # of a slow change, still to come
    share, late_share = 1 - late, 1 - late / early
    found: Values = {}
    for name, series in history.values.items():
        first, soon, last = (np.mean([series[k] for k in part], axis=0) for part in parts)
        at_once = np.abs(change(first, soon)) + np.abs(change(soon, last)) / late_share
        way = factor * np.minimum(np.abs(change(first, last)) / share, at_once)
        found[name] = np.maximum(way, scale(way))
    return found


def is_truncated(run: Discretised) -> bool:
    """Return whether the bond dimension limits the state: it is reached, and what was dropped is no round-off."""
    return run.is_full and run.discarded > NEGLIGIBLE_WEIGHT * run.n


def truncation_errors(run: Discretised, history: History, prior: Prior | None) -> Values:
    """Return |O(chi) - O(previous chi)| of every element; the root of the discarded weight where chi was no limit."""
    stages, final = run.stages, len(run.stages) - 1
    last = history.last_of(final)
    if last is None:
        return {}
    if not is_truncated(run):
        weight = math.sqrt(run.discarded)
        return {name: np.full_like(values, weight * scale(values)) for name, values in last.items()}
    chi, dt = stages[final].chi, stages[final].dt * 2**run.refined
    before = [i for i, stage in enumerate(stages) if stage.chi < chi and stage.dt == dt]
    if before:
        return ends_apart(history, before[-1], final)
    if prior is not None and prior.chi < chi:
        return ends_apart(history, PRIOR_STAGE, final)
    return prior.estimates.get("truncation", {}) if prior is not None and prior.chi == chi else {}


def ends_apart(history: History, first: int, second: int, factor: float = 1.0) -> Values:
    """Return the change of every element between the last measurements of two stages, absolute, times a factor."""
    before, after = history.last_of(first), history.last_of(second)
    if before is None or after is None:
        return {}
    return {name: factor * cautious(np.abs(change(before[name], after[name]))) for name in after}
