"""The physics of a job as digests of its content, to compare it with that of a file.

Names and parameters can stay the same while a model's file is edited. So a run is continued, extended or used as a
coarse stage only if the problem's matrices are the same, and its observables measure the same.
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

    problem: digest of its matrices, gates or slices. observables: name -> (digest, seen through). If `seen through` is
    True, the digest covers all that the observable measures. Otherwise it is a digest of a function's bytecode: if that
    differs, the observable may have changed.
    """

    problem: str = UNKNOWN
    observables: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Any, observables: Mapping[str, Observable]) -> Physics:
        """Return the digests of a model's problem and observables."""
        digests = digest_of_observables(observables)
        return cls(
            digest_of_problem(problem), {name: (entry.digest, entry.seen_through) for name, entry in digests.items()}
        )

    def dump(self) -> dict[str, str]:
        """Return the digests as attributes of a record."""
        return {"physics": self.problem, "physics_of_observables": json.dumps(dict(self.observables))}

    @classmethod
    def load(cls, attributes: Mapping[str, Any]) -> Physics:
        """Return the digests in the attributes of a record; an old file holds none."""
        pairs = json.loads(attributes.get("physics_of_observables", "{}"))
        observables = {str(name): (str(pair[0]), bool(pair[1])) for name, pair in pairs.items()}
        return cls(str(attributes.get("physics", UNKNOWN)), observables)

    def other_than(self, other: Physics) -> list[str]:
        """Return, in words, how this physics differs from another; empty where that is not known."""
        lines = []
        known = UNKNOWN not in (self.problem, other.problem) and _version(self.problem) == _version(other.problem)
        if known and self.problem != other.problem:
            lines.append("other physics: the model does not state the problem that it did (its code has changed)")
        for name, (digest, seen_through) in self.observables.items():
            theirs = other.observables.get(name)
            if theirs is not None and seen_through and theirs[1] and theirs[0] != digest:
                lines.append(f"observable {name!r} measures something else than it did")
        return lines

    def doubts(self, other: Physics) -> list[str]:
        """Return the observables whose bytecode has changed, so that they may measure something else."""
        return [
            name
            for name, (digest, seen_through) in self.observables.items()
            if not seen_through and _may_differ(digest, other.observables.get(name))
        ]


def _version(problem: str) -> str:
    """Return the version of Python in a digest that holds bytecode (of functions of time); empty where none does."""
    return problem.rpartition(":")[0]


def _may_differ(digest: str, other: tuple[str, bool] | None) -> bool:
    """Return whether two digests of bytecode differ, if both come from one version of Python."""
    if other is None or other[1]:
        return False
    return digest.partition(":")[0] == other[0].partition(":")[0] and digest != other[0]
