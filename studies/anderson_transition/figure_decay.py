"""Supplement, (S1)-(S15): how scattering states are correlated in space and in energy, on both sides of W_c.

c(r) is the average of |q_E(x, y)|^2, q_E = (rho_L - rho_R)/2 at E = 0, for two sites at a distance r along the cube and
on either side of its middle. f(D) is the share of the correlation between its halves that is left when the energies
differ by D; the Thouless energy is the D at which it has fallen to one half.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import CRITICAL

from tnness.engines.transfer import Transfer
from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.point import Setting
from tnness.study.scripts import script, swept
from tnness.study.statistics import jackknife

SEED = 2019
DETUNINGS = (0.0, *(float(x) for x in np.geomspace(0.05, 60, 22)))
"""Differences of energies, times (L0 + 2)^2."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What is computed."""

    name: str
    disorder: tuple[float, ...]
    decay: dict[int, int]  # L0 and realizations of each W: c(r)
    energies: dict[int, int]  # L0 and realizations of each W: f(D)


PRESETS = {
    "quick": Preset(
        name="quick",
        disorder=(8.0, CRITICAL, 30.0),
        decay={8: 400, 12: 120, 16: 24},
        energies={4: 400, 6: 200, 8: 60},
    ),
    "paper": Preset(
        name="paper",
        disorder=(8.0, 12.0, CRITICAL, 21.0, 30.0),
        decay={8: 4000, 12: 1500, 16: 300, 20: 60},
        energies={4: 2000, 6: 2000, 8: 1000, 10: 300},
    ),
}


