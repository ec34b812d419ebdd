"""What a pair of kicks has told of a settled state: whether its chain forgets where it came from, and how fast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.records.history import History
from tnness.records.values import Values, cautious, change

FORGOTTEN = 0.1
"""Share of a kick that may be left."""
PATIENCE = 1.5
"""Times the run's own time in which a kick must be forgotten. Symmetric starts do not excite the slowest mode, so that
right diffusive chains take up to 1.04 of it."""
NEVER = 1e3
"""Times its limit that a kick would need to be forgotten, above which it counts as kept for ever."""
AGAIN = 1.5
"""Factor by which the run's time must have grown before it is kicked again."""
QUARTERS = 4
"""Number of averages, and fewest measurements, from which the error is told."""
CAUTION = 2.0
"""Factor on the error that a kick tells of."""


@dataclass(frozen=True)
class Kicked:
    """The result of a pair of kicks.

    Parameters
    ----------
    at: the run's clock when it was kicked. limit: the time that the kicks were given. forgets_in: the time from which
        on both were small; infinite where one was not. left: what is left at the end of the one of which more is left.
    site: the left one of the two sites on which most is left. rate: at which the slower kick decays late (1 / time).
    shrinks: by which factor the slower kick shrank in the second half of `forgets_in`. fast_left: what is left after a
        burst of the part that jumps do not carry: more than the late decay has then.
    """

    at: float
    limit: float
    forgets_in: float
    left: float
    site: int
    rate: float
    shrinks: float
    fast_left: float = 0.0

    @property
    def passed(self) -> bool:
        """True where the chain forgot both kicks in time."""
        return self.forgets_in <= self.limit and self.fast_left <= FORGOTTEN

    @property
    def needs(self) -> float:
        """The time after which less than FORGOTTEN should be left, at the late rate; infinite where nothing decays."""
        if self.passed:
            return self.forgets_in
        needed = self.limit + math.log(max(self.left / FORGOTTEN, 1.0)) / self.rate if self.rate > 0 else math.inf
        return needed if needed < NEVER * self.limit else math.inf

    def dump(self) -> tuple[float, ...]:
        """Return it as a row of numbers."""
        return tuple(float(value) for value in astuple(self))

    @classmethod
    def load(cls, row: Sequence[float]) -> Kicked:
        """Return what was dumped."""
        at, limit, forgets_in, left, site, *others = (float(value) for value in row)
        return cls(at, limit, forgets_in, left, int(site), *others)

    def errors(self, history: History, stage: int) -> Values:
        """Return for every element an error that the kick tells of: what still moves, continued at its decay.

        e = 2 max_s |x(s) - x(T)| q / (1 - q) over a last part of the stage: a quarter of it, but no more than a quarter
        of `forgets_in`. q is the factor by which a kick shrinks late in that time: close to 1 in a short part, so that
        a short stage claims little. x(s) are averages over quarters of that part, against the noise of truncation.
        """
        indices = history.of(stage)
        if len(indices) < QUARTERS:  # too few to tell what still moves
            return {name: np.full(np.shape(series[-1]), math.inf) for name, series in history.values.items()}
        window = min(self.forgets_in, history.time_in(stage)) / 4
        late = [i for i in indices if history.times[i] >= history.times[indices[-1]] - window]
        late = indices[-max(len(late), QUARTERS) :]
        quarters = np.array_split(np.array(late), QUARTERS)
        times = np.array(history.times)
        apart = times[quarters[-1]].mean() - times[quarters[0]].mean()
        shrinks = min(self.shrinks, 0.99) ** (2 * apart / self.forgets_in)
        factor = CAUTION * shrinks / (1 - shrinks) if shrinks < 1 else math.inf
        return {name: cautious(factor * _moved(series, quarters)) for name, series in history.values.items()}

    def figures(self) -> Mapping[str, float]:
        """Return what the certificate says of it."""
        return {
            "forgets_in": self.forgets_in,
            "kick_left": self.left,
            "kick_site": float(self.site),
            "relaxation_rate": self.rate,
        }


def _moved(series: Sequence[NDArray[np.float64]], quarters: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        means = [np.mean([series[i] for i in quarter], axis=0) for quarter in quarters]
    return np.max([np.abs(change(means[-1], mean)) for mean in means], axis=0)
