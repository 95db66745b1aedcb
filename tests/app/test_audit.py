from html.parser import HTMLParser

from einthoven.app.audit import audit
from einthoven.cohort.build import build
from einthoven.core.facts import Category, Label
from einthoven.core.leads import LIMB
from tests.cohort.generated import ecg, few


def made(tmp_path, *records):
    build(few(*records), tmp_path, tmp_path / "out", workers=1)
    return tmp_path / "out"


def clean(tmp_path):
    return made(tmp_path, *(ecg(i, LIMB, subject=f"s{i}", facts=(Label("rhythm", "SR"),)) for i in range(6)))


def leaking(tmp_path):
    parts = [(Category("split", part),) for part in ("train", "test")]
    return made(tmp_path, *(ecg(i, subject="ann", facts=part) for i, part in enumerate(parts)))


class Page(HTMLParser):
    """Collects text, and what the page would load or follow."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open += [tag] * (tag not in ("meta", "br", "hr", "col"))
        self.links += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_a_clean_cohort_ends_with_0_and_a_leaking_one_with_1(tmp_path):
    assert audit(clean(tmp_path / "a")).exit_code == 0
    found = audit(leaking(tmp_path / "b"))
    assert found.exit_code == 1
    assert found.to_dict()["leaks"]
    assert "leak" in str(found)
    assert "k0 = k1" in str(found)


def test_damage_ends_with_1(tmp_path):
    path = clean(tmp_path)
    shard = path / "signals/00000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert audit(path).exit_code == 1


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    audit(clean(tmp_path), out=tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text("utf-8"))
    assert page.open == []
    assert page.links == []
    said = " ".join(page.words)
    for word in ("6 recordings of 6 subjects", "aVF", "SR", "half-a", "No leak"):
        assert word in said


def test_the_page_of_a_leaking_cohort_says_so_first(tmp_path):
    audit(leaking(tmp_path), out=tmp_path / "page.html")
    assert "This cohort leaks" in (tmp_path / "page.html").read_text("utf-8").split("</section>")[0]


def test_a_strangers_text_cannot_become_markup(tmp_path):
    path = made(tmp_path, *(ecg(i, facts=(Label("<b>", "<script>alert(1)</script>"),)) for i in range(3)))
    audit(path, out=tmp_path / "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text("utf-8")
