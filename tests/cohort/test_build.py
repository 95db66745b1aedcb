import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.cohort import merge, pieces
from einthoven.cohort.build import build
from einthoven.cohort.workplace import workplace
from einthoven.core.errors import Interrupted, OutputError, RecordError, SourceError
from einthoven.core.record import Record
from einthoven.sources import Item, Plan
from tests.cohort.generated import Deadly, Generated, ecg, few

ROOT = Path(__file__).parents[2]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# The same bytes


def test_a_cohort_is_the_same_to_the_byte_on_any_number_of_workers_and_in_any_pieces(tmp_path):
    source = Generated(records=150, doubled=True)
    settings = [{"workers": 1, "piece": 150}, {"workers": 1, "piece": 7}, {"workers": 2, "piece": 20}]
    built = [build(source, tmp_path, tmp_path / str(i), shard_bytes=200_000, **s) for i, s in enumerate(settings)]
    first, *others = [content(cohort.path) for cohort in built]
    assert len(first) >= 14  # card, index, refused, 8 kinds of facts, several shards
    for other in others:
        assert other == first


def test_the_fingerprint_is_of_the_content(tmp_path):
    def fingerprint(name, **settings):
        return build(Generated(**settings), tmp_path, tmp_path / name, workers=1).fingerprint

    first = fingerprint("a", records=20)
    assert fingerprint("b", records=20) == first
    assert fingerprint("c", records=20, seed=1) != first
    assert fingerprint("d", records=20, named=False) != first


