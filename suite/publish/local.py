"""A run's rows, provenance and report go to results/published/NAME/, and the index of all runs is made anew."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from suite.runs.store import RunError, planned_keys, read_provenance, read_results

PUBLISHED = Path("results/published")
LARGEST_BYTES = 20 * 1024 * 1024
COPIED = ("results.parquet", "provenance.json", "groups.json", "report")
"""results.csv says the same as results.parquet in ten times the bytes."""


def publish(run: Path, name: str, force: bool, root: Path = PUBLISHED) -> Path:
    """Copy a run to `root`/`name` and return that folder.

    Raises:
        RunError: the run is from uncommitted code, incomplete, or too large, and `force` is not given.
    """
    rows, provenance = read_results(run), read_provenance(run)
    faults = []
    if provenance.get("dirty") is not False:
        faults.append("its code was not committed")
    bad = rows[rows.status.isin(["failed", "timeout"])].cell.nunique()
    if bad:
        faults.append(f"{bad} cells failed or ran out of time")
    unmeasured = planned_keys(run) - set(rows.cell)
    if unmeasured:
        faults.append(f"{len(unmeasured)} cells are not measured yet")
    sizes = [path.stat().st_size for entry in COPIED for path in _files(run / entry)]
    if sum(sizes) > LARGEST_BYTES:
        faults.append(f"it has {sum(sizes) / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f} MB")
    if faults and not force:
        raise RunError(f"{run} is not published: {'; '.join(faults)}; --force publishes it all the same")
    target = root / name
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for entry in COPIED:
        source = run / entry
        if source.is_dir():
            shutil.copytree(source, target / entry)
        elif source.exists():
            shutil.copy2(source, target / entry)
    write_index(root)
    return target


def _files(path: Path) -> list[Path]:
    return [entry for entry in path.rglob("*") if entry.is_file()] if path.is_dir() else [path] if path.exists() else []


def write_index(root: Path) -> None:
    """The index of all runs below `root`: README.md for a repository, index.html for a browser."""
    runs = [_described(folder) for folder in sorted(root.iterdir()) if (folder / "provenance.json").exists()]
    lines = ["# Published results", "", "| run | date | commit | machine | pages |", "| --- | --- | --- | --- | --- |"]
    for run in runs:
        pages = ", ".join(f"[{title}]({place})" for title, place in run.pages)
        lines.append(f"| {run.name} | {run.date} | {run.commit} | {run.machine} | {pages} |")
    withdrawn = _withdrawn(root)
    if withdrawn:
        lines += [
            "",
            "## Withdrawn",
            "",
            "| date | run | what was said | why it was withdrawn |",
            "| --- | --- | --- | --- |",
        ]
        lines += [f"| {entry.date} | {entry.run} | {entry.said} | {entry.why} |" for entry in withdrawn]
    (root / "README.md").write_text("\n".join(lines) + "\n")
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=select_autoescape())
    (root / "index.html").write_text(environment.get_template("published.html").render(runs=runs, withdrawn=withdrawn))


@dataclass(frozen=True)
class Withdrawn:
    """A published statement that was wrong; `root`/withdrawn.csv holds them, by hand, one a line."""

    date: str
    run: str
    said: str
    why: str


def _withdrawn(root: Path) -> list[Withdrawn]:
    path = root / "withdrawn.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [Withdrawn(**line) for line in csv.DictReader(file)]


@dataclass(frozen=True)
class PublishedRun:
    """A line of the index."""

    name: str
    date: str
    commit: str
    machine: str
    pages: list[tuple[str, str]]


def _described(folder: Path) -> PublishedRun:
    provenance = json.loads((folder / "provenance.json").read_text())
    machine = provenance["machine"]
    pages = [(page.stem, f"{folder.name}/report/{page.name}") for page in sorted((folder / "report").glob("*.html"))]
    commit = (provenance["commit"] or "")[:10] + (" (dirty)" if provenance["dirty"] else "")
    place = f"{machine['cpu']}, {machine['cores']} cores"
    return PublishedRun(folder.name, provenance["date"][:10], commit, place, pages)
