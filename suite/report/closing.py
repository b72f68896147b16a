"""What a run ends with: its answer in a sentence, and one for each neuron of one's own; kept in report/answer.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from suite.report import names
from suite.report.answer import answer
from suite.report.board import against
from suite.report.page import Page
from suite.runs.files import read_json, write_atomically

FILE = "answer.json"


def closing_sentences(report: Path, rows: pd.DataFrame, baseline: str, pages: Sequence[Page]) -> None:
    """Write question, sentence and the sentences of own neurons; of a run of studies or packages those of its page."""
    if len(rows):
        found = answer(rows, baseline)
        own = [name for name in dict.fromkeys(rows.neuron.astype(str)) if names.is_own(name) and name != baseline]
        told = [text for name in own if (text := against(rows, name, baseline))]
        content: dict[str, Any] = {"question": found.question, "sentence": found.sentence, "own": told}
    else:
        first = next((page for page in pages if page.sentence), None)
        content = {"question": first.question if first else "", "sentence": first.sentence if first else "", "own": []}
    write_atomically(report / FILE, json.dumps(content, indent=1, ensure_ascii=False))


def read(report: Path) -> dict[str, Any]:
    """Question, sentence and own sentences of a report; empty texts where it has none."""
    return {"question": "", "sentence": "", "own": []} | (read_json(report / FILE, dict) or {})
