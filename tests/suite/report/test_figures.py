"""Every figure of a report once by hand: what stands on its axes, and where its points and lines lie."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import neurons
from suite.report import style
from suite.report.board import board
from suite.report.conditions import name_conditions
from suite.report.data_facts import chance
from suite.report.page_data import embedded
from suite.report.plots import PLOTS, Plot, of_baseline
from suite.report.plots.accuracy import MOST_NAMED
from suite.report.plots.panels import fitted, label_points, power, powers
from suite.report.result_page import facts
from suite.report.svg import inline
from suite.statistics import Estimate
from suite.studies.claims import claims
from suite.studies.forest import forest_of
from suite.studies.verdicts import Evidence, judge
from tasks.data import SOURCES
from tests.suite.report.handmade import Record, accuracy, rows, timing

T_OF_TWO = 12.7062
"""The quantile of Student's t for two seeds: their interval reaches so many standard errors to each side."""


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    """Titles stand where the style has them, whichever test ran before."""
    style.apply()
    yield
    plt.close("all")


def drawn(plot: Plot | str, *records: list[Record]) -> Figure:
    own = plot if isinstance(plot, Plot) else next(known for known in PLOTS if known.name == plot)
    data = own.data(rows(*records))
    assert data is not None
    return own.draw(data)


def labels(figure: Figure) -> tuple[str, list[str]]:
    """What stands below all panels, and beside those at the left."""
    return figure.get_supxlabel().replace("\n", " "), [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]


Place = tuple[float, ...]


def lines(axes: Axes) -> list[tuple[Place, Place]]:
    """Where the lines and points lie, across and up."""
    found = []
    for line in axes.lines:
        across, up = (tuple(round(float(own), 4) for own in values) for values in line.get_data())
        found.append((across, up))
    return found


def smallest(figure: Figure) -> float:
    """Points of the smallest text as it is drawn, an exponent being a text of its own."""
    file = io.StringIO()
    figure.savefig(file, format="svg")
    return min(float(own) for own in re.findall(r"font(?:-size)?: ([\d.]+)px", file.getvalue()))


