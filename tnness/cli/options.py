"""The options that commands share: of the engine, from the engines' fields; of the job, from those of `Ask`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tnness.cli.fields import KINDS, FieldOption, Group, Kind
from tnness.cli.grouped import ACCURACY, ENGINE, FILES, WHAT
from tnness.cli.reading import pairs_of, times
from tnness.engines import shipped as shipped  # registers the engines whose settings are options
from tnness.engines.ask import Ask
from tnness.engines.protocol import Engine
from tnness.engines.registry import ENGINES
from tnness.errors import InputError
from tnness.records.record import Record
from tnness.runs.checkpoint import CHECKPOINT_EVERY
from tnness.runs.job import engine_for
from tnness.typed import field_types

ACCELERATED = "accelerated"
"""The engine that `--accelerate` stands for."""
RECORDS = (".nc", ".nc.part")
"""How the names of records end, finished and not."""

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
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="no progress bar, no table", rich_help_panel=FILES, show_default=False)
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
    """The engine that was asked for: its name, None for the model's default, and its settings."""

    name: str | None
    settings: Mapping[str, Any]

    def __bool__(self) -> bool:
        """True where anything was asked for."""
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
            help="engine; default: the model's first (converge: its first with chi and dt)",
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
            help="any setting of the engine by its name, of one's own engine too (repeatable)",
            rich_help_panel=ENGINE,
        ),
    ] = None,
    **settings: Any,
) -> Chosen:
    """Return the engine that was asked for; refuse what is given twice."""
    if accelerate and engine not in (None, ACCELERATED):
        raise InputError(f"--accelerate stands for --engine {ACCELERATED}, not {engine}")
    further = pairs_of("--set", setting)
    for name in settings.keys() & further.keys():
        raise InputError(f"{engine_flag(name)} and --set {name}={further[name]}: give a setting once")
    return Chosen(ACCELERATED if accelerate else engine, settings | further)


DECIDES = {"chi", "dt", "order", "cutoff", "schedule", "tolerance"}
"""Settings of engines that help lists under accuracy."""
TAKEN = {*field_types(Ask), "realizations"}
"""Names that mean something else to the job or to a sweep: an engine's setting so called is `--engine-NAME`."""


def engine_flag(name: str) -> str:
    """Return the option of an engine's setting."""
    return f"--{'engine-' if name in TAKEN else ''}{name.replace('_', '-')}"


def _engine_fields() -> tuple[FieldOption, ...]:
    """Return one option for every setting that any engine of the package has.

    An engine of one's own is registered when the file of a model is loaded, when the options are made already.
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
LISTS = {"chi": KINDS[tuple[int, ...]], "dt": KINDS[tuple[float, ...]]}
"""What a convergence varies."""
VARIED = Group(chosen, tuple(replace(f, kind=LISTS[f.name]) if f.name in LISTS else f for f in SETTINGS.fields))
"""The same, with several bond dimensions and time steps."""


# ------------------------------------------------------------------ job


@dataclass(frozen=True)
class Asked:
    """What was asked of the job: fields of `Ask` by name, those alone that were given."""

    given: Mapping[str, Any]

    @property
    def ask(self) -> Ask:
        """The whole, with its defaults, and the initial state opened where it is a record."""
        initial = self.given.get("initial")
        if self.names_record:
            initial = Record.open(str(initial))
        return Ask(**{**self.given, "initial": initial})

    @property
    def names_record(self) -> bool:
        """True where the initial state is that of a record."""
        return str(self.given.get("initial", "")).endswith(RECORDS)


def asked(**given: Any) -> Asked:
    """Return what was asked of the job; refuse what belongs to a steady state alone where times are given."""
    steady = [JOB_FLAGS[name] for name in ("tolerance", "max_time", "watch") if name in given]
    if "times" in given and steady:
        raise InputError("--tol, --max-time and --watch belong to a steady state, not to a time evolution (--time)")
    return Asked(given)


JOB_FLAGS = {name: f"--{name.replace('_', '-')}" for name in field_types(Ask) if name != "refine"}
JOB_FLAGS |= {"times": "--time", "tolerance": "--tol"}
"""Options of the job. `refine` is none: a convergence decides it by its time steps."""
WRITTEN = {
    "times": Kind(str, "[log:]START:STOP:COUNT|T,T,...", lambda flag, given: tuple(times(given))),
    "initial": Kind(str, "STATE|FILE.nc"),
}
"""Fields of `Ask` with a way of their own to be written."""
POSED = {"seed", "initial", "times"}
"""Fields of `Ask` that say what is solved; the others, how accurately."""

JOB = Group(
    asked,
    tuple(
        FieldOption(name, flag, WHAT if name in POSED else ACCURACY, f"job_{name}", {"": Ask}, WRITTEN.get(name))
        for name, flag in JOB_FLAGS.items()
    ),
)
"""What is asked of the job."""


def without(group: Group, name: str, why: str) -> Group:
    """Return a group that refuses one of its options, and says why."""
    fields = tuple(replace(field, refused=why) if field.name == name else field for field in group.fields)
    return replace(group, fields=fields)


# ------------------------------------------------------------------ files


@dataclass(frozen=True)
class Files:
    """The record to write, and how."""

    out: Annotated[Path | None, typer.Option(metavar="FILE.nc", help="the record to write", rich_help_panel=FILES)] = (
        None
    )
    overwrite: Overwrite = False
    checkpoint_every: Annotated[
        float,
        typer.Option(
            "--checkpoint-every", metavar="NUMBER", help="seconds between checkpoints [s]", rich_help_panel=FILES
        ),
    ] = CHECKPOINT_EVERY
    quiet: Quiet = False


WRITING = Group(Files)
"""The record to write, and how."""
