"""HTML for people: tables, small curves, and a page that needs nothing but itself."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #5f6b7a; --line: #d5dae0;
  --box: #f4f6f8; --link: #0b5cad; --good: #11733b; --bad: #a3330f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7ec; --paper: #14181d; --faint: #9aa5b1; --line: #39424d;
  --box: #1d232a; --link: #7db8f5; --good: #5fcf8f; --bad: #ff9a76; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .2rem; } p { margin: .4rem 0; max-width: 46rem; }
.faint, figcaption { color: var(--faint); } .good { color: var(--good); } .bad { color: var(--bad); }
.verdict { font-weight: 650; font-size: 1.1rem; } a { color: var(--link); }
nav a { margin-right: 1rem; white-space: nowrap; }
.wide { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; white-space: nowrap; } th { font-weight: 600; }
td:last-child { white-space: normal; min-width: 9rem; }
pre { background: var(--box); padding: .7rem .9rem; border-radius: .3rem; overflow-x: auto; white-space: pre-wrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.2rem; }
figure { margin: 0; min-width: 0; } figure svg { width: 100%; height: auto; display: block; }
details { margin: .6rem 0; } summary { cursor: pointer; }
"""


def escaped(text: object) -> str:
    """Return a text as HTML shows it: no part of it is markup.

    >>> escaped("<script>")
    '&lt;script&gt;'
    """
    return html.escape(str(text))


def html_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; all cells are texts, escaped.

    >>> html_table(["site", "z"], [[0, "<b>"]])
    '<div class="wide"><table><tr><th>site</th><th>z</th></tr><tr><td>0</td><td>&lt;b&gt;</td></tr></table></div>'
    """
    head = "".join(f"<th>{escaped(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>{f"<tr>{head}</tr>" if head else ""}{body}</table></div>'


def document(title: str, body: str, refresh: int = 0) -> str:
    """Return a complete page. It loads nothing: a browser is told to refuse scripts and whatever is elsewhere.

    Parameters
    ----------
    title: a text. body: HTML. refresh: seconds after which a browser reads the page again; 0: never.
    """
    again = f'<meta http-equiv="refresh" content="{refresh}">\n' if refresh else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{again}<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The orders to a browser: no script, nothing from elsewhere; images are in the page."""
CURVE = (180, 44)
"""Width and height of a small curve."""
MOST_DOTS = 200
"""Most points of a small curve: a longer one is thinned."""


def small_curve(values: ArrayLike, errors: ArrayLike | None = None) -> str:
    """Return a small curve of a series as inline SVG, with error bars where errors are finite; empty for one point.

    >>> small_curve([0.0, 1.0]).count("<circle")
    2
    >>> small_curve([1.0])
    ''
    """
    series = np.asarray(values, float).ravel()
    spread = np.zeros_like(series) if errors is None else np.nan_to_num(np.asarray(errors, float).ravel(), posinf=0.0)
    keep = np.isfinite(series)
    if keep.sum() < 2:
        return ""
    at = np.flatnonzero(keep)
    if at.size > MOST_DOTS:
        at = at[np.linspace(0, at.size - 1, MOST_DOTS).round().astype(int)]
    y, e = series[at], np.abs(spread[at])
    low, high = float((y - e).min()), float((y + e).max())
    span = high - low
    if not math.isfinite(span):
        return ""
    width, height = CURVE
    px = 4 + (width - 8) * at / max(series.size - 1, 1)

    def up(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return height - 4 - (height - 8) * ((z - low) / span if span > 0 else 0.5 + 0 * z)

    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, up(y), strict=True))
    bars = zip(px, up(y - e), up(y + e), e, strict=True)
    bar = "".join(f'<path d="M{a:.1f} {b:.1f}V{c:.1f}" stroke="currentColor"/>' for a, b, c, size in bars if size > 0)
    dots = zip(px, up(y), strict=True) if at.size <= 40 else ()
    dot = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.8" fill="currentColor"/>' for a, b in dots)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="the values">'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1"/>{bar}{dot}</svg>'
    )
