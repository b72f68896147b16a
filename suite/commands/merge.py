"""`suite merge`: put the results of several runs into one."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "put the results of several runs into one"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="of a cell in several, the first wins")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="a new run directory")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.merge import merge
    from suite.runs.run import print_report

    kept, dropped = merge(options.runs, options.out)
    print(f"{kept} cells in {options.out}; {dropped} that several runs have were left out once each")
    print_report(options.out)
    return 0
