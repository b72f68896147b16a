"""The pages of all published runs, built anew from their rows: `python -m suite.publish.site`, or `nox -s site`.

Pages follow from rows and code, so they are not kept with the rows; a branch or a release can hold this folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from suite.publish.build import build
from suite.publish.content import ROWS, copy_run, is_published_run, published_files, show_index
from suite.publish.index import write_index
from suite.publish.local import PUBLISHED
from suite.publish.models import make_cards
from suite.report.links import CARDS
from suite.runs.folders import replacing_folder
from suite.runs.store import RunError
from suite.runs.text import plain

SITE = Path("build/site")
MARK = ".nojekyll"
"""Stands in every site: GitHub serves its files as they are, and a folder that holds it may be made anew."""


def build_site(published: Path = PUBLISHED, site: Path = SITE, models: Sequence[str] = ()) -> list[Path]:
    """Make `site` anew: each published run with its report, the cards of models, and the index of all; its pages.

    Args:
        models: names of those that have cards; all that are registered unless given.

    Raises:
        RunError: there is no published run; one cannot be read; or `site` holds what is no site. The site stays as it
            was then.
    """
    runs = [folder for folder in _folders(published) if is_published_run(folder)]
    if not runs:
        raise RunError(f"{published} holds no published run; `python -m suite publish RUN` publishes one")
    if site.exists() and (not site.is_dir() or (any(site.iterdir()) and not (site / MARK).is_file())):
        raise RunError(f"{site} is no site of published runs and is not replaced; name another folder")
    site.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(site) as new:
        (new / MARK).touch()
        for run in runs:
            show_index(build_run(run, new / run.name))
        if (published / "withdrawn.csv").is_file():
            shutil.copyfile(published / "withdrawn.csv", new / "withdrawn.csv")
        make_cards(new / CARDS, new, models, home="../index.html")
        write_index(new, pages=True)
    places = ("*.html", "*/report/*.html", f"{CARDS}/*.html")
    return [path for place in places for path in sorted(site.glob(place))]


def _folders(published: Path) -> list[Path]:
    entries = sorted(published.iterdir()) if published.is_dir() else []
    return [entry for entry in entries if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")]


def build_run(run: Path, target: Path) -> Path:
    """Make the folder `target`: the rows of a published run and the report that they give now.

    Raises:
        RunError: the run holds links, or no rows that can be read.
    """
    target.mkdir()
    for path in published_files(run):
        if path.name in ROWS:
            shutil.copyfile(path, target / path.name)
    try:
        build(target)
    except RunError as error:
        raise RunError(f"{run} has no readable rows: {error}") from error
    return target


def renew(published: Path = PUBLISHED) -> list[Path]:
    """Make anew what is kept of the reports of published runs, and their list: it follows from rows and code.

    Raises:
        RunError: a run holds links, or no rows that can be read; it stays as it was.
    """
    runs = [folder for folder in _folders(published) if is_published_run(folder)]
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            built = build_run(run, Path(folder) / run.name)
            with replacing_folder(run) as new:
                copy_run(built, published_files(built), new, run)
    write_index(published)
    return runs


def main(arguments: Sequence[str] | None = None) -> int:
    """The line of `nox -s site`; 0, or 2 with one line that says why there is no site."""
    parser = argparse.ArgumentParser(prog="python -m suite.publish.site", description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, nargs="?", default=SITE, help=f"folder to make anew; default {SITE}")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help=f"default {PUBLISHED}")
    parser.add_argument("--renew", action="store_true", help="make anew what is kept with the rows, and no site")
    options = parser.parse_args(arguments)
    try:
        if options.renew:
            print(f"kept with the rows, made anew: {', '.join(run.name for run in renew(options.published))}")
            return 0
        pages = build_site(options.published, options.site)
    except (RunError, OSError) as error:
        print(f"site: {plain(error)}", file=sys.stderr)
        return 2
    print(f"site: {len(pages)} pages, {(options.site / 'index.html').resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
