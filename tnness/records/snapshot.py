"""The complete state of a run, in a form for files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Snapshot:
    """Named arrays and named numbers, nothing else."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    numbers: dict[str, float | int] = field(default_factory=dict)
