"""Readers of the texts of options: times, pairs NAME=VALUE, lists, axes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from tnness.errors import InputError

DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number with a decimal point; JSON wants digits on both sides of it, people do not."""
MOST_TIMES = 1_000_000
"""Most numbers that `start:stop:count` stands for."""


def times(text: str, flag: str = "--time") -> list[float]:
    """Read `start:stop:count`, `log:start:stop:count` (evenly spaced in the logarithm) or a comma list.

    >>> times("0:1:3")
    [0.0, 0.5, 1.0]
    >>> times("log:1:100:3")
    [1.0, 10.0, 100.0]
    """
    if ":" not in text:
        return list(numbers(flag, text) or ())
    logarithmic, parts = text.startswith("log:"), text.removeprefix("log:").split(":")
    try:
        start, stop, count = float(parts[0]), float(parts[1]), int(parts[2])
        if (
            len(parts) != 3
            or not 1 <= count <= MOST_TIMES
            or (count > 1 and not stop > start)
            or not all(map(math.isfinite, (start, stop)))
            or (logarithmic and not start > 0)
        ):
            raise ValueError
    except (ValueError, IndexError):
        needed = f"[log:]start:stop:count with stop > start (> 0) and count from 1 to {MOST_TIMES:,}, or a comma list,"
        needed += " is needed"
        raise InputError(f"{flag} {text}: {needed}") from None
    return [float(t) for t in (np.geomspace if logarithmic else np.linspace)(start, stop, count)]


def read_parameters(pairs: list[str] | None) -> dict[str, Any]:
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


def numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """Read a comma list of finite numbers."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: a comma list of numbers is needed") from None
    if not all(map(math.isfinite, values)):
        raise InputError(f"{option} {text}: finite numbers are needed")
    return values


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
    grid: dict[str, list[Any]] = {}
    for text in texts or []:
        name, separator, values = (part.strip() for part in text.partition("="))
        if not separator or not name or not values:
            raise InputError(f"--grid {text}: NAME=VALUE,VALUE,... is needed")
        if name in grid:
            raise InputError(f"--grid {name} is given twice")
        grid[name] = _axis(name, values)
    return grid


def _axis(name: str, text: str) -> list[Any]:
    if text.startswith("["):
        read = value_of(text)
        if isinstance(read, list):
            return read
    if text.count(":") >= 2 and text.removeprefix("log:").replace(":", "").strip("0123456789.eE+- ") == "":
        return times(text, f"--grid {name} =")
    return [value_of(part) for part in text.split(",")]


def value_of(text: str) -> Any:
    """Read a JSON value, a decimal number without digits on one side of its point, or else a text.

    >>> value_of("0.1"), value_of(".1"), value_of("-2.e-3"), value_of("[1, 2]"), value_of("0101")
    (0.1, 0.1, -0.002, [1, 2], '0101')
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{text[:20]}...: lists within lists, too deep to be read") from None
    except ValueError:  # no JSON, or a number of too many digits
        return float(text) if DECIMAL.fullmatch(text) else text
