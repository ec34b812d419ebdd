"""The accuracy that is asked for: the error of an element, all kinds together, against the size of its observable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.records.values import FLOOR, Values, scale, size


@dataclass(frozen=True)
class Target:
    """What is asked: |error| <= max(relative * scale, absolute) for every element of every watched observable.

    Parameters
    ----------
    relative: of the observable's scale, which is its largest finite element. absolute: in the observable's own unit.

    >>> Target(0.01, 1e-6).excess({"z": np.array([0.002, 0.03])}, {"z": np.array([2.0, 1.0])})
    1.5
    """

    relative: float
    absolute: float = 0.0

    def allowed(self, values: NDArray[np.float64]) -> float:
        """Return the error that an element of these values may have."""
        return max(self.relative * max(scale(values), FLOOR), self.absolute)

    def excess(self, errors: Values, values: Values | None) -> float:
        """Return the largest ratio of an error to the one that is allowed; NaN if there are no errors."""
        ratios = [size(errors[k]) / self.allowed(v) for k, v in (values or {}).items() if k in errors]
        return float(np.max(ratios)) if ratios else math.nan  # NaN where a ratio is NaN


def worst(errors: Values, values: Values | None) -> float:
    """Return the largest error relative to the scale of its observable; NaN if there are no errors."""
    return Target(1.0).excess(errors, values)
