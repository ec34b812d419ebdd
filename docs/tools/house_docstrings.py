"""Docstrings of this package as Markdown: lists of parameters, examples as code, nothing taken for HTML.

Their sections look like numpydoc, but a parameter is one line, `name: what it is`; its type stands in the signature.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

SECTIONS = ("Parameters", "Returns", "Raises", "Examples", "Attributes")
ITEM = re.compile(r"^([A-Za-z_][\w, *]*): (.*)$")


class HouseDocstrings(griffe.Extension):
    """Rewrites every docstring before it is shown."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring as Markdown.

    >>> as_markdown("Return x.\\n\\nParameters\\n----------\\nx: a number,\\n    large.")
    'Return x.\\n\\n**Parameters**\\n\\n- `x`: a number, large.'
    """
    lines, out, section, item = text.splitlines(), list[str](), "", False
    i = 0
    while i < len(lines):
        line = lines[i]
        if line in SECTIONS and i + 1 < len(lines) and set(lines[i + 1]) == {"-"}:
            section, item = line, False
            out += ["", f"**{line}**", ""]
            i += 2
            continue
        if line.startswith(">>>"):
            end = next((k for k in range(i, len(lines)) if not lines[k].strip()), len(lines))
            out += ["", "```python", *lines[i:end], "```", ""]
            i, item = end, False
            continue
        found = ITEM.match(line)
        if found and (section or _is_short(found[1])):
            out += ([] if item else [""]) + [f"- `{found[1]}`: {escaped(found[2])}"]
            item = True
        elif item and line.startswith("    ") and line.strip():
            out[-1] += f" {escaped(line.strip())}"
        elif line.startswith("    ") and not item:
            out.append(line)
        else:
            item = item and not line.strip()
            out.append(escaped(line))
        i += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _is_short(names: str) -> bool:
    """True for what may be names of parameters before a colon, outside a section: one word, or words with commas."""
    return all(re.fullmatch(r"\w+", name.strip()) for name in names.split(",")) and names[0].islower()


def escaped(line: str) -> str:
    """Return a line in which nothing is taken for markup, outside of backticks.

    >>> escaped("<Z_i> and `a*b`")
    '&lt;Z\\\\_i> and `a*b`'
    """
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_\[\]])", r"\\\1", part).replace("<", "&lt;") for part in parts
    )
