"""The harness of rivals: perfect marks are perfect in every set, wrong ones are seen, and what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.rivals import __main__ as command
from bench.rivals import programs, score, sets, table, worker
from bench.rivals.programs import Program
from einthoven import simulate
from einthoven.core.facts import Waves
from einthoven.core.record import Record
from einthoven.sources.ludb import Ludb
from einthoven.sources.mitdb import Mitdb
from einthoven.sources.qtdb import Qtdb
from tests.sources import test_ludb, test_mitdb, test_qtdb


def perfect(record: Record, name: str, start: int = 0, shift: float = 0.0) -> dict[str, np.ndarray]:
    """The reference marks as if a program had found them, in samples of the excerpt."""
    fact = next(fact for fact in record.facts if isinstance(fact, Waves) and fact.name == name)
    found = {}
    for i, lead in enumerate(record.leads):
        mine = fact.columns["lead"] == (lead if lead in fact.columns["lead"] else "")
        for wave in ("p", "qrs", "t"):
            columns = [fact.columns[f"{wave}_{point}"][mine].astype(float) for point in ("on", "peak", "off")]
            marks = np.stack(columns, axis=1)
            marks = np.where(marks < 0, np.nan, marks - start + shift)
            for tag in (str(i), "all"):
                found[f"{wave.upper()}_{tag}"] = marks[np.isfinite(marks).any(axis=1)]
    return found


def by_point(rows):
    return {(row["wave"], row["point"]): row for row in rows}


@pytest.fixture
def ludb(tmp_path: Path) -> Record:
    source = Ludb()
    (record,) = source.read(tmp_path, source.plan(test_ludb.write(tmp_path, ("7",))).items)
    assert isinstance(record, Record)
    return record


def test_the_marks_of_ludb_score_100_against_themselves_and_a_shift_is_an_error(ludb: Record):
    good, late, none = score.Ludb(), score.Ludb(), score.Ludb()
    good.add(ludb, perfect(ludb, "reference.waves"), 0)
    late.add(ludb, perfect(ludb, "reference.waves", shift=5), 0)
    none.add(ludb, {}, 0)
    assert {row["f1"] for row in good.figures()["points"]} == {100}
    assert by_point(late.figures()["points"])["T", "off"]["mean"] == pytest.approx(10)  # 5 samples of 2 ms
    assert by_point(none.figures()["points"])["P", "wave"]["se"] == 0
    assert set(good.figures()["leads"]) == set(ludb.leads)
    assert good.figures()["conditions"]["sinus"] == {"records": 1}  # too few for figures


def test_an_excerpt_of_the_qt_database_is_scored_at_its_place(tmp_path: Path):
    source = Qtdb()
    (whole,) = source.read(tmp_path, source.plan(test_qtdb.write(tmp_path, ("sel100",))).items)
    assert isinstance(whole, Record)
    begin = 100
    record = Record(whole.key, whole.leads, whole.signal[:, begin:], whole.rate, facts=whole.facts)
    scorer = score.Qtdb()
    scorer.add(record, perfect(whole, "reference.waves.global", start=begin), begin)
    for way in ("BB", "BL", "fused"):
        points = by_point(scorer.figures()[way])
        assert points["T", "off"]["f1"] == 100
        assert points["T", "off"]["mean"] == 0
        assert points["P", "wave"]["n"] == 1


def test_only_the_marked_part_of_a_recording_is_handed_over():
    columns = {name: np.array([-1, -1], np.int32) for name in ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on",
                                                               "t_peak", "t_off")}  # fmt: skip
    columns |= {"qrs_peak": np.array([30_000, 40_000], np.int32), "lead": np.array(["", ""]), "beat": np.arange(2)}
    record = Record("r", ("I",), np.zeros((1, 60_000)), 250, facts=(Waves("reference.waves.global", columns),))
    part, start = sets.excerpt(record)
    assert (start, part.samples) == (27_500, 15_000)


def test_beats_in_flutter_do_not_count(tmp_path: Path):
    source = Mitdb()
    (record,) = source.read(tmp_path, source.plan(test_mitdb.write(tmp_path, ("207",))).items)
    assert isinstance(record, Record)
    beats, flutter = sets.beats_of(record)
    assert flutter == [(200 / 360, 220 / 360)]
    scorer = score.Beats()
    scorer.add(record, {"R_0": np.append(beats * 360, 210), "R_all": beats[1:] * 360}, 0)
    figures = scorer.figures()
    assert (figures["first"]["f1"], figures["first"]["per_record"]) == (100, {"207": 100})
    assert figures["all"]["se"] == 75
    assert "second" not in figures


def test_p_waves_are_counted_per_hundred_beats():
    record = Record("r", ("I", "II"), np.zeros((2, 10)), 100)
    scorer = score.Share()
    scorer.add(record, {"P_1": np.zeros((3, 3)), "R_1": np.zeros(4), "P_0": np.zeros((9, 3))}, 0)
    scorer.add(record, {"P_1": np.zeros((0, 3)), "R_1": np.zeros(6)}, 0)
    assert scorer.figures()["lead"]["p_per_100"] == 30
    assert scorer.figures()["lead"]["records_with_p"] == 50
    assert "all" not in scorer.figures()


def test_ours_is_run_as_any_other_program(tmp_path: Path):
    given, found = tmp_path / "given", tmp_path / "found"
    given.mkdir()
    record = simulate.record(seed=3, rate=500, seconds=10, leads=("I", "II", "V1"))
    gaps = record.signal.copy()
    gaps[0, 100:200] = np.nan
    sets.write(Record("a", record.leads, gaps, 500), given / "a.npz")
    with np.load(given / "a.npz") as data:
        assert np.isfinite(data["signal"]).all()
    ours = programs.PROGRAMS[0]
    assert programs.run(ours, Path(programs.sys.executable), "waves", given, found) == ""
    marks = score.read(found / "a.npz")
    assert len(marks["failed"]) == 0
    assert {f"{wave}_{tag}" for wave in ("R", "P", "QRS", "T") for tag in ("0", "2", "all")} <= set(marks)
    truth = next(fact for fact in record.facts if isinstance(fact, Waves) and fact.name == "truth.waves.global")
    assert len(marks["R_all"]) == pytest.approx((truth.columns["qrs_on"] >= 0).sum(), abs=2)


def test_a_wave_without_any_point_is_none():
    assert worker.points([1, None, np.nan], [2, None, np.nan], [None, None, np.nan]).shape == (1, 3)
    assert worker.points([], [], []).shape == (0, 3)


def test_a_program_that_does_not_install_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(programs, "HERE", tmp_path)
    nowhere = Program("nowhere", (f"{tmp_path}/no-such-package.whl",), "none", ("beats",), "")
    python, why = programs.environment(nowhere)
    assert python is None
    assert why.startswith("did not install")
    counted = {"ours": {"records": 3, "all": {"p_per_100": 12.0}}}
    shares = table.markdown({"sets": {"ptbxl-pvc-all": counted, "ptbxl-af": counted}})
    assert "| ours | together | 12.0 | 12.0 |" in shares
    assert shares.index("ptbxl-af (3)") < shares.index("ptbxl-pvc-all (3)")
    about = {"nowhere": {"packages": ["x==1"], "licence": "none", "says": "", "why": why}}
    assert why in table.markdown({"programs": about})


def test_a_program_that_ends_early_is_said_so(tmp_path: Path):
    (tmp_path / "given").mkdir()
    wrong = Program("unheard-of", ("x",), "none", ("beats",), "")
    said = programs.run(wrong, Path(programs.sys.executable), "beats", tmp_path / "given", tmp_path / "found")
    assert said.startswith("failed: KeyError")


def test_the_command_measures_and_prints_and_keeps_what_it_was_not_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "WORK", tmp_path / "work")
    test_mitdb.write(tmp_path / "data" / "mitdb", ("100",))
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({"sets": {"nstdb": {"xqrs": {}}}, "programs": {}}))
    asked = ["--programs", "ours", "--sets", "mitdb", "--figures", str(figures), "--data", str(tmp_path / "data")]
    assert command.main(asked) == 0
    kept = json.loads(figures.read_text())
    assert kept["sets"]["nstdb"] == {"xqrs": {}}
    assert kept["sets"]["mitdb"]["ours"]["failed"] == 0
    assert kept["sets"]["mitdb"]["ours"]["all"]["beats"] == 4
    assert "MIT-BIH at hand: F1 by recording" in capsys.readouterr().out
    before = figures.read_bytes()
    assert command.main(["--table", "--figures", str(figures)]) == 0
    assert figures.read_bytes() == before


def test_detections_made_elsewhere_are_scored_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "WORK", tmp_path / "work")
    test_mitdb.write(tmp_path / "data" / "mitdb", ("100",))
    (tmp_path / "net" / "mitdb").mkdir(parents=True)
    np.savez(tmp_path / "net" / "mitdb" / "100.npz", R_all=np.array([50.0, 120, 300, 500]), failed=np.array([], str))
    figures = tmp_path / "figures.json"
    also = ["--also", f"network={tmp_path / 'net'}", "--programs", "ours", "--sets", "mitdb"]
    assert command.main([*also, "--figures", str(figures), "--data", str(tmp_path / "data")]) == 0
    assert json.loads(figures.read_text())["sets"]["mitdb"]["network"]["all"]["f1"] == 100


def test_the_short_tables_of_the_page_are_those_of_the_figures():
    figures = json.loads((Path(table.__file__).with_name("figures.json")).read_text(encoding="utf-8"))
    page = (Path(__file__).parents[1] / "docs" / "measure.md").read_text(encoding="utf-8")
    assert table.brief(figures) in page
    assert not {"ours"} & {*figures["sets"]["ludb"], *figures["sets"]["qtdb"]}  # it has learnt from them
