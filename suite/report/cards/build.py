"""Writes the cards as pages: one a model, and a gallery of all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape

import neurons
from neurons import InvalidValue
from suite.report.cards.behaviour import behaviour
from suite.report.cards.card import BASELINE, KINDS, Card, card
from suite.report.cards.standing import published_runs
from suite.runs.folders import replacing_folder
from suite.runs.store import RunError

MARK = "cards.txt"
"""Stands in every folder of cards: one that holds it may be made anew."""


def build(folder: Path, published: Path, chosen: Sequence[str] = (), home: str = "") -> list[Path]:
    """Make a folder of cards anew; its pages, the gallery first.

    Args:
        published: folder of the published runs in which the models are looked up; those whose pages stand beside
            `folder` are linked.
        chosen: names of models; all that are registered unless given.
        home: where the list of all runs is, as the pages see it; empty if there is none.

    Raises:
        UnknownName: no such model.
        InvalidValue: a model's name cannot be that of a file.
        RunError: `folder` holds what is no cards; it is left as it is.
    """
    wanted = list(chosen) or neurons.names()
    for name in wanted:
        neurons.get(name)
        if not re.fullmatch(r"\w[\w.-]*", name) or name == "index":
            raise InvalidValue(f"the neuron '{name}' has no card: its file cannot be called {name}.html")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).is_file())):
        raise RunError(f"{folder} is no folder of cards and is not replaced; name another folder")
    runs, lif = published_runs(published), behaviour(BASELINE)
    cards = in_order([card(name, runs, lif) for name in wanted])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(folder) as new:
        write(new, cards, home)
    return [folder / "index.html", *(folder / f"{own.name}.html" for own in cards)]


def prose(text: str) -> Markup:
    """A sentence of a docstring, what stands in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def in_order(cards: Sequence[Card]) -> list[Card]:
    """By kind as the gallery shows them, and by title within a kind."""
    kinds = list(KINDS)
    return sorted(cards, key=lambda own: (kinds.index(own.kind), own.title.lower()))


def write(folder: Path, cards: Sequence[Card], home: str) -> None:
    """The pages of these cards, each with links to its neighbours."""
    loader = ChoiceLoader([PackageLoader("suite.report.cards"), PackageLoader("suite.report")])
    environment = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)
    environment.filters["prose"] = prose
    beside = folder.resolve().parent.glob("*/report/index.html")
    pages = {path.parent.parent.name: f"../{path.parent.parent.name}/report/index.html" for path in beside}
    page, gallery = environment.get_template("card.html"), environment.get_template("gallery.html")
    (folder / MARK).write_text("Pages that the suite writes: this folder is made anew as a whole.\n", encoding="utf-8")
    for place, own in enumerate(cards):
        before, after = cards[place - 1], cards[(place + 1) % len(cards)]
        text = page.render(card=own, before=before, after=after, kinds=KINDS, home=home, pages=pages)
        (folder / f"{own.name}.html").write_text(text, encoding="utf-8")
    tags = sorted({tag for own in cards for tag in own.tags})
    groups = [(kind, title, [own for own in cards if own.kind == kind]) for kind, title in KINDS.items()]
    shown = [group for group in groups if group[2]]
    text = gallery.render(groups=shown, count=len(cards), tags=tags, home=home)
    (folder / "index.html").write_text(text, encoding="utf-8")
