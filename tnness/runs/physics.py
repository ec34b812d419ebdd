"""Physics is content: what a job states, as digests, and whether a file holds the same.

Names and parameters can stay as they are while a model's file is edited. A run is continued, extended or taken as a
coarse stage only where the problem's matrices, and what its observables measure, are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tnness.model.protocol import UNKNOWN, digest_of_problem
from tnness.observables.observable import Observable, digest_of_observables


@dataclass(frozen=True)
class Physics:
    """The digests of a job.

    problem: of its matrices, gates or slices. observables: name -> (digest, seen through). One that is not seen through
    is the digest of a function's bytecode: with another one the observable may have changed.
    """

    problem: str = UNKNOWN
    observables: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Any, observables: Mapping[str, Observable]) -> Physics:
        """Return what a model's problem and observables state."""
        digests = digest_of_observables(observables)
        return cls(
            digest_of_problem(problem), {name: (known.digest, known.seen_through) for name, known in digests.items()}
        )

    def dump(self) -> dict[str, str]:
        """Return it as the attributes of a record."""
        return {"physics": self.problem, "physics_of_observables": json.dumps(dict(self.observables))}

    @classmethod
    def load(cls, attributes: Mapping[str, Any]) -> Physics:
        """Return what the attributes of a record say; of an old file nothing is known."""
        observables = json.loads(attributes.get("physics_of_observables", "{}"))
        found = {str(name): (str(known[0]), bool(known[1])) for name, known in observables.items()}
        return cls(str(attributes.get("physics", UNKNOWN)), found)

    def other_than(self, other: Physics) -> list[str]:
        """Return in words where this states other physics than another; nothing where that is not known."""
        told = []
        if UNKNOWN not in (self.problem, other.problem) and self.problem != other.problem:
            told.append("other physics: the model does not state the problem that it did (its code has changed)")
        for name, (digest, seen_through) in self.observables.items():
            known = other.observables.get(name)
            if known is not None and seen_through and known[1] and known[0] != digest:
                told.append(f"observable {name!r} measures something else than it did")
        return told

    def doubts(self, other: Physics) -> list[str]:
        """Return the observables whose functions have changed in a way that cannot be judged."""
        return [
            name
            for name, (digest, seen_through) in self.observables.items()
            if not seen_through and _may_differ(digest, other.observables.get(name))
        ]


def _may_differ(digest: str, known: tuple[str, bool] | None) -> bool:
    """Return whether two digests of bytecode of one version of Python differ."""
    if known is None or known[1]:
        return False
    return digest.partition(":")[0] == known[0].partition(":")[0] and digest != known[0]
