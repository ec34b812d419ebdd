"""The options that commands share: those of the engine are the engines' fields, those of the job fields of `Ask`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tnness.cli.fields import KIND_OF_TYPE, FieldOption, Group, Kind
from tnness.cli.grouped import ACCURACY, ENGINE, FILES, WHAT
from tnness.cli.reading import pairs_of, times
from tnness.display.messages import MESSAGES, tell_at
from tnness.engines import shipped as shipped  # registers the engines whose settings are options
from tnness.engines.ask import Ask
from tnness.engines.beyond import correlation, counting, modes  # noqa: F401  (registers the questions)
from tnness.engines.beyond.question import QUESTIONS, Question, question_of
from tnness.engines.protocol import Engine
from tnness.engines.registry import ENGINES
from tnness.errors import InputError
from tnness.records.record import Record
from tnness.runs.checkpoint import CHECKPOINT_EVERY, Output
from tnness.runs.job import engine_for
from tnness.typed import field_types

ACCELERATED = "accelerated"
"""The engine that `--accelerate` stands for."""
RECORDS = (".nc", ".nc.part")
"""Endings of the names of finished and unfinished records."""

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        help="a model parameter (repeatable); a number, string or JSON list",
        rich_help_panel=WHAT,
    ),
]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="a model, or file.py:Class", rich_help_panel=WHAT, show_default=False)
]


def _quiet(given: bool) -> bool:
    """Tell of what may be wrong alone, or of progress too."""
    tell_at(logging.WARNING if given else min(MESSAGES.level, logging.INFO))
    return given


def _verbose(given: bool) -> bool:
    """Tell everything."""
    if given:
        tell_at(logging.DEBUG)
    return given


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="no progress bar, no table",
        rich_help_panel=FILES,
        show_default=False,
        callback=_quiet,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        help="all figures of the certificate",
        rich_help_panel=FILES,
        show_default=False,
        callback=_verbose,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="replace a finished record", rich_help_panel=FILES, show_default=False)
]
AcceptOld = Annotated[
    bool,
    typer.Option(
        "--accept-old",
        help="go on from files of an earlier format, which do not say which physics they hold",
        rich_help_panel=FILES,
        show_default=False,
    ),
]


# ------------------------------------------------------------------ engine


@dataclass(frozen=True)
class Chosen:
    """The engine that the user asks for: its name (None for the model's default) and its settings."""

    name: str | None
    settings: Mapping[str, Any]

    def __bool__(self) -> bool:
        """True if the user gave a name or a setting."""
        return self.name is not None or bool(self.settings)

    def build(self, model: Any, default: str | None = None) -> Engine:
        """Return the engine for a model; refuse a setting that it does not have."""
        return engine_for(model, self.name or default, **self.settings)


def chosen(
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="engine, or file.py:NAME; default: the model's first (converge: its first with chi and dt)",
            rich_help_panel=ENGINE,
        ),
    ] = None,
    accelerate: Annotated[
        bool | None,
        typer.Option("--accelerate", help="short for --engine accelerated", rich_help_panel=ENGINE),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="any setting of the engine by its name, also of your own engine (repeatable)",
            rich_help_panel=ENGINE,
        ),
    ] = None,
    **settings: Any,
) -> Chosen:
    """Return the engine that the user asks for; refuse a setting that is given twice."""
    if accelerate and engine not in (None, ACCELERATED):
        raise InputError(f"--accelerate stands for --engine {ACCELERATED}, not {engine}")
    further = pairs_of("--set", setting)
    for name in settings.keys() & further.keys():
        raise InputError(f"{engine_flag(name)} and --set {name}={further[name]}: give a setting once")
    return Chosen(ACCELERATED if accelerate else engine, settings | further)


DECIDES = {"chi", "dt", "order", "cutoff", "schedule", "tolerance"}
"""Settings of engines that the help lists under accuracy."""
TAKEN = {*field_types(Ask), "realizations"}
"""Names that mean something else to the job or to a sweep: for an engine's setting of such a name, the option is
`--engine-NAME`."""


def engine_flag(name: str) -> str:
    """Return the option of an engine's setting."""
    return f"--{'engine-' if name in TAKEN else ''}{name.replace('_', '-')}"


def _engine_fields() -> tuple[FieldOption, ...]:
    """Return one option for every setting that any engine of the package has.

    A user's own engine gets no options: it is registered when a model's file is loaded, after the options are made.
    """
    owners: dict[str, dict[str, type]] = {}
    for engine, cls in ENGINES.items():
        for name in field_types(cls) if cls.__module__.startswith("tnness.") else ():
            owners.setdefault(name, {})[engine] = cls
    panel = {name: ACCURACY if name in DECIDES else ENGINE for name in owners}
    return tuple(
        FieldOption(name, engine_flag(name), panel[name], f"engine_{name}", cls) for name, cls in owners.items()
    )


SETTINGS = Group(chosen, _engine_fields())
"""The engine and its settings."""
LISTS = {"chi": KIND_OF_TYPE[tuple[int, ...]], "dt": KIND_OF_TYPE[tuple[float, ...]]}
"""The settings that a convergence varies, written as lists."""
VARIED = Group(chosen, tuple(replace(f, kind=LISTS[f.name]) if f.name in LISTS else f for f in SETTINGS.fields))
"""The engine and its settings, with several bond dimensions and time steps."""


