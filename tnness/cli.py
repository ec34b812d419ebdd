"""The command line: `tnness models | show | check | run | converge | plot`.

Exit status: 0 where the work was done (for `run`: a record was written), 1 where a computation or a check failed, 2 for
bad input, 130 after an interrupt. Errors are one line on stderr.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy loads: one BLAS thread is fastest, and reproducible

import numpy as np
import typer

from tnness import model as modelling
from tnness import registry
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, NumericalError, RecordError, TnnessError
from tnness.record import Record, part_path
from tnness.solve import CHECKPOINT_EVERY, TOLERANCE, Interrupted, engine_for, evolve, steady_state

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help="Non-equilibrium steady states of chains, certified."
)

Parameters = Annotated[list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="A model parameter; a number, string or JSON list.")]
Chi = Annotated[int | None, typer.Option(help="Bond dimension.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the disorder (default 0).")]
Out = Annotated[Path | None, typer.Option(help="The record to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished record.")]
Dt = Annotated[float | None, typer.Option(help="Trotter time step.")]
Order = Annotated[int | None, typer.Option(help="Trotter order, 2 or 4.")]
Method = Annotated[str | None, typer.Option(help="Truncation method: svd, qr, cholesky-qr, randomized.")]
Cutoff = Annotated[float | None, typer.Option(help="Discarded weight that is always acceptable.")]
Power = Annotated[int | None, typer.Option(help="Power iterations of each split.")]
Schedule = Annotated[str | None, typer.Option(metavar="CHI,CHI,...", help="Bond dimensions to pass through before --chi.")]
Dtype = Annotated[str | None, typer.Option(help="float64 or float32.")]
Block = Annotated[int | None, typer.Option(help="Trotter steps between measurements.")]
Tolerance = Annotated[float | None, typer.Option("--tol", help=f"Relative change of the observables that may remain (default {TOLERANCE:g}).")]
MaxTime = Annotated[float | None, typer.Option(help="Evolution time after which a steady state is given up.")]
Every = Annotated[float, typer.Option("--checkpoint-every", help="Seconds between checkpoints.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no table.")]


@app.command("models")
def models_command(names: Annotated[bool, typer.Option("--names", help="Only the names, one a line.")] = False) -> None:
    """List the registered models."""
    found = registry.models()
    width = max((len(name) for name in found), default=0)
    for name, cls in found.items():
        typer.echo(name if names else f"{name:<{width}}  {modelling.summary(cls)}")
    for package, reason in registry.broken_packages().items():
        typer.echo(f"tnness: models of {package} could not be loaded: {reason}", err=True)


@app.command()
def show(model: str) -> None:
    """Show a model's parameters, units, defaults, observables, problem and reference."""
    cls = registry.find(model)
    typer.echo(f"{model}\n")
    typer.echo(modelling.description(cls))
    rows = [(p.name, p.type_name, "required" if p.required else json.dumps(p.default), p.unit, p.description) for p in modelling.parameters(cls).values()]
    _table("Parameters", ("name", "type", "default", "unit", "meaning"), rows)
    typer.echo(f"\nEngines: {', '.join(getattr(cls, 'engines', ('tebd', 'exact')))} (the first is the default)")
    try:
        instance = modelling.draw(cls(), 0)
        generator = modelling.generator_of(instance, model)
        observables = instance.observables()
    except TypeError:
        return  # required parameters: nothing to instantiate
    typer.echo(f"Problem (at the defaults): {generator.n} sites of local dimension {sorted(set(generator.dims))}")
    _table("Observables", ("name", "dimensions", "unit", "meaning"), [(k, ", ".join(o.dims) or "-", o.unit, o.description) for k, o in observables.items()])


@app.command("check")
def check_command(model: str, param: Parameters = None, seed: Seed = None) -> None:
    """Check that a model states valid physics and that the engines agree on it."""
    from tnness.study.check import FAILED, check

    cls = registry.find(model)
    values = _parameters(param)
    findings = check(modelling.build(cls, values, model) if values else cls, model, seed or 0)
    width = max(len(f.subject) for f in findings)
    for finding in findings:
        typer.echo(f"{finding.verdict:<6}  {finding.subject:<{width}}  {finding.detail}")
    failed = [f for f in findings if f.verdict == FAILED]
    if failed:
        typer.echo(f"tnness: {model}: {failed[0].subject}: {failed[0].detail}", err=True)
        raise typer.Exit(1)


