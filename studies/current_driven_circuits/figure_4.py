"""Fig. 4: how Delta S and I grow with the length along three cuts through the phase diagram."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import STORE, PresetOption, StoreOption, WorkersOption, preset_named, save
from matplotlib.figure import Figure
from presets import Cut, Preset

from tnness import TEBD
from tnness.study.collect import STATES
from tnness.study.scripts import swept
from tnness_models.replica_solutions import phase_two

Row = tuple[str, str, int, float, float, int, float, float, str]


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Delta S / delta^2 and I / delta^2 at both lengths of every cut."""
    rows = [row for cut in preset.cuts for row in (closed(cut) if cut.chi == 0 else certified(cut, store, workers))]
    names = ("cut", "varied", "n", "p1", "p2", "chi", "deviation", "information", "outcome")
    table = {name: ("point", list(column)) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return xr.Dataset(table, attrs={"preset": preset.name})


def closed(cut: Cut) -> list[Row]:
    """The closed Gaussian equations, exactly proportional to delta^2."""
    rows = []
    for p1 in cut.values:
        for n in cut.lengths:
            values = phase_two(n, p1, 1.0, 0.0)
            deviation = 2 * np.trace(values) + 4 * np.triu(values, 1).sum()
            information = 4 * values[: n // 2, n // 2 :].sum()
            rows.append((cut.name, cut.varied, n, p1, 0.0, 0, float(deviation), float(information), "exact"))
    return rows


def certified(cut: Cut, store: Path, workers: int) -> list[Row]:
    """Steady states of the averaged replica."""
    other = "p2" if cut.varied == "p1" else "p1"
    found = swept(
        "replica-abc",
        {"n": cut.lengths, cut.varied: cut.values},
        store / f"replica_{other}={cut.fixed:g}_chi={cut.chi}",
        parameters={"order": "second", other: cut.fixed},
        engine=TEBD(chi=cut.chi, dt=1.6),
        workers=workers,
    ).isel(realization=0)
    rows = []
    for p in cut.values:
        for n in cut.lengths:
            here = found.sel({"n": n, cut.varied: p})
            gates = {cut.varied: p, other: cut.fixed}
            means = float(here["entropy_deviation"]), float(here["mutual_information"].values[n // 2 - 1])
            rows.append(
                (cut.name, cut.varied, n, gates["p1"], gates["p2"], cut.chi, *means, STATES[int(here["status"])])
            )
    return rows


def exponents(dataset: xr.Dataset, cut: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """p L^2 at the geometric mean of both lengths, and d ln O / d ln L between them."""
    here = dataset.isel(point=np.flatnonzero(dataset["cut"] == cut))
    n, p = here["n"].values, here[str(here["varied"].values[0])].values
    short, long = (np.flatnonzero(n == length) for length in (n.min(), n.max()))
    slope = np.log(here[name].values[long] / here[name].values[short]) / np.log(n.max() / n.min())
    return p[short] * n.min() * n.max(), slope


def draw(dataset: xr.Dataset) -> Figure:
    """One panel a cut: both exponents against p L^2."""
    cuts = list(dict.fromkeys(dataset["cut"].values.tolist()))
    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    for axes, cut in zip(figure.subplots(1, len(cuts)), cuts, strict=True):
        here = dataset.isel(point=np.flatnonzero(dataset["cut"] == cut))
        for name, marker, mean in (("deviation", "o-", r"$\Delta S$"), ("information", "s--", "I")):
            axes.semilogx(*exponents(dataset, cut, name), marker, ms=4, label=mean)
        for power in (-2, -1, 0, 1):
            axes.axhline(power, color="grey", lw=0.6, ls=":")
        lengths = " and ".join(str(n) for n in sorted(set(here["n"].values.tolist())))
        chi = int(here["chi"].max())
        how = "closed equations" if chi == 0 else f"TEBD, chi = {chi}"
        varied = str(here["varied"].values[0])
        axes.set(xlabel=f"${varied[0]}_{varied[1]} L^2$", title=f"{cut}\nL = {lengths}, {how}")
        axes.title.set_fontsize(8)
    figure.axes[0].set_ylabel("power of L")
    figure.axes[0].legend(fontsize=8)
    bad = int(np.sum(~np.isin(dataset["outcome"].values, ["exact", "converged"])))
    figure.suptitle(
        f"{dataset.attrs['preset']} preset: order delta^2, {bad} of {dataset.sizes['point']} points not converged",
        fontsize=8,
    )
    return figure


def main(preset: PresetOption = "quick", store: StoreOption = STORE, workers: WorkersOption = 0) -> None:
    """Compute what is missing, print the exponents and draw the figure."""
    dataset = data(preset_named(preset), store, workers)
    for cut in dict.fromkeys(dataset["cut"].values.tolist()):
        print(cut)
        for name in ("deviation", "information"):
            x, slope = exponents(dataset, cut, name)
            print(f"  {name:12s}", "  ".join(f"{a:.3g}: {b:+.2f}" for a, b in zip(x, slope, strict=True)))
    save(draw(dataset), dataset, "figure_4")


if __name__ == "__main__":
    typer.run(main)
