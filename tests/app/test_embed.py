"""embed and predict: the same vector by every way in, one row a recording, refusals beside."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from einthoven import embed, formats, measure, plot, predict, simulate
from einthoven.cohort.build import build
from einthoven.core.errors import CheckpointError, LayoutError, OutputError
from einthoven.core.layout import Layout
from einthoven.core.registry import load

torch = pytest.importorskip("torch")

LEADS = ("I", "II", "V2")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from einthoven.training import checkpoint

    torch.manual_seed(1)
    settings = {"width": 4}
    return checkpoint.save(
        tmp_path_factory.mktemp("model") / "m", encoder=load("encoders", "resnet")(3, **settings).eval(),
        encoder_name="resnet", encoder_settings=settings, layout=Layout(leads=LEADS, seconds=4), card={"name": "tiny"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four recordings of different lengths and rates as WFDB, one damaged, one without any of the leads."""
    place = tmp_path_factory.mktemp("files")
    writer = load("formats", "wfdb")()
    for name, seconds, rate in (("a", 4, 250), ("b", 10, 500), ("c", 3, 100), ("d", 9.5, 250)):
        writer.write(simulate.record(seed=ord(name), seconds=seconds, rate=rate), place / f"{name}.hea")
    writer.write(simulate.record(seed=1, seconds=4, leads=("V5", "V6")), place / "e.hea")
    (place / "f.hea").write_text("f 1 250 1000\nf.dat 16 200 16 0 0 0 0 I\n")
    return place


def vectors(result):
    return result.frame.select(pl.col("^e\\d+$")).to_numpy()


def test_a_folder_gives_one_row_a_recording_and_lists_the_rest(folder, model):
    found = embed(folder, checkpoint=model)
    assert found.frame["file"].to_list() == ["a.hea", "b.hea", "c.hea", "d.hea"]
    assert [row["file"] for row in found.refused] == ["e.hea", "f.hea"]
    assert found.exit_code == 0
    assert embed(folder, checkpoint=model, strict=True).exit_code == 1


def test_a_recording_has_the_same_vector_alone_and_among_others(folder, model):
    together = vectors(embed(folder, checkpoint=model))
    alone = np.concatenate([vectors(embed(folder / f"{name}.hea", checkpoint=model)) for name in "abcd"])
    np.testing.assert_allclose(together, alone, atol=1e-6)  # float32, batches of another size


def test_a_cohort_gives_the_vectors_of_its_files(folder, model, tmp_path):
    build(load("sources", "folder")(), folder, tmp_path / "c", workers=1)
    from_cohort = embed(tmp_path / "c", checkpoint=model)
    by_key = dict(zip(from_cohort.frame["key"], vectors(from_cohort)))
    from_files = embed(folder, checkpoint=model)
    assert len(from_files.frame) == 4
    for file, vector in zip(from_files.frame["file"], vectors(from_files)):
        key = next(key for key in by_key if key.startswith(file[0]))
        np.testing.assert_allclose(by_key[key], vector, atol=2e-4)  # int16 microvolts


def test_a_missing_lead_is_said_and_a_limb_lead_is_derived(model, tmp_path):
    record = simulate.record(seed=3, seconds=4, leads=("II", "III"))
    load("formats", "wfdb")().write(record, tmp_path / "x.hea")
    row = embed(tmp_path / "x.hea", checkpoint=model).frame.row(0, named=True)
    assert (row["derived"], row["missing"]) == ("I", "V2")


def test_windows_are_averaged(folder, model):
    from einthoven.signal import processing
    from einthoven.training.checkpoint import load as load_checkpoint

    checkpoint = load_checkpoint(model)
    signal_WLT, valid_WLT, _ = processing.windows(formats.read(folder / "b.hea"), checkpoint.layout)
    assert len(signal_WLT) == 3  # 10 s: at 0, 4 and flush with the end at 6 s
    with torch.no_grad():
        pooled = checkpoint.encoder(torch.from_numpy(signal_WLT), torch.from_numpy(valid_WLT), 100.0).pooled
    got = vectors(embed(folder / "b.hea", checkpoint=model))[0]
    np.testing.assert_allclose(got, pooled.mean(0).numpy(), atol=1e-6)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_are_written_with_their_refusals_beside(folder, model, tmp_path, suffix):
    found = embed(folder, checkpoint=model, out=tmp_path / f"e.{suffix}")
    read = pl.read_csv if suffix == "csv" else pl.read_parquet
    assert read(tmp_path / f"e.{suffix}")["file"].to_list() == found.frame["file"].to_list()
    assert len(pl.read_csv(tmp_path / "e.refused.csv")) == 2


def test_the_json_is_json(folder, model):
    said = json.loads(json.dumps(embed(folder, checkpoint=model).to_dict()))
    assert len(said["rows"]) == 4
    assert said["refused"][0]["reason"] == "lead"


def test_a_checkpoint_without_a_head_does_not_predict(folder, model):
    with pytest.raises(CheckpointError, match="evaluate CHECKPOINT COHORT"):
        predict(folder, checkpoint=model)


