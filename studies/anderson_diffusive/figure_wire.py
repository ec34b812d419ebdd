"""Ballistic and diffusive wires, and the interferometer (84)-(86): what a bias adds to the state, against length.

Halves of a wire of L x 4 x 4 sites, the whole correlation matrix, at zero temperature. The meters are connected to one
site of the slice L/4 and to one of the slice 3L/4, with a balanced beam splitter, in all 256 ways.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnness.engines.transfer import Transfer
from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.point import Setting
from tnness.study.scripts import script, swept
from tnness.study.statistics import average
from tnness_models.interferometer import ports

SEED = 2019
SIZE = 4
REST = 1e-3
"""The bias that stands for none: what it adds to I is below 1e-4."""
QUANTITIES = ("mutual_information", "negativity", "mutual_coherence", "meters", "transmission")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What is computed."""

    name: str
    lengths: dict[int, int]  # L and realizations of the disordered wires
    disorder: tuple[float, ...]
    bias: float


PRESETS = {
    "quick": Preset(name="quick", lengths={8: 16, 16: 12, 24: 8, 32: 6}, disorder=(0.0, 3.0), bias=1.0),
    "paper": Preset(
        name="paper", lengths={8: 200, 16: 100, 24: 60, 32: 40, 48: 20}, disorder=(0.0, 2.0, 3.0), bias=1.0
    ),
}


