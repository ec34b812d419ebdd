"""The command line: `tnness models | show | check | run | converge | plot`.

Exit status: 0 where the work was done (for `run`: a record was written), 1 where a computation or a check failed, 2 for
bad input, 130 after an interrupt. Errors are one line on stderr.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy loads: one BLAS thread is fastest, and reproducible

import numpy as np
import typer

from tnness import model as modelling
from tnness import registry
from tnness.checkpoint import CHECKPOINT_EVERY
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, Interrupted, NumericalError, TnnessError
from tnness.job import TOLERANCE, engine_for, observables_of, offered_engines
from tnness.record import PREFIX, Record
from tnness.solve import Changes, evolve, extend, steady_state

# Typer carries a click of its own, and exports this much of it.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # type: ignore[assignment]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Non-equilibrium steady states of chains, certified.",
)

Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", metavar="NAME=VALUE", help="A model parameter; a number, string or JSON list."),
]
Chi = Annotated[int | None, typer.Option(help="Bond dimension.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the disorder (default 0).")]
Out = Annotated[Path | None, typer.Option(help="The record to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished record.")]
Dt = Annotated[float | None, typer.Option(help="Trotter time step.")]
Order = Annotated[int | None, typer.Option(help="Trotter order, 2 or 4.")]
Method = Annotated[str | None, typer.Option(help="Truncation method: svd, qr, cholesky-qr, randomized.")]
Cutoff = Annotated[float | None, typer.Option(help="Discarded weight that is always acceptable.")]
Power = Annotated[int | None, typer.Option(help="Power iterations of each split.")]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting of the engine, by its name (repeatable)."),
]
Time = Annotated[
    str | None,
    typer.Option(metavar="[log:]START:STOP:COUNT|T,T,...", help="Time evolution, not the steady state."),
]
Schedule = Annotated[
    str | None, typer.Option(metavar="CHI,CHI,...", help="Bond dimensions to pass through before --chi.")
]
Dtype = Annotated[str | None, typer.Option(help="float64 or float32.")]
Block = Annotated[int | None, typer.Option(help="Trotter steps between measurements.")]
Tolerance = Annotated[
    float | None,
    typer.Option("--tol", help=f"Relative change of the observables that may remain (default {TOLERANCE:g})."),
]
MaxTime = Annotated[float | None, typer.Option(help="Evolution time after which a steady state is given up.")]
Every = Annotated[float, typer.Option("--checkpoint-every", help="Seconds between checkpoints.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no table.")]


@app.command("models")
def models_command(names: Annotated[bool, typer.Option("--names", help="Only the names, one a line.")] = False) -> None:
    """List the registered models."""
    found = registry.models()
    width = max((len(name) for name in found), default=0)
    for name, cls in found.items():
        _say(name if names else f"{name:<{width}}  {modelling.summary(cls)}")
    for package, reason in registry.broken_packages().items():
        typer.echo(f"tnness: models of {package} could not be loaded: {reason}", err=True)


@app.command()
def show(model: str) -> None:
    """Show a model's parameters, units, defaults, observables, problem and reference."""
    cls = registry.find(model)
    _say(f"{model}\n\n{modelling.description(cls)}")
    known = modelling.parameters(cls)
    default = {name: "required" if p.required else json.dumps(p.default) for name, p in known.items()}
    rows = [(name, p.type_name, default[name], p.unit, p.description) for name, p in known.items()]
    _table("Parameters", ("name", "type", "default", "unit", "meaning"), rows)
    engines = ", ".join(offered_engines(cls))
    _say(f"\nEngines: {engines} (the first is the default)")
    if not any(p.required for p in known.values()):
        _show_defaults(modelling.draw(modelling.build(cls, {}, model), 0), model)


def _show_defaults(instance: Any, model: str) -> None:
    _say(f"Problem (at the defaults): {modelling.problem_of(instance, model).summary()}")
    observables = observables_of(instance, model)
    rows = [(name, ", ".join(o.dims) or "-", o.unit, o.description) for name, o in observables.items()]
    _table("Observables", ("name", "dimensions", "unit", "meaning"), rows)


