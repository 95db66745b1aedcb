"""The runner of benchmarks: its ratio says how many times better ours is, and its clock sees worker processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from bench import __main__ as command
from bench import _run
from bench._run import Bench, Pair, cpu_seconds, run

LINE = {"name", "ours", "baseline", "ratio", "goal", "unit", "machine"}


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "SHORTEST", 0.01)


def test_a_figure_of_time_is_processor_seconds_an_item_and_three_times_as_fast_is_a_ratio_of_3(tmp_path, capsys):
    def make(scratch):
        assert scratch.is_dir()
        return Pair(lambda: burn(0.02), 2, lambda: burn(0.03), 1)

    line = run(Bench("time.case", 2.0, "s/recording", make=make), tmp_path / "results.jsonl")
    assert set(line) == LINE
    assert line["ours"] == pytest.approx(0.01, rel=0.25)  # a tick of the scheduler is a few milliseconds
    assert line["ratio"] == pytest.approx(3, rel=0.25)
    assert json.loads(capsys.readouterr().out) == line
    assert json.loads((tmp_path / "results.jsonl").read_text()) == line


def test_a_figure_of_memory_is_better_where_it_is_less(tmp_path):
    line = run(Bench("memory.case", 1.0, "MiB", value=lambda scratch: (256.0, 1024.0)), tmp_path / "results.jsonl")
    assert (line["ours"], line["baseline"], line["ratio"]) == (256.0, 1024.0, 4.0)


def test_results_are_added_to_those_of_earlier_runs(tmp_path):
    for _ in range(2):
        run(Bench("a", None, "MiB", value=lambda scratch: (1.0, 1.0)), tmp_path / "results.jsonl")
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


def test_waiting_costs_nothing_and_a_child_process_counts():
    start = cpu_seconds()
    time.sleep(0.2)
    assert cpu_seconds() - start < 0.1
    start = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    assert cpu_seconds() - start > 0.1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="living processes are seen in /proc")
def test_a_worker_that_still_lives_counts_too():
    start = cpu_seconds()
    code = "sum(range(10**7)); print('done', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"done\n"
        assert cpu_seconds() - start > 0.1
        worker.communicate(b"\n")


def test_the_machine_and_the_versions_of_the_peers_stand_beside_every_figure():
    import numpy as np

    assert f"numpy {np.__version__}" in _run.machine()
    assert "cores" in _run.machine()


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Three figures instead of the repository's, and results that go elsewhere."""
    three = [
        Bench("load.short", 2.0, "MiB", value=lambda scratch: (1.0, 3.0)),
        Bench("load.long", 2.0, "MiB", value=lambda scratch: (1.0, 1.5)),
        Bench("nce", None, "MiB", value=lambda scratch: (1.0, 0.1)),
    ]
    monkeypatch.setattr(command, "every", lambda: three)
    monkeypatch.setattr(command, "run", lambda bench: run(bench, tmp_path / "results.jsonl"))


@pytest.mark.parametrize(
    ("wanted", "names", "code"),
    [
        ([], ["load.short", "load.long", "nce"], 1),
        (["load"], ["load.short", "load.long"], 1),
        (["load.short", "nce"], ["load.short", "nce"], 0),
        (["nosuch"], [], 2),
    ],
    ids=str,
)
def test_names_choose_figures_and_a_missed_goal_is_exit_code_1(figures, capsys, wanted, names, code):
    assert command.main(wanted) == code
    out = capsys.readouterr().out
    assert [json.loads(line)["name"] for line in out.splitlines()] == names


def test_every_topic_of_the_repository_names_its_figures_once():
    names = [figure.name for figure in command.every()]
    assert len(names) == len(set(names)) > 0
