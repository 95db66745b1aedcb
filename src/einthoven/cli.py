"""The command line: parse, call the one function of `einthoven.app`, print its result.

What a command acts on comes first, settings are options; names and arguments are those of the library function. Exit
codes: 0 done, 1 a check found something, 2 the input or settings are wrong, 3 interrupted and resumable, 70 a bug.
With `--json` standard output carries exactly one JSON document, an error included.
"""

from __future__ import annotations

import io
import itertools
import json as jsonlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from einthoven import __version__
from einthoven.core.errors import BUG, DONE, EinthovenError, ExtraError, Interrupted, OutputError, RecipeError
from einthoven.core.output import why_unwritable

RESUMABLE = ("prepare", "derive", "pretrain", "evaluate", "demo")

app = App(
    name="einthoven",
    help="Electrocardiograms into representations that know medicine, with honest statistics.",
    version=f"einthoven {__version__}",
    help_format="plaintext",
    default_parameter=Parameter(negative=(), consume_multiple=False, show_default=lambda value: _words(value)),
    suppress_keyboard_interrupt=False,
)
LOOK, FILES, LEARN, USE, HERE = (
    Group.create_ordered(title)
    for title in ("Look at files", "Files to cohort", "Train and judge", "Use a checkpoint", "This installation")
)
UNSTATED = Group("What the file does not state itself", sort_key=1)
_place = itertools.count()  # help lists the commands in the order of the path, which is their order here

Json = Annotated[bool, Parameter(help="Print one JSON document instead of text.")]
Smoke = Annotated[bool, Parameter(help="A few minutes' work at most, to see that everything runs.")]
Strict = Annotated[bool, Parameter(help="Exit with 1 if any file was refused.")]
Seed = Annotated[int, Parameter(help="Another seed, other numbers; the same seed, the same numbers.")]
Checkpoint = Annotated[str | None, Parameter(help="A checkpoint or run folder, or the name of a shipped encoder.")]
Table = Annotated[Path | None, Parameter(help="Where the rows go: .parquet or .csv; without it they are printed.")]


@Parameter(name="*", group=UNSTATED)
@dataclass(frozen=True)
class Mapping:
    """What CSV and .npy files lack; a unit, rate or lead that a file states is never overridden."""

    rate: Annotated[float | None, Parameter(help="Samples per second.")] = None
    unit: Annotated[str | None, Parameter(help="mV, uV, V, nV, or counts per millivolt such as 200/mV.")] = None
    lead: Annotated[str | None, Parameter(help="Name of a nameless channel, or the one lead to keep.")] = None
    column: Annotated[str | None, Parameter(help="Column of a CSV that holds the signal.")] = None


@app.command(group=LOOK, sort_key=next(_place))
def check(
    path: Path, /, *, checkpoint: Checkpoint = None, mapping: Mapping = Mapping(), json: Json = False
) -> int:  # fmt: skip
    """What is in a file, folder or cohort, and what is wrong with it; with a checkpoint, what that wants and lacks."""
    return _run("check", json, path, checkpoint=checkpoint, **asdict(mapping))


@app.command(group=LOOK, sort_key=next(_place))
def plot(
    file: Path, /, *,
    out: Annotated[Path, Parameter(help="F.svg, F.pdf or F.png (PNG and PDF need the extra [plot]).")],
    format: Annotated[Literal["auto", "3x4", "all"], Parameter(help="3x4 and a rhythm strip, or all leads.")] = "auto",
    speed: Annotated[float, Parameter(help="Millimetres a second.")] = 25.0,
    gain: Annotated[float, Parameter(help="Millimetres a millivolt.")] = 10.0,
    mapping: Mapping = Mapping(), json: Json = False,
) -> int:  # fmt: skip
    """Draw a recording on clinical paper in true millimetres: 25 mm/s, 10 mm/mV."""
    return _run("plot", json, file, out=out, format=format, speed=speed, gain=gain, **asdict(mapping))


