"""Findings: what the tests of a model tell, line by line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tnness.errors import TnnessError

PASSED, NOTED, FAILED = "ok", "note", "FAILED"


@dataclass(frozen=True)
class Finding:
    """One line of the report: the subject of a test, its verdict, and the evidence."""

    subject: str
    verdict: str
    detail: str


def guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    """Return what a test finds; an error of the package that it raises is a failure of its subject."""
    try:
        return look()
    except TnnessError as error:
        return Finding(subject, FAILED, str(error))
