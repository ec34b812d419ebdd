"""The program: `tnness models | show | check | run | converge | modes | counting | correlation | sweep | status |
collect | plot | report | verify`.

Exit status: 0 where the work was done (for `run`: a record was written; for `sweep`: every point is there), 1 where a
computation, a check or a point failed or a file could not be written, 2 for bad input, 130 after an interrupt (128 and
the number of the signal). Errors are one line on stderr.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy loads: one BLAS thread is fastest, and reproducible

from tnness.cli import beyond, models, page, plot, run, sweep
from tnness.cli.app import main
from tnness.cli.reading import times
from tnness.cli.shown import answer

__all__ = ["answer", "beyond", "main", "models", "page", "plot", "run", "sweep", "times"]