@app.command("check")
def check_command(model: str, param: Parameters = None, seed: Seed = None) -> None:
    """Check that a model states valid physics and that the engines agree on it."""
    from tnness.study.check import FAILED, check

    cls = registry.find(model)
    if seed is not None and seed < 0:
        raise InputError(f"seed = {seed}: an integer >= 0 is needed")
    findings = check(modelling.build(cls, _parameters(param), model), model, seed or 0)
    width = max(len(f.subject) for f in findings)
    for finding in findings:
        _say(f"{finding.verdict:<6}  {finding.subject:<{width}}  {finding.detail}")
    failed = [f for f in findings if f.verdict == FAILED]
    if failed:
        _fail(f"{model}: {failed[0].subject}: {failed[0].detail}", 1)


@app.command()
def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL|OLD.nc", help="A model, file.py:Class, or a record to extend.")
    ],
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
    setting: Setting = None,
    seed: Seed = None,
    initial: Annotated[str | None, typer.Option(help="identity, thermal:BETA, product:0101..., or a record.")] = None,
    time: Time = None,
    tol: Tolerance = None,
    max_time: MaxTime = None,
    out: Out = None,
    overwrite: Overwrite = False,
    checkpoint_every: Every = CHECKPOINT_EVERY,
    quiet: Quiet = False,
) -> None:
    """Run one steady state, or a time evolution with --time; extend a record with OLD.nc."""
    settings = {"chi": chi, "dt": dt, "order": order, "method": method, "cutoff": cutoff, "power": power}
    settings |= {"schedule": _integers("--schedule", schedule), "dtype": dtype, "block": block}
    settings |= _pairs("--set", setting)
    wanted = Changes({k: v for k, v in settings.items() if v is not None}, _times(time), tol, max_time)
    writing = {"out": out, "overwrite": overwrite, "checkpoint_every": checkpoint_every, "progress": not quiet}
    if model.endswith((".nc", ".nc.part")):
        _refuse(model, {"--param": param, "--seed": seed, "--initial": initial, "--engine": engine})
        record = extend(model, wanted, **writing)
        out = out or Path(model.removesuffix(".part"))
    elif out is None:
        raise InputError("run needs --out FILE.nc, the record to write")
    else:
        instance = modelling.build(registry.find(model), _parameters(param), model)
        physics = {"engine": engine_for(instance, engine, **wanted.engine), "seed": seed or 0}
        physics |= {"name": registry.full_name(model), "initial": _initial(initial)}
        record = _begin(instance, wanted, physics | writing)
    if not quiet:
        _say(f"{report(record)}\nrecord: {out}")


def _begin(instance: Any, wanted: Changes, common: Mapping[str, Any]) -> Record:
    """Run a time evolution where times are wanted, the steady state otherwise."""
    if wanted.times is None:
        tolerance = TOLERANCE if wanted.tolerance is None else wanted.tolerance
        return steady_state(instance, tolerance=tolerance, max_time=wanted.max_time, **common)
    if wanted.tolerance is not None or wanted.max_time is not None:
        raise InputError("--tol and --max-time belong to a steady state, not to --time")
    return evolve(instance, wanted.times, **common)


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
    from tnness.study.figure import plot, refuse_record

    if out is None:
        raise InputError("converge needs --out FILE.nc, the record to write")
    refuse_record(out.with_suffix(".png"), out)
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
        tolerance=TOLERANCE if tol is None else tol,
        max_time=max_time,
        out=out,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        progress=not quiet,
        name=registry.full_name(model),
    )
    figure = plot(out)
    if not quiet:
        _say(f"{table(dataset)}\nrecord: {out}\nfigure: {figure}")


@app.command("plot")
def plot_command(
    record: Path,
    out: Annotated[Path | None, typer.Option(help="The figure; default: the record's name with .png.")] = None,
    observable: Annotated[
        list[str] | None, typer.Option("--observable", "-o", help="Only this one (repeatable).")
    ] = None,
) -> None:
    """Draw a record: a steady state, a time evolution or a convergence."""
    from tnness.study.figure import plot

    _say(f"figure: {plot(record, out, observable or ())}")


