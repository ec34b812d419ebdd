"""Functions that the scripts of the studies share: options, presets by name, sweeps as tables, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from matplotlib.figure import Figure

from tnness.engines.ask import TOLERANCE
from tnness.engines.beyond.question import Question
from tnness.engines.protocol import Engine
from tnness.errors import RecordError
from tnness.records.lazily import lazily
from tnness.study.collect import collect
from tnness.study.point import Measure
from tnness.study.sweep import sweep

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


P = TypeVar("P")

WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="processes, one BLAS thread each; 0: this one")]
StoreOption = Annotated[Path, typer.Option("--store", help="the folder that keeps the points")]


SMALL_VARIABLE = 20_000
"""Largest variable in bytes that is not compressed: compression would take more room than it saves."""


def preset_option(presets: Mapping[str, Any]) -> Any:
    """Return the type of an option that takes the name of a preset."""
    return Annotated[str, typer.Option("--preset", help=f"one of {', '.join(presets)}")]


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
) -> xr.Dataset:
    """Compute the points of a grid that the store lacks, and return the table of this grid.

    The arguments are those of `sweep` and `collect`. The store may hold more points: other values, more realizations.

    Raises
    ------
    RecordError: a point failed.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
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
    )
    if summary.failed:
        raise RecordError(f"{summary.failed} points of {store} failed, for one: {summary.failures[0].error}")
    table = collect(store, certificate=certificate)
    return table.sel({axis: list(values) for axis, values in grid.items()} | {"realization": range(realizations)})


def save(figure: Figure, tables: Mapping[str, xr.Dataset], stem: Path, dpi: int = 110) -> Path:
    """Write a figure as STEM.png, and its tables as STEM_NAME.nc, or as STEM.nc for an empty name."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        packed = {k: {"zlib": True, "complevel": 9} for k, v in table.data_vars.items() if v.nbytes > SMALL_VARIABLE}
        table.to_netcdf(f"{stem}_{name}.nc" if name else f"{stem}.nc", engine="h5netcdf", encoding=packed)
    target = Path(f"{stem}.png")
    figure.savefig(target, dpi=dpi)
    typer.echo(target)
    return target