# ------------------------------------------------------------------ job


@dataclass(frozen=True)
class Asked:
    """The user's request to the job: the given fields of `Ask`, by name."""

    given: Mapping[str, Any]

    @property
    def ask(self) -> Ask:
        """The complete request with its defaults; an initial state that is a record is opened."""
        initial = self.given.get("initial")
        if self.names_record:
            initial = Record.open(str(initial))
        return Ask(**{**self.given, "initial": initial})

    @property
    def names_record(self) -> bool:
        """True if the initial state is the name of a record."""
        return str(self.given.get("initial", "")).endswith(RECORDS)


def asked(**given: Any) -> Asked:
    """Return the user's request to the job; if times are given, refuse options of a steady state."""
    steady = [JOB_FLAGS[name] for name in ("max_time", "adjoint", "watch", "period", "own_period") if name in given]
    if "times" in given and steady:
        raise InputError(
            "--max-time, --period, --own-period, --adjoint and --watch belong to a steady state, not to a "
            "time evolution (--time)"
        )
    return Asked(given)


JOB_FLAGS = {name: f"--{name.replace('_', '-')}" for name in field_types(Ask) if name != "refine"}
JOB_FLAGS |= {"times": "--time", "tolerance": "--tol"}
"""Options of the job. `refine` has no option: a convergence sets it by the number of its time steps."""
WRITTEN = {
    "times": Kind(str, "[log:]START:STOP:COUNT|T,T,...", lambda flag, given: tuple(times(given))),
    "initial": Kind(str, "STATE|FILE.nc"),
}
"""Fields of `Ask` whose values are written in a special way."""
POSED = {"seed", "initial", "times", "period", "own_period"}
"""Fields of `Ask` that say what is solved; the others say how accurately."""

JOB = Group(
    asked,
    tuple(
        FieldOption(name, flag, WHAT if name in POSED else ACCURACY, f"job_{name}", {"": Ask}, WRITTEN.get(name))
        for name, flag in JOB_FLAGS.items()
    ),
)
"""The user's request to the job."""


def without(group: Group, name: str, why: str) -> Group:
    """Return a group that refuses one of its options with a reason."""
    fields = tuple(replace(field, refused=why) if field.name == name else field for field in group.fields)
    return replace(group, fields=fields)


# ------------------------------------------------------------------ questions


def asking(kind: str) -> Group:
    """Return the options of a request without those that a kind of question has no use for."""
    cls, group = QUESTIONS[kind], JOB
    for name in cls.refused:
        group = without(group, name, cls.why_refused)
    return group


SEVERAL = Kind(list[str], "OPERATOR", lambda flag, given: tuple(given))
"""The way in which operators are written: one option for each."""


def posed(*kinds: str, chosen_by: str | None = None) -> Group:
    """Return what is asked, as one option for every field of some kinds of question.

    chosen_by: an option by which the user chooses the kind; without it, it is the only one, and always asked.
    """

    def make(**given: Any) -> Question | None:
        kind = given.pop("question", None) if chosen_by else kinds[0]
        if kind is None:
            if given:
                raise InputError(f"--{next(iter(given))}: it belongs to a question, {chosen_by} says which")
            return None
        return question_of({"kind": kind, **given})

    owners: dict[str, dict[str, type]] = {}
    for kind in kinds:
        for name in field_types(QUESTIONS[kind]):
            owners.setdefault(name, {})[kind if chosen_by else ""] = QUESTIONS[kind]
    fields = [
        FieldOption(name, f"--{name}", WHAT, f"question_{name}", of, SEVERAL if name in ("first", "second") else None)
        for name, of in owners.items()
    ]
    if chosen_by:
        choice = Kind(str, "|".join(kinds))
        fields.insert(0, FieldOption("question", chosen_by, WHAT, "question_kind", {"": Posed}, choice))
    return Group(make, tuple(fields))


@dataclass(frozen=True)
class Posed:
    """The choice of a question."""

    question: str | None = None  # what is asked in place of the states


QUESTION = posed(*QUESTIONS, chosen_by="--question")
"""Any question, or none."""


# ------------------------------------------------------------------ files


@dataclass(frozen=True)
class Files:
    """The record to write, and the settings of its writing."""

    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.nc",
            help="the record to write; default: a name from the model, its parameters and a digest of the job",
            rich_help_panel=FILES,
        ),
    ] = None
    overwrite: Overwrite = False
    checkpoint_every: Annotated[
        float,
        typer.Option(
            "--checkpoint-every", metavar="NUMBER", help="seconds between checkpoints [s]", rich_help_panel=FILES
        ),
    ] = CHECKPOINT_EVERY
    quiet: Quiet = False
    verbose: Verbose = False

    def output(self, accept_old: bool = False) -> Output:
        """Return the output of a run."""
        return Output(self.out, self.overwrite, self.checkpoint_every, accept_old)


WRITING = Group(Files)
"""The record to write, and the settings of its writing."""
