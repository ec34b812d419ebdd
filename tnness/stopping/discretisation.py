"""Errors of the time step and of truncation, from the differences of stages.

- Trotter: the difference between dt and dt/2, Richardson-scaled, at the smallest bond dimension or at the largest;
- truncation: the difference between the last two bond dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tnness.records.certificate import Prior
from tnness.records.history import PRIOR_STAGE, History
from tnness.records.values import Values, cautious, change, scale

NEGLIGIBLE_WEIGHT = 1e-11
"""Discarded weight per site in a whole stage that counts as none."""

FEWEST_LOOKS, LAST_LOOKS = 4, 3
"""Fewest measurements at dt/2 that tell the error of dt, and how many of the last ones count."""


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
    run: Discretised, order: int, history: History, prior: Prior | None, rate: float = math.nan
) -> Values:
    """Return the error of the time step of every element; empty where no stage tells it.

    The error of a step is c dt^order, so that |O(dt) - O(dt')| = c (dt^order - dt'^order) tells c.

    Parameters
    ----------
    run: the run. order: of its steps. prior: the record that it extends. rate: at which the slowest part of a change
        decays (1 / time), where it is known: a stage that is shorter than 1/rate shows a part of a difference only.
    """
    stages, final = run.stages, len(run.stages) - 1
    if run.refined:
        return ends_apart(history, run.refined_stage - 1, run.refined_stage, 1 / (2.0**order - 1))
    if final > 0 and stages[0].chi == stages[1].chi and stages[0].dt > stages[1].dt:
        first, second = ((stage.dt / stages[final].dt) ** order for stage in stages[:2])
        shown = -math.expm1(-rate * history.time_in(1)) if rate > 0 else 1.0
        return ends_apart(history, 0, 1, 1 / (first - second) / shown) if shown > 0 else {}
    if prior is None or prior.chi > stages[final].chi:
        return {}
    if math.isclose(prior.dt, stages[final].dt):
        return prior.estimates.get("trotter", {})
    if prior.dt > stages[final].dt and prior.chi == stages[final].chi:
        return ends_apart(history, PRIOR_STAGE, final, 1 / ((prior.dt / stages[final].dt) ** order - 1))
    return {}


def probed_errors(run: Discretised, order: int, history: History, rate: float) -> Values:
    """Return the error of dt of every element from a short time at dt/2; empty while that was too short.

    A settled state that goes on at dt/2 leaves towards the steady state of that step. In a time t a part
    1 - exp(-rate t) of the way is made at least, if nothing is slower than `rate`; the whole way, times
    2^order / (2^order - 1), is the error of dt. The largest of the last measurements counts: one is small by chance.
    """
    stage, parts = run.refined_stage, 2.0**order
    before, looks = history.of(stage - 1), history.of(stage)
    if len(looks) < FEWEST_LOOKS or not before or not rate > 0:
        return {}
    found: Values = {}
    for look in looks[-LAST_LOOKS:]:
        share = -math.expm1(-rate * (history.times[look] - history.times[before[-1]]))
        for name, series in history.values.items():
            way = parts / (parts - 1) * np.abs(change(series[before[-1]], series[look])) / share
            found[name] = np.maximum(found.get(name, 0.0), cautious(way))
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
