"""(26) in the circuit itself: the speed of operator fronts against p1 and p2; and their absorption at the ends, Fig. 3.

One pair a_up a_dn in the middle of the chain, as in figure_front.py. A front needs a time D/v^2 to leave diffusion
behind: the speed is read in the later half of the times before the first 0.5 % of the weight is at the ends.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from figure_front import DIFFUSION, REACHED, spread
from matplotlib.figure import Figure
from theory import within

from tnness.errors import InputError
from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Fronts under several ensembles of gates, and pairs that are lost at the ends."""

    gates: tuple[tuple[float, float], ...]  # (p1, p2)
    n: int
    end: float
    chis: tuple[int, int]  # the speed is that of the second; the first tells how much truncation does
    absorbed: tuple[int, ...]  # lengths of the chains whose pairs are lost
    late: float  # last time of those, in units of L / (2 v)


SMALL_P2 = tuple((0.5, p2) for p2 in (0.05, 0.1, 0.2, 0.5))
SMALL_P1 = tuple((p1, 0.5) for p1 in (0.02, 0.05, 0.1, 0.2))
BOTH = ((0.1, 0.1), (0.2, 0.2))
PRESETS = {
    "quick": Scan(gates=(*SMALL_P2, *SMALL_P1, *BOTH), n=32, end=22.0, chis=(24, 36), absorbed=(8, 12, 16), late=3.0),
    "long": Scan(
        gates=((0.5, 0.02), *SMALL_P2, (0.01, 0.5), *SMALL_P1, *BOTH),
        n=64,
        end=60.0,
        chis=(48, 96),
        absorbed=(8, 16, 24),
        late=3.0,
    ),
}
COUNT = 27
PHASES = {"III": (0.5, 0.5), "II": (0.5, 0.0)}
"""Whose pairs are followed until they are lost."""


def speeds(times: np.ndarray, shares: np.ndarray) -> tuple[float, float]:
    """Speed and diffusivity of the right ends in the later half of the times before the ends are reached."""
    sites = np.arange(1, shares.shape[1])
    weight = np.diff(shares, axis=1) / shares[:, -1:]
    mean = weight @ sites
    variance = weight @ sites**2 - mean**2
    reached = np.flatnonzero(weight[:, -2:].sum(axis=1) >= REACHED)
    last = times[reached[0] - 1] if reached.size else times[-1]
    window = (times >= last / 2) & (times <= last)
    if window.sum() < 3:
        return np.nan, np.nan
    drift, spreading = (float(np.polyfit(times[window], moment[window], 1)[0]) for moment in (mean, variance))
    return drift, spreading / 2


def scale(p1: np.ndarray, p2: np.ndarray) -> np.ndarray:
    """v^2 of (26) without its factor: D min(sqrt(p1 p2), p2)."""
    return DIFFUSION * np.minimum(np.sqrt(p1 * p2), p2)


