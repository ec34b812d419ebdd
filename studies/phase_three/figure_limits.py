"""What the lengths of `figure_sizes.py` say of long chains: forms of fit, weights, and the curve of measured fronts.

Draws on two tables that are there: the sizes of the preset, and `figure_front.py`'s quick one. At lower bond dimensions
it computes the same chains again: the change is held against the errors that the certificates claim.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from comparison import FIT_FROM, FORMS, Fit, averaged_limit, fitted, named, plan, weights
from figure_sizes import group
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from points import entropy, middle, opened, run
from presets import HALF, PRESETS, Preset
from theory import escaping

from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import read_tables, script

QUANTITIES = {"deviation": r"$\Delta S / \delta^2$ [nat]", "information": r"$I(L/2 : L/2) / \delta^2$ [nat]"}
LONGER = (40, 80, 160, 320, 640)
"""Lengths at which the forms are compared."""
ACCURACY = 0.005
"""Relative error of the longer chains that would decide."""
PLANS = {"now": (), "40": (40,), "40, 80": (40, 80), "40, 80, 160": (40, 80, 160)}
"""Further chains."""
DECIDED = ("error of the averaged limit", "error of the ln L term", "shortest decay length", "weight of L^(-1/2)")
"""What they would fix; the decay length by two standard errors."""
OFFSETS = (0.0, 0.5, 1.0)
"""Sites from the last bond to where a string is lost: the picture does not know it better than that."""


def tables(name: str, preset: str) -> xr.Dataset:
    """A table of this study, of a run here or the committed one."""
    folders = [Path("runs/phase_three/figures"), Path(__file__).parent / "figures"]
    return read_tables(f"{name}_{preset}", folders)


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Values and errors by length, every form's fit and predictions, and the curve of the measured fronts."""
    sizes, fronts = group(tables("sizes", preset.name), *HALF), tables("front", "quick")
    run(preset.lower, store, workers)
    lower = {point.n: opened(point, store) for point in preset.lower}
    return compared(sizes, fronts, {n: (entropy(found), middle(found)) for n, found in lower.items()}).assign_attrs(
        lower_chi=[f"{point.n}: {point.chi}" for point in preset.lower]
    )


def compared(sizes: xr.Dataset, fronts: xr.Dataset, lower: dict[int, tuple[float, float]]) -> xr.Dataset:
    """The table of both quantities; `lower` holds them by length at a smaller bond dimension."""
    sizes = sizes.swap_dims(point="n")
    table = xr.Dataset(coords={"n": sizes["n"].values.astype(int), "longer": list(LONGER)})
    table = table.assign_coords(quantity=list(QUANTITIES), form=[form.name for form in FORMS], offset=list(OFFSETS))
    shape = ("quantity", "form")
    table["value"] = (("quantity", "n"), [sizes[q].values for q in QUANTITIES])
    table["error"] = (("quantity", "n"), [sizes[f"{q}_error"].values for q in QUANTITIES])
    changes = [[lower[n][k] - v if n in lower else np.nan for n, v in at] for k, at in enumerate(_pairs(table))]
    table["change"] = (("quantity", "n"), np.array(changes))
    fits = {q: quantity_fits(table.sel(quantity=q)) for q in QUANTITIES}
    for name in ("chi2", "freedom", "akaike", "schwarz"):
        table[name] = (shape, [[getattr(fit, name) for fit in fits[q]] for q in QUANTITIES])
    for name in ("akaike", "schwarz"):
        table[f"{name}_weight"] = (shape, [weights(table[name].sel(quantity=q).values) for q in QUANTITIES])
        means = [averaged_limit(fits[q], table[f"{name}_weight"].sel(quantity=q).values) for q in QUANTITIES]
        table[f"{name}_limit"] = (("quantity", "stat"), means)
    table["limit"] = ((*shape, "stat"), [[fit.limit for fit in fits[q]] for q in QUANTITIES])
    longer = np.array(LONGER, float)
    predictions = [[fit.predicted(longer) for fit in fits[q]] for q in QUANTITIES]
    table["predicted"] = ((*shape, "stat", "longer"), np.array(predictions))
    decided = [[decision(table.sel(quantity=q), further) for further in PLANS.values()] for q in QUANTITIES]
    table["decided"] = (("quantity", "plan", "what"), np.array(decided))
    for name in ("speed", "diffusivity"):
        table[name] = float(fronts[name][0])  # of p1 = p2 = 1/2
    lengths = sorted({*table["n"].values.tolist(), *LONGER})
    escape = [[escaping(n, float(table["speed"]), float(table["diffusivity"]), o) for n in lengths] for o in OFFSETS]
    table["escape"] = (("offset", "length", "quantity"), np.array(escape))
    return table.assign_coords(length=lengths, stat=["mean", "error"], plan=list(PLANS), what=list(DECIDED))


def _pairs(table: xr.Dataset) -> list[list[tuple[int, float]]]:
    """Of both quantities: (length, value)."""
    return [
        list(zip(table["n"].values.tolist(), table["value"].sel(quantity=q).values.tolist(), strict=True))
        for q in QUANTITIES
    ]


def quantity_fits(one: xr.Dataset) -> list[Fit]:
    """The forms through the lengths from FIT_FROM on."""
    long = one.isel(n=np.flatnonzero(one["n"] >= FIT_FROM))
    return fitted(long["n"].values.astype(float), long["value"].values, long["error"].values)