@app.command(group=LOOK, sort_key=next(_place))
def measure(
    path: Path, /, *, out: Table = None,
    plot: Annotated[Path | None, Parameter(help="Draw one recording with its waves: F.svg, F.png or F.pdf.")] = None,
    strict: Strict = False, mapping: Mapping = Mapping(), json: Json = False,
) -> int:  # fmt: skip
    """Beats, waves, intervals, amplitudes and quality of a file, a folder or a cohort; what is missing has a reason."""
    return _run("measure", json, path, out=out, plot=plot, strict=strict, **asdict(mapping))


@app.command(group=FILES, sort_key=next(_place))
def prepare(
    source: Annotated[str, Parameter(help="The data set's kind: `einthoven list sources` names them.")],
    path: Annotated[Path, Parameter(help="Its folder.")],
    cohort: Annotated[Path, Parameter(help="The folder to be written.")], /, *,
    table: Annotated[Path | None, Parameter(help="CSV of file, subject and facts for your own folder.")] = None,
    workers: Annotated[int, Parameter(help="Processes; the result does not depend on them.")] = 2,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", help="A setting of the source, KEY=VALUE.")] = (),
    smoke: Smoke = False, mapping: Mapping = Mapping(), json: Json = False,
) -> int:  # fmt: skip
    """Files to a cohort: signals once, facts as tables, bad files refused and listed. Goes on where it was stopped."""
    return _run(
        "prepare", json, source, path, cohort, table=table, workers=workers, settings=_settings(settings), smoke=smoke,
        **asdict(mapping),
    )  # fmt: skip


@app.command(group=FILES, sort_key=next(_place))
def audit(
    cohort: Path, /, *, out: Annotated[Path | None, Parameter(help="An HTML page.")] = None, json: Json = False
) -> int:  # fmt: skip
    """Sanity and leakage of a cohort: rates, units, identical recordings, people in two parts. Exit 1 on leakage."""
    return _run("audit", json, cohort, out=out)


@app.command(group=FILES, sort_key=next(_place))
def derive(
    what: Annotated[str, Parameter(help="physiology: beats, waves, measurements and quality.")],
    cohort: Annotated[Path, Parameter(help="The folder of the cohort; its signals stay as they are.")], /, *,
    workers: Annotated[int, Parameter(help="Processes; the result does not depend on them.")] = 2,
    json: Json = False,
) -> int:  # fmt: skip
    """Add facts to a cohort. Goes on where it was stopped."""
    return _run("derive", json, what, cohort, workers=workers)


@app.command(group=LEARN, sort_key=next(_place))
def pretrain(
    recipe: Annotated[Path, Parameter(help="One TOML file that says the run completely.")], /, *,
    out: Annotated[Path, Parameter(help="The run folder; the same command goes on where it was.")],
    sets: Annotated[tuple[str, ...], Parameter(name="--set", help="Override a key, such as training.steps=100.")] = (),
    smoke: Smoke = False, json: Json = False,
) -> int:  # fmt: skip
    """Train an encoder as a recipe says. Stopped at any moment, the same command ends with the same weights."""
    return _run("pretrain", json, recipe, out=out, set=sets, smoke=smoke)


