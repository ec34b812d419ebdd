"""The reference of the command line: every command with its help, as the program prints it."""

from __future__ import annotations

import typer


def page() -> str:
    """Return the page: the help of the program, then of each command."""
    from tnness.cli.app import app

    program = typer.main.get_command(app)
    context = typer.Context(program, info_name="tnness", max_content_width=100, terminal_width=100)
    lines = ["# Command line", "", "Generated from the program: `tnness COMMAND --help` prints the same.", ""]
    lines += ["```text", program.get_help(context).strip(), "```", ""]
    for name in sorted(program.list_commands(context)):  # type: ignore[attr-defined]
        command = program.get_command(context, name)  # type: ignore[attr-defined]
        inner = typer.Context(command, info_name=name, parent=context, max_content_width=100, terminal_width=100)
        lines += [f"## {name}", "", "```text", command.get_help(inner).strip(), "```", ""]
    return "\n".join(lines)
