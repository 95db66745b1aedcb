import numpy as np
import pytest

from einthoven.app.prepare import prepare
from einthoven.cohort.store import Cohort
from einthoven.core.errors import OutputError, RecipeError, RegistryError, SourceError


@pytest.fixture
def files(tmp_path):
    """Three recordings as plain numbers, one of them far too large, and a table about them."""
    folder = tmp_path / "files"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, scale in (("a", 300), ("b", 300), ("c", 1e6)):
        np.savetxt(folder / f"{name}.csv", draw.normal(0, scale, 500), header="ecg", comments="", fmt="%.0f")
    (tmp_path / "t.csv").write_text("file,subject,label:AF\na.csv,ann,1\nb.csv,ben,0\nd.csv,cem,1\n")
    return folder


def test_a_folder_of_ones_own_becomes_a_cohort_and_the_result_says_what_was_done(files, tmp_path):
    done = prepare(
        "folder", files, tmp_path / "out", table=tmp_path / "t.csv", rate=250, unit="uV", lead="I", workers=1
    )
    cohort = Cohort.open(tmp_path / "out")
    assert (done.records, done.subjects, done.absent, done.refused, done.kept) == (2, 2, 1, {"range": 1}, False)
    assert cohort.index.select("key", "subject", "rate", "leads").rows() == [
        ("a", "ann", 250.0, "I"), ("b", "ben", 250.0, "I"),
    ]  # fmt: skip
    assert cohort.labels("label")[1].tolist() == [[1.0], [0.0]]
    assert done.bytes == sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file())
    text = str(done)
    assert text.splitlines()[-1].startswith(f"{tmp_path / 'out'}: 2 recordings of 2 subjects, 1 leads at 250 Hz")
    assert "refused 1  range: c: amplitude is not that of an ECG" in text
    assert done.exit_code == 0
    assert done.to_dict()["fingerprint"] == cohort.fingerprint


def test_the_same_again_is_kept_and_says_so(files, tmp_path):
    settings = {"rate": 250, "unit": "uV", "lead": "I", "workers": 1}
    first = prepare("folder", files, tmp_path / "out", **settings)
    again = prepare("folder", files, tmp_path / "out", **settings)
    assert (first.kept, again.kept) == (False, True)
    assert str(again).endswith("was there already and is kept")
    with pytest.raises(OutputError, match=r"another source\.settings\.rate"):
        prepare("folder", files, tmp_path / "out", **(settings | {"rate": 500}))


def test_smoke_takes_at_most_200_recordings_from_the_whole(tmp_path):
    done = prepare("simulated", tmp_path, tmp_path / "out", workers=1, settings={"patients": 300}, smoke=True)
    assert 100 <= done.records <= 200
    assert any("a trial" in note for note in done.notes)


@pytest.mark.parametrize(
    ("source", "settings", "error", "hint"),
    [
        ("ptbx", {}, RegistryError, "did you mean ptbxl"),
        ("ptbxl", {"unit": "mV"}, RecipeError, "no key 'unit'"),
        ("ptbxl", {"rate": 250.0}, RecipeError, "key 'rate' is wrong"),
        ("simulated", {"settings": {"patient": 3}}, RecipeError, "did you mean patients"),
        ("folder", {"workers": 0}, RecipeError, "workers must be at least 1"),
        ("folder", {}, SourceError, "is no folder"),
    ],
)
def test_a_wrong_source_or_setting_is_refused_before_anything_is_written(tmp_path, source, settings, error, hint):
    with pytest.raises(error, match=hint):
        prepare(source, tmp_path / "nothing", tmp_path / "out", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_rate_from_the_command_line_chooses_among_whole_rates(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):  # the rate is taken; the table is not there
        prepare("ptbxl", tmp_path / "nothing", tmp_path / "out", rate=500.0)
