"""The options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tnness.engines.ask import TOLERANCE

Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", metavar="NAME=VALUE", help="A model parameter; a number, string or JSON list."),
]
EngineName = Annotated[str | None, typer.Option("--engine", help="Engine; default: the model's first.")]
Chi = Annotated[int | None, typer.Option(help="Bond dimension.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the disorder (default 0).")]
Out = Annotated[Path | None, typer.Option(help="The record to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished record.")]
Dt = Annotated[float | None, typer.Option(help="Trotter time step.")]
Order = Annotated[int | None, typer.Option(help="Trotter order, 2 or 4.")]
Method = Annotated[str | None, typer.Option(help="Truncation method: svd, qr, cholesky-qr, randomized.")]
Cutoff = Annotated[float | None, typer.Option(help="Discarded weight that is always acceptable.")]
Power = Annotated[int | None, typer.Option(help="Power iterations of each split.")]
Accelerate = Annotated[
    bool | None,
    typer.Option("--accelerate", help="Jump to the steady state of weak dissipation instead of waiting for it."),
]
Bracket = Annotated[
    bool | None, typer.Option("--bracket", help="With --accelerate: settle from above and from below too, and compare.")
]
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
Watch = Annotated[
    list[str] | None,
    typer.Option(
        "--watch",
        metavar="NAME",
        help="An observable by which the steady state is judged (repeatable); default: all that the model monitors.",
    ),
]
MaxTime = Annotated[float | None, typer.Option(help="Evolution time after which a steady state is given up.")]
Every = Annotated[float, typer.Option("--checkpoint-every", help="Seconds between checkpoints.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no table.")]
