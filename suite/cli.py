"""The command line: `python -m suite …`. Bad input gives one line and exit code 2.

Of the commands only the one that is run is imported, and nothing here imports torch, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import pkgutil
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from suite.runs.text import plain

COMMANDS = "suite.commands"
FOLDER = Path(__file__).with_name("commands")
"""Where commands are found, by being there."""
LONGEST_MESSAGE = 600
"""Characters of an error; a longer one, of a name without end, loses its middle."""
READER_LEFT = 141
"""The exit code of a shell's command that writes to a pipe without a reader."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {plain(message, LONGEST_MESSAGE)}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 if a cell failed, 2 for bad input, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(arguments[:1]).parse_args(arguments)
    try:
        code = options.command(options, arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _reader_left():
            raise
        return READER_LEFT
    except Exception as error:
        if not _is_bad_input(error):
            raise
        print(f"suite: {plain(error, LONGEST_MESSAGE)}", file=sys.stderr)
        return 2


def _reader_left() -> bool:
    """Whether nobody reads what is printed, as after `head`; the rest of it is then dropped."""
    output = select.poll()
    output.register(sys.stdout, 0)
    if not any(event & select.POLLERR for _, event in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _is_bad_input(error: Exception) -> bool:
    from neurons import BackendUnavailable, InvalidValue, NeuronError, UnknownName
    from suite.runs.store import RunError

    return isinstance(error, UnknownName | InvalidValue | NeuronError | BackendUnavailable | RunError)


def _parser(first: Sequence[str]) -> Parser:
    """The parser of all commands, with the arguments of the one that the line begins with."""
    parser = Parser(prog="python -m suite", description="Compare spiking neuron models.", allow_abbrev=False)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, help_line in command_names().items():
        own = subparsers.add_parser(name, help=help_line, allow_abbrev=False)
        if name in first:
            command = importlib.import_module(f"{COMMANDS}.{name.replace('-', '_')}")
            command.arguments(own)
            own.set_defaults(command=command.run)
    return parser


def command_names() -> dict[str, str]:
    """The help line of each command: the modules of `suite.commands` that declare one, read without importing them."""
    found = {}
    for entry in pkgutil.iter_modules([str(FOLDER)]):
        help_line = _help_line(FOLDER / f"{entry.name}.py")
        if help_line is not None:
            found[entry.name.replace("_", "-")] = help_line
    return found


def _help_line(path: Path) -> str | None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="HELP")], value=ast.Constant(value=str(text))):
                return text
    return None
