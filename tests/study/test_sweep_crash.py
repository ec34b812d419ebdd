"""Bad days of a sweep, with real processes: workers, sweeps and Dask workers that are killed, disks that are full.

Afterwards the same command runs again, and the table equals one of an undisturbed sweep, value for value.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

from tnness.study.collect import collect
from tnness.study.status import status
from tnness.study.store import Store
from tnness.study.sweep import sweep

HERE = Path(__file__).parent / "sweep_models.py"
NOISY = f"{HERE}:Noisy"
BASE = [sys.executable, "-m", "tnness.cli", "sweep", NOISY, "--engine", "exact"]
GRID = ["--grid", "gamma=0.5,1,2", "--realizations", "8", "--measure", f"{HERE}:slow"]
PATIENCE = 60


def command(store, *more):
    return [*BASE, *GRID, "--store", str(store), *more]


def run(store, *more, **settings):
    return subprocess.run(command(store, *more), capture_output=True, text=True, timeout=PATIENCE, **settings)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("sweep") / "store"
    done = run(store, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "24 of 24 points done, 0 failed" in done.stdout
    return collect(store)


def assert_same(store, table):
    xr.testing.assert_identical(collect(store).drop_vars("cpu_seconds"), table.drop_vars("cpu_seconds"))


def begun(store, *more, points=3):
    """Start a sweep, and give it when some of its points are there."""
    process = subprocess.Popen(command(store, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(PATIENCE * 20):
        if len(Store(store).finished()) >= points:
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no point was finished")


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def workers(pid):
    return [c for c in children(pid) if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]


def gone(pids):
    for _ in range(PATIENCE * 20):
        if not any(Path(f"/proc/{pid}").exists() and _running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_worker_that_is_killed(tmp_path, undisturbed):
    process = begun(tmp_path, "--workers", "2")
    os.kill(workers(process.pid)[0], signal.SIGKILL)
    output, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    assert "24 of 24 points done" in output
    assert "a worker died; its points are computed again" in error
    assert_same(tmp_path, undisturbed)


def test_a_sweep_that_is_killed_takes_its_workers_along(tmp_path, undisturbed):
    process = begun(tmp_path, "--workers", "2")
    pool = workers(process.pid)
    process.kill()
    process.communicate()
    assert len(pool) == 2
    assert gone(pool)
    assert status(tmp_path).running == 0
    assert 0 < status(tmp_path).missing < 24
    assert run(tmp_path, "--workers", "1").returncode == 0
    assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_interrupted_says_how_to_go_on(number, tmp_path, undisturbed):
    process = begun(tmp_path, "--workers", "2")
    pool = workers(process.pid)
    process.send_signal(number)
    error = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 128 + number
    assert "of 24 points done: run the same command again to continue" in error
    assert "Traceback" not in error
    assert gone(pool)
    assert [claim.read_text() for claim in (tmp_path / "claims").iterdir()] == []
    assert run(tmp_path, "--workers", "2").returncode == 0
    assert_same(tmp_path, undisturbed)


def test_two_sweeps_at_once_share_the_work(tmp_path, undisturbed):
    both = [subprocess.Popen(command(tmp_path, "--workers", "1"), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert any("24 of 24 points done" in output for output in outputs)
    assert_same(tmp_path, undisturbed)
    assert not list((tmp_path / "claims").iterdir())


def test_a_job_array_without_a_scheduler(tmp_path, undisturbed):
    tasks = [subprocess.Popen(command(tmp_path, "--task", f"{k}/2", "--workers", "1")) for k in range(2)]
    assert [task.wait(PATIENCE) for task in tasks] == [0, 0]
    assert_same(tmp_path, undisturbed)


def test_a_point_that_kills_its_process_once_is_computed(tmp_path):
    environment = os.environ | {"TNNESS_TEST_MARK": str(tmp_path / "mark")}
    more = ["--realizations", "3", "--measure", f"{HERE}:killed_once", "--workers", "2"]
    done = subprocess.run(
        [*BASE, *more, "--store", str(tmp_path / "s")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mark").exists()


def test_a_point_that_always_kills_its_process_fails_and_the_rest_goes_on(tmp_path):
    more = ["--realizations", "6", "--measure", f"{HERE}:always_killed", "--workers", "2"]
    done = subprocess.run([*BASE, *more, "--store", str(tmp_path)], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "1 of 6 points failed" in done.stderr
    assert "its process died 3 times (killed, or out of memory)" in done.stderr
    assert status(tmp_path).done == 5


def test_a_point_that_fails_leaves_the_exit_status(tmp_path):
    more = ["--realizations", "4", "--measure", f"{HERE}:fails", "--workers", "2", "--store", str(tmp_path)]
    done = subprocess.run([*BASE, *more], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "3 of 4 points done, 1 failed" in done.stdout
    told = [line for line in done.stderr.splitlines() if "computing for" not in line]  # said where it is slow
    assert len(told) == 1
    assert "1 of 4 points failed" in done.stderr
    assert "NumericalError: it broke down" in done.stderr


FULL = """
import resource, sys
from tnness.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # a record is larger, manifest and claims are not
sys.argv = ["tnness", *sys.argv[1:]]
main()
"""


def test_a_disk_without_room_is_a_plain_error_and_counts_nothing_as_done(tmp_path, undisturbed):
    done = subprocess.run(
        [sys.executable, "-c", FULL, *command(tmp_path, "--workers", "0")[3:]], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "could not be written: File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert status(tmp_path).done == 0
    assert status(tmp_path).failed == 0
    assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".tmp")]
    assert run(tmp_path, "--workers", "2").returncode == 0
    assert_same(tmp_path, undisturbed)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written(tmp_path):
    run(tmp_path, "--task", "0/1000", "--workers", "0")
    for folder in (tmp_path / "claims", tmp_path / "points", tmp_path):
        folder.chmod(0o555)
    done = run(tmp_path, "--workers", "0")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_a_store_where_a_file_is(tmp_path):
    (tmp_path / "store").write_text("")
    done = run(tmp_path / "store", "--workers", "0")
    assert done.returncode == 2
    assert "cannot be made" in done.stderr
    assert done.stderr.count("\n") == 1


# ---------------------------------------------------------------- Dask


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.mark.filterwarnings("ignore")  # of Dask's own threads, at the end of its processes
def test_dask_workers_and_one_of_them_killed(cluster, tmp_path, undisturbed):
    process = begun(tmp_path, "--dask", cluster.scheduler_address)
    victim = next(iter(cluster.workers.values())).pid
    assert victim
    os.kill(victim, signal.SIGKILL)
    output, error = process.communicate(timeout=PATIENCE)
    if process.returncode != 0 or "24 of 24" not in output:  # its point is still claimed, or the sweep was told
        assert run(tmp_path, "--dask", cluster.scheduler_address).returncode == 0, error
    assert_same(tmp_path, undisturbed)


SUBMIT = """#!/bin/sh
# stands for SLURM: runs the job's script at once, in the background
for script; do :; done
sh "$script" >/dev/null 2>&1 &
echo "Submitted batch job $!"
"""


@pytest.mark.filterwarnings("ignore")
def test_slurm_jobs_are_asked_for_by_dask_jobqueue(tmp_path, undisturbed):
    pytest.importorskip("dask_jobqueue")
    binaries, settings = tmp_path / "bin", tmp_path / "dask"
    for folder in (binaries, settings):
        folder.mkdir()
    for name, text in (("sbatch", SUBMIT), ("scancel", "#!/bin/sh\nkill $1\n")):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    slurm = "{cores: 1, memory: 1GiB, processes: 1, interface: lo, walltime: '00:10:00'}"
    (settings / "jobqueue.yaml").write_text(f"jobqueue: {{slurm: {slurm}}}\n")
    environment = os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}", "DASK_CONFIG": str(settings)}
    done = run(tmp_path / "store", "--dask", "slurm", "--workers", "2", env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "store", undisturbed)


def test_a_sweep_from_python_with_a_pool(tmp_path, undisturbed):
    settings = {"measure": f"{HERE}:slow", "engine": "exact", "realizations": 8, "workers": 2}
    assert sweep(NOISY, {"gamma": [0.5, 1.0, 2.0]}, store=tmp_path, **settings).complete
    assert_same(tmp_path, undisturbed)
