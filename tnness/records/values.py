"""Measured values by the names of their observables, and functions to compare them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = dict[str, NDArray[np.float64]]
"""One array per observable."""
Estimates = dict[str, Values]
"""Absolute errors of every element: kind of error -> observable -> array of its shape."""

FLOOR = 1e-6
"""Absolute size below which an observable's changes are not resolved."""
CHANCE = 0.3
"""Share of the largest error in an array that is added to each: where two states differ, single elements of them can
agree by accident. Without it, a middle current is covered by less than a tenth of its error."""


def change(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return second - first; 0 where both are the same infinity or NaN, infinite where only one is finite."""
    with np.errstate(invalid="ignore"):
        difference = np.asarray(second, float) - first
    alike = (first == second) | (np.isnan(first) & np.isnan(second))
    return np.where(np.isfinite(difference), difference, np.where(alike, 0.0, math.inf))


def size(values: NDArray[np.float64]) -> float:
    """Return the largest magnitude; 0 for an empty array."""
    return float(np.max(np.abs(values), initial=0.0))


def cautious(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return errors, each increased by a share of the largest finite one: a small one can be chance.

    >>> cautious(np.array([1.0, 0.0, np.inf])).tolist()
    [1.3, 0.3, inf]
    """
    return errors + CHANCE * scale(errors)


def scale(values: NDArray[np.float64]) -> float:
    """Return the largest finite magnitude: an observable with infinite elements is judged by its finite ones."""
    return size(np.where(np.isfinite(values), values, 0.0))
