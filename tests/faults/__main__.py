"""Brings every fault about and writes docs/faults.md: what was done, what the user saw, what was lost.

`python -m tests.faults [NAME …]` runs those alone and prints their lines.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.faults import cells, files, signals, storage
from tests.faults.run import Fault, Outcome

TARGET = REPOSITORY / "docs" / "faults.md"
GROUPS: dict[str, list[Fault]] = {
    "The run is ended": signals.FAULTS,
    "A cell misbehaves": cells.FAULTS,
    "Results cannot be stored": storage.FAULTS,
    "Files are broken": files.FAULTS,
}
INTRODUCTION = """# What happens when something goes wrong

Each line is a fault that `nox -s faults` brought about, with what the command said and what was lost. Cells are those
of a task that takes no time (`tests/suite/runs/fake_task.py`). A run ends with 0 if all was measured, 1 if something
was not, 2 for a wrong line, 128 and the signal's number if it was ended.
"""


HEADER = ("| what was done | what the user saw | exit code | lost |", "| --- | --- | --- | --- |")


def main(names: list[str]) -> int:
    lines, faulty = [INTRODUCTION], 0
    for title, faults in GROUPS.items():
        chosen = [fault for fault in faults if not names or fault.name in names]
        if not chosen:
            continue
        lines += [
            f"## {title}",
            "",
            "| what was done | what the user saw | exit code | lost |",
            "| --- | --- | --- | --- |",
        ]
        for fault in chosen:
            with tempfile.TemporaryDirectory() as folder:
                outcome = fault.bring_about(Path(folder))
            line = row(fault, outcome)
            print(line, flush=True)
            lines.append(line)
            faulty += outcome.faulty
        lines.append("")
    if not names:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text("\n".join(lines), encoding="utf-8")
    return 1 if faulty else 0


def row(fault: Fault, outcome: Outcome) -> str:
    said = "<br>".join(line.replace("|", "\\|").replace("<", "&lt;") for line in outcome.said) or "nothing"
    return f"| {fault.done} | {said} | {outcome.code} | {outcome.lost} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
