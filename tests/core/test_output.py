"""What is written is whole or not there, and a place that cannot be written is one line."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from einthoven.core.errors import OutputError
from einthoven.core.output import UNWRITABLE, replaced, replaced_file, why_unwritable, writing


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_under_its_name_only_when_the_block_ends_well(tmp_path):
    with replaced(tmp_path / "run") as scratch:
        (scratch / "a").write_text("new")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "a").read_text() == "new"
    assert leftovers(tmp_path) == ["run"]


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    for name in ("old", "new"):
        with replaced(tmp_path / "run") as scratch:
            (scratch / name).touch()
    assert leftovers(tmp_path / "run") == ["new"]
    assert leftovers(tmp_path) == ["run"]


@pytest.mark.parametrize("kind", [replaced, replaced_file])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, kind):
    with kind(tmp_path / "out.csv") as scratch:
        (scratch / "a" if kind is replaced else scratch).write_text("old")

    def fail() -> None:
        with kind(tmp_path / "out.csv") as scratch:
            (scratch / "a" if kind is replaced else scratch).write_text("half")
            raise RuntimeError("killed here")

    with pytest.raises(RuntimeError, match="killed here"):
        fail()
    assert leftovers(tmp_path) == ["out.csv"]
    place = tmp_path / "out.csv"
    assert (place / "a" if kind is replaced else place).read_text() == "old"


def test_a_file_keeps_its_suffix_while_it_is_written_because_writers_go_by_it(tmp_path):
    with replaced_file(tmp_path / "deep" / "f.parquet") as scratch:
        assert scratch.suffix == ".parquet"
        scratch.write_bytes(b"x")
        written = scratch.stat().st_ino
    assert (tmp_path / "deep" / "f.parquet").stat().st_ino == written  # renamed, not copied
    assert leftovers(tmp_path / "deep") == ["f.parquet"]


def test_a_place_under_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written") as caught, replaced(tmp_path / "file" / "run"):
        pass
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("code", sorted(UNWRITABLE), ids=errno.errorcode.get)
def test_a_full_disk_and_its_kin_become_an_output_error(code: int):
    with pytest.raises(OutputError, match=r"^place: cannot be written, got "), writing("place"):
        raise OSError(code, "the system's words")


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, where every write meets a full disk")


def write_numpy(place: Path) -> None:
    with place.open("wb") as stream:
        np.zeros(100_000).tofile(stream)


def write_parquet(place: Path) -> None:
    pl.DataFrame({"a": np.random.default_rng(0).normal(size=100_000)}).write_parquet(place)


def write_csv(place: Path) -> None:
    pl.DataFrame({"a": np.arange(100_000)}).write_csv(place)


def write_text(place: Path) -> None:
    place.write_text("x" * 100_000)


@full
@pytest.mark.parametrize("write", [write_numpy, write_parquet, write_csv, write_text])
def test_a_full_disk_is_seen_whatever_library_writes(write):
    with pytest.raises(OutputError, match="No space left on device"), writing("place"):
        write(Path("/dev/full"))


def test_the_words_of_safetensors_for_a_full_disk_are_understood():
    error = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert why_unwritable(error) == "No space left on device"


@pytest.mark.parametrize(
    "error", [ValueError("3 requested and 2 written"), OSError("odd"), RuntimeError("(os error 2)")]
)
def test_other_errors_are_not_taken_for_a_full_disk(error: Exception):
    assert why_unwritable(error) is None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a system whose /proc takes no files")
@pytest.mark.parametrize("kind", [replaced, replaced_file])
@pytest.mark.parametrize("place", ["/proc/out.csv", "/proc/no/such/out.csv"])
def test_a_place_where_nothing_can_be_made_is_refused(kind, place: str):
    with pytest.raises(OutputError, match="cannot be written"), kind(place) as scratch:
        scratch.write_text("x")


def test_a_missing_input_is_not_blamed_on_the_output():
    with pytest.raises(FileNotFoundError), writing("folder/place"):
        raise FileNotFoundError(errno.ENOENT, "no such file", "folder/input.csv")
