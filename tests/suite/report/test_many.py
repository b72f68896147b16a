"""What stays readable with forty neurons and more."""

import pandas as pd
import pytest

from suite.report import names, style
from suite.report.latex import MOST_LINES
from suite.report.plots.accuracy import PLOTS as ACCURACY
from suite.report.plots.chosen import ALL_UP_TO, MOST, chosen
from suite.report.plots.gradient import PLOTS as GRADIENT
from suite.report.plots.learning import PLOTS as LEARNING
from suite.report.plots.speed import PLOTS as SPEED
from suite.report.plots.tuning import PLOTS as TUNING
from suite.report.table import Entry, Table
from suite.report.trade_offs import MOST_NAMED, _entry

MANY = [name for name in style.catalogue() if name != "lif"]
"""Of the suite: what it does not know is somebody's own, which figures always name."""

BOTH = [*MANY, "lif"]


def test_a_figure_names_all_of_a_few_and_the_first_of_many() -> None:
    assert chosen(MANY[:ALL_UP_TO]) == MANY[:ALL_UP_TO]
    board = [*MANY[:-1], "lif (cpu)", MANY[-1]]
    assert chosen(board) == [*MANY[:MOST], "lif (cpu)"]
    assert chosen(board, MANY[-1]) == [*MANY[:MOST], MANY[-1]]
    assert chosen([*board, "of_mine"]) == [*MANY[:MOST], "lif (cpu)", "of_mine"]


def test_the_best_of_a_data_set_are_named_for_a_few_and_counted_beyond() -> None:
    facts = {"where": "digits", "dataset": "digits", "seed": 0, "chance": 10.0, "tested": True}
    records = [{**facts, "who": who, "value": 90.0 - place, "beaten": who == "lif"} for place, who in enumerate(BOTH)]
    finding = next(plot for plot in ACCURACY if plot.name == "accuracy").finding(pd.DataFrame(records))
    listed = ", ".join(names.neuron(who) for who in BOTH[:4])
    assert finding == f"Best on digits: {listed} and {len(BOTH) - 5} more (90.0 %)."


def _table(rows: int, columns: int) -> Table:
    lines = [(f"model{place}", [Entry(f"{place}.{column}") for column in range(columns)]) for place in range(rows)]
    return Table(
        "long", "Long.", "", ["neuron", *(f"data set {column}" for column in range(columns))], lines, ["a note"]
    )


def _environments(text: str) -> list[str]:
    return text.split(r"\end{table")[:-1]


@pytest.mark.parametrize("columns", [2, 14])
def test_a_latex_table_goes_on_where_a_page_ends(columns: int) -> None:
    found = _environments(_table(60, columns).latex())
    assert len(found) > 1
    assert all(sum(line.startswith("model") for line in own.splitlines()) <= MOST_LINES for own in found)
    for place in range(60):
        for column in range(columns):
            assert sum(f" {place}.{column} " in own for own in found) == 1, f"{place}.{column}"
    assert [r"\label{tab:long}" in own for own in found] == [True, *[False] * (len(found) - 1)]
    assert [r"Continues Table~\ref{tab:long}" in own for own in found] == [False, *[True] * (len(found) - 1)]
    assert ["a note" in own for own in found] == [*[False] * (len(found) - 1), True]


def test_a_latex_table_that_a_page_holds_is_one() -> None:
    assert len(_environments(_table(MOST_LINES, 2).latex())) == 1


def test_who_beats_a_neuron_is_named_for_a_few_and_counted_beyond() -> None:
    points = {who: (float(place),) for place, who in enumerate(["glif", "plif", "klif", "clif", "alif", "lif"])}
    assert _entry("clif", points).text == "by GLIF, PLIF, KLIF"
    assert MOST_NAMED == 4
    assert _entry("lif", points).text == "by GLIF, PLIF, KLIF, CLIF and 1 more"


def _figure(plots: list, name: str, data: pd.DataFrame):
    return next(plot for plot in plots if plot.name == name).draw(data)


