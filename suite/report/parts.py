"""The parts of a report, made one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from suite.report.text import one_line
from tasks.memory import return_free_memory

LONGEST_MESSAGE = 300

T = TypeVar("T")


@dataclass
class Parts:
    """Makes the parts of a report: one that fails becomes a line of the page, and the others stand."""

    failed: list[str] = field(default_factory=list)

    def make(self, name: str, make: Callable[[], T]) -> T | None:
        """What `make` returns; None, and a line, if it raises."""
        try:
            return make()
        except Exception as error:
            message = one_line(str(error))[:LONGEST_MESSAGE]
            line = f"{name} could not be made: {type(error).__name__}: {message}"
            self.failed.append(line)
            print(f"report: {line}", file=sys.stderr)
            return None
        finally:
            return_free_memory()  # 80 MiB less at 100,000 rows
