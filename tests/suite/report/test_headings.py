"""Tables of many neurons: which heading each stands under, and that every format shows them."""

from __future__ import annotations

import csv
import io
import re

import pytest

import neurons
from neurons.selection import select
from suite.report import headings, names, style
from suite.report.board import Board
from suite.report.headings import OTHERS, OWN, UNGROUPED_UP_TO, sections
from suite.report.latex import MOST_LINES
from suite.report.table import Entry, Table

ALL = style.catalogue()


def grouped(whos: list[str]) -> dict[str, list[str]]:
    return dict(sections(whos, lambda who: who))


def table(whos: list[str], columns: int = 2) -> Table:
    lines = [(who, [Entry(f"{place}.{column}") for column in range(columns)]) for place, who in enumerate(whos)]
    header = ["neuron", *(f"set {column}" for column in range(columns))]
    return Table("many", "Many.", "", header, lines, ["a note"], by_kind=True)


def test_few_neurons_have_no_headings_however_often_they_ran() -> None:
    few = ALL[:UNGROUPED_UP_TO]
    assert grouped(few) == {"": few}
    often = [f"{name} ({backend})" for backend in ("cpu", "reference") for name in few]
    assert grouped(often) == {"": often}
    assert "" not in grouped([*few, ALL[-1]])
    assert grouped([]) == {}


def test_every_model_stands_once_under_what_it_is_in_the_order_given() -> None:
    found = grouped(ALL[::-1])
    assert sorted(who for own in found.values() for who in own) == sorted(ALL)
    assert all(own == [who for who in ALL[::-1] if who in own] for own in found.values())
    assert found["Levels"][::-1] == [who for who in ALL if who in select(["kind:levels"]) and who != "qrelu"]
    assert found["Whole sequences"][::-1] == [who for who in ALL if who in select(["kind:sequence"])]
    assert set(found["ANN baselines"]) == {"relu", "qrelu"}
    assert set(found["Spikes: adaptive"]) <= set(select(["tag:adaptive"]))
    assert {"lif", "clif"} <= set(found["Spikes: standard"])
    assert all(len(own) > 1 for own in found.values())
    heads = list(found)
    assert heads[0] == "Spikes: standard"
    assert heads[-4:] == [OTHERS, "Levels", "Whole sequences", "ANN baselines"]
    assert heads[1:-4] == sorted(heads[1:-4])


def test_a_tag_of_one_neuron_makes_no_heading() -> None:
    alone = "inhibitory_lif"
    assert neurons.get(alone).tags == ("inhibition",)
    assert alone in grouped(ALL)[OTHERS]
    assert headings.heading(alone) not in grouped(ALL)


def test_ones_own_neuron_comes_first() -> None:
    found = grouped([*ALL, "of_mine"])
    assert next(iter(found.items())) == (OWN, ["of_mine"])


def test_the_board_is_grouped_as_its_table() -> None:
    made = Board("lif", [], [])
    assert made.sections == []
    assert made.table().by_kind


def test_every_format_shows_headings_and_all_rows() -> None:
    made, found = table(ALL), grouped(ALL)
    for head, own in found.items():
        assert f"| *{head}* |  |  |" in made.markdown()
        assert f'<tr class="kind"><th scope="rowgroup" colspan="3">{head}</th></tr>' in made.html()
        assert rf"\multicolumn{{3}}{{l}}{{\textit{{{head}}}}} \\" in made.latex()
        assert head in list(map(str, made.rich().columns[0].cells))
        inside = made.html().split(f">{head}<")[1].split("</tbody>")[0]
        assert re.findall('<th scope="row">(.*?)</th>', inside) == [names.neuron(who) for who in own]
    assert made.html().count("<tbody>") == made.html().count("</tbody>") == len(found)
    lines = list(csv.DictReader(io.StringIO(made.csv())))
    assert [line["neuron"] for line in lines[::2]] == [who for own in found.values() for who in own]


@pytest.mark.parametrize("columns", [2, 14])
@pytest.mark.parametrize("more", range(0, 12, 3))
def test_no_page_of_a_latex_table_ends_with_a_heading(columns: int, more: int) -> None:
    made = table([*ALL, *(f"of_mine_{place}" for place in range(more))], columns)
    for tabular in made.latex().split(r"\begin{tabular}{")[1:]:
        body = [line for line in tabular.split(r"\midrule")[-1].splitlines() if line.endswith(r"\\")]
        assert 0 < len(body) <= MOST_LINES
        assert "multicolumn" not in body[-1]


def test_a_table_whose_order_says_who_is_better_is_not_grouped() -> None:
    made = Table("ranks", "Ranks.", "", ["neuron", "rank"], [(who, [Entry("1")]) for who in ALL])
    assert [head for head, _ in made.sections] == [""]
    assert "Spikes" not in made.markdown()
