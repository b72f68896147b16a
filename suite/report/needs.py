"""Whether a data set needs time, as the published study `temporal_need` found; for the table of what was run."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("needs.csv")
"""Made from the published rows by `nox -s readme`; the delay is 0 where a data set has none."""
COLUMNS = ("dataset", "delay", "full", "cut", "none", "needs")


@cache
def _known() -> dict[tuple[str, int], dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return {(row["dataset"], int(row["delay"])): row for row in csv.DictReader(lines)}


def need(dataset: str, delay: int) -> str | None:
    """What it needs, and LIF's accuracy with the full gradient, with it cut at each step, and without state; None
    where the study did not look at it."""
    known = _known()
    row = known.get((dataset, delay)) or known.get((dataset, 0))
    return None if row is None else f"{row['needs']} ({row['full']} / {row['cut']} / {row['none']})"
