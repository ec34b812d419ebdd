"""Beyond the paper, 2: the strength of the noise: weak noise shakes little, strong noise holds the particle still."""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import averaged
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.records.style import canvas, headline, lettered, power_of_ten, ribbon, shade
from tnness.study.scripts import script

READ = (1e2, 1e4, 1e6)
"""The times at which R and the energy are read against the strength."""


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """R and the energy absorbed for every gamma, in the same potentials."""
    axis, tables = xr.DataArray(list(preset.gammas), dims="gamma", name="gamma"), {}
    for part, variable in (("displacement", "rms_displacement"), ("energy", "energy_absorbed")):
        found = [averaged(preset.strengths, variable, store, workers, gamma=gamma) for gamma in preset.gammas]
        tables[part] = xr.concat(found, axis, combine_attrs="override")
    return tables


def at(curve: xr.DataArray, time: float) -> xr.DataArray:
    """A curve at a time, between its points on a logarithm."""
    logs = curve.assign_coords(time=np.log(curve["time"].values))
    return logs.interp(time=np.log(time), kwargs={"fill_value": "extrapolate"})


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) R against time, (b) against gamma t and t/gamma, (c) R and energy at three times against gamma."""
    figure, (left, middle, right) = canvas(1, 3)
    table = tables["displacement"]
    n, w = table["n"].values[0], table["disorder"].values[0]
    gammas = table["gamma"].values
    for number, gamma in enumerate(gammas):
        here, color = table.sel(gamma=gamma).isel(n=0, disorder=0), shade(number, len(gammas))
        style = {"color": color, "label": rf"$\gamma$ = {gamma:g}"}
        ribbon(left, here["time"], here["value"], here["error"], **style)
        strong = gamma > 1
        scale = 1 / gamma if strong else gamma
        middle.plot(scale * here["time"], here["value"], color=color, ls="--" if strong else "-")
    for axes in (left, middle):
        axes.set(xscale="log", ylabel="displacement $R$ [sites]")
    left.set(xlabel=r"time $t$ [$1/J$]", ylim=(0, 1.5 * float(table["value"].max())))
    left.legend(loc="upper left", ncols=2)
    middle.set(xlabel=r"$\gamma t$ (full), $J^2 t/\gamma$ (dashed)", ylim=(0, None))
    for number, time in enumerate(READ):
        value = at(table["value"].isel(n=0, disorder=0), time)
        right.plot(gammas, value, "o-", color=f"C{number}", ms=4, label=f"t = {power_of_ten(int(time))}")
    right.set(xscale="log", xlabel=r"strength $\gamma$ [$J$]", ylabel="displacement $R$ [sites]", ylim=(0, None))
    right.legend(loc="lower center")
    lettered((left, middle, right), ("the same potentials", "against the rate of hops", "at three times"))
    how = f"L = {n}, W = {w:g}, exact average over the noise, $J = 1$"
    told = f"strength of the noise: {how}; {table.attrs['realizations']} realizations of the disorder"
    headline(figure, f"{table.attrs['preset']} preset: {told}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """R and the energy at three times, and the growth of both a unit of ln t, for every gamma."""
    lines = []
    for part, unit in (("displacement", "sites"), ("energy", "J")):
        table = tables[part].isel(n=0, disorder=0)
        for gamma in table["gamma"].values:
            here = table.sel(gamma=gamma)
            values = ", ".join(f"{float(at(here['value'], t)):.3f}({float(at(here['error'], t)):.3f})" for t in READ)
            slopes = ", ".join(
                f"{float(s):.3f}({float(e):.3f})"
                for s, e in zip(here["decade_slope"].values, here["decade_slope_error"].values, strict=True)
            )
            lines.append(f"{part} gamma = {gamma:g}: {values} {unit} at t = 1e2, 1e4, 1e6; by decade {slopes}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