@app.command()
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL|OLD.nc", help="A model, file.py:Class, or a record to extend.")],
    param: Parameters = None,
    engine: Annotated[str | None, typer.Option(help="Engine; default: the model's first.")] = None,
    chi: Chi = None,
    dt: Dt = None,
    order: Order = None,
    method: Method = None,
    cutoff: Cutoff = None,
    power: Power = None,
    schedule: Schedule = None,
    dtype: Dtype = None,
    block: Block = None,
    seed: Seed = None,
    initial: Annotated[str | None, typer.Option(help="identity, thermal:BETA, product:0101..., or a record.")] = None,
    time: Annotated[str | None, typer.Option(metavar="START:STOP:COUNT|T,T,...", help="Time evolution instead of the steady state.")] = None,
    tol: Tolerance = None,
    max_time: MaxTime = None,
    out: Out = None,
    overwrite: Overwrite = False,
    checkpoint_every: Every = CHECKPOINT_EVERY,
    quiet: Quiet = False,
) -> None:
    """Run one steady state, or a time evolution with --time; extend a record with OLD.nc."""
    settings: dict[str, Any] = {"chi": chi, "dt": dt, "order": order, "method": method, "cutoff": cutoff}
    settings |= {"power": power, "schedule": _integers("--schedule", schedule), "dtype": dtype, "block": block}
    loop: dict[str, Any] = {"checkpoint_every": checkpoint_every, "progress": not quiet and sys.stderr.isatty()}
    if model.endswith((".nc", ".nc.part")):
        given = {"--param": param, "--seed": seed, "--initial": initial, "--engine": engine}
        record, target = _extend(Path(model), {k: v for k, v in given.items() if v is not None}, settings, time, tol, max_time, out, overwrite, loop)
    else:
        if out is None:
            raise InputError("run needs --out FILE.nc, the record to write")
        target = out
        cls = registry.find(model)
        instance = modelling.build(cls, _parameters(param), model)
        start: Any = initial or "identity"
        if start.endswith(".nc"):
            start = Record.open(start).state
        chosen = engine_for(instance, engine, **settings)
        common = loop | {"engine": chosen, "seed": seed or 0, "initial": start, "out": out, "overwrite": overwrite, "name": model}
        if time is None:
            record = steady_state(instance, tolerance=tol or TOLERANCE, max_time=max_time, **common)
        else:
            _refuse_steady_options(tol, max_time)
            record = evolve(instance, times(time), **common)
    if not quiet:
        typer.echo(report(record))
        typer.echo(f"record: {target}")


@app.command("converge")
def converge_command(
    model: str,
    chi: Annotated[str, typer.Option(metavar="CHI,CHI,...", help="Bond dimensions.")],
    param: Parameters = None,
    dt: Annotated[str | None, typer.Option(metavar="DT,DT,...", help="Time steps.")] = None,
    order: Order = None,
    method: Method = None,
    cutoff: Cutoff = None,
    power: Power = None,
    dtype: Dtype = None,
    block: Block = None,
    seed: Seed = None,
    tol: Tolerance = None,
    max_time: MaxTime = None,
    out: Out = None,
    overwrite: Overwrite = False,
    checkpoint_every: Every = CHECKPOINT_EVERY,
    quiet: Quiet = False,
) -> None:
    """Converge a steady state in bond dimension and time step: table, extrapolation, error bar, figure."""
    from tnness.study.converge import converge, table
    from tnness.study.figure import plot

    if out is None:
        raise InputError("converge needs --out FILE.nc, the record to write")
    instance = modelling.build(registry.find(model), _parameters(param), model)
    settings = {"order": order, "method": method, "cutoff": cutoff, "power": power, "dtype": dtype, "block": block}
    engine = engine_for(instance, "tebd", **settings)
    assert isinstance(engine, TEBD)
    dataset = converge(
        instance,
        _integers("--chi", chi) or (),
        _numbers("--dt", dt) or (None,),
        engine=engine,
        seed=seed or 0,
        tolerance=tol or TOLERANCE,
        max_time=max_time,
        out=out,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        progress=not quiet and sys.stderr.isatty(),
        name=model,
    )
    figure = plot(out)
    if not quiet:
        typer.echo(table(dataset))
    typer.echo(f"record: {out}\nfigure: {figure}")


@app.command("plot")
def plot_command(
    record: Path,
    out: Annotated[Path | None, typer.Option(help="The figure; default: the record's name with .png.")] = None,
    observable: Annotated[list[str] | None, typer.Option("--observable", "-o", help="Only this one (repeatable).")] = None,
) -> None:
    """Draw a record: a steady state, a time evolution or a convergence."""
    from tnness.study.figure import plot

    typer.echo(f"figure: {plot(record, out, observable or ())}")


def main() -> None:
    """Run the command line; turn every error of the package into one line and an exit status."""
    usage_error = typer.BadParameter.__mro__[1]
    try:
        status = app(standalone_mode=False)
    except usage_error as error:
        _fail(error.format_message(), 2)  # type: ignore[attr-defined]
    except typer.Abort:
        _fail("aborted", 130)
    except Interrupted as error:
        _fail(str(error), 130)
    except NumericalError as error:
        _fail(str(error), 1)
    except TnnessError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


def times(text: str) -> list[float]:
    """Read `start:stop:count` or a comma list.

    >>> times("0:1:3")
    [0.0, 0.5, 1.0]
    """
    if ":" not in text:
        return list(_numbers("--time", text) or ())
    parts = text.split(":")
    try:
        start, stop, count = float(parts[0]), float(parts[1]), int(parts[2])
        if len(parts) != 3 or count < 1 or (count > 1 and not stop > start) or not all(map(math.isfinite, (start, stop))):
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"--time {text}: start:stop:count with stop > start and count >= 1, or a comma list, is needed") from None
    return [float(t) for t in np.linspace(start, stop, count)]


