"""Files of earlier formats: they open, plot and collect for ever, and say less than those of today."""

from __future__ import annotations

from typing import Any

OLD = ("tnness-record-1",)
"""Formats that are read. They do not say which physics they hold, nor which settings were used."""
GONE = {"accelerate": False, "burst": 60.0, "bracket": False}
"""Settings that engine `tebd` had, with their defaults."""
WORKED_OUT = {"method": "cholesky-qr", "power": 1}
"""Settings that stood as these values where none were given."""


def upgraded(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an old file in the words of today.

    Acceleration was a setting of `tebd`; it is an engine now, whose splits always keep marginals.

    >>> upgraded({"engine": "tebd", "engine_settings": {"chi": 8, "accelerate": True, "method": "svd"}})
    {'engine': 'accelerated', 'engine_settings': {'chi': 8}}
    """
    if settings.get("engine") != "tebd" or not isinstance(settings.get("engine_settings"), dict):
        return settings
    given = {k: v for k, v in settings["engine_settings"].items() if WORKED_OUT.get(k) != v}
    if given.get("accelerate"):
        own = {k: v for k, v in given.items() if k not in ("accelerate", "method")}
        return settings | {"engine": "accelerated", "engine_settings": own}
    return settings | {"engine_settings": {k: v for k, v in given.items() if k not in GONE}}