def main() -> None:
    """Run the command line; turn every error of the package into one line and an exit status."""
    try:
        status = app(standalone_mode=False)
    except UsageError as error:
        _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except Interrupted as error:
        _fail(str(error), 130)
    except NumericalError as error:
        _fail(str(error), 1)
    except TnnessError as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(str(error), 1)
    sys.exit(status if isinstance(status, int) else 0)


def times(text: str) -> list[float]:
    """Read `start:stop:count`, `log:start:stop:count` (evenly spaced in the logarithm) or a comma list.

    >>> times("0:1:3")
    [0.0, 0.5, 1.0]
    >>> times("log:1:100:3")
    [1.0, 10.0, 100.0]
    """
    if ":" not in text:
        return list(_numbers("--time", text) or ())
    logarithmic, parts = text.startswith("log:"), text.removeprefix("log:").split(":")
    try:
        start, stop, count = float(parts[0]), float(parts[1]), int(parts[2])
        if (
            len(parts) != 3
            or count < 1
            or (count > 1 and not stop > start)
            or not all(map(math.isfinite, (start, stop)))
            or (logarithmic and not start > 0)
        ):
            raise ValueError
    except (ValueError, IndexError):
        needed = "[log:]start:stop:count with stop > start (> 0) and count >= 1, or a comma list, is needed"
        raise InputError(f"--time {text}: {needed}") from None
    return [float(t) for t in (np.geomspace if logarithmic else np.linspace)(start, stop, count)]


MEANING = {
    "discarded_weight": "relative weight dropped, last stage",
    "trace_drift": "change of ln(trace), last stage",
    "relaxation": "relative change still to come",
    "relaxation_rate": "rate of the relaxation [1/time]",
    "trotter": "relative error of the time step",
    "truncation": "relative error of the bond dimension",
    "residual": "|G P| / |P| [1/time]",
    "local_balance": "worst d<O>/dt of a one-site operator [1/time]",
    "energy_balance": "d<H>/dt over the dissipative flows",
    "positivity": "lowest eigenvalue or probability of two sites",
    "fallbacks": "LAPACK fallbacks",
}


def report(record: Record) -> str:
    """Return the scalars with their errors and the certificate as a short table."""
    lines = []
    for name, data in record.dataset.data_vars.items():
        if data.ndim == 0 and not str(name).startswith(PREFIX):
            error = data.attrs.get("error")
            lines.append(f"  {name!s:<22} {float(data):.10g}" + (f" +- {error:.1e}" if error is not None else ""))
    lines.append("certificate")
    for key, value in record.certificate.figures().items():
        if not math.isnan(value):
            lines.append(f"  {key:<22} {value:<12.3g} {MEANING.get(key, '')}")
    lines.append(f"outcome: {record.outcome}")
    return "\n".join(lines)


def _times(text: str | None) -> list[float] | None:
    return None if text is None else times(text)


def _initial(text: str | None) -> Any:
    if text is not None and text.endswith((".nc", ".nc.part")):
        return Record.open(text).state
    return text


def _refuse(record: str, given: Mapping[str, Any]) -> None:
    fixed = [option for option, value in given.items() if value is not None]
    if fixed:
        raise InputError(f"{', '.join(fixed)} cannot be changed when a record is extended; {record} fixes them")


def _parameters(pairs: list[str] | None) -> dict[str, Any]:
    return _pairs("-p", pairs)


def _pairs(option: str, pairs: list[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE pairs; a value is JSON (a number, a list, true) or else a text."""
    values = {}
    for pair in pairs or []:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise InputError(f"{option} {pair}: NAME=VALUE is needed")
        if name.strip() in values:
            raise InputError(f"{option} {name.strip()} is given twice")
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


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    _say(f"\n{title}")
    for row in [header, *rows]:
        _say("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _usage(error: Any) -> NoReturn:
    """A wrong use of the command line; without any command, its help."""
    text = error.format_message()
    if text.startswith("Usage:"):
        typer.echo(text, err=True)
        sys.exit(2)
    _fail(text, 2)


def _say(text: str) -> None:
    """Write a line to stdout; a reader that has gone (`| head`) is no failure of the work."""
    try:
        typer.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(f"tnness: {' '.join(message.split())}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
