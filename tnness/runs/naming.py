"""The names of files that a user does not name: model, parameters that are not the default, and a digest of the job."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tnness.model.parameters import parameters
from tnness.model.registry import names_file
from tnness.runs.job import Job

LONGEST_PART, LONGEST_STEM = 24, 100
"""Characters of one part of a name, and of all parts together."""
HELD = ("chi", "dt")
"""Settings of an engine that a name shows."""


def file_name(job: Job, *further: Any) -> Path:
    """Return the name of a job's record: equal jobs have equal names, so the same command goes on with its own run.

    Parameters
    ----------
    job: what is run. further: whatever else determines the numbers, such as the bond dimensions of a convergence; JSON.

    >>> from tnness.runs.naming import readable
    >>> readable("mbl-heisenberg", {"n": 12, "h": 2.0, "drive": "one sided"}, "abcd1234")
    'mbl-heisenberg_n=12_h=2.0_drive=one-sided_abcd1234.nc'
    """
    told = json.dumps([job.settings, job.physics.dump(), further], sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()[:8]
    given, listed = job.settings["parameters"], parameters(job.model)
    shown = {k: v for k, v in given.items() if k in listed and (listed[k].required or v != listed[k].default)}
    settings = {k: v for k, v in job.settings["engine_settings"].items() if k in HELD and v is not None}
    seed = {"seed": job.ask.seed} if job.ask.seed else {}
    return Path(readable(job.name, shown | settings | seed, digest))


def readable(model: str, values: dict[str, Any], digest: str) -> str:
    """Return a file's name from a model's name, its values and a digest; lists and long values are left out."""
    name = model.rpartition(":")[2] if names_file(model) else model
    stem = _clean(name)[: 2 * LONGEST_PART]
    for key, value in values.items():
        part = f"_{_clean(f'{key}={value}')}"
        if isinstance(value, (int, float, str)) and len(part) <= LONGEST_PART and len(stem + part) <= LONGEST_STEM:
            stem += part
    return f"{stem}_{digest}.nc"


def _clean(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=+-]+", "-", text).strip("-.") or "run"
