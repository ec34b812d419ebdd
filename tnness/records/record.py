"""The record: one file with labelled observables, a certificate and everything needed to repeat or extend the run.

The file is netCDF-4 (HDF5). Its root opens with `xarray.open_dataset`: one variable per observable with named
dimensions and one `NAME_error` for its errors, the certificate's figures as scalars `certificate_*`, provenance in the
attributes. The groups `state`, `history` and `errors` hold the run's state, its monitored observables against time and
their errors by kind. Nothing is pickled. A file is written under a
temporary name and then renamed: a reader sees the complete old file or the complete new one.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.display.page import escaped, html_table
from tnness.errors import InputError, RecordError, suggestion
from tnness.network.chain_state import ChainState
from tnness.network.grouping import taken_apart
from tnness.observables.observable import Observable
from tnness.records.answers import asked_text, values_html, values_text
from tnness.records.averages import TimeAverage
from tnness.records.certificate import Certificate, figure_rows
from tnness.records.drawing import panels
from tnness.records.files import require_name, seal_of, sealed, write_whole
from tnness.records.history import History
from tnness.records.lazily import lazily
from tnness.records.names import ADJOINT, PREFIX, error_of
from tnness.records.names import BURSTS as BURSTS
from tnness.records.names import ERROR as ERROR
from tnness.records.names import EXTRAPOLATED as EXTRAPOLATED
from tnness.records.names import RESERVED as RESERVED
from tnness.records.names import observables_in as observables_in
from tnness.records.old import OLD, old_estimates, upgraded, with_errors_as_variables, with_total_tolerance
from tnness.records.schema import (
    check_attributes,
    check_average,
    check_errors,
    check_history,
    check_layout,
    check_shapes,
    check_state,
    check_variables,
)
from tnness.records.snapshot import Snapshot
from tnness.records.style import styled
from tnness.records.values import Estimates, Values
from tnness.records.words import explained
from tnness.typed import shown, typed

if TYPE_CHECKING:
    import h5py
    import xarray as xr
    from matplotlib.figure import Figure
else:
    h5py, xr = lazily("h5py"), lazily("xarray")


FORMAT = "tnness-record-2"
NETCDF_ENGINE = "h5netcdf"
UNFINISHED = "unfinished"


@dataclass
class Record:
    """The result of a run.

    Parameters
    ----------
    dataset: observables, certificate figures and attributes; `xarray.open_dataset` shows the same.
    snapshot: the run's state, or None where it was not kept.
    history: monitored observables against time (in a time evolution: all observables).
    averages: the averages so far, in an unfinished run whose answer is an average.
    estimates: the errors by kind, whose sums are the variables NAME_error; in an unfinished run those of the record
        that it extends.
    """

    dataset: xr.Dataset
    snapshot: Snapshot | None = None
    history: History = field(default_factory=History)
    averages: dict[str, TimeAverage] = field(default_factory=dict)
    estimates: Estimates = field(default_factory=dict)

    def __post_init__(self) -> None:
        kinds = (self.snapshot, Snapshot | None), (self.history, History), (self.averages, dict), (self.estimates, dict)
        wrong = [value for value, kind in kinds if not isinstance(value, kind)]
        if wrong or not hasattr(self.dataset, "data_vars"):
            raise RecordError(f"a record holds a Dataset of xarray, a state and a history, got {shown(self.dataset)}")

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return an observable by name."""
        return self.dataset[name]

    def __repr__(self) -> str:
        lines = [f"Record({self.dataset.attrs.get('model')}, outcome={self.outcome!r})", asked_text(self.dataset.attrs)]
        return "\n".join([*lines, *values_text(self.dataset), *explained(self.dataset, self.certificate)])

    def _repr_html_(self) -> str:
        """Return the answer for a notebook: what was asked, values with errors, small curves, the certificate."""
        words = "".join(f"<p>{escaped(line)}</p>" for line in explained(self.dataset, self.certificate))
        asked = f"<p><strong>{escaped(asked_text(self.dataset.attrs))}</strong></p>"
        figures = html_table(["figure", "value", "meaning"], figure_rows(self.certificate))
        return f"{asked}{values_html(self.dataset)}{words}<details><summary>certificate</summary>{figures}</details>"

    def plot(self, *names: str) -> Figure:
        """Return a matplotlib figure with one panel per observable; a notebook shows it.

        names: observables; default: all.

        Raises
        ------
        InputError: a name that is no observable of the record.
        """
        known = observables_in(self.dataset)
        for name in names:
            if name not in known:
                raise InputError(f"the record holds no observable {name!r}{suggestion(name, known)}")
        if not known:
            raise RecordError("the record holds no observables to draw")
        with styled():
            return panels(self.dataset, names or known)

    @property
    def outcome(self) -> str:
        """The certificate's verdict."""
        return str(self.dataset.attrs.get("outcome", ""))

    @property
    def unfinished(self) -> bool:
        """True for a checkpoint: it holds a state and a history, but no answer yet."""
        return self.outcome == UNFINISHED

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the numbers: model, parameters, seed, engine, kind of run."""
        settings = json.loads(self.dataset.attrs["settings"])
        return with_total_tolerance(upgraded(settings) if self.is_old else settings)

    @property
    def is_old(self) -> bool:
        """True for a file of an earlier format, which does not say which physics it holds."""
        return self.dataset.attrs.get("format") in OLD

    @property
    def used(self) -> dict[str, Any]:
        """The engine's settings as they were used, with defaults filled in; empty if the file does not hold them."""
        return json.loads(self.dataset.attrs.get("engine_used", "{}"))

    @property
    def time(self) -> float:
        """Evolution time of the state; infinite for an exact steady state."""
        return float(self.dataset.attrs["evolution_time"])

    @property
    def certificate(self) -> Certificate:
        """The certificate, rebuilt from the file."""
        variables = {str(k): v for k, v in self.dataset.data_vars.items() if str(k).startswith(PREFIX)}
        figures = {k[len(PREFIX) :]: v.item() for k, v in variables.items() if v.ndim == 0}
        return Certificate.of(self.outcome, figures, {} if self.unfinished else self.estimates)

    @property
    def state(self) -> ChainState:
        """The final state as a matrix-product state (see `tnness.to_quimb`, `tnness.to_tenpy`)."""
        if self.snapshot is None:
            raise RecordError("this record holds no state")
        arrays = self.snapshot.arrays
        if "vector" in arrays:
            return ChainState.from_dense(arrays["vector"], json.loads(self.dataset.attrs["local_dimensions"]))
        tensors = [np.asarray(arrays[name], float) for name in sorted(arrays) if name.startswith("tensor_")]
        if not tensors or arrays[min(arrays)].dtype.kind == "c":
            raise RecordError(
                f"the state of engine {self.dataset.attrs.get('engine')!r} is no matrix-product density operator"
            )
        numbers = self.snapshot.numbers
        # With a metric, the tensors are orthogonal in that metric and not in the plain norm.
        centre = None if numbers.get("metric") else int(numbers["centre"])
        state = ChainState(tensors, centre, float(numbers["log_norm"]))
        return taken_apart(state, json.loads(self.dataset.attrs.get("local_dimensions", "null")))

    @typed
    def save(self, path: str | Path, replace: bool = True) -> None:
        """Write the file under a temporary name, then rename it; it keeps the permissions of a file it replaces.

        replace: whether there may be a file already; default True.
        """
        write_whole(path, self.image(), replace)

    def image(self, key: str = "") -> bytes:
        """Return the file's bytes, sealed. key: of the point of a sweep that the record belongs to."""
        memory = io.BytesIO()
        with h5py.File(memory, "w", track_order=True) as file:
            _write_dataset(file, self.dataset)
            if self.snapshot is not None:
                _write_group(file, "state", self.snapshot.arrays, self.snapshot.numbers)
            if self.history.times:
                _write_group(file, "history", self.history.save())
            for name, average in self.averages.items():
                _write_group(file, f"averages/{name}", average.save())
            for kind, errors in self.estimates.items():
                _write_group(file, f"errors/{kind}", errors)
        return sealed(memory.getvalue(), key)

    @classmethod
    @typed
    def open(cls, path: str | Path) -> Record:
        """Read a record, or the checkpoint of an unfinished run, whole into memory.

        Raises
        ------
        RecordError: there is no such file, it is damaged, or it is not a record of this package.
        """
        path = Path(path)
        require_name(path)
        if not path.is_file():
            raise RecordError(f"there is no record {path}")
        try:
            content = path.read_bytes()
            _check_seal(content)
            with h5py.File(io.BytesIO(content), "r") as file:
                check_layout(file, len(content))
                check_format(file.attrs.get("format"), content)
                snapshot = _read_state(file["state"]) if "state" in file else None
                history = _read_history(file["history"]) if "history" in file else History()
                averages = _read_averages(file["averages"]) if "averages" in file else {}
                estimates = _read_errors(file["errors"]) if "errors" in file else {}
            dataset = read_dataset(content)
            check_attributes(dataset.attrs)
            check_variables(dataset.data_vars)
            record = cls(with_errors_as_variables(dataset), snapshot, history, averages)
            record.estimates = estimates or old_estimates(record.dataset)
            check_errors(record.estimates, record.dataset)
            check_shapes(history.values, record.dataset, record.settings["kind"] == "evolution")
            _ = record.certificate
        except Exception as error:  # HDF5 and xarray raise errors of many kinds on a damaged or foreign file
            raise RecordError(f"{path} cannot be read as a record: {_first_line(error)}") from error
        return record


