"""What the attacks count: the answer to a case, the tally of many, and the journal that outlives a process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FAULTS = ("traceback", "hang", "silent change", "lost")
"""Answers that may not be."""


@dataclass(frozen=True)
class Answer:
    """The answer to one case.

    Parameters
    ----------
    kind: done, refused, same, ..., or one of FAULTS. case: what was done, in words. detail: more of the answer.
    counts: as how many cases it counts; a command that is killed three times before it may finish counts three times.
    seconds: that it took.
    """

    kind: str
    case: str
    detail: str = ""
    counts: int = 1
    seconds: float = 0.0

    @property
    def is_fault(self) -> bool:
        """True where something is wrong."""
        return self.kind in FAULTS

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}  <-  {self.case}"


@dataclass
class Tally:
    """The outcome of an attack. tries: the number of the next case; counts: of each kind of answer."""

    name: str
    tries: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, answer: Answer) -> None:
        """Count one case."""
        self.tries += 1
        self.counts[answer.kind] += answer.counts
        self.seconds += answer.seconds
        if answer.is_fault:
            self.faults.append(answer)

    @property
    def cases(self) -> int:
        """The number of cases."""
        return self.counts.total()

    def __str__(self) -> str:
        faults = ", ".join(f"{self.counts[fault]} {fault}" for fault in FAULTS)
        others = ", ".join(f"{count} {name}" for name, count in self.counts.items() if name not in FAULTS)
        return f"{self.name:<8} {self.cases:5d} cases in {self.seconds:6.0f} s: {faults}  ({others})"


@dataclass(frozen=True)
class Journal:
    """A file with one line for each case; None: nothing is kept."""

    path: Path | None

    def read(self, name: str, seed: int) -> Tally:
        """Return the tally of the cases of an attack that were tried before."""
        tally = Tally(name)
        for entry in self._lines():
            if (entry.pop("attack"), entry.pop("seed")) == (name, seed):
                tally.add(Answer(**entry))
        return tally

    def write(self, name: str, seed: int, answer: Answer) -> None:
        """Add one case."""
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps({"attack": name, "seed": seed} | asdict(answer)) + "\n")

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self.path is not None and self.path.exists():
            for line in self.path.read_text().splitlines():
                yield json.loads(line)
