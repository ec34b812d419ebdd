"""PRX Fig. 8: energy correlations of scattering states in a diffusive wire, and how their weight grows with size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
import xarray as xr
from matplotlib.figure import Figure

from tnness.engines.transfer import Transfer
from tnness.study.scripts import StoreOption, WorkersOption, preset_named, preset_option, save, swept
from tnness.study.statistics import average, jackknife, line

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "anderson_diffusive"
SEED = 2019
PRINTED = (0.021, 0.038)
"""f = a L + b as the paper fits it, eq. (73)."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What is computed."""

    name: str
    weight: dict[int, int]  # L and realisations of f
    correlation: dict[int, int]  # L and realisations of i(e)
    detunings: tuple[float, ...]


def grid(stop: float, count: int) -> tuple[float, ...]:
    """0 and evenly spaced logarithms."""
    return (0.0, *(float(x) for x in np.geomspace(0.5, stop, count)))


PRESETS = {
    "quick": Preset(
        name="quick",
        weight={4: 600, 6: 300, 8: 120, 10: 40, 12: 12},
        correlation={4: 300, 6: 100, 8: 40},
        detunings=grid(60.0, 20),
    ),
    "paper": Preset(
        name="paper",
        weight={4: 1000, 6: 1000, 8: 1000, 10: 1000, 12: 400},
        correlation={6: 400, 8: 200},
        detunings=grid(100.0, 40),
    ),
}
PresetOption = preset_option(PRESETS)


def samples(size: int, count: int, detunings: tuple[float, ...], store: Path, workers: int) -> np.ndarray:
    """sum_nm DPhi(0, e / Lx^2) of each realisation, (realisation, detuning)."""
    table = swept(
        "energy-correlation",
        {"size": (size,)},
        store / f"L{size}_{len(detunings)}",
        parameters={"detunings": detunings},
        realizations=count,
        independent=("size",),
        seed=SEED,
        engine=Transfer(),
        workers=workers,
    )
    return table["correlation"].sel(size=size).transpose("realization", "detuning").values


def averages(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """f with its error at every L, i(e) with its error where it was computed."""
    sizes = list(preset.weight)
    data = xr.Dataset(coords={"size": sizes, "detuning": list(preset.detunings)})
    weights = []
    for size, count in preset.weight.items():
        found = samples(size, count, (0.0,), store, workers)[:, 0]
        weights.append(average(2 * found / ((size + 2) * size) ** 2))
    data["f"], data["f_error"] = ("size", [w.value for w in weights]), ("size", [w.error for w in weights])
    for name in ("i", "i_error"):
        data[name] = (("size", "detuning"), np.full((len(sizes), len(preset.detunings)), np.nan))
    for size, count in preset.correlation.items():
        found = samples(size, count, preset.detunings, store, workers)
        ratio = jackknife(lambda s: s.mean(axis=0) / s[:, 0].mean(), found)
        data["i"].loc[{"size": size}], data["i_error"].loc[{"size": size}] = ratio.value, ratio.error
    return data


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """|i| against e, and f against L with our fit, the printed one and twice that."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    e = data["detuning"].values
    for k, size in enumerate(preset.correlation):
        one = data.sel(size=size)
        value, error = one["i"].values[1:], one["i_error"].values[1:]
        left.errorbar(e[1:], np.abs(value), error, ls="-", lw=0.6, color=f"C{k}", label=f"L = {size}")
        left.plot(e[1:], value, "o", ms=4, color=f"C{k}")  # negative values have no logarithm: an open circle
        left.plot(e[1:], -value, "o", ms=4, mfc="none", color=f"C{k}")
    fine = np.geomspace(0.5, e[-1], 100)
    left.plot(
        fine, np.exp(-(fine**2) / 50), "k-", lw=0.8, label=r"$e^{-\epsilon^2 / 2 \sigma^2}$, $\sigma = 5$ (paper)"
    )
    tail = float(np.abs(data["i"].sel(size=max(preset.correlation)).values[-4:]).mean()) * e[-3] ** 1.5
    left.plot(fine[fine > 8], tail * fine[fine > 8] ** -1.5, "k--", lw=0.8, label=r"$\epsilon^{-3/2}$")
    left.set(xscale="log", yscale="log", ylim=(3e-3, 1.5), xlabel=r"$\epsilon$", ylabel=r"$|i_{AB}(0, \epsilon)|$")
    left.set_title("(a) open circles: negative")
    left.legend(fontsize=7)
    sizes = data["size"].values
    fit = line(sizes, data["f"].values, data["f_error"].values)
    fine = np.linspace(sizes[0], sizes[-1], 20)
    right.errorbar(sizes, data["f"], data["f_error"], marker="o", ms=4, lw=0, elinewidth=1, color="k", label="eq. (72)")
    label = rf"({fit.slope:.4f} $\pm$ {fit.errors[1]:.4f}) L + {fit.intercept:.3f}"
    right.plot(fine, fit.slope * fine + fit.intercept, "C0-", lw=0.9, label=label)
    right.plot(fine, PRINTED[0] * fine + PRINTED[1], "C3:", lw=0.9, label="0.021 L + 0.038 (paper)")
    right.plot(fine, 2 * (PRINTED[0] * fine + PRINTED[1]), "C3--", lw=0.9, label="twice that")
    right.set(xlabel="L", ylabel=r"$f_{AB}(0)$", ylim=(0, None), title="(b)")
    right.legend(fontsize=7)
    counts = ", ".join(f"{n} at {size}" for size, n in preset.weight.items())
    more = ", ".join(f"{n} at {size}" for size, n in preset.correlation.items())
    what = rf"{preset.name} preset: wire (L+2) x L x L, W = 8, leads (1, 1), E = 0, unit flux"
    figure.suptitle(f"{what}\nrealisations: (a) {more}; (b) {counts}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(chosen, store, workers)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_8_{preset}")
    print(data[["f", "f_error"]].to_dataframe())
    inside = data["detuning"].values <= 60
    for size in chosen.correlation:
        one = data["i"].sel(size=size).values[inside]
        print(f"L = {size}: int i de = {2 * np.trapezoid(one, data['detuning'].values[inside]):.2f}, both signs")


if __name__ == "__main__":
    typer.run(main)
