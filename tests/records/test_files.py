"""Files that are whole or not there, and damage that is noticed."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnness.errors import RecordError
from tnness.records.files import is_sealed, seal_of, sealed, sealed_key, write_whole


@given(st.binary(max_size=200))
def test_a_seal_holds(content):
    assert is_sealed(sealed(content))
    assert is_sealed(sealed(content, "ab12"))


@given(st.binary(min_size=1, max_size=60), st.data())
def test_any_changed_byte_of_the_content_is_noticed(content, data):
    whole = bytearray(sealed(content))
    whole[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    seal = seal_of(bytes(whole))
    assert seal is not None
    assert not seal.intact


@given(st.binary(max_size=60), st.data())
def test_anything_cut_off_its_end_breaks_the_seal(content, data):
    whole = sealed(content)
    assert not is_sealed(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_hdf5_does_not_see_the_seal(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(1000.0)
    (tmp_path / "a.h5").write_bytes(sealed((tmp_path / "a.h5").read_bytes()))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["x"][-1] == 999


def test_a_seal_knows_whose_it_is(tmp_path):
    whole = sealed(b"numbers" * 100, "ab12")
    (tmp_path / "a").write_bytes(whole)
    (tmp_path / "b").write_bytes(whole[:-40])
    assert sealed_key(tmp_path / "a") == "ab12"
    assert sealed_key(tmp_path / "b") is None
    assert not is_sealed(whole.replace(b"ab12", b"ab13"))


@pytest.mark.parametrize("key", ["", "ab12"])
def test_the_end_of_a_file_tells_that_it_was_cut_or_has_grown(tmp_path, key):
    """Without reading the rest: `status` looks at every point of a sweep so."""
    whole = sealed(b"numbers" * 100, key)
    for content in (*(whole[:-cut] for cut in range(1, 80)), whole + b"x", whole[1:]):
        (tmp_path / "a").write_bytes(content)
        assert sealed_key(tmp_path / "a") is None
    (tmp_path / "a").write_bytes(whole)
    assert sealed_key(tmp_path / "a") == key


def test_a_file_of_others_is_not_judged():
    assert seal_of(b"") is None
    assert seal_of(b"x" * 100) is None


FILL = """
import resource, sys
from tnness.errors import RecordError
from tnness.records.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file may grow beyond
try:
    write_whole(sys.argv[1], b"x" * 10_000)
except RecordError as error:
    sys.exit(str(error))
"""


def test_a_disk_without_room_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "a", b"old")
    done = subprocess.run([sys.executable, "-c", FILL, tmp_path / "a"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{tmp_path / 'a'} could not be written: File too large"
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RecordError, match="does not exist"):
        write_whole(tmp_path / "nowhere" / "a", b"")