def data(preset: Scan, store: Path, workers: int = 0) -> dict[str, xr.Dataset]:
    """Speeds at both bond dimensions, what truncation adds to the weight, and the weight left in short chains."""
    times = np.linspace(0, preset.end, COUNT)
    found = np.empty((2, len(preset.gates), 3))
    for j, chi in enumerate(preset.chis):
        for k, (p1, p2) in enumerate(preset.gates):
            shares = spread(preset.n, p1, p2, times, chi)
            found[j, k] = (*speeds(times, shares), shares[COUNT // 2, -1])
    names = ("speed", "diffusivity", "kept")
    table = {name: (("chi", "gates"), found[..., i]) for i, name in enumerate(names)}
    table |= {name: ("gates", [gate[i] for gate in preset.gates]) for i, name in enumerate(("p1", "p2"))}
    fronts = xr.Dataset(table, coords={"chi": list(preset.chis)}, attrs={"n": preset.n, "end": preset.end})
    speed = float(fronts["speed"].isel(chi=1, gates=preset.gates.index(PHASES["III"])))
    if not np.isfinite(speed):
        raise InputError(f"n = {preset.n}: fronts meet the ends before their speed is read; a longer chain is needed")
    clock = np.linspace(0, preset.late, COUNT)  # t in units of L / (2 v), v that of phase III
    left = np.array(
        [
            [spread(n, *gates, clock * n / (2 * speed), preset.chis[1])[:, -1] for n in preset.absorbed]
            for gates in PHASES.values()
        ]
    )
    dims = ("phase", "length", "clock")
    coordinates = {"phase": list(PHASES), "length": list(preset.absorbed), "clock": clock}
    ends = xr.Dataset({"left": (dims, left)}, coords=coordinates, attrs={"speed": speed})
    ends.attrs["diffusivity"] = float(fronts["diffusivity"].isel(chi=1, gates=preset.gates.index(PHASES["III"])))
    return {"fronts": fronts, "ends": ends}


def expected(n: int, clock: np.ndarray, speed: float, diffusivity: float) -> np.ndarray:
    """Weight left of a pair in the middle if both its ends are walks, and the first at its reservoir takes both."""
    time, way = np.maximum(clock, 1e-9) * n / (2 * speed), np.full_like(clock, n / 2)
    return within(way, way, time, speed, diffusivity) ** 2


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) v^2 against (26), (b) v^2 by powers of p1 and p2, (c) what is left of a pair."""
    figure, (left, middle, right) = canvas(1, 3)
    fronts, ends = tables["fronts"], tables["ends"]
    p1, p2 = fronts["p1"].values, fronts["p2"].values
    v = fronts["speed"].isel(chi=1).values
    spread_of = np.abs(np.diff(fronts["speed"].values, axis=0)[0])
    families = {
        "$p_1$ = 1/2": p1 == 0.5,
        "$p_2$ = 1/2": (p2 == 0.5) & (p1 != 0.5),
        "$p_1 = p_2$": (p1 == p2) & (p1 != 0.5),
    }
    guess = scale(p1, p2)
    for k, (label, chosen) in enumerate(families.items()):
        style = {"fmt": "os^"[k], "ms": 4, "color": f"C{k}", "label": label}
        dots(left, guess[chosen], v[chosen] ** 2, 2 * v[chosen] * spread_of[chosen], **style)
    fine = np.geomspace(guess.min(), guess.max(), 20)
    left.plot(fine, float(np.median(v**2 / guess)) * fine, "k--", lw=0.8, label=f"{np.median(v**2 / guess):.2f} x")
    left.set(xscale="log", yscale="log", xlabel=r"$D\,\min(\sqrt{p_1 p_2}, p_2)$", ylabel="$v^2$")
    for k, (label, chosen, varied, power) in enumerate(
        (("$p_2$ varied", p1 == 0.5, p2, 1.0), ("$p_1$ varied", p2 == 0.5, p1, 0.5))
    ):
        order = np.argsort(varied[chosen])
        x, y = varied[chosen][order], v[chosen][order] ** 2
        middle.plot(x, y, "os"[k] + "-", ms=4, color=f"C{k}", label=label)
        middle.plot(x, y[-1] * (x / x[-1]) ** power, "--", lw=0.8, color=f"C{k}", label=f"power {power:g}")
    middle.set(xscale="log", yscale="log", xlabel="$p$, the other 1/2", ylabel="$v^2$")
    clock = ends["clock"].values
    for k, n in enumerate(ends["length"].values):
        for phase, style in (("III", "-"), ("II", "--")):
            label = f"L = {n}" if phase == "III" else None
            right.plot(clock, ends["left"].sel(phase=phase, length=n), style, color=f"C{k}", label=label)
        walks = expected(int(n), clock, ends.attrs["speed"], ends.attrs["diffusivity"])
        right.plot(clock, walks, ":", color=f"C{k}", lw=1.0)
    right.set(xlabel="time, in $L/2v$", ylabel="weight left of the pair", ylim=(0, None))
    for axes, ticks in ((left, (0.03, 0.05, 0.1, 0.2)), (middle, (0.02, 0.05, 0.1, 0.2, 0.5))):
        axes.set_xticks(ticks, labels=[f"{x:g}" for x in ticks])
        axes.set_yticks((0.02, 0.05, 0.1, 0.2), labels=["0.02", "0.05", "0.1", "0.2"])
        axes.minorticks_off()
        axes.legend(loc="upper left")
    right.legend(loc="upper right")
    lettered((left, middle, right), ("fronts", "two powers", "full III, dashed II, dotted walks"))
    n, chi = fronts.attrs["n"], fronts["chi"].values
    what = rf"averaged spreading of one operator pair; (a, b) L = {n}, $\chi$ = {chi[1]}, bars: to {chi[0]}"
    headline(figure, f"{fronts.attrs['preset']} preset: {what}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """The speeds with the change from the smaller bond dimension, local powers, and times at which half is left."""
    lines, fronts, ends = [], tables["fronts"], tables["ends"]
    for k in range(fronts.sizes["gates"]):
        one = fronts.isel(gates=k)
        first, v = one["speed"].values
        ratio = v**2 / float(scale(one["p1"].values, one["p2"].values))
        told = f"v = {v:.3f} (other chi {first:.3f}), diffusivity {float(one['diffusivity'][1]):.3f}"
        kept = f"weight in the middle of the times {float(one['kept'][1]):.3f}"
        lines.append(f"p1 = {float(one['p1']):g}, p2 = {float(one['p2']):g}: {told}, v^2/(26) = {ratio:.2f}, {kept}")
    p1, p2, v = fronts["p1"].values, fronts["p2"].values, fronts["speed"].isel(chi=1).values
    for name, chosen, varied in (("p2", p1 == 0.5, p2), ("p1", p2 == 0.5, p1)):
        order = np.argsort(varied[chosen])
        x, y = varied[chosen][order], v[chosen][order] ** 2
        powers = np.diff(np.log(y)) / np.diff(np.log(x))
        told = ", ".join(f"{p:.2f} ({a:g} to {b:g})" for p, a, b in zip(powers, x[:-1], x[1:], strict=True))
        lines.append(f"power of {name} in v^2: {told}")
    for phase in ends["phase"].values:
        for n in ends["length"].values:
            curve, clock = ends["left"].sel(phase=phase, length=n).values, ends["clock"].values
            falling = np.maximum.accumulate(curve[::-1])  # from the last time on
            at = float(np.interp(0.5, falling, clock[::-1], left=np.nan)) * n / (2 * ends.attrs["speed"])
            lines.append(f"phase {phase}, L = {n}: half is left at t = {at:.1f}; {curve[-1]:.4f} at the last time")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell, name="scan")
