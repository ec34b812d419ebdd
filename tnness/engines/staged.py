"""Steady states in stages: the stopping rule of a schedule, and a recorded steady state as the stage before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tnness.engines.ask import STEADY, Start
from tnness.records.certificate import Prior
from tnness.records.record import Record
from tnness.stopping.forgetting import Forgetting
from tnness.stopping.ladder import Ladder


def ladder_rule(run: Any, within: Any, start: Start) -> Ladder:
    """Return the stopping rule of a steady state in stages. within: the rule of a single stage."""

    def check() -> dict[str, float]:
        return run.checks()

    about = run.settings.order, check, start.target, start.ask.refine, start.prior
    rule = Ladder(run, within, *about)
    if start.ask.kick:
        rule.forgetting = Forgetting(run, start.reads, start.given, rule.longest)
    return rule


def prior_of(problem: Any, record: Record, judged: Sequence[str]) -> Prior | None:
    """Return the bond dimension, time step and errors of the observables `judged`, from a record of a steady state.

    Return None for any other record, and for a record that was not judged by all of these observables: the missing ones
    may not have relaxed.
    """
    used = record.used
    if record.unfinished or record.settings["kind"] != STEADY or used.get("dt") is None or "chi" not in used:
        return None
    errors = record.certificate.estimates
    if not set(judged) <= errors.get("relaxation", {}).keys():
        return None
    estimates = {kind: {name: error for name, error in of.items() if name in judged} for kind, of in errors.items()}
    refined = int(record.snapshot.numbers["refined"]) if record.snapshot is not None else 0
    dt = float(used["dt"]) / 2**refined
    return Prior(int(used["chi"]), dt, record.certificate.relaxation_rate, estimates)
