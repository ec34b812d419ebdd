"""Reports: a record, a convergence, a table or a sweep as one page of HTML that needs nothing but itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.display.numbers import printable, value_text
from tnness.display.page import document, escaped, html_table
from tnness.errors import InputError, RecordError
from tnness.records.answers import asked_text, values_html
from tnness.records.certificate import KINDS, figure_rows, word_of
from tnness.records.drawing import panels
from tnness.records.files import require_folder, write_whole
from tnness.records.history import History
from tnness.records.lazily import lazily
from tnness.records.names import EXTRAPOLATED, error_of, observables_in
from tnness.records.record import Record
from tnness.records.values import FLOOR, scale
from tnness.records.words import explained
from tnness.study.advice import GOOD, is_report, next_steps, repeating
from tnness.study.collect import collect, is_table, open_table
from tnness.study.plan import REALIZATION
from tnness.study.status import failures_html, share_html, status
from tnness.study.svg import drawn_for_a_page, inline_svg
from tnness.study.sweep_figure import BESIDE, Directions, sweep_caption, sweep_panels
from tnness.typed import typed

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
else:
    xr = lazily("xarray")

WIDE = (5.0, 3.4)
"""Inches of one figure of a report; it is scaled to the page."""
MOST_FIGURES = 24
"""Most observables that are drawn."""
MOST_ROWS = 200
"""Most points of a sweep that the page lists; the table of `collect` holds all."""

Sections = list[tuple[str, str]]
"""(heading, HTML) of the parts of a page."""


@typed
def report(path: str | Path, out: str | Path, *, overwrite: bool = False, refresh: int = 0) -> Path:
    """Write what a record, a table or the store of a sweep holds as one page of HTML; return the page's path.

    The page loads nothing and runs nothing; it is light or dark as the reader's browser is.

    Parameters
    ----------
    path: FILE.nc (steady state, evolution, convergence, collected sweep), FILE.nc.part, or the folder of a sweep.
    out: the page. overwrite: replace a page that is there; default False. refresh: seconds after which a browser reads
    the page again, for a sweep that goes on; default 0: never.

    Raises
    ------
    RecordError: there is nothing to report at `path`, or `out` exists. InputError: `out` is the record itself.
    """
    path, out = Path(path), Path(out)
    require_folder(out)
    if out.resolve() == path.resolve():
        raise InputError(f"the report would be written over the record {path}: give it another name")
    if out.exists() and not overwrite:
        raise RecordError(f"{out} exists already; give --overwrite to replace it, or another --out")
    title, lead, sections = _contents(path)
    links = "".join(f'<a href="#part-{i}">{escaped(heading)}</a>' for i, (heading, _) in enumerate(sections))
    body = "".join(
        f'<section id="part-{i}"><h2>{escaped(heading)}</h2>\n{text}</section>\n'
        for i, (heading, text) in enumerate(sections)
    )
    page = document(title, f"<h1>{escaped(title)}</h1>\n{lead}\n<nav>{links}</nav>\n<main>{body}</main>", refresh)
    write_whole(out, page.encode(), True)
    return out


def _contents(path: Path) -> tuple[str, str, Sections]:
    """Return the title, the lines below it, and the sections of a page."""
    if path.is_dir():
        return _of_store(path)
    if is_table(path):
        dataset = open_table(path)
        lead = _lines(sweep_caption(dataset, {}).splitlines())
        return f"{printable(dataset.attrs['model'])}: a sweep", lead, _table_sections(dataset)
    return _of_record(Record.open(path), path)


def _lines(lines: Iterable[str], kind: str = "") -> str:
    of = f' class="{kind}"' if kind else ""
    return "".join(f"<p{of}>{escaped(printable(line))}</p>" for line in lines)


# ------------------------------------------------------------------ a record


def _of_record(record: Record, path: Path) -> tuple[str, str, Sections]:
    dataset = record.dataset
    convergence = dataset.attrs.get("kind") == "convergence"
    kind = "convergence" if convergence else record.settings["kind"].replace("_", " ")
    verdict, *rest = explained(dataset, record.certificate)
    tone = "good" if word_of(record.outcome) in GOOD else "bad"
    lead = _lines([asked_text(dataset.attrs)], "faint") + _lines([verdict], f"verdict {tone}") + _lines(rest)
    with drawn_for_a_page():
        figures = _figures(dataset)
        courses = _courses(record)
    sections = [("Values", _times(dataset) + values_html(dataset, curves=False)), ("Figures", figures)]
    if convergence:
        sections.append(("Convergence", _convergence(dataset)))
    else:
        sections.append(("Certificate", _certificate(record)))
    if courses:
        sections.append(("How it got there", courses))
    steps = [f"# {what}\n{command}" for what, command in next_steps(record, path) if not is_report(command)]
    if steps:
        sections.append(("What next", f"<pre>{escaped(chr(10).join(steps))}</pre>"))
    sections.append(("Provenance", _provenance(record)))
    return f"{printable(dataset.attrs.get('model'))}: {kind}", lead, sections


def _times(dataset: xr.Dataset) -> str:
    if "time" not in dataset.dims or not dataset.sizes["time"]:
        return ""
    return _lines([f"At t = {float(dataset['time'].values[-1]):g}, the last of {dataset.sizes['time']} times:"])


def _figures(dataset: xr.Dataset) -> str:
    """Return one figure for each observable."""
    names = [name for name in observables_in(dataset) if dataset[name].ndim]  # a single number is no figure
    drawn = [
        inline_svg(_panel(dataset, name), _caption(dataset, name), i) for i, name in enumerate(names[:MOST_FIGURES])
    ]
    more = f"<p>{len(names) - MOST_FIGURES} more observables are not drawn.</p>" if len(names) > MOST_FIGURES else ""
    return f'<div class="figures">{"".join(drawn)}</div>{more}'


def _caption(dataset: xr.Dataset, name: str) -> str:
    return printable(dataset[name].attrs.get("long_name", name))


def _panel(dataset: xr.Dataset, name: str) -> Figure:
    figure = panels(dataset, [name], title=False)
    figure.set_size_inches(*WIDE)
    figure.axes[0].set_title("")
    return figure


def _certificate(record: Record) -> str:
    """Return the errors of every observable by kind, and all figures with their meanings."""
    certificate, dataset, rows = record.certificate, record.dataset, []
    for name in certificate.errors:
        if name not in dataset:
            continue
        size = max(scale(dataset[name].values), FLOOR)
        cells = [_share(certificate.estimates.get(kind, {}).get(name), size) for kind in KINDS]
        total = dataset[error_of(name)].values if error_of(name) in dataset else None
        rows.append([name, f"{size:.4g}", *cells, _share(total, size)])
    text = ""
    if rows:
        text += "<p>The largest error of each observable, in per cent of its largest element:</p>"
        text += html_table(["observable", "largest element", *KINDS, "all together"], rows)
    asked = record.settings.get("tolerance")
    if isinstance(asked, (int, float)) and record.outcome != "exact":
        text += _lines([f"Asked for: all together at most {100 * asked:g} %."])
    figures = html_table(["figure", "value", "meaning"], figure_rows(certificate))
    return f"{text}<details open><summary>All figures</summary>{figures}</details>"


def _share(errors: Any, size: float) -> str:
    if errors is None or not np.size(errors) or np.isnan(errors).all():
        return "unknown"
    return f"{100 * float(np.nanmax(np.abs(errors))) / size:.2g} %"


def _convergence(dataset: xr.Dataset) -> str:
    """Return the table of a convergence: largest elements at every (dt, chi), and the limit."""
    names = [k for k in observables_in(dataset) if f"{k}{EXTRAPOLATED}" in dataset]
    rows = []
    for i, dt in enumerate(dataset["dt"].values):
        for j, chi in enumerate(dataset["chi"].values):
            cells = [_largest(dataset[k].values[i, j]) for k in names]
            rows.append([f"{dt:.4g}", f"{chi:g}", *cells, printable(dataset["outcome"].values[i, j])])
    limit = [_limit(dataset, k) for k in names]
    heads = [k if dataset[k].ndim == 2 else f"largest |{k}|" for k in names]
    table = html_table(["dt", "chi", *heads, "outcome"], [*rows, ["", "∞", *limit, ""]])
    with drawn_for_a_page():
        figure = _distances(dataset, names)
        told = (
            "Largest distance from the limit at the smallest dt, relative to each observable's size; dashed: its error"
        )
        return table + f'<div class="figures">{inline_svg(figure, told, 2000)}</div>'


def _distances(dataset: xr.Dataset, names: Sequence[str]) -> Figure:
    """Return |O(chi) - O(infinity)| against chi, on logarithmic axes; dashed, what the limit claims as its error."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=WIDE, layout="constrained")
    axes = figure.subplots()
    for name in names:
        limit, error = dataset[f"{name}{EXTRAPOLATED}"].values, dataset[error_of(f"{name}{EXTRAPOLATED}")].values
        size = max(scale(limit), FLOOR)
        apart = np.array([scale(values - limit) / size for values in dataset[name].values[-1]])
        seen = apart > 0
        if seen.any():
            (line,) = axes.plot(dataset["chi"].values[seen], apart[seen], "o-", ms=3.5, lw=1, label=printable(name))
            if scale(error) > 0:
                axes.axhline(scale(error) / size, color=line.get_color(), lw=0.8, ls="--")
    axes.set_xscale("log", base=2)
    if axes.lines:
        axes.set_yscale("log")
        axes.legend(fontsize=7)
    axes.set_xlabel("chi")
    axes.set_ylabel("distance from the limit")
    return figure


