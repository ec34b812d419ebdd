"""What only POSIX systems have, or only Linux, is needed by nothing: the package runs with those names taken away."""

import subprocess
import sys

from tnness import Record
from tnness.study.execution import cores

WITHOUT = """
import concurrent.futures.process, importlib, os, pkgutil, signal, subprocess, sys

import h5netcdf, matplotlib.pyplot, numpy, psutil, scipy, tqdm, typer, xarray  # they know what system they are on

MISSING = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog")  # modules that Windows lacks
for name in MISSING:
    sys.modules.pop(name, None)


class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Refusing())
for name in ("fork", "forkpty", "getuid", "geteuid", "getgid", "killpg", "sched_getaffinity", "uname", "wait3"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "setitimer", "alarm"):
    if hasattr(signal, name):
        delattr(signal, name)

import tnness, tnness_models
for package in (tnness, tnness_models):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
"""

RUN = """
from tnness.cli import main
sys.argv = ["tnness", *sys.argv[1:]]
main()
"""


def without(folder, *words):
    program = WITHOUT + (RUN if words else "")
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_is_written_shown_and_drawn(tmp_path):
    answer = without(tmp_path, "run", "ssep", "-p", "n=3", "--chi", "8", "--out", "a.nc")
    assert "outcome: converged" in answer
    assert Record.open(tmp_path / "a.nc").outcome == "converged"


def test_a_sweep_counts_the_cores(tmp_path):
    grid = ("--grid", "rate=0.5,1", "-p", "n=2", "--engine", "exact")
    told = without(tmp_path, "sweep", "ssep", *grid, "--store", "points", "--workers", "0")
    assert "2 of 2 points done" in told
    assert cores() >= 1
