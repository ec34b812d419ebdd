"""By which observables a steady state is judged: all that its model monitors, or those of them that are watched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tnness.errors import InputError, suggestion
from tnness.observables import Observable


def watched(observables: Mapping[str, Observable], watch: Sequence[str]) -> dict[str, Observable]:
    """Return the observables, monitored those that are watched; as they are where none is named.

    Raises
    ------
    InputError: a name that is none of theirs, or one that the model does not monitor.
    """
    monitored = [name for name, observable in observables.items() if observable.monitored]
    for name in watch:
        if name not in observables:
            raise InputError(f"watch: the model has no observable {name!r}{suggestion(name, monitored)}")
        if name not in monitored:
            told = f"it monitors {', '.join(monitored)}" if monitored else "it monitors none"
            raise InputError(f"watch: the model does not monitor {name!r}, which is measured only at the end ({told})")
    if not watch:
        return dict(observables)
    return {name: replace(observable, monitored=name in watch) for name, observable in observables.items()}


def check_given(watch: Sequence[str], found: Collection[str], engine: str) -> None:
    """Refuse to watch what an engine cannot give."""
    for name in watch:
        if name not in found:
            raise InputError(f"watch: engine {engine!r} cannot give {name!r}")
