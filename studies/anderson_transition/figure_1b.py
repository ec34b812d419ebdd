"""Fig. 1b: the profile of the density that the bias adds, against three laws for the diffusion constant."""

import numpy as np
import typer
import xarray as xr
from drawing import FIGURES, LEADS, STORE, PresetOption
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from samples import coherence
from scipy.optimize import curve_fit

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save
from tnness.study.statistics import average


def profile(diffusion: np.ndarray) -> np.ndarray:
    """The solution of d(D dn/dx)/dx = 0 from 1 to -1, for D on a grid over [0, 1]."""
    resistance = np.concatenate([[0], np.cumsum((1 / diffusion[1:] + 1 / diffusion[:-1]) / 2)])
    return 1 - 2 * resistance / resistance[-1]


GRID = np.linspace(0, 1, 801)


def diffusive(x: np.ndarray, scale: float) -> np.ndarray:
    """Constant D."""
    return scale * np.interp(x, GRID, profile(np.ones_like(GRID)))


def critical(x: np.ndarray, scale: float, depth: float) -> np.ndarray:
    """D = D0 / (1 + x_B / x_c); depth: L0 / x_c."""
    return scale * np.interp(x, GRID, profile(1 / (1 + abs(depth) * np.minimum(GRID, 1 - GRID))))


def localised(x: np.ndarray, scale: float, strength: float) -> np.ndarray:
    """D ~ exp(-x1 (L0 - x1) / (xi^(3/2) L0^(1/2))); strength: (L0 / xi)^(3/2)."""
    return scale * np.interp(x, GRID, profile(np.exp(-abs(strength) * GRID * (1 - GRID))))


LAWS = {"diffusive": diffusive, "critical": critical, "localised": localised}


def averages(rows: dict[tuple[int, float], xr.Dataset], preset: Preset) -> xr.Dataset:
    """Mean density per site of each slice, antisymmetrised, of the largest size with enough realisations."""
    size = max(s for s, count in preset.sizes.items() if count >= 40)
    found = xr.Dataset(coords={"disorder": list(preset.disorder), "slice": np.arange(size)}, attrs={"size": size})
    values = [rows[size, w]["density"].values / size**2 for w in preset.disorder]
    means = [average((v - v[:, ::-1]) / 2) for v in values]
    found["density"] = (("disorder", "slice"), [m.value for m in means])
    found["density_error"] = (("disorder", "slice"), [m.error for m in means])
    return found.assign_attrs(realisations=preset.sizes[size])


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """One panel a W, with the fits of the three laws."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    panels = figure.subplots(1, data.sizes["disorder"], squeeze=False)[0]
    x = (data["slice"].values + 0.5) / data.attrs["size"]
    half = x < 0.5
    for axes, w in zip(panels, data["disorder"].values, strict=True):
        one = data.sel(disorder=w)
        y, error = one["density"].values, one["density_error"].values
        axes.errorbar(x, y, error, marker="o", ms=4, lw=0, elinewidth=1, color="k")
        for name, law in LAWS.items():
            start = (y[0],) if name == "diffusive" else (y[0], 3.0)
            found, _ = curve_fit(law, x[half], y[half], p0=start, sigma=error[half], maxfev=20_000)
            chi2 = float(np.sum(((law(x[half], *found) - y[half]) / error[half]) ** 2))
            told = f", {abs(found[1]):.2g}" if len(found) > 1 else ""
            freedom = int(half.sum()) - len(found)
            axes.plot(GRID, law(GRID, *found), lw=1, label=rf"{name}{told}: $\chi^2$ = {chi2:.1f} / {freedom}")
        axes.set(xlabel=r"$x_1 / L_0$", title=f"W = {w:g}")
        axes.legend(fontsize=6.5)
    panels[0].set_ylabel(r"$\delta n$ per site")
    size, count = data.attrs["size"], data.attrs["realisations"]
    what = (
        rf"{preset.name} preset: $L_0$ = {size}, $\delta\mu / W_c = 3 \cdot 10^{{-3}}$, {LEADS}, {count} realisations"
    )
    figure.suptitle(
        f"{what}, antisymmetrised\nfits: an amplitude, and $L_0/x_c$ (critical) or $(L_0/\\xi)^{{3/2}}$ (localised)",
        fontsize=8,
    )
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(coherence(chosen, store, workers), chosen)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_1b_{preset}")


if __name__ == "__main__":
    typer.run(main)
