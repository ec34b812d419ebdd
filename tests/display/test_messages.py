"""What the package tells goes through `logging`: to stderr by default, elsewhere or nowhere as a program asks."""

import io
import logging
import subprocess
import sys
import time

import pytest

from tnness import Record, find, steady_state
from tnness.display.messages import LINES, MESSAGES, never_silent, ready, tell_at
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


class Full(io.StringIO):
    """A stderr on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stderr", [None, closed(), Full()], ids=["none", "closed", "full"])
def test_a_stderr_that_takes_nothing_stops_nothing(stderr, monkeypatch):
    quiet = steady_state(find("ssep")(n=2), max_time=2.0)
    monkeypatch.setattr(sys, "stderr", stderr)
    MESSAGES.info("to nobody")
    told = steady_state(find("ssep")(n=2), max_time=2.0, progress=True)
    assert told["density"].values.tolist() == quiet["density"].values.tolist()
    stream = replaced(monkeypatch)
    MESSAGES.info("to somebody")
    assert stream.getvalue() == "to somebody\n"


def test_a_program_that_is_started_without_stdout_and_stderr_writes_its_record(tmp_path):
    words = f"{sys.executable} -m tnness.cli run ssep -p n=2 --engine exact --out {tmp_path / 'o.nc'} 1>&- 2>&-"
    assert subprocess.run(["sh", "-c", words], check=False).returncode == 0
    assert Record.open(tmp_path / "o.nc").outcome.startswith("exact")
    refused = subprocess.run(["sh", "-c", f"{words} 1>&- 2>&-"], check=False)
    assert refused.returncode == 2  # the record is there already


def test_a_watch_tells_first_soon_and_then_seldom_until_something_else_tells(caplog):
    with caplog.at_level(logging.INFO, "tnness"):
        with never_silent("chain", longest=0.4, first=0.05):
            time.sleep(0.3)
        assert [record.getMessage()[:20] for record in caplog.records] == ["chain: computing for"]
        caplog.clear()
        with never_silent("chain", longest=0.05):
            ready()
            time.sleep(0.2)
        assert not caplog.records
