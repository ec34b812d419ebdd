"""`Course`: the rule of a time evolution, which ends at its last time; it reports discarded weight and positivity."""

from __future__ import annotations

from typing import Protocol

from tnness.network.product_view import ProductView
from tnness.records.history import History
from tnness.stopping.answers import COMPLETE
from tnness.stopping.balance import NEGATIVE, last_level, positivity
from tnness.stopping.protocol import Rule


class Evolved(Protocol):
    """A run that counts its discarded weight, the drift of its trace and its LAPACK fallbacks."""

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
    run: the time evolution.
    """

    def __init__(self, run: Evolved) -> None:
        self.run = run

    def figures(self, history: History) -> dict[str, float]:
        """Return the discarded weight, the drift of the trace, the fallbacks, the positivity, and a cutoff's weight."""
        run, view = self.run, self.run.view()
        return {
            "discarded_weight": run.discarded,
            "trace_drift": run.trace_drift,
            "fallbacks": run.fallbacks,
            "positivity": positivity(view),
            **last_level(view),
        }

    def verdict(self, history: History) -> str:
        """Return `complete`, or that the state is not positive."""
        lowest = self.figures(history)["positivity"]
        return COMPLETE if lowest >= NEGATIVE else "not positive, truncation dominates: raise --chi"

    def status(self, history: History) -> str:
        """Return the time and the discarded weight."""
        return f"t = {self.run.time:.4g}, discarded {self.run.discarded:.1e}"
