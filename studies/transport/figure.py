"""Diffusion constant, noise and gap of XXZ chains with dephasing: driven at the ends, and by linear response."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from chain import DephasedXXZ, current
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from presets import PRESETS, Preset
from scipy.interpolate import CubicSpline

from tnness import TEBD, Correlation, Counting, Exact, Modes
from tnness.engines.protocol import Engine
from tnness.operators.reading import written_operator
from tnness.records.style import GUIDE, canvas, dots, headline, lettered
from tnness.study.scripts import script, swept

CHAIN = f"{Path(__file__).with_name('chain.py')}:DephasedXXZ"
DEPHASING = 2.0
"""Of all chains; without interaction D = 4 J^2 / dephasing = 2 J, and the correlation of currents is 8 exp(-4 t)."""
TIMES = tuple(np.linspace(0, 2, 41).round(10).tolist())
"""Times of the correlation of currents; short chains feel their ends before the last, where the longest counts."""
TOLERANCE = 1e-3
DRIVEN = ("v:", "o-", "^--")
"""Marks and lines of the rates of the contacts."""


def engine_of(chi: int) -> Engine:
    """The engine of a bond dimension; 0: exact."""
    return TEBD(chi=chi) if chi else Exact()


def asked(lengths: Mapping[int, int], deltas: tuple[float, ...], store: Path, workers: int, **about: Any) -> xr.Dataset:
    """A table over (n, delta, ...): one sweep per length, as bond dimensions and operators depend on it."""
    grid = {"delta": list(deltas), **about.pop("grid", {})}
    question_at = about.pop("question_at", lambda n: None)
    tables = []
    for n, chi in lengths.items():
        table = swept(
            CHAIN,
            grid,
            store / f"n{n}_chi{chi}",
            engine=engine_of(chi),
            workers=workers,
            question=question_at(n),
            **{**about, "parameters": {"n": n, **about["parameters"]}},
        )
        table = table.isel(realization=0, drop=True)
        tables.append(reduced(table).expand_dims(n=[n]))
    return xr.concat(tables, "n", data_vars="all", coords="minimal", compat="override", join="outer").drop_attrs()


def reduced(table: xr.Dataset) -> xr.Dataset:
    """What the figure needs of a table."""
    if "z" in table:
        n = table.sizes["site"]
        inner = np.arange(n)[1:-1] if n < 8 else np.arange(n)[n // 4 : n - n // 4]
        slope = (table["z"].isel(site=inner[0]) - table["z"].isel(site=inner[-1])) / (len(inner) - 1)
        flow = table["current"].isel(bond=n // 2 - 1)
        uncertain = table.get("z_error", xr.zeros_like(table["z"])).fillna(0.0).max("site")
        further = table.get("current_error", xr.zeros_like(table["current"])).fillna(0.0).max("bond")
        error = (2 * uncertain / (len(inner) - 1) / slope + further / flow) * flow / slope
        return xr.Dataset({"driven": flow / slope, "driven_error": error, "cpu_seconds": table["cpu_seconds"]})
    if "connected_real" in table:
        along = table["connected_real"].sum("first").isel(second=0).transpose("time", ...)
        uncertain = table.get("connected_real_error", xr.zeros_like(table["connected_real"])).fillna(0.0)
        uncertain = uncertain.sum("first").isel(second=0)
        whole = CubicSpline(TIMES, along.values).antiderivative()(TIMES)
        at, dims = whole.argmax(axis=0), along.isel(time=0).dims
        so_far = uncertain.transpose("time", ...).cumulative_integrate("time").values
        return xr.Dataset(
            {
                "response": (dims, whole.max(axis=0)),
                "response_error": (dims, np.take_along_axis(so_far, at[None], 0)[0]),
                "reached": (dims, np.array(TIMES)[at]),
                "last": (dims, whole[-1]),
                "in_time": (along.dims, whole),
                "cpu_seconds": table["cpu_seconds"],
            },
            {"time": list(TIMES)},
        )
    names = ("rate", "candidate", "fano")
    kept = {name: table[name] for name in (*names, "rate_error", "fano_error", "cpu_seconds") if name in table}
    return xr.Dataset({name: of.isel(mode=0) if "mode" in of.dims else of for name, of in kept.items()})


def currents_of(n: int) -> Correlation:
    """The correlations of all currents with that of the middle."""
    spaces = DephasedXXZ(n=n).problem().spaces
    texts = [written_operator(current(bond), spaces) for bond in range(n - 1)]
    return Correlation(first=tuple(texts), second=(texts[n // 2 - 1],))


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """The tables of the figure, by name."""
    fixed = {"dephasing": DEPHASING}
    found = {}
    common: dict[str, Any] = {"deltas": preset.deltas, "workers": workers}
    found["driven"] = asked(
        preset.driven,
        store=store / "driven",
        parameters=fixed | {"mu": 0.1},
        grid={"gamma": list(preset.gammas)},
        tolerance=TOLERANCE,
        **common,
    )
    found["response"] = asked(
        preset.response,
        store=store / "response",
        parameters=fixed | {"mu": 0.0},
        question_at=currents_of,
        times=TIMES,
        tolerance=TOLERANCE,
        **common,
    )
    found["noise"] = asked(
        preset.noise,
        store=store / "noise",
        parameters=fixed | {"mu": 1.0},
        question_at=lambda n: Counting(points=6),
        tolerance=TOLERANCE,
        **common,
    )
    found["gap"] = asked(
        preset.gap, store=store / "gap", parameters=fixed | {"mu": 0.0}, question_at=lambda n: Modes(count=1), **common
    )
    return found


def contacts(gamma: float) -> float:
    """The length that both contacts add to the n - 1 bonds of the chain without interaction: exact there."""
    return 4 * (2 / gamma + gamma / 8) / DEPHASING


def draw(tables: Mapping[str, xr.Dataset]) -> Figure:
    """Four panels: the diffusion constant, linear response in time, the Fano factor, the gap."""
    figure, panels = canvas(2, 2)
    diffusion, in_time, noise, gap = panels
    driven, response = tables["driven"], tables["response"]
    for number, delta in enumerate(driven["delta"].values):
        colour = {"color": f"C{number}"}
        for gamma, style in zip(driven["gamma"].values, DRIVEN, strict=False):
            here = driven.sel(delta=delta, gamma=gamma)
            dots(diffusion, 1 / here["n"], here["driven"], here["driven_error"], fmt=style, **colour)
        here = response.sel(delta=delta)
        dots(diffusion, 1 / here["n"], here["response"], here["response_error"], fmt="s", mfc="none", ms=7, **colour)
        diffusion.plot(1 / here["n"].values[-1], here["last"].values[-1], "x", ms=6, **colour)
        for length, line in zip(here["n"].values[::-1], ("-", "--", ":"), strict=False):
            values = here["in_time"].sel(n=length)
            in_time.plot(values["time"], values, line, lw=1, **colour)
        fano = tables["noise"].sel(delta=delta)
        dots(noise, 1 / fano["n"], fano["fano"], fano["fano_error"], fmt="o-", label=rf"$\Delta$ = {delta:g}", **colour)
        rates = tables["gap"].sel(delta=delta)
        length = rates["n"] - 1 + contacts(1.0)
        gap.plot(1 / rates["n"], rates["rate"] * length**2 / np.pi**2, "o-", **colour)
        gap.plot(0, here["last"].values[-1], "x", ms=6, clip_on=False, **colour)
    times = response["time"].values
    free = 4 / DEPHASING * (1 - np.exp(-2 * DEPHASING * times))
    in_time.plot(times, free, "k.", ms=3, label=r"$\Delta$ = 0, endless chain")
    for axes, height in ((diffusion, 4 / DEPHASING), (gap, 4 / DEPHASING), (noise, 1 / 3)):
        axes.axhline(height, **GUIDE)
        axes.set(xlabel="1/n", xlim=(-0.01, 0.36))
    diffusion.set(ylabel="D [J]", ylim=(0.8, 2.08))
    deltas = [Line2D([], [], color=f"C{k}", label=rf"$\Delta$ = {of:g}") for k, of in enumerate(driven["delta"].values)]
    shapes = [
        Line2D([], [], color="0.3", marker=style[0], ls=style[1:], label=rf"driven, $\gamma$ = {gamma:g}")
        for gamma, style in zip(driven["gamma"].values, DRIVEN, strict=False)
    ]
    shapes.append(Line2D([], [], color="0.3", marker="s", mfc="none", ms=7, ls="", label="linear response, largest"))
    shapes.append(Line2D([], [], color="0.3", marker="x", ms=6, ls="", label=f"the same at t = {TIMES[-1]:g}"))
    diffusion.legend(handles=[*deltas, *shapes], fontsize=6, ncols=2, loc="lower left")
    in_time.set(xlabel="time $t$ [1/J]", ylabel="D(t) [J]")
    lines = [
        Line2D([], [], color="0.3", ls=line, lw=1, label=f"n = {length}")
        for length, line in zip(response["n"].values[::-1], ("-", "--", ":"), strict=False)
    ]
    in_time.legend(handles=[*deltas, *lines, *in_time.get_legend_handles_labels()[0]], fontsize=6, ncols=2)
    noise.set(ylabel="noise / mean")
    noise.legend()
    gap.set(ylabel=r"rate $(n - 1 + \ell)^2 / \pi^2$ [J]")
    titles = (
        r"diffusion constant; dots: 4 $J^2$/dephasing",
        r"$D(t) = \int_0^t \sum_k \langle j_k(s)\, j(0) \rangle\, ds$",
        r"Fano factor at $\mu$ = 1; dots: 1/3",
        "gap; crosses: D of linear response",
    )
    lettered(panels, titles)
    lengths = [int(n) for table in tables.values() for n in table["n"].values]
    about = f"XXZ chains with dephasing {DEPHASING:g}, no disorder, n = {min(lengths)} to {max(lengths)}"
    headline(figure, f"{driven.attrs['preset']} preset: {about}; $\\gamma$: rate of the contacts, 1 in (c, d)")
    return figure


def report(tables: Mapping[str, xr.Dataset]) -> str:
    """The numbers as text."""
    lines = []
    for name, table in tables.items():
        shown = [of for of in ("driven", "response", "reached", "last", "fano", "rate", "candidate") if of in table]
        frame = table[[of for name in shown for of in (name, f"{name}_error") if of in table]]
        lines += [name, str(frame.to_dataframe().round(6)), f"CPU seconds: {float(table['cpu_seconds'].sum()):.0f}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, report, name="transport")
