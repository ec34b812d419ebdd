"""Numbers as text: a value with the digits that its error leaves, a row of bars, text without control characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

BARS = "▁▂▃▄▅▆▇█"
"""The bars of a sparkline, from the lowest."""
WIDTH = 40
"""Most bars in a sparkline: a longer series is thinned."""


def value_text(value: float, error: float | None = None, sign: str = "+-") -> str:
    """Return a value with its error: the error with two digits, the value as far as these.

    Parameters
    ----------
    value, error: in one unit; without an error the value has six digits, with an error of 0 ten. sign: between the two.

    >>> value_text(0.290534, 0.00135), value_text(-12.3, 0.0), value_text(0.290534)
    ('0.2905 +- 0.0014', '-12.3', '0.290534')
    >>> value_text(4.2e-9, 3e-11), value_text(1234.5, 67.0), value_text(math.nan)
    ('4.200e-09 +- 3.0e-11', '1234 +- 67', 'nan')
    """
    if error is None or math.isnan(error) or not math.isfinite(value):
        return f"{value:.6g}"
    if error <= 0:
        return f"{value:.10g}"
    if not math.isfinite(error):
        return f"{value:.6g} {sign} {error:g}"
    size = max(abs(value), error)
    last = math.floor(math.log10(error)) - 1  # the place of the error's second digit
    if size >= 1e7 or size < 1e-3:
        digits = max(math.floor(math.log10(size)) - last, 1)
        return f"{value:.{min(digits, 15)}e} {sign} {error:.1e}"
    if last < -12:
        return f"{value:.10g} {sign} {error:.1e}"
    places = max(-last, 0)
    return f"{value:.{places}f} {sign} {error:.{places}f}"


def sparkline(values: ArrayLike) -> str:
    """Return a row of bars, the lowest and the highest value as the lowest and the highest bar; a blank for NaN.

    >>> sparkline([0.0, 1.0, 2.0, np.nan, 7.0])
    '▁▂▃ █'
    >>> sparkline(np.ones(3))
    '▁▁▁'
    """
    series = np.asarray(values, float).ravel()
    if series.size > WIDTH:
        series = series[np.linspace(0, series.size - 1, WIDTH).round().astype(int)]
    finite = series[np.isfinite(series)]
    if not finite.size:
        return ""
    low, span = finite.min(), finite.max() - finite.min()
    if not math.isfinite(span):
        return ""
    steps = (series - low) / (span if span > 0 else 1.0) * (len(BARS) - 1)
    return "".join(BARS[round(float(step))] if math.isfinite(step) else " " for step in steps)


def printable(text: object) -> str:
    """Return a text in one line and without control characters: a text from a file may hold orders to a terminal.

    >>> printable("z \\x1b[2J of\\nsite")
    'z ?[2J of site'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in str(text))


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return rows of cells as lines, every column as wide as its widest cell.

    >>> columns([("site", "z"), ("10", "0.5")])
    ['  site  z', '  10    0.5']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        (indent + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
