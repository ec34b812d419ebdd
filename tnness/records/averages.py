"""Time averages of a correlated series, with errors by blocking.

Neighbouring blocks of the series are averaged again and again (H. Flyvbjerg, H. G. Petersen, J. Chem. Phys. 91, 461
(1989)). While the blocks are shorter than the correlation time, the naive error of the mean grows with their length;
then it levels off. The block length is the first B = 2^k with B^3 > 2 N (s_B / s_1)^4, where s_B are the naive errors
(R. M. Lee et al., Phys. Rev. B 83, 153108 (2011)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.errors import InputError
from tnness.observables.observable import Estimate

Real = NDArray[np.float64]

BLOCKS = 8
"""Fewest blocks from which an error is computed: with 8 blocks the error is known to a quarter of itself."""
KEPT, LARGE = 512, 4096
"""Number of blocks at which pairs of them are merged (a quarter of it if a sample has more than LARGE numbers)."""


class TimeAverage:
    """The average of one observable over time, updated sample by sample.

    >>> series, rng = TimeAverage(), np.random.default_rng(0)
    >>> for x in rng.standard_normal(4096):
    ...     series.add(x)
    >>> bool(abs(series.estimate().error * 64 - 1) < 0.3)  # independent samples: s / sqrt(N)
    True
    """

    def __init__(self) -> None:
        self.count, self._length = 0, 1
        self._blocks: list[Real] = []
        self._begun, self._sum = 0, np.zeros(())  # samples in the unfinished block, and their sum

    def add(self, sample: ArrayLike) -> None:
        """Add the next sample; all samples have one shape."""
        value = np.array(sample, dtype=float)
        before = self._blocks[0] if self._blocks else self._sum if self._begun else value
        if value.shape != before.shape:
            raise InputError(f"samples of shapes {before.shape} and {value.shape} have no average")
        self.count, self._begun, self._sum = self.count + 1, self._begun + 1, self._sum + value
        if self._begun < self._length:
            return
        self._blocks.append(self._sum / self._length)
        self._begun, self._sum = 0, np.zeros(())
        if len(self._blocks) == (KEPT if value.size <= LARGE else KEPT // 4):
            self._blocks, self._length = [(a + b) / 2 for a, b in _pairs(self._blocks)], 2 * self._length

    def estimate(self) -> Estimate:
        """Return the mean and its standard error, element by element; NaN where the error has not levelled off."""
        whole = np.sum(self._blocks, axis=0) * self._length if self._blocks else 0.0
        return Estimate((whole + self._sum) / self.count, self._error())

    @property
    def levelled(self) -> bool:
        """True where the error of every element is known."""
        return bool(np.isfinite(self._error()).all())

    def drift(self) -> float:
        """Return the difference of the series' two halves in standard errors (root mean square); NaN if unknown."""
        error, blocks = self._error(), np.array(self._blocks)
        if not np.isfinite(error).all():
            return math.nan
        half = len(blocks) // 2
        difference = np.abs(blocks[:half].mean(axis=0) - blocks[half:].mean(axis=0))
        z = np.divide(difference, 2 * error, out=np.zeros_like(error), where=error > 0)
        return float(np.sqrt(np.mean(z**2)))

    def save(self) -> dict[str, Real]:
        """Return the average as named arrays, for a file."""
        counts = np.array([self.count, self._length, self._begun], dtype=float)
        return {"counts": counts, "blocks": np.array(self._blocks), "sum": np.asarray(self._sum)}

    @classmethod
    def restore(cls, saved: Mapping[str, Real]) -> TimeAverage:
        """Return the average that was saved.

        >>> series = TimeAverage()
        >>> series.add([1.0, 3.0])
        >>> TimeAverage.restore(series.save()).estimate().value.tolist()
        [1.0, 3.0]
        """
        average = cls()
        average.count, average._length, average._begun = (int(number) for number in saved["counts"])
        average._blocks, average._sum = list(saved["blocks"]), np.asarray(saved["sum"])
        return average

    def _error(self) -> Real:
        levels = list(_naive_errors(self._blocks))
        shape = np.shape(self._blocks[0]) if self._blocks else self._sum.shape
        plateau = np.full(shape, math.nan)
        for k, error in enumerate(levels):
            needed = 2 * len(self._blocks) * np.divide(error, levels[0], out=np.ones(shape), where=levels[0] > 0) ** 4
            plateau = np.where(np.isnan(plateau) & (8.0**k > needed), error, plateau)
        return plateau


def _naive_errors(blocks: list[Real]) -> list[Real]:
    """Return s / sqrt(count) for blocks of length 1, 2, 4, ..., while at least BLOCKS of them are left."""
    errors, series = [], np.array(blocks)
    while len(series) >= BLOCKS:
        errors.append(np.std(series, axis=0, ddof=1) / math.sqrt(len(series)))
        series = (series[len(series) % 2 :: 2] + series[len(series) % 2 + 1 :: 2]) / 2
    return errors


def _pairs(blocks: list[Real]) -> list[tuple[Real, Real]]:
    return list(zip(blocks[::2], blocks[1::2], strict=True))
