"""The answers of a record, as a reader wants them: values with errors of a steady state, of the last time of an
evolution, or of the limit of a convergence; as text, and as HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnness.display.numbers import columns, printable, sparkline, value_text
from tnness.display.page import escaped, html_table, small_curve
from tnness.records.lazily import lazily
from tnness.records.names import ADJOINT, EXTRAPOLATED, error_of, observables_in

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")

SHORT = 12
"""Most elements of an array that is shown as a table."""
SIDE_BY_SIDE = 5
"""Most columns of values in one table."""


@dataclass(frozen=True)
class Answer:
    """One observable.

    Parameters
    ----------
    name, unit, meaning: texts. values: its numbers. errors: of the same shape; None where they are not known. dims:
    names of the dimensions. labels: the coordinates of each dimension. course: a number against time, for a sparkline;
    empty where there is none. signed: the smallest and the largest signed truncation error, if they were asked for.
    """

    name: str
    values: NDArray[np.float64]
    errors: NDArray[np.float64] | None
    dims: tuple[str, ...]
    labels: tuple[NDArray[Any], ...]
    unit: str = "1"
    meaning: str = ""
    course: tuple[float, ...] = ()
    signed: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        """The name with its unit."""
        return self.name if self.unit == "1" else f"{self.name} [{self.unit}]"

    def at(self, place: tuple[int, ...], sign: str = "+-") -> str:
        """Return one element with its error."""
        return value_text(float(self.values[place]), None if self.errors is None else float(self.errors[place]), sign)

    def where(self, place: tuple[int, ...]) -> str:
        """Return the name of a place: `site 3, site_2 5`."""
        return ", ".join(f"{dim} {labels[i]}" for dim, labels, i in zip(self.dims, self.labels, place, strict=True))

    def extremes(self, sign: str = "+-") -> str:
        """Return the smallest and the largest element with their errors and places."""
        if not np.isfinite(self.values).any():
            return "no finite number"
        finite = np.where(np.isfinite(self.values), self.values, np.nan)
        places = [np.unravel_index(int(f(finite)), finite.shape) for f in (np.nanargmin, np.nanargmax)]
        told = [f"{self.at(place, sign)} at {printable(self.where(place))}" for place in places]  # type: ignore[arg-type]
        return f"from {told[0]} to {told[1]}"


def answers_in(dataset: xr.Dataset) -> list[Answer]:
    """Return the answers of a record's dataset."""
    if "chi" in dataset.dims and "dt" in dataset.dims:
        names = [str(name) for name in dataset.data_vars if f"{name}{EXTRAPOLATED}" in dataset]
        return [_answer(dataset, f"{name}{EXTRAPOLATED}", name) for name in names]
    return [_answer(dataset, name, name) for name in observables_in(dataset)]


def _answer(dataset: xr.Dataset, variable: str, name: str) -> Answer:
    data = dataset[variable]
    errors = dataset[error_of(variable)].values if error_of(variable) in dataset else None
    values, dims, course = np.asarray(data.values, float), tuple(map(str, data.dims)), ()
    if dims[:1] == ("time",) and len(values):
        course = tuple(values) if values.ndim == 1 else ()
        values, dims, errors = values[-1], dims[1:], None if errors is None else errors[-1]
    labels = [dataset[d].values if d in dataset.coords else np.arange(dataset.sizes[d]) for d in dims]
    signed = dataset[f"{name}{ADJOINT}"].values if f"{name}{ADJOINT}" in dataset else np.zeros(0)
    about = dataset[name].attrs
    return Answer(
        printable(name),
        np.asarray(values),
        None if errors is None else np.asarray(errors, float),
        tuple(map(printable, dims)),
        tuple(labels),
        printable(about.get("units", "1")),
        "" if about.get("long_name") == name else printable(about.get("long_name", "")),
        course,
        (float(signed.min()), float(signed.max())) if signed.size else (),
    )


# ------------------------------------------------------------------ as text


