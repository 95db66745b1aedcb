"""The demo: everything is there, another seed is another result, and permuted labels bring every row to chance."""

import json

import pytest

from einthoven import demo

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

ENCODERS = ("simclr", "random encoder", "supervised, equal steps")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    quiet = {"smoke": True, "progress": lambda text: None}
    return {
        "first": demo(out=place / "first", **quiet),
        "other": demo(out=place / "other", seed=1, **quiet),
        "permuted": demo(out=place / "permuted", permute_labels=True, **quiet),
    }


def figures(result):
    return {row["arm"]: row for row in result.evaluation.rows}


def test_everything_that_the_last_lines_name_is_there(made):
    out = made["first"].out
    for name in ("report.html", "audit.html", "ecg.svg", "embedding.csv", "prediction.csv", "run/best", "model"):
        assert (out / name).exists(), name
        assert name.split("/")[0] in str(made["first"]) or name not in ("report.html", "ecg.svg")


def test_another_seed_gives_other_numbers(made):
    one, two = figures(made["first"]), figures(made["other"])
    assert all(one[arm]["value"] != two[arm]["value"] for arm in ENCODERS)


def test_labels_can_be_learnt_and_permuted_labels_cannot(made):
    assert figures(made["first"])["random encoder"]["low"] > 0.5
    for arm in ENCODERS:
        row = figures(made["permuted"])[arm]
        assert row["low"] < 0.5 < row["high"], row


def test_no_figure_comes_from_a_file_of_the_repository(made):
    cells = [json.loads(path.read_text()) for path in made["first"].out.glob("evaluation/cells/*/cell.json")]
    assert {cell["facts"]["cohort"]["fingerprint"] for cell in cells} == {
        json.loads((made["first"].out / "cohort" / "card.json").read_text())["fingerprint"]
    }
