"""`list` names the files of the plug-in folders and says what the first line of each says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import einthoven
from einthoven.app.listing import list as list_plugins
from einthoven.core.errors import RegistryError

FOLDER = Path(einthoven.__file__).parent


def test_all_kinds_are_listed_with_all_their_files():
    kinds = list_plugins().kinds
    assert set(kinds) == {"formats", "sources", "encoders", "objectives", "shipped"}
    for kind, plugins in kinds.items():
        if kind == "shipped":
            continue  # folders of weights, no files of Python
        assert {path.stem for path in (FOLDER / kind).glob("[!_]*.py")} <= set(plugins)


def test_one_kind_is_listed_alone_with_its_first_lines():
    listing = list_plugins("formats")
    assert set(listing.kinds) == {"formats"}
    assert listing.kinds["formats"]["wfdb"].startswith("WFDB, the format of PhysioNet")
    assert "wfdb " in str(listing)


def test_a_wrong_kind_gets_the_nearest():
    with pytest.raises(RegistryError, match="did you mean encoders"):
        list_plugins("encoder")


def test_listing_imports_no_plugin():
    code = """
import sys
from einthoven.app.listing import list
str(list())
print([name for name in sys.modules if name.startswith(("torch", "einthoven.encoders", "einthoven.formats"))])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
