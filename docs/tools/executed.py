"""Pages whose code runs: blocks of a Markdown page are executed in their order, and what they show is put below them.

A block is executed if its fence says `python` or `console`. All blocks of a page share one namespace and one folder.

    python                    runs; shows what it prints, its last expression as a notebook would, and new figures
    python title="FILE.py"    is written to the page's folder, where later blocks and commands find it
    python needs="PACKAGE"    runs only where the package is installed
    console                   lines `tnness ...`, run by the program itself; a backslash continues a line

A page that holds a comment `<!-- executed by: FILE -->` has a test of its own and is left alone.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"<!-- executed by: (\S+) -->")
LONGEST = 40
"""Lines of an output that a page shows."""


@dataclass(frozen=True)
class Block:
    """A fenced block. start, end: where it stands in the page. about: the values behind the language."""

    start: int
    end: int
    language: str
    about: dict[str, str]
    code: str
    indent: str = ""

    @property
    def runs(self) -> bool:
        """True for a block that is executed."""
        needs = self.about.get("needs")
        return self.language in ("python", "console") and (needs is None or importlib.util.find_spec(needs) is not None)


@dataclass
class Output:
    """What a block has shown: text, HTML, and figures as SVG."""

    text: str = ""
    html: str = ""
    figures: list[bytes] = field(default_factory=list)


class PageError(Exception):
    """A block of a page has failed."""


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    blocks = []
    for match in FENCE.finditer(page):
        about = dict(re.findall(r'(\w+)="([^"]*)"', match[3]))
        code = "".join(line.removeprefix(match[1]) for line in match[4].splitlines(keepends=True))
        blocks.append(Block(match.start(), match.end(), match[2], about, code, match[1]))
    return blocks


def is_executed_elsewhere(page: str) -> bool:
    """True for a page whose code is run by a test of its own."""
    return ELSEWHERE.search(page) is not None


def execute(page: str, folder: Path, name: str = "page") -> list[tuple[Block, Output]]:
    """Run the blocks of a page in a folder; return each with what it has shown.

    Raises
    ------
    PageError: a block has failed; the text names the page and shows the block.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    with _inside(folder), _registries_restored(folder):
        for block in blocks_of(page):
            if not block.runs:
                continue
            try:
                outputs.append((block, _without_path(_run(block, namespace, folder), folder)))
            except (Exception, SystemExit) as error:
                raise PageError(f"{name}: {type(error).__name__}: {error}\n{block.code}") from error
    return outputs


def _run(block: Block, namespace: dict[str, Any], folder: Path) -> Output:
    if "title" in block.about:
        (folder / block.about["title"]).write_text(block.code)
        return Output()
    if block.language == "console":
        return Output("".join(command(line) for line in commands_of(block.code)))
    return _python(block.code, namespace)


def _without_path(output: Output, folder: Path) -> Output:
    """Return an output that names files as a reader would, who is in the folder, and as every build does."""
    for path in {f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}"}:
        output.text, output.html = output.text.replace(path, ""), output.html.replace(path, "")
    return output


