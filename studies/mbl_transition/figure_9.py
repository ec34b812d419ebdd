"""Fig. 9: relaxation of the variation to its steady value, at a rate that scales with eps whatever the size."""

import warnings
from pathlib import Path

import ensemble
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from scipy.optimize import OptimizeWarning, curve_fit
from words import choosing, said_above

from tnness.display.numbers import value_text
from tnness.records.style import canvas, lettered, shade
from tnness.study.scripts import script
from tnness.study.statistics import Resampled

FIT_FROM = 4.0
"""Smallest eps t in the fit of the rate: faster modes, and changes of sign, are over by then."""


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """beta_variation against eps t, one realization of each size, the same at every eps."""
    relaxation = preset.relaxation
    dataset = ensemble.relaxation(relaxation, store, workers)
    dataset.attrs = {"h": relaxation.h, "chi": relaxation.chi}
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
    figure, panels = canvas(1, len(sizes), sharey=True)
    for axes, n in zip(panels, sizes, strict=True):
        draw_size(axes, dataset.sel(n=n))
    panels[0].set_ylabel(r"$|O(t) - O(t_f)|$, $O = \delta\beta/\bar\beta$")
    panels[0].set_ylim(top=30)
    lettered(panels, [f"N = {n}; rates from $\\epsilon t$ = {FIT_FROM:g} on" for n in sizes])
    attributes = dataset.attrs
    what = rf"h = {attributes['h']:g}, TEBD, $\chi$ = {attributes['chi']}, one realization of each size"
    said_above(figure, f"{what}, from infinite temperature", dataset)
    return figure


def draw_size(axes: Axes, dataset: xr.Dataset) -> None:
    """|O(t) - O(t_f)| for every eps."""
    t = dataset["eps_time"].values
    for number, eps in enumerate(dataset["eps"].values):
        values = dataset["variation"].sel(eps=eps).values
        fitted = rate(t, values)
        told = value_text(fitted.value, fitted.error, r"$\pm$")
        label = rf"$\epsilon$ = {eps:g} J, rate ({told}) $\epsilon$"
        colour = shade(number, dataset.sizes["eps"])
        axes.semilogy(t[:-1], np.abs(values[:-1] - values[-1]), lw=1.2, color=colour, label=label)
    axes.set_xlabel(r"$\epsilon t$")
    axes.legend(loc="upper right")


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, choose=choosing)
