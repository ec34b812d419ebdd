"""What several tests of this folder share."""

import pytest

from halting import LOW, XX, pumped_part
from tnness import steady_state
from tnness.records.record import part_path


@pytest.fixture(scope="session")
def coarse(tmp_path_factory):
    path = tmp_path_factory.mktemp("coarse") / "old.nc"
    steady_state(XX, engine=LOW, out=path)
    return path


@pytest.fixture
def halted(tmp_path):
    """A run of Pumped that stopped after four steps."""
    part_path(tmp_path / "r.nc").write_bytes(pumped_part())
    return tmp_path / "r.nc"
