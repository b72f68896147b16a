"""`suite publish`: copy a run to results/published/, and send it on."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "copy a run to results/published/"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--name", help="default: the name of the run directory")
    parser.add_argument("--to", metavar="TARGET", help="and send it on: hf:OWNER/DATASET or git:REPOSITORY#BRANCH")
    parser.add_argument(
        "--force", action="store_true", help="also if dirty, incomplete or large, or in place of another run"
    )


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.publish import Target, publish, send

    if options.to is not None:
        Target.parse(options.to)  # nothing is published if it cannot be sent
    name = options.run.resolve().name if options.name is None else options.name
    target = publish(options.run, name, options.force)
    print(f"published: {target.resolve()}")
    if options.to is not None:
        print(f"sent: {send(target, options.to, options.force)}")
    return 0
