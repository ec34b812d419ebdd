"""What the driver asks of a stopping rule.

A rule belongs to one run, and is made anew when the run is restored: whatever it has to remember stands in the history,
or in the run itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tnness.records.averages import TimeAverage
from tnness.records.certificate import Certificate
from tnness.records.history import History
from tnness.records.values import Values

Estimates = dict[str, dict[str, float]]
"""Absolute errors: kind of error -> observable -> error."""
Measure = Callable[[Any], Values]
"""Measures the monitored observables of a view."""

NO_ESTIMATE = "no error estimate: the engine gives no stopping rule"


class Rule:
    """When a run is over, and what may be claimed of its answer.

    This class is the rule of an engine that supplies none: the run goes on as long as it may, and nothing is claimed.
    A rule overrides what it knows better.
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
        """The evolution time after which a steady state is given up, where the user sets no limit."""
        return math.inf

    def share(self) -> float:
        """Return the share of the whole time by whose end the present stage must be over."""
        return 1.0

    def seen(self, history: History, measure: Measure) -> None:
        """Take note of the latest measurement; `measure` reads further views of the run."""

    def over(self, history: History) -> bool:
        """Return whether the present stage has come to its end."""
        return False

    def stalled(self, history: History) -> bool:
        """Return whether more time would not bring the present stage to its end."""
        return False

    def next_stage(self, history: History) -> bool:
        """Enter the next stage; return False where the present one was the last."""
        return False

    def errors(self, history: History) -> Estimates:
        """Return the errors that are known."""
        return {}

    def figures(self, history: History) -> dict[str, float]:
        """Return the certificate's other figures by name."""
        return {}

    def verdict(self, history: History) -> str:
        """Return the outcome: one word, or what dominates and what to change."""
        return NO_ESTIMATE

    def judge(self, averages: Mapping[str, TimeAverage]) -> str:
        """Return the outcome of a run whose answer is an average."""
        return NO_ESTIMATE

    def certificate(self, history: History) -> Certificate:
        """Return all of this as the certificate of a record."""
        return Certificate.of(self.verdict(history), self.figures(history), self.errors(history))

    def status(self, history: History) -> str:
        """Return what a progress bar says beside the time, in a few words."""
        return ""

    def ended(self, history: History) -> str:
        """Return how the present stage ended, in a few words."""
        return ""

    def stage_name(self) -> str:
        """Return what the present stage is called; empty where there is one only."""
        return ""

    def course(self) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
        """Return what a record keeps of the run's course: name -> (dimension, numbers, attributes)."""
        return {}
