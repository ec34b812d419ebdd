"""Runs as processes of their own, started without the second that loading the package takes.

Executed, this file is a server: it has loaded the package, and forks a child for every run that it is told to start.
`Forks` starts such a server and speaks to it. A child is a process like any other, and can be killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Forks:
    """Starts runs of the command line in processes of their own; to be used in a `with` statement."""

    def __enter__(self) -> Forks:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *details: object) -> None:
        self._server.communicate(timeout=60)

    def run(self, folder: Path, *arguments: str, room: int | None = None) -> Fork:
        """Start `tnness run ARGUMENTS` in a folder. room: bytes that a file may have; default: any number."""
        return Fork(self.ask("start", str(folder), arguments, room), folder, self)

    def ask(self, *request: Any) -> Any:
        """Return the server's answer."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


@dataclass
class Fork:
    """A run as a process. status: how it ended, as in `subprocess`; None while it runs."""

    pid: int
    folder: Path
    forks: Forks
    status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        if self.status is None:
            self.status = self.forks.ask("poll", self.pid)
        return self.status

    def wait(self) -> int:
        """Return the exit status when the process has ended."""
        if self.status is None:
            self.status = int(self.forks.ask("wait", self.pid))
        return self.status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def err(self) -> str:
        """What the last run in its folder wrote to stderr."""
        return _beside(self.folder).read_text()


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.err")


def _serve() -> None:
    """Answer requests until there are no more."""
    from tnness import cli
    from tnness.model import registry

    registry.models()
    for line in sys.stdin:
        order, *given = json.loads(line)
        if order == "start":
            answer = _started(cli.main, *given)
        else:
            pid, status = os.waitpid(given[0], os.WNOHANG if order == "poll" else 0)
            answer = None if pid == 0 else os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _started(main: Any, folder: str, arguments: list[str], room: int | None) -> int:
    pid = os.fork()
    if pid > 0:
        return pid
    status = 70
    with contextlib.suppress(BaseException):
        os.chdir(folder)
        for number, name in ((0, os.devnull), (1, os.devnull), (2, str(_beside(Path(folder))))):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number == 2 else 0), 0o666), number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        sys.argv = ["tnness", "run", *arguments]
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
