"""Figures as inline SVG that takes the colours of the page around it, light or dark, and loads nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tnness.display.page import escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""The colour in which text and axes are drawn; the page's own replaces it."""
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
"""The name of a vocabulary, which no browser loads."""
COLOURS = ("#3b82c4", "#d9822b", "#2f9e66", "#c25b9b", "#8a7ad1", "#b5a33a", "#4aa8a8", "#d05c5c")
"""Colours of curves that can be read on white and on black."""


@contextmanager
def drawn_for_a_page() -> Iterator[None]:
    """Draw in the colours of a page. `inline_svg` takes texts for formulas where they are some."""
    import matplotlib

    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    clear = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    settings: Any = {**dict.fromkeys(inked, INK), **dict.fromkeys(clear, "none")}  # its keys have a type of their own
    settings |= {"svg.fonttype": "none", "svg.hashsalt": "tnness", "text.parse_math": False, "legend.frameon": False}
    settings |= {"axes.prop_cycle": matplotlib.cycler(color=list(COLOURS))}  # type: ignore[attr-defined]
    settings |= {"font.family": "sans-serif", "font.size": 9}
    with matplotlib.rc_context(settings):
        yield


def _read_formulas(figure: Figure) -> None:
    """Take texts between two `$` for formulas; a name with a `$` that is none stays as it is."""
    from matplotlib.mathtext import MathTextParser
    from matplotlib.text import Text

    parser = MathTextParser("path")
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text().count("$") < 2:
            continue
        try:
            parser.parse(text.get_text())
        except ValueError:
            continue
        text.set_parse_math(True)


def inline_svg(figure: Figure, caption: str, number: int) -> str:
    """Return a figure as an HTML figure with a caption.

    Parameters
    ----------
    figure: drawn within `drawn_for_a_page`. caption: a text. number: of the figure on its page; it keeps the names
    that parts of the drawing refer to apart from those of other figures.
    """
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if axis.get_scale() == "log":
            axis.set_major_formatter(_power)
            axis.set_minor_formatter(_nothing)
    _read_formulas(figure)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="f{number}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>f{number}-", text)
    text = text.replace(INK, "currentColor").replace("DejaVu Sans", "system-ui")
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None
    head = f'<svg viewBox="{box[1]}" role="img" aria-label="{escaped(caption)}" {XLINK}>'
    text = head + text[text.index(">") + 1 :]
    return f"<figure>{text}<figcaption>{escaped(caption)}</figcaption></figure>"


def _power(value: float, position: float | None = None) -> str:
    """Return a number on a logarithmic axis: without a formula, which a page does not draw."""
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{value:.0e}"


def _nothing(value: float, position: float | None = None) -> str:
    return ""
