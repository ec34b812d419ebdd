"""`Course`: a time evolution is over with its last time; what was dropped, the trace and positivity are its account."""

from __future__ import annotations

from typing import Protocol

from tnness.network.product_view import ProductView
from tnness.records.history import History
from tnness.stopping.answers import COMPLETE
from tnness.stopping.balance import NEGATIVE, positivity
from tnness.stopping.protocol import Rule


class Evolved(Protocol):
    """A run with an account of what was dropped."""

    discarded: float
    trace_drift: float
    fallbacks: int

    @property
    def time(self) -> float:
        """The run's clock."""
        ...

    def view(self) -> ProductView:
        """Return a view of the present state."""
        ...


class Course(Rule):
    """The rule of a time evolution.

    Parameters
    ----------
    run: the run, with its account.
    """

    def __init__(self, run: Evolved) -> None:
        self.run = run

    def figures(self, history: History) -> dict[str, float]:
        """Return what was dropped, the change of the trace, and the lowest eigenvalue of two sites."""
        run = self.run
        return {
            "discarded_weight": run.discarded,
            "trace_drift": run.trace_drift,
            "fallbacks": run.fallbacks,
            "positivity": positivity(run.view()),
        }

    def verdict(self, history: History) -> str:
        """Return `complete`, or that the state is none."""
        lowest = self.figures(history)["positivity"]
        return COMPLETE if lowest >= NEGATIVE else "not positive, truncation dominates: raise --chi"

    def status(self, history: History) -> str:
        """Return the time and what was dropped."""
        return f"t = {self.run.time:.4g}, discarded {self.run.discarded:.1e}"