def report(record: Record) -> str:
    """Return the scalars with their errors and the certificate as a short table."""
    certificate = record.certificate
    lines = []
    for name, data in record.dataset.data_vars.items():
        if data.ndim == 0 and not str(name).startswith("certificate_"):
            error = data.attrs.get("error")
            lines.append(f"  {name!s:<22} {float(data):.10g}" + (f" +- {error:.1e}" if error is not None else ""))
    lines.append("certificate")
    meaning = {
        "discarded_weight": "relative weight dropped, last stage",
        "trace_drift": "change of ln(trace), last stage",
        "relaxation": "relative change still to come",
        "relaxation_rate": "slowest fitted rate [1/time]",
        "trotter": "relative error of the time step",
        "truncation": "relative error of the bond dimension",
        "residual": "|G P| / |P| [1/time]",
        "local_balance": "worst d<O>/dt of a one-site operator [1/time]",
        "energy_balance": "d<H>/dt over the dissipative flows",
        "positivity": "lowest eigenvalue or probability of two sites",
        "fallbacks": "LAPACK fallbacks",
    }
    for key, value in certificate.figures().items():
        if not math.isnan(value):
            lines.append(f"  {key:<22} {value:<12.3g} {meaning.get(key, '')}")
    lines.append(f"outcome: {certificate.outcome}")
    return "\n".join(lines)


def _extend(
    old: Path,
    refused: dict[str, Any],
    settings: dict[str, Any],
    time: str | None,
    tol: float | None,
    max_time: float | None,
    out: Path | None,
    overwrite: bool,
    loop: dict[str, Any],
) -> tuple[Record, Path]:
    """Extend a finished record, or continue an unfinished one."""
    if refused:
        raise InputError(f"{', '.join(refused)} cannot be changed when a record is extended; {old} fixes them")
    finished = Path(str(old).removesuffix(".part"))
    unfinished = part_path(finished)
    changes = {k: v for k, v in settings.items() if v is not None}
    if not finished.exists() and unfinished.exists() and not changes and time is None:
        return _continue(finished, unfinished, tol, max_time, loop)
    record = Record.open(finished if finished.exists() or not unfinished.exists() else unfinished)
    known = record.settings
    instance = _model_of(record)
    stored = {k: tuple(v) if isinstance(v, list) else v for k, v in known["engine_settings"].items()}
    if "schedule" in stored and "schedule" not in changes:
        stored["schedule"] = None
    engine = engine_for(instance, known["engine"], **(stored | changes))
    target = out or finished
    common = loop | {"engine": engine, "seed": known["seed"], "initial": record, "out": target, "name": known["model"]}
    common["overwrite"] = overwrite or out is None
    if known["kind"] == "evolution" or time is not None:
        _refuse_steady_options(tol, max_time)
        if time is None:
            raise InputError(f"{old} is a time evolution: --time says how far to extend it")
        return evolve(instance, times(time), **common), target
    return steady_state(instance, tolerance=tol or known["tolerance"], max_time=max_time, **common), target


def _continue(finished: Path, unfinished: Path, tol: float | None, max_time: float | None, loop: dict[str, Any]) -> tuple[Record, Path]:
    part = Record.open(unfinished)
    known = part.settings
    if not isinstance(known["initial"], str):
        raise InputError(f"{unfinished} extends another record: run the command that began it again")
    instance = _model_of(part)
    stored = {k: tuple(v) if isinstance(v, list) else v for k, v in known["engine_settings"].items()}
    common = loop | {"engine": engine_for(instance, known["engine"], **stored), "seed": known["seed"], "initial": known["initial"]}
    common |= {"out": finished, "name": known["model"]}
    if known["kind"] == "evolution":
        return evolve(instance, known["times"], **common), finished
    tolerance, limit = tol or known["tolerance"], max_time or known["max_time"]
    return steady_state(instance, tolerance=tolerance, max_time=limit, **common), finished


def _model_of(record: Record) -> Any:
    settings = record.settings
    return modelling.build(registry.find(settings["model"]), settings["parameters"], settings["model"])


def _refuse_steady_options(tol: float | None, max_time: float | None) -> None:
    if tol is not None or max_time is not None:
        raise InputError("--tol and --max-time belong to a steady state, not to --time")


def _parameters(pairs: list[str] | None) -> dict[str, Any]:
    values = {}
    for pair in pairs or []:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise InputError(f"-p {pair}: NAME=VALUE is needed")
        if name.strip() in values:
            raise InputError(f"-p {name.strip()} is given twice")
        try:
            values[name.strip()] = json.loads(text)
        except json.JSONDecodeError:
            values[name.strip()] = text
    return values


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: a comma list of numbers is needed") from None
    if not all(map(math.isfinite, found)):
        raise InputError(f"{option} {text}: finite numbers are needed")
    return found


def _integers(option: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise InputError(f"{option} {text}: a comma list of integers is needed") from None


def _table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    typer.echo(f"\n{title}")
    for row in [header, *rows]:
        typer.echo("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _fail(message: str, status: int) -> None:
    typer.echo(f"tnness: {' '.join(message.split())}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
