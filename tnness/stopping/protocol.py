"""The base class of stopping rules, with the methods that the driver calls.

A rule belongs to one run and is built anew when the run is restored. So it takes all that it needs from the history or
from the run itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tnness.records.averages import TimeAverage
from tnness.records.certificate import Certificate
from tnness.records.history import History
from tnness.records.values import Estimates, Values

Measure = Callable[[Any], Values]
"""A function that measures the monitored observables of a view."""

NO_ESTIMATE = "no error estimate: the engine gives no stopping rule"


class Rule:
    """Decides when a run is over, and what its record claims of the answer.

    This class itself is the rule of an engine that supplies none: the run goes on to its limit, and no error is
    estimated. A subclass overrides the methods that it can answer.
    """

    averages: bool = False
    """Whether the answer is the average over all views of the run, not its last view."""
    judges: bool = False
    """Whether the run is judged by its observables, so that some of them can be watched."""

    @property
    def stage(self) -> int:
        """The number of the present stage."""
        return 0

    @property
    def longest(self) -> float:
        """The evolution time after which the run for a steady state is given up, if the user sets no limit."""
        return math.inf

    def share(self) -> float:
        """Return the share of the longest time within which the present stage must end."""
        return 1.0

    def seen(self, history: History, measure: Measure) -> None:
        """Take note of the latest measurement; `measure` reads further views of the run."""

    def over(self, history: History) -> bool:
        """Return whether the present stage has come to its end."""
        return False

    def stalled(self, history: History) -> bool:
        """Return whether the present stage would not end even with more time."""
        return False

    def next_stage(self, history: History) -> bool:
        """Enter the next stage; return False where the present one was the last."""
        return False

    def lost(self, history: History) -> bool:
        """Enter the next stage after the state was lost in the present one; return False where the run cannot go on."""
        return False

    def errors(self, history: History) -> Estimates:
        """Return the estimated errors, element by element."""
        return {}

    def figures(self, history: History) -> dict[str, float]:
        """Return the certificate's other figures by name."""
        return {}

    def verdict(self, history: History) -> str:
        """Return the outcome: one word, or the error that dominates and the setting to change."""
        return NO_ESTIMATE

    def judge(self, averages: Mapping[str, TimeAverage]) -> str:
        """Return the outcome of a run whose answer is an average."""
        return NO_ESTIMATE

    def certificate(self, history: History) -> Certificate:
        """Return verdict, figures and errors as the certificate of a record."""
        return Certificate.of(self.verdict(history), self.figures(history), self.errors(history))

    def status(self, history: History) -> str:
        """Return a few words for the progress bar."""
        return ""

    def ended(self, history: History) -> str:
        """Return how the present stage ended, in a few words."""
        return ""

    def stage_name(self) -> str:
        """Return the name of the present stage; empty if there is only one."""
        return ""

    def course(self) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
        """Return variables that describe the run's course in its record: name -> (dimension, numbers, attributes)."""
        return {}