def heads(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


@pytest.mark.parametrize("datasets", [["digits"], ["digits", "mnist5k"], ["digits", "mnist5k", "mnist1d"]])
@pytest.mark.parametrize("name", ["accuracy", "differences"])
def test_what_stands_below_the_panels_lies_within_the_figure(name: str, datasets: list[str]) -> None:
    plot = of_baseline("lif") if name == "differences" else name
    eight = [90.0 + seed for seed in range(8)]
    figure = drawn(plot, *(accuracy(who, own, eight) for who in ("lif", "clif") for own in datasets))
    figure.canvas.draw()
    (below,) = [text for text in figure.texts if text.get_text() == figure.get_supxlabel()]
    place = below.get_window_extent()
    assert 0 <= place.x0 < place.x1 <= figure.bbox.width


@pytest.mark.parametrize(("ends", "side"), [((2.0, 5.0), "right"), ((5.0, 8.0), "left")])
def test_a_name_stands_beside_the_bar_of_its_point(ends: tuple[float, float], side: str) -> None:
    """On the side to which the bar does not reach; above or below it where it reaches to both."""
    _, axes = plt.subplots()
    axes.plot([0, 10], [0, 10], linestyle="")
    label_points(axes, {"lif": (5.0, 5.0)}, [((ends[0], 5.0), (ends[1], 5.0))])
    label_points(axes, {"clif": (5.0, 5.0)}, [((2.0, 5.0), (8.0, 5.0))])
    beside, above = axes.texts
    assert beside.get_ha() == {"right": "left", "left": "right"}[side]
    assert above.get_position()[1] != 0


def test_nothing_of_a_page_stays_black() -> None:
    """On a dark page it could not be seen: not words, nor signs of a formula, each a text of its own, nor dots."""
    figure, axes = plt.subplots()
    axes.set_yscale("log")
    axes.set_title("words")
    axes.plot([1.0], [1.0], marker="o", color="black")
    file = io.StringIO()
    figure.savefig(file, format="svg")
    assert "<text>" in file.getvalue(), "powers of ten are formulas"
    root = ElementTree.fromstring(inline(file.getvalue(), "figure", "told"))
    assert root.get("fill") == "currentColor", "which all that has no colour of its own inherits"
    assert {"text", "use"} <= {element.tag.rpartition("}")[2] for element in root.iter()}
    for element in root.iter():
        told = f"{element.get('style')} {element.get('fill')} {element.get('stroke')}"
        assert not re.search(r"#0{3,6}\b|\bblack\b", told)


def gradients(neuron: str, spatial: list[float], by_lag: list[float]) -> list[Record]:
    """A trained layer whose temporal gradient depends on the lag alone."""
    own = {
        **{"task": "temporal_gradient", "neuron": neuron, "dataset": "digits", "layer": "neurons.0"},
        **{"settings": {"progress": 1.0}},
    }
    found = [{**own, "metric": "spatial_gradient", "step": step, "value": value} for step, value in enumerate(spatial)]
    for lag, value in enumerate(by_lag, 1):
        found.append({**own, "metric": "temporal_gradient_by_lag", "lag": lag, "value": value})
        steps = range(len(spatial) - lag)
        found += [
            {**own, "metric": "temporal_gradient", "step": step, "lag": lag, "value": value + step} for step in steps
        ]
    return found


def test_accuracy() -> None:
    """Means, intervals within 0 and 100, a tick a seed; the better neuron on top."""
    figure = drawn("accuracy", accuracy("lif", "digits", [80.0, 81.0]), accuracy("clif", "digits", [96.0, 98.0]))
    below, beside = labels(figure)
    assert below.startswith("test accuracy (%): mean, 95 % interval, a tick a seed (n = 2)")
    assert beside == []
    (axes,) = figure.axes
    assert heads(axes) == ["CLIF", "LIF"]
    assert axes.get_ylim() == (1.5, -0.5)
    found = lines(axes)
    assert ((97.0,), (0.0,)) in found
    assert ((80.5,), (1.0,)) in found
    half = T_OF_TWO / 2  # of two seeds that lie 1 apart
    assert ((round(80.5 - half, 4), round(80.5 + half, 4)), (1.0, 1.0)) in found
    assert ((round(97 - 2 * half, 4), 100.0), (0.0, 0.0)) in found


def test_differences() -> None:
    """CLIF's less LIF's: 10 and 12 points, filled where it is claimed."""
    figure = drawn(
        of_baseline("lif"), accuracy("lif", "digits", [80.0, 81.0]), accuracy("clif", "digits", [90.0, 93.0])
    )
    assert labels(figure)[0] == "accuracy minus LIF's on the same seeds (points); hollow: not distinguished"
    (axes,) = figure.axes
    assert heads(axes) == ["CLIF"]
    found = lines(axes)
    assert ((11.0,), (0.0,)) in found
    assert ((round(11 - T_OF_TWO, 4), round(11 + T_OF_TWO, 4)), (0.0, 0.0)) in found
    assert ((0.0, 0.0), (0.0, 1.0)) in found, "the line of no difference"
    (mark,) = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert mark.get_markerfacecolor() == "white"


def test_a_claimed_difference_is_filled() -> None:
    eight = [80.0 + seed for seed in range(8)]
    figure = drawn(
        of_baseline("lif"), accuracy("lif", "digits", eight), accuracy("clif", "digits", [v + 5 for v in eight])
    )
    (mark,) = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert mark.get_markerfacecolor() == mark.get_color() != "white"


def test_of_many_neurons_those_that_matter_are_named() -> None:
    """All of fourteen; of more those of the front, the baseline and one's own."""
    places = {name: (80.0 - place, 2.0 + place) for place, name in enumerate(neurons.names()[:16]) if name != "lif"}
    places |= {"lif": (70.0, 1.0), "mine": (60.0, 9.0), "clif": (50.0, 8.0), "glif": (99.0, 30.0)}
    for chosen in (list(places), ["lif", "mine", "clif", "glif"]):
        rows = [accuracy(name, "digits", [places[name][0]]) for name in chosen]
        times = [timing(name, places[name][1], places[name][1], places[name][1]) for name in chosen]
        (axes,) = drawn("cost", *rows, *times).axes
        named = {text.get_text() for text in axes.texts} - {"chance"}
        if len(chosen) > MOST_NAMED:
            assert named == {"LIF", "mine", "GLIF", "AdEx"}, "the others are slower and worse"
        else:
            assert named == {"LIF", "mine", "CLIF", "GLIF"}


def test_accuracy_against_time() -> None:
    """Across the times, up the accuracy; the front from the fastest to the most accurate."""
    points = (("lif", 90.0, 1.0), ("clif", 80.0, 2.0), ("if", 70.0, 0.5))
    times = [timing(name, time, 0.9 * time, 1.1 * time) for name, _, time in points]
    figure = drawn("cost", *(accuracy(name, "digits", [level]) for name, level, _ in points), *times)
    assert labels(figure) == ("time of a layer, times LIF's (log); left is faster", ["accuracy (%)"])
    (axes,) = figure.axes
    found = lines(axes)
    for _, level, time in points:
        assert ((time,), (level,)) in found
    assert ((0.5, 1.0, 2.0), (70.0, 90.0, 90.0)) in found
    assert axes.get_xscale() == "log"
    assert axes.get_yscale() == "linear"


def test_time_of_a_layer() -> None:
    """In ns, with the bar from the 20th to the 80th percentile; the fused kernel black, others grey."""
    figure = drawn("layer_time", timing("lif", 2.0, 1.5, 3.0), timing("lif", 8.0, 7.0, 9.0, backend="reference"))
    assert labels(figure)[0] == "ns a neuron and step, forward + backward (log)"
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "T=8, 4,096 neurons"
    where = {text: place for place, text in enumerate(heads(axes))}
    fused, other = where["LIF (cpu)"], where["LIF (reference)"]
    found = lines(axes)
    for place, median, low, high in ((fused, 2.0, 1.5, 3.0), (other, 8.0, 7.0, 9.0)):
        assert ((median,), (place,)) in found
        assert ((low, high), (place, place)) in found
    colours = {line.get_xdata()[0]: to_rgba(line.get_color()) for line in axes.lines if len(line.get_xdata()) == 1}
    assert colours == {2.0: to_rgba("black"), 8.0: to_rgba(style.GREY)}


@pytest.mark.parametrize(("odd", "told"), [(20.0, True), (5.0, False)])
def test_a_backend_that_is_slow_for_one_neuron_alone_is_told(odd: float, told: bool) -> None:
    """Beside the fused kernel 3 and 4 times as long for two neurons; for the third 20, or 5 times."""
    fused = {"lif": 1.0, "plif": 1.0, "clif": 2.0}
    slow = {"lif": odd, "plif": 3.0, "clif": 8.0}
    records = [timing(n, v, 0.9 * v, 1.1 * v, backend="cpu") for n, v in fused.items()]
    records += [timing(n, v, 0.9 * v, 1.1 * v, backend="compile") for n, v in slow.items()]
    plot = next(own for own in PLOTS if own.name == "layer_time")
    data = plot.data(rows(*records))
    assert data is not None
    sentence = (
        "By compile LIF takes 20.0 times its fused kernel's time, the others 3.0 to 4.0 times; its rounds agree "
        "(18.0 to 22.0 ns)."
    )
    assert (sentence in plot.finding(data)) == told
    assert ("By compile" in plot.finding(data)) == told


def test_speed_up() -> None:
    figure = drawn("speed_up", timing("lif", 1.0, 0.9, 1.1), timing("lif", 5.0, 4.5, 6.6, backend="reference"))
    assert labels(figure)[0] == "times as long as the fused kernel (log)"
    found = lines(figure.axes[0])
    assert ((5.0,), (0.0,)) in found
    assert ((round(4.5 / 1.1, 4), round(6.6 / 0.9, 4)), (0.0, 0.0)) in found
    assert ((1.0, 1.0), (0.0, 1.0)) in found, "the line of the fused kernel"


def test_roofline() -> None:
    """12 operations, 8 bytes, 3 ns: 1.5 operations a byte, 4 Gop/s, below 20 GB/s times the operations a byte."""
    counted = [
        {**timing("lif", 0, 0, 0)[0], "metric": metric, "value": value}
        for metric, value in (("operations", 12), ("least_bytes", 8))
    ]
    figure = drawn("roofline", timing("lif", 3.0, 2.0, 4.0, copy=20.0), counted)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("operations a byte (counted)", "Gop/s, forward + backward")
    assert lines(axes) == [((1.5,), (4.0,)), ((1.0, 2.25), (20.0, 45.0))]


def test_gradient_by_lag() -> None:
    """Shares of the spatial gradient, which is lag 0; the horizon at 1 %."""
    figure = drawn("gradient_by_lag", gradients("lif", [2.0, 2.0, 2.0], [1.0, 0.2]))
    assert labels(figure) == ("lag (steps from input to loss)", ["mean |gradient| over lag 0's"])
    (axes,) = figure.axes
    found = lines(axes)
    assert ((0.0, 1.0, 2.0), (1.0, 0.5, 0.1)) in found
    assert ((0.0, 1.0), (0.01, 0.01)) in found
    assert axes.get_yscale() == "log"


def test_gradient_between_steps() -> None:
    """Down the step of the loss, across that of the input; on the diagonal the spatial gradient, above nothing."""
    figure = drawn("gradient_between_steps", gradients("lif", [2.0, 3.0, 4.0], [10.0, 20.0]))
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("input at step t →", "← loss at step t'")
    image = next(axes.images[0] for axes in figure.axes if axes.images)
    assert image.get_array().filled(-1).tolist() == [[2, -1, -1], [10, 3, -1], [20, 11, 4]]
    assert smallest(figure) >= style.SMALL


@pytest.mark.parametrize(
    ("name", "metric", "label"),
    [("loss_curves", "test_loss", "test loss"), ("accuracy_curves", "test_accuracy", "test accuracy (%)")],
)
def test_learning_curves(name: str, metric: str, label: str) -> None:
    """The test set's, by epoch from 1 on; other metrics of the same run are not in it."""
    curves = {metric: (3.0, 2.0, 1.5), "train_loss": (9.0, 8.0, 7.0), "validation_accuracy": (10.0, 11.0, 12.0)}
    own = {"task": "accuracy", "neuron": "lif", "dataset": "digits"}
    points = [
        {**own, "metric": known, "step": epoch, "value": value}
        for known, values in curves.items()
        for epoch, value in enumerate(values, 1)
    ]
    figure = drawn(name, points)
    assert labels(figure) == ("epoch", [label])
    assert lines(figure.axes[0]) == [((1.0, 2.0, 3.0), (3.0, 2.0, 1.5))]


def cut_off_after(epochs: int, *values: float) -> list[Record]:
    """CLIF ends with one seed; another seed runs out of time."""
    own = {"task": "accuracy", "neuron": "clif", "dataset": "digits", "metric": "test_accuracy"}
    ended = [{**own, "step": number, "value": value} for number, value in enumerate(values, 1)]
    late = {**own, "seed": 7, "status": "timeout", "detail": "late"}
    cause = {**late, "metric": None, "value": None}
    return [*ended, cause, *({**late, "step": number, "value": 99.0} for number in range(1, epochs + 1))]


def test_a_training_that_was_cut_off_is_a_line_of_its_own() -> None:
    """Dotted, to a cross; and no average holds its points."""
    plot = next(known for known in PLOTS if known.name == "accuracy_curves")
    data = plot.data(rows(cut_off_after(2, 50.0, 60.0, 70.0)))
    assert data is not None
    (axes,) = plot.draw(data).axes
    _, late = axes.lines
    assert lines(axes) == [((1.0, 2.0, 3.0), (50.0, 60.0, 70.0)), ((1.0, 2.0), (99.0, 99.0))]
    assert (late.get_linestyle(), late.get_marker()) == (":", "x")
    assert plot.finding(data).endswith("digits: CLIF (70 %). Dotted, to a cross: 1 training that did not end.")


def test_the_cell_of_a_page_tells_of_trainings_that_were_cut_off() -> None:
    table = rows(
        accuracy("lif", "digits", [80.0, 81.0]), accuracy("clif", "digits", [90.0]), cut_off_after(2, 50.0, 60.0)
    )
    made = board(table, "lif")
    assert made is not None
    content = json.loads(gzip.decompress(base64.b64decode(embedded(table, made))))
    assert content["cut_off"] == {"digits": {"clif": [[7, "timed out: late", [99.0, 99.0]]]}}
    assert content["curves"] == {"digits": {"clif": [50.0, 60.0]}}
    (seeds,) = (own["seeds"] for own in content["sets"])
    assert seeds["clif"] == [[0, 90.0]]
    assert "2 seeds" in facts(name_conditions(table), {}), "a training that did not end is no seed"


@pytest.mark.parametrize("through", ["panels", "seaborn"])
def test_no_number_at_a_logarithmic_axis_is_smaller_than_print_needs(through: str) -> None:
    """matplotlib sets an exponent in seven tenths of its size."""
    figure, axes = plt.subplots()
    axes.plot([1, 100], [1e-12, 1.0])
    axes.set_yscale("log")
    if through == "panels":
        powers(axes.yaxis)
    else:
        fitted(figure)
    assert smallest(figure) >= style.SMALL
    assert "1e−8" in [text.get_text() for text in axes.get_yticklabels()]


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.001, "0.001"), (1e-4, "1e−4"), (2.5e-7, "2.5e−7"), (1e5, "1e5"), (2e4, "20000")]
)
def test_powers(value: float, text: str) -> None:
    assert power(value) == text


