"""Fig. 2a: mutual coherence between the halves against size: volume law, volume law, area law?"""

import numpy as np
import typer
import xarray as xr
from drawing import FIGURES, LEADS, STORE, PresetOption
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from samples import coherence

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save
from tnness.study.statistics import average, log_slopes, power_law

AREA, VOLUME = 2, 3


def averages(rows: dict[tuple[int, float], xr.Dataset], preset: Preset) -> xr.Dataset:
    """Mean and median of C_d with errors of the mean, the worst error of an energy integral, and exponents."""
    sizes, disorder = list(preset.sizes), list(preset.disorder)
    found = xr.Dataset(coords={"size": sizes, "disorder": disorder})
    for name in ("mean", "mean_error", "median", "integral_error"):
        found[name] = (("size", "disorder"), np.empty((len(sizes), len(disorder))))
    for (size, w), row in rows.items():
        at = {"size": size, "disorder": w}
        mean = average(row["mutual_coherence"].values)
        found["mean"].loc[at], found["mean_error"].loc[at] = mean.value, mean.error
        found["median"].loc[at] = float(row["mutual_coherence"].median())
        found["integral_error"].loc[at] = float(row["certificate_quadrature"].max())
    return found.merge(exponents(found))


def exponents(data: xr.Dataset) -> xr.Dataset:
    """Powers of L0 between neighbouring sizes and over all of them, and chi^2 of L0^2, L0^3 and the free power.

    Sizes have different disorder: their errors are independent.
    """
    sizes = data["size"].values
    mean, error = (data[name].transpose("disorder", "size").values for name in ("mean", "mean_error"))
    middles, local = log_slopes(sizes, mean)
    relative = error / mean
    local_error = np.hypot(relative[:, 1:], relative[:, :-1]) / np.diff(np.log(sizes))
    free = [power_law(sizes, m, e) for m, e in zip(mean, error, strict=True)]
    curves = np.array([fit(sizes) for fit in free])
    found = xr.Dataset(coords={"disorder": data["disorder"], "middle": middles})
    found["local_exponent"] = (("disorder", "middle"), local)
    found["local_exponent_error"] = (("disorder", "middle"), local_error)
    found["exponent"] = ("disorder", [fit.exponent for fit in free])
    found["exponent_error"] = ("disorder", [fit.error for fit in free])
    found["chi2_free"] = ("disorder", chi2(mean, error, curves))
    for name, power in (("area", AREA), ("volume", VOLUME)):
        law = sizes.astype(float) ** power
        amplitude = (law * mean / error**2).sum(axis=1) / (law**2 / error**2).sum(axis=1)
        found[f"chi2_{name}"] = ("disorder", chi2(mean, error, amplitude[:, None] * law))
    return found


def chi2(mean: np.ndarray, error: np.ndarray, law: np.ndarray) -> np.ndarray:
    """Sum over the sizes of the squared deviations in standard errors: (disorder, size) -> (disorder,)."""
    return np.sum(((mean - law) / error) ** 2, axis=1)


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """(a) means with volume and area laws through the largest size, (b) powers between neighbouring sizes."""
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    axes, right = figure.subplots(1, 2)
    sizes = data["size"].values
    fine = np.linspace(sizes[0], sizes[-1], 50)
    for k, w in enumerate(data["disorder"].values):
        one = data.sel(disorder=w)
        power = f"{float(one['exponent']):.2f} \\pm {float(one['exponent_error']):.2f}"
        axes.errorbar(
            sizes,
            one["mean"],
            one["mean_error"],
            marker="o",
            ms=4,
            lw=0,
            elinewidth=1,
            color=f"C{k}",
            label=f"W = {w:g}: $L_0^{{{power}}}$",
        )
        axes.plot(sizes, one["median"], "x", ms=4, color=f"C{k}", alpha=0.6)
        for law, style in ((VOLUME, "-"), (AREA, "--")):
            axes.plot(fine, float(one["mean"][-1]) * (fine / sizes[-1]) ** law, style, lw=0.7, color=f"C{k}")
        right.errorbar(
            one["middle"] * (1 + 0.006 * (k - 1)),
            one["local_exponent"],
            one["local_exponent_error"],
            marker="o",
            ms=4,
            lw=0.7,
            color=f"C{k}",
            label=f"W = {w:g}",
        )
    axes.set(xscale="log", yscale="log", xlabel=r"$L_0$", ylabel=r"$C_d(L:R)$", xticks=sizes, xticklabels=sizes)
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [t for t in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if low < t < high]
    axes.set_yticks(ticks, labels=[f"{t:g}" for t in ticks])
    axes.set_title("(a)")
    axes.legend(fontsize=7, title="fit to the means", title_fontsize=7)
    for law, style in ((VOLUME, "-"), (AREA, "--")):
        right.axhline(law, color="k", ls=style, lw=0.7)
    right.set(xlabel=r"$L_0$", ylabel=r"$d \ln C_d / d \ln L_0$", title="(b) between neighbouring sizes")
    right.legend(fontsize=7, loc="lower left")
    right.set_ylim(bottom=min(1.5, right.get_ylim()[0]))
    counts = "\n".join(
        f"W = {w:g}: {', '.join(f'{preset.realisations(s, w)} at {s}' for s in preset.sizes)}" for w in preset.disorder
    )
    what = rf"{preset.name} preset: $\delta\mu / W_c = 3 \cdot 10^{{-3}}$, {LEADS}"
    lines = r"crosses: medians; lines: $L_0^3$ (full), $L_0^2$ (dashed)"
    figure.suptitle(f"{what}; {lines}\nrealisations at\n{counts}", fontsize=8)
    return figure


def tell(data: xr.Dataset) -> None:
    """Print means, exponents and how well L0^2 and L0^3 describe them."""
    print(data[["mean", "mean_error", "median", "integral_error"]].to_dataframe())
    freedom = data.sizes["size"] - 1
    for w in data["disorder"].values:
        one = data.sel(disorder=w)
        local = zip(one["middle"].values, one["local_exponent"].values, one["local_exponent_error"].values, strict=True)
        print(f"W = {w:g}: exponent {float(one['exponent']):.3f} +- {float(one['exponent_error']):.3f}", end="; ")
        laws = [f"{name} {float(one[f'chi2_{name}']):.1f}" for name in ("area", "volume")]
        print(f"chi2 / {freedom}: {', '.join(laws)}; free / {freedom - 1}: {float(one['chi2_free']):.1f}")
        print("   local:", ", ".join(f"{m:.1f}: {value:.2f} +- {error:.2f}" for m, value, error in local))


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(coherence(chosen, store, workers), chosen)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_2a_{preset}")
    tell(data)


if __name__ == "__main__":
    typer.run(main)
