"""The output of the command line: lines, tables, a summary of a record, errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from tnness.display.numbers import BARS, printable
from tnness.records.answers import asked_text, values_text
from tnness.records.record import Record
from tnness.records.words import explained, figures_in_full, watched_in
from tnness.study.advice import next_steps

ASCII = str.maketrans({"±": "+-", "…": "..."})
"""Letters that a terminal may lack, and what stands for them."""


def answer(record: Record, path: Path | None = None, verbose: bool = False) -> str:
    """Return what a record answers: what was asked, values with errors, its certificate in words, what comes next.

    Parameters
    ----------
    record: finished or unfinished. path: its file, None where it has none. verbose: whether all figures of the
    certificate are listed; default False.
    """
    dataset, certificate = record.dataset, record.certificate
    lines = [asked_text(dataset.attrs), ""]
    if "time" in dataset.dims and dataset.sizes["time"]:
        lines.append(f"at t = {float(dataset['time'].values[-1]):g}, the last of {dataset.sizes['time']} times:")
    lines += [*values_text(dataset), ""]
    if verbose and dataset.attrs.get("kind") != "convergence":
        lines += figures_in_full(certificate)
    if watched_in(dataset):
        lines.append(f"judged by: {', '.join(watched_in(dataset))}")
    lines += explained(dataset, certificate)
    if path is not None:
        steps = next_steps(record, path)
        width = max(len(what) for what, _ in steps)
        lines += [f"next, {what:<{width}}  {command}" for what, command in steps]
        lines.append(f"record: {printable(path)}")
    return "\n".join(lines)


def write_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table with a title."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    say(f"\n{title}")
    for row in [header, *rows]:
        say("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Write a line to stdout; it is no error if the reader of a pipe has gone (`| head`)."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:  # a terminal of few letters: no sparklines
        text = text.translate(ASCII | dict.fromkeys(map(ord, BARS), "")).encode(encoding, "replace").decode(encoding)
    try:
        typer.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int) -> NoReturn:
    """Write an error in one line to stderr, and end with an exit status."""
    typer.echo(f"tnness: {' '.join(message.split())}", err=True)
    sys.exit(status)
