"""`suite check`: is the neuron of a file right and fast?"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "is the neuron of a file right and fast?"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="F.py", help="a file that registers neurons")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.inspection.check import check

    return 0 if check(options.file) else 1
