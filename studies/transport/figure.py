"""Diffusion constant, noise and gap of XXZ chains with dephasing: driven at the ends, and by linear response."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer
import xarray as xr
from chain import DephasedXXZ, current
from matplotlib.figure import Figure
from presets import FIGURES, PRESETS, STORE, Preset, PresetOption
from scipy.interpolate import CubicSpline

from tnness import TEBD, Correlation, Counting, Exact, Modes
from tnness.engines.protocol import Engine
from tnness.operators.reading import written_operator
from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save, swept

CHAIN = f"{Path(__file__).with_name('chain.py')}:DephasedXXZ"
DEPHASING = 2.0
"""Of all chains; without interaction D = 4 J^2 / dephasing = 2 J, and the correlation of currents is 8 exp(-4 t)."""
TIMES = tuple(np.linspace(0, 2, 41).round(10).tolist())
"""Times of the correlation of currents: until it is gone, and before the ends are felt."""
TOLERANCE = 1e-3


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
        return xr.Dataset(
            {
                "response": (along.isel(time=0).dims, whole[-1]),
                "response_error": uncertain.integrate("time"),
                "in_time": (along.dims, whole),
                "cpu_seconds": table["cpu_seconds"],
            }
        )
    names = ("rate", "candidate", "fano")
    kept = {name: table[name] for name in (*names, "rate_error", "fano_error", "cpu_seconds") if name in table}
    return xr.Dataset({name: of.isel(mode=0) if "mode" in of.dims else of for name, of in kept.items()})


def currents_of(n: int) -> Correlation:
    """The correlations of all currents with that of the middle."""
    spaces = DephasedXXZ(n=n).problem().spaces
    texts = [written_operator(current(bond), spaces) for bond in range(n - 1)]
    return Correlation(first=tuple(texts), second=(texts[n // 2 - 1],))


def data(preset: Preset, store: Path = STORE, workers: int = 0) -> dict[str, xr.Dataset]:
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
    return {name: table.assign_attrs(preset=preset.name) for name, table in found.items()}


def contacts(gamma: float) -> float:
    """The length that both contacts add to the n - 1 bonds of the chain without interaction: exact there."""
    return 4 * (2 / gamma + gamma / 8) / DEPHASING


def draw(tables: Mapping[str, xr.Dataset]) -> Figure:
    """Four panels: the diffusion constant, correlations of currents, the Fano factor, the gap."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    (diffusion, decay), (noise, gap) = figure.subplots(2, 2)
    driven, response = tables["driven"], tables["response"]
    for number, delta in enumerate(driven["delta"].values):
        colour = f"C{number}"
        for gamma, style in zip(driven["gamma"].values, ("v:", "o-", "^--"), strict=False):
            here = driven.sel(delta=delta, gamma=gamma)
            label = rf"$\Delta$ = {delta:g}, driven, contacts {gamma:g}"
            diffusion.errorbar(
                1 / here["n"], here["driven"], here["driven_error"], fmt=style, color=colour, ms=4, lw=0.9, label=label
            )
        here = response.sel(delta=delta)
        diffusion.errorbar(
            1 / here["n"],
            here["response"],
            here["response_error"],
            fmt="s",
            mfc="none",
            color=colour,
            ms=8,
            label=rf"$\Delta$ = {delta:g}, linear response",
        )
        for length, style in zip(here["n"].values, (":", "--", "-"), strict=False):
            values = here["in_time"].sel(n=length)
            decay.plot(TIMES, values, style, color=colour, lw=1, label=rf"$\Delta$ = {delta:g}, n = {length}")
        fano = tables["noise"].sel(delta=delta)
        noise.errorbar(1 / fano["n"], fano["fano"], fano["fano_error"], fmt="o-", color=colour, ms=4)
        rates = tables["gap"].sel(delta=delta)
        length = rates["n"] - 1 + contacts(1.0)
        gap.plot(1 / rates["n"], rates["rate"] * length**2 / np.pi**2, "o-", color=colour, ms=4)
        gap.plot(0, here["response"].values[-1], "s", mfc="none", color=colour, ms=8, clip_on=False)
    for axes in (diffusion, gap):
        axes.axhline(4 / DEPHASING, color="0.7", lw=0.8, zorder=0)
        axes.set(xlabel="1/n", xlim=(-0.01, 0.36))
    diffusion.set(ylabel="D [J]", title=r"(a) diffusion constant; grey: 4 $J^2$/dephasing")
    diffusion.legend(fontsize=7, ncols=2)
    free = 4 / DEPHASING * (1 - np.exp(-2 * DEPHASING * np.array(TIMES)))
    decay.plot(TIMES, free, "k.", ms=3, label=r"$\Delta$ = 0, endless chain")
    decay.set(
        xlabel="time", ylabel="D(t) [J]", title=r"(b) linear response: $\int_0^t \sum_k \langle j_k(s) j(0) \rangle ds$"
    )
    decay.legend(fontsize=7, ncols=2)
    noise.axhline(1 / 3, color="0.7", lw=0.8, zorder=0)
    noise.set(xlabel="1/n", ylabel="noise / mean", title=r"(c) Fano factor at $\mu$ = 1; grey: 1/3", xlim=(0, 0.36))
    gap.set(
        ylabel=r"rate $\times (n - 1 + \ell)^2 / \pi^2$ [J]",
        title=r"(d) gap; $\ell$: contacts at $\Delta$ = 0; squares: D of (a)",
    )
    figure.suptitle(
        f"{driven.attrs['preset']} preset: XXZ chains with dephasing {DEPHASING:g}, no disorder; n = "
        f"{int(driven['n'].min())} to {int(driven['n'].max())}",
        fontsize=9,
    )
    return figure


def report(tables: Mapping[str, xr.Dataset]) -> str:
    """The numbers as text."""
    lines = []
    for name, table in tables.items():
        shown = [of for of in ("driven", "response", "fano", "rate", "candidate") if of in table]
        frame = table[[of for name in shown for of in (name, f"{name}_error") if of in table]]
        lines += [name, str(frame.to_dataframe().round(6)), f"CPU seconds: {float(table['cpu_seconds'].sum()):.0f}", ""]
    return "\n".join(lines)


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing, print the numbers, draw the figure."""
    tables = data(preset_named(PRESETS, preset), store, workers)
    typer.echo(report(tables))
    save(draw(tables), tables, FIGURES / f"transport_{preset}")


if __name__ == "__main__":
    typer.run(main)
