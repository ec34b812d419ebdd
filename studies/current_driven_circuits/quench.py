"""Entropy production after a quench (Sec. III E): pure product states between reservoirs at infinite temperature."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness import Record, evolve, find
from tnness.records.style import GUIDE, canvas, dots, headline, lettered
from tnness.study.point import Setting
from tnness.study.scripts import script, swept

PHASES = {"I": (0.0, 0.5), "II": (1.0, 0.0), "III": (0.5, 0.5)}
"""p1 and p2 of the density matrices."""
QUIET = {"m_left": 0.0, "m_right": 0.0, "negativity": False, "initial": "neel"}


def sparse(setting: Setting) -> Record:
    """From particles on every fourth site: far from the reservoirs' density over the whole chain."""
    start = "product:" + "".join("0" if i % 4 == 1 else "1" for i in range(setting.model.n))  # level 0 is the particle
    return evolve(setting.model, setting.job.ask.times or (), engine=setting.engine, seed=setting.seed, initial=start)


def times(preset: Preset) -> tuple[list[float], list[float]]:
    """Of the Gaussian circuits, to their relaxation, and of the density matrices."""
    long = np.geomspace(1.0, 0.5 * preset.quench.gaussian**2, 24)
    return long.tolist(), np.geomspace(0.5, preset.quench.end, 20).tolist()


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Entropies against time: long Gaussian chains from a Neel state; short ones from it, and from few particles."""
    quench, (long, short) = preset.quench, times(preset)
    n, count = quench.gaussian, quench.realizations[0]
    about = QUIET | {"n": n}
    gaussian = swept(
        "random-circuit",
        {"p1": (0.0, 1.0)},
        store / f"quench_n={n}",
        parameters=about,
        realizations=count,
        engine="gaussian",
        times=long,
        workers=workers,
    )
    found = {"gaussian": over_circuits(gaussian["entropy"]).rename(p1="gates", time="time_long")}
    found["gaussian"] = found["gaussian"].assign_coords(gates=["I", "II"])
    found["exchanged"] = xr.DataArray(exchanged(n, long), dims="time_long")
    for start, measure in (("neel", None), ("sparse", sparse)):
        each = []
        for p1, p2 in PHASES.values():
            swept_here = swept(
                "random-circuit",
                {"p1": (p1,)},
                store / f"quench_{start}_n={quench.dense}_p2={p2:g}",
                parameters=QUIET | {"n": quench.dense, "p2": p2},
                realizations=quench.realizations[1],
                engine="exact",
                times=short,
                measure=measure,
                workers=workers,
            ).isel(p1=0, drop=True)
            names = ("entropy", "entropy_deviation")
            each.append(xr.concat([over_circuits(swept_here[k]) for k in names], "what", coords="minimal"))
        found[start] = xr.concat(each, "phase").rename(time="time_short")
    table = xr.Dataset(found).assign_coords(
        time_long=long, time_short=short, phase=list(PHASES), what=["entropy", "deviation"]
    )
    about = {"n_long": n, "n_short": quench.dense, "realizations": quench.realizations}
    return table.assign_attrs(about)


def over_circuits(values: xr.DataArray) -> xr.DataArray:
    """Mean over the circuits and its standard error, on a new axis, in bits."""
    error = values.std("realization", ddof=1) / np.sqrt(values.sizes["realization"])
    return xr.concat([values.mean("realization"), error], "stat", coords="minimal").assign_coords(
        stat=["mean", "error"]
    ) / np.log(2)


def exchanged(n: int, at: list[float]) -> list[float]:
    """Average number of spins that came from the reservoirs: the bits of entropy of phase I, exactly."""
    walk = find("random-circuit")(n=n, m_left=0.5, m_right=0.5)  # reservoirs of particles into an empty chain
    return [float(walk.mean_density(np.zeros(n), round(t * (n + 1))).sum()) for t in at]


def powers(t: np.ndarray, s: np.ndarray, low: float, high: float) -> float:
    """d ln S / d ln t between two values of S."""
    part = (s > low) & (s < high)
    return float(np.polyfit(np.log(t[part]), np.log(s[part]), 1)[0])


def draw(table: xr.Dataset) -> Figure:
    """Long Gaussian chains; short ones from a Neel state; short ones from few particles with local equilibrium."""
    figure, panels = canvas(1, 3)
    left, middle, right = panels
    n, short = table.attrs["n_long"], table.attrs["n_short"]
    t = table["time_long"].values
    for number, phase in enumerate(("I", "II")):
        here = table["gaussian"].sel(gates=phase)
        style = {"fmt": "os"[number], "color": f"C{number}", "label": f"phase {phase}"}
        dots(left, t, here.sel(stat="mean"), here.sel(stat="error"), **style)
    left.loglog(t, table["exchanged"], "k-", lw=0.8, label="spins exchanged: I, exactly")
    root = np.minimum(2 * np.sqrt(2 * t / np.pi), n)
    left.loglog(t, root, "--", color="grey", lw=0.8, label=r"$2\sqrt{4Dt/\pi}$, D = 1/2")
    left.axhline(n, **GUIDE)
    t = table["time_short"].values
    for number, phase in enumerate(PHASES):
        gates = "$p_1$ = {:g}, $p_2$ = {:g}".format(*PHASES[phase])
        style = {"fmt": "o-", "ms": 3, "lw": 0.8, "color": f"C{number}", "label": f"{phase}: {gates}"}
        for axes, start in ((middle, "neel"), (right, "sparse")):
            here = table[start].sel(phase=phase, what="entropy")
            dots(axes, t, here.sel(stat="mean"), here.sel(stat="error"), **style)
    local = table["sparse"].sel(phase=phase, stat="mean").sum("what")
    right.plot(t, local, "k--", lw=0.9, label="local equilibrium, all phases")
    for axes in (middle, right):
        axes.set(xscale="log", ylim=(0, 1.5 * short))
        axes.axhline(short, **GUIDE)
    for axes in panels:
        axes.set(xlabel="time $t$", ylabel="entropy $S$ [bit]")
    left.legend(loc="lower right")
    middle.legend(loc="upper left")
    right.legend(loc="upper left")
    starts = f"L = {short}, density matrices, Néel state", f"L = {short}, particles on every fourth site"
    lettered(panels, (f"L = {n}, Gaussian, Néel state", *starts))
    one, other = table.attrs["realizations"]
    what = f"reservoirs at m = 0, von Neumann entropy; {one} circuits in (a), {other} in (b), (c); dotted: S = L"
    headline(figure, f"{table.attrs['preset']} preset: {what}")
    return figure


def tell(table: xr.Dataset) -> str:
    """Powers of time."""
    lines = []
    for phase in ("I", "II"):
        s = table["gaussian"].sel(gates=phase, stat="mean").values
        power = powers(table["time_long"].values, s, 4, 20)
        lines.append(f"L = {table.attrs['n_long']}, {phase}: S ~ t^{power:.3f}, 4 to 20 bits")
    for phase in PHASES:
        s = table["neel"].sel(phase=phase, what="entropy", stat="mean").values
        power = powers(table["time_short"].values, s, 1, 5)
        lines.append(f"L = {table.attrs['n_short']}, {phase}: S ~ t^{power:.3f}, 1 to 5 bits")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
