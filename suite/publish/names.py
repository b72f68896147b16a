"""What a published run may be called."""

from __future__ import annotations

import re
from urllib.parse import quote

from neurons import InvalidValue

PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
LONGEST = 100
RESERVED = ("index.html", "README.md", "published-runs.html", "published-runs.md")
"""The files of the index (see `suite.publish.index`), which stand beside the folders of the runs."""


def check_name(name: str, own: str) -> str:
    """The name, if it may be that of a published run.

    Args:
        own: the name of the run's directory. It is accepted as it is, as far as one folder of a site can bear it, and
            quoted wherever it is linked; any other name is of plain letters and digits.

    Raises:
        InvalidValue: the name is no plain component of a path.
    """
    if name in RESERVED or len(name) > LONGEST or not (PLAIN.fullmatch(name) or (name == own and _bearable(name))):
        raise InvalidValue(
            f"--name {name!r}: a published run is called by one folder name of letters, digits, '.', '_' and '-' "
            f"that does not begin with '.', at most {LONGEST} of them, and not {', '.join(RESERVED)}"
        )
    return name


def _bearable(name: str) -> bool:
    """A name that exists as a directory: visible, printable and free of separators."""
    return bool(name) and name.isprintable() and not name.startswith(".") and not set(name) & set("/\\")


def link(*parts: str) -> str:
    """The relative URL of a file of a published run."""
    return "/".join(quote(part, safe="") for part in parts)
