"""The data that a run takes over from the record that it extends."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from tnness.records.certificate import Prior


@dataclass(frozen=True)
class Origin:
    """The beginning of a run.

    time: its clock at the beginning. times: number of times that the extended evolution holds. prior: results of the
    extended steady state. accepted_old: whether the extended record does not state its physics and was accepted anyway.
    """

    time: float = 0.0
    times: int = 0
    prior: Prior | None = None
    accepted_old: bool = False

    def dump(self) -> str:
        """Return the origin as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def load(cls, text: str) -> Origin:
        """Return the origin from the JSON of `dump`."""
        values = json.loads(text)
        prior = values.pop("prior")
        return cls(**values, prior=None if prior is None else Prior(**prior))
