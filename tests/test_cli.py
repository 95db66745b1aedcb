"""The command line calls the function of the same name, prints what it returns, and never shows a traceback."""

from __future__ import annotations

import errno
import inspect
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import einthoven
from einthoven import app as verbs
from einthoven import cli
from einthoven.core.errors import FormatError, Interrupted

COMMANDS = {
    "doctor": [],
    "list": [],
    "schema": [],
    "check": ["a.hea"],
    "plot": ["a.hea", "--out", "a.svg"],
    "measure": ["a.hea"],
    "prepare": ["ptbxl", "files", "cohort"],
    "audit": ["cohort"],
    "derive": ["physiology", "cohort"],
    "pretrain": ["a.toml", "--out", "run"],
    "evaluate": ["run", "cohort", "--task", "superclass", "--out", "scores"],
    "report": ["scores", "--out", "page.html"],
    "embed": ["a.hea"],
    "predict": ["a.hea", "--checkpoint", "model"],
    "export": ["model", "--out", "onnx"],
    "demo": [],
}
"""The shortest form of every command."""


@dataclass
class Result:
    number: float = 0.5
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"number": self.number, "list": [self.number, "text"]}

    def __str__(self) -> str:
        return f"number {self.number}"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Replaces every verb by one that notes its arguments and returns `calls.result`, or raises it."""
    noted = SimpleNamespace(result=Result(), name=None, args=None, settings=None)

    def stand_in(name: str):
        def function(*args: Any, **settings: Any) -> Any:
            noted.name, noted.args, noted.settings = name, args, settings
            if isinstance(noted.result, BaseException):
                raise noted.result
            return noted.result

        return function

    monkeypatch.setattr(verbs, "verb", stand_in)
    return noted


def test_there_is_a_command_for_every_verb_and_no_other():
    assert set(COMMANDS) == set(einthoven.VERBS)
    assert {name for name in cli.app if not name.startswith("-")} == set(einthoven.VERBS)


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_every_command_calls_its_verb_with_arguments_that_the_verb_takes(
    verb: str, calls: SimpleNamespace, monkeypatch
):
    assert cli.main([verb, *COMMANDS[verb]]) == 0
    assert calls.name == verb
    monkeypatch.undo()
    inspect.signature(verbs.verb(verb)).bind(*calls.args, **calls.settings)


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_every_option_is_a_keyword_argument_of_the_verb_with_the_same_default(
    verb: str, calls: SimpleNamespace, monkeypatch
):
    cli.main([verb, *COMMANDS[verb]])
    monkeypatch.undo()
    parameters = inspect.signature(verbs.verb(verb)).parameters
    given = {word.lstrip("-").replace("-", "_") for word in COMMANDS[verb] if word.startswith("--")}
    for key, value in calls.settings.items():
        if key not in given and key != "progress":
            default = parameters[key].default
            assert value == default or (not value and not default) or str(value) == str(default), key


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_every_command_prints_text_or_one_json_document(verb: str, calls: SimpleNamespace, capsys):
    assert cli.main([verb, *COMMANDS[verb]]) == 0
    assert capsys.readouterr().out == "number 0.5\n"
    assert cli.main([verb, *COMMANDS[verb], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"number": 0.5, "list": [0.5, "text"]}


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_every_command_explains_itself(verb: str, capsys):
    assert cli.main([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: einthoven {verb}")
    assert "--json" in out


@pytest.mark.parametrize("verb", ["prepare", "pretrain", "evaluate", "demo"])
def test_every_long_command_has_a_short_form(verb: str, calls: SimpleNamespace):
    assert cli.main([verb, *COMMANDS[verb], "--smoke"]) == 0
    assert calls.settings["smoke"] is True


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_an_error_that_is_not_ours_is_called_a_bug_in_every_verb(verb: str, as_json: bool, calls, capsys):
    calls.result = RuntimeError("two\nlines")
    assert cli.main([verb, *COMMANDS[verb], *["--json"] * as_json]) == 70
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert "RuntimeError: two lines" in err
    assert "bug" in err
    assert "EINTHOVEN_TRACE=1" in err
    assert "Traceback" not in err
    if as_json:
        assert json.loads(out)["reason"] == "bug"
    else:
        assert out == ""


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_a_mistake_of_the_user_is_one_line_and_2_in_every_verb(verb: str, calls, capsys):
    calls.result = FormatError("a.hea", "is cut", expected="5000", got="12", fix="copy it again", reason="truncated")
    assert cli.main([verb, *COMMANDS[verb]]) == 2
    assert capsys.readouterr().err == "error: a.hea: is cut, expected 5000, got 12; copy it again\n"
    assert cli.main([verb, *COMMANDS[verb], "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["reason"] == "truncated"


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_the_exit_code_is_that_of_the_result(verb: str, calls, capsys):
    calls.result = Result(exit_code=1)
    assert cli.main([verb, *COMMANDS[verb]]) == 1


@pytest.mark.parametrize("verb", einthoven.VERBS)
def test_an_interruption_is_3_and_says_whether_the_same_command_goes_on(verb: str, calls, capsys):
    calls.result = KeyboardInterrupt()
    assert cli.main([verb, *COMMANDS[verb]]) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert ("goes on" in err) == (verb in cli.RESUMABLE)


def test_a_verb_may_say_itself_where_it_was_interrupted(calls, capsys):
    calls.result = Interrupted("run", "stopped at step 40", fix="the same command goes on")
    assert cli.main(["pretrain", *COMMANDS["pretrain"]]) == 3
    assert "step 40" in capsys.readouterr().err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_disk_or_a_locked_folder_is_the_users_to_mend(code: int, calls, capsys):
    calls.result = OSError(code, os.strerror(code), "out/cohort")
    assert cli.main(["prepare", *COMMANDS["prepare"]]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: out/cohort: cannot be read or written, got ")
    assert len(err.splitlines()) == 1


def test_a_full_disk_is_recognised_in_the_words_of_the_libraries_that_write(calls, capsys):
    calls.result = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert cli.main(["pretrain", *COMMANDS["pretrain"]]) == 2
    assert "cannot be read or written, got No space left on device" in capsys.readouterr().err


def test_another_system_error_is_a_bug(calls, capsys):
    calls.result = ProcessLookupError(errno.ESRCH, "no such process")
    assert cli.main(["prepare", *COMMANDS["prepare"]]) == 70


def test_a_missing_extra_names_the_one_command_that_brings_it(calls, capsys):
    calls.result = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert cli.main(["pretrain", *COMMANDS["pretrain"]]) == 2
    assert capsys.readouterr().err == "error: pretrain: needs the extra [train]; pip install 'einthoven[train]'\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["nosuch"], "nosuch"),
        (["chek", "a.hea"], "check"),
        (["check"], "PATH"),
        (["check", "a", "b"], "b"),
        (["check", "a", "--bogus"], "--bogus"),
        (["check", "a", "--rate", "fast"], "fast"),
        (["plot", "a.hea"], "--out"),
        (["plot", "a.hea", "--out", "a.svg", "--format", "5x5"], "5x5"),
        (["prepare", "ptbxl", "a"], "COHORT"),
        (["prepare", "ptbxl", "a", "b", "--workers", "many"], "many"),
        (["prepare", "ptbxl", "a", "b", "--set", "novalue"], "novalue"),
        (["evaluate", "run", "--task", "t", "--out", "o"], "cohort"),
        (["evaluate", "run", "cohort", "--out", "o"], "--task"),
        (["evaluate", "run", "cohort", "--task", "t", "--out", "o", "--features", "pixels"], "pixels"),
        (["report", "--out", "page.html"], "evaluation folder"),
        (["predict"], "PATH"),
        (["demo", "--seed", "x"], "x"),
        (["--json"], "--json"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_one_line_and_2(line: list[str], says: str, capsys):
    assert cli.main(line) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert says in err
    assert "--help" in err or "KEY=VALUE" in err or "key=value" in err


def test_a_command_that_is_none_is_not_answered_with_half_a_list(capsys):
    assert cli.main(["frob"]) == 2
    assert "check, plot" not in capsys.readouterr().err


def test_what_the_file_does_not_state_reaches_the_verb(calls):
    cli.main(["check", "strip.csv", "--rate", "250", "--unit", "200/mV", "--lead", "I", "--column", "ecg"])
    assert calls.settings == {"checkpoint": None, "rate": 250.0, "unit": "200/mV", "lead": "I", "column": "ecg"}


def test_several_checkpoints_and_tasks_come_as_lists_and_one_as_itself(calls):
    cli.main(["evaluate", "a", "b", "cohort", "--task", "form", "--task", "rhythm", "--labelled", "100", "--out", "o"])
    assert calls.args == (["a", "b"], Path("cohort"))
    assert calls.settings["task"] == ["form", "rhythm"]
    assert calls.settings["labelled"] == "100"


def test_settings_of_a_recipe_are_passed_on_as_they_were_written(calls):
    cli.main(["pretrain", "a.toml", "--out", "run", "--set", "training.lr=1e-3", "--set", "encoder.width=32"])
    assert tuple(calls.settings["set"]) == ("training.lr=1e-3", "encoder.width=32")


def test_a_number_that_is_none_is_null_in_json(calls, capsys):
    calls.result = Result(number=float("nan"))
    assert cli.main(["check", "a.hea", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"number": None, "list": [None, "text"]}


def test_the_trace_is_shown_when_asked_for(calls, capsys, monkeypatch):
    monkeypatch.setenv("EINTHOVEN_TRACE", "1")
    calls.result = RuntimeError("here")
    assert cli.main(["check", "a.hea"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_progress_does_not_mix_with_the_result(calls, capsys):
    cli.main(["demo"])
    calls.settings["progress"]("half way")
    assert capsys.readouterr() == ("number 0.5\n", "half way\n")


def run(*line: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *line]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False, **settings
    )


HEAVY = (
    "torch",
    "sklearn",
    "lightning_fabric",
    "matplotlib",
    "wfdb",
    "polars",
    "scipy",
    "pydantic",
    "onnxruntime",
    "numpy",
)


def test_the_door_is_light():
    code = f"""
