"""What several tests of this folder share."""

import shutil
from pathlib import Path

import pytest

from command_line import MODELS, TINY, well


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder of finished records, which no test changes."""
    folder = tmp_path_factory.mktemp("made")
    well("run", *TINY, "--chi", 4, "--out", folder / "steady.nc")
    well("run", *TINY, "--engine", "exact", "--out", folder / "exact.nc", "--quiet")
    well("run", *TINY, "--chi", 4, "--time", "0:1:3", "--out", folder / "evolution.nc", "--quiet")
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    """An empty working folder with a copy of the finished records and of the models file."""
    for file in made.glob("*.nc"):
        shutil.copy(file, tmp_path)
    (tmp_path / "chains.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path
