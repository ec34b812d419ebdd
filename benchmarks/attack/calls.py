"""Public calls with wrong values of one or two of their arguments."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

from benchmarks.attack.entries import Entry, entries, wrong_values
from benchmarks.attack.running import called, forked, fresh
from benchmarks.attack.tally import Answer


@functools.cache
def _known(folder: Path) -> tuple[dict[str, Entry], list[Any]]:
    """Return the calls and the values; a case uses them in a process of its own, and cannot change them."""
    with fresh(folder):
        return entries(), wrong_values()


def case(folder: Path, rng: random.Random) -> Answer:
    """Return the answer to one call."""
    known, wrong = _known(folder)
    name = rng.choice(list(known))
    entry = known[name]
    changed = rng.sample(entry.names, min(len(entry.names), rng.choice((1, 1, 2))))
    given = {argument: rng.choice(wrong) for argument in changed}
    with fresh(folder):
        kind, detail = forked(lambda: called(entry.function, {**entry.right, **given}))
    told = ", ".join(f"{argument}={_shown(value)}" for argument, value in given.items())
    return Answer(kind, f"{name}({told})", detail)


def _shown(value: object) -> str:
    return " ".join(repr(value).split())[:60].encode(errors="replace").decode()
