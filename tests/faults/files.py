"""Files of a run directory that are broken, or gone, before the same line runs again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults.run import Fault, Outcome, again, whole


def a_cell(run: Path) -> Path:
    return sorted((run / "cells").glob("*.json"))[0]


def truncate(run: Path) -> None:
    a_cell(run).write_text(a_cell(run).read_text()[:50])


def make_folder_of_a_cell(run: Path) -> None:
    path = a_cell(run)
    path.unlink()
    path.mkdir()


def write(run: Path, name: str, text: str) -> None:
    (run / name).write_text(text)


def remove(run: Path, name: str) -> None:
    path = run / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def harmed(folder: Path, harm: Callable[[Path], None]) -> Outcome:
    run = whole(folder / "run")
    before = run.stored()
    harm(run.out)
    return again(run).end(before)


def keep_table_alone(run: Path) -> None:
    for name in ("cells", "plan.json", "groups.json", "results.csv"):
        remove(run, name)


HARMS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "cell-truncated": ("a cell is cut off", truncate),
    "cell-empty": ("a cell is empty", lambda run: a_cell(run).write_text("")),
    "cell-binary": ("a cell is binary", lambda run: a_cell(run).write_bytes(bytes(range(256))) and None),
    "cell-folder": ("a folder stands where a cell was", make_folder_of_a_cell),
    "plan-broken": ("plan.json is cut off", partial(write, name="plan.json", text="{")),
    "groups-broken": ("groups.json is a list", partial(write, name="groups.json", text="[1]")),
    "provenance-broken": ("provenance.json is empty", partial(write, name="provenance.json", text="")),
    "table-broken": ("results.parquet is no table", partial(write, name="results.parquet", text="x")),
    "plan-gone": ("plan.json is gone", partial(remove, name="plan.json")),
    "cells-gone": ("all cells are gone, the table is there", partial(remove, name="cells")),
    "published": ("run into a directory with a table alone (published, merged)", keep_table_alone),
    "report-file": ("report is a file", lambda run: (remove(run, "report"), write(run, "report", ""))[1]),
}
FAULTS = [
    Fault(name, f"{done}; the same line again", partial(harmed, harm=harm)) for name, (done, harm) in HARMS.items()
]
