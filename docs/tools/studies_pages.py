"""The studies' own pages in the site: their READMEs with their figures; links to other files lead to the repository."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def pages() -> dict[str, bytes]:
    """Return the files by their path below `studies/`: an index, a page for each study, figures."""
    files, rows = dict[str, bytes](), []
    for readme in sorted((ROOT / "studies").glob("*/README.md")):
        name = readme.parent.name
        text = readme.read_text()
        files[f"{name}.md"] = linked(text, f"studies/{name}/README.md", f"studies/{name}.md").encode()
        for figure in sorted(readme.parent.glob("figures/*.png")):
            if f"figures/{figure.name}" in text:
                files[f"{name}/figures/{figure.name}"] = figure.read_bytes()
        rows.append(f"- [{text.splitlines()[0].lstrip('# ')}]({name}.md)")
    text = "# Studies\n\nOne page for each: figures, what agrees with the literature and what does not, times.\n\n"
    files["index.md"] = (text + "\n".join(rows) + "\n").encode()
    return files


def of_readme(title: str, target: str) -> str:
    """Return a section of README as a page. target: its path in the site."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", (ROOT / "README.md").read_text(), re.M | re.S)
    if section is None:
        raise LookupError(f"README has no section {title!r}")
    return linked(f"# {title}\n{section[1]}", "README.md", target)


def linked(text: str, source: str, target: str) -> str:
    """Return a page whose links fit the site.

    Parameters
    ----------
    source, target: the page's path in the repository and in the site, e.g. `studies/x/README.md` and `studies/x.md`.

    >>> linked("[a](../../docs/papers.md) [b](../y/README.md#z) [c](run.py)", "studies/x/README.md", "studies/x.md")
    '[a](../papers.md) [b](y.md#z) [c](../repository.md)'
    """

    def moved(match: re.Match[str]) -> str:
        link = match[2]
        if "://" in link or link.startswith("mailto:"):
            return match[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        inside = in_site(place)
        anchor = match[3] or ""
        if inside is None:
            inside, anchor = "repository.md", ""
        return f"{match[1]}{posixpath.relpath(inside, posixpath.dirname(target) or '.')}{anchor}{match[4]}"

    return LINK.sub(moved, text)


def in_site(place: str) -> str | None:
    """Return where a file of the repository is in the site; None if it is not.

    >>> in_site("docs/gpu.md"), in_site("studies/cavity/README.md"), in_site("models/cavity.py")
    ('gpu.md', 'studies/cavity.md', None)
    """
    parts = place.split("/")
    if parts[0] == "docs" and len(parts) > 1:
        return "/".join(parts[1:])
    if parts[0] == "studies" and parts[-1] == "README.md" and len(parts) == 3:
        return f"studies/{parts[1]}.md"
    if parts[0] == "studies" and len(parts) == 4 and parts[2] == "figures":
        return place
    return None
