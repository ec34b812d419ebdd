"""From local temperatures to the paper's quantities: the order parameter, its exponent, z, and the fraction P."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from ensemble import complete

from tnness.errors import InputError
from tnness.study.statistics import PowerLaw, Resampled, jackknife, power_law, ratio_of_averages


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


def power_law_of(data: xr.Dataset, largest_eps: float) -> tuple[PowerLaw, Resampled]:
    """The fit variation = a eps^gamma up to an eps, and gamma = 1/2z with its jackknife error.

    The points are weighed by their jackknife errors; the error of gamma is that of the fit repeated without each
    realization, since the same disorder at every eps makes the points move together.
    """
    data = data.sel(eps=data["eps"] <= largest_eps * (1 + 1e-9))
    eps, weights = data["eps"].values, variation(data).error

    def fit(variance: np.ndarray, mean: np.ndarray) -> PowerLaw:
        return power_law(eps, ratio_of_averages(variance, mean), weights)

    samples = data["variance"].values, data["mean"].values
    return fit(*samples), jackknife(lambda *drawn: fit(*drawn).exponent, *samples)


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
