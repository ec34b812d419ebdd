"""What MkDocs does besides converting pages: code is executed, and pages are made from models, studies and commands."""

from __future__ import annotations

import html
import logging
import re
import tempfile
from pathlib import Path
from typing import Any

import commands
import executed
import gallery
import matplotlib
import outcomes
import reference
import studies_pages
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "tnness", "figure.dpi": 100})

REPOSITORY = """# The repository

This link leads to a file that is part of the repository and not of this site: a script, a model or a benchmark. Its
path is the text of the link.
"""

POSSIBLE = "What is possible, and how long it takes"
"""A section of README that is a page, too."""
LOG = logging.getLogger("mkdocs.hooks")
"""What is warned of here ends a strict build."""
_shown: dict[str, str] = {}
"""Pages with the outputs of their code."""


def on_files(files: Files, config: Any) -> Files:
    """Execute the pages, and add what is generated."""
    generated: dict[str, bytes] = {"repository.md": REPOSITORY.encode()}
    with tempfile.TemporaryDirectory() as folder:
        generated |= {f"gallery/{name}": content for name, content in gallery.pages(Path(folder)).items()}
    generated |= {f"studies/{name}": content for name, content in studies_pages.pages().items()}
    generated["start/possible.md"] = studies_pages.of_readme(POSSIBLE, "start/possible.md").encode()
    generated["reference/commands.md"] = commands.page().encode()
    generated["reference/outcomes.md"] = outcomes.page().encode()
    for page in list(files.documentation_pages()):
        generated |= _executed(page)
    names = "reference/python.md"
    _shown[names] = reference.completed(_shown[names])
    for path, content in generated.items():
        files.append(File.generated(config, path, content=content))
    return files


def _executed(page: File) -> dict[str, bytes]:
    """Execute a page; return its figures and its notebook."""
    text = studies_pages.linked(page.content_string, f"docs/{page.src_uri}", page.src_uri)
    _shown[page.src_uri] = text
    if executed.is_executed_elsewhere(text) or not any(block.runs for block in executed.blocks_of(text)):
        return {}
    path = Path(page.src_uri)
    with tempfile.TemporaryDirectory() as folder:
        outputs = executed.execute(text, Path(folder), page.src_uri)
    shown, figures = executed.with_outputs(text, outputs, path.stem)
    head, _, rest = shown.partition("\n")
    note = f'[:material-notebook: as a notebook]({path.stem}.ipynb){{ .notebook download="{path.stem}.ipynb" }}'
    _shown[page.src_uri] = f"{head}\n\n{note}\n{rest}"
    files = {str(path.with_name(name)): image for name, image in figures.items()}
    return files | {str(path.with_suffix(".ipynb")): executed.notebook(text, outputs).encode()}


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Show a page with its outputs."""
    return _shown.get(page.file.src_uri, markdown)


FORMULA = re.compile(r'<(span|div) class="arithmatex">\\(?:\(|\[)(.*?)\\(?:\)|\])</\1>', re.DOTALL)


def on_page_content(content: str, page: Any, config: Any, files: Files) -> str:
    """Write formulas as MathML, which browsers draw by themselves: no script, no network."""
    return FORMULA.sub(lambda match: _formula(match[2], match[1] == "div"), content)


def _formula(latex: str, alone: bool) -> str:
    written = convert(html.unescape(latex), display="block" if alone else "inline")
    if "\\" in written:  # a command that the converter does not know stands there as it is
        LOG.warning("a formula is not understood: %s", latex)
    return written


SECTIONS = {
    "gallery/": "Gallery",
    "studies/": "Studies",
    "tutorials/": "Tutorials",
    "how/": "How it works",
    "": "Tutorials",
}
"""Beginnings of paths, and the section of the navigation to which a page that mkdocs.yml does not list is added."""


def on_nav(nav: Any, config: Any, files: Files) -> Any:
    """Add the pages that mkdocs.yml does not list: generated ones, and new ones."""
    sections = {section.title: section for section in nav.items if section.is_section}
    listed = {page.file.src_uri for page in nav.pages}
    for file in sorted(files.documentation_pages(), key=lambda file: file.src_uri):
        if file.src_uri not in {*listed, "repository.md"}:
            folder = next((start for start in SECTIONS if start and file.src_uri.startswith(start)), "")
            page = Page(None, file, config)
            page.parent = sections[SECTIONS[folder]]
            page.parent.children.append(page)
            nav.pages.append(page)
    return nav


SHIM = "https://unpkg.com/iframe-worker/shim"


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Take the script that lets search work in a folder from this site, not from the network."""
    return output.replace(SHIM, get_relative_url("frame_worker.js", page.url))