def measured(setting: Setting) -> dict[str, float]:
    """I_1, negativity and C of the halves, transmission at E = 0, and the mean square difference of the meters."""
    model = setting.model.draw(np.random.default_rng(setting.seed))
    view = setting.engine.view(model.problem())
    state = view.filled(model.bias, model.energy_rule)
    slices, across = model.slices, model.size**2
    first, last = range(slices // 2 * across), range(model.sites - slices // 2 * across, model.sites)
    places = [range(x * across, (x + 1) * across) for x in (slices // 4, slices - 1 - slices // 4)]
    pairs = [ports(state.correlation, (i, j), np.pi / 2) for i in places[0] for j in places[1]]
    return {
        "mutual_information": state.entropy(first) + state.entropy(last) - state.entropy([*first, *last]),
        "negativity": state.negativity(first, last),
        "mutual_coherence": 2 * float(np.sum(np.abs(state.correlation[np.ix_(first, last)]) ** 2)),
        "meters": float(np.mean([(left - right) ** 2 for left, right in pairs])),
        "transmission": float(view.transmission((1e-6,))[0]),
    }


def samples(preset: Preset, length: int, disorder: float, bias: float, store: Path, workers: int) -> xr.Dataset:
    """All realizations of one wire; a clean one has one."""
    clean = disorder == 0
    return swept(
        "anderson-wire",
        {"disorder": (disorder,)},
        store / f"wire_L{length}_W={disorder:g}_bias={bias:g}",
        parameters={
            "size": SIZE,
            "length": length,
            "t_par": 1.0,
            "bias": bias,
            "full": True,
            "energy_rule": "legendre" if clean else "auto",
        },
        realizations=1 if clean else preset.lengths[length],
        independent=("length",),
        seed=SEED,
        engine=Transfer(nodes=64 if clean else 4),
        measure=measured,
        workers=workers,
    ).isel(disorder=0)


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Of every quantity the value at the bias and what the bias adds, with errors: (disorder, length, quantity)."""
    lengths, strengths = list(preset.lengths), list(preset.disorder)
    shape = len(strengths), len(lengths), len(QUANTITIES)
    at, added = np.empty((*shape, 2)), np.empty((*shape, 2))
    for i, w in enumerate(strengths):
        for j, length in enumerate(lengths):
            driven, rest = (samples(preset, length, w, bias, store, workers) for bias in (preset.bias, REST))
            for k, name in enumerate(QUANTITIES):
                for target, values in ((at, driven[name]), (added, driven[name] - rest[name])):
                    numbers = np.atleast_1d(values.values).astype(float)
                    if numbers.size == 1:
                        target[i, j, k] = numbers[0], 0.0
                    else:
                        mean = average(numbers)
                        target[i, j, k] = mean.value, mean.error
    dims = ("disorder", "length", "quantity", "stat")
    coordinates = {"disorder": strengths, "length": lengths, "quantity": list(QUANTITIES), "stat": ["value", "error"]}
    table = xr.Dataset({"at": (dims, at), "added": (dims, added)}, coords=coordinates, attrs={"bias": preset.bias})
    table["realizations"] = "length", list(preset.lengths.values())
    return table


def draw(table: xr.Dataset) -> Figure:
    """(a) I added by the bias, (b) its negativity, (c) the difference of the meters."""
    figure, panels = canvas(1, 3)
    lengths = table["length"].values
    for k, w in enumerate(table["disorder"].values):
        label = f"W = {w:g}" if w else "ballistic"
        for axes, quantity in zip(panels, ("mutual_information", "negativity", "meters"), strict=True):
            one = table.sel(disorder=w, quantity=quantity)
            draw_curve(axes, one["at"] if quantity == "meters" else one["added"], quantity == "meters", k, label)
    clean = table["added"].sel(disorder=0.0, stat="value")
    for axes, quantity in zip(panels[:2], ("mutual_information", "negativity"), strict=True):
        slope, rest = np.polyfit(np.log(lengths), clean.sel(quantity=quantity), 1)
        fine = np.geomspace(lengths[0], lengths[-1], 50)
        axes.plot(fine, slope * np.log(fine) + rest, "k--", lw=0.8, label=f"{slope:.2f} ln L + const")
        axes.axhline(0, color="grey", lw=0.5)
        axes.set(xlabel="length $L$")
        axes.legend(loc="upper left")
    panels[0].set_ylabel("$I_1$ added by the bias [nat]")
    panels[1].set_ylabel("negativity added by the bias [nat]")
    panels[2].set(xscale="log", yscale="log", xlabel="length $L$", ylabel=r"rms of $I_L - I_R$, $t/r$ = i")
    panels[2].set_xticks(lengths, labels=[f"{length}" for length in lengths])
    panels[2].set_yticks((0.006, 0.01, 0.02, 0.04), labels=["0.006", "0.01", "0.02", "0.04"])
    panels[2].minorticks_off()
    panels[2].legend(loc="lower left")
    lettered(panels, ("halves", "halves", "interferometer, sites of L/4 and 3L/4"))
    counts = ", ".join(f"{int(n)} at {size}" for size, n in zip(lengths, table["realizations"].values, strict=True))
    what = rf"wires L x {SIZE} x {SIZE}, leads (1, 1), T = 0, $\delta\mu$ = {table.attrs['bias']:g}"
    headline(figure, f"{table.attrs['preset']} preset: {what}\ndisordered wires at L: {counts}")
    return figure


def draw_curve(axes: Axes, one: xr.DataArray, root: bool, number: int, label: str) -> None:
    """A quantity against length; the root of a mean square where that is asked for."""
    value, error = one.sel(stat="value").values, one.sel(stat="error").values
    if root:
        value, error = np.sqrt(value), error / (2 * np.sqrt(value))
    dots(axes, one["length"].values, value, error, fmt="o-", ms=4, color=f"C{number}", label=label)


def tell(table: xr.Dataset) -> str:
    """What the bias adds, and the powers of L of the meters between neighbouring lengths."""
    lines = []
    for w in table["disorder"].values:
        for quantity in QUANTITIES:
            one = table.sel(disorder=w, quantity=quantity)
            for name in ("at", "added"):
                pairs = zip(table["length"].values, one[name].transpose("length", "stat").values, strict=True)
                told = ", ".join(f"{value:.4g}({error:.2g}) at {length}" for length, (value, error) in pairs)
                lines.append(f"W = {w:g}, {quantity}, {name}: {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
