import hashlib
import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.cohort import facts, splits
from einthoven.cohort.store import INDEX, REFUSED, Cohort
from einthoven.core.errors import TaskError


def on_paper(people: list[dict], family: str = "F") -> Cohort:
    """A cohort of facts without signals: one dict a recording with its subject and what is known of it."""
    names = sorted({person["subject"] for person in people})
    index = pl.DataFrame(
        [
            {"row": row, "key": f"k{row}", "subject": person["subject"], "subject_id": names.index(person["subject"])}
            for row, person in enumerate(people)
        ]
    )
    index = index.with_columns(
        shard=0, offset=0, samples=1, leads=pl.lit("I"), rate=100.0, site=pl.lit(""), sha256=pl.lit("")
    ).select(pl.col(name).cast(dtype) for name, dtype in INDEX.items())

    def table(kind: str, rows: list[dict]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=facts.SCHEMAS[kind])

    def said(name: str):
        return [(row, person[name]) for row, person in enumerate(people) if person.get(name) is not None]

    sets = {"superclass": ("CD", "HYP", "MI", "NORM", "STTC"), "rhythm": ("AFIB", "SR")}
    card = {
        "fingerprint": "", "counts": {"subjects": len(names)}, "source": {"family": family},
        "label_sets": {
            name: {"system": "", "codes": codes, "closed": True, "exclusive": False} for name, codes in sets.items()
        },
    }  # fmt: skip
    cohort = Cohort(Path("on paper"), card, index, pl.DataFrame(schema=REFUSED))
    cohort._facts = {
        "labels": table(
            "labels", [{"row": r, "name": n, "code": c, "present": 1.0} for n in sets for r, cs in said(n) for c in cs]
        ),
        "category": table(
            "category", [{"row": r, "name": n, "value": v} for n in ("sex", "split") for r, v in said(n)]
        ),
        "value": table("value", [{"row": r, "name": n, "value": v} for n in ("age", "strat_fold") for r, v in said(n)]),
    }
    return cohort


recordings = st.lists(
    st.fixed_dictionaries(
        {
            "subject": st.integers(0, 30).map(lambda n: f"s{n}"),
            "superclass": st.none() | st.lists(st.sampled_from(["CD", "MI", "NORM"]), unique=True, max_size=2),
            "rhythm": st.none() | st.sampled_from([["AFIB"], ["SR"]]),
            "sex": st.sampled_from(["male", "female", None]),
            "age": st.none() | st.floats(0, 90),
        }
    ),
    min_size=1,
    max_size=60,
)

# A3 written down literally, person by person


def strata(people: list[dict]) -> dict[str, str]:
    carried: dict[str, set[str]] = {person["subject"]: set() for person in people}
    for person in people:
        mine = carried[person["subject"]]
        mine |= {f"superclass:{code}" for code in person.get("superclass") or ()}
        mine |= {f"rhythm:{code}" for code in person.get("rhythm") or ()}
        if person.get("sex"):
            mine.add(f"sex:{person['sex']}")
        if (age := person.get("age")) is not None:
            mine.add("age:" + ("0-39" if age < 40 else "40-59" if age < 60 else "60-79" if age < 80 else "80-"))
    everything = sorted(set().union(*carried.values()))
    carriers = {label: sum(label in labels for labels in carried.values()) for label in everything}
    return {
        subject: min(sorted(labels), key=lambda label: carriers[label]) if labels else "none"
        for subject, labels in carried.items()
    }


def walk(people: list[dict], salt: str, among: set[str]) -> list[str]:
    stratum = strata(people)
    order = []
    for code in sorted(set(stratum.values())):
        members = [subject for subject in among if stratum[subject] == code]
        order += sorted(members, key=lambda subject: hashlib.sha256(f"{salt}|F|{subject}".encode()).hexdigest())
    return order


@given(recordings)
def test_halves_and_folds_are_dealt_as_written_down(people):
    everybody = {person["subject"] for person in people}
    want = {}
    half = {subject: "ab"[i % 2] for i, subject in enumerate(walk(people, "einthoven-half", everybody))}
    fold = {subject: i % 5 for i, subject in enumerate(walk(people, "einthoven-fold", everybody))}
    want = {f"half-{h}": {s for s in everybody if half[s] == h} for h in "ab"}
    want |= {f"fold-{k}": {s for s in everybody if fold[s] == k} for k in range(5)}
    cohort = on_paper(people)
    for split, test in want.items():
        others = walk(people, "einthoven-val", everybody - test)
        validation = set(others[::5])
        got = splits.parts(cohort, split)
        for person, part in zip(people, got):
            subject = person["subject"]
            assert part == ("test" if subject in test else "validation" if subject in validation else "train")


def test_four_persons_are_dealt_by_hand():
    people = [
        {"subject": "ann", "sex": "female", "rhythm": ["AFIB"]},
        {"subject": "ben", "sex": "male", "rhythm": ["SR"]},
        {"subject": "cem", "sex": "male", "rhythm": ["SR"]},
        {"subject": "dot", "sex": "female", "rhythm": ["SR"]},
    ]
    # carriers: AFIB 1, female 2, male 2, SR 3. So ann is in rhythm:AFIB, dot in sex:female, ben and cem in sex:male.
    # sha256sum of einthoven-half|F|ben is 23a5..., of einthoven-half|F|cem 2580...: the walk is ann, dot, ben, cem, and
    # half a is ann and ben. Of dot and cem the first in the walk validates.
    assert splits.parts(on_paper(people), "half-a").tolist() == ["test", "test", "train", "validation"]


