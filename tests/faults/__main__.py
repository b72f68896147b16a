"""Brings every fault about and writes docs/faults.md: what was done, what the user saw, what was lost.

`python -m tests.faults [NAME …]` brings those alone about and replaces their lines.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.faults import cells, cluster, files, signals, storage
from tests.faults.run import Fault, Outcome

TARGET = REPOSITORY / "docs" / "faults.md"
GROUPS: dict[str, list[Fault]] = {
    "The run is ended": signals.FAULTS,
    "A cell misbehaves": cells.FAULTS,
    "Results cannot be stored": storage.FAULTS,
    "Files are broken": files.FAULTS,
    "A run on a Ray cluster": cluster.FAULTS,
}
INTRODUCTION = """# What happens when something goes wrong

Each line is a fault that `nox -s faults` brought about, with what the command said and what was lost. Cells are those
of a task that takes no time (`tests/suite/runs/fake_task.py`). A run ends with 0 if all was measured, 1 if something
was not, 2 for a wrong line, 128 and the signal's number if it was ended.
"""


HEADER = ("| what was done | what the user saw | exit code | lost |", "| --- | --- | --- | --- |")


def main(names: list[str]) -> int:
    lines = known_lines()
    faulty = 0
    for fault in (fault for faults in GROUPS.values() for fault in faults):
        if names and fault.name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcome = fault.bring_about(Path(folder))
        lines[fault.done] = row(fault, outcome)
        print(lines[fault.done], flush=True)
        faulty += outcome.faulty
    write(lines)
    return 1 if faulty else 0


def known_lines() -> dict[str, str]:
    """The lines of the table as it stands, by what was done."""
    text = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    return {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}


def write(lines: dict[str, str]) -> None:
    """Write the table: the faults of each group that have a line."""
    text = [INTRODUCTION]
    for title, faults in GROUPS.items():
        text += [f"## {title}", "", *HEADER, *(lines[fault.done] for fault in faults if fault.done in lines), ""]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(text), encoding="utf-8")


def row(fault: Fault, outcome: Outcome) -> str:
    said = "<br>".join(line.replace("|", "\\|").replace("<", "&lt;") for line in outcome.said) or "nothing"
    return f"| {fault.done} | {said} | {outcome.code} | {outcome.lost} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
