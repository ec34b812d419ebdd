"""Forgetting: a settled state is disturbed, and its chain must forget the disturbance before it is called converged.

A chain with conserved sums forgets everything but their values. Its steady state depends on the start, and belongs to
it: it can be certified if the start was named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from tnness.records.history import History
from tnness.records.values import Values
from tnness.stopping.kicked import AGAIN, FORGOTTEN, PATIENCE, Kicked

SOON = 4.0
"""Times `forgets_in` above which the run's time makes a pair of kicks cheap, and worth a second one."""


class Kickable(Protocol):
    """A run that can be kicked. kicked: what kicks told."""

    kicked: list[Kicked]

    @property
    def time(self) -> float:
        """The run's clock."""
        ...

    @property
    def conserved(self) -> Sequence[Any]:
        """The conserved sums of one-site operators."""
        ...

    @property
    def patience(self) -> float:
        """The time in which a kick must be forgotten."""
        ...

    def begin_kicks(self, limit: float, reads: tuple[int, ...] = ()) -> None:
        """Disturb the present state, and watch for a limited time what is left of it."""
        ...


class Forgetting:
    """Decides when a settled state is kicked, and what the kicks tell.

    Parameters
    ----------
    run: the run. reads: the sites on which it must forget; none stands for all. given: how the user named the start;
        empty if it was not named. longest: the time after which a run is given up.
    """

    def __init__(self, run: Kickable, reads: tuple[int, ...], given: str, longest: float) -> None:
        self.run, self.reads, self.given, self.longest = run, reads, given, longest

    @property
    def _last(self) -> Kicked | None:
        """What the last pair of kicks told; where it was forgotten, the slowest of those that were."""
        if not self.run.kicked or not self.run.kicked[-1].passed:
            return self.run.kicked[-1] if self.run.kicked else None
        return max((pair for pair in self.run.kicked if pair.passed), key=lambda pair: pair.forgets_in)

    @property
    def _confirmed(self) -> bool:
        """True where a pair of kicks that was forgotten soon was followed by one in other directions that was too."""
        passed = [pair for pair in self.run.kicked if pair.passed]
        return len(passed) > 1 or not passed[-1].forgets_in * SOON < passed[-1].at

    @property
    def is_open(self) -> bool:
        """True where kicks can tell something: not where the start decides and was not named."""
        return not self.run.conserved or bool(self.given)

    @property
    def passed(self) -> bool:
        """True where the last kicks were forgotten in time, and confirmed where they were forgotten soon."""
        return self._last is not None and self._last.passed and self._confirmed

    @property
    def is_hopeless(self) -> bool:
        """True where the last kicks would not be forgotten within the longest time, at the rate at which they decay."""
        last = self._last
        return (
            last is not None
            and not last.passed
            and (last.needs / PATIENCE > self.longest or last.fast_left > FORGOTTEN)
        )

    @property
    def failed(self) -> bool:
        """True where kicks were not forgotten."""
        return self._last is not None and not self._last.passed

    def kick(self) -> None:
        """Kick a settled state, unless it was kicked not long ago.

        A slow mode may have a small share of a pair of kicks by chance. One that was forgotten soon, in less than a
        quarter of the run's time, is cheap: a second one with other directions confirms it.
        """
        last = self.run.kicked[-1] if self.run.kicked else None
        if last is None or (last.passed and not self._confirmed):
            again = True
        else:
            again = not last.passed and not self.is_hopeless and self.run.time >= AGAIN * last.at
        if self.is_open and again:
            self.run.begin_kicks(self.run.patience, self.reads)

    def errors(self, history: History, stage: int) -> Values:
        """Return for every element the error that the kicks tell of; empty where they were not forgotten."""
        return self._last.errors(history, stage) if self._last is not None and self._last.passed else {}

    @property
    def rate(self) -> float:
        """The rate (1 / time) at which the slowest part decays, by the time in which it was forgotten."""
        return math.log(1 / FORGOTTEN) / self._last.forgets_in if self._last is not None and self.passed else math.nan

    def figures(self) -> dict[str, float]:
        """Return the certificate's figures."""
        return {} if self._last is None else {k: v for k, v in self._last.figures().items() if not math.isnan(v)}

    @property
    def remark(self) -> str:
        """What is added to `converged`: the start, where the steady state belongs to one."""
        return f" from {self.given}; not unique" if self.run.conserved else ""

    def outcome(self) -> str:
        """Return the outcome of a chain that has not forgotten, or cannot."""
        last = self._last
        if not self.is_open:
            return (
                "the steady state is not unique: a sum of one-site operators is conserved; name the start that it "
                "belongs to (--initial)"
            )
        assert last is not None
        where = f"sites {last.site} and {last.site + 1}"
        if last.fast_left > FORGOTTEN:
            return (
                f"not settled: a kick keeps {last.fast_left:.0%} after a burst beside the slow densities: raise burst"
            )
        if math.isinf(last.needs):
            return (
                f"the steady state may not be unique: it depends on the start ({where} keep {last.left:.0%} of a kick)"
            )
        return (
            f"not relaxed: {where} keep {last.left:.0%} of a kick after t = {last.limit:.3g}; at the rate "
            f"{last.rate:.2g} it takes t = {last.needs:.3g}: raise --max-time"
        )
