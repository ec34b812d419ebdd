"""Settings of the whole suite."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tnness.display.messages import MESSAGES, tell_at

# The same examples on every run, and no deadline: a busy machine is no failure.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def _files_with(pattern: str) -> list[str]:
    here = Path(__file__).parent
    return [str(p) for p in here.rglob("*.py") if re.search(pattern, p.read_text("utf-8"), re.MULTILINE)]


# Tests that fork, kill or limit processes are for systems that can; those that look into /proc are for Linux.
collect_ignore = []
if not hasattr(os, "fork"):
    collect_ignore += _files_with(r"^(from|import) (forks|processes|resource)\b|^import resource|signal\.SIGKILL")
if not Path("/proc/self").exists():
    collect_ignore += _files_with(r"f\"/proc/")


TALKATIVE = MESSAGES.level


@pytest.fixture(autouse=True)
def _every_test_tells_of_progress():
    """A command that was told to be quiet, by a test or by a fixture of a module, leaves the next test as talkative."""
    tell_at(TALKATIVE)
    yield
    tell_at(TALKATIVE)
