"""The record: labelled observables, a certificate, everything needed to repeat or extend the run, in one file.

The file is netCDF-4 (HDF5). Its root opens with `xarray.open_dataset`: one variable per observable with named
dimensions, the certificate's figures as scalars `certificate_*`, provenance in the attributes. The groups `state` and
`history` hold the run's state and its monitored observables against time. Nothing is pickled. Files are written beside
their place and renamed: a reader sees the old file or the new one, whole.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import math
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tnness.certificate import Certificate
from tnness.engines.protocol import Snapshot
from tnness.errors import RecordError
from tnness.network.chain_state import ChainState
from tnness.observables import Observable
from tnness.relaxation import History

FORMAT = "tnness-record-1"
ENGINE = "h5netcdf"
PREFIX = "certificate_"


@dataclass
class Record:
    """What a run leaves behind.

    Parameters
    ----------
    dataset: observables, certificate figures and attributes; what `xarray.open_dataset` shows.
    snapshot: the run's state, or None where it was not kept.
    history: monitored observables against time (of a time evolution: all of them).
    """

    dataset: xr.Dataset
    snapshot: Snapshot | None = None
    history: History = field(default_factory=History)

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return an observable by name."""
        return self.dataset[name]

    def __repr__(self) -> str:
        return f"Record({self.dataset.attrs.get('model')}, outcome={self.outcome!r}, {sorted(map(str, self.dataset.data_vars))})"

    @property
    def outcome(self) -> str:
        """The certificate's verdict."""
        return str(self.dataset.attrs.get("outcome", ""))

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the numbers: model, parameters, seed, engine, kind of run."""
        return json.loads(self.dataset.attrs["settings"])

    @property
    def certificate(self) -> Certificate:
        """The certificate, rebuilt from the file."""
        figures = {str(k)[len(PREFIX) :]: float(v) for k, v in self.dataset.data_vars.items() if str(k).startswith(PREFIX)}
        figures["fallbacks"] = int(figures.get("fallbacks", 0))
        estimates = json.loads(self.dataset.attrs.get("error_estimates", "{}"))
        return Certificate(outcome=self.outcome, estimates=estimates, **figures)

    @property
    def state(self) -> ChainState:
        """The final state as a matrix-product state (see `tnness.to_quimb`, `tnness.to_tenpy`)."""
        if self.snapshot is None:
            raise RecordError("this record holds no state")
        arrays = self.snapshot.arrays
        if "vector" in arrays:
            return ChainState.from_dense(arrays["vector"], json.loads(self.dataset.attrs["local_dimensions"]))
        tensors = [np.asarray(arrays[name], float) for name in sorted(arrays)]
        numbers = self.snapshot.numbers
        return ChainState(tensors, int(numbers["centre"]), float(numbers["log_norm"]))

    def save(self, path: str | Path) -> None:
        """Write the file whole: beside its place first, then renamed."""
        path = Path(path)
        require_folder(path)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        try:
            self.dataset.to_netcdf(name, mode="w", engine=ENGINE)
            if self.snapshot is not None:
                _snapshot_dataset(self.snapshot).to_netcdf(name, mode="a", engine=ENGINE, group="state")
            if self.history.times:
                _history_dataset(self.history).to_netcdf(name, mode="a", engine=ENGINE, group="history")
            with open(name, "rb") as written:
                os.fsync(written.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except OSError as error:
            raise RecordError(f"{path} could not be written: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    @classmethod
    def open(cls, path: str | Path) -> Record:
        """Read a record whole into memory.

        Raises
        ------
        RecordError: there is no such file, it is damaged, or it is not a record of this package.
        """
        path = Path(path)
        if not path.is_file():
            raise RecordError(f"there is no record {path}")
        try:
            dataset = xr.load_dataset(path, engine=ENGINE)
            groups = _groups(path)
            state = xr.load_dataset(path, engine=ENGINE, group="state") if "state" in groups else None
            history = xr.load_dataset(path, engine=ENGINE, group="history") if "history" in groups else None
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise RecordError(f"{path} cannot be read as a record: {str(error).splitlines()[0]}") from error
        if dataset.attrs.get("format") != FORMAT:
            raise RecordError(f"{path} is not a record of tnness (its format is {dataset.attrs.get('format')!r})")
        return cls(
            dataset,
            _snapshot_from(state) if state is not None else None,
            History.restore({str(k): v.values for k, v in history.data_vars.items()}) if history is not None else History(),
        )


def require_folder(path: Path) -> None:
    """Refuse a path whose folder does not exist or cannot be written."""
    folder = path.parent if str(path.parent) else Path()
    if not folder.is_dir():
        raise RecordError(f"the output folder {folder} does not exist")
    if path.is_dir():
        raise RecordError(f"the output {path} is a folder; a file name is needed")
    if not os.access(folder, os.W_OK):
        raise RecordError(f"the output folder {folder} cannot be written to")


def part_path(path: str | Path) -> Path:
    """Return the name under which an unfinished run of `path` is kept."""
    return Path(f"{path}.part")


def steady_dataset(
    values: Mapping[str, NDArray[np.float64]], observables: Mapping[str, Observable], certificate: Certificate
) -> xr.Dataset:
    """Return a steady state's observables with their errors, and the certificate's figures."""
    variables = {}
    for name, observable in observables.items():
        attributes: dict[str, Any] = {"units": observable.unit, "long_name": observable.description or name}
        if name in certificate.errors and math.isfinite(certificate.errors[name]):
            attributes["error"] = certificate.errors[name]
        variables[name] = xr.Variable(observable.dims, values[name], attributes)
    return _with_certificate(xr.Dataset(variables), certificate)


def evolution_dataset(history: History, observables: Mapping[str, Observable], certificate: Certificate) -> xr.Dataset:
    """Return a time evolution's observables, `time` first."""
    variables = {
        name: xr.Variable(
            ("time", *observable.dims),
            np.array(history.values[name]),
            {"units": observable.unit, "long_name": observable.description or name},
        )
        for name, observable in observables.items()
    }
    return _with_certificate(xr.Dataset(variables, coords={"time": np.array(history.times)}), certificate)


