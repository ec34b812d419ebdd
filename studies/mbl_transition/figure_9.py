"""Fig. 9: relaxation of the variation to its steady value, at a rate that scales with eps whatever the size."""

import warnings
from pathlib import Path

import ensemble
import numpy as np
import xarray as xr
from drawing import script, title
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import Preset
from scipy.optimize import OptimizeWarning, curve_fit

from tnness.study.statistics import Resampled

FIT_FROM = 4.0
"""Smallest eps t in the fit of the rate: faster modes, and changes of sign, are over by then."""


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """beta_variation against eps t, one realization of each size, the same at every eps."""
    relaxation = preset.relaxation
    dataset = ensemble.relaxation(relaxation, store, workers)
    dataset.attrs = {"preset": preset.name, "h": relaxation.h, "chi": relaxation.chi}
    dataset.attrs |= {"drive": relaxation.drive, "field_weight": relaxation.field_weight}
    return dataset


def exponential(t: np.ndarray, limit: float, amplitude: float, rate: float) -> np.ndarray:
    """The tail of a relaxation."""
    return limit + amplitude * np.exp(-rate * t)


def rate(eps_time: np.ndarray, values: np.ndarray) -> Resampled:
    """The rate r, in units of eps, of the fit a + b exp(-r eps t) to the tail; NaN where there is none."""
    late = eps_time >= FIT_FROM
    t, x = eps_time[late] - FIT_FROM, values[late]
    if len(t) < 6:
        return Resampled(np.nan, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error", OptimizeWarning)
        try:
            found, covariance = curve_fit(exponential, t, x, p0=(x[-1], x[0] - x[-1], 1.0))
        except (RuntimeError, OptimizeWarning):  # no convergence, or no tail to fit
            return Resampled(np.nan, np.nan)
    return Resampled(found[2], np.sqrt(covariance[2, 2]))


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a size."""
    sizes = dataset["n"].values
    figure = Figure(figsize=(4.6 * len(sizes), 4.0), layout="constrained")
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for axes, n, letter in zip(panels, sizes, "abcdef", strict=False):
        draw_size(axes, dataset.sel(n=n))
        axes.set_title(f"({letter}) N = {n}")
    panels[0].set_ylabel(r"$|O(t) - O(t_f)|$,   $O = \delta\beta/\bar\beta$")
    attributes = dataset.attrs
    what = rf"h = {attributes['h']:g}, TEBD, $\chi$ = {attributes['chi']}, one realization of each size"
    title(figure, f"{what}, from infinite temperature", dataset)
    return figure


def draw_size(axes: Axes, dataset: xr.Dataset) -> None:
    """|O(t) - O(t_f)| for every eps."""
    t = dataset["eps_time"].values
    for number, eps in enumerate(dataset["eps"].values):
        values = dataset["variation"].sel(eps=eps).values
        fitted = rate(t, values)
        label = rf"$\epsilon$ = {eps:g}, rate ({fitted.value:.2f} $\pm$ {fitted.error:.2f}) $\epsilon$"
        colour = colormaps["viridis"](0.9 * number / max(1, dataset.sizes["eps"] - 1))
        axes.semilogy(t[:-1], np.abs(values[:-1] - values[-1]), lw=1.2, color=colour, label=label)
    axes.set_xlabel(r"$\epsilon t$")
    axes.legend(fontsize=7, loc="upper right")


if __name__ == "__main__":
    script("figure_9", data, draw)
