"""The reference of Python names: what its page does not list yet is added at its end."""

from __future__ import annotations

SITES = ("bit", "electron", "spin_half", "spin_one", "spinless", "tj")
"""Public names that are instances: the page names them in a sentence."""


def completed(page: str) -> str:
    """Return the page with the public names of the package that it lacks."""
    import tnness

    missing = [n for n in tnness.__all__ if n not in SITES and f"::: tnness.{n}\n" not in f"{page}\n"]
    return page if not missing else page + "\n## More\n\n" + "\n\n".join(f"::: tnness.{n}" for n in missing) + "\n"