def versions() -> dict[str, str]:
    """Return the versions of what produced the numbers."""
    names = ("tnness", "numpy", "scipy", "quimb", "physics-tenpy", "xarray")
    found = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _with_certificate(dataset: xr.Dataset, certificate: Certificate) -> xr.Dataset:
    for dim, size in dataset.sizes.items():
        if dim in ("site", "site_2", "bond"):
            dataset = dataset.assign_coords({dim: np.arange(size)})
        elif dim == "cut":
            dataset = dataset.assign_coords({dim: np.arange(1, size + 1)})
    dataset = dataset.assign({f"{PREFIX}{k}": xr.Variable((), v) for k, v in certificate.figures().items()})
    dataset.attrs["outcome"] = certificate.outcome
    dataset.attrs["error_estimates"] = json.dumps(certificate.estimates)
    return dataset


def _snapshot_dataset(snapshot: Snapshot) -> xr.Dataset:
    variables = {}
    for name, array in snapshot.arrays.items():
        variables[name] = xr.Variable([f"{name}_axis_{k}" for k in range(array.ndim)], array)
    return xr.Dataset(variables, attrs=dict(snapshot.numbers))


def _snapshot_from(dataset: xr.Dataset) -> Snapshot:
    arrays = {str(name): np.ascontiguousarray(variable.values) for name, variable in dataset.data_vars.items()}
    return Snapshot(arrays, {str(k): v.item() if isinstance(v, np.generic) else v for k, v in dataset.attrs.items()})


def _history_dataset(history: History) -> xr.Dataset:
    variables = {}
    for name, array in history.save().items():
        variables[name] = xr.Variable(["entry", *(f"{name}_axis_{k}" for k in range(1, array.ndim))], array)
    return xr.Dataset(variables)


def _groups(path: Path) -> set[str]:
    import h5netcdf  # kept local: only the list of groups needs it

    with h5netcdf.File(path, "r") as file:
        return set(file.groups)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
