"""Averages over realisations and what is fitted to them, with errors by resampling.

The first axis of every sample runs over the realisations. Where one realisation gives several numbers (the same
disorder at every coupling), they are resampled together: their errors are correlated, and no formula for independent
errors holds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit, isotonic_regression
from scipy.stats import DegenerateDataWarning
from scipy.stats import bootstrap as resample

from tnness.errors import InputError

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number, or an array of them, with its standard error.

    defined: the share of resamples in which the statistic had a value (a crossing may lie outside the data).
    """

    value: Any
    error: Any
    defined: float = 1.0


@dataclass(frozen=True)
class PowerLaw:
    """y = amplitude x^exponent; error: of the exponent, from the covariance of independent errors."""

    amplitude: float
    exponent: float
    error: float = math.nan

    def __call__(self, x: ArrayLike) -> Real:
        """Return y at x."""
        return self.amplitude * np.asarray(x, float) ** self.exponent


def ratio_of_averages(variance: ArrayLike, mean: ArrayLike) -> Real:
    """Return sqrt(<<Var>>) / <<E>>, averaged over the first axis before the ratio is taken.

    Parameters
    ----------
    variance, mean: of one realisation's local values, (realisation, ...) both.

    >>> float(ratio_of_averages([1.0, 7.0], [1.0, 3.0]))
    1.0
    """
    return np.sqrt(np.asarray(variance, float).mean(axis=0)) / np.asarray(mean, float).mean(axis=0)


def jackknife(statistic: Callable[..., Any], *samples: ArrayLike) -> Estimate:
    """Return statistic(*samples) and its jackknife error, leaving out one realisation of all samples at a time.

    Parameters
    ----------
    statistic: takes as many arrays as there are samples; returns a number or an array.
    samples: of one length along the first axis, at least 2.

    >>> estimate = jackknife(np.mean, [1.0, 2.0, 3.0])  # the error of a mean is s / sqrt(n)
    >>> float(estimate.value), round(float(estimate.error), 6)
    (2.0, 0.57735)
    """
    arrays = [np.asarray(sample) for sample in samples]
    count = len(arrays[0])
    if count < 2 or any(len(array) != count for array in arrays):
        raise InputError(f"a jackknife takes samples of one length >= 2, got {[len(a) for a in arrays]}")
    without = np.array([statistic(*(np.delete(array, k, axis=0) for array in arrays)) for k in range(count)])
    return Estimate(statistic(*arrays), np.sqrt((count - 1) * np.var(without, axis=0)))


def bootstrap(
    statistic: Callable[..., float], *samples: ArrayLike, resamples: int = 1000, rng: np.random.Generator | int = 0
) -> Estimate:
    """Return statistic(*samples) and its bootstrap error; each sample is resampled on its own.

    Parameters
    ----------
    statistic: takes as many one-dimensional arrays as there are samples; returns a number, NaN where it has none.
    samples: independent of each other, of any lengths >= 2.
    resamples: default 1000. rng: a generator or a seed, default 0.
    """
    arrays = [np.asarray(sample) for sample in samples]
    if any(len(array) < 2 for array in arrays):
        raise InputError(f"a bootstrap takes samples of length >= 2, got {[len(a) for a in arrays]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # of the interval, which is not used
        result = resample(
            arrays,
            statistic,
            n_resamples=resamples,
            vectorized=False,
            method="percentile",
            rng=np.random.default_rng(rng),
        )
    drawn = result.bootstrap_distribution
    found = drawn[np.isfinite(drawn)]
    error = float(np.std(found, ddof=1)) if len(found) > 1 else math.nan
    return Estimate(statistic(*arrays), error, len(found) / resamples)


def power_law(x: ArrayLike, y: ArrayLike, error: ArrayLike | None = None) -> PowerLaw:
    """Fit y = a x^b by weighted least squares of ln y against ln x.

    Parameters
    ----------
    x, y: positive, at least two points. error: standard errors of y, which weigh the points; default: equal in ln y.

    >>> round(power_law([1.0, 4.0, 9.0], [2.0, 4.0, 6.0]).exponent, 12)
    0.5
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 2 or not (np.all(x > 0) and np.all(y > 0)):
        raise InputError("a power law is fitted to two or more points with x > 0 and y > 0")
    if len(x) == 2:
        slope = math.log(y[1] / y[0]) / math.log(x[1] / x[0])
        return PowerLaw(float(y[0] / x[0] ** slope), slope)
    sigma = None if error is None else np.asarray(error, float) / y
    (intercept, slope), covariance = curve_fit(
        lambda t, a, b: a + b * t, np.log(x), np.log(y), p0=(0.0, 1.0), sigma=sigma, absolute_sigma=error is not None
    )
    return PowerLaw(math.exp(intercept), float(slope), math.sqrt(covariance[1, 1]))


def falling_crossing(x: ArrayLike, y: ArrayLike, level: float = 0.5, weights: ArrayLike | None = None) -> float:
    """Return where a noisy, falling y(x) crosses a level; NaN where it does not.

    The least-squares monotone curve (isotonic regression) through the points is interpolated linearly.

    Parameters
    ----------
    x: increasing. y: one value each. weights: for instance the number of samples behind each value; default: equal.

    >>> falling_crossing([1.0, 2.0, 3.0], [1.0, 0.75, 0.25])
    2.5
    """
    x = np.asarray(x, float)
    given = None if weights is None else np.asarray(weights, float)
    curve = isotonic_regression(np.asarray(y, float), weights=given, increasing=False).x
    below = np.flatnonzero(curve < level)
    if not below.size or below[0] == 0:
        return math.nan
    right = below[0]
    share = (curve[right - 1] - level) / (curve[right - 1] - curve[right])
    return float(x[right - 1] + share * (x[right] - x[right - 1]))


def fraction_crossing(x: ArrayLike, samples: Sequence[ArrayLike], level: float = 0.5, **settings: Any) -> Estimate:
    """Return where the fraction of true entries falls through a level, with its bootstrap error.

    Parameters
    ----------
    x: increasing, one per sample. samples: boolean arrays, independent of each other. settings: of `bootstrap`.
    """

    def crossing(*drawn: NDArray[np.bool_]) -> float:
        return falling_crossing(x, [np.mean(d) for d in drawn], level, [len(d) for d in drawn])

    return bootstrap(crossing, *samples, **settings)
