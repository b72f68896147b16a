"""The index of all published runs of a folder: README.md for a repository, of a site also index.html."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from suite.publish.content import FIGURES, figure_of, is_published_run, pictures_of, tables_of
from suite.publish.names import link
from suite.report import closing, gpus
from suite.report.links import CARDS
from suite.report.result_page import cores
from suite.runs.store import RunError, read_provenance, write_atomically

HEADER = ("run", "finding", "date", "commit", "machine", "shown in")
GPU_HEADER = (*gpus.HEADER, "run")
MARKS = {"README.md": "finding | date | commit | machine |", "index.html": 'aria-label="Published runs"'}
"""The files of the index, and what stands in no other: without it, a file of that name is somebody's own."""
OTHERWISE = {"README.md": "published-runs.md", "index.html": "published-runs.html"}
"""What the files are called where one of the names above is taken."""
ORDER = ("accuracy", *(name for name in FIGURES if name != "accuracy"))
"""By which picture stands for it a run comes earlier: as they are, then tuned, then what FIGURES lists."""
UNKNOWN = "unknown"
TITLES = {"index": "results", "paper": "claims", "explorer": "accuracy against cost"}
"""What pages are called where their file's name says little."""
ROWS_ALONE = "`nox -s site` builds the pages of these runs from their rows, in `build/site`."


@dataclass(frozen=True)
class PublishedRun:
    """A line of the index.

    Attributes:
        shown: title and relative URL of its pages, the one that answers its question first, or of figure and tables.
        question, sentence: what the run asks and found, from its report.
        figure: relative URL of a picture of it; empty if there is none.
        place: where it stands among the others.
    """

    name: str
    date: str
    commit: str
    machine: str
    shown: list[tuple[str, str]]
    question: str = ""
    sentence: str = ""
    figure: str = ""
    place: int = 0


@dataclass(frozen=True)
class Withdrawn:
    """A published statement that was wrong; `root`/withdrawn.csv holds them, by hand, one a line."""

    date: str
    run: str
    said: str
    why: str


def write_index(root: Path, pages: bool = False) -> list[Path]:
    """Make the index of all runs below `root` anew; the files that it was written to.

    A run whose provenance is poor or broken has a line of what is known. Where an index.html or README.md stands that
    is no index of runs, both are left as they are, and the index is published-runs.html and .md.

    Args:
        pages: the runs stand here with their pages, and a browser reads them: the index is index.html too.

    Raises:
        RunError: these names are taken as well, or withdrawn.csv cannot be read.
    """
    folders = [entry for entry in sorted(root.iterdir()) if not entry.name.startswith(".") and not entry.is_symlink()]
    runs = sorted((_described(folder) for folder in folders if is_published_run(folder)), key=_order)
    withdrawn = _withdrawn(root / "withdrawn.csv")
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=select_autoescape())
    cards = link(CARDS, "index.html") if (root / CARDS / "index.html").is_file() else ""
    measured = [[*line, folder.name] for folder in folders if is_published_run(folder) for line in gpus.read(folder)]
    texts = {"README.md": _markdown(runs, withdrawn, measured, pages)}
    if pages:
        texts["index.html"] = environment.get_template("published.html").render(
            runs=runs, withdrawn=withdrawn, cards=cards, gpu_header=GPU_HEADER, gpus=measured, about_gpus=gpus.CAPTION
        )
    ours = all(_ours(root / name, MARKS[name]) for name in texts)
    names = {name: name if ours else OTHERWISE[name] for name in texts}
    for kind, name in names.items():
        if not _ours(root / name, MARKS[kind]):
            raise RunError(f"{root / name} is no index of published runs and is not overwritten; rename it")
    for kind, text in texts.items():
        write_atomically(root / names[kind], text)
    return [root / name for name in names.values()]


def _ours(path: Path, mark: str) -> bool:
    """Whether a file may be written: it is not there, or an index that was written before."""
    if not os.path.lexists(path):
        return True
    return path.is_file() and not path.is_symlink() and mark in path.read_text(encoding="utf-8", errors="replace")


