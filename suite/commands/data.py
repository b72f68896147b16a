"""`suite data`: what data sets there are, whether their files are here, and where they are had."""

from __future__ import annotations

import argparse

from suite.commands.shared import add_data_dir

HELP = "say which data sets are here, and where the others are had"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="one data set, read whole, with its card and hashes")
    add_data_dir(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    import json

    from suite.inspection import data_sets
    from suite.inspection.listing import print_listing

    if options.name is None:
        entries = data_sets.overview()
        if options.json:
            print(json.dumps(entries, indent=1))
        else:
            print_listing(entries)
            print(
                f"\nfiles are looked for in {data_sets.directory()}; --data-dir or {data_sets.VARIABLE} names another"
            )
        return 0
    entry = data_sets.described(options.name)
    if options.json:
        print(json.dumps(entry, indent=1))
    else:
        width = max(map(len, entry))
        for name, value in entry.items():
            print(f"{name:<{width}}  {value}")
    return 0 if entry["state"] == data_sets.PRESENT else 1