def run(out: Path, workers: int, records: int, kill_at: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.cohort.killed", out, workers, records, kill_at]
    return subprocess.Popen(map(str, command), cwd=ROOT, stdout=subprocess.PIPE, text=True)


def killed_at_operations(tmp_path: Path, records: int, kills: int) -> None:
    whole = run(tmp_path / "whole" / "cohort", 1, records)
    operations = int(whole.communicate()[0])
    draw = random.Random(0)
    out = tmp_path / "killed" / "cohort"

    def kill(at: int) -> None:
        process = run(out, 1, records, at)
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)  # 0: there was less left to do
        assert not out.exists() or content(out) == content(tmp_path / "whole" / "cohort")

    def complete() -> None:
        assert run(out, 1, records).wait() == 0
        assert content(out.parent) == content(tmp_path / "whole")  # and nothing is left beside it

    for _ in range(kills):  # again and again, each from where the last one was
        kill(draw.randint(1, operations // 2))
    complete()
    for _ in range(kills // 3):  # while the cohort gets its name and the workplace is cleaned up
        shutil.rmtree(out.parent)
        kill(operations - draw.randint(0, 10))
        complete()


def killed_at_moments(tmp_path: Path, records: int, kills: int) -> None:
    start = time.monotonic()
    assert run(tmp_path / "whole" / "cohort", 2, records).wait() == 0
    seconds = time.monotonic() - start
    draw = random.Random(1)
    out = tmp_path / "killed" / "cohort"
    for _ in range(kills):
        process = run(out, 2, records)
        time.sleep(draw.uniform(0.3, 1) * seconds)
        process.kill()
        process.wait()  # not until its output ends: workers outlive it, and hold the pipe
        assert not out.exists() or content(out) == content(tmp_path / "whole" / "cohort")
    assert run(out, 2, records).wait() == 0
    assert content(out) == content(tmp_path / "whole" / "cohort")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_build_killed_between_any_two_file_operations_goes_on_to_the_same_bytes(tmp_path):
    killed_at_operations(tmp_path, records=100, kills=4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_builds_killed_many_times_go_on_to_the_same_bytes(tmp_path):
    killed_at_operations(tmp_path / "operations", records=300, kills=40)
    killed_at_moments(tmp_path / "moments", records=600, kills=20)


def test_a_resumed_build_does_not_make_its_pieces_again(tmp_path, monkeypatch):
    made = []
    make = pieces.make

    def counted(source, path, items, place, shards=None):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(place.name)
        return make(source, path, items, place, shards)

    monkeypatch.setattr(pieces, "make", counted)
    with pytest.raises(Interrupted, match="goes on where it was"):
        build(Generated(), tmp_path, tmp_path / "out", workers=1, piece=10)
    made.append("resumed")
    build(Generated(), tmp_path, tmp_path / "out", workers=1, piece=10)
    assert made == ["000000", "000001", "000002", "resumed", "000003", "000004", "000005"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_worker_that_the_system_ends_is_told_in_one_line(tmp_path):
    with pytest.raises(Interrupted, match="fewer workers") as caught:
        build(Deadly(), tmp_path, tmp_path / "out", workers=2, piece=10)
    assert caught.value.exit_code == 3


def test_a_piece_that_a_failure_of_power_has_emptied_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("einthoven.cohort.build.merge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        build(Generated(), tmp_path, tmp_path / "out", workers=1)
    monkeypatch.undo()
    (table,) = tmp_path.rglob("pieces-*/000000/index.parquet")
    table.write_bytes(b"")
    with pytest.raises(OutputError, match="not as it was written"):
        build(Generated(), tmp_path, tmp_path / "out", workers=1)


def test_pieces_that_workers_made_out_of_order_are_taken_in_order(tmp_path, monkeypatch):
    make = pieces.make

    def second_first(source, path, items, place, shards=None):
        make(source, path, source.plan(path).items[10:20], place.parent / "000001")
        raise KeyboardInterrupt

    monkeypatch.setattr(pieces, "make", second_first)
    with pytest.raises(Interrupted):
        build(Generated(), tmp_path, tmp_path / "out", workers=1, piece=10)
    monkeypatch.undo()
    build(Generated(), tmp_path, tmp_path / "out", workers=1, piece=10)
    build(Generated(), tmp_path, tmp_path / "fresh", workers=1)
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_pieces_of_other_settings_are_not_mixed_in(tmp_path, monkeypatch):
    monkeypatch.setattr("einthoven.cohort.build.merge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        build(Generated(seed=1), tmp_path, tmp_path / "out", workers=1)
    monkeypatch.undo()
    build(Generated(seed=2), tmp_path, tmp_path / "out", workers=1)
    build(Generated(seed=2), tmp_path, tmp_path / "fresh", workers=1)
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_a_cohort_that_was_removed_is_built_again_though_its_workplace_was_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("einthoven.cohort.workplace._remove", lambda folder: None)  # killed just before
    build(Generated(), tmp_path, tmp_path / "out", workers=1)
    monkeypatch.undo()
    first = content(tmp_path / "out")
    assert len(build(Generated(), tmp_path, tmp_path / "out", workers=1)) == 55
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # cleaned up
    monkeypatch.setattr("einthoven.cohort.workplace._remove", lambda folder: None)
    shutil.rmtree(tmp_path / "out")
    build(Generated(), tmp_path, tmp_path / "out", workers=1)
    shutil.rmtree(tmp_path / "out")
    build(Generated(), tmp_path, tmp_path / "out", workers=1)
    assert content(tmp_path / "out") == first


# What is there already


def test_the_same_cohort_is_kept_and_another_one_is_refused(tmp_path):
    build(Generated(records=20), tmp_path, tmp_path / "out", workers=1)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    assert len(build(Generated(records=20), tmp_path, tmp_path / "out", workers=1)) == 19
    with pytest.raises(OutputError, match=r"another source\.settings\.seed, expected 1, got 0"):
        build(Generated(records=20, seed=1), tmp_path, tmp_path / "out", workers=1)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before


def test_a_cohort_of_files_that_have_changed_since_is_refused(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files/r00003.dat").write_bytes(b"1234")
    build(Generated(records=20), tmp_path, tmp_path / "out", workers=1)
    (tmp_path / "files/r00003.dat").write_bytes(b"123456")
    with pytest.raises(OutputError, match="holds a cohort of other files"):
        build(Generated(records=20), tmp_path, tmp_path / "out", workers=1)


def test_a_folder_that_is_not_ours_is_never_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="is taken"):
        build(Generated(), tmp_path, tmp_path / "out", workers=1)
    (tmp_path / ".other.partial").mkdir()
    (tmp_path / ".other.partial/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="holds something else"):
        build(Generated(), tmp_path, tmp_path / "other", workers=1)
    assert len(content(tmp_path)) == 2


def test_an_empty_folder_may_become_the_cohort(tmp_path):
    (tmp_path / "out").mkdir()
    assert len(build(Generated(), tmp_path, tmp_path / "out", workers=1)) == 55


def test_two_processes_do_not_build_the_same_cohort_at_once(tmp_path):
    with workplace(tmp_path / "out", {}), pytest.raises(OutputError, match="another process"):
        build(Generated(), tmp_path, tmp_path / "out", workers=1)


# Places that cannot be written


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        build(Generated(), tmp_path, tmp_path / "file/out", workers=1)
    with pytest.raises(OutputError, match="cannot be written"):
        merge._table("value", [piece_of(tmp_path)], [0], tmp_path / "file/value.parquet")


def piece_of(folder: Path) -> Path:
    source = Generated(records=5)
    pieces.make(source, folder, source.plan(folder).items, folder / "piece")
    return folder / "piece"


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
@pytest.mark.parametrize("limit", [1000, 200_000, 800_000])  # the disk fills in a table, in signals, in a shard
def test_a_full_disk_leaves_nothing_that_could_be_taken_for_whole(tmp_path, limit):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            build(Generated(records=120), tmp_path, tmp_path / "out", workers=1, piece=60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "out").exists()
    build(Generated(records=120), tmp_path, tmp_path / "out", workers=1, piece=60)
    build(Generated(records=120), tmp_path, tmp_path / "fresh", workers=1, piece=60)
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


# What is kept, refused and joined


def test_refused_files_are_counted_and_listed_with_the_reason(tmp_path):
    cohort = build(Generated(records=60), tmp_path, tmp_path / "out", workers=1, piece=7)
    assert cohort.refused.to_dicts() == [
        {
            "key": f"r{i:05d}", "path": f"files/r{i:05d}", "reason": "truncated",
            "message": f"files/r{i:05d}: is cut short, expected 10, got 3",
        }
        for i in (10, 21, 32, 43, 54)
    ]  # fmt: skip
    assert cohort.card["refused"] == {"truncated": 5}
    counts = cohort.card["counts"]
    assert (counts["planned"], counts["records"], counts["refused"], counts["absent"]) == (60, 55, 5, 3)
    assert counts["subjects"] == 30


def test_a_cohort_without_any_recording_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(SourceError, match="range 1"):
        build(few(RecordError("a.csv", "too large", reason="range")), tmp_path, tmp_path / "out", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_recordings_of_constants_are_kept_and_counted(tmp_path):
    signal = np.zeros((2, 300), np.float32)
    gaps = signal.copy()
    gaps[0, ::2] = np.nan  # a gap is no change
    spike = signal.copy()
    spike[1, 7] = 0.5
    source = few(*(Record("x", ("I", "II"), given, 100) for given in (signal, gaps, spike)))
    cohort = build(source, tmp_path, tmp_path / "out", workers=1)
    assert cohort.index["key"].to_list() == ["k0", "k1", "k2"]
    assert cohort.card["constant"] == 2
    for row, want in enumerate((signal, gaps, spike)):
        np.testing.assert_array_equal(cohort.record(row).signal, want)


def test_recordings_of_constants_join_nobody_who_is_named(tmp_path):
    flat = [Record("x", ("I",), np.zeros((1, 300)), 100, subject) for subject in ("ann", "ben", None, None)]
    cohort = build(few(*flat, ecg(1, subject="ben")), tmp_path, tmp_path / "out", workers=1)
    # nothing was connected to ann nor to ben, which does not make them one person; the nameless two are one file
    assert cohort.index["subject"].to_list() == ["ann", "ben", "k2", "k2", "ben"]
    assert cohort.card["identical"] == [["k2", "k3"]]


def test_identical_recordings_get_one_subject_whatever_their_lead_order(tmp_path):
    two = ecg(1, ("II", "I"), subject="ben")
    turned = Record("x", ("I", "II"), two.signal[::-1], 100, "ann")
    source = few(ecg(0, subject="zoe"), two, turned, ecg(0, subject="carl"), ecg(4, subject="carl"))
    cohort = build(source, tmp_path, tmp_path / "out", workers=1)
    # zoe = carl by k0 = k3, and k4 is carl's as well; ben = ann by k1 = k2
    assert cohort.index["subject"].to_list() == ["carl", "ann", "ann", "carl", "carl"]
    assert cohort.index["subject_id"].to_list() == [1, 0, 0, 1, 1]
    assert cohort.card["identical"] == [["k0", "k3"], ["k1", "k2"]]


def test_records_without_a_subject_are_each_their_own_and_the_card_says_so(tmp_path):
    cohort = build(few(ecg(0), ecg(1)), tmp_path, tmp_path / "a", workers=1)
    assert cohort.index["subject"].to_list() == ["k0", "k1"]
    assert cohort.card["subjects"] == "assumed one record per person"
    cohort = build(few(ecg(0, subject="k1"), ecg(1)), tmp_path, tmp_path / "b", workers=1)
    assert cohort.index["subject"].to_list() == ["k1", "record k1"]  # not the person who is called k1


def test_two_recordings_of_one_name_are_refused(tmp_path):
    source = few(ecg(0), ecg(1))
    source.plan = lambda path: Plan([Item("same", None, ""), Item("same", None, "")], ())
    with pytest.raises(SourceError, match="two recordings are called same"):
        build(source, tmp_path, tmp_path / "out", workers=1)


def test_a_code_that_its_label_set_does_not_have_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.cohort.generated.RHYTHMS", ("AF", "SR"))
    plan = Generated(records=3).plan(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(Generated, "plan", lambda self, path: plan)
    with pytest.raises(SourceError, match="has the code 'VT'"):
        build(Generated(records=3), tmp_path, tmp_path / "out", workers=1)


def test_a_lead_name_with_a_space_in_it_survives(tmp_path):
    cohort = build(few(ecg(0, ("ART BP", "II"))), tmp_path, tmp_path / "out", workers=1)
    assert cohort.record(0).leads == ("ART BP", "II")


@given(st.lists(st.integers(-32767, 32767), min_size=2, max_size=50, unique=True), st.sampled_from([0, 0.4, -0.4]))
def test_whole_microvolts_are_stored_exactly(microvolts, off):
    signal = (np.array([microvolts]) + off) / 1000
    inside = np.clip(signal, -32.767, 32.767)
    assert pieces.microvolts(Record("x", ("I",), inside, 100))[:, 0].tolist() == microvolts


def test_halves_are_rounded_to_even_and_gaps_are_kept():
    signal = np.array([[0.5, 1.5, 2.5, -0.5, -1.5, np.nan, 32767]]) / 1000
    assert pieces.microvolts(Record("x", ("I",), signal, 100))[:, 0].tolist() == [0, 2, 2, 0, -2, -32768, 32767]


def test_a_trial_takes_recordings_evenly_from_the_plan(tmp_path):
    cohort = build(Generated(records=60), tmp_path, tmp_path / "out", workers=1, limit=20)
    assert cohort.index["key"].to_list() == [f"r{i:05d}" for i in range(0, 60, 3) if i % 11 != 10]
    assert cohort.card["notes"] == ["a note", "a trial: 20 of 60 recordings"]


def test_progress_is_told_in_recordings(tmp_path):
    told = []
    build(Generated(records=25), tmp_path, tmp_path / "out", workers=1, piece=10, progress=lambda *n: told.append(n))
    assert told == [(10, 25), (20, 25), (25, 25)]
