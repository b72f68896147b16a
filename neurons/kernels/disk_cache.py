"""Files that are dear to make and kept on disk for the next process: compiled kernels, generated sources.

A file's name ends with a hash of its content. So one rename puts file and hash in place together, and whatever was cut
short, overwritten or exchanged since is noticed before it is used.
"""

from __future__ import annotations

import getpass
import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurons import user_folders
from neurons.errors import BackendUnavailable

HASH_DIGITS = 16
STALE_SECONDS = 24 * 3600
"""Age at which what an interrupted process left half made is removed."""
HALF_MADE = ("*.tmp", "tmp*", "making-*")

_said: set[str] = set()
_tidied: set[Path] = set()


class DiskCache:
    """Files of one kind ("kernels", "sources", …), in a folder of that name below the user's cache.

    Where that folder cannot be written, a folder below the system's temporary one takes its place, with a warning.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def find(self, name: str) -> Path | None:
        """The kept file that was stored as `name`, its content verified; None if there is none.

        `name` may hold the wildcards of `glob`. A broken file is set aside as `*.broken`, with a warning.
        """
        for folder in self._folders():
            for path in _matching(folder, name):
                fault = _fault(path)
                if fault is None:
                    return path
                self.set_aside(path, fault)
        return None

    def read(self, name: str) -> bytes | None:
        """The content of `find(name)`."""
        path = self.find(name)
        return None if path is None else path.read_bytes()

    def store(self, name: str, content: bytes, temporary: bool = False) -> Path:
        """Keep `content` as `name`, whole or not at all, also under power cuts and parallel processes.

        Args:
            temporary: keep it in the system's temporary folder only.

        Raises:
            BackendUnavailable: no folder can be written.
        """
        fault = ""
        for folder in self._folders()[1 if temporary else 0 :]:
            try:
                return _write(folder / _with_hash(name, content), content)
            except OSError as error:
                fault = fault or f"{folder}: {error.strerror or error}"
                _say(f"cannot write to the cache {fault}; a temporary folder is used; set XDG_CACHE_HOME to another")
        raise BackendUnavailable(f"no place for a {self.kind} file: {fault}; set XDG_CACHE_HOME to a writable folder")

    def set_aside(self, path: Path, fault: str) -> None:
        """Rename a file that cannot be used to `*.broken`, and say so."""
        _say(f"{path} is broken ({fault}): set aside as {path.name}.broken and made again")
        with suppress(OSError):
            os.replace(path, path.with_name(f"{path.name}.broken"))

    def _folders(self) -> list[Path]:
        """Where to look and write, the user's cache first."""
        user, temporary = user_folders.cache(), _temporary_root()
        if not user.is_absolute():  # a relative XDG_CACHE_HOME, or no home at all: it would lie in the current folder
            _say(f"the cache '{user}' is not an absolute path; a temporary folder is used; set XDG_CACHE_HOME to one")
        roots = [root for root in (user, temporary) if root is not None and root.is_absolute()]
        return [root / self.kind for root in roots]


@contextmanager
def working_folder() -> Iterator[Path]:
    """An empty folder to make something in, removed at the end (that of a killed process: by a later one)."""
    root = _temporary_root() or user_folders.cache()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _tidy(root)
        work = Path(tempfile.mkdtemp(prefix="making-", dir=root))
    except OSError as error:
        raise BackendUnavailable(
            f"no folder to work in: {root}: {error.strerror}; set TMPDIR to a writable one"
        ) from None
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _temporary_root() -> Path | None:
    """A folder of this user alone below the system's temporary one: kernels that another user wrote are never run."""
    try:
        root = (
            Path(tempfile.gettempdir())
            / f"{user_folders.PROJECT}-{os.getuid() if hasattr(os, 'getuid') else getpass.getuser()}"
        )
        root.mkdir(mode=0o700, exist_ok=True)
        found = root.lstat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (root.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return root


def _with_hash(name: str, content: bytes) -> str:
    path = Path(name)
    return f"{path.stem}-{_hash(content)}{path.suffix}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def _matching(folder: Path, name: str) -> list[Path]:
    path = Path(name)
    pattern = f"{glob.escape(str(folder))}/{path.stem}-{'[0-9a-f]' * HASH_DIGITS}{path.suffix}"
    return [Path(found) for found in sorted(glob.glob(pattern))]


def _fault(path: Path) -> str | None:
    """What is wrong with a kept file, or None."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    expected = re.fullmatch(rf".*-([0-9a-f]{{{HASH_DIGITS}}})", path.stem)
    if expected is None or expected[1] != _hash(content):
        return "it is empty" if not content else "its content is not what was stored"
    return None


def _write(target: Path, content: bytes) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target.parent)
    work = target.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with open(work, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(work, target)
    finally:
        with suppress(OSError):
            work.unlink(missing_ok=True)
    with suppress(OSError):  # the rename itself; not every system lets a folder be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return target


def _tidy(folder: Path) -> None:
    """Remove what interrupted processes left, once a process."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    for pattern in HALF_MADE:
        for path in folder.glob(pattern):
            with suppress(OSError):
                if time.time() - path.lstat().st_mtime < STALE_SECONDS:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def _say(message: str) -> None:
    if message not in _said:
        _said.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)
