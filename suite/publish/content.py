"""What a published run consists of, and copying that.

Kept are the rows with their provenance, the answer, and the figures and tables that a reader of the repository sees.
Pages and everything else of a report follow from rows and code: `suite.publish.site` builds them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from suite.report import closing, gpus
from suite.report.links import link_cards
from suite.runs.store import RunError

HIDDEN_LINK, SHOWN_LINK = b'href="../../index.html" hidden', b'href="../../index.html"'
"""A page's link to the index of all runs, before and after it stands beside one."""
ROWS = ("results.parquet", "provenance.json", "groups.json", "plan.json", "format.json")
"""results.csv says the same as results.parquet in ten times the bytes."""
REPORT = "report"
FIGURES = ("tuned", "accuracy", "claims", "package_times", "neuron_share", "layer_time")
"""Pictures of a run, the most telling first; the first that there is stands for the run."""
DIAGRAM = "ranks"
"""The critical-difference diagram."""
TABLES = ("board", "mean_rank", "tuned", "tuned_settings", "verdicts", "relations", "onm_today", gpus.NAME)
"""Tables that say what a run found: of neurons, ranks, tuning, claims, packages, a published setting, GPUs."""
OWN = (*ROWS, REPORT)
"""What belongs to a run in its folder; anything else there is somebody's own."""


def figure_of(run: Path, suffix: str) -> str | None:
    """The picture that stands for a run, relative to it, or None if it has none of that format."""
    places = (f"{REPORT}/plots/{name}.{suffix}" for name in FIGURES)
    return next((place for place in places if os.path.lexists(run / place)), None)


def pictures_of(run: Path) -> list[str]:
    """What is kept of its figures, relative to it: the one that stands for it, and how its neurons rank."""
    diagram = f"{REPORT}/plots/{DIAGRAM}.png"
    return [place for place in (figure_of(run, "png"), diagram) if place and os.path.lexists(run / place)]


def tables_of(run: Path) -> list[str]:
    """The tables that say what a run found, relative to it."""
    places = (f"{REPORT}/tables/{name}.md" for name in TABLES)
    return [place for place in places if os.path.lexists(run / place)]


def published_files(run: Path) -> list[Path]:
    """The files of a run that are published.

    Raises:
        RunError: one is a link, or no file at all. Links are not followed: they may lead to what nobody meant to show.
    """
    figures = [place.replace(".png", ending) for place in pictures_of(run) for ending in (".png", ".csv")]
    found = []
    of_gpus = f"{REPORT}/tables/{gpus.NAME}.csv"  # the index joins those of all runs
    for place in (*ROWS, f"{REPORT}/{closing.FILE}", *figures, *tables_of(run), of_gpus):
        path = run / place
        for own in (*reversed(path.parents[: place.count("/")]), path):
            if own.is_symlink():
                raise RunError(f"{own} is a link to {own.readlink()}; publish follows no links: put the file there")
        if path.is_file():
            found.append(path)
        elif path.exists():
            raise RunError(f"{path} is no file; remove it")
    return found


def is_published_run(folder: Path) -> bool:
    """Whether a folder holds a published run, if a poor one."""
    return any((folder / name).is_file() for name in ("results.parquet", "provenance.json"))


def copy_run(run: Path, files: Iterable[Path], target: Path, before: Path | None = None) -> None:
    """Fill the empty folder `target` with files of a run, readable as the umask allows.

    Args:
        before: the folder that `target` is to replace; what somebody put there beside the run is kept.
    """
    for path in files:
        place = target / path.relative_to(run)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    for entry in sorted(before.iterdir()) if before is not None and before.is_dir() else ():
        if entry.name not in OWN:
            _keep(entry, target / entry.name)


def show_index(run: Path) -> None:
    """Let the pages of a run that stands beside an index of all runs lead there, and to the cards beside it."""
    for page in (run / REPORT).glob("*.html"):
        page.write_bytes(page.read_bytes().replace(HIDDEN_LINK, SHOWN_LINK))
    link_cards(run)


def _keep(entry: Path, place: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, place, symlinks=True)
    else:
        shutil.copy2(entry, place, follow_symlinks=False)
