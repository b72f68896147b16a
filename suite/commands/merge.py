"""`suite merge`: put the results of several runs into one."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands.shared import folder

HELP = "put the results of several runs into one"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="of two answers to one question, the later is kept"
    )
    parser.add_argument("--out", type=folder, required=True, metavar="RUN", help="a new run directory")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.publish.terminal import print_report
    from suite.runs.merge import merge
    from suite.runs.store import read_results
    from suite.runs.table import mixtures

    kept, dropped = merge(options.runs, options.out)
    print(f"{kept} cells in {options.out}; {dropped} that another run has were left out")
    for line in mixtures(read_results(options.out)):
        print(line)
    print_report(options.out)
    return 0
