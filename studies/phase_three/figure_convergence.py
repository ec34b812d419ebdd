"""How far the numbers of phase III depend on bond dimension, time step, time and the size of delta."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from matplotlib.figure import Figure
from points import STORE, Point, entropy, middle, opened, run
from presets import FIGURES, PRESETS, Preset, PresetOption

from tnness import TEBD, evolve, find
from tnness.study.scripts import StoreOption, preset_named, save

LENGTH, SPACING, COUNT = 12, 8.0, 16
"""Of the relaxation that is drawn: sites, and times."""


def data(preset: Preset, store: Path) -> xr.Dataset:
    """One row per point: what was varied, and both quantities; and one relaxation against time."""
    varied = {"chi": preset.chis, "dt": preset.steps, "delta": preset.deltas}
    points = [point for several in varied.values() for point in several]
    run(points, store)
    rows = [(kind, point, opened(point, store)) for kind, several in varied.items() for point in several]
    table = {
        "varied": [kind for kind, _, _ in rows],
        "n": [point.n for _, point, _ in rows],
        "value": [float(getattr(point, kind)) for kind, point, _ in rows],
        "deviation": [entropy(found) / scale(point) for _, point, found in rows],
        "information": [middle(found) / scale(point) for _, point, found in rows],
        "reference": [reference(point, store) for _, point, _ in rows],
    }
    dataset = xr.Dataset({name: ("point", values) for name, values in table.items()}, attrs={"preset": preset.name})
    return dataset.merge(relaxation()).assign_attrs(preset=preset.name)


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
    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    (top_left, top_right), (low_left, low_right) = figure.subplots(2, 2)
    for axes, kind, label in (
        (top_left, "chi", r"1/$\chi$"),
        (top_right, "dt", r"time step (order 4)"),
        (low_left, "delta", r"$\delta$"),
    ):
        here = dataset.isel(point=np.flatnonzero(dataset["varied"] == kind))
        for number, n in enumerate(sorted(set(here["n"].values.tolist()))):
            some = here.isel(point=np.flatnonzero(here["n"] == n)).sortby("value")
            x = 1 / some["value"] if kind == "chi" else some["value"]
            best = -1 if kind == "chi" else 0
            for name, marker, mean in (("deviation", "o-", r"$\Delta S$"), ("information", "s--", "I")):
                base = some[name].values[best]
                if kind == "delta" and name == "information":
                    base = some["reference"].values[0]
                axes.plot(x, 100 * (some[name] / base - 1), marker, ms=4, color=f"C{number}", label=f"{mean}, L = {n}")
        axes.axhline(0, color="grey", lw=0.7, ls=":")
        axes.set(xlabel=label, ylabel="change [%]")
        axes.legend(fontsize=7)
    times = dataset["time"].values
    for name, marker, mean in (("deviation", "o-", r"$\Delta S$"), ("information", "s--", "I")):
        values = dataset[f"{name}_in_time"].values
        low_right.semilogy(times[:-1], np.abs(values[:-1] / values[-1] - 1), marker, ms=3, label=mean)
    rate = (np.pi / (LENGTH + 1)) ** 2
    low_right.semilogy(times[:-1], np.exp(-rate * times[:-1]), "k:", lw=0.9, label=r"$e^{-(\pi/(L+1))^2 t}$")
    low_right.set(
        xlabel="time", ylabel=f"distance from the value at t = {times[-1]:g}", title=f"L = {LENGTH}, chi = 64"
    )
    low_right.legend(fontsize=7)
    figure.suptitle(
        f"{dataset.attrs['preset']} preset: phase III at p1 = p2 = 1/2, against the best value of each panel",
        fontsize=8,
    )
    return figure


def main(
    preset: PresetOption = "quick",
    store: StoreOption = STORE,
) -> None:
    """Compute what is missing and draw the figure."""
    dataset = data(preset_named(PRESETS, preset), store)
    for k in range(dataset.sizes["point"]):
        r = {
            name: dataset[name].values[k] for name in ("varied", "n", "value", "deviation", "information", "reference")
        }
        print(
            "{varied} = {value:g} at L = {n}: Delta S {deviation:.5f}, I {information:.5f} ({reference:.5f})".format(
                **r
            )
        )
    save(draw(dataset), {"": dataset}, FIGURES / f"convergence_{preset}", dpi=100)


if __name__ == "__main__":
    typer.run(main)
