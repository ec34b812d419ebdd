"""Fig. 4: temperature fluctuations of the square thermal network, their local exponents, and what its size does."""

from pathlib import Path

import numpy as np
import xarray as xr
from analysis import local_slopes, variation
from matplotlib.figure import Figure
from networks import thermal
from presets import PARAMETERS, PRESETS, Preset, counts

from tnness.records.style import GUIDE, canvas, dots, headline, lettered, shade
from tnness.study.scripts import script


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """dT/T and its exponent between neighbouring eps for every size and alpha, with errors."""
    parts = []
    for ensemble in preset.plane:
        samples = thermal(ensemble, store, workers, dim=2)
        values = [variation(samples.sel(alpha=a)) for a in ensemble.alpha]
        part = xr.Dataset(coords={"alpha": list(ensemble.alpha), "eps": list(ensemble.eps)})
        part["variation"] = (("alpha", "eps"), [v.value for v in values])
        part["variation_error"] = (("alpha", "eps"), [v.error for v in values])
        slopes = [local_slopes(samples.sel(alpha=a)) for a in ensemble.alpha]
        eps = np.array(ensemble.eps)
        part["middle"] = np.sqrt(eps[1:] * eps[:-1])
        part["exponent"] = (("alpha", "middle"), [s.value for s in slopes])
        part["exponent_error"] = (("alpha", "middle"), [s.error for s in slopes])
        part["realizations"] = ensemble.realizations
        parts.append(part.assign_coords(n=ensemble.n))
    return xr.concat(parts, dim="n", data_vars="all", coords="minimal", compat="override")


def draw(table: xr.Dataset) -> Figure:
    """Fluctuations and local exponents: full lines for the largest size, dashed for the smallest."""
    figure, (left, right) = canvas(1, 2)
    eps, sizes = table["eps"].values, table["n"].values
    for n, line, marker in ((sizes[-1], "-", "o"), (sizes[0], "--", "s")):
        for k, alpha in enumerate(table["alpha"].values):
            one = table.sel(n=n, alpha=alpha)
            style = {"fmt": marker, "ms": 3, "ls": line, "lw": 0.8, "color": shade(k, table.sizes["alpha"])}
            label = rf"$\alpha$ = {alpha:g}" if n == sizes[-1] else None
            dots(left, eps, one["variation"], one["variation_error"], label=label, **style)
            dots(right, one["middle"], one["exponent"], one["exponent_error"], **style)
    half = 0.5 * float(table["variation"].sel(n=sizes[-1]).max()) * (eps / eps[-1]) ** 0.5
    left.plot(eps, half, "k:", label=r"$\propto \epsilon^{1/2}$")
    left.set(xscale="log", yscale="log", xlabel=r"$\epsilon$", ylabel=r"$\delta T / \bar T$")
    left.legend(loc="lower right")
    right.axhline(0.5, **GUIDE)
    right.set(xscale="log", xlabel=r"$\epsilon$", ylabel=r"local power of $\epsilon$")
    lettered((left, right), ("", "dotted: 1/2, that is z = 2"))
    what = f"{table.attrs['preset']} preset: thermal network, d = 2, N x N; {PARAMETERS}"
    drawn = f"N = {sizes[-1]} (full lines), {sizes[0]} (dashed); realizations: {counts(table)}"
    headline(figure, f"{what}\n{drawn}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The local exponents."""
    lines = []
    for n in table["n"].values:
        for alpha in table["alpha"].values:
            one = table.sel(n=n, alpha=alpha)
            pairs = zip(one["exponent"].values, one["exponent_error"].values, strict=True)
            found = ", ".join(f"{value:.3f}({error:.3f})" for value, error in pairs)
            lines.append(f"N = {n}, alpha = {alpha:g}: {found}")
    return "\n".join([*lines, "between eps: " + ", ".join(f"{m:.1e}" for m in table["middle"].values)])


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
