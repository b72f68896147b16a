"""`suite list`: what there is to choose from."""

from __future__ import annotations

import argparse
import json

HELP = "what there is"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="neurons, tasks, datasets, backends or studies")
    parser.add_argument("--json", action="store_true", help="a JSON list of objects")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.inspection.listing import listing, print_listing

    entries = listing(options.kind)
    if options.json:
        print(json.dumps(entries, indent=2))
    else:
        print_listing(entries)
    return 0
