"""Averages over realizations and fits to them, with errors by resampling.

The first axis of every sample runs over the realizations. Where one realization gives several numbers (the same
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
from scipy.linalg import solve_triangular
from scipy.optimize import curve_fit, isotonic_regression
from scipy.stats import DegenerateDataWarning, linregress
from scipy.stats import bootstrap as resample

from tnness.errors import InputError
from tnness.observables.observable import Estimate

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Resampled(Estimate):
    """A number, or an array of them, with its standard error.

    defined: the share of resamples in which the statistic had a value (a crossing may lie outside the data).
    """

    value: Any
    error: Any
    defined: float = 1.0


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x, with standard errors; covariance: of (intercept, slope), (2, 2)."""

    intercept: float
    slope: float
    covariance: Real

    @property
    def errors(self) -> tuple[float, float]:
        """Standard errors of intercept and slope."""
        return math.sqrt(self.covariance[0, 0]), math.sqrt(self.covariance[1, 1])

    def __call__(self, x: ArrayLike) -> Real:
        """Return y at x."""
        return self.intercept + self.slope * np.asarray(x, float)


@dataclass(frozen=True)
class PowerLaw:
    """y = amplitude x^exponent; error: of the exponent, from the errors of the points."""

    amplitude: float
    exponent: float
    error: float = math.nan

    def __call__(self, x: ArrayLike) -> Real:
        """Return y at x."""
        return self.amplitude * np.asarray(x, float) ** self.exponent


def average(samples: ArrayLike) -> Resampled:
    """Return the mean over the first axis and its standard error s / sqrt(n).

    NaN stands for a realization without a value, and is left out. `defined` is the share of entries that have a value.

    >>> round(float(average([1.0, 2.0, 3.0]).error), 6)
    0.57735
    """
    array = np.asarray(samples, float)
    given = np.isfinite(array)
    count = given.sum(axis=0)
    if len(array) < 2 or np.any(count < 2):
        raise InputError(f"an average with an error takes 2 or more values, got {int(np.min(count, initial=0))}")
    mean = np.where(given, array, 0.0).sum(axis=0) / count
    square = np.where(given, array - mean, 0.0) ** 2
    return Resampled(mean, np.sqrt(square.sum(axis=0) / (count * (count - 1))), float(given.mean()))


def covariance_of_mean(samples: ArrayLike) -> Real:
    """Return the covariance matrix of the mean over realizations: (realization, point) -> (point, point).

    A fit needs it if the means at all points come from the same disorder. It has full rank only with more realizations
    than points.
    """
    array = np.asarray(samples, float)
    if array.ndim != 2 or len(array) < 2:
        raise InputError(f"a covariance takes samples of shape (realization >= 2, point), got {array.shape}")
    return np.atleast_2d(np.cov(array, rowvar=False)) / len(array)


def line(x: ArrayLike, y: ArrayLike, error: ArrayLike) -> Line:
    """Fit y = a + b x by generalised least squares.

    Parameters
    ----------
    x, y: of one length, at least 2. error: standard errors of y, (point,), or their covariance, (point, point).

    >>> line([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], [0.1, 0.1, 0.1]).slope.__round__(9)
    2.0
    """
    x, y, sigma = np.asarray(x, float), np.asarray(y, float), np.asarray(error, float)
    if len(x) < 2 or x.shape != y.shape or sigma.shape not in (x.shape, (*x.shape, *x.shape)):
        raise InputError(
            f"a line takes x and y of one length >= 2 with errors, got {x.shape}, {y.shape}, {sigma.shape}"
        )
    try:
        root = np.linalg.cholesky(np.diag(sigma**2) if sigma.ndim == 1 else sigma)
    except np.linalg.LinAlgError:
        raise InputError("the covariance of the points is singular: more realizations than points are needed") from None
    design = solve_triangular(root, np.stack([np.ones_like(x), x], axis=1), lower=True)
    covariance = np.linalg.inv(design.T @ design)
    intercept, slope = covariance @ (design.T @ solve_triangular(root, y, lower=True))
    return Line(float(intercept), float(slope), np.asarray(covariance, dtype=np.float64))


