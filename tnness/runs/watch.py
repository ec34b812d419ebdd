"""The observables that judge a steady state: all that its model monitors, or only those that the user watches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tnness.errors import InputError, suggestion
from tnness.observables.observable import Observable

NONE: Mapping[str, str] = MappingProxyType({})


def watched(observables: Mapping[str, Observable], watch: Sequence[str]) -> dict[str, Observable]:
    """Return the observables. If names are given, mark exactly those as monitored; otherwise change nothing.

    Raises
    ------
    InputError: a name that is no observable, or an observable that the model does not monitor.
    """
    monitored = [name for name, observable in observables.items() if observable.monitored]
    for name in watch:
        if name not in observables:
            raise InputError(f"watch: the model has no observable {name!r}{suggestion(name, monitored)}")
        if name not in monitored:
            names = f"it monitors {', '.join(monitored)}" if monitored else "it monitors none"
            raise InputError(f"watch: the model does not monitor {name!r}, which is measured only at the end ({names})")
    if not watch:
        return dict(observables)
    return {name: replace(observable, monitored=name in watch) for name, observable in observables.items()}


def check_given(watch: Sequence[str], given: Collection[str], engine: str, reasons: Mapping[str, str] = NONE) -> None:
    """Refuse to watch an observable that an engine cannot give.

    Parameters
    ----------
    watch, given: names of observables. engine: its name.
    reasons: name -> why the engine does not give an observable, as `tnness.observables.observable.available` returns it
        (default: no reasons are known).
    """
    for name in watch:
        if name not in given:
            reason = f": {reasons[name]}" if name in reasons else ""
            raise InputError(f"watch: engine {engine!r} cannot give {name!r}{reason}")


def left_out_line(left_out: Mapping[str, str], engine: str) -> str:
    """Return in one line which observables an engine cannot give and why; "" where there are none.

    left_out: name -> reason, as `tnness.observables.observable.available` returns them.

    >>> left_out_line({"spread": "not computed", "width": "not computed"}, "tebd")
    "engine 'tebd' cannot give spread, width (not computed)"
    """
    names: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        names.setdefault(reason, []).append(name)
    groups = "; ".join(f"{', '.join(group)} ({reason})" for reason, group in names.items())
    return f"engine {engine!r} cannot give {groups}" if groups else ""
