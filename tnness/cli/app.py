"""The program `tnness`: the modules beside this one add its commands; errors become one line and an exit status."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tnness.cli.shown import fail, say
from tnness.display.messages import FIRST, is_open, never_silent
from tnness.display.numbers import printable
from tnness.errors import Doubt, Interrupted, NumericalError, TnnessError, WriteError
from tnness.records.record import versions

# Typer contains its own copy of click, and exports only subclasses of this error.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # type: ignore[assignment]


GROUPS = {
    "Look": ("models", "show", "status", "plot", "report"),
    "Compute": ("check", "run", "converge", "sweep"),
    "Files": ("collect", "verify"),
}
"""The commands as help lists them; those of other names follow."""


class Program(TyperGroup):
    """The program. Click takes an interrupt for an abort and forgets what it says: it is kept apart."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in groups."""
        known = {name: command for name, command in self.commands.items() if not command.hidden}
        grouped = {title: [name for name in names if name in known] for title, names in GROUPS.items()}
        grouped["More"] = [name for name in known if not any(name in names for names in GROUPS.values())]
        for title, names in grouped.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name, known[name].get_short_help_str(200)) for name in names])

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            with never_silent(printable(" ".join([*ctx._protected_args, *ctx.args][:2])), first=FIRST):
                return super().invoke(ctx)
        except Interrupted as error:
            raise Stopped(str(error), error.number) from error


class Stopped(Exception):
    """The command was interrupted. Arguments: the text and the number of the signal."""


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        say(f"tnness {versions()['tnness']}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Non-equilibrium steady states of chains, certified. `tnness COMMAND --help` lists options, units and defaults."""


MEANINGS = {
    MemoryError: "this machine has not enough memory for it",
    RecursionError: "what was given is nested too deeply",
}
"""Words for errors whose own text says little."""


def main() -> None:
    """Run the command line; turn every error of the package into one line and an exit status."""
    for name in ("stdout", "stderr"):
        if not is_open(getattr(sys, name)):  # closed by who started the program
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        with warnings.catch_warnings():
            warnings.showwarning = functools.partial(_warned, warnings.showwarning)
            status = app(standalone_mode=False)
    except UsageError as error:
        _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        fail("interrupted", 130)
    except Stopped as error:
        fail(str(error.args[0]), 128 + error.args[1])
    except WriteError as error:
        fail(str(error), 1)
    except NumericalError as error:
        fail(str(error), 1)
    except TnnessError as error:
        fail(str(error), 2)
    except (OSError, MemoryError, RecursionError) as error:
        fail(MEANINGS.get(type(error)) or str(error), 1)
    sys.exit(status if isinstance(status, int) else 0)


def _warned(usual: Callable[..., None], message: Warning | str, category: type[Warning], *details: Any) -> None:
    """Write a doubt as one line; leave other warnings as they are."""
    if issubclass(category, Doubt):
        typer.echo(str(message), err=True)
    else:
        usual(message, category, *details)


def _usage(error: Any) -> NoReturn:
    """End after a wrong use of the command line: show the error, or the help if no command was given."""
    text = error.format_message()
    if text.startswith("Usage:"):
        typer.echo(text, err=True)
        sys.exit(2)
    fail(text, 2)
