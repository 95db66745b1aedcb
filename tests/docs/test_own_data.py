"""docs/own-data.md, command by command, word for word, on generated files of which some are damaged."""

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from einthoven import simulate
from einthoven.cli import main
from einthoven.core.registry import load

pytest.importorskip("torch")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
PEOPLE = 160


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[1]


def write(record, place: Path) -> None:
    if place.suffix == ".csv":
        np.savetxt(place, record.signal.T, delimiter=",", header=",".join(record.leads), comments="", fmt="%.3f")
    else:
        load("formats", "wfdb")().write(record, place)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A folder in which the page's six commands have been run; their exit codes."""
    place = tmp_path_factory.mktemp("own")
    folder = place / "recordings"
    (folder / "ward").mkdir(parents=True)
    rows = []
    for person in range(PEOPLE):
        kind = "af" if person % 2 else "sinus"
        record = simulate.record(kind, seed=person, rate=250, leads=("I", "II"))
        name = f"ward/p{person:03d}.csv" if person % 4 == 0 else f"p{person:03d}.hea"
        write(record, folder / name)
        rows.append({"file": name, "subject": f"s{person}", "label:AF": "" if person == 5 else str(int(kind == "af"))})
    (folder / "p001.dat").write_bytes((folder / "p001.dat").read_bytes()[:100])
    (folder / "ward" / "p004.csv").write_text("I,II\n0.1,zero\n")
    pl.DataFrame(rows).write_csv(place / "labels.csv")
    write(simulate.record("af", seed=9999, rate=250, leads=("I", "II")), place / "new.csv")
    recipe = block("toml")
    assert "steps = 2400" in recipe
    (place / "recipe.toml").write_text(recipe.replace("steps = 2400", "steps = 3"))
    commands = [line for line in block("console").splitlines() if line.strip()]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        codes = [main(shlex.split(command)[1:]) for command in commands]
    return place, commands, codes


def test_there_are_at_most_six_commands_and_all_of_them_end_well(lived):
    _, commands, codes = lived
    assert len(commands) <= 6
    assert codes == [0] * len(commands)


def test_the_damaged_files_are_listed_and_the_others_are_in(lived):
    place, _, _ = lived
    refused = pl.read_parquet(place / "cohort" / "refused.parquet")
    assert sorted(Path(path).stem for path in refused["path"]) == ["p001", "p004"]
    assert len(pl.read_parquet(place / "cohort" / "index.parquet")) == PEOPLE - 2


def test_the_page_is_written_with_every_row(lived):
    text = (lived[0] / "page.html").read_text(encoding="utf-8")
    for arm in ("prior only", "random encoder", "supervised, early stop"):
        assert arm in text


def test_the_model_predicts_the_label_by_its_name(lived, capsys):
    place, commands, _ = lived
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(shlex.split(commands[-1])[1:]) == 0
    said = capsys.readouterr().out
    assert "AF" in said
    assert "not a diagnosis" in said