def test_as_it_is_and_tuned() -> None:
    """A ring at the mean as it is, a dot at the tuned one with its interval, and a line between."""
    chosen = {"tuning": "tuned", "trials": 2, "untuned": {"learning_rate": None}, "learning_rate": 0.1}
    before = accuracy("lif", "digits", [80.0, 81.0])
    figure = drawn("tuned", before, accuracy("lif", "digits", [90.0, 91.0], settings=chosen))
    assert labels(figure) == ("test accuracy (%): ring as it is, dot tuned with its 95 % interval", [])
    (axes,) = figure.axes
    assert heads(axes) == ["LIF"]
    half = T_OF_TWO / 2
    assert lines(axes) == [
        ((80.5, 90.5), (0.0, 0.0)),
        ((round(90.5 - half, 4), round(90.5 + half, 4)), (0.0, 0.0)),
        ((80.5,), (0.0,)),
        ((90.5,), (0.0,)),
    ]
    assert [line.get_markerfacecolor() == "white" for line in axes.lines[2:]] == [True, False]


def test_best_of_the_settings_tried() -> None:
    """After each setting the best of validation so far: it never falls."""
    points = [
        {"task": "tuning", "neuron": "lif", "dataset": "digits", "seed": 10_000, "settings": {"trial": trial}}
        | {"metric": metric, "value": value}
        for trial, accuracy_ in enumerate((70.0, 60.0, 75.0))
        for metric, value in (("accuracy_validation_best", accuracy_), ("validation_loss_selected", 1.0))
    ]
    figure = drawn("tuning_curves", points)
    assert labels(figure) == ("settings tried", ["best validation accuracy (%)"])
    assert lines(figure.axes[0]) == [((1.0, 2.0, 3.0), (70.0, 70.0, 75.0))]


