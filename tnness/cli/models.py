"""The commands `models`, `show` and `check`: list the models, show one of them, and test it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.options import Parameters
from tnness.cli.reading import read_parameters
from tnness.cli.shown import answer, fail, say, write_table
from tnness.display.numbers import printable
from tnness.errors import InputError
from tnness.model import registry
from tnness.model.parameters import build, parameters
from tnness.model.protocol import description, draw, problem_of, summary
from tnness.records.answers import values_text
from tnness.records.files import require_folder, write_whole
from tnness.records.record import Record
from tnness.runs.job import observables_of, offered_engines
from tnness.runs.job_file import job_text


@app.command("models")
def models_command(names: Annotated[bool, typer.Option("--names", help="only the names, one a line")] = False) -> None:
    """List the registered models, by the kind of system."""
    classes = registry.models()
    width = max((len(name) for name in classes), default=0)
    for name in classes if names else ():
        say(name)
    for number, (heading, group) in enumerate(() if names else by_system(classes).items()):
        say(f"{chr(10) if number else ''}{heading}")
        for name, cls in group.items():
            say(f"{name:<{width}}  {summary(cls)}")
    for package, reason in registry.broken_packages().items():
        typer.echo(f"tnness: models of {package} could not be loaded: {reason}", err=True)


SYSTEMS = {
    "Lindbladian": "Open chains: Lindblad equations and master equations",
    "ChainGenerator": "Chains with a generator of their own: averaged circuits",
    "Circuit": "Random circuits, one realization at a time",
    "TransferChain": "Linear chains: wires, bars and resistor networks",
    "RandomBar": "Bars without end",
    "FactorisedHopping": "Hopping between all pairs of sites",
}
"""Headings for the kinds of problem that models state, by the class that `problem()` says it returns."""


def by_system(classes: Mapping[str, type]) -> dict[str, dict[str, type]]:
    """Return the models by the kind of problem that they state."""
    groups: dict[str, dict[str, type]] = {heading: {} for heading in SYSTEMS.values()}
    for name, cls in classes.items():
        annotation = cls.problem.__annotations__.get("return", "")
        kind = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        groups.setdefault(SYSTEMS.get(kind, "Others"), {})[name] = cls
    return {heading: group for heading, group in groups.items() if group}


@app.command()
def show(
    what: Annotated[str, typer.Argument(metavar="MODEL|FILE.nc|STORE", help="a file if there is one, else a model")],
    verbose: options.Verbose = False,
    job: Annotated[
        Path | None, typer.Option(metavar="JOB.toml", help="of a record: write the file that asks for its run again")
    ] = None,
) -> None:
    """Show a model's parameters and observables; what a record, a table or a sweep answers."""
    if Path(what).is_file() or what.endswith(options.RECORDS):
        _show_file(Path(what), verbose, job)
    elif job is not None:
        raise InputError(f"--job {job}: {what} is no record")
    elif (Path(what) / "sweep.json").is_file():
        from tnness.study.status import status

        say(str(status(what)))
    else:
        _show_model(what)


def _show_file(path: Path, verbose: bool, job: Path | None) -> None:
    from tnness.study.collect import is_table, open_table
    from tnness.study.sweep_figure import BESIDE, sweep_caption

    if is_table(path):
        dataset = open_table(path)
        caption = "\n".join(map(printable, sweep_caption(dataset, {}).splitlines()))
        lines = values_text(dataset.drop_vars(BESIDE, errors="ignore"))
        say("\n".join([caption, "", *lines, f"table: {printable(path)}"]))
        return
    record = Record.open(path)
    if job is None:
        say(answer(record, path, verbose))
        return
    require_folder(job)
    if job.exists():
        raise InputError(f"{job} exists already: give --job another name")
    write_whole(job, job_text(record).encode(), False)
    say(f"job: {printable(job)}")


def _show_model(model: str) -> None:
    cls = registry.find(model)
    say(f"{model}\n\n{description(cls)}")
    listed = parameters(cls)
    default = {name: "required" if p.required else json.dumps(p.default) for name, p in listed.items()}
    rows = [(name, p.type_name, default[name], p.unit, p.description) for name, p in listed.items()]
    write_table("Parameters", ("name", "type", "default", "unit", "meaning"), rows)
    engines = ", ".join(offered_engines(cls))
    say(f"\nEngines: {engines} (the first is the default)")
    if not any(p.required for p in listed.values()):
        _show_defaults(draw(build(cls, {}, model), 0), model)


def _show_defaults(instance: Any, model: str) -> None:
    say(f"Problem (at the defaults): {problem_of(instance, model).summary()}")
    observables = observables_of(instance, model)
    rows = [(name, ", ".join(o.dims) or "-", o.unit, o.description) for name, o in observables.items()]
    write_table("Observables", ("name", "dimensions", "unit", "meaning"), rows)


@app.command("check")
def check_command(
    model: str,
    param: Parameters = None,
    seed: Annotated[int | None, typer.Option(metavar="INTEGER", help="seed of the disorder, default 0")] = None,
) -> None:
    """Check that a model states valid physics and that the engines agree on it."""
    from tnness.study.check import check
    from tnness.study.finding import FAILED

    cls = registry.find(model)
    if seed is not None and seed < 0:
        raise InputError(f"seed = {seed}: an integer >= 0 is needed")
    findings = check(build(cls, read_parameters(param), model), model, seed or 0)
    width = max(len(f.subject) for f in findings)
    for finding in findings:
        say(f"{finding.verdict:<6}  {finding.subject:<{width}}  {finding.detail}")
    failed = [f.subject for f in findings if f.verdict == FAILED]
    if failed:
        fail(f"{model}: {len(failed)} of {len(findings)} tests FAILED: {', '.join(dict.fromkeys(failed))}", 1)
