"""What a run takes over from the record that it extends."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from tnness.records.certificate import Prior


@dataclass(frozen=True)
class Origin:
    """Where a run began.

    time: on its clock. times: of an evolution, how many it holds already. prior: of a steady state, what is known.
    accepted_old: whether the record did not state its physics, and was accepted all the same.
    """

    time: float = 0.0
    times: int = 0
    prior: Prior | None = None
    accepted_old: bool = False

    def dump(self) -> str:
        """Return it as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def load(cls, text: str) -> Origin:
        """Return what was dumped."""
        values = json.loads(text)
        prior = values.pop("prior")
        return cls(**values, prior=None if prior is None else Prior(**prior))
