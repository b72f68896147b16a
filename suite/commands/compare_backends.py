"""`suite compare-backends`: who computes the same as whom?"""

from __future__ import annotations

import argparse
import json

from suite.commands.shared import add_device

HELP = "who computes the same as whom?"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("neuron", nargs="?", metavar="NEURON", help="a model of the suite; default: all")
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="a JSON list of objects")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.inspection.compare_backends import compare_backends
    from suite.inspection.listing import print_listing
    from tasks.measuring import devices

    rows = compare_backends(options.neuron, devices.resolve(options.device))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print_listing(rows)
    return 0
