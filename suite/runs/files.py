"""Files of a run: written whole or not at all, readable as the umask says, and set aside with a line when broken."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

log = logging.getLogger("suite")
"""What a user is told beside the command's own output; a line each, on stderr unless a program asks otherwise."""

_counter = itertools.count()


class RunError(Exception):
    """A run directory is missing, in use, or cannot be read or written; the message is one line."""


class StorageError(RunError):
    """A file could not be written: which, why, and how much is free."""

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(f"cannot write {path}: {_reason(cause)}; {free_space(path)} free")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there takes the place of `path`, whole and on the disk.

    Raises:
        StorageError: it could not be written; `path` is as before, and the temporary file is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_counter)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise StorageError(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # of a folder that became read-only nothing can be removed
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also under a power cut.

    Raises:
        StorageError: it could not be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        RunError: something that is no folder stands there, or it may not be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RunError(f"{path} is not a folder that can be written; give the path of a folder") from error
    except OSError as error:
        raise StorageError(path, error) from error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process left in a folder."""
    for path in folder.glob(".*.tmp"):
        try:
            path.unlink()
        except OSError as error:
            log.warning("%s: cannot be removed: %s", path, _reason(error))


def read_json(path: Path, kind: type) -> Any:
    """The content of a JSON file, None if there is no such file or if it is broken; a broken one is set aside.

    Args:
        kind: what the content must be: dict or list.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        set_aside(path, _reason(error) if isinstance(error, OSError) else f"not JSON: {error}")
        return None
    if not isinstance(content, kind):
        set_aside(path, f"a {type(content).__name__} where a {kind.__name__} belongs")
        return None
    return content


def set_aside(path: Path, fault: str) -> None:
    """Rename a broken file to `*.broken` and say so, so that what it held is made again and nothing is deleted."""
    target = path.with_name(f"{path.name}.broken")
    for number in itertools.count(2):
        if not os.path.lexists(target):
            break
        target = path.with_name(f"{path.name}.{number}.broken")
    fault = " ".join(fault.split())
    try:
        os.rename(path, target)
    except OSError as error:
        log.warning("%s is broken (%s) and is not used; it cannot be set aside: %s", path, fault, _reason(error))
    else:
        log.warning("%s is broken (%s); set aside as %s", path, fault, target.name)


def free_space(path: Path) -> str:
    """The free space where a path is or would be, in words."""
    for folder in (path, *path.parents):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            continue
        return f"{free / 1e9:.1f} GB" if free >= 1e8 else f"{free / 1e6:.1f} MB"
    return "an unknown amount is"


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "its folder is gone (moved or deleted?)"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file stands where a folder belongs; move it away"
    return (error.strerror or str(error) or type(error).__name__).splitlines()[0]