def _largest(values: Any) -> str:
    return f"{scale(np.asarray(values)):.10g}" if np.ndim(values) else f"{float(values):.10g}"


def _limit(dataset: xr.Dataset, name: str) -> str:
    limit = f"{name}{EXTRAPOLATED}"
    values, errors = dataset[limit].values, dataset[error_of(limit)].values
    value = float(values) if not np.ndim(values) else scale(values)
    return value_text(value, float(np.nanmax(errors)) if np.isfinite(errors).any() else None, "±")


# ------------------------------------------------------------------ how it got there


def _courses(record: Record) -> str:
    """Return the relaxation of what was monitored and the decay of the kicks, where the record holds them."""
    figures = []
    if record.settings["kind"] == "steady_state" and len(record.history.times) > 2:
        figures += _relaxation(record.history)
    figures = [inline_svg(figure, caption, 1000 + i) for i, (figure, caption) in enumerate(figures)]
    figure = record.certificate.figures()
    kick = {k: figure.get(k, math.nan) for k in ("forgets_in", "kick_left", "kick_site")}
    told = ""
    if not math.isnan(kick["kick_left"]):
        told = f"Two disturbances of all sites were evolved beside the settled state: {kick['kick_left']:.1%} is left"
        told += "" if math.isnan(kick["kick_site"]) else f", most of it at sites {kick['kick_site']:g} and the next"
        told += "." if math.isnan(kick["forgets_in"]) else f"; both are forgotten in t = {kick['forgets_in']:.3g}."
    drawn = f'<div class="figures">{"".join(figures)}</div>' if figures else ""
    return drawn + (_lines([told]) if told else "")


