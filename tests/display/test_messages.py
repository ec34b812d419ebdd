"""What the package tells goes through `logging`: to stderr by default, elsewhere or nowhere as a program asks."""

import io
import logging
import sys

import pytest

from tnness.display.messages import LINES, MESSAGES, tell_at
from tnness.runs.progress import Progress


def replaced(monkeypatch):
    """A stderr of the test's own: pytest puts back its own one before a test is called."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture(autouse=True)
def level():
    before = MESSAGES.level
    yield
    tell_at(before)


def test_messages_are_bare_lines_on_stderr(monkeypatch):
    stderr = replaced(monkeypatch)
    before = LINES.last
    MESSAGES.info("three of %d points", 5)
    assert stderr.getvalue() == "three of 5 points\n"
    assert LINES.last >= before


def test_a_level_silences_progress_and_keeps_what_may_be_wrong(monkeypatch):
    stderr = replaced(monkeypatch)
    tell_at(logging.WARNING)
    with Progress("chain", True) as progress:
        progress.note("halfway")
        progress.doubt("it may be wrong")
    assert stderr.getvalue().startswith("chain: it may be wrong, after ")
    assert stderr.getvalue().count("\n") == 1


def test_handlers_of_a_program_get_every_message(caplog):
    with caplog.at_level(logging.INFO, "tnness"), Progress("chain", True) as progress:
        progress.note("halfway")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("tnness", "INFO")
    assert record.getMessage().startswith("chain: halfway, after ")


def test_a_console_of_the_program_is_not_doubled(monkeypatch):
    stderr = replaced(monkeypatch)
    console = logging.StreamHandler(stderr)
    logging.getLogger().addHandler(console)
    try:
        MESSAGES.info("once")
    finally:
        logging.getLogger().removeHandler(console)
    assert stderr.getvalue() == "once\n"


def test_a_stderr_that_is_closed_stops_nothing(monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    MESSAGES.info("to nobody")