def decay(setting: Setting) -> dict[str, float]:
    """c(r) of one cube: averaged over the sites of a slice and the one or two pairs of slices about the middle."""
    model = setting.model.draw(np.random.default_rng(setting.seed))
    states = setting.engine.view(model.problem()).states(0.0)
    found = {}
    for r in range(1, model.slices):
        starts = {(model.slices - r) // 2, (model.slices - r - 1) // 2}
        pairs = [sum(s * overlap(side, x, x + r) for s, side in ((1, states.left), (-1, states.right))) for x in starts]
        found[f"c{r}"] = float(np.mean(np.abs(np.array(pairs) / 2) ** 2))
    return found


def overlap(states: np.ndarray, x: int, y: int) -> np.ndarray:
    """sum_n phi_n^*(x) phi_n(y) for all sites of two slices that face each other: (m,)."""
    return np.einsum("in,in->i", states[x].conj(), states[y])


def decays(preset: Preset, size: int, w: float, store: Path, workers: int) -> np.ndarray:
    """c(r) of every realization: (realization, r)."""
    table = swept(
        "anderson-wire",
        {"disorder": (w,)},
        store / f"decay_L{size}",
        parameters={"size": size},
        realizations=preset.decay[size],
        independent=("size",),
        seed=SEED,
        engine=Transfer(),
        measure=decay,
        workers=workers,
    ).sel(disorder=w)
    return np.stack([table[f"c{r}"].values for r in range(1, size)], axis=1)


def correlations(preset: Preset, size: int, w: float, store: Path, workers: int) -> np.ndarray:
    """The correlation between the halves at every detuning: (realization, detuning)."""
    table = swept(
        "energy-correlation",
        {"disorder": (w,)},
        store / f"energies_L{size}",
        parameters={"size": size, "detunings": DETUNINGS},
        realizations=preset.energies[size],
        independent=("size",),
        seed=SEED,
        engine=Transfer(),
        workers=workers,
    ).sel(disorder=w)
    return table["correlation"].transpose("realization", "detuning").values


def half(curve: np.ndarray) -> float:
    """The detuning at which a curve that begins at 1 first falls to 1/2, on a straight line between points."""
    below = np.flatnonzero(curve < 0.5)
    if not below.size:
        return float("nan")
    k = below[0]
    grid = np.array(DETUNINGS[k - 1 : k + 1])
    return float(grid[0] + (curve[k - 1] - 0.5) / (curve[k - 1] - curve[k]) * (grid[1] - grid[0]))


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """c(r)/c(1), f(D) and its half width, of the averages over cubes and as a mean over cubes of each one's own."""
    strengths = list(preset.disorder)
    reach = max(preset.decay)
    kinds = ["averages", "each"]
    shape = (len(kinds), len(strengths), len(preset.decay), reach - 1)
    curves = {name: np.full(shape, np.nan) for name in ("c", "c_error")}
    for i, w in enumerate(strengths):
        for j, size in enumerate(preset.decay):
            found = decays(preset, size, w, store, workers)
            whole = jackknife(lambda s: s.mean(axis=0) / s[:, 0].mean(), found)
            own = jackknife(lambda s: np.exp(np.log(s / s[:, :1]).mean(axis=0)), found)
            for k, each in enumerate((whole, own)):
                curves["c"][k, i, j, : size - 1], curves["c_error"][k, i, j, : size - 1] = each.value, each.error
    dims = ("kind", "disorder", "size", "r")
    space = xr.Dataset(
        {name: (dims, values) for name, values in curves.items()},
        coords={"kind": kinds, "disorder": strengths, "size": list(preset.decay), "r": np.arange(1, reach)},
    )
    space["realizations"] = "size", list(preset.decay.values())
    shape = (len(kinds), len(strengths), len(preset.energies))
    widths = {name: np.full(shape, np.nan) for name in ("width", "width_error")}
    lines = np.full((*shape, len(DETUNINGS)), np.nan)
    for i, w in enumerate(strengths):
        for j, size in enumerate(preset.energies):
            found = correlations(preset, size, w, store, workers)
            for k, mean in enumerate((_of_averages, _of_each)):
                lines[k, i, j] = mean(found)
                here = jackknife(lambda s, mean=mean: half(mean(s)), found)
                scale = (size + 2) ** 2
                widths["width"][k, i, j], widths["width_error"][k, i, j] = here.value / scale, here.error / scale
    dims = ("kind", "disorder", "size")
    energy = xr.Dataset(
        {name: (dims, values) for name, values in widths.items()} | {"f": ((*dims, "detuning"), lines)},
        coords={
            "kind": kinds,
            "disorder": strengths,
            "size": list(preset.energies),
            "detuning": list(DETUNINGS),
        },
    )
    energy["realizations"] = "size", list(preset.energies.values())
    return {"space": space, "energy": energy}


def _of_averages(samples: np.ndarray) -> np.ndarray:
    """The average over cubes, divided by that at equal energies."""
    return samples.mean(axis=0) / samples[:, 0].mean()


def _of_each(samples: np.ndarray) -> np.ndarray:
    """The mean over cubes of every cube's own share."""
    return (samples / samples[:, :1]).mean(axis=0)


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) c(r)/c(1) of the averages, (b) typical, (c) the Thouless energy against L0."""
    figure, panels = canvas(1, 3)
    space, energy = tables["space"], tables["energy"]
    for axes, kind in zip(panels[:2], space["kind"].values, strict=True):
        for i, w in enumerate(space["disorder"].values):
            for mark, size in zip("os^D", space["size"].values, strict=False):
                one = space.sel(kind=kind, disorder=w, size=size).dropna("r")
                label = f"W = {w:g}" if size == space["size"].values[-1] else None
                style = {"fmt": f"{mark}-", "ms": 3, "lw": 0.7, "color": f"C{i}"}
                dots(axes, one["r"], one["c"], one["c_error"], label=label, **style)
        fine = np.geomspace(1, space["r"].values[-1], 30)
        axes.plot(fine, 1 / fine, "k--", lw=0.8, label="~ 1/r")
        axes.set(xscale="log", yscale="log", xlabel="distance $r$ along the cube", ylabel="$c(r)/c(1)$")
        axes.set(ylim=(1e-10 if kind == "averages" else 1e-7, 5))
        axes.legend(loc="lower left")
    for i, w in enumerate(energy["disorder"].values):
        for kind, mark, fill in zip(energy["kind"].values, "os", (f"C{i}", "none"), strict=True):
            one = energy.sel(kind=kind, disorder=w)
            style = {"fmt": f"{mark}-", "ms": 4, "lw": 0.7, "color": f"C{i}", "mfc": fill}
            dots(panels[2], one["size"], one["width"], one["width_error"], label=f"W = {w:g}, {kind}", **style)
    sizes = energy["size"].values.astype(float)
    top = float(energy["width"].max())
    for power, dash in ((-2, "--"), (-3, ":")):
        panels[2].plot(sizes, top * (sizes / sizes[0]) ** power, f"k{dash}", lw=0.8, label=f"$L_0^{{{power}}}$")
    panels[2].set(xscale="log", yscale="log", xlabel="$L_0$", ylabel="energy difference at which f = 1/2")
    low, high = panels[2].get_ylim()
    panels[2].set_ylim(low / 20, high)
    panels[2].set_xticks(sizes, labels=[f"{size:g}" for size in sizes])
    panels[2].minorticks_off()
    panels[2].legend(loc="lower left", ncols=2)
    lettered(panels, ("of the averages", "typical cubes", "Thouless energy"))
    counts = [
        ", ".join(f"{int(n)} at {s}" for s, n in zip(t["size"].values, t["realizations"].values, strict=True))
        for t in (space, energy)
    ]
    what = "E = 0, (a, b) leads (3, 1); (c) wires $(L_0 + 2) L_0^2$, leads (1, 1)"
    headline(
        figure,
        f"{space.attrs['preset']} preset: correlated scattering states, {what}"
        f"\nrealizations of each W at $L_0$: (a, b) {counts[0]} (marks o, s, ^); (c) {counts[1]}",
    )
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """c at some distances and the widths, with the powers of L0 between neighbouring sizes."""
    lines, space, energy = [], tables["space"], tables["energy"]
    for kind in space["kind"].values:
        for w in space["disorder"].values:
            for size in space["size"].values:
                one = space.sel(kind=kind, disorder=w, size=size).dropna("r")
                far = [r for r in (2, 4, size // 2, size - 1) if r < size]
                pairs = [(r, float(one["c"].sel(r=r)), float(one["c_error"].sel(r=r))) for r in far]
                told = ", ".join(f"{value:.3g}({error:.2g}) at {r}" for r, value, error in pairs)
                lines.append(f"c(r)/c(1), {kind}, W = {w:g}, L0 = {size}: {told}")
    for kind in energy["kind"].values:
        for w in energy["disorder"].values:
            one = energy.sel(kind=kind, disorder=w)
            told = ", ".join(
                f"{float(one['width'].sel(size=s)):.4g}({float(one['width_error'].sel(size=s)):.2g}) at {s}"
                for s in one["size"].values
            )
            sizes, width = one["size"].values, one["width"].values
            powers = np.diff(np.log(width)) / np.diff(np.log(sizes))
            errors = np.hypot(*[(one["width_error"] / one["width"]).values[k:][: len(powers)] for k in (0, 1)])
            errors = errors / np.diff(np.log(sizes))
            slopes = ", ".join(f"{p:.2f}({e:.2f})" for p, e in zip(powers, errors, strict=True))
            lines.append(f"Thouless energy, {kind}, W = {w:g}: {told}; powers {slopes}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
