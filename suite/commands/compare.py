"""`suite compare`: what changed between runs, beyond noise."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

HELP = "what changed between runs, beyond noise"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", type=Path, metavar="RUN", help="the run that the others are compared with")
    parser.add_argument("others", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--any-machine", action="store_true", help="compare timings of different machines too")
    parser.add_argument(
        "--fail-on-worse", action="store_true", help="exit code 1 if a metric became worse or a cell failed"
    )


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.compare import compare

    table = compare([options.first, *options.others], options.any_machine)
    *notes, sentence = table.footnotes
    print(replace(table, footnotes=notes).markdown())
    print(sentence)
    return 1 if options.fail_on_worse and table.worse else 0
