"""The commands `models`, `show` and `check`: list the models, show one of them, and test it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tnness.cli.app import app
from tnness.cli.options import Parameters
from tnness.cli.reading import read_parameters
from tnness.cli.shown import fail, say, write_table
from tnness.errors import InputError
from tnness.model import registry
from tnness.model.parameters import build, parameters
from tnness.model.protocol import description, draw, problem_of, summary
from tnness.runs.job import observables_of, offered_engines


@app.command("models")
def models_command(names: Annotated[bool, typer.Option("--names", help="only the names, one a line")] = False) -> None:
    """List the registered models."""
    classes = registry.models()
    width = max((len(name) for name in classes), default=0)
    for name, cls in classes.items():
        say(name if names else f"{name:<{width}}  {summary(cls)}")
    for package, reason in registry.broken_packages().items():
        typer.echo(f"tnness: models of {package} could not be loaded: {reason}", err=True)


@app.command()
def show(model: str) -> None:
    """Show a model's parameters, units, defaults, observables, problem and reference."""
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
