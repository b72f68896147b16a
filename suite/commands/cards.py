"""`suite cards`: a page of each neuron model, and a gallery of all."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands.shared import folder, names

HELP = "write a card of each neuron model"
OUT = Path("results/runs/models")
"""Beside run directories, whose pages link to the cards that stand there."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--neurons", type=names, default=(), metavar="A,B", help="names, tag:T or kind:K; default all")
    parser.add_argument("--neuron-file", action="append", default=[], metavar="F.py", help="a model of your own")
    parser.add_argument(
        "--published", type=folder, default=Path("results/published"), metavar="DIR", help="runs to look them up in"
    )
    parser.add_argument("--out", type=folder, default=OUT, metavar="DIR", help=f"folder to make anew; default {OUT}")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from neurons import load_file, select
    from suite.cards.build import build

    for path in options.neuron_file:
        load_file(path)
    pages = build(options.out, options.published, select(options.neurons))
    print(f"{len(pages) - 1} cards, {pages[0].resolve()}")
    return 0
