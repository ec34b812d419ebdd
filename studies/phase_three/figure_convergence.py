"""How far the numbers of phase III depend on bond dimension, time step, time and the size of delta."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from points import Point, entropy, middle, opened, run
from presets import PRESETS, Preset

from tnness import TEBD, evolve, find
from tnness.records.style import GUIDE, canvas, headline, lettered
from tnness.study.scripts import script

LENGTH, SPACING, COUNT = 12, 8.0, 16
"""Of the relaxation that is drawn: sites, and times."""
QUANTITIES = (("deviation", "o-", r"$\Delta S$"), ("information", "s--", "$I$"))
"""How both quantities are drawn."""


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """One row per point: what was varied, and both quantities; and one relaxation against time."""
    varied = {"chi": preset.chis, "dt": preset.steps, "delta": preset.deltas}
    points = [point for several in varied.values() for point in several]
    run(points, store, workers)
    rows = [(kind, point, opened(point, store)) for kind, several in varied.items() for point in several]
    table = {
        "varied": [kind for kind, _, _ in rows],
        "n": [point.n for _, point, _ in rows],
        "value": [float(getattr(point, kind)) for kind, point, _ in rows],
        "deviation": [entropy(found) / scale(point) for _, point, found in rows],
        "information": [middle(found) / scale(point) for _, point, found in rows],
        "reference": [reference(point, store) for _, point, _ in rows],
    }
    return xr.Dataset({name: ("point", values) for name, values in table.items()}).merge(relaxation())


def scale(point: Point) -> float:
    """delta^2 of a point at finite delta; second order is per delta^2 already."""
    return 1.0 if point.delta is None else point.delta**2


def reference(point: Point, store: Path) -> float:
    """I / delta^2 at order delta^2 for a point at finite delta, else NaN."""
    if point.delta is None:
        return float("nan")
    second = Point(n=point.n, p1=point.p1, p2=point.p2, chi=point.chi, dt=point.dt, tolerance=point.tolerance)
    run([second], store)
    return middle(opened(second, store))


def relaxation() -> xr.Dataset:
    """Both quantities against time from local equilibrium."""
    model = find("replica-abc")(n=LENGTH, order="second")
    times = SPACING * np.arange(1, COUNT + 1)
    found = evolve(model, times.tolist(), engine=TEBD(chi=64, dt=1.6), initial="identity").dataset
    half = found["mutual_information"].values[:, LENGTH // 2 - 1]
    return xr.Dataset(
        {"deviation_in_time": ("time", found["entropy_deviation"].values), "information_in_time": ("time", half)},
        coords={"time": times},
    )


def draw(dataset: xr.Dataset) -> Figure:
    """Four panels."""
    figure, panels = canvas(2, 2)
    kinds = (("chi", r"$1/\chi$"), ("dt", "time step (order 4)"), ("delta", r"$\delta$"))
    titles = []
    for axes, (kind, label) in zip(panels, kinds, strict=False):
        here = dataset.isel(point=np.flatnonzero(dataset["varied"] == kind))
        lengths = sorted(set(here["n"].values.tolist()))
        for number, n in enumerate(lengths):
            some = here.isel(point=np.flatnonzero(here["n"] == n)).sortby("value")
            x = 1 / some["value"] if kind == "chi" else some["value"]
            best = -1 if kind == "chi" else 0
            for k, (name, line, mean) in enumerate(QUANTITIES):
                base = some[name].values[best]
                if kind == "delta" and name == "information":
                    base = some["reference"].values[0]
                style = {"color": f"C{2 * number + k}", "label": f"{mean}, L = {n}"}
                axes.plot(x, 100 * (some[name] / base - 1), line, ms=4, **style)
        axes.axhline(0, **GUIDE)
        axes.set(xlabel=label, ylabel="change [%]")
        axes.legend()
        titles.append(f"L = {' and '.join(map(str, lengths))}")
    axes, times = panels[-1], dataset["time"].values
    for name, line, mean in QUANTITIES:
        values = dataset[f"{name}_in_time"].values
        axes.semilogy(times[:-1], np.abs(values[:-1] / values[-1] - 1), line, ms=3, label=mean)
    rate = (np.pi / (LENGTH + 1)) ** 2
    axes.semilogy(times[:-1], np.exp(-rate * times[:-1]), "k:", lw=0.9, label=r"$e^{-(\pi/(L+1))^2 t}$")
    axes.set(xlabel="time $t$", ylabel=rf"$|O(t) / O({times[-1]:g}) - 1|$")
    axes.legend()
    lettered(panels, (*titles, rf"L = {LENGTH}, $\chi$ = 64, relaxation"))
    what = r"phase III at $p_1 = p_2 = 1/2$; changes against the best value of each panel"
    headline(figure, f"{dataset.attrs['preset']} preset: {what}")
    return figure


def tell(dataset: xr.Dataset) -> str:
    """Both quantities at every point."""
    line = "{varied} = {value:g} at L = {n}: Delta S {deviation:.5f}, I {information:.5f} ({reference:.5f})"
    names = ("varied", "n", "value", "deviation", "information", "reference")
    return "\n".join(
        line.format(**{name: dataset[name].values[k] for name in names}) for k in range(dataset.sizes["point"])
    )


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell, name="convergence")
