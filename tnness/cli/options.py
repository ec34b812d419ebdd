"""The options that commands share, and how their texts are read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from tnness.errors import InputError
from tnness.job import TOLERANCE

Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", metavar="NAME=VALUE", help="A model parameter; a number, string or JSON list."),
]
Chi = Annotated[int | None, typer.Option(help="Bond dimension.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the disorder (default 0).")]
Out = Annotated[Path | None, typer.Option(help="The record to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished record.")]
Dt = Annotated[float | None, typer.Option(help="Trotter time step.")]
Order = Annotated[int | None, typer.Option(help="Trotter order, 2 or 4.")]
Method = Annotated[str | None, typer.Option(help="Truncation method: svd, qr, cholesky-qr, randomized.")]
Cutoff = Annotated[float | None, typer.Option(help="Discarded weight that is always acceptable.")]
Power = Annotated[int | None, typer.Option(help="Power iterations of each split.")]
Accelerate = Annotated[
    bool, typer.Option("--accelerate", help="Jump to the steady state of weak dissipation instead of waiting for it.")
]
Bracket = Annotated[
    bool, typer.Option("--bracket", help="With --accelerate: settle from above and from below too, and compare.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting of the engine, by its name (repeatable)."),
]
Time = Annotated[
    str | None,
    typer.Option(metavar="[log:]START:STOP:COUNT|T,T,...", help="Time evolution, not the steady state."),
]
Schedule = Annotated[
    str | None, typer.Option(metavar="CHI,CHI,...", help="Bond dimensions to pass through before --chi.")
]
Dtype = Annotated[str | None, typer.Option(help="float64 or float32.")]
Block = Annotated[int | None, typer.Option(help="Trotter steps between measurements.")]
Tolerance = Annotated[
    float | None,
    typer.Option("--tol", help=f"Relative change of the observables that may remain (default {TOLERANCE:g})."),
]
MaxTime = Annotated[float | None, typer.Option(help="Evolution time after which a steady state is given up.")]
Every = Annotated[float, typer.Option("--checkpoint-every", help="Seconds between checkpoints.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no table.")]


def times(text: str) -> list[float]:
    """Read `start:stop:count`, `log:start:stop:count` (evenly spaced in the logarithm) or a comma list.

    >>> times("0:1:3")
    [0.0, 0.5, 1.0]
    >>> times("log:1:100:3")
    [1.0, 10.0, 100.0]
    """
    if ":" not in text:
        return list(numbers("--time", text) or ())
    logarithmic, parts = text.startswith("log:"), text.removeprefix("log:").split(":")
    try:
        start, stop, count = float(parts[0]), float(parts[1]), int(parts[2])
        if (
            len(parts) != 3
            or count < 1
            or (count > 1 and not stop > start)
            or not all(map(math.isfinite, (start, stop)))
            or (logarithmic and not start > 0)
        ):
            raise ValueError
    except (ValueError, IndexError):
        needed = "[log:]start:stop:count with stop > start (> 0) and count >= 1, or a comma list, is needed"
        raise InputError(f"--time {text}: {needed}") from None
    return [float(t) for t in (np.geomspace if logarithmic else np.linspace)(start, stop, count)]


def parameters(pairs: list[str] | None) -> dict[str, Any]:
    """Read the parameters of a model."""
    return pairs_of("-p", pairs)


def pairs_of(option: str, pairs: list[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE pairs; a value is JSON (a number, a list, true) or else a text."""
    values = {}
    for pair in pairs or []:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise InputError(f"{option} {pair}: NAME=VALUE is needed")
        if name.strip() in values:
            raise InputError(f"{option} {name.strip()} is given twice")
        values[name.strip()] = value_of(text)
    return values


def engine_settings(named: dict[str, Any], schedule: str | None, further: list[str] | None) -> dict[str, Any]:
    """Return the settings of an engine that were given: by options of their own, and by --set."""
    settings = named | {"schedule": integers("--schedule", schedule)}
    return {name: value for name, value in settings.items() if value is not None} | pairs_of("--set", further)


def numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """Read a comma list of finite numbers."""
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: a comma list of numbers is needed") from None
    if not all(map(math.isfinite, found)):
        raise InputError(f"{option} {text}: finite numbers are needed")
    return found


def integers(option: str, text: str | None) -> tuple[int, ...] | None:
    """Read a comma list of integers; an empty text is an empty list."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise InputError(f"{option} {text}: a comma list of integers is needed") from None


def axes(texts: list[str] | None) -> dict[str, list[Any]]:
    """Read axes: `name=v,v,...`, `name=start:stop:count` (`log:` for even logarithms) or a JSON list of values.

    >>> axes(["eps=0.1,0.2", "drive=literal,one-sided", "h=1:3:3"])
    {'eps': [0.1, 0.2], 'drive': ['literal', 'one-sided'], 'h': [1.0, 2.0, 3.0]}
    """
    found: dict[str, list[Any]] = {}
    for text in texts or []:
        name, separator, values = (part.strip() for part in text.partition("="))
        if not separator or not name or not values:
            raise InputError(f"--grid {text}: NAME=VALUE,VALUE,... is needed")
        if name in found:
            raise InputError(f"--grid {name} is given twice")
        found[name] = _axis(values)
    return found


def _axis(text: str) -> list[Any]:
    if text.startswith("["):
        read = value_of(text)
        if isinstance(read, list):
            return read
    if text.count(":") >= 2 and text.removeprefix("log:").replace(":", "").strip("0123456789.eE+- ") == "":
        return list(times(text))
    return [value_of(part) for part in text.split(",")]


def value_of(text: str) -> Any:
    """Read a JSON value, or else a text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
