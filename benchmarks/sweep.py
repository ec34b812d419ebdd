"""What a sweep costs beyond the physics: `python -m benchmarks.sweep`.

A trivial model gives the overhead of a point, a large store the times of `status` and `collect`, chains with chi = 50
what a second worker brings.
"""

import multiprocessing
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from tnness import TEBD, find, steady_state
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
        shutil.rmtree(folder)
        Path(folder).mkdir()
        sweep("mbl-heisenberg", grid, store=folder, realizations=points // 20, workers=0, task=(0, 10**9), **settings)
        for point in store.points():
            store.record_path(point.key).parent.mkdir(exist_ok=True)
            store.record_path(point.key).write_bytes(record)
        started = time.perf_counter()
        assert status(folder).done == points
        print(f"status of {points} finished points: {time.perf_counter() - started:.2f} s")
        started = time.perf_counter()
        table = collect(folder)
        seconds = time.perf_counter() - started
        assert table["status"].size == points
        print(f"collect of {points} records of {len(record) / 1e3:.0f} kB, every variable: {seconds:.1f} s")


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
    points: Annotated[int, typer.Option(help="trivial points")] = 2000,
    store: Annotated[int, typer.Option(help="points of the large store")] = 20_000,
    chains: Annotated[int, typer.Option(help="steady states for the scaling; 0: none")] = 24,
) -> None:
    """Overhead, status, collect, scaling."""
    overhead(points, 2)
    physics(100)
    large_store(store)
    if chains:
        scaling(chains)


if __name__ == "__main__":
    typer.run(main)
