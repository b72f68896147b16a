"""`suite kernels`: the fused GPU kernels, compiled ahead of time."""

from __future__ import annotations

import argparse
import json

from suite.commands.shared import count

HELP = "the fused GPU kernels, compiled ahead of time"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("neuron", nargs="?", metavar="NEURON", help="default: all")
    parser.add_argument(
        "--target", action="append", metavar="T", help="cuda:80, cuda:90, cuda:100, hip:gfx942; default all"
    )
    parser.add_argument("--timesteps", type=count, default=8, metavar="T", help="default 8")
    parser.add_argument(
        "--tile",
        type=int,
        choices=(128, 256, 512),
        metavar="N",
        help="neurons of a program at most: 128, 256 or 512; default: the most with which no thread spills",
    )
    parser.add_argument("--json", action="store_true", help="a JSON list of objects")
    parser.add_argument("--source", action="store_true", help="show the generated C and Triton source")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    import neurons
    from neurons.kernels.gpu.cards import CARDS
    from suite.inspection import kernels

    fused = [name for name in neurons.names() if neurons.get(name).runs_over_time()]
    names = [neurons.get(options.neuron).name] if options.neuron else fused
    if not neurons.get(names[0]).runs_over_time():
        raise neurons.InvalidValue(
            f"{names[0]} is not a step over time, so it has no kernels; `list neurons` tells who has"
        )
    if options.source:
        print(kernels.source(names, options.timesteps), end="")
        return 0
    rows = kernels.resources(names, options.target or list(CARDS), options.timesteps, options.tile)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        kernels.print_resources(rows)
    return 0