def read_dataset(content: bytes) -> xr.Dataset:
    """Return the labelled variables at the root of a file, from its bytes.

    Numbers stay as written: xarray must not turn those with a unit of time into dates. What it warns of in a file that
    was changed by hand is left to the checks that follow.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xr.load_dataset(
                io.BytesIO(content), engine=NETCDF_ENGINE, decode_times=False, decode_timedelta=False
            )
        except ValueError as error:
            raise RecordError(f"its variables do not fit together: {_first_line(error)}") from error


def check_format(name: Any, content: bytes) -> None:
    """Refuse a file of a foreign format, and one of today's format that has lost its seal."""
    if name not in (FORMAT, *OLD):
        raise RecordError(f"it is not a record of tnness (its format is {name!r}, not {FORMAT!r})")
    if name == FORMAT and seal_of(content) is None:
        raise RecordError("it has lost its seal: it was cut short, or another program has written it")


def _check_seal(content: bytes) -> None:
    seal = seal_of(content)
    if seal is not None and not seal.intact:
        raise RecordError("it is damaged, its checksum does not fit")


def part_path(path: str | Path) -> Path:
    """Return the file in which an unfinished run of `path` is kept."""
    return Path(f"{path}.part")


def steady_dataset(
    values: Values,
    observables: Mapping[str, Observable],
    certificate: Certificate,
    errors: Mapping[str, ArrayLike] | None = None,
) -> xr.Dataset:
    """Return a steady state's observables with their errors, and the certificate's figures.

    errors: by the views; an observable without one gets its error from the certificate.
    """
    finite = {name: error for name, error in (errors or {}).items() if np.isfinite(np.asarray(error, float)).any()}
    dataset = _dataset(values, observables)
    return _with_certificate(_with_errors(dataset, certificate.errors | finite), certificate)


