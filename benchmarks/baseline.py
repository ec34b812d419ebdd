"""An earlier revision of the package beside the present one, in the same process.

The files of the revision come from git. They are written to a temporary folder under the name `tnness_before`, so that
both can be imported and timed in turn.
"""

import io
import re
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

NAME, MODELS = "tnness_before", "tnness_before_models"
REVISION = "f39b41e"
"""The revision whose kernels the figures of `benchmarks.kernels` are ratios to."""


@cache
def load_baseline(revision: str = REVISION) -> str:
    """Make the package of a revision, and its models (as `MODELS`), importable; return the name of the package."""
    root = Path(__file__).parent.parent
    command = ["git", "-C", str(root), "archive", revision, "tnness", "models"]
    archive = subprocess.run(command, capture_output=True, check=True)
    folder = Path(tempfile.mkdtemp(prefix="tnness-before-"))
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    (folder / "tnness").rename(folder / NAME)
    (folder / "models").rename(folder / MODELS)
    for path in folder.rglob("*.py"):
        path.write_text(re.sub(r"\btnness\b", NAME, path.read_text()))
    sys.path.insert(0, str(folder))
    return NAME
