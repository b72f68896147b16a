"""What the options of several commands may be; argparse makes a line of what is raised here."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA_VARIABLE = "NEURON_SUITE_DATA"
"""As `tasks.data.location` has it, which is too heavy to import here."""


def names(text: str) -> list[str]:
    """The names of an option that takes several, separated by commas."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise ArgumentTypeError(f"'{text}' has an empty name; write names separated by commas, or leave the option out")
    return list(dict.fromkeys(found))


def add_device(parser: ArgumentParser, several: bool = False) -> None:
    """The option `--device`: a name as torch has it, which `tasks.measuring.devices.resolve` looks up; or several."""
    known = "auto (default: the first GPU, else the CPU), cpu, cuda (all cards) or cuda:N"
    if several:
        parser.add_argument(
            "--device", type=names, default=["auto"], metavar="D", help=f"{known}; cpu,cuda runs every cell on both"
        )
    else:
        parser.add_argument("--device", default="auto", metavar="D", help=known)


def add_run(parser: ArgumentParser, default: str, several_devices: bool = False) -> None:
    """What every command that measures has: how much, where, into which folder, and how long a cell may take.

    Args:
        default: the run directory that is used unless another is named.
    """
    own = "; gpu: a card; paper: the CLIF paper's data sets by its recipe; onm, rivals: beside published comparisons"
    others = own if several_devices else ""
    parser.add_argument("--profile", default="quick", help=f"smoke, quick (default) or full{others}")
    add_device(parser, several_devices)
    parser.add_argument("--out", type=folder, metavar="RUN", help=f"run directory; default {default}")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="for one cell; default by profile")
    parser.add_argument("--dry-run", action="store_true", help="show the cells and about how long they take; run none")
    parser.add_argument("--executor", default="local", metavar="E", help="local (default), or ray: a Ray cluster")
    parser.add_argument("--address", metavar="A", help="of the Ray cluster; default: one on this machine")
    add_data_dir(parser)


def add_data_dir(parser: ArgumentParser) -> None:
    """The option `--data-dir`, which stands in the environment from then on: processes of cells inherit it."""
    where = "where files of data sets lie; default: NEURON_SUITE_DATA, else the user's data folder"
    parser.add_argument("--data-dir", type=_data_dir, metavar="DIR", help=where)


def _data_dir(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise ArgumentTypeError(f"'{text}' is no folder; give the one that holds the files of data sets")
    os.environ[DATA_VARIABLE] = str(path.resolve())
    return path


def folder(text: str) -> Path:
    """The path of a run directory that is to be written."""
    if not text.strip():
        raise ArgumentTypeError("an empty path; give the path of a folder")
    return Path(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.strip().isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"'{text}' is not a whole number from 1 on")
    return int(text)


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of `--set key=value`, each given once; InvalidValue otherwise."""
    from neurons import InvalidValue

    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise InvalidValue(f"--set {pair}: write it as key=value, for example --set epochs=20")
        if key in found:
            raise InvalidValue(f"--set {key} is given twice; a run takes one value of a setting")
        try:
            found[key] = json.loads(text)
        except json.JSONDecodeError:
            found[key] = text
    return found
