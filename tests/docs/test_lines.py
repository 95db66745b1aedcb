"""The links of the pages point at the lines they name."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("lines", DOCS / "lines.py")
lines = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lines)


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: page.name)
def test_every_link_to_a_function_is_at_its_line(page):
    text = page.read_text(encoding="utf-8")
    assert text == lines.refreshed(text), "run: python docs/lines.py"


def test_a_name_that_is_gone_is_an_error():
    with pytest.raises(LookupError, match="no 'nothing'"):
        lines.refreshed("[`Cohort.nothing`](../src/einthoven/cohort/store.py#L1)")
