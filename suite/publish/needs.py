"""What the published study `temporal_need` found of each data set, kept where every report finds it."""

from __future__ import annotations

import csv
import io

from suite.publish.local import PUBLISHED
from suite.report.needs import COLUMNS, FILE
from suite.runs.store import read_results
from suite.studies import temporal_need
from tasks import data

RUN = PUBLISHED / "temporal-need"


def content() -> str:
    """The file as the published rows have it now."""
    rows = read_results(RUN)
    own = rows[(rows.task == temporal_need.STUDY.name) & (rows.status == "ok")]
    text = io.StringIO()
    lines = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    lines.writeheader()
    for dataset, (accuracies, needs) in sorted(temporal_need.needs(own).items()):
        delayed = data.SOURCES[dataset].argument == "delay"
        shown = {time: f"{estimate.mean:.0f}" for time, estimate in accuracies.items()}
        delay = data.SOURCES[dataset].usual if delayed else 0
        lines.writerow({"dataset": dataset, "delay": delay, **shown, "needs": needs})
    return text.getvalue()


def main() -> None:
    FILE.write_text(content(), encoding="utf-8")
    print(f"{FILE}: from {RUN}")


if __name__ == "__main__":
    main()
