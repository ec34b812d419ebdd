"""The cavity of the supplement: a resonance, its two printed signs, and coherence that the current does not show."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tnness import steady_state
from tnness.study.collect import collect
from tnness.study.point import Setting
from tnness.study.scripts import StoreOption, WorkersOption, preset_named, preset_option, save
from tnness.study.sweep import sweep
from tnness_models.cavity import Cavity

FIGURES = Path(__file__).parent / "figures"
LINKS = {"quick": np.geomspace(0.02, 0.6, 12), "paper": np.geomspace(0.005, 0.6, 40)}
STORE = Path("runs") / "cavity"
PresetOption = preset_option(LINKS)
SHOWN = 0.15
"""Link strength of panels (a) and (b)."""


def drawn(levels: int, link: float, energies: np.ndarray | None = None) -> Cavity:
    """A clean cavity between equal links."""
    grid = None if energies is None else tuple(float(e) for e in energies)
    return Cavity(levels=levels, link_left=link, link_right=link, energies=grid).draw(np.random.default_rng(0))


def profile(levels: int) -> xr.Dataset:
    """Exact transmission next to the highest level, and (S27) with both signs."""
    model = drawn(levels, SHOWN)
    level, width = model.closed()[0][-1], model.golden_rule()[-1]
    energies = np.linspace(level - 6 * width, min(level + 6 * width, 1.999), 241)
    exact = steady_state(drawn(levels, SHOWN, energies)).dataset["transmission"]
    found = xr.Dataset({"exact": exact}).assign_coords(detuning=("energy", (energies - level) / width))
    for name, sign in (("corrected", 1.0), ("printed", -1.0)):
        found[name] = ("energy", model.approximate(energies, levels - 1, sign))
    return found.assign_attrs(levels=levels, link=SHOWN, level=level, width=width)


def resonance(setting: Setting) -> dict[str, float]:
    """Of two levels: the errors of (S27), widths, and what the resonant state of the upper one carries."""
    link = setting.values["link_left"]
    model = drawn(2, link)
    levels, _ = model.closed()
    golden = model.golden_rule()[1]
    near = levels[1] + golden * np.linspace(-3, 3, 61)
    exact = steady_state(drawn(2, link, near)).dataset
    pole = float(exact["resonance_position"][1])
    on = steady_state(drawn(2, link, np.array([pole]))).dataset
    return {
        "error_corrected": np.abs(model.approximate(near, 1) - exact["transmission"].values).max(),
        "error_printed": np.abs(model.approximate(near, 1, -1) - exact["transmission"].values).max(),
        "width": float(exact["resonance_width"][1]),
        "golden_rule": golden,
        "golden_rule_printed": golden * np.sqrt(1 - (levels[1] / 2) ** 2),  # A sin^2 k of (S28)
        "current": -float(on["state_current"][0]),
        "gradient": abs(float(on["state_gradient"][0])),
        "coherence": float(on["state_coherence"][0]),
    }


def scaling(links: np.ndarray, store: Path, workers: int) -> xr.Dataset:
    """All of that against the strength of both links."""
    points = [{"link_left": float(link), "link_right": float(link)} for link in links]
    folder = store / f"{links[0]:g}_to_{links[-1]:g}_{len(links)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep("cavity", points=points, store=folder, measure=resonance, workers=workers)
    table = collect(folder, certificate=False).isel(realization=0, drop=True)
    equal = xr.DataArray(np.arange(len(links)), dims="link")
    table = table.isel(link_left=equal, link_right=equal).drop_vars(["link_left", "link_right"])
    return table.drop_vars(["status", "seed", "cpu_seconds"]).drop_attrs().assign_coords(link=links)


def draw(shapes: list[xr.Dataset], data: xr.Dataset, preset: str) -> Figure:
    """Two resonances, the errors and widths, and the resonant state."""
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    for axes, shape, letter in zip(panels[:2], shapes, "ab", strict=True):
        axes.plot(shape["detuning"], shape["exact"], "k-", lw=2, label="exact")
        axes.plot(shape["detuning"], shape["corrected"], "C0--", label=r"(S27), $\delta = \epsilon_k - \omega$")
        axes.plot(shape["detuning"], shape["printed"], "C3:", label=r"(S27) as printed, $\delta = \omega - \epsilon_k$")
        axes.axvline(0, color="0.8", lw=0.6)
        title = rf"({letter}) {shape.attrs['levels']} levels, $t_L = t_R$ = {SHOWN:g}, level {shape.attrs['level']:.3f}"
        axes.set(xlabel=r"(E - level) / ($A \sin k$)", ylabel=r"$|t|^2$", title=title)
        axes.legend(fontsize=7)
    axes = panels[2]
    for name, style, label in (
        ("error_corrected", "C0o-", r"error of (S27), $\delta = \epsilon_k - \omega$"),
        ("error_printed", "C3o-", "error of (S27) as printed"),
    ):
        axes.loglog(data["link"], data[name], style, ms=3, lw=0.8, label=label)
    for name, style, label in (
        ("golden_rule", "C0s--", r"$A \sin k$ over the exact half width, less 1"),
        ("golden_rule_printed", "C3s--", r"$A \sin^2 k$ over the exact half width, less 1"),
    ):
        axes.loglog(data["link"], np.abs(data[name] / data["width"] - 1), style, ms=3, lw=0.8, label=label)
    axes.set(xlabel=r"link $t_L = t_R$", title="(c) two levels: transmission and width against exact")
    axes.legend(fontsize=7)
    axes = panels[3]
    for name, label in (
        ("coherence", r"coherence $|\psi_1^* \psi_2|$"),
        ("gradient", "density difference"),
        ("current", "current"),
    ):
        axes.loglog(data["link"], data[name], "o-", ms=3, lw=0.8, label=label)
    last = float(data["coherence"][0]) * float(data["link"][0]) ** 2
    axes.loglog(data["link"], last / data["link"] ** 2, "k:", lw=0.8, label=r"$t^{-2}$")
    axes.set(xlabel=r"link $t_L = t_R$", title="(d) two levels: the state from the right, on resonance")
    axes.legend(fontsize=7)
    for axes in panels[2:]:
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.suptitle(f"{preset} preset: cavity between two chains of hopping 1, no disorder", fontsize=9)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    data = scaling(preset_named(LINKS, preset), store, workers)
    save(draw([profile(2), profile(5)], data, preset), {"": data}, FIGURES / f"cavity_{preset}", dpi=88)
    print(data.to_dataframe())


if __name__ == "__main__":
    typer.run(main)