@given(recordings, st.sampled_from(splits.SPLITS))
def test_no_person_is_in_two_parts(people, split):
    parts = splits.parts(on_paper(people), split)
    assert set(parts.tolist()) <= set(splits.PARTS)
    for subject in {person["subject"] for person in people}:
        assert len({part for part, person in zip(parts, people) if person["subject"] == subject}) == 1


@given(recordings, st.randoms(use_true_random=False), st.sampled_from(splits.SPLITS))
def test_parts_do_not_depend_on_the_order_of_recordings(people, random, split):
    order = list(range(len(people)))
    random.shuffle(order)
    parts = splits.parts(on_paper(people), split)
    assert splits.parts(on_paper([people[i] for i in order]), split).tolist() == parts[order].tolist()


def crowd(count: int = 400) -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            "subject": f"s{i // 2}", "age": float(rng.uniform(20, 90)), "sex": ("male", "female")[i // 2 % 2],
            "rhythm": ["AFIB"] if i // 2 % 10 == 0 else ["SR"],
        }
        for i in range(count)
    ]  # fmt: skip


def test_halves_share_every_stratum_evenly():
    people = crowd()
    parts = splits.parts(on_paper(people), "half-a")
    stratum = strata(people)
    for code in set(stratum.values()):
        members = {s for s in stratum if stratum[s] == code}
        tested = {p["subject"] for p, part in zip(people, parts) if part == "test"} & members
        assert abs(2 * len(tested) - len(members)) <= 1  # dealt alternately


def test_a_cohort_without_a_split_of_its_own_is_dealt_60_20_20():
    parts = splits.parts(on_paper(crowd()), "official")
    assert [(parts == part).sum() for part in splits.PARTS] == [240, 80, 80]


def test_the_folds_of_ptbxl_are_its_official_split():
    people = [{"subject": f"s{i}", "strat_fold": float(i)} for i in range(1, 11)] + [{"subject": "new"}]
    parts = splits.parts(on_paper(people), "official").tolist()
    assert parts == ["train"] * 8 + ["validation", "test", ""]


def test_a_persons_own_split_is_taken_as_written():
    people = [{"subject": f"s{i}", "split": word} for i, word in enumerate(["test", "train", "validation", None])]
    assert splits.parts(on_paper(people), "official").tolist() == ["test", "train", "validation", ""]


def test_a_split_without_validation_lets_a_fifth_of_the_persons_to_train_on_validate():
    people = [{"subject": f"s{i // 2}", "split": "test" if i < 10 else "train"} for i in range(60)]
    parts = splits.parts(on_paper(people), "official")
    assert [(parts == part).sum() for part in splits.PARTS] == [40, 10, 10]


def test_a_person_in_two_parts_is_refused_and_named():
    people = [{"subject": "ann", "split": "train"}, {"subject": "ann", "split": "test"}, {"subject": "ben"}]
    cohort = on_paper(people)
    with pytest.raises(TaskError, match=r"1 subjects stand in more than one part.*got ann") as caught:
        splits.parts(cohort, "official")
    assert caught.value.reason == "leak"


def test_a_word_or_a_split_that_is_unknown_is_refused_with_the_nearest():
    with pytest.raises(TaskError, match="did you mean half-a"):
        splits.parts(on_paper(crowd()), "half_a")
    with pytest.raises(TaskError, match="did you mean test"):
        splits.parts(on_paper([{"subject": "ann", "split": "tset"}]), "official")


@given(recordings, st.integers(0, 3))
def test_a_smaller_draw_lies_inside_a_larger_one(people, draw):
    cohort = on_paper(people)
    rows = np.arange(len(people))
    subject = cohort.index["subject_id"].to_numpy()
    everybody = len(set(subject.tolist()))
    drawn = {labelled: splits.few(cohort, rows, labelled, draw) for labelled in (1.0, 0.1, 0.01, 500, 100, 20, 3)}
    for labelled, got in drawn.items():
        people_drawn = set(subject[got].tolist())
        wanted = max(1, round(labelled * everybody)) if isinstance(labelled, float) else min(labelled, everybody)
        assert len(people_drawn) == wanted
        assert got.tolist() == [row for row in rows if subject[row] in people_drawn]  # with all their recordings
    by_size = sorted((drawn[k] for k in (1.0, 0.1, 0.01, 500, 100, 20)), key=len)
    for small, large in itertools.pairwise(by_size):
        assert set(small.tolist()) <= set(large.tolist())


def test_ten_percent_are_drawn_as_written_down():
    people = crowd(200)  # 100 persons
    everybody = {person["subject"] for person in people}
    # 10 % are 10 persons, and 20 is the only rung between: every fifth of the walk, then every second of that walk
    twenty = walk(people, "few|20|3", everybody)[::5]
    ten = set(walk(people, "few|0.1|3", set(twenty))[::2])
    got = splits.few(on_paper(people), np.arange(200), 0.1, 3)
    assert {people[row]["subject"] for row in got} == ten


def test_draws_differ_and_keep_the_strata():
    people = crowd(2000)  # 1,000 persons, a tenth with AFIB
    cohort = on_paper(people)
    draws = [splits.few(cohort, np.arange(2000), 100, draw) for draw in range(3)]
    assert len({tuple(draw.tolist()) for draw in draws}) == 3
    for draw in draws:
        afib = sum(people[row]["rhythm"] == ["AFIB"] for row in draw) / len(draw)
        assert abs(afib - 0.1) <= 0.02  # strata are dealt evenly; chance alone would give a deviation of 0.03


@pytest.mark.parametrize("labelled", [0, -1, 1.5, 0.0])
def test_a_share_that_is_none_is_refused(labelled):
    with pytest.raises(TaskError, match="no share"):
        splits.few(on_paper(crowd()), np.arange(400), labelled, 0)
