"""Files of earlier formats. They can always be opened, plotted and collected, but hold less than today's files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.records.lazily import lazily
from tnness.records.values import Estimates

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


OLD = ("tnness-record-1",)
"""Earlier formats that can be read. Their files state neither their physics (as digests) nor the settings used."""
GONE = {"accelerate": False, "burst": 60.0, "bracket": False}
"""Settings that engine `tebd` has no more, with their former defaults."""
WORKED_OUT = {"method": "cholesky-qr", "power": 1}
"""Settings to which old files give these values where the user gave none."""


def with_errors_as_variables(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset whose errors are variables: old files hold one number for all elements, as an attribute.

    In an old convergence NAME_error was the error of NAME_extrapolated.

    >>> with_errors_as_variables(xr.Dataset({"z": ("site", [1.0, 2.0], {"error": 0.1})}))["z_error"].values.tolist()
    [0.1, 0.1]
    """
    for name, data in list(dataset.data_vars.items()):
        if "error" in data.attrs:
            error = float(np.asarray(data.attrs.pop("error")).item())
            about = {
                "units": data.attrs.get("units", "1"),
                "long_name": f"error of {data.attrs.get('long_name', name)}",
            }
            dataset[f"{name}_error"] = xr.Variable(data.dims, np.full(data.shape, error), about)
    renamed = {
        f"{name}_error": f"{name}_extrapolated_error"
        for name in dataset.data_vars
        if f"{name}_extrapolated" in dataset and f"{name}_extrapolated_error" not in dataset
    }
    return dataset.rename_vars({old: new for old, new in renamed.items() if old in dataset})


def old_estimates(dataset: xr.Dataset) -> Estimates:
    """Return the errors by kind of an old file: it holds one number for all elements, in an attribute."""
    stored = json.loads(dataset.attrs.get("error_estimates", "{}"))
    return {
        kind: {name: np.full(dataset[name].shape, float(error)) for name, error in of.items() if name in dataset}
        for kind, of in stored.items()
    }


def with_total_tolerance(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose tolerance is that of the total error: settings without `atol` mean a tenth of it.

    >>> with_total_tolerance({"tolerance": 1e-3})
    {'tolerance': 0.01, 'atol': None}
    """
    if "atol" in settings or "tolerance" not in settings:
        return settings
    return settings | {"tolerance": 10 * settings["tolerance"], "atol": None}


def upgraded(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an old file, translated to today's engines.

    Acceleration was a setting of `tebd`. It is now an engine of its own, whose truncations always keep the marginals.

    >>> upgraded({"engine": "tebd", "engine_settings": {"chi": 8, "accelerate": True, "method": "svd"}})
    {'engine': 'accelerated', 'engine_settings': {'chi': 8}}
    """
    if settings.get("engine") != "tebd" or not isinstance(settings.get("engine_settings"), dict):
        return settings
    given = {k: v for k, v in settings["engine_settings"].items() if WORKED_OUT.get(k) != v}
    if given.get("accelerate"):
        kept = {k: v for k, v in given.items() if k not in ("accelerate", "method")}
        return settings | {"engine": "accelerated", "engine_settings": kept}
    return settings | {"engine_settings": {k: v for k, v in given.items() if k not in GONE}}