def test_profiles() -> None:
    """Over eight data sets: one neuron without error, the other guesses, so none of its runs is above 0."""
    sets = [name for name, source in SOURCES.items() if source.download is None][:8]
    level = {name: chance(name, "{}") for name in sets}
    runs = [accuracy("lif", name, [100.0, 100.0]) for name in sets]
    runs += [accuracy("clif", name, [level[name]] * 2) for name in sets]
    figure = drawn("profiles", *runs)
    assert labels(figure) == ("score: 0 guessing, 1 no error", ["share of runs above it"])
    (axes,) = figure.axes
    found = {str(line.get_color()): (line.get_xdata(), line.get_ydata()) for line in axes.lines}
    colours = style.colours(["lif", "clif"])
    across, up = found[colours["lif"]]
    assert across[[0, -1]].tolist() == [0.0, 1.0]
    assert up.tolist() == [1.0] * 100 + [0.0]
    assert found[colours["clif"]][1].tolist() == [0.0] * 101


def test_critical_difference_diagram() -> None:
    """Three neurons in the same order on four data sets: ranks 1, 2 and 3, and Nemenyi's critical difference."""
    sets = ["digits", "mnist5k", "mnist5k_rows", "delayed_recall"]
    scores = (("clif", 90.0), ("lif", 80.0), ("if", 70.0))
    figure = drawn("ranks", *(accuracy(name, own, [value, value + 1]) for name, value in scores for own in sets))
    assert labels(figure) == ("mean rank (1 is best); bars of two that differ do not meet", [])
    (axes,) = figure.axes
    assert heads(axes) == ["CLIF", "LIF", "IF"]
    half = 3.3145 / math.sqrt(2) * math.sqrt(3 * 4 / (6 * 4)) / 2  # q of the studentized range for three, 5 %
    found = [line for line in lines(axes) if line[1] != (0.0, 1.0)]
    for place, (bar, dot) in enumerate(zip(found[::2], found[1::2], strict=True)):
        rank = place + 1.0
        assert bar[0] == pytest.approx((rank - half, rank + half), abs=1e-3)
        assert dot == ((rank,), (place,))
    colours = [to_rgba(line.get_color()) for line in axes.lines if len(line.get_xdata()) == 1]
    known = style.colours(["clif", "lif"])
    assert colours == [to_rgba(known["clif"]), to_rgba(known["lif"]), to_rgba(style.GREY)], "only IF is told from CLIF"
    assert lines(axes)[-1][0] == pytest.approx((1 + half, 1 + half), abs=1e-3)


