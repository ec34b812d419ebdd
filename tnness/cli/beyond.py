"""The commands that ask a model more than its states: `modes`, `counting`, `correlation`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.fields import with_options
from tnness.cli.grouped import GroupedCommand
from tnness.cli.reading import read_parameters
from tnness.cli.shown import answer, say, write_table
from tnness.engines.beyond.question import Question
from tnness.model import registry
from tnness.model.parameters import build
from tnness.records.record import Record
from tnness.runs.job import Job
from tnness.runs.naming import file_name
from tnness.runs.solve import run


def asks(kind: str, about: str, show: Callable[[Record], None] = lambda record: None) -> None:
    """Make the command of a kind of question. about: its help. show: what it writes before the answer."""

    @app.command(kind, cls=GroupedCommand, help=about)
    @with_options(
        question=options.posed(kind), engine=options.SETTINGS, asked=options.asking(kind), files=options.WRITING
    )
    def command(
        model: options.Model,
        question: Question,
        engine: options.Chosen,
        asked: options.Asked,
        files: options.Files,
        param: options.Parameters = None,
    ) -> None:
        instance = build(registry.find(model), read_parameters(param), model)
        job = Job(instance, registry.full_name(model), engine.build(instance), asked.ask, question)
        path = files.out or file_name(job)
        record = run(job, replace(files, out=path).output(), not files.quiet)
        if not files.quiet:
            show(record)
            say(answer(record, path, files.verbose))


def _say_modes(record: Record) -> None:
    """Write the table of the modes; a rate that is no result is not shown as one."""
    columns = {name: np.asarray(record[name].values) for name in ("rate", "frequency", "candidate", "residual")}
    errors = (
        record.dataset["rate_error"].values if "rate_error" in record.dataset else np.full(len(record["rate"]), np.nan)
    )
    rows = []
    for k, rate in enumerate(columns["rate"]):
        if np.isnan(columns["candidate"][k]):
            continue
        known = np.isfinite(rate)
        shown = (
            [f"{rate:.8g}", f"{errors[k]:.1e}", f"{columns['frequency'][k] + 0.0:.6g}"]
            if known
            else ["no result", "", ""]
        )
        rows.append([str(k), *shown, f"{columns['residual'][k]:.1e}"])
    write_table("modes", ["mode", "rate", "+-", "frequency", "residual"], rows)


asks("modes", "Find the slowest modes of a chain: rates with errors, frequencies, residuals.", _say_modes)
asks("counting", "Find the statistics of a counter: theta(field), mean, noise, third cumulant, large deviations.")
asks("correlation", "Find <A(t) B(0)> in the steady state at the times of --time.")