def test_of_many_gradients_the_longest_are_named_and_the_others_grey() -> None:
    records = [
        {"panel": "digits", "who": who, "lag": lag, "value": 1.0, "share": 1.0 if lag == 0 else 10.0 ** (-place / 10)}
        for place, who in enumerate([*MANY, "lif"])
        for lag in (0, 1)
    ]
    data = pd.DataFrame(records)
    figure = _figure(GRADIENT, "gradient_by_lag", data)
    grey = [line for line in figure.axes[0].lines if line.get_color() == style.FAINT]
    named = {text.get_text() for text in figure.axes[0].texts}
    assert named == {names.neuron(who) for who in [*MANY[:MOST], "lif"]}
    assert len(grey) == len(MANY) - MOST


def test_of_many_curves_those_that_end_best_are_drawn() -> None:
    known = [*MANY, "lif"]
    records = [
        {"where": "digits", "who": who, "epoch": epoch, "mean": 50.0 + epoch * (len(known) - place), "half_width": 0.0}
        for place, who in enumerate(known)
        for epoch in (0, 1)
    ]
    figure = _figure(LEARNING, "accuracy_curves", pd.DataFrame(records))
    assert len(figure.axes[0].lines) == MOST + 1  # and LIF, which ends last


def test_of_many_layers_the_fastest_are_drawn_however_they_ran() -> None:
    known = [*MANY, "lif"]
    records = [
        {
            "size": "T=8",
            "who": f"{who} ({way})",
            "backend": way,
            "value": place + 1.0,
            "p20": place + 0.9,
            "p80": place + 1.1,
        }
        for place, who in enumerate(known)
        for way in ("cpu", "reference")
    ]
    (axes,) = _figure(SPEED, "layer_time", pd.DataFrame(records)).axes
    drawn = [text.get_text() for text in axes.get_yticklabels()]
    expected = [f"{who} ({way})" for who in [*MANY[:MOST], "lif"] for way in ("cpu", "reference")]
    assert sorted(drawn) == sorted(map(names.neuron, expected))


def test_of_many_speed_ups_the_largest_are_drawn() -> None:
    known = [*MANY, "lif"]
    records = [
        {
            "size": "T=8",
            "who": who,
            "backend": "reference",
            "speed_up": 100.0 - place,
            "low": 90.0 - place,
            "high": 110.0,
        }
        for place, who in enumerate(known)
    ]
    axes = _figure(SPEED, "speed_up", pd.DataFrame(records)).axes[0]
    assert {text.get_text() for text in axes.get_yticklabels()} == {names.neuron(who) for who in [*MANY[:MOST], "lif"]}


def test_of_many_on_the_roofline_some_are_named_and_the_others_grey() -> None:
    known = [*MANY, "lif"]
    records = [
        {"size": "T=8", "who": who, "operations_per_byte": 1.0 + place, "gigaoperations_per_second": 100.0 - place}
        for place, who in enumerate(known)
    ]
    figure = _figure(SPEED, "roofline", pd.DataFrame(records).assign(copy_bandwidth=20.0))
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {names.neuron(who) for who in known} & texts == {names.neuron(who) for who in [*MANY[:MOST], "lif"]}
    grey = [line for line in figure.axes[0].lines if line.get_color() == style.GREY and line.get_marker() == "."]
    assert len(grey) == len(MANY) - MOST


def test_of_many_tuned_those_that_end_best_are_drawn() -> None:
    known = [*MANY, "lif"]
    sides = [
        {"where": "digits", "dataset": "digits", "who": who, "trials": 8, "before": 50.0, "after": 90.0 - place}
        for place, who in enumerate(known)
    ]
    data = pd.DataFrame(sides).assign(low=1.0, high=99.0, found=False, moved="")
    axes = _figure(TUNING, "tuned", data).axes[0]
    expected = {names.neuron(who) for who in [*MANY[:MOST], "lif"]}
    assert {text.get_text() for text in axes.get_yticklabels()} == expected
    tried = [
        {"where": "digits", "who": who, "settings_tried": trial, "best": 10.0 * trial - place}
        for place, who in enumerate(known)
        for trial in (1, 2)
    ]
    figure = _figure(TUNING, "tuning_curves", pd.DataFrame(tried))
    assert len(figure.axes[0].lines) == MOST + 1
    assert {text.get_text() for text in figure.legends[0].get_texts()} == expected