@pytest.fixture(scope="module")
def headed(model, tmp_path_factory):
    from einthoven.objectives import Head
    from einthoven.training import checkpoint

    arrays = {"weight": np.zeros((2, 32)), "bias": np.array([0.0, np.log(3)]), "thresholds": np.array([0.6, np.nan])}
    head = Head.of(arrays, ("AFIB", "LBBB"), "multilabel")
    return checkpoint.with_head(checkpoint.load(model), head, tmp_path_factory.mktemp("headed") / "h")


def test_predictions_carry_names_kinds_thresholds_and_the_notice(folder, headed):
    found = predict(folder, checkpoint=headed)
    assert found.frame["probability:AFIB"].to_list() == pytest.approx([0.5] * 4)
    assert found.frame["probability:LBBB"].to_list() == pytest.approx([0.75] * 4)
    assert found.frame["positive:AFIB"].to_list() == [False] * 4
    assert "positive:LBBB" not in found.frame.columns
    assert "not a diagnosis" in str(found)


def test_predictions_of_a_poor_signal_say_so(headed, tmp_path):
    record = simulate.record(seed=2, seconds=10, rate=250, leads=LEADS)
    noise = np.random.default_rng(0).normal(0, 0.5, record.signal.shape).astype(np.float32)
    write = load("formats", "wfdb")().write
    quiet = np.round(noise * 4) / 1000  # some microvolts: nothing is wrong with them, but there is no heart
    for name, signal in (("fine", record.signal), ("noise", noise), ("quiet", quiet), ("volts", record.signal / 1000)):
        write(replace(record, signal=signal), tmp_path / f"{name}.hea")
    other = replace(record, leads=(*LEADS, "V6"), signal=np.concatenate([record.signal, noise[:1]]))
    write(other, tmp_path / "other.hea")  # the noise is in a lead that the model does not take
    found = predict(tmp_path, checkpoint=headed)
    verdicts = dict(zip(found.frame["file"], found.frame["verdict"]))
    assert verdicts.pop("quiet.hea") in ("usable", "poor")
    assert verdicts == {"fine.hea": "good", "noise.hea": "poor", "other.hea": "good", "volts.hea": "poor"}
    lines = str(found).splitlines()
    said = [lines[i - 1].split(".")[0] for i, line in enumerate(lines) if "may mean nothing" in line]
    assert said == ["noise", "quiet", "volts"]
    assert lines[-1] == "3 of them with a signal to be doubted, see the columns `verdict` and `causes`"
    assert "is the unit right?" in next(line for line in lines if "may mean nothing" in line and "0.00" in line)


def test_thresholds_are_not_held_against_a_recording_that_lacks_a_lead(headed, tmp_path):
    record = simulate.record(seed=2, seconds=10, rate=250, leads=("I", "II", "V2"))
    write = load("formats", "wfdb")().write
    for name, leads in (("whole", (0, 1, 2)), ("two", (0, 1)), ("one", (2,))):
        write(replace(record, leads=tuple(record.leads[i] for i in leads), signal=record.signal[[*leads]]),
              tmp_path / f"{name}.hea")  # fmt: skip
    found = predict(tmp_path, checkpoint=headed, out=tmp_path / "p.csv")
    rows = {row["file"]: row for row in found.frame.to_dicts()}
    assert set(rows) == {"whole.hea", "two.hea"}
    assert (rows["whole.hea"]["positive:AFIB"], rows["two.hea"]["positive:AFIB"]) == (False, None)
    assert [(row["file"], row["reason"]) for row in found.refused] == [("one.hea", "leads")]
    assert found.refused[0]["message"].startswith("one.hea: lacks 2 of the 3 leads")
    assert "its threshold 0.600 was set with all leads" in str(predict(tmp_path / "two.hea", checkpoint=headed))
    with pytest.raises(LayoutError, match="lacks 2 of the 3 leads"):
        predict(tmp_path / "one.hea", checkpoint=headed)
    assert len(embed(tmp_path, checkpoint=headed).frame) == 3


def test_a_folder_of_which_nothing_can_be_used_ends_with_2(headed, tmp_path):
    (tmp_path / "f.hea").write_text("f 1 250 1000\nf.dat 16 200 16 0 0 0 0 I\n")
    for verb in (embed, predict):
        found = verb(tmp_path, checkpoint=headed)
        assert (found.exit_code, len(found.refused), len(found.frame)) == (2, 1, 0)
    assert measure(tmp_path).exit_code == 2


@pytest.mark.parametrize("verb", ["embed", "predict", "measure", "plot"])
def test_no_output_takes_the_place_of_a_recording_that_is_read(headed, tmp_path, verb):
    load("formats", "csv")().write(simulate.record(seed=2, seconds=10, rate=250, leads=LEADS), tmp_path / "a.csv")
    (tmp_path / "a.csv").rename(tmp_path / "a.svg" if verb == "plot" else tmp_path / "a.csv")
    file = next(tmp_path.glob("a.*"))
    kept = file.read_bytes()
    call = {"embed": embed, "predict": predict, "measure": measure, "plot": plot}[verb]
    settings = {"checkpoint": headed} if verb in ("embed", "predict") else {}
    for place in (file, tmp_path) if verb != "plot" else (file,):
        with pytest.raises(OutputError, match="is a recording that is read here"):
            call(place, out=tmp_path / "." / file.name, rate=250, unit="mV", **settings)
    assert file.read_bytes() == kept
    assert len(list(tmp_path.iterdir())) == 1