@pytest.mark.parametrize(
    ("swapped", "sentence"),
    [
        (False, "CLIF ranks first (mean rank 1.0); 1 of 2 others are told from it: they lie 1.7 or more behind."),
        (True, "Friedman's test does not tell the neurons apart: their order says nothing."),
    ],
)
def test_ranks_claim_what_friedmans_test_allows(swapped: bool, sentence: str) -> None:
    sets = ["digits", "mnist5k", "mnist5k_rows", "delayed_recall"]
    records = [
        accuracy(name, own, [value, value + 1] if not (swapped and place % 2) else [160 - value, 161 - value])
        for name, value in (("clif", 90.0), ("lif", 80.0), ("if", 70.0))
        for place, own in enumerate(sets)
    ]
    plot = next(own for own in PLOTS if own.name == "ranks")
    data = plot.data(rows(*records))
    assert data is not None
    assert plot.finding(data) == f"Over 4 data sets {sentence}"


def test_claims_to_the_right_are_as_claimed() -> None:
    """An effect over the half width of its interval, turned where the claim says less."""
    known = {claim.asserts: claim for claim in claims().values() if claim.asserts in ("greater", "less")}
    effect = Estimate.of([2.0, 4.0, 3.0])
    findings = judge([(known[word], Evidence("", effect)) for word in ("greater", "less")])
    plot = forest_of(findings)
    data = plot.data(rows(accuracy("lif", "digits", [1.0])))
    assert data is not None
    found = dict(zip(data.claim, data.standardised, strict=True))
    share = 3 / effect.half_width
    assert found == {known["greater"].id: pytest.approx(share), known["less"].id: pytest.approx(-share)}
    (axes, *_) = plot.draw(data).axes
    assert axes.get_xlabel().endswith("right: as claimed")
    assert [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1] == list(data.standardised)


def test_no_figure_is_forgotten() -> None:
    """One more test is needed for a figure that is new."""
    assert {plot.name for plot in PLOTS} == {
        *("accuracy", "cost", "gradient_by_lag", "gradient_between_steps", "loss_curves", "accuracy_curves"),
        *("layer_time", "speed_up", "roofline", "tuned", "tuning_curves", "profiles", "ranks"),
    }
