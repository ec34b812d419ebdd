"""Claims: one holder at a time, whoever died before."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

from tnness.records.claims import claim, holder, holder_named
from tnness.records.files import LAPSED, remove_orphans


def test_one_thread_holds_a_claim_at_a_time(tmp_path):
    path, taken = tmp_path / "x.claim", []

    def second():
        with claim(path) as mine:
            taken.append(mine)

    with claim(path) as mine:
        assert mine
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert taken == [False]
        assert f"process {os.getpid()} on {socket.gethostname()}, since" in holder_named(path)
    assert not list(tmp_path.iterdir())
    with claim(path) as mine:
        assert mine


def test_the_claim_of_a_dead_process_lapses(tmp_path):
    path = tmp_path / "x.claim"
    hold = f"from pathlib import Path; from tnness.records.claims import claim; c = claim(Path({str(path)!r}))"
    subprocess.run([sys.executable, "-c", f"{hold}; c.__enter__(); import os; os._exit(9)"], timeout=60)
    assert path.exists()
    assert holder(path) is None
    with claim(path) as mine:
        assert mine


def test_the_claim_of_another_machine_lapses_without_signs_of_life(tmp_path):
    path = tmp_path / "x.claim"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": 0.0, "since": time.time(), "thread": 1}))
    with claim(path) as mine:
        assert not mine
    os.utime(path, (0, time.time() - LAPSED - 1))
    with claim(path) as mine:
        assert mine


def test_a_claim_that_cannot_be_read_is_none(tmp_path):
    for text in ("", "[]", "null", '{"host": 1}', '{"host": "a", "pid": "b", "born": 0, "since": 0, "thread": 0}'):
        (tmp_path / "x.claim").write_text(text)
        with claim(tmp_path / "x.claim") as mine:
            assert mine


def test_temporary_files_of_dead_processes_are_removed(tmp_path):
    host = socket.gethostname()
    kept = {f".k.json.{os.getpid()}-1@{host}.new", ".k.json.1-1@elsewhere.new", "k.json", ".other"}
    for name in (*kept, f".k.json.{2**22 - 7}-1@{host}.new", f".k.nc.{2**22 - 7}-1@{host}.tmp"):
        (tmp_path / name).write_text("")
    remove_orphans(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept
