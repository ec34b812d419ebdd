"""What a sweep costs beyond the physics: `python -m benchmarks.sweep`.

A trivial model gives the overhead of a point, a large store the times of `status` and `collect`, chains with chi = 50
what a second worker brings.
"""

import contextlib
import multiprocessing
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer

from tnness import TEBD, find, steady_state
from tnness.records.files import sealed
from tnness.study.collect import collect
from tnness.study.status import status
from tnness.study.store import Store
from tnness.study.sweep import sweep


def trivial(setting) -> dict[str, float]:
    """A point that costs nothing."""
    return {"answer": float(setting.seed % 1000)}


def overhead(points: int, workers: int) -> None:
    """Seconds of the whole sweep, start of the workers included, per point and worker."""
    with tempfile.TemporaryDirectory() as folder:
        for count, told in ((workers, "start"), (points, "points")):
            started = time.perf_counter()
            done = sweep("ssep", store=folder, realizations=count, measure=trivial, engine="exact", workers=workers)
            seconds = time.perf_counter() - started
            assert done.complete
            if told == "start":
                print(f"start of {workers} workers: {seconds:.2f} s")
                start = seconds
        per_point = (seconds - start) / points
        print(f"{points} trivial points, {workers} workers: {seconds:.1f} s, {1e3 * per_point:.2f} ms a point", end="")
        print(f" ({1e3 * per_point * workers:.2f} ms of one worker)")


def physics(points: int) -> None:
    """The smallest real steady states: what the driver and the record add."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        sweep("ssep", {"n": [2]}, store=folder, realizations=points, engine="exact", workers=0)
        seconds = time.perf_counter() - started
        print(f"{points} steady states of two sites, in this process: {1e3 * seconds / points:.1f} ms a point")


def large_store(points: int) -> None:
    """`status` and `collect` of a store with many finished points, copies of one real record."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"parameters": {"n": 8}, "engine": "exact", "independent": ["h"]}
        grid = {"h": [1.0, 2.0, 3.0, 4.0, 5.0], "eps": [0.1, 0.2, 0.3, 0.4]}
        sweep("mbl-heisenberg", {"h": [1.0], "eps": [0.1]}, store=folder, workers=0, **settings)
        store = Store(folder)
        record = store.record_path(next(iter(store.finished()))).read_bytes()
        body = record[: record.rfind(b"\ntnness seal ")]
        shutil.rmtree(folder)
        Path(folder).mkdir()
        sweep("mbl-heisenberg", grid, store=folder, realizations=points // 20, workers=0, task=(0, 10**9), **settings)
        for point in store.points():
            store.record_path(point.key).parent.mkdir(exist_ok=True)
            store.record_path(point.key).write_bytes(sealed(body, point.key))
        started, busy = time.perf_counter(), time.process_time()
        assert status(folder).done == points
        print(f"status of {points} finished points: {_since(started, busy)}")
        commands(folder)
        started, busy = time.perf_counter(), time.process_time()
        table = collect(folder)
        assert table["status"].size == points
        print(f"collect of {points} records of {len(record) / 1e3:.0f} kB, every variable: {_since(started, busy)}")


def _since(started: float, busy: float) -> str:
    return f"{time.perf_counter() - started:.2f} s, {time.process_time() - busy:.2f} s of it computing"


def commands(folder: str) -> None:
    """The start of the program alone, and `tnness status`, as processes."""
    for words in (["--help"], ["status", folder]):
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tnness.cli", *words], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"tnness {words[0]}: {time.perf_counter() - started:.2f} s, {busy:.2f} s of it computing")


def crowd(points: int, workers: int) -> None:
    """A sweep of real points by more workers than cores: its time, and the memory of its processes over time."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["sweep", "ssep", "-p", "n=2", "--engine", "exact", "--realizations", str(points), "--quiet"]
        command = [sys.executable, "-m", "tnness.cli", *words, "--workers", str(workers), "--store", folder]
        started, looked = time.perf_counter(), 0.0
        process = subprocess.Popen(command)
        whole = psutil.Process(process.pid)
        while process.poll() is None:
            time.sleep(0.5)
            if time.perf_counter() - looked > points / 1000:
                looked = time.perf_counter()
                with contextlib.suppress(psutil.Error):
                    others = [child.memory_info().rss for child in whole.children(recursive=True)]
                    own, most = whole.memory_info().rss / 1e6, max(others, default=0) / 1e6
                    print(f"  after {looked - started:4.0f} s: sweep {own:.0f} MB, largest worker {most:.0f} MB")
        done = status(folder)
        print(f"{points} points, {workers} workers: {time.perf_counter() - started:.0f} s; {done.done} done")
        assert done.done == points
        commands(folder)
        started, busy = time.perf_counter(), time.process_time()
        assert collect(folder)["status"].size == points
        print(f"collect: {_since(started, busy)}")


CHAIN = {"n": 12, "h": 2.0, "eps": 0.4}


def alone(seeds: range) -> None:
    """Steady states without a sweep."""
    for seed in seeds:
        steady_state(find("mbl-heisenberg")(**CHAIN), engine=TEBD(chi=50), tolerance=1e-2, seed=seed)


def scaling(points: int) -> None:
    """Steady states at chi = 50 by one and by two workers, and by plain processes: what this machine can give."""
    context = multiprocessing.get_context("spawn")
    plain, swept = {}, {}
    for workers in (1, 2):
        parts = [context.Process(target=alone, args=(range(k, points, workers),)) for k in range(workers)]
        started = time.perf_counter()
        for part in parts:
            part.start()
        for part in parts:
            part.join()
        plain[workers] = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder:
            settings = {"parameters": CHAIN, "engine": TEBD(chi=50), "tolerance": 1e-2}
            started = time.perf_counter()
            sweep("mbl-heisenberg", store=folder, realizations=points, workers=workers, **settings)
            swept[workers] = time.perf_counter() - started
    for told, seconds in (("plain processes", plain), ("sweep", swept)):
        ratio = seconds[1] / seconds[2]
        print(f"{points} states at chi = 50, {told}: one {seconds[1]:.1f} s, two {seconds[2]:.1f} s: {ratio:.2f}x")


def main(
    points: Annotated[int, typer.Option(help="trivial points; 0: none")] = 2000,
    store: Annotated[int, typer.Option(help="points of the large store; 0: none")] = 20_000,
    crowded: Annotated[int, typer.Option(help="points of a sweep by eight workers; 0: none")] = 0,
    chains: Annotated[int, typer.Option(help="steady states for the scaling; 0: none")] = 24,
) -> None:
    """Overhead, status, collect, scaling."""
    if points:
        overhead(points, 2)
        physics(100)
    if store:
        large_store(store)
    if crowded:
        crowd(crowded, 8)
    if chains:
        scaling(chains)


if __name__ == "__main__":
    typer.run(main)
