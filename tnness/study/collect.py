"""The points of a sweep as one labelled table: the grid and `realization` are dimensions, missing numbers are NaN."""

from __future__ import annotations

import io
import json
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import Doubt, InputError, RecordError
from tnness.records.certificate import word_of
from tnness.records.files import seal_of
from tnness.records.lazily import lazily
from tnness.records.record import ERROR, PREFIX, Record, error_of, read_dataset
from tnness.records.schema import check_layout, check_variables
from tnness.runs.progress import bar_class, draws_bars
from tnness.study.plan import REALIZATION, Point, canonical
from tnness.study.store import Store, holds
from tnness.study.sweep_figure import register_plots
from tnness.typed import typed

if TYPE_CHECKING:
    import h5py
    import xarray as xr
else:
    h5py, xr = lazily("h5py"), lazily("xarray")


TABLE_FORMAT = "tnness-table-1"
REFERENCE = "reference"
"""The attribute that tells the physics of one point, as the store does (JSON)."""
STATES = ("not asked for", "missing", "damaged", "failed", "not converged", "done", "converged", "exact")
"""The meanings of `status`, an index into this list. From NOT_CONVERGED on, a point has numbers."""
NOT_ASKED, MISSING, DAMAGED, FAILED, NOT_CONVERGED, DONE, CONVERGED, EXACT = range(len(STATES))
OUTCOMES = {"exact": EXACT, "converged": CONVERGED, "complete": DONE, "measured": DONE}


@typed
def collect(
    folder: str | Path, *, variables: Sequence[str] | None = None, certificate: bool = True, progress: bool = False
) -> xr.Dataset:
    """Return all points of a sweep in one table.

    Parameters
    ----------
    folder: the store. variables: the observables to read; default: all. certificate: whether to read its figures too.
    progress: whether to show a bar.

    Returns
    -------
    Every variable of the records, with the axes of the grid and `realization` as first dimensions. If records differ in
    size (a chain's `site` at several n), the smaller ones are filled up with NaN. Each point has a `status` (see
    `flag_meanings`), the `seed` of its disorder, and the `cpu_seconds` that it took. Attributes count the points of
    every status. `table.tnness.plot("energy", x="h")` draws it, see `TablePlots.plot`.

    Raises
    ------
    RecordError: there is no sweep, or nothing is finished. InputError: a variable that no record has.
    """
    store = Store.open(folder)
    points = store.points()
    finished, failed = store.finished(), store.failures()
    table = Table.over(points)
    damaged = []
    for point in bar_class()(points, desc="records", disable=not (progress and draws_bars())):
        index = table.index(point)
        table.seed[index] = point.seed
        if point.key not in finished:
            table.status[index] = FAILED if point.key in failed else MISSING
            continue
        path = store.record_path(point.key)
        try:
            read = _read(path, point, variables, certificate)
        except (OSError, KeyError, ValueError, RecordError):
            damaged.append(path)
            table.status[index] = DAMAGED
            continue
        table.add(index, path, read)
    if not table.columns:
        raise RecordError(f"no point of the sweep in {folder} is finished")
    for name in variables or ():
        if name not in table.columns:
            raise InputError(f"no record of the sweep has a variable {name!r}: {', '.join(sorted(table.columns))}")
    register_plots()
    told = {} if store.reference is None else {REFERENCE: json.dumps(asdict(store.reference))}
    return table.dataset(store.base, damaged).assign_attrs(told)


def is_table(path: str | Path) -> bool:
    """True where a file holds a table from `collect`."""
    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get("format") == TABLE_FORMAT
    except (OSError, ValueError, RuntimeError, KeyError):
        return False


def open_table(path: str | Path, quiet: bool = False) -> xr.Dataset:
    """Return a collected sweep from its file. A table that another program has written has no seal, and is read too.

    quiet: do not warn of a table without a seal (default False).

    Raises
    ------
    RecordError: the file is damaged, or is no table.
    """
    try:
        content = Path(path).read_bytes()
        seal = seal_of(content)
        if seal is not None and not seal.intact:
            raise RecordError("it is damaged, its checksum does not fit")
        with h5py.File(io.BytesIO(content), "r") as file:
            check_layout(file, len(content))
        dataset = read_dataset(content)
        _check_table(dataset)
    except Exception as error:  # HDF5 and xarray raise errors of many kinds on a foreign file
        raise RecordError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    if seal is None and not quiet:
        warnings.warn(f"{path} is unsealed: nothing shows whether it has changed", Doubt, stacklevel=2)
    register_plots()
    return dataset


def _check_table(dataset: xr.Dataset) -> None:
    for name in ("settings", "tally"):
        if not isinstance(json.loads(dataset.attrs[name]), dict):
            raise RecordError(f"its attribute {name!r} is no table")
    settings = json.loads(dataset.attrs["settings"])
    if not all(isinstance(settings.get(name), dict) for name in ("parameters", "engine_settings")):
        raise RecordError("its settings lack the parameters or the engine's settings")
    if REALIZATION not in dataset.dims or "status" not in dataset:
        raise RecordError(f"it has no dimension {REALIZATION!r}, or no status")
    check_variables(dataset.data_vars)


Array = NDArray[Any]


@dataclass
class Table:
    """A table under construction, whose columns grow with the largest record.

    axes: values on each axis of the grid, and the realizations. columns: name -> numbers, with the dimensions of the
    table first, then the variable's own.
    """

    axes: dict[str, list[Any]]
    positions: dict[str, dict[str, int]]
    shape: tuple[int, ...]
    status: Array
    seed: Array
    cpu_seconds: Array
    columns: dict[str, Array] = field(default_factory=dict)
    largest: dict[str, tuple[int, Path]] = field(
        default_factory=dict
    )  # variable -> size and file of its largest record

    @classmethod
    def over(cls, points: Sequence[Point]) -> Table:
        """Return an empty table for these points."""
        names = list(points[0].values)
        axes: dict[str, list[Any]] = {
            name: _ordered(list({canonical(p.values[name]): p.values[name] for p in points}.values())) for name in names
        }
        axes[REALIZATION] = list(range(1 + max(point.realization for point in points)))
        positions = {name: {canonical(v): i for i, v in enumerate(values)} for name, values in axes.items()}
        shape = tuple(len(values) for values in axes.values())
        status, seed = np.full(shape, NOT_ASKED, np.int8), np.zeros(shape, np.uint64)
        return cls(axes, positions, shape, status, seed, np.full(shape, np.nan))

    def index(self, point: Point) -> tuple[int, ...]:
        """Return the indices of a point in the table."""
        on_grid = (self.positions[name][canonical(value)] for name, value in point.values.items())
        return (*on_grid, point.realization)

    def add(self, index: tuple[int, ...], path: Path, read: Read) -> None:
        """Add the numbers of a record."""
        self.status[index] = OUTCOMES.get(word_of(read.outcome), NOT_CONVERGED)
        self.cpu_seconds[index] = read.cpu_seconds
        for name, values in read.arrays.items():
            if name not in self.columns:
                self.columns[name] = np.full(self.shape + values.shape, np.nan)
            column = self.columns[name]
            present = column.shape[len(self.shape) :]
            if values.ndim != len(present):
                raise RecordError(
                    f"{name!r} of {path} has the shape {values.shape}, of points before it {present}: one table cannot "
                    "hold both; --observable chooses others"
                )
            if values.size > self.largest.get(name, (-1, path))[0]:
                self.largest[name] = values.size, path
            if any(new > old for new, old in zip(values.shape, present, strict=True)):
                grown = tuple(max(pair) for pair in zip(values.shape, present, strict=True))
                wider = [(0, 0)] * len(self.shape) + [(0, g - p) for g, p in zip(grown, present, strict=True)]
                column = self.columns[name] = np.pad(column, wider, constant_values=np.nan)
            column[(*index, *(slice(0, length) for length in values.shape))] = values

    def dataset(self, base: dict[str, Any], damaged: Sequence[Path]) -> xr.Dataset:
        """Return the labelled table."""
        axes = tuple(self.axes)
        about = {"flag_values": list(range(len(STATES))), "flag_meanings": ", ".join(STATES)}
        dataset = xr.Dataset(
            {
                "status": xr.Variable(axes, self.status, about),
                "seed": xr.Variable(axes, self.seed, {"long_name": "seed of the disorder"}),
                "cpu_seconds": xr.Variable(axes, self.cpu_seconds, {"units": "s"}),
            },
            coords={name: _coordinate(values) for name, values in self.axes.items()},
        )
        for path in {path: None for _, path in self.largest.values()}:
            sample = Record.open(path).dataset
            mine = [name for name, (_, largest) in self.largest.items() if largest == path]
            for name in mine:
                column = xr.Variable((*axes, *sample[name].dims), self.columns[name], sample[name].attrs)
                other = [d for d in sample[name].dims if dataset.sizes.get(d, column.sizes[d]) != column.sizes[d]]
                if other:
                    raise RecordError(
                        f"{path}: {name} has {column.sizes[other[0]]} values along {other[0]!r}, not "
                        f"{dataset.sizes[other[0]]} as other variables of this sweep"
                    )
                dataset[name] = column
                dims = [d for d in sample[name].dims if d in sample.coords and d not in dataset.coords]
                dataset = dataset.assign_coords({d: sample[d] for d in dims})
        counts = Counter(STATES[i] for i in self.status.ravel().tolist() if i != NOT_ASKED)
        return dataset.assign_attrs(
            format=TABLE_FORMAT,
            model=base["model"],
            settings=json.dumps(base),
            points=int(sum(counts.values())),
            tally=json.dumps(dict(counts)),
            damaged=", ".join(str(path) for path in damaged),
        )


