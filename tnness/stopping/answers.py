"""The stopping rules of engines that give an answer at once: it is exact, or the engine judges it itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tnness.records.averages import TimeAverage
from tnness.records.certificate import KINDS
from tnness.records.history import History
from tnness.records.values import Estimates
from tnness.stopping.protocol import Rule

EXACT, COMPLETE = "exact", "complete"


class Solved(Rule):
    """The answer is exact to round-off, and its engine says so.

    Parameters
    ----------
    figures: returns the certificate's figures. remark: returns what is added to `exact`.
    """

    judges = True

    def __init__(self, figures: Callable[[], dict[str, float]] = dict, remark: Callable[[], str] = str) -> None:
        self._figures, self._remark = figures, remark

    def over(self, history: History) -> bool:
        """Return True: one step gives the answer."""
        return True

    def errors(self, history: History) -> Estimates:
        """Return zeros."""
        return {kind: {name: np.zeros_like(of[-1]) for name, of in history.values.items()} for kind in KINDS}

    def figures(self, history: History) -> dict[str, float]:
        """Return the figures of the state."""
        return dict.fromkeys(("discarded_weight", "trace_drift", *KINDS), 0.0) | self._figures()

    def verdict(self, history: History) -> str:
        """Return `exact`, with the remark."""
        return EXACT + self._remark()


class Told(Rule):
    """The engine itself gives the outcome. Only its views give errors.

    Parameters
    ----------
    verdict: returns the outcome. figures: returns the certificate's figures.
    """

    def __init__(self, verdict: Callable[[], str], figures: Callable[[], dict[str, float]] = dict) -> None:
        self._verdict, self._figures = verdict, figures

    def figures(self, history: History) -> dict[str, float]:
        """Return the engine's figures."""
        return self._figures()

    def verdict(self, history: History) -> str:
        """Return the engine's verdict."""
        return self._verdict()


class Sampling(Told):
    """The answer is an average over time: converged where the errors of all watched observables have levelled off.

    If the engine's own verdict is not `complete`, that verdict is the outcome.
    """

    judges = True
    averages = True

    def judge(self, averages: Mapping[str, TimeAverage]) -> str:
        """Return the outcome from the averages of the monitored observables."""
        verdict = self._verdict()
        if verdict != COMPLETE:
            return verdict
        unknown = [name for name, average in averages.items() if not average.levelled]
        if unknown:
            return f"the error of {unknown[0]} has not levelled off: raise steps"
        drifting = [name for name, average in averages.items() if average.drift() > LARGEST_DRIFT]
        if drifting:
            return f"{drifting[0]} still drifts: raise steps"
        return "converged"


LARGEST_DRIFT = 5.0
"""Largest difference of the halves of a series, in standard errors (root mean square over its elements)."""
