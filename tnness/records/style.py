"""How figures look: sizes, colours, labels with symbols and units. One place for records, sweeps and studies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

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
    "lines.markeredgewidth": 0.8,
    "errorbar.capsize": 2.0,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 5),
    "axes.prop_cycle": "cycler('color', ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#5A5A5A'])",
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
STUDY_PANEL = (3.9, 3.2)
"""Width and height of a panel in the figures of studies (inches)."""
PIXELS_PER_INCH = 140
"""Dots in an inch of a PNG."""
GUIDE: dict[str, Any] = {"color": "0.5", "lw": 0.7, "ls": ":"}
"""How a line is drawn that guides the eye: a zero, a limit."""


def symbol_of(data: xr.DataArray, name: str) -> str:
    """Return an observable's symbol as matplotlib takes it, or its name.

    >>> import xarray as xr
    >>> symbol_of(xr.DataArray(0.0, attrs={"symbol": "S_2"}), "entropy")
    '$S_2$'
    """
    symbol = str(data.attrs.get("symbol", ""))
    return f"${symbol}$" if symbol else name


def title_of(data: xr.DataArray, name: str) -> str:
    """Return what an observable is, with its symbol in place of a formula in plain text.

    >>> import xarray as xr
    >>> title_of(xr.DataArray(0.0, attrs={"long_name": "energy <H>", "symbol": "E"}), "energy")
    'energy $E$'
    """
    told = str(data.attrs.get("long_name", name))
    words = re.sub(r"<[^<>]*>", "", told)
    if words == told or not data.attrs.get("symbol"):
        return told
    return f"{words.strip()} {symbol_of(data, name)}".strip()


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
    return "\n".join(line for long in text.splitlines() for line in _broken(long, max(1, int(PER_INCH * width))))


def _broken(line: str, most: int) -> list[str]:
    """Return a line in parts of at most so many characters; a formula is not broken and counts what it shows."""
    parts = [""]
    for word in re.findall(r"(?:\$[^$]*\$|[^\s$])+", line):
        longer = f"{parts[-1]} {word}".strip()
        if parts[-1] and _shown(longer) > most:
            parts.append(word)
        else:
            parts[-1] = longer
    return parts


def _shown(text: str) -> int:
    """Return about how many characters are seen of a text with formulas."""
    return len(re.sub(r"\\[a-zA-Z]+ ?", "x", text).translate(str.maketrans("", "", "${}_^\\")))


def short_name(model: str) -> str:
    """Return a model's name without the folders of its file.

    >>> short_name("/home/me/chains/mine.py:Chain"), short_name("ssep")
    ('mine.py:Chain', 'ssep')
    """
    path, separator, name = model.rpartition(":")
    return f"{path.replace(chr(92), '/').rpartition('/')[2]}{separator}{name}"


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in the style of this module."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def canvas(rows: int, columns: int, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of a study and its panels, row by row. options: of `Figure.subplots`."""
    from matplotlib.figure import Figure

    size = STUDY_PANEL[0] * max(columns, 1.15), STUDY_PANEL[1] * rows + 0.35
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()


def lettered(panels: Sequence[Axes], titles: Sequence[str] = ()) -> None:
    """Title panels (a), (b), ..., each with a text if there is one; a single panel has no letter.

    A title that is longer than its panel is broken into lines.
    """
    for number, axes in enumerate(panels):
        text = titles[number] if number < len(titles) else ""
        letter = f"({chr(ord('a') + number)})" if len(panels) > 1 else ""
        axes.set_title(f"{letter} {text}".strip(), loc="left", fontsize=NORMAL)


def headline(figure: Figure, text: str) -> None:
    """Say above a figure what was computed, with which numbers; lines are broken where the figure ends."""
    figure.suptitle(heading(text, figure.get_size_inches()[0] * NORMAL / SMALL), fontsize=SMALL + 1)


def dots(axes: Axes, x: ArrayLike, y: ArrayLike, error: ArrayLike | None = None, **style: Any) -> None:
    """Draw points with error bars. style: of `Axes.errorbar`; default: filled circles without a line."""
    axes.errorbar(x, y, error, **{"fmt": "o", "elinewidth": 0.8, **style})


def ribbon(axes: Axes, x: ArrayLike, y: Any, error: Any, **style: Any) -> None:
    """Draw a curve with a band of one standard error to either side. style: of `Axes.plot`."""
    (line,) = axes.plot(x, y, **style)
    axes.fill_between(x, y - error, y + error, color=line.get_color(), alpha=0.2, lw=0)


def shade(number: int, count: int) -> tuple[float, float, float, float]:
    """Return one of a row of colours, from dark to light: for curves of one ordered parameter."""
    from matplotlib import colormaps

    return colormaps["viridis"](0.9 * number / max(1, count - 1))


def power_of_ten(value: float, digits: int = 1) -> str:
    """Return a number with its power of ten, for a text with formulas.

    >>> power_of_ten(1300000), power_of_ten(40000, 0), power_of_ten(320)
    ('$1.3 \\\\times 10^{6}$', '$4 \\\\times 10^{4}$', '320')
    """
    if 1e-2 <= abs(value) < 1e4:
        return f"{value:g}"
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    lead = (
        "" if float(mantissa) == 1 else rf"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa} \times "
    )
    return f"${lead}10^{{{int(exponent)}}}$"


def thousands(count: int) -> str:
    """Return a whole number with narrow spaces between its thousands, for a text with formulas.

    >>> thousands(16000), thousands(250)
    ('16\\u202f000', '250')
    """
    return f"{count:,}".replace(",", "\u202f") if count >= 10_000 else str(count)
