"""The rules of engines that need not be waited for: their answer is exact, or they judge it themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tnness.records.averages import TimeAverage
from tnness.records.certificate import KINDS
from tnness.records.history import History
from tnness.stopping.protocol import Estimates, Rule

EXACT, COMPLETE = "exact", "complete"


class Solved(Rule):
    """The answer is exact to round-off, and its engine says so.

    Parameters
    ----------
    figures: returns the certificate's figures.
    """

    judges = True

    def __init__(self, figures: Callable[[], dict[str, float]] = dict) -> None:
        self._figures = figures

    def over(self, history: History) -> bool:
        """Return True: one step gives the answer."""
        return True

    def errors(self, history: History) -> Estimates:
        """Return zeros."""
        return {kind: dict.fromkeys(history.values, 0.0) for kind in KINDS}

    def figures(self, history: History) -> dict[str, float]:
        """Return the figures of the state."""
        return dict.fromkeys(("discarded_weight", "trace_drift", *KINDS), 0.0) | self._figures()

    def verdict(self, history: History) -> str:
        """Return `exact`."""
        return EXACT


class Told(Rule):
    """The engine itself says what its answer is worth: of errors it knows those that its views bring.

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
        """Return what the engine says."""
        return self._verdict()


class Sampling(Told):
    """The answer is an average over time: it is known where the errors of all that is watched have levelled off.

    Where the engine says more than `complete`, its own verdict stands.
    """

    judges = True
    averages = True

    def judge(self, averages: Mapping[str, TimeAverage]) -> str:
        """Return the outcome from the averages of what is monitored."""
        told = self._verdict()
        if told != COMPLETE:
            return told
        unknown = [name for name, average in averages.items() if not average.levelled]
        if unknown:
            return f"the error of {unknown[0]} has not levelled off: raise steps"
        drifting = [name for name, average in averages.items() if average.drift() > DRIFT]
        if drifting:
            return f"{drifting[0]} still drifts: raise steps"
        return "converged"


DRIFT = 5.0
"""Standard errors by which the halves of a series may differ, as a root mean square over its elements."""