def values_text(dataset: xr.Dataset) -> list[str]:
    """Return the answers as lines: numbers, then a table for each dimension with few elements, then long arrays."""
    found = answers_in(dataset)
    lines = columns([_number(answer) for answer in found if answer.values.ndim == 0])
    for group in _tables(found):
        (dim,), (labels,) = group[0].dims, group[0].labels
        head = [(dim, *(answer.title for answer in group))]
        lines += columns([*head, *((str(label), *(a.at((i,)) for a in group)) for i, label in enumerate(labels))])
    for answer in filter(_is_long, found):
        shape = " x ".join(map(str, answer.values.shape))
        row = f"  {sparkline(answer.values)}" if answer.values.ndim == 1 else ""
        lines.append(f"  {answer.title} ({shape})  {answer.extremes()}{row}")
    for answer in found:
        if answer.signed:
            span = " to ".join(dict.fromkeys(f"{error:.2e}" for error in answer.signed))
            lines.append(f"  {answer.name}: signed truncation error {span}")
    return lines


def _number(answer: Answer) -> tuple[str, ...]:
    unit = "" if answer.unit == "1" else answer.unit
    course = f"{sparkline(answer.course)} over the times" if len(answer.course) > 1 else ""
    return answer.name, answer.at(()), unit, course or answer.meaning


def _is_long(answer: Answer) -> bool:
    return answer.values.ndim > 0 and answer.values.size > 0 and not _is_short(answer)


def _is_short(answer: Answer) -> bool:
    return answer.values.ndim == 1 and 0 < answer.values.size <= SHORT


def _tables(found: Sequence[Answer]) -> list[list[Answer]]:
    """Return the short arrays, those of one dimension together."""
    groups: dict[tuple[Any, ...], list[Answer]] = {}
    for answer in filter(_is_short, found):
        groups.setdefault((answer.dims, tuple(map(str, answer.labels[0]))), []).append(answer)
    return [of[i : i + SIDE_BY_SIDE] for of in groups.values() for i in range(0, len(of), SIDE_BY_SIDE)]


def asked_text(attributes: Mapping[str, Any]) -> str:
    """Return in one line what was asked: model, short parameters, engine, seed, initial state, kind of run."""
    settings = json.loads(attributes.get("settings", "{}"))
    used = json.loads(attributes.get("engine_used", "{}")) or settings.get("engine_settings", {})
    values = settings.get("parameters", {})
    short = [f"{k} = {v}" for k, v in values.items() if isinstance(v, (int, float, str)) and len(str(v)) <= 24]
    convergence = attributes.get("kind") == "convergence"
    engine = [str(settings.get("engine", ""))]
    engine += [
        f"{k} = {used[k]:.6g}" for k in ("chi", "dt") if isinstance(used.get(k), (int, float)) and not convergence
    ]
    kind = "convergence" if convergence else str(settings.get("kind", "")).replace("_", " ")
    parts = [", ".join([str(settings.get("model")), *short]), ", ".join(engine), f"seed {settings.get('seed')}"]
    start = "identity" if convergence else settings.get("initial")  # of its last point, it is the point before
    named = {"identity": "", "model": ""}.get(start, f"from {start}") if isinstance(start, str) else "from a record"
    return printable("; ".join(filter(None, [*parts, named, kind])))


# ------------------------------------------------------------------ as HTML


def values_html(dataset: xr.Dataset, curves: bool = True) -> str:
    """Return the answers as HTML: a table of numbers, short arrays as tables, long ones by their extremes.

    curves: whether arrays have small curves; default True.
    """
    found, parts = answers_in(dataset), []
    numbers = [answer for answer in found if answer.values.ndim == 0]
    if numbers:
        rows = [[a.name, a.at((), "±"), "" if a.unit == "1" else a.unit, a.meaning] for a in numbers]
        parts.append(html_table(["observable", "value", "unit", "meaning"], rows))
    for group in _tables(found):
        (dim,), (labels,) = group[0].dims, group[0].labels
        rows = [[label, *(a.at((i,), "±") for a in group)] for i, label in enumerate(labels)]
        parts.append(html_table([dim, *(a.title for a in group)], rows))
    for answer in filter(_is_long, found):
        shape = " × ".join(map(str, answer.values.shape))
        parts.append(f"<p><strong>{escaped(answer.title)}</strong> ({shape}): {escaped(answer.extremes('±'))}</p>")
    if curves:
        drawn = [(a.title, small_curve(*_curve(a))) for a in found]
        shown = (f"<figure>{svg}<figcaption>{escaped(title)}</figcaption></figure>" for title, svg in drawn if svg)
        parts.append(f'<div style="display:flex;flex-wrap:wrap;gap:1em">{"".join(shown)}</div>')
    return "\n".join(parts)


def _curve(answer: Answer) -> tuple[Any, Any]:
    if answer.course:
        return answer.course, None
    return (answer.values, answer.errors) if answer.values.ndim == 1 else ((), None)
