"""The names of the variables in a record: observables, their errors, the figures of the certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tnness.records.lazily import lazily

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")

PREFIX = "certificate_"
ERROR = "_error"
"""Ending of the variable that holds the errors of an observable."""
ADJOINT = "_adjoint_error"
"""Ending of the variable that holds the errors of an observable by truncation, with their signs."""
EXTRAPOLATED = "_extrapolated"
"""Ending of the variable that holds an observable extrapolated in the bond dimension."""
BURSTS = {
    "burst_stage": ("1", "stage in which a burst of evolution fell"),
    "burst_time": ("1/energy", "time at its end"),
    "burst_change": ("1", "worst relative change of an observable by the jump proposed after it"),
    "burst_drift": ("1", "the same by its drift within the time 1/rate"),
    "burst_jump": ("1", "largest change of a multiplier by the jump"),
    "burst_jumped": ("1", "whether the jump was made"),
}
"""Variables (burst,) that a record holds of an accelerated run: name -> (unit, meaning)."""
RESERVED = ("time", "dt", "chi", "outcome", "status", "seed", "cpu_seconds", "realization")
"""Names of coordinates and variables that no observable can have."""


def error_of(name: str) -> str:
    """Return the name of the variable that holds the errors of an observable."""
    return f"{name}{ERROR}"


def observables_in(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables that hold observables of the model, without their errors.

    >>> observables_in(xr.Dataset({"z": ("site", [1.0]), "z_error": ("site", [0.1]), "certificate_residual": 0.0}))
    ['z']
    """
    names = [str(k) for k in dataset.data_vars if not str(k).startswith(PREFIX) and k not in (*BURSTS, "outcome")]
    derived = {f"{name}{ending}" for name in names for ending in (ERROR, ADJOINT, EXTRAPOLATED, error_of(EXTRAPOLATED))}
    return [name for name in names if name not in derived]
