"""`suite report`: make the tables, plots and pages of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "make tables, plots and page of a run"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--baseline", metavar="NEURON", help="whom others are compared with; default lif")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.publish.terminal import print_report

    print_report(options.run, options.baseline)
    return 0
