"""`suite compare`: what changed between runs, beyond noise."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "what changed between runs, beyond noise"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", type=Path, metavar="RUN", help="the run that the others are compared with")
    parser.add_argument("others", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--any-machine", action="store_true", help="compare timings of different machines too")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.compare import compare

    table = compare([options.first, *options.others], options.any_machine)
    print(table.markdown(), end="")
    return 0
