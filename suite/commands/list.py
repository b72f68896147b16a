"""`suite list`: what there is to choose from."""

from __future__ import annotations

import argparse
import json

from suite.commands.shared import names

HELP = "what there is"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="neurons, tasks, datasets, networks, backends or studies")
    parser.add_argument("--neurons", type=names, default=(), metavar="A,B", help="names, tag:T, kind:K or default")
    parser.add_argument("--json", action="store_true", help="a JSON list of objects")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from neurons import InvalidValue, select
    from suite.inspection import catalogue
    from suite.inspection.listing import listing, print_listing
    from suite.report.links import card_of

    of_neurons = options.kind == "neurons"
    if options.neurons and not of_neurons:
        raise InvalidValue(f"--neurons chooses neurons, not {options.kind}: list neurons --neurons tag:adaptive")
    entries = catalogue.catalogue(select(options.neurons)) if options.neurons else listing(options.kind)
    if options.json:
        print(json.dumps(entries, indent=2))
    else:
        print_listing(entries, catalogue.SHOWN if of_neurons else ())
        if of_neurons:
            page = card_of("index")
            print(f"\nA card of each, with equations and behaviour: {page or 'python -m suite cards writes them'}")
    return 0