@app.command(
    group=LEARN,
    usage="Usage: einthoven evaluate CHECKPOINT... COHORT --task T --out DIR [OPTIONS]",
    sort_key=next(_place),
)
def evaluate(
    *paths: Annotated[str, Parameter(name="CHECKPOINT... COHORT", help="One or more checkpoints, then the cohort.")],
    task: Annotated[tuple[str, ...], Parameter(help="What to predict; as often as needed.")],
    out: Annotated[Path, Parameter(help="The evaluation folder; cells that are there are not computed again.")],
    split: Annotated[str, Parameter(help="official, half-a, half-b, fold-0 ... fold-4.")] = "official",
    probe: Annotated[str, Parameter(help="linear on frozen features, or finetune.")] = "linear",
    labelled: Annotated[tuple[str, ...], Parameter(help="Share (0.1) or number (100) of training people.")] = ("1.0",),
    features: Literal["embedding", "measurements", "embedding+measurements"] = "embedding",
    draws: Annotated[int | None, Parameter(help="Draws of few labels for each seed (5; with --smoke 1).")] = None,
    seed: Seed = 0,
    save: Annotated[Path | None, Parameter(help="Write the fitted head as a checkpoint for `predict`.")] = None,
    smoke: Smoke = False, json: Json = False,
) -> int:  # fmt: skip
    """Judge checkpoints on the tasks of a cohort: predictions first, then scores with intervals, beside baselines."""
    if len(paths) < 2:
        raise RecipeError(
            "evaluate", "needs a checkpoint and a cohort", got=" ".join(paths) or "none", fix=_help("evaluate")
        )
    return _run(
        "evaluate", json, _one_or_list(paths[:-1]), Path(paths[-1]), task=_one_or_list(task), out=out, split=split,
        probe=probe, labelled=_one_or_list(labelled), features=features, draws=draws, seed=seed, save=save,
        smoke=smoke, progress=_say,
    )  # fmt: skip


@app.command(group=LEARN, sort_key=next(_place))
def report(
    *dirs: Annotated[Path, Parameter(name="DIR", help="Evaluation folders.")],
    out: Annotated[Path, Parameter(help="The HTML page, one file that needs no other.")],
    json: Json = False,
) -> int:  # fmt: skip
    """Tables with intervals, label-efficiency curves, reliability and ECGs on paper, on one page."""
    if not dirs:
        raise RecipeError("report", "needs an evaluation folder", fix=_help("report"))
    return _run("report", json, dirs, out=out)


@app.command(group=USE, sort_key=next(_place))
def embed(
    path: Path, /, *, checkpoint: Checkpoint = None, out: Table = None, strict: Strict = False,
    mapping: Mapping = Mapping(), json: Json = False,
) -> int:  # fmt: skip
    """One vector a recording, for a file, a folder or a cohort; by the encoder that ships, or your checkpoint."""
    return _run("embed", json, path, checkpoint=checkpoint, out=out, strict=strict, **asdict(mapping))


@app.command(group=USE, sort_key=next(_place))
def predict(
    path: Path, /, *,
    checkpoint: Annotated[
        str | None, Parameter(help="One with a head: supervised, or of `evaluate --save`; else the one that ships.")
    ] = None,
    out: Table = None, strict: Strict = False, mapping: Mapping = Mapping(), json: Json = False,
) -> int:  # fmt: skip
    """Named probabilities or values for each recording of a file, a folder or a cohort. Not a diagnosis."""
    return _run("predict", json, path, checkpoint=checkpoint, out=out, strict=strict, **asdict(mapping))


@app.command(group=USE, sort_key=next(_place))
def export(
    checkpoint: Annotated[str, Parameter(help="A checkpoint folder, or a run folder (its best checkpoint).")], /, *,
    out: Annotated[Path, Parameter(help="The folder for model.onnx, layout.json and test.npz.")],
    json: Json = False,
) -> int:  # fmt: skip
    """A checkpoint as ONNX with its layout and a test vector: runs without torch."""
    return _run("export", json, checkpoint, out=out)


@app.command(group=HERE, sort_key=next(_place))
def demo(
    *,
    out: Annotated[Path, Parameter(help="Folder for the cohort, the run, the scores and report.html.")] = Path("demo"),
    seed: Seed = 0,
    permute_labels: Annotated[bool, Parameter(help="Shuffle the labels: every score must fall to chance.")] = False,
    smoke: Smoke = False, json: Json = False,
) -> int:  # fmt: skip
    """The whole path on generated recordings, from files to an HTML report, in a few minutes."""
    return _run("demo", json, out=out, seed=seed, permute_labels=permute_labels, smoke=smoke, progress=_say)


@app.command(group=HERE, sort_key=next(_place))
def doctor(*, json: Json = False) -> int:
    """What is installed, what is not and the command that brings it, and whether a recording is read right here."""
    return _run("doctor", json)


