"""Placeholder until views are merged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tnness.basis import LocalSpace
from tnness.observables import Estimate
from tnness.terms import Operator


class TrajectoryView:
    """The realisations at one time; what is read is their mean."""

    def __init__(self, realizations: Sequence[Any], spaces: Sequence[LocalSpace]) -> None:
        self.realizations, self.spaces = list(realizations), tuple(spaces)

    def average(self, measure: Callable[[Any], Any]) -> Estimate:
        """Return the mean over realisations of what is measured from each, and its standard error (NaN of one)."""
        values = np.array([np.asarray(measure(view), dtype=float) for view in self.realizations])
        count = len(values)
        if count == 1:
            return Estimate(values[0], np.full(values.shape[1:], math.nan))
        return Estimate(values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(count))

    def expect(self, operator: Operator) -> float:
        """Return the mean of <O>."""
        return float(np.mean([view.expect(operator) for view in self.realizations]))
