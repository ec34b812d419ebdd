"""Beyond the paper, 1: noise on every so many sites: when does an excitation spread faster than with one noisy site?"""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import UNITS, averaged
from matplotlib.figure import Figure
from numpy.typing import NDArray
from presets import PRESETS, Preset

from tnness.records.style import canvas, dots, headline, lettered, ribbon
from tnness.study.collect import collect
from tnness.study.scripts import script
from tnness.study.statistics import jackknife

EXCESS = 1.5
"""R over that with one noisy site at which an excitation counts as delocalised."""


def places(n: int, spacing: int) -> tuple[int, ...]:
    """The noisy sites: every `spacing`-th, the middle one among them; with spacing 0 only that."""
    middle = n // 2 - 1
    return tuple(range(middle % spacing, n, spacing)) if spacing else (middle,)


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """R(t) for every spacing, in the same potentials, and delocalisation times; spacing 0 is one noisy site."""
    (n,) = preset.many.n
    spacings, found, each = (0, *preset.spacings), [], []
    for spacing in spacings:
        sites = places(n, spacing)
        found.append(averaged(preset.many, "rms_displacement", store, workers, site=sites))
        place = store / preset.many.folder("gaussian", site=sites)
        whole = collect(place, variables=["rms_displacement"], certificate=False)["rms_displacement"]
        each.append(whole.isel(n=0, disorder=0).transpose("realization", "time").values)
    times = found[0]["time"].values
    late = [jackknife(lambda a, b: departure(times, a.mean(axis=0), b.mean(axis=0)), one, each[0]) for one in each]
    table = xr.concat(found, xr.DataArray(list(spacings), dims="spacing", name="spacing"), combine_attrs="override")
    table["departure"] = "spacing", [float(one.value) for one in late]
    table["departure_error"] = "spacing", [float(one.error) for one in late]
    return {"spacing": table}


def departure(times: NDArray[np.float64], more: NDArray[np.float64], alone: NDArray[np.float64]) -> float:
    """The time at which R exceeds that with one noisy site by `EXCESS`, between times on a logarithm; NaN if never."""
    ratio = more / alone
    beyond = np.flatnonzero(ratio > EXCESS)
    if not beyond.size or beyond[0] == 0:
        return float("nan")
    k = beyond[0]
    return float(np.exp(np.interp(EXCESS, ratio[k - 1 : k + 1], np.log(times[k - 1 : k + 1]))))


def powers(curve: xr.DataArray) -> xr.DataArray:
    """d ln R / d ln t over windows of half a decade: central differences of the times' logarithms."""
    logs = np.log(curve["time"].values)
    width = max(round(0.25 * np.log(10) / (logs[1] - logs[0])), 1)
    rise = np.log(curve.values[2 * width :] / curve.values[: -2 * width]) / (logs[2 * width :] - logs[: -2 * width])
    return xr.DataArray(rise, coords={"time": curve["time"].values[width:-width]})


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) R, (b) its local power, (c) the delocalisation time."""
    figure, (left, middle, right) = canvas(1, 3)
    table = tables["spacing"]
    n, w = table["n"].values[0], table["disorder"].values[0]
    for number, spacing in enumerate(table["spacing"].values):
        here = table.sel(spacing=spacing).isel(n=0, disorder=0)
        label = f"every {spacing}" if spacing else "one site"
        color = f"C{number - 1}" if spacing else "k"
        ribbon(left, here["time"], here["value"], here["error"], color=color, label=label)
        local = powers(here["value"])
        middle.plot(local["time"], local, color=color)
    left.axhline(np.sqrt(np.mean((np.arange(n) - (n // 2 - 1)) ** 2) / 4), color="grey", ls=":", lw=0.8)
    left.set(xscale="log", yscale="log", xlabel=r"time $t$ [$1/J$]", ylabel="displacement $R$ [sites]")
    left.legend(loc="lower right", ncols=2)
    middle.axhline(0.5, color="grey", ls="--", lw=0.8)
    middle.set(xscale="log", xlabel=r"time $t$ [$1/J$]", ylabel=r"$d \ln R / d \ln t$", ylim=(0, None))
    some = table.isel(spacing=slice(1, None))
    dots(right, some["spacing"], some["departure"], some["departure_error"], fmt="o")
    right.set(
        yscale="log",
        xlabel=r"distance of noisy sites $\ell$",
        ylabel=rf"time at which $R = {EXCESS:g} R_{{\rm one}}$ [$1/J$]",
    )
    lettered((left, middle, right), ("dotted: evenly spread", "dashed: diffusion", "delocalisation"))
    how = f"L = {n}, W = {w:g}, exact average over the noise, {UNITS}"
    told = f"noise on every so many sites: {how}; {table.attrs['realizations']} realizations of the disorder"
    headline(figure, f"{table.attrs['preset']} preset: {told}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """The largest power of every spacing, and the delocalisation times with the slope of their logarithm."""
    table, lines = tables["spacing"], []
    for spacing in table["spacing"].values:
        local = powers(table["value"].sel(spacing=spacing).isel(n=0, disorder=0)).sel(time=slice(10, None))
        late = [float(table[name].sel(spacing=spacing)) for name in ("departure", "departure_error")]
        told = f"delocalised at t = {late[0]:.3g}({late[1]:.2g})" if spacing else "one noisy site"
        at = float(local["time"][int(local.argmax("time"))])
        lines.append(
            f"spacing {spacing}: {told}; largest power of t beyond 10: {float(local.max()):.3f} (t = {at:.2g})"
        )
    known = table["departure"].isel(spacing=slice(1, None)).dropna("spacing")
    for first, second in zip(known["spacing"].values[:-1], known["spacing"].values[1:], strict=True):
        rise = np.log(float(known.sel(spacing=second) / known.sel(spacing=first))) / (second - first)
        lines.append(f"ln t rises by {rise:.3f} a site from {first} to {second}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