def evolution_dataset(
    history: History,
    observables: Mapping[str, Observable],
    certificate: Certificate,
    errors: Mapping[str, ArrayLike] | None = None,
) -> xr.Dataset:
    """Return a time evolution's observables (dimension `time` first), with their errors where they are known."""
    known = certificate.errors | dict(errors or {})
    return _with_certificate(_with_errors(_evolution(history, observables), known), certificate)


def unfinished_dataset(history: History, observables: Mapping[str, Observable], evolution: bool) -> xr.Dataset:
    """Return the results so far: all times of a time evolution, or the last measurement of a steady state."""
    if evolution or not history.times:
        dataset = _evolution(history, observables)
    else:
        dataset = _dataset({k: series[-1] for k, series in history.values.items()}, observables)
    return _with_coordinates(dataset).assign_attrs(outcome=UNFINISHED)


def with_course(dataset: xr.Dataset, course: Mapping[str, tuple[str, Any, Mapping[str, str]]]) -> xr.Dataset:
    """Add the variables that describe the course of a run: name -> (dimension, numbers, attributes)."""
    return dataset.assign(
        {name: xr.Variable(dim, numbers, dict(about)) for name, (dim, numbers, about) in course.items()}
    )


def with_adjoint_errors(dataset: xr.Dataset, errors: Mapping[str, NDArray[np.float64]]) -> xr.Dataset:
    """Add the signed errors of observables as variables NAME_adjoint_error with their dimensions."""
    for name, error in errors.items():
        data = dataset[name]
        about = {"units": data.attrs["units"], "long_name": f"signed truncation error of {data.attrs['long_name']}"}
        dataset = dataset.assign({f"{name}{ADJOINT}": xr.Variable(data.dims, error.reshape(data.shape), about)})
    return dataset


def _evolution(history: History, observables: Mapping[str, Observable]) -> xr.Dataset:
    values = {name: np.array(series) for name, series in history.values.items()}
    return _dataset(values, observables, ("time",)).assign_coords(time=np.array(history.times))


def _dataset(values: Values, observables: Mapping[str, Observable], leading: tuple[str, ...] = ()) -> xr.Dataset:
    """Return the measured observables as variables, with the coordinates that they declare."""
    dataset = xr.Dataset()
    for name, observable in observables.items():
        if name in values:
            about = {"units": observable.unit, "long_name": observable.description or name}
            about |= {"symbol": observable.symbol} if observable.symbol else {}
            dataset[name] = xr.Variable((*leading, *observable.dims), values[name], about)
            dataset = dataset.assign_coords({d: np.asarray(x) for d, x in observable.coordinates.items()})
    return dataset


