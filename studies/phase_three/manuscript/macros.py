"""Write the manuscript's numbers and tables as TeX macros, from the tables that are committed beside the figures.

`make figures` in this folder calls it: the study's modules must be on PYTHONPATH.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr
from theory import claimed

from tnness.display.numbers import value_text

FIGURES = Path(__file__).parents[1] / "figures"
HALF = (0.5, 0.5)
LONGEST = 40
"""The longest chain."""
FORMS = {
    "1/L": "$a + b/L$",
    "1/L, 1/L^2": "$a + b/L + c/L^2$",
    "L^-p": "$a + b L^{-p}$",
    "L^(-1/2)": "$a + b L^{-1/2}$",
    "1/L, ln L": r"$a + b/L + c \ln L$",
    "ln L": r"$a + b \ln L$",
    "1/L, decaying": "$(a + b/L)/(1 + rL)$",
}
"""How the manuscript writes the forms of fit."""
QUANTITIES = {"deviation": "Deviation", "information": "Information"}


def table(name: str) -> xr.Dataset:
    """A committed table."""
    return xr.load_dataset(FIGURES / f"{name}.nc", engine="h5netcdf")


def measured(value: float, error: float) -> str:
    """A value with its error, in mathematics; an exact one has four digits."""
    return f"${value_text(value, error, chr(92) + 'pm')}$" if error > 0 else f"{value:.4f}"


def macro(name: str, text: str) -> str:
    """A TeX definition."""
    return f"\\newcommand{{\\{name}}}{{{text}}}"


def rows(cells: list[list[str]]) -> str:
    """The body of a table."""
    return " \\\\\n".join(" & ".join(row) for row in cells) + " \\\\"


def of_sizes(sizes: xr.Dataset) -> list[str]:
    """Delta S and I by length, and those of the longest chain."""
    chosen = (sizes["p1"] == HALF[0]) & (sizes["p2"] == HALF[1]) & (sizes["n"] % 2 == 0)
    half, cells = sizes.isel(point=np.flatnonzero(chosen)).sortby("n"), []
    for k in range(half.sizes["point"]):
        at = half.isel(point=k)
        n = int(at["n"])
        first, second = (float(formula) for formula in claimed(np.array(float(n)), *HALF))
        pairs = [measured(float(at[q]), float(at[f"{q}_error"])) for q in QUANTITIES]
        chi = "exact" if not int(at["chi"]) else str(int(at["chi"]))
        printed = f"{first:.3f}", f"{second:.4f}"
        two = (f"{float(at[f'two_point_{q}']):.3f}" for q in QUANTITIES)
        cells.append([str(n), pairs[0], printed[0], next(two), pairs[1], printed[1], next(two), chi])
    longest = half.isel(point=-1)
    value, error = float(longest["information"]), float(longest["information_error"])
    first, second = (float(formula) for formula in claimed(np.array(float(longest["n"])), *HALF))
    others = sizes.isel(point=np.flatnonzero(~chosen & (sizes["n"] == 20)))
    return [
        macro("SizeRows", rows(cells)),
        macro("LongestLength", str(int(longest["n"]))),
        macro("LongestDeviation", measured(float(longest["deviation"]), float(longest["deviation_error"]))),
        macro("LongestInformation", measured(value, error)),
        macro("LongestBound", f"{np.floor(100 * (value - error)) / 100:.2f}"),
        macro("LongestPrinted", f"{second:.3f}"),
        macro("DeviationFactor", f"{float(longest['deviation']) / first:.0f}"),
        macro("InformationFactor", f"{np.round(value / second, -1):.0f}"),
        macro("LongestClaim", f"{100 * error / value:.1f}\\,\\%"),
        macro("OtherGates", "; ".join(_other(others.isel(point=k)) for k in range(others.sizes["point"]))),
    ]


def _other(at: xr.Dataset) -> str:
    gates = f"$({float(at['p1']):g}, {float(at['p2']):g})$"
    return f"{measured(float(at['information']), float(at['information_error']))} at {gates}"


def of_limits(limits: xr.Dataset) -> list[str]:
    """The forms of fit, their limits and weights, what more lengths would fix, the curve of the fronts."""
    cells, found = [], []
    for name, written in FORMS.items():
        row = [written]
        for quantity in QUANTITIES:
            at = limits.sel(quantity=quantity, form=name)
            limit, error = at["limit"].values
            ends = "$\\infty$" if np.isinf(limit) else "0" if limit == 0 else measured(limit, error)
            weight = float(at["akaike_weight"])
            share = f"{weight:.2f}" if weight >= 0.005 else "$< 0.01$"
            row += [f"{float(at['chi2']):.1f}/{int(at['freedom'])}", share, ends]
        cells.append(row)
    plans = []
    for plan in limits["plan"].values:
        row = ["none" if plan == "now" else plan]
        for quantity in QUANTITIES:
            error, logarithm, length, weight = limits["decided"].sel(quantity=quantity, plan=plan).values
            small = f"{weight:.2g}" if weight >= 1e-3 else "$< 10^{-3}$"
            row += [f"{error:.3f}", f"{logarithm:.3f}", f"{_rounded(length):.0f}", small]
        plans.append(row)
    for quantity, said in QUANTITIES.items():
        one = limits.sel(quantity=quantity)
        for criterion in ("akaike", "schwarz"):
            mean, error = one[f"{criterion}_limit"].values
            found.append(macro(f"{said}{criterion.title()}", measured(mean, error)))
        decay = one["decided"].sel(plan="now", what="shortest decay length")
        found.append(macro(f"{said}Decay", f"{_rounded(float(decay)):.0f}"))
        logarithm = one["decided"].sel(plan="now", what="error of the ln L term")
        found.append(macro(f"{said}Logarithm", f"{float(logarithm):.2f}"))
        escape = one["escape"].sel(length=LONGEST)
        found.append(macro(f"{said}Fronts", f"{float(escape.min()):.2f} to {float(escape.max()):.2f}"))
        short = one["escape"].sel(length=12)
        found.append(macro(f"{said}FrontsShort", f"{float(short.min()):.2f} to {float(short.max()):.2f}"))
    half, error = limits["akaike_limit"].sel(quantity="deviation").values / 2
    return [
        macro("FormRows", rows(cells)),
        macro("PlanRows", rows(plans)),
        macro("HalfDeviation", measured(half, error)),
        macro("Changes", changes(limits)),
        *found,
    ]


def changes(limits: xr.Dataset) -> str:
    """What smaller bond dimensions change, beside what was claimed."""
    told = []
    for entry in limits.attrs["lower_chi"]:
        n, chi = entry.split(": ")
        at = limits.sel(n=int(n))
        moved = " and ".join(f"${float(at['change'].sel(quantity=q)):+.4f}$" for q in QUANTITIES)
        claimed_errors = " and ".join(f"{float(at['error'].sel(quantity=q)):.4f}" for q in QUANTITIES)
        told.append(f"$L = {n}$, $\\chi = {chi}$: {moved} (claimed {claimed_errors})")
    return "; ".join(told)


def _rounded(value: float) -> float:
    """Two significant digits."""
    return float(f"{value:.1e}")


def of_fronts(fronts: xr.Dataset, sizes: xr.Dataset) -> list[str]:
    """Speeds of operator fronts, against Delta S of the longest chain of the same gates."""
    cells = []
    for k in range(fronts.sizes["gates"]):
        one = fronts.isel(gates=k)
        p1, p2, v = (float(one[name]) for name in ("p1", "p2", "speed"))
        same = sizes.isel(point=np.flatnonzero((sizes["p1"] == p1) & (sizes["p2"] == p2))).sortby("n").isel(point=-1)
        value = measured(float(same["deviation"]), float(same["deviation_error"]))
        about = f"$({p1:g}, {p2:g})$", f"{v:.3f}", f"{float(one['diffusivity']):.3f}", f"{1 / (2 * v):.2f}"
        cells.append([*about, value, str(int(same["n"]))])
    v = float(fronts["speed"][0])
    return [
        macro("FrontRows", rows(cells)),
        macro("Speed", f"{v:.2f}"),
        macro("EscapeDeviation", f"{1 / (2 * v):.2f}"),
        macro("EscapeInformation", f"{1 / (4 * v):.2f}"),
        macro("FrontLength", str(int(fronts.attrs["n"]))),
        macro("FrontChi", str(int(fronts.attrs["chi"]))),
    ]


def of_drawn(drawn: xr.Dataset) -> list[str]:
    """Von Neumann entropies of drawn circuits."""
    cells = []
    for n in drawn["n"].values:
        for delta in drawn["delta"].values:
            at = drawn.sel(n=n, delta=delta)
            pairs = (
                measured(float(at[k]), float(at[f"{k}_error"]))
                for k in ("entropy_deviation", "mutual_information", "leading_mutual_information")
            )
            limit = f"{float(at['replica_information']):.4f}"
            cells.append([str(int(n)), f"{delta:g}", str(int(at["circuits"])), *pairs, limit])
    return [macro("DrawnRows", rows(cells)), macro("DrawnLongest", str(int(drawn["n"].max())))]


def write(target: Annotated[Path, typer.Argument(help="the file of macros")]) -> None:
    """Write the macros."""
    sizes = table("sizes_paper")
    lines = ["% written by macros.py", *of_sizes(sizes), *of_limits(table("limits_paper"))]
    lines += [*of_fronts(table("front_quick"), sizes), *of_drawn(table("drawn_quick"))]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    typer.run(write)
