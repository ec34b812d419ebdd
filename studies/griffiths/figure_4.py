"""Fig. 4: temperature fluctuations of the square thermal network, their local exponents, and what its size does."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from analysis import local_slopes, variation
from drawing import FIGURES, PARAMETERS, STORE, PresetOption, colour
from matplotlib.figure import Figure
from networks import thermal
from presets import PRESETS, Preset

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save


def averages(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """dT/T and its exponent between neighbouring eps for every size and alpha, with errors."""
    parts = []
    for ensemble in preset.plane:
        data = thermal(ensemble, store, workers, dim=2)
        values = [variation(data.sel(alpha=a)) for a in ensemble.alpha]
        part = xr.Dataset(coords={"alpha": list(ensemble.alpha), "eps": list(ensemble.eps)})
        part["variation"] = (("alpha", "eps"), [v.value for v in values])
        part["variation_error"] = (("alpha", "eps"), [v.error for v in values])
        slopes = [local_slopes(data.sel(alpha=a)) for a in ensemble.alpha]
        eps = np.array(ensemble.eps)
        part["middle"] = np.sqrt(eps[1:] * eps[:-1])
        part["exponent"] = (("alpha", "middle"), [s.value for s in slopes])
        part["exponent_error"] = (("alpha", "middle"), [s.error for s in slopes])
        part["realisations"] = ensemble.realisations
        parts.append(part.assign_coords(n=ensemble.n))
    return xr.concat(parts, dim="n", data_vars="all", coords="minimal", compat="override")


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """Fluctuations and local exponents: full lines for the largest size, dashed for the smallest."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    eps, sizes = data["eps"].values, data["n"].values
    for n, style, marker in ((sizes[-1], "-", "o"), (sizes[0], "--", "s")):
        for k, alpha in enumerate(data["alpha"].values):
            one = data.sel(n=n, alpha=alpha)
            shade = colour(k, data.sizes["alpha"])
            label = rf"$\alpha$ = {alpha:g}" if n == sizes[-1] else None
            left.errorbar(
                eps,
                one["variation"],
                one["variation_error"],
                marker=marker,
                ms=3,
                ls=style,
                lw=0.8,
                color=shade,
                label=label,
            )
            right.errorbar(
                one["middle"],
                one["exponent"],
                one["exponent_error"],
                marker=marker,
                ms=3,
                ls=style,
                lw=0.8,
                color=shade,
            )
    left.plot(
        eps,
        0.5 * float(data["variation"].sel(n=sizes[-1]).max()) * (eps / eps[-1]) ** 0.5,
        "k:",
        lw=1,
        label=r"$\epsilon^{1/2}$",
    )
    left.set(xscale="log", yscale="log", xlabel=r"$\epsilon$", ylabel=r"$\delta T / \bar T$", title="(a)")
    left.legend(fontsize=7)
    right.axhline(0.5, color="k", ls=":", lw=1)
    right.set(xscale="log", xlabel=r"$\epsilon$", ylabel="local exponent", title="(b) z = 2 is 1/2")
    counts = ", ".join(f"{int(m)} at N = {n}" for n, m in zip(sizes, data["realisations"].values, strict=True))
    what = f"{preset.name} preset: thermal network, d = 2, N x N; {PARAMETERS}"
    figure.suptitle(f"{what}\nN = {sizes[-1]} (full), {sizes[0]} (dashed); realisations: {counts}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(chosen, store, workers)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_4_{preset}")
    for n in data["n"].values:
        for alpha in data["alpha"].values:
            one = data.sel(n=n, alpha=alpha)
            pairs = zip(one["exponent"].values, one["exponent_error"].values, strict=True)
            print(f"N = {n}, alpha = {alpha:g}:", ", ".join(f"{value:.3f}({error:.3f})" for value, error in pairs))
    print("between eps:", ", ".join(f"{m:.1e}" for m in data["middle"].values))


if __name__ == "__main__":
    typer.run(main)
