"""Delta S / delta^2 and I / delta^2 of phase III against the length of the chain."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from points import Point, entropy, error, middle, opened, run
from presets import PRESETS, Preset
from theory import claimed, limit, truncated

from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script

FIT_FROM = 12
"""Shortest chain in the extrapolations."""


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Both quantities at every (p1, p2) and length, with the certificates' errors and outcomes."""
    points = [point for sizes in preset.sizes for point in sizes.points()]
    run(points, store, workers)
    rows = [row(point, store) for point in points]
    return xr.Dataset({name: ("point", [r[name] for r in rows]) for name in rows[0]})


def row(point: Point, store: Path) -> dict[str, float | str]:
    """What one record says."""
    found = opened(point, store)
    two = truncated(point.n, point.p1, point.p2)
    return {
        "n": point.n,
        "p1": point.p1,
        "p2": point.p2,
        "chi": point.chi if found.attrs["engine"] == "tebd" else 0,
        "deviation": entropy(found),
        "deviation_error": error(found, "entropy_deviation"),
        "information": middle(found),
        "information_error": error(found, "mutual_information"),
        "two_point_deviation": two.entropy_deviation,
        "two_point_information": float(two.mutual_information[(point.n - 1) // 2 if point.n % 2 else point.n // 2 - 1]),
        "truncation": float(found["certificate_truncation"]),
        "time": float(found.attrs["evolution_time"]),
        "cpu_seconds": float(found.attrs["cpu_seconds"]),
        "outcome": str(found.attrs["outcome"]),
    }


def group(dataset: xr.Dataset, p1: float, p2: float) -> xr.Dataset:
    """The even lengths of one ensemble of gates, by length (an odd chain has no two halves)."""
    chosen = (dataset["p1"] == p1) & (dataset["p2"] == p2) & (dataset["n"] % 2 == 0)
    return dataset.isel(point=np.flatnonzero(chosen)).sortby("n")


def ensembles(dataset: xr.Dataset) -> list[tuple[float, float]]:
    """The (p1, p2) there are, in their order."""
    return list(dict.fromkeys(zip(dataset["p1"].values.tolist(), dataset["p2"].values.tolist(), strict=True)))


def extrapolated(dataset: xr.Dataset, name: str) -> tuple[float, float]:
    """The limit of long chains and its uncertainty.

    Fits in 1/L and in 1/L, 1/L^2 through the lengths from FIT_FROM on; the limit is their mean. The uncertainty is half
    their difference plus the largest numerical error.
    """
    long = dataset.isel(point=np.flatnonzero(dataset["n"] >= FIT_FROM))
    n, values = long["n"].values.astype(float), long[name].values
    if len(n) < 4:
        return np.nan, np.nan
    linear, quadratic = limit(n, values)[0], limit(n, values, (1.0, 2.0))[0]
    numerical = float(long[f"{name}_error"].max())
    return (linear + quadratic) / 2, abs(linear - quadratic) / 2 + numerical


def draw(dataset: xr.Dataset) -> Figure:
    """Both quantities against 1/L: measured, the paper's asymptotes, two-point functions only."""
    figure, (left, right) = canvas(1, 2)
    for number, (p1, p2) in enumerate(ensembles(dataset)):
        here, colour = group(dataset, p1, p2), f"C{number}"
        n = here["n"].values.astype(float)
        dense = np.geomspace(n.min(), 200, 60)
        panels = zip((left, right), ("deviation", "information"), claimed(dense, p1, p2), strict=True)
        for axes, name, formula in panels:
            label = f"$p_1$ = {p1:g}, $p_2$ = {p2:g}"
            dots(axes, 1 / n, here[name], here[f"{name}_error"], fmt="o-", color=colour, label=label)
            axes.plot(1 / n, here[f"two_point_{name}"], "s:", ms=3, lw=0.9, mfc="none", color=colour)
            axes.plot(1 / dense, formula, "--", lw=0.9, color=colour)
            value, uncertainty = extrapolated(here, name)
            if np.isfinite(value):
                dots(axes, [0], [value], [uncertainty], fmt="d", ms=5, color=colour, clip_on=False)
    left.set(ylabel=r"$\Delta S / \delta^2$ [nat]", ylim=(0, 3.4))
    right.set(ylabel=r"$I(L/2 : L/2) / \delta^2$ [nat]", ylim=(0, 1.05))
    left.legend(loc="upper left")
    meanings = (
        ({"color": "k", "ls": "--"}, "paper, (38) and (39)"),
        ({"color": "k", "ls": ":", "marker": "s", "ms": 3, "mfc": "none"}, "two-point functions only"),
        ({"color": "k", "ls": "", "marker": "d", "ms": 5}, f"fits in $1/L$ from L = {FIT_FROM}"),
    )
    handles = [right.plot([], [], lw=0.9, **style, label=label)[0] for style, label in meanings]
    right.legend(handles=handles, loc="upper left")
    for axes in (left, right):
        axes.set(xlabel="$1/L$", xlim=(-0.005, 0.26))
    lettered((left, right), ("entropy deviation", "mutual information of the halves"))
    lengths = f"L = {int(dataset['n'].min())} to {int(dataset['n'].max())}"
    how = rf"exact (L = 4) and TEBD with $\chi$ up to {int(dataset['chi'].max())}"
    top = rf"phase III, order $\delta^2$, {lengths}, {how}; $E[\rho \otimes \rho]$ itself, no disorder average"
    headline(figure, f"{dataset.attrs['preset']} preset: {top}")
    return figure


def report(dataset: xr.Dataset) -> str:
    """The numbers as a table, and the limits."""
    lines = ["   L    p1    p2  chi  Delta S/delta^2      I/delta^2        claimed          cpu s  outcome"]
    for k in range(dataset.sizes["point"]):
        r = {name: dataset[name].values[k] for name in dataset.data_vars}
        one, two = claimed(np.array(float(r["n"])), r["p1"], r["p2"])
        lines.append(
            f"{r['n']:4d} {r['p1']:5.2f} {r['p2']:5.2f} {r['chi']:4d}"
            f"  {r['deviation']:.4f}({r['deviation_error']:.4f})  {r['information']:.4f}({r['information_error']:.4f})"
            f"  {one:.4f} {two:.4f}  {r['cpu_seconds']:6.0f}  {r['outcome']}"
        )
    for p1, p2 in ensembles(dataset):
        here = group(dataset, p1, p2)
        limits = [extrapolated(here, name) for name in ("deviation", "information")]
        told = ", ".join(f"{value:.3f} +- {uncertainty:.3f}" for value, uncertainty in limits)
        lines.append(f"L -> infinity at p1 = {p1:g}, p2 = {p2:g}: Delta S, I = {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, report, name="sizes")
