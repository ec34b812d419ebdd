"""`Compared`: the rule of a time evolution with companions, whose differences from it are its errors.

error(t) is the sum of the running maxima over time of |O(chi) - O(chi/2)| and of |O(dt) - O(dt/2)| 2^p / (2^p - 1), p
the order of the Trotter formula, element by element: a difference that passes through zero does not promise that the
error does. Truncation prefers no observable: |O(chi) - O(chi/2)| counts as no smaller than half of the largest change
of a one- or two-site marginal, times the size of the observable. Where hardly anything was truncated, the weight
dropped is the better bound on the error of truncation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tnness.records.certificate import sum_of
from tnness.records.history import History
from tnness.records.values import Estimates, Values, cautious, change, scale, size
from tnness.stopping.answers import COMPLETE
from tnness.stopping.protocol import Measure, Rule
from tnness.stopping.target import FLOOR, Target

ADVICE = {"truncation": "truncation: raise --chi", "trotter": "Trotter error: lower --dt"}
"""Kind of error -> what to change where it dominates."""

AT_LEAST = 0.5
"""Least share of the largest change of a marginal, by truncation, that every observable is taken to have."""
HARDLY = 0.1
"""Largest share of the state, by the weight dropped, that counts as hardly truncated."""
NEGLIGIBLE = 1e-3
"""Largest share of it up to which the change of an observable is a share of its own scale, however small that is."""


class Beside(Protocol):
    """A time evolution with companions.

    discarded, trace_drift: of the evolution itself; NaN if unknown.
    """

    @property
    def discarded(self) -> float:
        """The weight dropped."""
        ...

    @property
    def trace_drift(self) -> float:
        """The drift of the trace."""
        ...

    @property
    def factors(self) -> Mapping[str, float | None]:
        """Kind of error -> factor of the difference; None where that kind does not exist."""
        ...

    @property
    def views(self) -> Mapping[str, Any]:
        """Kind of error -> the view of its companion; None where its state was lost."""
        ...

    @property
    def truncated(self) -> float:
        """A bound on the share of the state that truncation has changed; infinite where it is not known."""
        ...

    def apart(self, kind: str) -> float:
        """Return the largest difference of a companion's one- and two-site marginals from the run's; 0 if unknown."""
        ...


class Compared(Rule):
    """The rule of a time evolution that is compared with companions.

    Parameters
    ----------
    rule: the evolution's own rule. run: the evolution. target: the error that is asked for, an observable's scale being
        its largest magnitude in the whole evolution. judged: the observables that must keep to it. sizes: the change of
        each element of the linear observables if all marginals change by 1.
    """

    def __init__(
        self, rule: Rule, run: Beside, target: Target, judged: Sequence[str], sizes: Mapping[str, NDArray[np.float64]]
    ) -> None:
        self.rule, self.run, self.target, self.judged, self.sizes = rule, run, target, judged, sizes

    def seen(self, history: History, measure: Measure) -> None:
        """Measure the companions, and note their differences from the evolution in the history."""
        now = {name: series[-1] for name, series in history.values.items()}
        for kind, view in self.run.views.items():
            values, factor = {} if view is None else measure(view), self.run.factors[kind] or 0.0
            truncation = kind == "truncation" and view is not None
            limit, least = (self.run.truncated, AT_LEAST * self.run.apart(kind)) if truncation else (math.inf, 0.0)
            about = factor, limit, least
            history.tell(
                kind,
                {name: _apart(value, values.get(name), self.sizes.get(name), *about) for name, value in now.items()},
            )

    def errors(self, history: History) -> Estimates:
        """Return the running maxima of the differences: (time, ...) for every observable; 0 for what does not exist."""
        if not self.run.factors:
            return {}
        zero = {name: np.zeros_like(np.array(series)) for name, series in history.values.items()}
        kinds = {kind: self._of(kind, history) for kind, factor in self.run.factors.items() if factor is not None}
        return {"relaxation": zero} | {kind: zero for kind in self.run.factors if kind not in kinds} | kinds

    def _of(self, kind: str, history: History) -> Values:
        """Return the running maxima of one kind; NaN from the first time on at which it is not known."""
        return {name: np.maximum.accumulate(history.told(kind, name), axis=0) for name in history.values}

    def figures(self, history: History) -> dict[str, float]:
        """Return the evolution's own figures, its worst relative errors at the end, and how far it can be trusted."""
        if not self.run.factors:
            return dict(self.rule.figures(history))
        last = (
            {kind: of[:, -1].max() for kind, of in self._excess(history, Target(1.0)).items()} if history.times else {}
        )
        return dict(self.rule.figures(history)) | last | {"trusted_to": self._trusted(history)}

    def _excess(self, history: History, target: Target) -> dict[str, NDArray[np.float64]]:
        """Return for each kind the largest error over the one that a target allows: (judged observable, time)."""
        names = [name for name in self.judged if name in history.values] or list(history.values)
        allowed = {name: target.allowed(np.array(history.values[name])) for name in names}
        return {
            kind: np.array([[size(error) / allowed[name] for error in of[name]] for name in names])
            for kind, of in self.errors(history).items()
        }

    def _within(self, history: History) -> Any:
        """Return for each time whether the sum of the errors of every judged observable is within the target."""
        return np.all(sum_of(list(self._excess(history, self.target).values())) <= 1, axis=0, keepdims=False)

    def _trusted(self, history: History) -> float:
        """Return the last time up to which the errors are within the target; NaN where there is none."""
        within = self._within(history)
        count = len(within) if within.all() else int(np.argmin(within))
        return history.times[count - 1] if count else math.nan

    def verdict(self, history: History) -> str:
        """Return `complete`, or how far the evolution can be trusted, what dominates then, and what to change."""
        own = self.rule.verdict(history)
        if not self.run.factors:
            return f"{own}, without error estimates" if own == COMPLETE else own
        within = self._within(history)
        if within.all():
            return own
        relative = {k: of[:, int(np.argmin(within))].max() for k, of in self._excess(history, self.target).items()}
        unknown = [kind for kind, error in relative.items() if math.isnan(error)]
        if unknown:
            return f"no error estimate of {unknown[0]}: the evolution that this one extends has none"
        kind = max(ADVICE, key=lambda kind: relative.get(kind, 0.0))
        kind = kind if math.isfinite(relative.get(kind, 0.0)) else "truncation"  # only truncation loses a state
        trusted = self._trusted(history)
        told = "trusted at no time" if math.isnan(trusted) else f"trustworthy to t = {trusted:.4g}"
        return f"{told}: {ADVICE[kind]}{self._account(kind)}"

    def _account(self, kind: str) -> str:
        """Return the weight dropped and the drift of the trace, where truncation dominates and they are known."""
        told = {"discarded weight": self.run.discarded, "trace drift": self.run.trace_drift}
        known = [f"{name} {value:.1e}" for name, value in told.items() if kind == "truncation" and value == value]
        return f" ({', '.join(known)})" if known else ""

    def status(self, history: History) -> str:
        """Return what the evolution's own rule says."""
        return self.rule.status(history)


def _apart(
    value: NDArray[np.float64],
    other: NDArray[np.float64] | None,
    sizes: NDArray[np.float64] | None,
    factor: float,
    limit: float,
    least: float,
) -> NDArray[np.float64]:
    """Return the difference of an observable in two runs, absolute, times a factor; infinite where one has none.

    limit: a bound on it, relative to the observable's scale, or to its size, which is used where it is small.
    least: the smallest difference for an element of size 1, where the sizes of the elements are known.
    """
    if other is None:
        return np.full_like(value, math.inf)
    apart = cautious(factor * np.abs(change(value, other)))
    own = np.zeros_like(value) if sizes is None or sizes.size != value.size else sizes.reshape(value.shape)
    apart = np.maximum(apart, least * own)
    reach = np.maximum(max(scale(value), FLOOR), own if limit > NEGLIGIBLE else 0.0)
    return np.minimum(apart, limit * reach) if limit <= HARDLY else apart
