"""`suite check`: is the neuron of a file right and fast?"""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands.shared import add_device

HELP = "is the neuron of a file right and fast?"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="F.py", help="a file that registers neurons")
    add_device(parser)


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.inspection.check import check
    from tasks.measuring import devices

    return 0 if check(options.file, devices.resolve(options.device)) else 1
