"""Shows how far a long piece of work is, on a terminal alone."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Counting:
    """A line that counts rows; use as a context manager."""

    def __init__(self, console: Console, what: str) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed} rows"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._what = what

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task(self._what, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, table: str, rows: int) -> None:
        """Another table is done."""
        self._progress.update(self._task, advance=rows, description=f"{self._what} {table}")
