"""Measured values by the names of their observables, and functions to compare them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = dict[str, NDArray[np.float64]]
"""One array per observable."""


def change(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return second - first; 0 where both are the same infinity or NaN, infinite where only one is finite."""
    with np.errstate(invalid="ignore"):
        difference = np.asarray(second, float) - first
    alike = (first == second) | (np.isnan(first) & np.isnan(second))
    return np.where(np.isfinite(difference), difference, np.where(alike, 0.0, math.inf))


def size(values: NDArray[np.float64]) -> float:
    """Return the largest magnitude; 0 for an empty array."""
    return float(np.max(np.abs(values), initial=0.0))


def scale(values: NDArray[np.float64]) -> float:
    """Return the largest finite magnitude: an observable with infinite elements is judged by its finite ones."""
    return size(np.where(np.isfinite(values), values, 0.0))
