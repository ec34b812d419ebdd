"""Fig. 2a: mutual coherence between the halves against size: volume law, volume law, area law?"""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import BIAS, LEADS, PRESETS, Preset
from samples import coherence

from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script
from tnness.study.statistics import average, log_slopes, power_law

AREA, VOLUME = 2, 3


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Averages at the letter's bias."""
    return averages(coherence(preset, store, workers), preset)


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
    counts = [[preset.realizations(size, w) for w in disorder] for size in sizes]
    found["realizations"] = (("size", "disorder"), counts)
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


def draw(table: xr.Dataset) -> Figure:
    """(a) means with volume and area laws through the largest size, (b) powers between neighbouring sizes."""
    figure, (left, right) = canvas(1, 2)
    sizes = table["size"].values
    fine = np.linspace(sizes[0], sizes[-1], 50)
    for k, w in enumerate(table["disorder"].values):
        one, color = table.sel(disorder=w), f"C{k}"
        label = rf"W = {w:g}: {float(one['exponent']):.2f} $\pm$ {float(one['exponent_error']):.2f}"
        dots(left, sizes, one["mean"], one["mean_error"], color=color, label=label)
        left.plot(sizes, one["median"], "x", ms=4, color=color, alpha=0.6)
        for law, style in ((VOLUME, "-"), (AREA, "--")):
            left.plot(fine, float(one["mean"][-1]) * (fine / sizes[-1]) ** law, style, lw=0.7, color=color)
        x, power = one["middle"] * (1 + 0.006 * (k - 1)), one["local_exponent"]
        dots(right, x, power, one["local_exponent_error"], fmt="o-", lw=0.7, color=color, label=f"W = {w:g}")
    left.set(xscale="log", yscale="log", xlabel="size $L_0$", ylabel=r"mutual coherence $C_d(L:R)$")
    left.set_xticks(sizes, labels=[str(size) for size in sizes])
    left.set_ylim(left.get_ylim()[0] / 2.2, left.get_ylim()[1])
    low, high = left.get_ylim()
    ticks = [t for t in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if low < t < high]
    left.set_yticks(ticks, labels=[f"{t:g}" for t in ticks])
    left.minorticks_off()
    left.legend(title=r"fitted power of $L_0$", title_fontsize=7, loc="lower right")
    for law, style in ((VOLUME, "-"), (AREA, "--")):
        right.axhline(law, color="k", ls=style, lw=0.7)
    right.set(xlabel="size $L_0$", ylabel=r"$d \ln C_d / d \ln L_0$")
    right.set_ylim(min(1.5, right.get_ylim()[0]), right.get_ylim()[1] + 0.6)
    right.legend(loc="upper right", ncols=3)
    lettered((left, right), (r"lines: $L_0^3$ (full), $L_0^2$ (dashed)", "between neighbouring sizes"))
    headline(figure, f"{table.attrs['preset']} preset: {BIAS}, {LEADS}; crosses: medians\n{counts(table)}")
    return figure


def counts(table: xr.Dataset) -> str:
    """The realizations of every W in words."""
    parts = []
    for w in table["disorder"].values:
        here = table["realizations"].sel(disorder=w)
        each = ", ".join(f"{int(n)} at {size}" for size, n in zip(table["size"].values, here.values, strict=True))
        parts.append(f"W = {w:g}: {each}")
    return f"realizations at $L_0$: {'; '.join(parts)}"


def tell(table: xr.Dataset) -> str:
    """Means, exponents and how well L0^2 and L0^3 describe them."""
    lines = [str(table[["mean", "mean_error", "median", "integral_error"]].to_dataframe())]
    freedom = table.sizes["size"] - 1
    for w in table["disorder"].values:
        one = table.sel(disorder=w)
        local = zip(one["middle"].values, one["local_exponent"].values, one["local_exponent_error"].values, strict=True)
        laws = ", ".join(f"{name} {float(one[f'chi2_{name}']):.1f}" for name in ("area", "volume"))
        lines.append(
            f"W = {w:g}: exponent {float(one['exponent']):.3f} +- {float(one['exponent_error']):.3f}; "
            f"chi2 / {freedom}: {laws}; free / {freedom - 1}: {float(one['chi2_free']):.1f}"
        )
        lines.append("   local: " + ", ".join(f"{m:.1f}: {value:.2f} +- {error:.2f}" for m, value, error in local))
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
