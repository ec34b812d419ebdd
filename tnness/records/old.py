"""Files of earlier formats. They can always be opened, plotted and collected, but hold less than today's files."""

from __future__ import annotations

from typing import Any

OLD = ("tnness-record-1",)
"""Earlier formats that can be read. Their files state neither their physics (as digests) nor the settings used."""
GONE = {"accelerate": False, "burst": 60.0, "bracket": False}
"""Settings that engine `tebd` has no more, with their former defaults."""
WORKED_OUT = {"method": "cholesky-qr", "power": 1}
"""Settings to which old files give these values where the user gave none."""


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
