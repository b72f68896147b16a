"""The command line: `python -m suite …`. Bad input gives one line and exit code 2.

Nothing here or at the head of a command imports torch, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from suite import commands
from suite.text import plain

LONGEST_MESSAGE = 600
"""Characters of an error; a longer one, of a name without end, loses its middle."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {plain(message, LONGEST_MESSAGE)}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 if a cell failed, 2 for bad input, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(arguments)
    try:
        return options.command(options, arguments)
    except Exception as error:
        if not _is_bad_input(error):
            raise
        print(f"suite: {plain(error, LONGEST_MESSAGE)}", file=sys.stderr)
        return 2


def _is_bad_input(error: Exception) -> bool:
    from neurons import BackendUnavailable, InvalidValue, NeuronError, UnknownName
    from suite.runs.store import RunError

    return isinstance(error, UnknownName | InvalidValue | NeuronError | BackendUnavailable | RunError)


def _parser() -> Parser:
    parser = Parser(prog="python -m suite", description="Compare spiking neuron models.", allow_abbrev=False)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _commands().items():
        own = subparsers.add_parser(name, help=command.HELP, allow_abbrev=False)
        command.arguments(own)
        own.set_defaults(command=command.run)
    return parser


def _commands() -> dict[str, ModuleType]:
    """The modules of `suite.commands` that declare a command, by its name."""
    modules = {
        entry.name.replace("_", "-"): importlib.import_module(f"{commands.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(commands.__path__)
    }
    return {name: module for name, module in modules.items() if hasattr(module, "HELP")}
