"""Errors are one line with a fixed order, survive the way between processes, and say what to do."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core import errors
from einthoven.core.errors import (
    EinthovenError,
    ExtraError,
    FormatError,
    Interrupted,
    OutputError,
    RecipeError,
    nearest,
)

CLASSES = sorted(
    (cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, EinthovenError)),
    key=lambda cls: cls.__name__,
)
words = st.text(st.characters(codec="utf-8"), max_size=40)


def test_a_message_says_where_what_expected_got_and_what_to_do_in_this_order():
    error = FormatError("a.csv", "rate is not stated", expected="one number", got="none", fix="give --rate 250")
    assert str(error) == "a.csv: rate is not stated, expected one number, got none; give --rate 250"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(where=words, what=words, expected=words, got=words, fix=words)
def test_every_message_is_one_line_whatever_is_put_in(cls, where, what, expected, got, fix):
    error = cls(where, what, expected=expected, got=got, fix=fix)
    assert len(str(error).splitlines()) <= 1


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_comes_whole_out_of_a_worker_process(cls):
    error = cls("a.hea", "is cut", expected="5000", got="12", fix="copy it again", reason="truncated")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (str(again), again.reason, again.to_dict()) == (str(error), "truncated", error.to_dict())
    assert again.exit_code == error.exit_code


def test_what_is_wrong_ends_with_2_and_an_interruption_with_3():
    assert {cls.exit_code for cls in CLASSES if cls is not Interrupted} == {2}
    assert Interrupted.exit_code == 3


def test_errors_are_also_what_python_programs_expect():
    assert issubclass(RecipeError, ValueError)
    assert issubclass(errors.RegistryError, LookupError)
    assert issubclass(OutputError, OSError)
    assert issubclass(ExtraError, ImportError)


def test_the_fields_of_an_error_are_those_of_a_table_of_refused_files():
    fields = FormatError("a.dat", "is cut", expected=5000, got=12, reason="truncated").to_dict()
    assert fields == {
        "error": "FormatError", "reason": "truncated", "where": "a.dat", "what": "is cut", "expected": "5000",
        "got": "12", "fix": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        ("resnet18", "did you mean resnet?"),
        ("RESNET", "did you mean resnet?"),
        ("zzz", "there are: resnet, simclr"),
    ],
)
def test_a_wrong_name_gets_the_nearest_one_or_the_list(wrong: str, answer: str):
    assert nearest(wrong, ["simclr", "resnet"]) == answer


def test_the_list_of_nothing_says_so():
    assert nearest("a", []) == "there are: none"


@pytest.mark.parametrize(("module", "extra"), [("torch.nn", "train"), ("wfdb", "formats"), ("matplotlib", "plot")])
def test_a_missing_module_names_the_one_command_that_brings_it(module: str, extra: str):
    error = ExtraError.behind("pretrain", ModuleNotFoundError(name=module))
    assert error is not None
    assert str(error) == f"pretrain: needs the extra [{extra}]; pip install 'einthoven[{extra}]'"


def test_a_missing_module_of_our_own_is_no_missing_extra():
    assert ExtraError.behind("pretrain", ModuleNotFoundError(name="einthoven.nosuch")) is None
    assert ExtraError.behind("pretrain", ImportError("nameless")) is None