def _markdown(
    runs: Sequence[PublishedRun], withdrawn: Sequence[Withdrawn], measured: Sequence[Sequence[str]], pages: bool
) -> str:
    lines = ["# Published results", ""] if pages else ["# Published results", "", ROWS_ALONE, ""]
    lines += _table(HEADER, map(_line, runs))
    if measured:
        lines += [
            "",
            "## GPUs",
            "",
            gpus.CAPTION,
            "",
            *_table(GPU_HEADER, ([*map(_escaped, line)] for line in measured)),
        ]
    if withdrawn:
        facts = ([entry.date, entry.run, entry.said, entry.why] for entry in withdrawn)
        lines += ["", "## Withdrawn", ""]
        lines += _table(["date", "run", "what was said", "why it was withdrawn"], ([*map(_escaped, f)] for f in facts))
    return "\n".join(lines) + "\n"


def _line(run: PublishedRun) -> list[str]:
    shown = ", ".join(f"[{_escaped(title)}]({place})" for title, place in run.shown)
    return [*map(_escaped, (run.name, run.sentence, run.date, run.commit, run.machine)), shown]


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *lines)]


def _withdrawn(path: Path) -> list[Withdrawn]:
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [Withdrawn(**line) for line in csv.DictReader(file, strict=True)]
    except (TypeError, UnicodeDecodeError, csv.Error) as error:
        columns = ",".join(field.name for field in fields(Withdrawn))
        raise RunError(f"{path} cannot be read ({error}); its first line is {columns}") from error


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, inside of a table."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!$])", r"\\\1", " ".join(text.split()))


def _described(folder: Path) -> PublishedRun:
    provenance = read_provenance(folder)
    report = folder / "report"
    pages = sorted(report.glob("*.html"), key=lambda path: (path.stem != "index", path))
    files = [path for path in pages if not _moved(path)]
    shown = [(TITLES.get(page.stem, page.stem), link(folder.name, "report", page.name)) for page in files]
    figure = figure_of(folder, "svg" if files else "png")
    if not files:
        kept = [*pictures_of(folder), *tables_of(folder)]
        shown = [(Path(place).stem.replace("_", " "), link(folder.name, *place.split("/"))) for place in kept]
    told = closing.read(report)
    return PublishedRun(
        folder.name,
        str(provenance.get("date") or UNKNOWN)[:10],
        _commits(provenance),
        machines(provenance),
        shown,
        str(told["question"]),
        str(told["sentence"]),
        link(folder.name, *figure.split("/")) if figure else "",
        ORDER.index(Path(figure).stem) if figure else len(ORDER),
    )


def _order(run: PublishedRun) -> tuple[int, str]:
    """Runs that compare neurons first, as they are and tuned, then claims, packages and times; of one kind by name."""
    return run.place, run.name


def _moved(page: Path) -> bool:
    """Whether a page only leads to another."""
    return 'http-equiv="refresh"' in page.read_text(encoding="utf-8", errors="replace")[:500]


def parts(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The provenance of each run that was merged into one; of a run that was not, its own."""
    inner: list[Mapping[str, Any]] = provenance.get("merged", [])
    return [*inner, provenance] if "command" in provenance or not inner else inner


def _commits(provenance: Mapping[str, Any]) -> str:
    commits = [str(part.get("commit") or UNKNOWN)[:10] for part in parts(provenance)]
    dirty = {"False": "", "True": " (dirty)"}.get(str(provenance.get("dirty")), " (not known whether dirty)")
    return ", ".join(dict.fromkeys(commits)) + dirty


def machines(provenance: Mapping[str, Any]) -> str:
    """The machines that a run was measured on, in words."""
    return "; ".join(dict.fromkeys(_machine(part.get("machine")) for part in parts(provenance)))


def _machine(known: Any) -> str:
    if not isinstance(known, dict) or not known.get("cpu"):
        return UNKNOWN
    gpu = [str(known["gpu"])] if known.get("gpu") else []
    return ", ".join([str(known["cpu"]), cores(known), *gpu])
