"""Every benchmark, one after the other: `python -m benchmarks` (about ten minutes; `--quick` for two)."""

import subprocess
import sys
from typing import Annotated

import typer


def main(quick: Annotated[bool, typer.Option(help="chi = 50 steps and the scaling only")] = False) -> None:
    """Steps against TeNPy and quimb, scaling, time to a steady state; scattering against Kwant; large sites."""
    runs = [["steps", "--chi", "50"], ["scaling"]] if quick else [["steps"], ["scaling"], ["steady"], ["noise"]]
    runs += [] if quick else [["scattering"], ["deflation"], ["circuits"], ["hopping"]]
    for module, *options in runs:
        typer.echo(f"== {module} {' '.join(options)}".rstrip())
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *options], check=True)


if __name__ == "__main__":
    typer.run(main)
