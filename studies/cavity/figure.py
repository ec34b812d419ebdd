"""The cavity of the supplement: a resonance, its two printed signs, and coherence that the current does not show."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tnness import steady_state
from tnness.records.style import GUIDE, canvas, headline, lettered
from tnness.study.collect import collect
from tnness.study.point import Setting
from tnness.study.scripts import script
from tnness.study.sweep import sweep
from tnness_models.cavity import Cavity

LINKS = {"quick": np.geomspace(0.02, 0.6, 12), "paper": np.geomspace(0.005, 0.6, 40)}
SHOWN, LEVELS = 0.15, (2, 5)
"""Link strength of panels (a) and (b), and the numbers of their levels."""


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
    found = xr.Dataset({"exact": ("place", exact.values), "detuning": ("place", (energies - level) / width)})
    for name, sign in (("corrected", 1.0), ("printed", -1.0)):
        found[name] = ("place", model.approximate(energies, levels - 1, sign))
    return found.assign(level=level, half_width=width)


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


def data(links: np.ndarray, store: Path, workers: int) -> xr.Dataset:
    """The shapes of two resonances, and of the first what depends on the links."""
    shapes = xr.concat([profile(levels) for levels in LEVELS], "levels")
    return scaling(links, store, workers).merge(shapes.assign_coords(levels=list(LEVELS)))


def draw(table: xr.Dataset) -> Figure:
    """Two resonances, the errors and widths, and the resonant state."""
    figure, panels = canvas(2, 2)
    for axes, levels in zip(panels[:2], table["levels"].values, strict=True):
        shape = table.sel(levels=levels)
        axes.plot(shape["detuning"], shape["exact"], "k-", lw=2, label="exact")
        axes.plot(shape["detuning"], shape["corrected"], "C0--", label=r"(S27), $\delta = \epsilon_k - \omega$")
        axes.plot(shape["detuning"], shape["printed"], "C1:", label=r"(S27) as printed, $\delta = \omega - \epsilon_k$")
        axes.axvline(0, **GUIDE)
        axes.set(xlabel=r"$(E - E_{\mathrm{level}}) / (A \sin k)$", ylabel=r"transmission $|t|^2$", ylim=(0, 1.45))
        axes.legend(loc="upper right")
    low, link = panels[2], table["link"]
    for name, style, label in (
        ("error_corrected", "C0o-", r"error of (S27), $\delta = \epsilon_k - \omega$"),
        ("error_printed", "C1o-", "error of (S27) as printed"),
    ):
        low.loglog(link, table[name], style, ms=3, lw=0.8, label=label)
    for name, style, label in (
        ("golden_rule", "C0s--", r"$A \sin k\, /\, \Gamma - 1$"),
        ("golden_rule_printed", "C1s--", r"$|A \sin^2 k\, /\, \Gamma - 1|$, (S28) as printed"),
    ):
        low.loglog(link, np.abs(table[name] / table["width"] - 1), style, ms=3, lw=0.8, label=label)
    low.set(xlabel=r"link $t_L = t_R$", ylabel="deviation from exact", ylim=(5e-5, 60))
    low.legend(loc="upper left")
    state = panels[3]
    for name, label in (
        ("coherence", r"coherence $|\psi_1^* \psi_2|$"),
        ("gradient", "density difference"),
        ("current", "current"),
    ):
        state.loglog(link, table[name], "o-", ms=3, lw=0.8, label=label)
    last = float(table["coherence"][0]) * float(link[0]) ** 2
    state.loglog(link, last / link**2, "k:", lw=0.8, label=r"$\propto t_L^{-2}$")
    state.set(xlabel=r"link $t_L = t_R$", ylabel="in that state")
    state.legend(loc="upper right")
    for axes in panels[2:]:
        axes.xaxis.set_minor_formatter(NullFormatter())
    tops = [rf"{n} levels, $E_{{\mathrm{{level}}}}$ = {float(table['level'].sel(levels=n)):.3f}" for n in LEVELS]
    lettered(panels, (*tops, r"2 levels; $\Gamma$: exact half width", "2 levels: state from the right, on resonance"))
    about = rf"cavity between two chains of hopping 1, no disorder; (a, b) $t_L = t_R$ = {SHOWN:g}"
    headline(figure, f"{table.attrs['preset']} preset: {about}")
    return figure


def tell(table: xr.Dataset) -> str:
    """What depends on the links."""
    return str(table.drop_dims(["place", "levels"]).to_dataframe())


if __name__ == "__main__":
    script(__file__, LINKS, data, draw, tell, name="cavity")
