"""Fig. 3, from the data of Fig. 2: the dynamical exponent z(h), and the exponent nu with which it diverges at h_c."""

import math

import numpy as np
import xarray as xr
from analysis import DynamicalExponent, group, power_law_of
from figure_2 import DISORDER, data, describe, fractions
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from presets import PRESETS
from words import choosing, said_above

from tnness.records.style import GUIDE, canvas, lettered
from tnness.study.scripts import script
from tnness.study.statistics import PowerLaw, Resampled, power_law

PAPER_CRITICAL = (8.75, 0.5)
LARGEST_Z = 30.0


def exponents(dataset: xr.Dataset) -> dict[float, Resampled]:
    """gamma = 1/2z at every h, with its jackknife error."""
    strengths = [float(h) for h in dataset["h"].values]
    return {h: power_law_of(group(dataset, h=h), dataset.attrs["fit_eps"])[1] for h in strengths}


def critical(dataset: xr.Dataset) -> tuple[float, float, str]:
    """h_c, its error and where it is from: P = 1/2 in these data, or the paper where they have no crossing."""
    found = fractions(dataset)[1]
    if math.isfinite(found.value) and found.value > dataset.attrs["fit_h"]:
        return found.value, found.error, "these data"
    return *PAPER_CRITICAL, "the paper"


def vanishing(gamma: dict[float, Resampled], largest_h: float, critical_h: float) -> PowerLaw:
    """The fit gamma = a (h_c - h)^nu up to an h: z = 1/2gamma diverges with nu, and gamma has a symmetric error."""
    used = {h: estimate for h, estimate in gamma.items() if h <= largest_h and h < critical_h}
    values, errors = zip(*((estimate.value, estimate.error) for estimate in used.values()), strict=True)
    return power_law([critical_h - h for h in used], values, errors)


def nu(dataset: xr.Dataset, gamma: dict[float, Resampled]) -> tuple[PowerLaw, float]:
    """The fit at h_c, and the error of nu: of the fit, and of h_c."""
    hc, error, _ = critical(dataset)
    fits = [vanishing(gamma, dataset.attrs["fit_h"], hc + sign * error) for sign in (0, 1, -1)]
    return fits[0], math.hypot(fits[0].error, (fits[1].exponent - fits[2].exponent) / 2)


def draw(dataset: xr.Dataset) -> Figure:
    """z against h, and against h_c - h."""
    figure, (left, right) = canvas(1, 2)
    gamma = exponents(dataset)
    draw_exponents(left, {h: DynamicalExponent.of(estimate) for h, estimate in gamma.items()})
    draw_divergence(right, gamma, dataset)
    hc, error, source = critical(dataset)
    lettered((left, right), ("", rf"$h_c$ = {hc:.1f} $\pm$ {error:.1f} ({source}); filled: fitted"))
    said_above(figure, describe(dataset), dataset)
    return figure


def draw_exponents(axes: Axes, z: dict[float, DynamicalExponent]) -> None:
    """(a) z(h); an arrow where the data allow z = infinity."""
    for h, value in z.items():
        low, high = min(value.low, LARGEST_Z), min(value.high, LARGEST_Z)
        axes.plot([h, h], [low, high], color="black", lw=1)
        if value.value <= LARGEST_Z:
            axes.plot(h, value.value, "o", ms=4, color="black")
        if value.high > LARGEST_Z:
            axes.plot(h, 0.97 * LARGEST_Z, "^", ms=5, mfc="white", color="black")
    axes.axhline(2, **GUIDE, label="diffusion, $z$ = 2")
    axes.plot([], [], "^", ms=5, mfc="white", color="black", label=f"the error bar goes beyond {LARGEST_Z:g}")
    axes.set(xlabel=DISORDER, ylabel="dynamical exponent $z$", ylim=(0, LARGEST_Z))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.1))


def draw_divergence(axes: Axes, gamma: dict[float, Resampled], dataset: xr.Dataset) -> None:
    """(b) z against h_c - h with the fit; gamma that may be 0 has an open upper error bar."""
    hc, largest, top = critical(dataset)[0], dataset.attrs["fit_h"], 2 * LARGEST_Z
    for h, estimate in gamma.items():
        z = DynamicalExponent.of(estimate)
        if h < hc and z.value < top:
            style = {"color": "black", "mfc": "black" if h <= largest else "white"}
            axes.plot([hc - h] * 2, [z.low, min(z.high, top)], lw=1, color="black")
            axes.plot(hc - h, z.value, "o", ms=4, **style)
    law, spread = nu(dataset, gamma)
    x = np.linspace(hc - largest, hc - min(gamma), 50)
    axes.plot(x, 1 / (2 * law(x)), "--", color="C1", label=rf"$\nu$ = {law.exponent:.1f} $\pm$ {spread:.1f}")
    axes.legend()
    axes.set(xscale="log", yscale="log", xlabel=r"$h_c - h$ [$J$]", ylabel="dynamical exponent $z$", ylim=(1, top))
    axes.xaxis.set_major_locator(FixedLocator(range(1, 13)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, table="figure_2", choose=choosing)
