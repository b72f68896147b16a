"""A page of a report beside its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suite.report.table import Table


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
        name: of its file and its template, without ending.
        tables: those that it brings along, for the terminal.
        context: what its template is given.
        question, sentence: what it asks and found, for its head, for cards and for the end of a run.
    """

    name: str
    title: str
    tables: list[Table]
    context: dict[str, Any]
    question: str = ""
    sentence: str = ""