def commands_of(code: str) -> list[str]:
    """Return the commands of a console block: lines that end in a backslash are joined, comments left out."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if shlex.split(line, comments=True)]


def command(line: str) -> str:
    """Run a command line of the program in this process; return what it writes to its output."""
    from tnness.cli.app import app

    first, *arguments = shlex.split(line, comments=True)
    if first != "tnness":
        raise PageError(f"{line}: only the program tnness is run here")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()):
        status = app(arguments, standalone_mode=False)
    if status:
        raise PageError(f"{line}: exit status {status}\n{shown.getvalue()}")
    return shown.getvalue()


def _python(code: str, namespace: dict[str, Any]) -> Output:
    """Run statements; show what they print, the value of the last one if it is an expression, and new figures."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    shown, value = io.StringIO(), None
    with contextlib.redirect_stdout(shown):
        exec(compile(tree, "<page>", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<page>", "eval"), namespace)
    figures = _figures()
    if figures or value is None:
        return Output(shown.getvalue(), "", figures)
    html = getattr(value, "_repr_html_", None)
    if html is not None:
        return Output(shown.getvalue(), html(), figures)
    return Output(f"{shown.getvalue()}{value!r}\n", "", figures)


def _figures() -> list[bytes]:
    """Return the figures that pyplot holds, and close them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    images = []
    for number in pyplot.get_fignums():
        image = io.BytesIO()
        pyplot.figure(number).savefig(image, format="svg", bbox_inches="tight")
        images.append(image.getvalue())
    pyplot.close("all")
    return images


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))


@contextlib.contextmanager
def _registries_restored(folder: Path) -> Iterator[None]:
    """Forget after a page what it registered, and the modules in its folder."""
    from tnness.engines.registry import ENGINES
    from tnness.model import registry
    from tnness.network import truncation

    registry.models()
    kept = [(held, dict(held)) for held in (ENGINES, registry._MODELS, truncation.TRUNCATIONS)]
    modules = set(sys.modules)
    try:
        yield
    finally:
        for held, before in kept:
            held.clear()
            held.update(before)
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).resolve().is_relative_to(folder.resolve()):
                del sys.modules[name]


# ------------------------------------------------------------------ what a page looks like


def with_outputs(page: str, outputs: list[tuple[Block, Output]], figure_name: str) -> tuple[str, dict[str, bytes]]:
    """Return a page with the outputs below its blocks, and the files of its figures by name.

    figure_name: what the names of the figures begin with.
    """
    parts, files, place = [], dict[str, bytes](), 0
    shown = {block.start: output for block, output in outputs}
    for block in blocks_of(page):
        parts.append(page[place : block.start] + _fenced(block, page))
        place, output = block.end, shown.get(block.start, Output())
        below = []
        if output.text.strip():
            below += ["", "```{.text .output}", *_short(output.text.rstrip().splitlines()), "```"]
        if output.html:
            below += ["", '<div class="output-html">', *(li for li in output.html.splitlines() if li.strip()), "</div>"]
        for image in output.figures:
            name = f"{figure_name}-{len(files) + 1}.svg"
            files[name] = image
            below += ["", f"![{_alt(block)}]({name})"]
        parts.append("\n".join(f"{block.indent}{line}".rstrip() for line in below))
    return "".join([*parts, page[place:]]), files


def _fenced(block: Block, page: str) -> str:
    """Return a block as Markdown knows it: of what stands behind the language, the title alone."""
    first, rest = page[block.start : block.end].split("\n", 1)
    if block.about.keys() & {"needs", "figure"}:
        title = f' title="{block.about["title"]}"' if "title" in block.about else ""
        first = f"{block.indent}```{block.language}{title}"
    return f"{first}\n{rest}"


def _short(lines: list[str]) -> list[str]:
    return lines if len(lines) <= LONGEST else [*lines[: LONGEST - 1], f"... {len(lines) - LONGEST + 1} more lines"]


def _alt(block: Block) -> str:
    return block.about.get("figure", "figure of the code above")


def notebook(page: str, outputs: Sequence[tuple[Block, Output]] = ()) -> str:
    """Return a page as a notebook (nbformat 4): files are written by `%%writefile`, commands run by `!`.

    outputs: what its blocks have shown; such cells are numbered as executed.
    """
    shown = {block.start: output for block, output in outputs}
    cells, place = [], 0
    for block in blocks_of(page):
        if block.language not in ("python", "console"):
            continue
        cells.append(_text_cell(page[place : block.start]))
        place = block.end
        code = block.code
        if "title" in block.about:
            code = f"%%writefile {block.about['title']}\n{code}"
        elif block.language == "console":
            code = "\n".join(f"!{line}" for line in commands_of(code))
        cells.append(_code_cell(code, len(cells), shown.get(block.start)))
    cells.append(_text_cell(page[place:]))
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    written = [cell | {"id": f"cell-{i}"} for i, cell in enumerate(cell for cell in cells if cell["source"])]
    return json.dumps({"cells": written, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _text_cell(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.strip()}


def _code_cell(code: str, number: int, output: Output | None) -> dict[str, Any]:
    cell = {"cell_type": "code", "metadata": {}, "source": code.strip(), "outputs": []}
    if output is None:
        return cell | {"execution_count": None}
    shown: list[dict[str, Any]] = []
    if output.text:
        shown.append({"output_type": "stream", "name": "stdout", "text": output.text})
    data = [{"text/html": output.html}] if output.html else []
    data += [{"image/svg+xml": image.decode()} for image in output.figures]
    shown += [{"output_type": "display_data", "metadata": {}, "data": kind} for kind in data]
    return cell | {"execution_count": (number + 1) // 2, "outputs": shown}
