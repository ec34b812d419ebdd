"""From realizations to slopes, and the lines the data are held against."""

import numpy as np
import xarray as xr
from scipy.integrate import quad

from tnness.study.statistics import Resampled, jackknife, log_slopes, power_law, ratio_of_averages


def variation(data: xr.Dataset) -> Resampled:
    """sqrt(<<Var T>>) / <<E T>> at every eps of one alpha, with jackknife errors."""
    samples = [data[name].transpose("realization", ...).values for name in ("variance", "mean")]
    return jackknife(ratio_of_averages, *samples)


def slope(data: xr.Dataset, low: float, high: float) -> Resampled:
    """The exponent of the variation between two eps, 1/2z in one dimension; the same disorder moves all points."""
    data = data.sel(eps=(data["eps"] >= low * (1 - 1e-9)) & (data["eps"] <= high * (1 + 1e-9)))
    eps = data["eps"].values
    samples = [data[name].transpose("realization", ...).values for name in ("variance", "mean")]
    return jackknife(lambda variance, mean: power_law(eps, ratio_of_averages(variance, mean)).exponent, *samples)


def local_slopes(data: xr.Dataset) -> Resampled:
    """The exponents of the variation between neighbouring eps of one alpha; the same disorder moves all points."""
    eps = data["eps"].values
    samples = [data[name].transpose("realization", ...).values for name in ("variance", "mean")]
    return jackknife(lambda variance, mean: log_slopes(eps, ratio_of_averages(variance, mean))[1], *samples)


def width_slope(data: xr.Dataset, low: float, high: float) -> Resampled:
    """The exponent 1/z of sigma_E(t) while it lies between two widths."""
    values = data["square_width"].transpose("realization", "time").values
    times = data["time"].values
    width = np.sqrt(values.mean(axis=0))
    inside = (width >= low) & (width <= high)
    if inside.sum() < 3:
        return Resampled(np.nan, np.nan)
    return jackknife(lambda v: power_law(times[inside], np.sqrt(v.mean(axis=0))).exponent, values[:, inside])


def suggested_z(alpha: float) -> float:
    """z = 1 + 1/alpha below 1, where the mean resistance of a link diverges, 2 above."""
    return 1 + 1 / alpha if alpha < 1 else 2.0


def printed_z(alpha: float) -> float:
    """The paper's z ~ 1/alpha below 1, 2 above."""
    return 1 / alpha if alpha < 1 else 2.0


def diffusive_variation(alpha: float, eps: np.ndarray, dg: float = 0.05, gamma: float = 5.0) -> np.ndarray:
    """dT/T of eq. (12) with z = 2 and no free number: conductivity 1/<1/G>, alpha > 1.

    Sinks and sources both vary, each with standard deviation dg/sqrt 3, around T = 2 T0.
    """
    conductivity = gamma * (alpha - 1) / (np.e * alpha)  # 1/<1/G> for G = gamma e^-l, l = 1 + Exp(1)/alpha
    variance = []
    for one in eps:
        integral = quad(lambda k, one=one: (2 * conductivity * (1 - np.cos(k)) + one) ** -2, 0, np.pi, limit=400)[0]
        variance.append(one**2 * 2 * dg**2 / 3 * integral / np.pi)
    return np.sqrt(variance) / 2


def fit_range(alpha: float) -> tuple[float, float]:
    """The eps of a fit: the lowest decades, or from alpha near 1 on those where heat does not cross 1000 islands."""
    return (1e-5, 1e-3) if alpha < 0.7 else (1e-4, 1e-2)


def mean_current(alpha: float, eps: np.ndarray, field: float = 0.1, gamma: float = 5.0) -> np.ndarray:
    """j = (V/N) / <1/G>, the mean over link lengths by quadrature: what a long line must give."""
    found = []
    for one in eps:
        x = np.linspace(0, 60 / alpha, 400_001)
        lengths = 1 + x
        resistance = alpha * np.exp(-alpha * x) / (one / lengths + gamma * np.exp(-lengths))
        found.append(field / np.trapezoid(resistance, x))
    return np.array(found)


def resistive_current(alpha: float, eps: np.ndarray, field: float = 0.1, gamma: float = 5.0) -> np.ndarray:
    """j = (V/N) / (lbar rho), rho = alpha/(lbar gamma) (eps/ln(1/eps))^(alpha-1) of eq. (5): no free number."""
    return field * gamma / alpha * (eps / np.log(1 / eps)) ** (1 - alpha)
