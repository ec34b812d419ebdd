"""PRX Fig. 8: energy correlations of scattering states in a diffusive wire, and how their weight grows with size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from tnness.engines.transfer import Transfer
from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script, swept
from tnness.study.statistics import average, jackknife, line

SEED = 2019
PRINTED = (0.021, 0.038)
"""f = a L + b as the paper fits it, eq. (73)."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What is computed."""

    name: str
    weight: dict[int, int]  # L and realizations of f
    correlation: dict[int, int]  # L and realizations of i(e)
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
        weight={4: 1000, 6: 1000, 8: 1000, 10: 1000, 12: 1000},
        correlation={6: 400, 8: 400, 10: 400},
        detunings=grid(100.0, 40),
    ),
}


def samples(size: int, count: int, detunings: tuple[float, ...], store: Path, workers: int) -> np.ndarray:
    """sum_nm DPhi(0, e / Lx^2) of each realization, (realization, detuning)."""
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


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """f with its error at every L, i(e) with its error where it was computed."""
    sizes = list(preset.weight)
    table = xr.Dataset(coords={"size": sizes, "detuning": list(preset.detunings)})
    weights = []
    for size, count in preset.weight.items():
        found = samples(size, count, (0.0,), store, workers)[:, 0]
        weights.append(average(2 * found / ((size + 2) * size) ** 2))
    table["f"], table["f_error"] = ("size", [w.value for w in weights]), ("size", [w.error for w in weights])
    for name in ("i", "i_error"):
        table[name] = (("size", "detuning"), np.full((len(sizes), len(preset.detunings)), np.nan))
    for size, count in preset.correlation.items():
        found = samples(size, count, preset.detunings, store, workers)
        ratio = jackknife(lambda s: s.mean(axis=0) / s[:, 0].mean(), found)
        table["i"].loc[{"size": size}], table["i_error"].loc[{"size": size}] = ratio.value, ratio.error
    table["realizations"] = "size", list(preset.weight.values())
    table["realizations_of_i"] = "size", [preset.correlation.get(size, 0) for size in sizes]
    return table


def correlated(table: xr.Dataset) -> xr.Dataset:
    """The sizes at which i(e) was computed."""
    return table.isel(size=np.flatnonzero(table["realizations_of_i"]))


def draw(table: xr.Dataset) -> Figure:
    """|i| against e, and f against L with our fit, the printed one and twice that."""
    figure, (left, right) = canvas(1, 2)
    e, several = table["detuning"].values, correlated(table)
    for k, size in enumerate(several["size"].values):
        one = several.sel(size=size)
        value, error, color = one["i"].values[1:], one["i_error"].values[1:], f"C{k}"
        dots(left, e[1:], np.abs(value), error, fmt="none", ecolor=color)
        left.plot(e[1:], np.abs(value), "-", lw=0.6, color=color)
        left.plot(e[1:], value, "o", color=color, label=f"L = {size}")
        left.plot(e[1:], -value, "o", mfc="none", color=color)  # negative values have no logarithm: an open circle
    fine = np.geomspace(0.5, e[-1], 100)
    left.plot(
        fine, np.exp(-(fine**2) / 50), "k-", lw=0.8, label=r"$e^{-\epsilon^2 / 2 \sigma^2}$, $\sigma = 5$ (paper)"
    )
    tail = float(np.abs(several["i"].values[-1, -4:]).mean()) * e[-3] ** 1.5
    left.plot(fine[fine > 8], tail * fine[fine > 8] ** -1.5, "k--", lw=0.8, label=r"$\propto \epsilon^{-3/2}$")
    left.set(xscale="log", yscale="log", ylim=(3e-3, 1.5), xlabel=r"$\epsilon$", ylabel=r"$|i_{AB}(0, \epsilon)|$")
    left.legend(loc="lower left")
    sizes = table["size"].values
    fit = line(sizes, table["f"].values, table["f_error"].values)
    fine = np.linspace(sizes[0], sizes[-1], 20)
    dots(right, sizes, table["f"], table["f_error"], ms=4, color="k", label="eq. (72)")
    label = rf"({fit.slope:.4f} $\pm$ {fit.errors[1]:.4f}) L + {fit.intercept:.3f}, fitted"
    right.plot(fine, fit.slope * fine + fit.intercept, "C0-", label=label)
    printed = PRINTED[0] * fine + PRINTED[1]
    right.plot(fine, printed, "C1:", label=f"{PRINTED[0]} L + {PRINTED[1]} (paper)")
    right.plot(fine, 2 * printed, "C1--", label="twice that")
    right.set(xlabel="length $L$", ylabel=r"$f_{AB}(0)$", ylim=(0, 0.85))
    right.legend(loc="upper left")
    lettered((left, right), ("open circles: negative", "weight"))
    counts = ", ".join(f"{int(n)} at {size}" for size, n in zip(sizes, table["realizations"].values, strict=True))
    pairs = zip(several["size"].values, several["realizations_of_i"].values, strict=True)
    more = ", ".join(f"{int(n)} at {size}" for size, n in pairs)
    what = rf"{table.attrs['preset']} preset: wire $(L + 2) \times L \times L$, W = 8, leads (1, 1), E = 0, unit flux"
    headline(figure, f"{what}\nrealizations at L: (a) {more}; (b) {counts}")
    return figure


def tell(table: xr.Dataset) -> str:
    """f, and the integral of i over both signs of e."""
    lines, inside = [str(table[["f", "f_error"]].to_dataframe())], table["detuning"].values <= 60
    for size in correlated(table)["size"].values:
        one = table["i"].sel(size=size).values[inside]
        whole = 2 * np.trapezoid(one, table["detuning"].values[inside])
        lines.append(f"L = {size}: int i de = {whole:.2f}, both signs")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
