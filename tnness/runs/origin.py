"""The data that a run takes over from the record that it extends."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from tnness.records.certificate import Prior
from tnness.records.values import Estimates


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
        """Return the origin as JSON, without the errors of the extended record: see `estimates`."""
        prior = None if self.prior is None else dataclasses.replace(self.prior, estimates={})
        return json.dumps(dataclasses.asdict(dataclasses.replace(self, prior=prior)))

    @property
    def estimates(self) -> Estimates:
        """The errors of the extended record, which a checkpoint keeps beside `dump`."""
        return {} if self.prior is None else self.prior.estimates

    @classmethod
    def load(cls, text: str, estimates: Estimates) -> Origin:
        """Return the origin from `dump` and `estimates`."""
        values = json.loads(text)
        prior = values.pop("prior")
        if prior is None:
            return cls(**values)
        told = {k: {name: np.array(error) for name, error in of.items()} for k, of in prior["estimates"].items()}
        return cls(**values, prior=Prior(**(prior | {"estimates": told | estimates})))
