"""Files from strangers: what a record may hold, and one line for all else."""

import json

import h5py
import numpy as np
import pytest

from crafted import attribute, crafted, replaced
from tnness import TEBD, Record, evolve, find
from tnness.errors import RecordError


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "r.nc"
    evolve(find("xxz-driven")(n=4), [0.0, 0.1], engine=TEBD(chi=4, dt=0.1), out=path)
    return path


def settings(**changed):
    return lambda file: attribute("settings", json.dumps(json.loads(file.attrs["settings"]) | changed))(file)


def external(file):
    file["stranger"] = h5py.ExternalLink("/etc/hostname", "/x")


def soft(file):
    file["state/soft"] = h5py.SoftLink("/z")


def raw(file):
    file.create_dataset("raw", (4,), "f8", external=[("other.bin", 0, h5py.h5f.UNLIMITED)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("virtual", layout)


def huge(file):
    file.create_dataset("huge", (10**9,), "f8", chunks=(10**6,), compression="gzip")


def deep(file):
    file.create_group("/".join("abcdefgh"))


def references(file):
    file.create_dataset("references", data=np.array([file["z"].ref]), dtype=h5py.ref_dtype)


def without(name, in_=None):
    """Remove an array; or with a group, all its arrays that are named so at their ends."""

    def change(file):
        for place in [name] if in_ is None else [f"{in_}/{key}" for key in file[in_] if key.endswith(f"_{name}")]:
            del file[place]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (external, "/stranger is a link"),
        (soft, "/state/soft is a link"),
        (raw, "keeps its numbers in another file"),
        (virtual, "keeps its numbers in another file"),
        (huge, "declares 8e[+]09 bytes of data in a file of"),
        (deep, "nested too deeply"),
        (references, "holds neither numbers nor texts"),
        (attribute("model", 3), "attribute 'model' holds"),
        (attribute("evolution_time", "late"), "attribute 'evolution_time' holds 'late'"),
        (attribute("evolution_time", [1.0, 2.0]), "attribute 'evolution_time' holds"),
        (attribute("settings", "{"), "attribute 'settings' is no JSON text"),
        (attribute("settings", "[" * 5000), "attribute 'settings' is no JSON text"),
        (attribute("settings", "[]"), "attribute 'settings' holds"),
        (attribute("settings", "{}"), "settings lack 'model'"),
        (attribute("error_estimates", '{"trotter": {"z": "small"}}'), "attribute 'error_estimates' holds"),
        (attribute("local_dimensions", "[2, -2]"), "attribute 'local_dimensions' holds"),
        (attribute("physics_of_observables", '{"z": 3}'), "attribute 'physics_of_observables' holds"),
        (attribute("origin", '{"time": 0}'), "origin lack 'times'"),
        (attribute("origin", '{"time": 0, "times": 0, "prior": {"chi": 2}}'), "origin: prior lack 'dt'"),
        (settings(seed=-1), "settings hold seed = -1"),
        (settings(kind="both"), "settings hold kind = 'both'"),
        (settings(times="soon"), "settings hold times = 'soon'"),
        (settings(watch=3), "settings hold watch = 3"),
        (replaced("state/tensor_0001", np.zeros((3, 4, 3))), "different bonds"),
        (replaced("state/tensor_0001", np.zeros(3)), "has not the three indices"),
        (lambda file: file["state"].attrs.__setitem__("centre", 9), "orthogonality centre of its state is 9"),
        (lambda file: file["state"].attrs.__setitem__("centre", -1), "orthogonality centre of its state is -1"),
        (replaced("history/stages", np.zeros(1, int)), "not one stage per time"),
        (replaced("history/stages", np.zeros(2)), "times and stages of its history are no numbers"),
        (replaced("history/times", np.zeros(5)), "not one stage per time"),
        (without("history/value_z"), "history has errors of z, but no values"),
        (without("z", in_="history"), "history lacks z"),
        (replaced("certificate_residual", "small"), "certificate_residual' holds no numbers"),
        (lambda file: file["z"].attrs.__setitem__("units", 3), "unit or the meaning"),
    ],
)
def test_what_no_record_holds_is_refused_in_one_line(sound, tmp_path, monkeypatch, change, told):
    monkeypatch.chdir(tmp_path)
    path = crafted(sound, tmp_path / "r.nc", change)
    with pytest.raises(RecordError, match=rf"r\.nc cannot be read as a record: .*{told}") as raised:
        Record.open(path)
    assert "\n" not in str(raised.value)


def test_a_record_that_only_was_sealed_again_is_read(sound, tmp_path):
    path = crafted(sound, tmp_path / "r.nc", lambda file: None)
    assert Record.open(path).outcome == Record.open(sound).outcome


def test_a_record_that_has_lost_its_seal_is_refused(sound, tmp_path):
    """Without its last 38 bytes nothing would show that a number was changed."""
    (tmp_path / "r.nc").write_bytes(sound.read_bytes()[:-38])
    with h5py.File(tmp_path / "r.nc", "r+") as file:
        file["z"][0, 0] += 0.125
    with pytest.raises(RecordError, match="lost its seal"):
        Record.open(tmp_path / "r.nc")
