"""Fig. 1: temperature fluctuations of the one-dimensional thermal network against eps, and their exponents."""

from pathlib import Path

import numpy as np
import xarray as xr
from analysis import diffusive_variation, fit_range, printed_z, slope, suggested_z, variation
from matplotlib.figure import Figure
from networks import thermal
from presets import PARAMETERS, PRESETS, Preset, counts

from tnness.records.style import GUIDE, canvas, dots, headline, lettered, shade
from tnness.study.scripts import script

SHOWN = 1000
"""The paper's size, whose fluctuations are drawn."""


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """dT/T and its exponent for every size and alpha, with errors."""
    parts = []
    for ensemble in preset.thermal:
        samples = thermal(ensemble, store, workers)
        values = [variation(samples.sel(alpha=a)) for a in ensemble.alpha]
        slopes = [slope(samples.sel(alpha=a), *fit_range(a)) for a in ensemble.alpha]
        part = xr.Dataset(coords={"alpha": list(ensemble.alpha), "eps": list(ensemble.eps)})
        part["variation"] = (("alpha", "eps"), [v.value for v in values])
        part["variation_error"] = (("alpha", "eps"), [v.error for v in values])
        part["slope"] = ("alpha", [s.value for s in slopes])
        part["slope_error"] = ("alpha", [s.error for s in slopes])
        part["realizations"] = ensemble.realizations
        parts.append(part.assign_coords(n=ensemble.n))
    return xr.concat(parts, dim="n", data_vars="all", coords="minimal", compat="override")


def draw(table: xr.Dataset) -> Figure:
    """Fluctuations at the paper's size; exponents at all sizes against both predictions."""
    figure, (left, right) = canvas(1, 2)
    eps, count = table["eps"].values, table.sizes["alpha"]
    for k, alpha in enumerate(table["alpha"].values):
        one = table.sel(n=SHOWN, alpha=alpha)
        color = shade(k, count)
        label = rf"$\alpha$ = {alpha:g}: {float(one['slope']):.4f} $\pm$ {float(one['slope_error']):.4f}"
        dots(left, eps, one["variation"], one["variation_error"], ms=3, color=color, label=label)
        fitted = (eps >= fit_range(alpha)[0] * 0.99) & (eps <= fit_range(alpha)[1] * 1.01)
        anchor, growth = float(one["variation"].values[fitted][0]), eps[fitted] / eps[fitted][0]
        for z, style in ((suggested_z(alpha), "-"), (printed_z(alpha), ":")):
            left.plot(eps[fitted], anchor * growth ** (1 / (2 * z)), style, color=color)
        if alpha > 1:
            left.plot(eps, diffusive_variation(alpha, eps), "--", lw=0.8, color=color)
    left.set(xscale="log", yscale="log", xlabel=r"$\epsilon$", ylabel=r"$\delta T / \bar T$")
    left.set_ylim(bottom=left.get_ylim()[0] / 8)
    left.legend(ncols=2, title=r"fitted power of $\epsilon$", title_fontsize=7, loc="lower right")
    for n in table["n"].values:
        one = table.sel(n=n)
        dots(right, one["alpha"], one["slope"], one["slope_error"], label=f"N = {n}")
    below, above = np.linspace(0.15, 1, 100, endpoint=False), np.array([1.0, 3.0])
    for z, style, told in ((suggested_z, "-", r"1 + 1/\alpha"), (printed_z, ":", r"1/\alpha")):
        right.plot(below, [1 / (2 * z(a)) for a in below], "k", ls=style, label=rf"$z = {told}$")
    right.plot(above, [0.25, 0.25], "k--", lw=0.8, label=r"$z = 2$, $\alpha \geq 1$")
    right.axvline(1, **GUIDE)
    right.set(xlabel=r"$\alpha = a/\xi$", ylabel=r"power of $\epsilon$, $1/2z$", ylim=(0, 0.68))
    right.legend(loc="upper right", ncols=2)
    lettered((left, right), (f"N = {SHOWN}", "all sizes"))
    lines = r"(a) fitted range: $z = 1 + 1/\alpha$ or 2 (solid), the paper's $1/\alpha$ (dotted); eq. (12) (dashed)"
    what = f"{table.attrs['preset']} preset: thermal network, d = 1; {PARAMETERS}; realizations: {counts(table)}"
    headline(figure, f"{what}\n{lines}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The exponents against both predictions."""
    lines = []
    for n in table["n"].values:
        for alpha in table["alpha"].values:
            one = table.sel(n=n, alpha=alpha)
            fitted = f"{float(one['slope']):.4f} +- {float(one['slope_error']):.4f}"
            laws = [1 / (2 * z(alpha)) for z in (suggested_z, printed_z)]
            told = f"1 + 1/alpha: {laws[0]:.4f}, 1/alpha: {laws[1]:.4f}"
            lines.append(f"N = {n:>5}, alpha = {alpha:<4g} {fitted}; {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
