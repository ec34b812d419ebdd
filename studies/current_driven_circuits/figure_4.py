"""Fig. 4: how Delta S and I grow with the length along three cuts through the phase diagram."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import PresetOption, StoreOption, preset_named, save
from matplotlib.figure import Figure
from points import STORE, solve
from presets import Preset
from tqdm import tqdm

CLAIMED = {"deviation": {"I": 1.0, "II": 1.0, "III": -1.0}, "information": {"I": 3.0, "II": 1.0, "III": -2.0}}
"""Powers of L that the paper gives deep in each phase: (29), (36), (38), (39); I close to phase I as in (52)."""


def data(preset: Preset, store: Path) -> xr.Dataset:
    """Delta S / delta^2 and I / delta^2 at both lengths of every cut."""
    rows = []
    for cut in preset.cuts:
        for pair in tqdm(cut.points(), desc=cut.name):
            for point in pair:
                answer = solve(point, store)
                rows.append((cut.name, cut.varied, point.n, point.p1, point.p2, point.chi, *vars(answer).values()))
    names = ("cut", "varied", "n", "p1", "p2", "chi", "deviation", "information", "outcome")
    table = {name: ("point", list(column)) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return xr.Dataset(table, attrs={"preset": preset.name})


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


def main(preset: PresetOption = "quick", store: StoreOption = STORE) -> None:
    """Compute what is missing, print the exponents and draw the figure."""
    dataset = data(preset_named(preset), store)
    for cut in dict.fromkeys(dataset["cut"].values.tolist()):
        print(cut)
        for name in ("deviation", "information"):
            x, slope = exponents(dataset, cut, name)
            print(f"  {name:12s}", "  ".join(f"{a:.3g}: {b:+.2f}" for a, b in zip(x, slope, strict=True)))
    save(draw(dataset), dataset, "figure_4")


if __name__ == "__main__":
    typer.run(main)
