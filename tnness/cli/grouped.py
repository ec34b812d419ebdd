"""Help in groups: what to solve, accuracy, engine, files."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

WHAT, ACCURACY, ENGINE, GRID, FILES, OTHER = (
    "What to solve",
    "Accuracy",
    "Engine",
    "Sweep",
    "Files",
    "Other",
)
"""The groups, in the order in which help lists them."""


class GroupedCommand(TyperCommand):
    """A command whose help lists its options by group; an option made from a field shows the field's comment."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the groups; an option names its group in `rich_help_panel`."""
        groups: dict[str, list[tuple[str, str]]] = {group: [] for group in (WHAT, ACCURACY, ENGINE, GRID, FILES, OTHER)}
        fields = getattr(self.callback, "fields", {})
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                text = fields[parameter.name].help() if parameter.name in fields else record[1]
                groups[getattr(parameter, "rich_help_panel", None) or OTHER].append((record[0], text))
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
