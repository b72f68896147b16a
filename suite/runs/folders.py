"""Replacing a folder so that whoever looks, at whatever moment, finds the old one or the new one whole."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_FDCWD = -100
RENAME_EXCHANGE = 2
NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target` to be filled; it takes the target's place in one step when the block ends.

    If the block raises, the target stays as it was. What a killed process left is taken away by the next call.
    """
    recover(target)
    new = _beside(target, "new")
    new.mkdir()
    try:
        yield new
        _put(new, target)
    finally:
        _discard(new)


def recover(target: Path) -> None:
    """Undo what a process that was killed while it replaced `target` left behind."""
    old = _beside(target, "old")
    if old.exists() and not target.exists():
        os.rename(old, target)
    for leftover in (old, _beside(target, "new")):
        _discard(leftover)


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")


def _put(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what was there is `new` afterwards, or gone."""
    if not target.exists():
        os.rename(new, target)
    elif not _exchange(new, target):
        old = _beside(target, "old")
        os.rename(target, old)
        try:
            os.rename(new, target)
        except BaseException:
            os.rename(old, target)
            raise
        _discard(old)


def _exchange(first: Path, second: Path) -> bool:
    """Let two paths change places in one step of the kernel (Linux); False where that is not known."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    fault = ctypes.get_errno()
    if fault in NOT_SUPPORTED:
        return False
    raise OSError(fault, os.strerror(fault), str(second))


def _discard(folder: Path) -> None:
    """Remove a folder that nobody needs; what cannot be removed now is removed by a later call."""
    shutil.rmtree(folder, ignore_errors=True)
