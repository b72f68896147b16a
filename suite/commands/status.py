"""`suite status`: how far a run is, from another terminal or machine."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "how far a run is, also while it goes on"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--watch", action="store_true", help="show it anew until the run ends")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.inspection import status

    if options.watch:
        status.watch(options.run)
    else:
        status.show(options.run)
    return 0
