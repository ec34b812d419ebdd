"""Von Neumann entropies of drawn circuits of phase III: no replica, and no expansion in delta.

Every point is a time average over one circuit, by the whole density matrix; the mean over circuits has the error of
their spread.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from points import Point, entropy, middle, opened, run
from theory import claimed

from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script, swept

DELTAS = (0.2, 0.4, 1.0)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Circuits of some lengths at p1 = p2 = 1/2."""

    name: str
    circuits: dict[int, int]  # length -> number of circuits
    deltas: tuple[float, ...] = DELTAS  # differences of magnetisation
    gates: int = 60  # gates of each circuit, in units of (n + 1)^2; the first fifth is left out


PRESETS = {
    "quick": Drawn(name="quick", circuits={4: 16, 6: 16, 8: 8}),
    "paper": Drawn(name="paper", circuits={4: 96, 6: 96, 8: 48, 10: 16}),
}
NAMES = ("entropy_deviation", "relative_entropy", "leading_entropy_deviation")
CUT = ("mutual_information", "leading_mutual_information")


def data(preset: Drawn, store: Path, workers: int = 0) -> xr.Dataset:
    """Means over circuits and their standard errors, per delta^2: (n, delta)."""
    columns: dict[str, list[list[float]]] = {}
    for n, count in preset.circuits.items():
        for name, values in averages(n, count, preset, store, workers).items():
            columns.setdefault(name, []).append(values)
    coords = {"n": list(preset.circuits), "delta": list(preset.deltas)}
    table = xr.Dataset({name: (("n", "delta"), values) for name, values in columns.items()}, coords)
    exact = [Point(n=n, p1=0.5, p2=0.5, chi=0 if n <= 4 else 216) for n in preset.circuits if n <= 8]
    run(exact, store)
    limits = {point.n: (entropy(found), middle(found)) for point in exact for found in [opened(point, store)]}
    for number, name in enumerate(("deviation", "information")):
        values = [limits[n][number] if n in limits else np.nan for n in preset.circuits]
        table[f"replica_{name}"] = ("n", values)
    table["circuits"] = ("n", list(preset.circuits.values()))
    return table


def averages(n: int, count: int, preset: Drawn, store: Path, workers: int) -> dict[str, list[float]]:
    """The means of one length and their errors, per delta^2, along delta."""
    gates = preset.gates * (n + 1) ** 2
    settings: dict[str, Any] = {"n": n, "p1": 0.5, "p2": 0.5, "steps": gates, "every": (n + 1) * n}
    columns: dict[str, list[float]] = {}
    for delta in preset.deltas:
        table = swept(
            "random-circuit",
            {"m_left": [delta / 2], "m_right": [-delta / 2]},
            store / f"drawn_n={n}_delta={delta:g}",
            parameters=settings | {"negativity": False},
            realizations=count,
            engine="exact",
            workers=workers,
        ).isel(m_left=0, m_right=0)
        for name in (*NAMES, *CUT):
            values = (table[name] if name in NAMES else table[name].isel(cut=0)).values / delta**2
            columns.setdefault(name, []).append(float(values.mean()))
            columns.setdefault(f"{name}_error", []).append(float(values.std(ddof=1) / np.sqrt(count)))
    return columns


def draw(table: xr.Dataset) -> Figure:
    """Delta S and I per delta^2 against the length."""
    figure, (left, right) = canvas(1, 2)
    n = table["n"].values
    dense = np.linspace(n.min(), n.max(), 50)
    panels = (left, "entropy_deviation", "deviation"), (right, "mutual_information", "information")
    for (axes, name, limit), formula in zip(panels, claimed(dense, 0.5, 0.5), strict=True):
        for number, delta in enumerate(table["delta"].values):
            here, color = table.sel(delta=delta), f"C{number}"
            label = rf"drawn, $\delta$ = {delta:g}"
            dots(axes, n, here[name], here[f"{name}_error"], fmt="o-", color=color, label=label)
        axes.plot(n, table[f"replica_{limit}"], "kd--", ms=4, lw=0.9, label=r"replica, order $\delta^2$")
        axes.plot(dense, formula, "k:", label="paper, (38) or (39)")
        axes.set(xlabel="length $L$", xticks=n)
    left.set(ylabel=r"$\Delta S / \delta^2$ [nat]", ylim=(0, 3.4))
    right.set(ylabel=r"$I(L/2 : L/2) / \delta^2$ [nat]", ylim=(0, 1.0))
    left.legend(loc="upper right", ncols=2)
    lettered((left, right), ("entropy deviation", "mutual information of the halves"))
    pairs = zip(n, table["circuits"].values, strict=True)
    circuits = ", ".join(f"{int(count)} at L = {length}" for length, count in pairs)
    what = f"phase III, $p_1$ = $p_2$ = 1/2, von Neumann entropies; circuits: {circuits}"
    headline(figure, f"{table.attrs['preset']} preset: {what}")
    return figure


def report(table: xr.Dataset) -> str:
    """The numbers, a line for each length and delta."""
    lines = ["  L  delta  Delta S/delta^2   relative entropy  leading        I/delta^2        leading"]
    for n in table["n"].values:
        for delta in table["delta"].values:
            at = table.sel(n=n, delta=delta)
            told = [
                f"{float(at[k]):.4f}({float(at[k + '_error']):.4f})"
                for k in ("entropy_deviation", "relative_entropy", "leading_entropy_deviation", *CUT)
            ]
            lines.append(f"{n:3d} {delta:6.2g}  " + "  ".join(told))
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, report, name="drawn")
