"""How figures look: sizes, colours, labels with symbols and units. One place for records, sweeps and studies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axis import Axis

SMALL, NORMAL = 7, 9
"""Sizes of the text in legends, and of titles (points)."""
STYLE: dict[Any, Any] = {
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "errorbar.capsize": 2.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "tnness",
    "pdf.fonttype": 42,
}
"""Parameters of matplotlib; use `with matplotlib.rc_context(STYLE):` around the making of a figure."""
WHOLE_WORDS = {"site": "site $i$", "site_2": "site $j$", "bond": "bond $i, i+1$", "cut": "cut", "time": "time $t$"}
"""Labels of axes that count sites and bonds, or are times."""
COUNTED_AXES = ("site", "site_2", "bond", "cut")
"""Dimensions whose marks stand on whole numbers."""


def symbol_of(data: xr.DataArray, name: str) -> str:
    """Return an observable's symbol as matplotlib takes it, or its name.

    >>> import xarray as xr
    >>> symbol_of(xr.DataArray(0.0, attrs={"symbol": r"\\\\langle H \\\\rangle"}), "energy")
    '$\\\\langle H \\\\rangle$'
    """
    symbol = str(data.attrs.get("symbol", ""))
    return f"${symbol}$" if symbol else name


def label_of(data: xr.DataArray, name: str) -> str:
    """Return the label of an axis: symbol (or name) and unit.

    >>> import xarray as xr
    >>> label_of(xr.DataArray(0.0, attrs={"units": "J"}), "energy")
    'energy [J]'
    """
    unit = str(data.attrs.get("units", "1"))
    return symbol_of(data, name) if unit in ("1", "") else f"{symbol_of(data, name)} [{unit}]"


def name_axis(axis: Axis, dim: str) -> None:
    """Label an axis with its dimension, and put its marks on whole numbers where it counts."""
    from matplotlib.ticker import MaxNLocator

    axis.set_label_text(WHOLE_WORDS.get(dim, dim))
    if dim in COUNTED_AXES:
        axis.set_major_locator(MaxNLocator(integer=True))
