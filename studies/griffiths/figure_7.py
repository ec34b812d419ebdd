"""Fig. 7: z from temperature fluctuations of the open network and from the spreading of energy in the closed one."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from analysis import fit_range, printed_z, slope, suggested_z, width_slope
from drawing import FIGURES, PARAMETERS, STORE, PresetOption, colour
from matplotlib.figure import Figure
from networks import spreading, thermal
from presets import PRESETS, Preset

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save

WIDTHS = (5.0, 60.0)
"""Range of sigma_E in the fits: beyond the first links, before the ends are felt (N = 1000)."""


def averages(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """sigma_E(t), and both z with errors."""
    data = spreading(preset.spreading, store, workers)
    opened = thermal(next(e for e in preset.thermal if e.n == preset.spreading.n), store, workers)
    alphas = data["alpha"].values
    kept = xr.Dataset(coords={"alpha": data["alpha"], "time": data["time"]}, attrs=data.attrs)
    kept["width"] = np.sqrt(data["square_width"].mean("realisation"))
    for name, fits in (
        ("closed", [width_slope(data.sel(alpha=a), *WIDTHS) for a in alphas]),
        ("open", [slope(opened.sel(alpha=a), *fit_range(a)) for a in alphas]),
    ):
        power = 1 if name == "closed" else 2
        kept[f"z_{name}"] = ("alpha", [1 / (power * f.value) for f in fits])
        kept[f"z_{name}_error"] = ("alpha", [f.error / (power * f.value**2) for f in fits])
    return kept


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """The widths, and both z against both predictions."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, alpha in enumerate(data["alpha"].values):
        left.loglog(
            data["time"],
            data["width"].sel(alpha=alpha),
            "o-",
            ms=2,
            lw=0.8,
            color=colour(k, data.sizes["alpha"]),
            label=rf"$\alpha$ = {alpha:g}",
        )
    for width in WIDTHS:
        left.axhline(width, color="0.6", lw=0.6, ls=":")
    left.set(xlabel="t", ylabel=r"$\sigma_E$", title="(a) closed; fits between the dotted lines")
    left.legend(fontsize=7)
    for name, marker in (("closed", "s"), ("open", "o")):
        right.errorbar(
            data["alpha"],
            data[f"z_{name}"],
            data[f"z_{name}_error"],
            marker=marker,
            ms=4,
            lw=0,
            elinewidth=1,
            label=name,
        )
    fine = np.geomspace(0.18, 3.1, 400)
    right.plot(fine, [suggested_z(a) for a in fine], "k-", lw=1, label=r"$1 + 1/\alpha$, then 2")
    right.plot(fine, [printed_z(a) for a in fine], "k:", lw=1, label=r"$1/\alpha$ (paper), then 2")
    right.set(xlabel=r"$\alpha = a/\xi$", ylabel="z", title="(b)")
    right.legend(fontsize=7)
    counts = f"closed: {data.attrs['realisations']} realisations; open: those of Fig. 1"
    figure.suptitle(f"{preset.name} preset: networks of N = {data.attrs['n']}, {counts};\n{PARAMETERS}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(chosen, store, workers)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_7_{preset}")
    for alpha in data["alpha"].values:
        one = data.sel(alpha=alpha)
        found = [f"{k} {float(one[f'z_{k}']):.3f} +- {float(one[f'z_{k}_error']):.3f}" for k in ("closed", "open")]
        print(f"alpha = {alpha:<4g} {', '.join(found)}; 1 + 1/alpha: {suggested_z(alpha):.3f}")


if __name__ == "__main__":
    typer.run(main)