def decision(one: xr.Dataset, further: tuple[int, ...]) -> tuple[float, float, float, float]:
    """What DECIDED names, with further lengths of ACCURACY, if the law in 1/L were true."""
    long = one.isel(n=np.flatnonzero(one["n"] >= FIT_FROM))
    n, values, errors = long["n"].values.astype(float), long["value"].values, long["error"].values
    fits = plan(n, values, errors, named(fitted(n, values, errors), "1/L"), further, ACCURACY)
    share = weights(np.array([fit.akaike for fit in fits]))
    root = named(fits, "L^(-1/2)")
    logarithm, decay = named(fits, "1/L, ln L"), named(fits, "1/L, decaying")
    rate = decay.parameters[2] + 2 * np.sqrt(decay.covariance[2, 2])
    return (
        averaged_limit(fits, share)[1],
        float(np.sqrt(logarithm.covariance[2, 2])),
        float(1 / rate),
        float(share[fits.index(root)]),
    )


def draw(table: xr.Dataset) -> Figure:
    """Both quantities and every form to L = 640, with the curve of measured fronts."""
    figure, panels = canvas(1, 2)
    for axes, (quantity, label) in zip(panels, QUANTITIES.items(), strict=True):
        draw_quantity(axes, table.sel(quantity=quantity))
        axes.set(xlabel="length $L$", ylabel=label, xscale="log")
        axes.legend(loc="lower right")
    panels[0].set_ylim(0.0, 1.75)
    panels[1].set_ylim(0.0, 1.05)
    for axes in panels:
        axes.set_xticks([4, 10, 20, 40, 80, 160, 320, 640], ["4", "10", "20", "40", "80", "160", "320", "640"])
        axes.set_xticks([], minor=True)
    lettered(panels, ("entropy deviation", "mutual information of the halves"))
    fronts = f"fronts: v = {float(table['speed']):.3f}"
    how = f"fits from L = {FIT_FROM}, certificates' errors; weights by Akaike's criterion; {fronts}"
    headline(figure, f"{table.attrs['preset']} preset: phase III at $p_1 = p_2 = 1/2$, {how}")
    return figure


def draw_quantity(axes: Axes, one: xr.Dataset) -> None:
    """Values, forms with their weights, and the band of the fronts."""
    band = one["escape"].transpose("offset", "length").values
    axes.fill_between(one["length"], band[0], band[-1], color="0.85", label="measured fronts, no fit")
    fine = np.geomspace(FIT_FROM, max(LONGER), 100)
    for number, fit in enumerate(quantity_fits(one)):
        weight = float(one["akaike_weight"].sel(form=fit.form.name))
        value, error = fit.predicted(fine)
        told = f"{weight:.2f}" if weight >= 0.01 else "< 0.01"
        name = fit.form.name.replace("L^(-1/2)", "$L^{-1/2}$").replace("L^-p", "$L^{-p}$").replace("L^2", "$L^2$")
        axes.plot(fine, value, lw=1, color=f"C{number}", label=f"{name}: {told}")
        if fit.form.name == "L^-p":
            axes.fill_between(fine, value - error, value + error, color=f"C{number}", alpha=0.2, lw=0)
    dots(axes, one["n"], one["value"], one["error"], fmt="ko", ms=4)


def tell(table: xr.Dataset) -> str:
    """The fits, their weights and limits, what the chains of LONGER would have, and what decides."""
    lines = []
    for quantity in QUANTITIES:
        one = table.sel(quantity=quantity)
        for n in one["n"].values:
            at = one.sel(n=n)
            if np.isfinite(float(at["change"])):
                change, error = float(at["change"]), float(at["error"])
                lines.append(f"{quantity} at L = {n}: lower chi changes it by {change:+.4f}; claimed error {error:.4f}")
        for name in one["form"].values:
            at = one.sel(form=name)
            (limit, error), chi2 = at["limit"].values, float(at["chi2"])
            values = ", ".join(f"{a:.3f}({b:.3f})" for a, b in at["predicted"].transpose("longer", "stat").values)
            shares = f"weights {float(at['akaike_weight']):.3f}, {float(at['schwarz_weight']):.3f}"
            told = f"limit {limit:.3f} +- {error:.3f}; L = {', '.join(map(str, LONGER))}: {values}"
            lines.append(f"{quantity}, {name}: chi2 {chi2:.2f} / {int(at['freedom'])}, {shares}, {told}")
        for name in ("akaike", "schwarz"):
            mean, error = one[f"{name}_limit"].values
            lines.append(f"{quantity}: finite limits averaged by {name} weights: {mean:.3f} +- {error:.3f}")
        for name in one["plan"].values:
            at = one["decided"].sel(plan=name)
            told = ", ".join(f"{what} {float(at.sel(what=what)):.3g}" for what in DECIDED)
            lines.append(f"{quantity}: with L = {name} to {ACCURACY:.1%}, were it 1/L: {told}")
        for offset in one["offset"].values:
            values = one["escape"].sel(offset=offset).to_series().round(3).to_dict()
            lines.append(f"{quantity}: measured fronts, offset {offset:g}: {values}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, {"paper": PRESETS["paper"]}, data, draw, tell, name="limits")
