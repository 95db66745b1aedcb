"""What a person sees while training runs: a bar with loss, recordings per second and the time left."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A bar on standard error; where that is no terminal, nothing is drawn."""

    def __init__(self, steps: int, done: int, shown: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(), TextColumn("{task.fields[loss]}"),
            console=console, disable=not (shown and console.is_terminal),
        )  # fmt: skip
        self._task = self._progress.add_task("training", total=steps, completed=done, speed="", loss="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def step(self, samples: int, loss: float) -> None:
        speed = self._progress.tasks[self._task].speed
        self._progress.update(
            self._task, advance=1, loss=f"loss {loss:.4f}", speed=f"{speed * samples:.0f} recordings/s" if speed else ""
        )

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False) if not self._progress.disable else None