import sys, einthoven.cli
assert einthoven.cli.main(["--help"]) == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    assert run("-c", code).stdout.splitlines()[-1] == "[]"


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "import sys; from einthoven.cli import main; sys.exit(main(['list']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # as `head` does
    assert process.stderr.read() == b""
    assert process.wait(60) == 0
    process.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_control_c_ends_a_running_command_with_one_line_and_3():
    code = """
import signal, sys, time
from einthoven import app, cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would its child
def run(*args, **settings):
    print("running", flush=True)
    time.sleep(600)
app.verb = lambda name: run
sys.exit(cli.main(["prepare", "ptbxl", "files", "cohort"]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert err.decode() == "error: prepare: interrupted; the same command goes on where it stopped\n"


def test_the_program_answers_as_a_module_too():
    done = run("-m", "einthoven", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"einthoven {einthoven.__version__}")


@pytest.mark.parametrize("name", ["evaluate", "report"])
def test_a_folder_with_the_name_of_a_verb_can_be_called(name: str, calls):
    __import__(f"einthoven.{name}")
    assert getattr(einthoven, name)("a", key=1) is calls.result
    assert (calls.name, calls.args, calls.settings) == (name, ("a",), {"key": 1})


def test_the_package_lists_its_verbs_and_nouns_and_refuses_the_rest():
    assert {"check", "Record", "__version__"} <= set(dir(einthoven))
    with pytest.raises(AttributeError, match="nosuch"):
        _ = einthoven.nosuch
