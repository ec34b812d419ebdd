"""Fig. 4: how Delta S and I grow with the length along three cuts through the phase diagram."""

import re
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Cut, Preset

from tnness import TEBD
from tnness.records.style import GUIDE, canvas, headline, lettered
from tnness.study.collect import STATES
from tnness.study.scripts import script, swept
from tnness_models.replica_solutions import phase_two

Row = tuple[str, str, int, float, float, int, float, float, str]


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Delta S / delta^2 and I / delta^2 at both lengths of every cut."""
    rows = [row for cut in preset.cuts for row in (closed(cut) if cut.chi == 0 else certified(cut, store, workers))]
    names = ("cut", "varied", "n", "p1", "p2", "chi", "deviation", "information", "outcome")
    table = {name: ("point", list(column)) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return xr.Dataset(table)


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


def draw(table: xr.Dataset) -> Figure:
    """One panel a cut: both exponents against p L^2."""
    cuts = list(dict.fromkeys(table["cut"].values.tolist()))
    figure, panels = canvas(1, len(cuts), sharey=True)
    titles = []
    for axes, cut in zip(panels, cuts, strict=True):
        here = table.isel(point=np.flatnonzero(table["cut"] == cut))
        for name, marker, mean in (("deviation", "o-", r"$\Delta S$"), ("information", "s--", "$I$")):
            axes.semilogx(*exponents(table, cut, name), marker, label=mean)
        for power in (-2, -1, 0, 1, 2, 3):
            axes.axhline(power, **GUIDE)
        varied, (short, long) = str(here["varied"].values[0]), sorted(set(here["n"].values.tolist()))
        chi = int(here["chi"].max())
        how = "closed equations" if chi == 0 else rf"TEBD, $\chi$ = {chi}"
        axes.set(xlabel=f"${varied[0]}_{varied[1]} L^2$")
        named = re.sub(r"p([12])", r"$p_\1$", cut)
        titles.append(f"{named}\nL = {short}, {long}, {how}")
    panels[0].set_ylabel("power of $L$")
    panels[0].legend(loc="upper right")
    lettered(panels, titles)
    bad = int(np.sum(~np.isin(table["outcome"].values, ["exact", "converged"])))
    what = rf"order $\delta^2$, {bad} of {table.sizes['point']} points not converged"
    headline(figure, f"{table.attrs['preset']} preset: {what}; dotted: whole powers")
    return figure


def tell(table: xr.Dataset) -> str:
    """The exponents of every cut."""
    lines = []
    for cut in dict.fromkeys(table["cut"].values.tolist()):
        lines.append(cut)
        for name in ("deviation", "information"):
            found = "  ".join(f"{a:.3g}: {b:+.2f}" for a, b in zip(*exponents(table, cut, name), strict=True))
            lines.append(f"  {name:12s} {found}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
