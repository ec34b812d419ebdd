"""Jobs as files: `job.toml` says what `tnness run` is asked for, with the names of its options.

    model = "ssep"             # a registered model; a file FILE.py:Class must be named on the command line too

    [parameters]
    n = 20

    [engine]
    name = "tebd"
    chi = 64

    [ask]                      # the fields of `Ask`: seed, initial, times, tolerance, ...
    seed = 7
    tolerance = 0.01

Such a file may come from a stranger. Nothing that it names is imported, and it cannot say where its record goes.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tnness.engines.ask import EVOLUTION, Ask
from tnness.engines.registry import ENGINES, plain_settings
from tnness.errors import InputError, RecordError, suggestion
from tnness.model.registry import names_file
from tnness.records.record import Record
from tnness.typed import field_types

PARTS = ("model", "parameters", "engine", "ask")
LARGEST_JOB = 10_000_000
"""Bytes of the largest file that is read."""
ASKED_FOR = tuple(name for name in field_types(Ask) if name != "refine")
"""The fields of a request that a file may give."""


@dataclass(frozen=True)
class JobFile:
    """What a file asks for.

    Parameters
    ----------
    model: its name. parameters: of the model. engine: its name, None for the model's default. settings: of the engine.
    ask: fields of the request, by name.
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    engine: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    ask: Mapping[str, Any] = field(default_factory=dict)


def read_job(path: str | Path) -> JobFile:
    """Return what a file asks for. Nothing is imported.

    Raises
    ------
    InputError: there is no such file, it is no TOML, or it has a part or a field that no job has; an engine that is
        named by a file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_JOB:
            raise InputError(f"{path} is larger than {LARGEST_JOB // 1_000_000} MB: it is no job")
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} could not be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error
    for name in content:
        if name not in PARTS:
            raise InputError(f"{path}: a job has no part {name!r}{suggestion(name, PARTS)}")
    tables = {name: content.get(name, {}) for name in PARTS[1:]}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{path}: {name} = {table!r:.40}: a table [{name}] is needed")
    if not isinstance(content.get("model"), str):
        raise InputError(f'{path} names no model: model = "NAME" is needed')
    settings = dict(tables["engine"])
    engine = settings.pop("name", None)
    if engine is not None and not isinstance(engine, str):
        raise InputError(f"{path}: the name of the engine is {engine!r:.40}: a text is needed")
    if engine is not None and names_file(engine):
        raise InputError(f"{path} names its engine by a file, which is not loaded unasked: --engine {engine} names it")
    for name in tables["ask"]:
        if name not in ASKED_FOR:
            raise InputError(f"{path}: [ask] has no field {name!r}{suggestion(name, ASKED_FOR)}")
    return JobFile(content["model"], tables["parameters"], engine, settings, tables["ask"])


def job_text(record: Record) -> str:
    """Return the text of a file that asks for a record's run again; disorder that was drawn is written out.

    Raises
    ------
    RecordError: a convergence, which is several runs, or a run that began from a state that no name stands for.
    """
    settings = record.settings
    if record.dataset.attrs.get("kind") == "convergence":
        raise RecordError("a convergence is several runs: a file of a job asks for one")
    if not isinstance(settings["initial"], str):
        raise RecordError("the run began from a state without a name: a file of a job cannot ask for it")
    ask: dict[str, Any] = {name: settings[name] for name in ASKED_FOR if settings.get(name) not in (None, [], ())}
    steady = settings["kind"] != EVOLUTION
    for name in ("errors", "times") if steady else ("kick", "adjoint", "watch", "max_time"):
        ask.pop(name, None)
    if ask.get("initial") == "model":  # the model's own
        del ask["initial"]
    parts = [f"model = {_value(settings['model'])}"]
    tables = {
        "parameters": settings["parameters"],
        "engine": {"name": settings["engine"]} | engine_changes(settings),
        "ask": ask,
    }
    for name, table in tables.items():
        lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None]
        parts.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(parts) + "\n"


def engine_changes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a record's engine that are not its defaults; all of them where it is not known here."""
    given = dict(settings["engine_settings"])
    engine = ENGINES.get(str(settings["engine"]))
    default = {} if engine is None else plain_settings(engine())  # type: ignore[operator]
    return {k: v for k, v in given.items() if v is not None and v != default.get(k)}


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """Return a value as TOML writes it.

    >>> _value([1, "a", {"b": 0.5}])
    '[1, "a", {b = 0.5}]'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if value is None:
        raise RecordError("a list with a missing value cannot be written to a file of a job")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
