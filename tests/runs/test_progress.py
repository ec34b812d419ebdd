"""What a run shows: a bar on a terminal, a line per stage elsewhere, nothing where it is not wanted."""

import io
import re
import signal
import subprocess
import sys

import pytest

from small_runs import QUICK, Pumped
from tnness import TEBD, Exact, evolve, find, steady_state
from tnness.errors import Interrupted
from tnness.runs.progress import Progress, Stop


class Terminal(io.StringIO):
    """A stderr that is one."""

    def isatty(self):
        return True


@pytest.fixture
def stderr(monkeypatch):
    def replaced(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replaced


def test_a_line_per_stage_where_there_is_no_terminal(stderr):
    written = stderr(io.StringIO())
    record = steady_state(find("xx-dephasing")(n=3), engine=TEBD(chi=4, schedule=(3,)), progress=True)
    lines = written.getvalue().splitlines()
    assert len(lines) == max(record.history.stages) + 1
    form = (
        r"xx-dephasing: stage \d/\d \(chi=\d+ dt=[\d.]+\) done at t = [\d.]+, still to come [\d.e+-]+, after [\d.]+ s"
    )
    assert all(re.fullmatch(form, line) for line in lines)
    assert [line.split()[2][0] for line in lines] == [str(i + 1) for i in range(len(lines))]


def test_ten_lines_of_a_time_evolution(stderr):
    written = stderr(io.StringIO())
    evolve(Pumped(), [0.01 * i for i in range(37)], engine=QUICK, progress=True)
    lines = written.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("Pumped: 37 of 37 times done, t = 0.36, discarded ")


def test_a_bar_on_a_terminal(stderr, monkeypatch):
    monkeypatch.setattr("tnness.runs.progress.REDRAW", 0.0)
    written = stderr(Terminal())
    steady_state(Pumped(), engine=QUICK, progress=True)
    assert re.search(
        r"stage \d/\d \(chi=[68] dt=0\.2\) \[\d\d:\d\d, t=[\d.]+ bond=\d to come=[\d.e-]+ \(wanted 1e-03\)\]",
        written.getvalue(),
    )
    assert "\n" not in written.getvalue()  # one line, drawn again and again, and wiped at the end
    written = stderr(Terminal())
    evolve(Pumped(), [0.0, 0.5, 1.0], engine=QUICK, progress=True)
    assert "2/3" in written.getvalue()
    assert "discarded" in written.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_where_it_is_not_wanted(stream, stderr):
    written = stderr(stream())
    steady_state(Pumped(), engine=QUICK)
    evolve(Pumped(), [0.0, 0.5], engine=Exact())
    assert written.getvalue() == ""


def test_a_continued_evolution_counts_on(stderr):
    written = stderr(io.StringIO())
    progress = Progress("p", True, total=4)
    progress.skip(2)
    assert progress.done == 2
    progress.measured("t = 1")
    assert written.getvalue().startswith("p: 3 of 4 times done")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_at_once_what_has_nothing_to_save(number):
    before = signal.signal(number, signal.default_int_handler)  # under nohup the suite itself ignores SIGHUP
    try:
        with Stop(at_once=True):
            with pytest.raises(Interrupted, match="before the first step") as told:
                signal.raise_signal(number)
            assert told.value.number == number
    finally:
        signal.signal(number, before)


def test_the_first_signal_asks_and_the_second_insists():
    before = signal.getsignal(signal.SIGINT)
    with Stop() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with Stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested


NOTEBOOK = """
import sys, types, warnings

warnings.simplefilter("error")
sys.modules["ipywidgets"] = None  # as where it is not installed
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: shell
from tnness.runs.progress import bar_class

print(bar_class().__mro__[-2].__module__)
"""


def test_a_notebook_without_widgets_has_bars_of_text_and_no_warning():
    done = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tqdm")
