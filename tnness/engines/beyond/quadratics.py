"""Questions to quadratic problems, answered in closed form by the settings of engine `gaussian`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tnness.engines.ask import Start
from tnness.engines.beyond.modes import ModesSolver, ModeTable, profile
from tnness.engines.beyond.question import answers
from tnness.engines.fermions.modes import OneBodyModes
from tnness.engines.fermions.quadratic import quadratic


@answers("modes", "gaussian")
@dataclass(frozen=True, kw_only=True)
class QuadraticModes(ModesSolver):
    """The slowest modes of even operators (without dephasing), or of one-body operators (with it)."""

    words = "exact among one-body operators"

    def solve_modes(self, problem: Any, start: Start, report: Callable[[str, float], None]) -> ModeTable:
        """Return the modes from the spectrum of the correlation matrix's equation."""
        found = OneBodyModes(quadratic(problem), self.question.count, report)
        lefts, rights = (np.array([profile(row) for row in rows]) for rows in (found.lefts, found.rights))
        about = found.values, found.residuals, found.errors, found.conditions, lefts, rights
        return ModeTable.of(self.question.count, start.ask.tolerance, *about)