def log_slopes(x: ArrayLike, y: ArrayLike) -> tuple[Real, Real]:
    """Return d ln y / d ln x between neighbouring points, and the geometric middles of x.

    Parameters
    ----------
    x: (point,), positive. y: (..., point), positive. For errors, use `jackknife` over the samples that y averages.

    >>> log_slopes([1.0, 4.0, 16.0], [1.0, 2.0, 4.0])[1].tolist()
    [0.5, 0.5]
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 2 or not (np.all(x > 0) and np.all(y > 0)):
        raise InputError("logarithmic slopes take two or more points with x > 0 and y > 0")
    steps = np.diff(np.log(x))
    return np.sqrt(x[1:] * x[:-1]), np.diff(np.log(y), axis=-1) / steps


def ratio_of_averages(variance: ArrayLike, mean: ArrayLike) -> Real:
    """Return sqrt(<<Var>>) / <<E>>, averaged over the first axis before the ratio is taken.

    Parameters
    ----------
    variance, mean: of one realization's local values, (realization, ...) both.

    >>> float(ratio_of_averages([1.0, 7.0], [1.0, 3.0]))
    1.0
    """
    return np.sqrt(np.asarray(variance, float).mean(axis=0)) / np.asarray(mean, float).mean(axis=0)


def jackknife(statistic: Callable[..., Any], *samples: ArrayLike) -> Resampled:
    """Return statistic(*samples) and its jackknife error, leaving out one realization of all samples at a time.

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
    return Resampled(statistic(*arrays), np.sqrt((count - 1) * np.var(without, axis=0)))


def bootstrap(
    statistic: Callable[..., float], *samples: ArrayLike, resamples: int = 1000, rng: np.random.Generator | int = 0
) -> Resampled:
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
        warnings.simplefilter("ignore", DegenerateDataWarning)  # concerns the interval, which is not used
        result = resample(
            arrays,
            statistic,
            n_resamples=resamples,
            vectorized=False,
            method="percentile",
            rng=np.random.default_rng(rng),
        )
    drawn = result.bootstrap_distribution
    finite = drawn[np.isfinite(drawn)]
    error = float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan
    return Resampled(statistic(*arrays), error, len(finite) / resamples)


def power_law(x: ArrayLike, y: ArrayLike, error: ArrayLike | None = None) -> PowerLaw:
    """Fit y = a x^b by least squares.

    Without errors it is the straight line of ln y against ln x. With errors y itself is fitted, weighted by them, so
    that even a point whose error bar reaches below 0 has its proper weight.

    Parameters
    ----------
    x: positive, at least two points. y: positive where no errors are given. error: standard errors of y, (point,), or
        their covariance, (point, point), as `covariance_of_mean` gives it.

    >>> round(power_law([1.0, 4.0, 9.0], [2.0, 4.0, 6.0]).exponent, 12)
    0.5
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 2 or not np.all(x > 0) or not (np.all(y > 0) if error is None else np.any(y > 0)):
        raise InputError("a power law is fitted to two or more points with x > 0 and y > 0")
    middle = math.exp(np.log(x).mean())  # decorrelates the amplitude and the exponent
    start = _line(np.log(x[y > 0] / middle), np.log(y[y > 0]))
    if error is None or len(x) == 2:
        return PowerLaw(start[0] * middle ** -start[1], start[1])
    (amplitude, exponent), covariance = curve_fit(
        lambda t, a, b: a * t**b, x / middle, y, p0=start, sigma=np.asarray(error, float), absolute_sigma=True
    )
    return PowerLaw(float(amplitude * middle**-exponent), float(exponent), math.sqrt(covariance[1, 1]))


def _line(log_x: Real, log_y: Real) -> tuple[float, float]:
    """Return amplitude and exponent of the straight line in logarithms; exponent 0 for a single point."""
    if len(log_x) < 2:
        return math.exp(log_y[0]), 0.0
    fit = linregress(log_x, log_y)
    return math.exp(fit.intercept), float(fit.slope)


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


def fraction_crossing(x: ArrayLike, samples: Sequence[ArrayLike], level: float = 0.5, **settings: Any) -> Resampled:
    """Return where the fraction of true entries falls through a level, with its bootstrap error.

    Parameters
    ----------
    x: increasing, one per sample. samples: boolean arrays, independent of each other. settings: of `bootstrap`.
    """

    def crossing(*drawn: NDArray[np.bool_]) -> float:
        return falling_crossing(x, [np.mean(d) for d in drawn], level, [len(d) for d in drawn])

    return bootstrap(crossing, *samples, **settings)
