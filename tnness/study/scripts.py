"""The head of the scripts of studies: one command line for all figures, their tables and files, sweeps as tables."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from matplotlib.figure import Figure

from tnness.display.messages import SILENCE, never_silent
from tnness.engines.ask import TOLERANCE
from tnness.engines.beyond.question import Question
from tnness.engines.protocol import Engine
from tnness.errors import InputError, RecordError, TnnessError
from tnness.records.lazily import lazily
from tnness.records.style import PIXELS_PER_INCH, styled
from tnness.runs.progress import draws_bars
from tnness.study.collect import collect
from tnness.study.point import Measure
from tnness.study.sweep import sweep

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


P = TypeVar("P")
Tables = Any
"""What a figure is drawn from: a table, or tables by the names of their parts."""

SMALL_VARIABLE = 20_000
"""Largest variable in bytes that is not compressed: compression would take more room than it saves."""


def script(
    file: str,
    presets: Mapping[str, P],
    compute: Callable[[P, Path, int], Tables],
    draw: Callable[[Any], Figure],
    tell: Callable[[Any], str] | None = None,
    *,
    name: str = "",
    table: str = "",
    choose: Callable[..., P] | None = None,
) -> None:
    """Be the script of a figure: compute its table or take it from a file, tell its numbers, draw, save.

    Parameters
    ----------
    file: `__file__` of the script; its folder has the study's name. presets: what is computed, by name; the first is
        the default.
    compute: from a preset, the folder that keeps points, and a number of processes to a table, or to tables by the
        names of their parts.
    draw: from that to the figure, with nothing else. tell: the numbers as text.
    name: of the files; default: that of the script. table: name of the figure whose table this one draws; default: its
        own.
    choose: changes a preset; its keyword arguments are further options.
    """
    typer.run(head(Path(file), presets, compute, draw, tell, name=name, table=table, choose=choose))


def head(
    file: Path,
    presets: Mapping[str, P],
    compute: Callable[[P, Path, int], Tables],
    draw: Callable[[Any], Figure],
    tell: Callable[[Any], str] | None = None,
    *,
    name: str = "",
    table: str = "",
    choose: Callable[..., P] | None = None,
) -> Callable[..., None]:
    """Return the command of a script, for typer; `script` explains the arguments."""
    study, stem = file.resolve().parent, name or file.stem
    further = list(inspect.signature(choose, eval_str=True).parameters.values())[1:] if choose else []

    def main(
        preset: str, workers: int, store: Path, out: Path | None, commit: bool, draw_only: bool, **choices: Any
    ) -> None:
        suffix = "".join(f"_{p.name}={choices[p.name]}" for p in further if choices[p.name] != p.default)
        chosen = preset_named(presets, preset)
        committed, runs = study / "figures", Path("runs") / study.name / "figures"
        if draw_only:
            places = [committed] if commit else [out or runs, committed]
            tables = read_tables(f"{table or stem}_{preset}{suffix}", places)
        else:
            with never_silent(f"{stem} {preset}", math.inf if draws_bars() else SILENCE):
                tables = compute(choose(chosen, **choices) if choose else chosen, store, workers)
            for part in named_parts(tables).values():
                part.attrs["preset"] = preset
        if tell is not None:
            typer.echo(tell(tables))
        with styled():
            figure = draw(tables)
            kept = {} if table or draw_only else named_parts(tables)
            target = (committed if commit else out or runs) / f"{stem}_{preset}{suffix}"
            save(figure, kept, target, ("png",) if commit else ("png", "pdf"))

    def told(**options: Any) -> None:
        try:
            main(**options)
        except TnnessError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error

    told.__doc__ = inspect.getdoc(inspect.getmodule(draw)) or "Compute what is missing, and draw."
    options = [*_options(presets, study.name), *further]
    told.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    told.__annotations__ = {option.name: option.annotation for option in options}
    return told


def _options(presets: Mapping[str, Any], study: str) -> list[inspect.Parameter]:
    """Return the options of every script."""
    runs = Path("runs") / study
    return [
        _option("preset", str, next(iter(presets)), f"what is computed: {', '.join(presets)}"),
        _option("workers", int, 0, "processes, one BLAS thread each; 0: this one", min=0),
        _option("store", Path, runs, "the folder that keeps the points"),
        _option("out", Path | None, None, f"the folder of figure and table; default: {runs / 'figures'}"),
        _option("commit", bool, False, "write PNG and table beside the script, no PDF"),
        _option("draw-only", bool, False, "compute nothing: draw the table that is there, or beside the script"),
    ]


def _option(name: str, kind: Any, default: Any, text: str, **limits: Any) -> inspect.Parameter:
    annotation = Annotated[kind, typer.Option(f"--{name}", help=text, **limits)]
    python_name, how = name.replace("-", "_"), inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(python_name, how, default=default, annotation=annotation)


def named_parts(tables: Tables) -> dict[str, xr.Dataset]:
    """Return tables by the names of their parts; one table has an empty name."""
    return tables if isinstance(tables, dict) else {"": tables}


def read_tables(source: str, folders: Sequence[Path]) -> Tables:
    """Return the table SOURCE.nc of the first folder that holds it, or its parts SOURCE_NAME.nc by name.

    Raises
    ------
    InputError: no folder holds it.
    """
    for folder in folders:
        whole, parts = folder / f"{source}.nc", sorted(folder.glob(f"{source}_*.nc"))
        parts = [part for part in parts if "=" not in part.stem.removeprefix(source)]  # that is another choice
        if whole.exists():
            return xr.load_dataset(whole, engine="h5netcdf")
        if parts:
            return {p.stem.removeprefix(f"{source}_"): xr.load_dataset(p, engine="h5netcdf") for p in parts}
    raise InputError(f"there is no table {source}.nc in {', '.join(map(str, folders))}: run without --draw-only first")


def preset_named(presets: Mapping[str, P], name: str) -> P:
    """Return a preset.

    Raises
    ------
    typer.BadParameter: no preset has that name.
    """
    if name not in presets:
        raise typer.BadParameter(f"there is no preset {name!r}: it is one of {', '.join(presets)}")
    return presets[name]


def swept(
    model: str,
    grid: Mapping[str, Sequence[Any]],
    store: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    realizations: int = 1,
    independent: Sequence[str] = (),
    seed: int = 0,
    engine: Engine | str | None = None,
    times: Sequence[float] | None = None,
    tolerance: float = TOLERANCE,
    question: Question | None = None,
    measure: Measure | None = None,
    workers: int = 0,
    certificate: bool = False,
    known: Path | None = None,
) -> xr.Dataset:
    """Compute the points of a grid that the store lacks, and return the table of this grid.

    The arguments are those of `sweep` and `collect`. The store may hold more points: other values, more realizations.
    known: a folder of collected tables with the names of the stores; without a table of that name all is computed.

    Raises
    ------
    RecordError: a point failed.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    collected = None if known is None else known / f"{store.name}.nc"
    summary = sweep(
        model,
        grid,
        store=store,
        parameters=dict(parameters or {}),
        realizations=realizations,
        independent=independent,
        seed=seed,
        engine=engine,
        times=times,
        tolerance=tolerance,
        question=question,
        measure=measure,
        workers=workers,
        progress=True,
        known=collected if collected is not None and collected.exists() else None,
    )
    if summary.failed:
        raise RecordError(f"{summary.failed} points of {store} failed, for one: {summary.failures[0].error}")
    table = collect(store, certificate=certificate)
    return table.sel({axis: list(values) for axis, values in grid.items()} | {"realization": range(realizations)})


def save(
    figure: Figure, tables: Mapping[str, xr.Dataset], stem: Path, formats: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write a figure as STEM.png and STEM.pdf, its tables as STEM_NAME.nc, or as STEM.nc for an empty name."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        packed = {k: {"zlib": True, "complevel": 9} for k, v in table.data_vars.items() if v.nbytes > SMALL_VARIABLE}
        table.to_netcdf(f"{stem}_{name}.nc" if name else f"{stem}.nc", engine="h5netcdf", encoding=packed)
    targets = [Path(f"{stem}.{ending}") for ending in formats]
    for target in targets:
        about = {"CreationDate": None} if target.suffix == ".pdf" else {"Software": None}
        figure.savefig(target, dpi=PIXELS_PER_INCH, metadata=about)
        typer.echo(target)
    return targets