def _relaxation(history: History) -> list[tuple[Figure, str]]:
    """Return the distance of every monitored observable from its last value against time, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=WIDE, layout="constrained")
    axes = figure.subplots()
    for name, series in history.values.items():
        if np.shape(series[0]) != np.shape(series[-1]):
            continue
        last = np.asarray(series[-1], float)
        size = max(scale(last), FLOOR)
        apart = np.array([scale(np.asarray(value, float) - last) / size for value in series[:-1]])
        seen = apart > 0
        if seen.any():
            axes.plot(np.array(history.times[:-1])[seen], apart[seen], lw=1.2, label=printable(name))
    if not axes.lines:
        return []
    axes.set_yscale("log")
    axes.set_xlabel("evolution time")
    axes.set_ylabel("largest distance from the last value")
    for begin in sorted({history.times[history.stages.index(stage)] for stage in set(history.stages)})[1:]:
        axes.axvline(begin, lw=0.6, ls=":", color="#888888")
    if len(axes.lines) <= 12:
        axes.legend(fontsize=7)
    told = "Relaxation: the largest distance of each observable from its last value, relative to its largest element"
    return [(figure, f"{told}. Dotted lines begin a stage (another bond dimension or time step).")]


def _provenance(record: Record) -> str:
    """Return settings, versions, digests, and the command that runs the same again."""
    dataset, settings = record.dataset, record.settings
    attributes: Mapping[str, Any] = dataset.attrs
    rows = [[name, _short(value)] for name, value in settings.items() if name not in ("parameters", "engine_settings")]
    rows += [[f"parameter {name}", _short(value)] for name, value in settings["parameters"].items()]
    rows += [[f"engine: {name}", _short(value)] for name, value in (record.used or settings["engine_settings"]).items()]
    rows += [["digest of the physics", printable(attributes.get("physics", "unknown"))]]
    rows += [["evolution time", f"{record.time:.6g}"]]
    rows += [["seconds", f"{float(attributes[k]):.3g}"] for k in ("wall_seconds",) if k in attributes]
    rows += [[name, printable(version)] for name, version in json.loads(attributes.get("versions", "{}")).items()]
    command = escaped(repeating(record))
    return f"<p>The same again:</p><pre>{command}</pre>" + html_table(["", ""], rows)


def _short(value: Any) -> str:
    text = printable(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= 400 else f"{text[:390]} ..."


# ------------------------------------------------------------------ a sweep


def _of_store(folder: Path) -> tuple[str, str, Sections]:
    progress = status(folder)
    lead = share_html(progress.done, progress.failed, progress.asked)
    lead += _lines(line for line in str(progress).splitlines() if not line.startswith("failed:"))
    if not progress.done:
        failures = [("Failures", failures_html(progress.failures))] if progress.failures else []
        return f"A sweep: {folder.name}", lead, failures
    dataset = collect(folder)
    lead += _lines(sweep_caption(dataset, {}).splitlines(), "faint")
    sections = _table_sections(dataset)
    if progress.failures:
        sections.insert(1, ("Failures", failures_html(progress.failures)))
    return f"{printable(dataset.attrs['model'])}: a sweep", lead, sections


def _table_sections(dataset: xr.Dataset) -> Sections:
    with drawn_for_a_page():
        figures = _sweep_figures(dataset)
    names = [name for name in observables_in(dataset) if name not in BESIDE]
    values = values_html(dataset[names], curves=False)
    return [("Values", values), ("Figures", figures), ("Points", _points(dataset))]


def _sweep_figures(dataset: xr.Dataset) -> str:
    drawn, left = [], []
    for name in (k for k in observables_in(dataset) if k not in BESIDE):
        at = _fixed(dataset, name)
        try:
            figure = sweep_panels(dataset, [name], Directions(at=at))
        except InputError as error:
            left.append(str(error))
            continue
        figure.set_size_inches(*WIDE)
        figure.suptitle("")
        figure.axes[0].set_title("")
        caption = ", ".join([_caption(dataset, name), *(f"{axis} = {value}" for axis, value in at.items())])
        drawn.append(inline_svg(figure, caption, len(drawn)))
        if len(drawn) == MOST_FIGURES:
            break
    return f'<div class="figures">{"".join(drawn)}</div>{_lines([f"Not drawn: {text}" for text in left], "faint")}'


def _fixed(dataset: xr.Dataset, name: str) -> dict[str, Any]:
    """Return the first value of every axis of the grid that a figure of an observable has no room for.

    An array is drawn against its own axis, and a number against the longest axis of the grid: one more gives curves.
    """
    grid = [str(d) for d in dataset["status"].dims if d != REALIZATION and dataset.sizes[d] > 1]
    room = 1 if dataset[name].ndim > dataset["status"].ndim else 2
    grid.sort(key=lambda d: -dataset.sizes[d])
    return {d: dataset[d].values[0] if d in dataset.coords else 0 for d in grid[room:]}


def _points(dataset: xr.Dataset) -> str:
    """Return the points with their status and numbers."""
    axes = list(map(str, dataset["status"].dims))
    meanings = str(dataset["status"].attrs.get("flag_meanings", "")).split(", ")
    scalars = [k for k in observables_in(dataset) if k not in BESIDE and dataset[k].ndim == len(axes)]
    asked = [place for place in np.ndindex(dataset["status"].shape) if int(dataset["status"].values[place]) > 0]
    rows: list[Sequence[Any]] = []
    for place in asked[:MOST_ROWS]:
        at = [dataset[d].values[i] if d in dataset.coords else i for d, i in zip(axes, place, strict=True)]
        state = int(dataset["status"].values[place])
        word = meanings[state] if state < len(meanings) else str(state)
        rows.append([*at, word, f"{float(dataset['cpu_seconds'].values[place]):.3g}", *_row(dataset, scalars, place)])
    more = f"<p>and {len(asked) - MOST_ROWS} more points</p>" if len(asked) > MOST_ROWS else ""
    return html_table([*axes, "status", "seconds of CPU", *scalars], rows) + more


def _row(dataset: xr.Dataset, scalars: Sequence[str], place: tuple[int, ...]) -> list[str]:
    cells = []
    for name in scalars:
        error = dataset[error_of(name)].values[place] if error_of(name) in dataset else None
        cells.append(value_text(float(dataset[name].values[place]), None if error is None else float(error), "±"))
    return cells