def _with_errors(dataset: xr.Dataset, errors: Mapping[str, ArrayLike]) -> xr.Dataset:
    """Add the errors of an observable's elements as a variable NAME_error with its dimensions, where any is known."""
    for name, error in errors.items():
        error = np.asarray(error, float)
        if name not in dataset or np.isnan(error).all():
            continue
        data = dataset[name]
        spread = error.reshape(error.shape + (1,) * (data.ndim - error.ndim))
        about = {"units": data.attrs["units"], "long_name": f"error of {data.attrs['long_name']}"}
        dataset[error_of(name)] = xr.Variable(data.dims, np.broadcast_to(spread, data.shape).copy(), about)
    return dataset


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that produced the numbers."""
    names = ("tnness", "numpy", "scipy", "quimb", "physics-tenpy", "xarray")
    by_name = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            by_name[name] = importlib.metadata.version(name)
    return by_name


def _with_certificate(dataset: xr.Dataset, certificate: Certificate) -> xr.Dataset:
    figures = {f"{PREFIX}{name}": xr.Variable((), value) for name, value in certificate.figures().items()}
    return _with_coordinates(dataset).assign(figures).assign_attrs(outcome=certificate.outcome)


def _with_coordinates(dataset: xr.Dataset) -> xr.Dataset:
    """Add coordinates: sites and bonds are counted from 0; a cut is labelled by the number of sites to its left."""
    first = {"site": 0, "site_2": 0, "bond": 0, "cut": 1}
    counted = {d: np.arange(n) + first[str(d)] for d, n in dataset.sizes.items() if d in first}
    return dataset.assign_coords({d: values for d, values in counted.items() if d not in dataset.coords})


def _write_dataset(file: h5py.File, dataset: xr.Dataset) -> None:
    """Write a labelled table as netCDF-4: HDF5 whose dimensions are dimension scales.

    It uses h5py: h5netcdf takes five times as long, and a sweep writes a file at every point.
    """
    scales = {}
    for dim, size in dataset.sizes.items():
        coordinate = dataset.coords.get(dim)
        values = np.zeros(size, np.int8) if coordinate is None else coordinate.values
        scales[dim] = file.create_dataset(str(dim), data=_storable(values))
        # netCDF recognises a dimension without coordinate by this name
        bare = f"This is a netCDF dimension but not a netCDF variable. {size:9d}"
        scales[dim].make_scale(bare if coordinate is None else str(dim))
    for name, variable in dataset.variables.items():
        written = scales[name] if name in scales else file.create_dataset(str(name), data=_storable(variable.values))
        if name not in scales:
            for axis, dim in enumerate(variable.dims):
                written.dims[axis].attach_scale(scales[dim])
        _write_attributes(written, variable.attrs)
    _write_attributes(file, dataset.attrs)


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(h5py.string_dtype()) if values.dtype.kind == "U" else values


def _write_attributes(place: h5py.HLObject, attributes: Mapping[Any, Any]) -> None:
    """Write texts as they are, and numbers as arrays, as netCDF requires."""
    for name, value in attributes.items():
        place.attrs[str(name)] = value if isinstance(value, str) else np.atleast_1d(value)


def _write_group(
    file: h5py.File, name: str, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, float] | None = None
) -> None:
    """Write named arrays as datasets and named numbers as attributes, in their order."""
    group = file.create_group(name, track_order=True)
    for key, array in arrays.items():
        group.create_dataset(key, data=array)
    group.attrs.update(numbers or {})


def _read_group(group: Any) -> tuple[dict[str, NDArray[Any]], dict[str, float | int]]:
    arrays = {key: np.asarray(dataset[()]) for key, dataset in group.items()}
    return arrays, {key: value.item() for key, value in group.attrs.items()}


def _read_state(group: Any) -> Snapshot:
    snapshot = Snapshot(*_read_group(group))
    check_state(snapshot.arrays, snapshot.numbers)
    return snapshot


def _read_history(group: Any) -> History:
    arrays, _ = _read_group(group)
    check_history(arrays)
    return History.restore(arrays)


def _read_averages(group: Any) -> dict[str, TimeAverage]:
    averages = {}
    for name, saved in group.items():
        arrays, _ = _read_group(saved)
        check_average(name, arrays)
        averages[name] = TimeAverage.restore(arrays)
    return averages


def _read_errors(group: Any) -> Estimates:
    return {kind: _read_group(errors)[0] for kind, errors in group.items()}


def _first_line(error: BaseException) -> str:
    return getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
