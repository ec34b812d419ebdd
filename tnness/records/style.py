"""How figures look: sizes, colours, labels with symbols and units. One place for records, sweeps and studies."""

from __future__ import annotations

import textwrap
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
PER_INCH = 12
"""Characters of a heading, at size NORMAL, that fit into an inch."""
COUNTED_AXES = ("site", "site_2", "bond", "cut")
"""Dimensions whose marks stand on whole numbers."""


def symbol_of(data: xr.DataArray, name: str) -> str:
    """Return an observable's symbol as matplotlib takes it, or its name.

    >>> import xarray as xr
    >>> symbol_of(xr.DataArray(0.0, attrs={"symbol": "S_2"}), "entropy")
    '$S_2$'
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


def heading(text: str, width: float) -> str:
    """Return a heading whose lines fit into a figure. width: of the figure (inches).

    >>> heading("one two three four", 1.0)
    'one two\\nthree four'
    """
    lines = [textwrap.fill(line, max(1, int(PER_INCH * width))) for line in text.splitlines()]
    return "\n".join(lines)


def short_name(model: str) -> str:
    """Return a model's name without the folders of its file.

    >>> short_name("/home/me/chains/mine.py:Chain"), short_name("ssep")
    ('mine.py:Chain', 'ssep')
    """
    path, separator, name = model.rpartition(":")
    return f"{path.replace(chr(92), '/').rpartition('/')[2]}{separator}{name}"
