"""The speed of operator fronts in the circuit itself, and what it predicts for Delta S and I.

At delta = 0 a pair a_up a_dn in the middle of the chain is evolved by the averaged replica. The purity of the first k
sites counts the strings that end within them: its growth with k shows where strings end.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr
from matplotlib.figure import Figure
from presets import HALF, OTHERS

from tnness import TEBD, ChainState, find
from tnness.model.protocol import generator_of
from tnness.records.style import canvas, headline, lettered, shade
from tnness.study.scripts import script
from tnness_models.replica import FIELDS, STATES, entropy_deviations, replica_spin


@dataclass(frozen=True, kw_only=True)
class Fronts:
    """One pair in the middle of a chain, under every ensemble of gates."""

    n: int  # sites; fronts must not reach the ends
    end: float  # last time
    chi: int


DIFFUSION = 0.5
"""Of the density, in bonds^2 a unit of time."""
SETTLED, REACHED = 2.0, 5e-3
"""First time of the fit of the speed, and the weight at the ends of the chain with which it stops."""

PRESETS = {"quick": Fronts(n=24, end=12.0, chi=32), "long": Fronts(n=48, end=26.0, chi=64)}


def choosing(
    preset: Fronts,
    *,
    n: Annotated[int | None, typer.Option(help="sites; fronts must not reach the ends")] = None,
    end: Annotated[float | None, typer.Option(help="last time")] = None,
    chi: Annotated[int | None, typer.Option(help="bond dimension")] = None,
) -> Fronts:
    """A preset with other numbers."""
    given = {"n": n, "end": end, "chi": chi}
    return replace(preset, **{name: value for name, value in given.items() if value is not None})


def seeded(n: int) -> ChainState:
    """The vacuum plus a_up a_dn on the two middle sites: (2^-n) 1 x 1 + the pair, as a state of bond dimension 2."""
    vacuum = replica_spin.vector(FIELDS[0])
    ends = {n // 2 - 1: STATES["a_up"], n // 2: STATES["a_dn"]}
    tensors = []
    for site in range(n):
        tensor = np.zeros((2, 6, 2))
        tensor[0, :, 0] = vacuum
        tensor[1, :, 1] = replica_spin.vector(ends[site]) if site in ends else vacuum
        tensors.append(tensor)
    tensors[0] = tensors[0].sum(axis=0, keepdims=True)
    tensors[-1] = tensors[-1].sum(axis=2, keepdims=True)
    return ChainState(tensors)


def spread(n: int, p1: float, p2: float, times: np.ndarray, chi: int) -> np.ndarray:
    """Share of the operator's weight that has its right end within the first k sites, k = 0..n: (time, n + 1)."""
    model = find("replica-abc")(n=n, p1=p1, p2=p2, m_left=0.0, m_right=0.0)
    run = TEBD(chi=chi, dt=0.8).init(generator_of(model), seeded(n))
    shares = []
    for time in times:
        while run.time < time:
            run.step(time)
        shares.append([0.0, *entropy_deviations(run.view(), [range(k) for k in range(1, n + 1)])])
    return np.array(shares) / shares[0][-1]


def speed(times: np.ndarray, shares: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Speed and diffusivity of the strings' right ends, and their mean place at every time.

    Slopes of the mean and of half the variance from SETTLED on, while less than REACHED of the weight ends on the last
    two sites: later the fastest strings are lost, and what is left is slow.
    """
    sites = np.arange(1, shares.shape[1])
    weight = np.diff(shares, axis=1) / shares[:, -1:]  # of the strings that end on a site
    mean = weight @ sites
    variance, ends = weight @ sites**2 - mean**2, mean - 0.5
    free = (times >= SETTLED) & (weight[:, -2:].sum(axis=1) < REACHED)
    if free.sum() < 2:
        return np.nan, np.nan, ends
    drift, spreading = (float(np.polyfit(times[free], moment[free], 1)[0]) for moment in (ends, variance))
    return drift, spreading / 2, ends


def data(preset: Fronts, store: Path, workers: int = 0) -> xr.Dataset:
    """Where strings end, and the speed, for every ensemble of gates."""
    gates, times = (HALF, *OTHERS), np.linspace(0, preset.end, 11)
    shares = np.array([spread(preset.n, p1, p2, times, preset.chi) for p1, p2 in gates])
    speeds, diffusivities, ends = zip(*(speed(times, each) for each in shares), strict=True)
    table = {
        "speed": ("gates", list(speeds)),
        "diffusivity": ("gates", list(diffusivities)),
        "ends": (("gates", "time"), np.array(ends)),
        "shares": (("gates", "time", "sites"), shares),
        "p1": ("gates", [p1 for p1, _ in gates]),
        "p2": ("gates", [p2 for _, p2 in gates]),
    }
    return xr.Dataset(table, coords={"time": times}, attrs={"n": preset.n, "chi": preset.chi})


def draw(table: xr.Dataset) -> Figure:
    """The mean right end of the strings against time; where strings end under the first gates."""
    figure, (left, right) = canvas(1, 2)
    n, times = table.attrs["n"], table["time"].values
    for k in range(table.sizes["gates"]):
        one = table.isel(gates=k)
        label = f"$p_1$ = {float(one['p1']):g}, $p_2$ = {float(one['p2']):g}: v = {float(one['speed']):.3f}"
        left.plot(times, one["ends"] - n / 2, "o-", ms=3, label=label)
    drawn = range(1, len(times), 2)
    for k in drawn:
        weight = table["shares"].isel(gates=0, time=k)
        right.plot(np.arange(n + 1) - n / 2, weight, color=shade(k, len(times)), label=f"t = {times[k]:g}")
    left.set(xlabel="time $t$", ylabel="mean right end of strings, from the middle [sites]")
    right.set(xlabel="$x$ [sites]", ylabel="weight of strings that end left of $x$")
    for axes in (left, right):
        axes.legend(loc="upper left")
    lettered((left, right), ("", "$p_1 = p_2 = 1/2$"))
    about = rf"averaged spreading of one operator pair, L = {n}, $\chi$ = {table.attrs['chi']}"
    headline(figure, f"{table.attrs['preset']} preset: {about}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The speeds, and what is left of the weight."""
    lines = []
    for k in range(table.sizes["gates"]):
        one = table.isel(gates=k)
        v, left = float(one["speed"]), float(one["shares"][-1, -1])
        gates = f"p1 = {float(one['p1']):g}, p2 = {float(one['p2']):g}"
        spread = f"diffusivity {float(one['diffusivity']):.3f}"
        scale = v**2 / (DIFFUSION * min(np.sqrt(float(one["p1"] * one["p2"])), float(one["p2"])))  # (26)
        told = f"v = {v:.3f}, {spread}, weight left {left:.3f}, 1/(2 v) = {1 / (2 * v):.3f}"
        lines.append(f"{gates}: {told}, v^2/(D min(sqrt(p1 p2), p2)) = {scale:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell, name="front", choose=choosing)
