"""From local temperatures to the paper's quantities: the order parameter, its exponent, z, and the fraction P."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from ensemble import complete

from tnness.errors import InputError
from tnness.study.statistics import (
    PowerLaw,
    Resampled,
    bootstrap,
    falling_crossing,
    jackknife,
    power_law,
    ratio_of_averages,
)


def group(dataset: xr.Dataset, **at: float) -> xr.Dataset:
    """The complete realizations at one n, h or both, `realization` first and no axis of length one."""
    chosen = complete(dataset.sel(at))
    if not chosen.sizes["realization"]:
        raise InputError(f"no realization at {at} has a value at every eps")
    single = [axis for axis, size in chosen.sizes.items() if size == 1 and axis not in ("realization", "eps")]
    return chosen.squeeze(single, drop=True).transpose("realization", ...)


def variation(data: xr.Dataset) -> Resampled:
    """The order parameter sqrt(<<Var beta>>) / <<E beta>> at every eps (and chi), with jackknife errors."""
    return jackknife(ratio_of_averages, data["variance"].values, data["mean"].values)


def between(data: xr.Dataset, smallest_eps: float, largest_eps: float) -> xr.Dataset:
    """The couplings from one to another, both included."""
    eps = data["eps"]
    return data.sel(eps=(eps >= smallest_eps * (1 - 1e-9)) & (eps <= largest_eps * (1 + 1e-9)))


def power_law_of(data: xr.Dataset, largest_eps: float, smallest_eps: float = 0.0) -> tuple[PowerLaw, Resampled]:
    """The fit variation = a eps^gamma in a range of eps, and gamma = 1/2z with its jackknife error.

    The points are weighed by their jackknife errors; the error of gamma is that of the fit repeated without each
    realization, since the same disorder at every eps makes the points move together.
    """
    data = between(data, smallest_eps, largest_eps)
    eps, weights = data["eps"].values, variation(data).error

    def fit(variance: np.ndarray, mean: np.ndarray) -> PowerLaw:
        return power_law(eps, ratio_of_averages(variance, mean), weights)

    samples = data["variance"].values, data["mean"].values
    return fit(*samples), jackknife(lambda *drawn: fit(*drawn).exponent, *samples)


def change_of_exponent(data: xr.Dataset, before: tuple[float, float], after: tuple[float, float]) -> Resampled:
    """How much gamma grows from one range of eps to another, with the jackknife error of the difference."""
    return difference_of_exponents(between(data, *before), between(data, *after))


def difference_of_exponents(first: xr.Dataset, second: xr.Dataset) -> Resampled:
    """gamma of the second less that of the first, each fitted at its own couplings to the same realizations.

    Both are repeated without each realization, so that the error is that of the difference.
    """
    parts = [first, second]
    weights = [variation(part).error for part in parts]

    def difference(chosen: np.ndarray) -> float:
        before, after = (
            power_law(
                part["eps"].values,
                ratio_of_averages(part["variance"].values[chosen], part["mean"].values[chosen]),
                weight,
            ).exponent
            for part, weight in zip(parts, weights, strict=True)
        )
        return after - before

    return jackknife(difference, np.arange(first.sizes["realization"]))


@dataclass(frozen=True)
class DynamicalExponent:
    """z = 1/(2 gamma), and what it becomes at gamma plus and minus its error; inf where gamma may be 0 or negative."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, gamma: Resampled) -> "DynamicalExponent":
        """z and its range."""
        return cls(*(_inverse(gamma.value + sign * gamma.error) for sign in (0, 1, -1)))

    @property
    def error(self) -> float:
        """Half of the range."""
        return (self.high - self.low) / 2


def _inverse(gamma: float) -> float:
    return 1 / (2 * gamma) if gamma > 0 else math.inf


def growing(data: xr.Dataset) -> np.ndarray:
    """Of every realization, whether its own variation grows between the two smallest eps."""
    own = np.sqrt(data["variance"]) / np.abs(data["mean"])
    own = own.sortby("eps").transpose("realization", "eps").values
    return own[:, 1] > own[:, 0]


def shift_of_crossing(h: Sequence[float], before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> Resampled:
    """How far the crossing of P moves, with the bootstrap error of the difference.

    before, after: of every h, which realizations grow; the same realizations in both, which are drawn together.
    """

    def difference(*drawn: np.ndarray) -> float:
        counts = [len(chosen) for chosen in drawn]
        first, second = (
            falling_crossing(h, [np.mean(s[chosen]) for s, chosen in zip(grown, drawn, strict=True)], weights=counts)
            for grown in (before, after)
        )
        return second - first

    return bootstrap(difference, *(np.arange(len(sample)) for sample in before))