@dataclass(frozen=True)
class Read:
    """The part of one record that enters the table."""

    outcome: str
    cpu_seconds: float
    arrays: dict[str, Array]


def _read(path: Path, point: Point, variables: Sequence[str] | None, certificate: bool) -> Read:
    """Read a record with h5py: to open it as a labelled table takes fifteen times as long."""
    if not holds(path.read_bytes(), point):
        raise RecordError(f"{path} is damaged, or holds another point")
    with h5py.File(path, "r") as file:
        arrays: dict[str, Array] = {}
        for name in file.id:
            text = name.decode()
            asked = variables is None or text in variables or text.removesuffix(ERROR) in variables
            if certificate if text.startswith(PREFIX) else asked:
                arrays |= _variable(file.id, name, text)
        return Read(str(file.attrs["outcome"]), _number(file.attrs["cpu_seconds"]), arrays)


def _variable(file: h5py.h5f.FileID, name: bytes, text: str) -> dict[str, Array]:
    """Return a variable's numbers, and its error if it has one; nothing for a text, a group or a dimension.

    The low-level interface of h5py takes half the time.
    """
    data = h5py.h5o.open(file, name)  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(data, h5py.h5d.DatasetID) or h5py.h5ds.is_scale(data) or data.dtype.kind not in "fiub":
        return {}
    values = np.empty(data.shape)
    data.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    if not h5py.h5a.exists(data, b"error"):
        return {text: values}
    error = np.empty(1)  # an old file: one number for all elements
    h5py.h5a.open(data, b"error").read(error)
    return {text: values, error_of(text): np.full(values.shape, error.item())}


def _number(attribute: Any) -> float:
    """Return an attribute's number: netCDF keeps it as an array of one."""
    return float(np.asarray(attribute).item())


def _ordered(values: list[Any]) -> list[Any]:
    """Return numbers in increasing order, other values in their given order."""
    return sorted(values) if all(isinstance(v, (int, float)) for v in values) else values


def _coordinate(values: list[Any]) -> Any:
    """Return numbers and texts as they are, and other values as JSON text."""
    plain = all(isinstance(v, (int, float)) for v in values) or all(isinstance(v, str) for v in values)
    return np.array(values if plain else [canonical(v) for v in values])
