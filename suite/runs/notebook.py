"""The status of a run as a bar in the output of a notebook's cell."""

from __future__ import annotations

import html
import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from suite.runs.display import Display
from suite.runs.record import Result
from tasks import Cell

INTERVAL = 0.3
"""Seconds between two pictures of the bar."""


def make_display(cells: Sequence[Cell], cached: int, **more: Any) -> Display:
    """The display that fits where this process runs: a notebook, a terminal, or neither."""
    return NotebookDisplay(cells, cached, **more) if in_notebook() else Display(cells, cached, **more)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookDisplay(Display):
    """One bar that changes in its place; failures are lines below it."""

    def __init__(self, cells: Sequence[Cell], cached: int, **more: Any) -> None:
        super().__init__(cells, cached, Console(stderr=True, force_jupyter=False), **more)
        self.last_plain = math.inf
        self._drawn = 0.0
        self._handle: Any = None

    def started(self, cells: Sequence[Cell]) -> None:
        super().started(cells)
        self._draw()

    def finished(self, cell: Cell, result: Result) -> None:
        super().finished(cell, result)
        self._draw()

    def __enter__(self) -> Self:
        from IPython.display import HTML, display

        self._handle = display(HTML(self.html()), display_id=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw(always=True)

    def html(self) -> str:
        """The bar, the counts and the time left."""
        done = self.cached + sum(self.counts.values())
        return f'<progress max="{max(self.total, 1)}" value="{done}"></progress> {html.escape(self._line())}'

    def _draw(self, always: bool = False) -> None:
        from IPython.display import HTML

        if self._handle is not None and (always or time.monotonic() - self._drawn > INTERVAL):
            self._drawn = time.monotonic()
            self._handle.update(HTML(self.html()))
