"""`suite cards`: a page of each neuron model, and a gallery of all."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands.shared import folder, names

HELP = "write a card of each neuron model"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--neurons", type=names, default=(), metavar="A,B", help="names, tag:T or kind:K; default all")
    parser.add_argument("--neuron-file", action="append", default=[], metavar="F.py", help="a model of your own")
    parser.add_argument(
        "--published", type=folder, default=Path("results/published"), metavar="DIR", help="runs to look them up in"
    )
    parser.add_argument("--out", type=folder, metavar="DIR", help="folder to make anew; default results/runs/models")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from neurons import load_file, select
    from suite.publish.models import make_cards
    from suite.report.links import PLACES
    from suite.runs.text import counted

    for path in options.neuron_file:
        load_file(path)
    pages = make_cards(options.out or PLACES[0], options.published, select(options.neurons))
    print(f"{counted(len(pages) - 1, 'card')}, {pages[0].resolve()}")
    return 0
