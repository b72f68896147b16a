"""What a published run consists of, and copying that."""

from __future__ import annotations

import shutil
from pathlib import Path

from suite.runs.store import RunError

HIDDEN_LINK, SHOWN_LINK = b'href="../../index.html" hidden', b'href="../../index.html"'
"""A page's link to the index of all runs, before and after it stands beside one."""
COPIED = ("results.parquet", "provenance.json", "groups.json", "plan.json", "format.json", "report")
"""results.csv says the same as results.parquet in ten times the bytes."""


def published_files(run: Path) -> list[Path]:
    """The files of a run that are published.

    Raises:
        RunError: one is a link, or no file at all. Links are not followed: they may lead to what nobody meant to show.
    """
    found: list[Path] = []
    for entry in (run / name for name in COPIED):
        for path in (entry, *(sorted(entry.rglob("*")) if entry.is_dir() and not entry.is_symlink() else ())):
            if path.is_symlink():
                raise RunError(f"{path} is a link to {path.readlink()}; publish follows no links: put the file there")
            if path.is_file():
                found.append(path)
            elif path.exists() and not path.is_dir():
                raise RunError(f"{path} is neither a file nor a folder; remove it")
    return found


def is_published_run(folder: Path) -> bool:
    """Whether a folder holds a published run, if a poor one."""
    return any((folder / name).is_file() for name in ("results.parquet", "provenance.json"))


def copy_run(run: Path, target: Path, before: Path | None = None) -> None:
    """Fill the empty folder `target` with a run, readable as the umask allows.

    Args:
        before: the folder that `target` is to replace; what somebody put there beside the run is kept.
    """
    for path in published_files(run):
        place = target / path.relative_to(run)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    show_index(target)
    for entry in sorted(before.iterdir()) if before is not None and before.is_dir() else ():
        if entry.name not in COPIED:
            _keep(entry, target / entry.name)


def show_index(run: Path) -> None:
    """Let the pages of a run that stands beside an index of all runs lead there."""
    for page in (run / "report").glob("*.html"):
        page.write_bytes(page.read_bytes().replace(HIDDEN_LINK, SHOWN_LINK))


def _keep(entry: Path, place: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, place, symlinks=True)
    else:
        shutil.copy2(entry, place, follow_symlinks=False)