@app.command(name="list", group=HERE, sort_key=next(_place))
def list_(
    kind: Annotated[
        str | None, Parameter(help="formats, sources, encoders, objectives, or shipped for what ships; all without it.")
    ] = None, /, *,
    json: Json = False,
) -> int:  # fmt: skip
    """The plug-ins by kind, and the encoders that ship."""
    return _run("list", json, kind)


@app.command(group=HERE, sort_key=next(_place))
def schema(
    plugin: Annotated[str | None, Parameter(help="A plug-in, such as simclr; all of a recipe without it.")] = None, /,
    *, json: Json = False,
) -> int:  # fmt: skip
    """The JSON Schema of recipes, for editors: what a table may say, with types and defaults."""
    return _run("schema", json, plugin)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every exception becomes one line here and nowhere else."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter is no reason to fail
    words = list(sys.argv[1:] if argv is None else argv)
    name = next((word for word in words if not word.startswith("-")), "einthoven")
    try:
        code = app(words, result_action="return_value", exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE  # --help and --version give no code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("EINTHOVEN_TRACE"):
            traceback.print_exc()
        return _fail(_explain(name, error) or error, "--json" in words)


def _run(verb: str, json: bool, *args: Any, **settings: Any) -> int:
    """Call the function of that name and print what it returns."""
    from einthoven.app import verb as function_of
    from einthoven.core.fingerprint import json_pieces

    result = function_of(verb)(*args, **settings)
    if json:
        # what may be long comes in pieces: the waves of a day would take gigabytes as one text
        sys.stdout.writelines(json_pieces(getattr(result, "to_stream", result.to_dict)()))
        print()
    else:
        print(result)
    return result.exit_code


def _say(text: str) -> None:
    """Progress goes to standard error: standard output is the result's."""
    print(text, file=sys.stderr, flush=True)


def _explain(verb: str, error: BaseException) -> EinthovenError | None:
    """What an exception means to the user; None for a bug."""
    match error:
        case EinthovenError():
            return error
        case CycloptsError():
            what = str(error).partition(" Available commands:")[0].rstrip(". \n")  # cut off; --help has it
            return RecipeError(f"einthoven {verb}", what, fix=_help(verb), reason="usage")
        case KeyboardInterrupt():
            goes_on = "the same command goes on where it stopped" if verb in RESUMABLE else ""
            return Interrupted(verb, "interrupted", fix=goes_on, reason="interrupted")
        case ImportError():
            return ExtraError.behind(verb, error)
    if reason := why_unwritable(error):
        where = getattr(error, "filename", None) or verb
        fix = "look at the permissions and the free space, or choose another place"
        return OutputError(where, "cannot be read or written", got=reason, fix=fix, reason="output")
    return None


def _fail(error: BaseException, json: bool) -> int:
    """One line on standard error, the same as JSON on standard output where it was asked for, and the exit code."""
    if isinstance(error, EinthovenError):
        line, code, fields = str(error), error.exit_code, error.to_dict()
    else:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        fix = "please report it in the project's issue tracker, with the trace that EINTHOVEN_TRACE=1 shows"
        line, code = f"a bug in einthoven, not your mistake: {what}; {fix}", BUG
        fields = {"error": "Bug", "reason": "bug", "where": "", "what": what, "expected": "", "got": "", "fix": fix}
    if json:
        print(jsonlib.dumps(fields))
    print(f"error: {line}", file=sys.stderr)
    return code


def _help(verb: str) -> str:
    return f"`einthoven {verb} --help` shows the form" if verb in app else "`einthoven --help` lists the commands"


def _settings(items: Sequence[str]) -> dict[str, Any]:
    from einthoven.core.recipe import override

    table: dict[str, Any] = {}
    for item in items:
        override(table, item)
    return table


def _words(default: Any) -> str | None:
    """How a default is shown in the help: not at all where it says nothing."""
    return " ".join(default) if isinstance(default, tuple) else str(default) if default else None


def _one_or_list(words: Sequence[str]) -> str | list[str]:
    return words[0] if len(words) == 1 else list(words)
