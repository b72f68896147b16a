"""What a report orders, marks and leaves out, on both sides of each decision, from rows made by hand."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from suite.report import beside, closing, packages, page_data, rivals_rows, rivals_tables, style, timings
from suite.report.answer import answer
from suite.report.board import against, board
from suite.report.certainty import undecided
from suite.report.comparison import improvements, rank_matrix
from suite.report.conditions import name_conditions
from suite.report.outcomes import outcomes
from suite.report.over_datasets import aggregate
from suite.report.plots import PLOTS
from suite.report.plots.accuracy import _differences
from suite.report.sampling import sampling
from suite.report.setup import setup
from suite.report.tables import accuracy as accuracy_table
from suite.report.tables import layer_throughput
from suite.report.trade_offs import frontier
from suite.report.tuned import moved, sides
from suite.statistics import paired_differences, seeds_to_tell
from tests.suite.report import test_rivals
from tests.suite.report.handmade import Record, accuracy, rows, timing
from tests.suite.report.test_by_hand import bytes_of, entries, on_board, seeds_of
from tests.suite.report.test_trade_offs import added, answers, curve, texts
from tests.suite.report.test_tuned import level, tuned_accuracy

TURNS = [1.0, -1.0, 1.0, -1.0, 1.5, -1.5, 0.5, -0.5]
"""What no test tells from nothing."""


def around(neuron: str, dataset: str, mean: float) -> list[Record]:
    return accuracy(neuron, dataset, [mean + own for own in TURNS])


def test_the_probability_is_that_of_the_neuron_against_the_baseline() -> None:
    run = rows(*(accuracy(n, d, seeds_of(v, 0.1)) for d in "ab" for n, v in (("lif", 80.0), ("clif", 90.0))))
    assert entries(improvements(run, "lif")) == {"clif": {"P(better)": "1.00", "interval": "1.00 to 1.00"}}
    assert entries(improvements(run, "clif")) == {"lif": {"P(better)": "0.00", "interval": "0.00 to 0.00"}}


def test_the_condition_with_most_data_sets_is_ranked_before_a_fused_one() -> None:
    def by(dataset: str, backend: str, add: float) -> list[list[Record]]:
        return [accuracy(n, dataset, [v + add], backend=backend) for n, v in (("lif", 70.0), ("clif", 80.0))]

    wide = [*by("a", "reference", 0.0), *by("b", "reference", 1.0)]
    narrow = [*by("a", "cpu", 5.0), *by("b", "compile", 5.0)]
    assert rank_matrix(rows(*wide, *narrow)).to_dict("index") == {
        "a": {"clif": 80.0, "lif": 70.0},
        "b": {"clif": 81.0, "lif": 71.0},
    }
    equal = [*wide, *by("a", "cpu", 5.0), *by("b", "cpu", 6.0)]
    assert rank_matrix(rows(*equal)).lif.tolist() == [75.0, 76.0], "of as many the fused"


def test_the_data_set_that_tells_most_apart_comes_first() -> None:
    levels = {"equal": (90.0, 90.1), "near": (80.0, 85.0), "far": (50.0, 70.0)}
    run = rows(*(around(n, d, v) for d, own in levels.items() for n, v in zip(("lif", "clif"), own, strict=True)))
    assert [own.dataset for own in outcomes(name_conditions(run))] == ["far", "near", "equal"]


def test_leaders_stand_by_their_means_and_not_by_their_names() -> None:
    run = rows(around("glif", "digits", 90.2), accuracy("clif", "digits", [90.0] * 8), around("lif", "digits", 50.0))
    (found,) = outcomes(name_conditions(run))
    assert found.leaders == ["glif", "clif"]
    assert answer(run, "lif").sentence.startswith("On digits GLIF and CLIF are best (up to 90.2 %).")


def test_ranks_that_the_seeds_leave_open_are_a_range() -> None:
    run = rows(
        accuracy("clif", "digits", [99.0] * 8), around("lif", "digits", 50.0), accuracy("if", "digits", [50.0] * 8)
    )
    assert {who: own["digits"][1] for who, own in on_board(run).items()} == {
        "clif": "best",
        "lif": "rank 2–3",
        "if": "rank 2–3",
    }


def test_seeds_are_corrected_for_the_neurons_of_the_data_set() -> None:
    """Two comparisons with the baseline share the 5 %."""
    run = rows(
        accuracy("lif", "digits", [80.0] * 8), around("clif", "digits", 80.3), accuracy("glif", "digits", [90.0] * 8)
    )
    named = name_conditions(run)
    (own,) = outcomes(named)
    made = undecided(named, [own], "lif")
    assert made is not None
    differences = paired_differences(own.values["clif"], own.values["lif"])
    found = {who: line[0].text for who, line in made.rows}
    assert found == {"glif": "higher", "clif": f"{seeds_to_tell(differences, 2):,.0f}"}
    assert seeds_to_tell(differences, 1) < seeds_to_tell(differences, 2)


def test_a_difference_is_filled_by_the_corrected_p_alone() -> None:
    """Eight neurons of p = 0.0156 each, together 0.0703: see `test_a_claim_stands_on_the_corrected_p`."""
    steps = [1, 2, 3, 4, 5, 6, 7, -0.5]
    many = ["plif", "klif", "glif", "clif", "if", "relu", "alif", "synaptic"]
    others = [
        accuracy(name, "digits", [80.0 + step for step in steps[at:] + steps[:at]]) for at, name in enumerate(many)
    ]
    base = accuracy("lif", "digits", [80.0] * 8)
    for shown, claimed in ((others, False), (others[:1], True)):
        data = _differences(rows(base, *shown), "lif")
        assert data is not None
        assert data.claimed.tolist() == [claimed] * len(shown)


def test_the_load_of_a_size_is_that_of_its_baseline() -> None:
    """Two neurons that were timed together are more, and still it is they that stand apart from LIF."""
    run = rows(
        timing("lif", 1.0, 0.9, 1.1, copy=9.0),
        timing("clif", 2.0, 1.9, 2.1, copy=3.0),
        timing("if", 3.0, 2.9, 3.1, copy=3.0),
    )
    column = "T=8, 4,096 neurons: both (ns)"
    found = {who: own[column] for who, own in entries(layer_throughput(run)).items()}
    assert found == {"lif": "1.00 (0.90–1.10)", "clif": "‡", "if": "‡"}


def test_sizes_rise_by_length_then_by_neurons() -> None:
    sizes = ((64, 512), (8, 4096), (8, 1024))
    run = rows(*(timing("lif", 1.0, 1.0, 1.0, timesteps=T, settings={"elements": n}) for T, n in sizes))
    assert list(dict.fromkeys(timings.sizes(run)["size"])) == [
        "T=8, 1,024 neurons",
        "T=8, 4,096 neurons",
        "T=64, 512 neurons",
    ]


def test_parameters_are_no_cost_of_the_front() -> None:
    run = rows(
        *(accuracy(who, "digits", [v]) for who, v in (("lif", 90.0), ("glif", 91.0))),
        *(timing(who, 1.0, 1.0, 1.0) for who in ("lif", "glif")),
        added("lif", 1000, 0, 6),
        added("glif", 1100, 100, 6),
    )
    assert texts(frontier(run, "lif")) == {"glif": ["on the front"], "lif": ["by GLIF"]}


def test_means_over_data_sets_stand_from_the_best_of_who_was_run_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.report.data_facts.chance", lambda dataset, settings: 50.0)
    levels = {"lif": 60.0, "clif": 80.0, "if": 90.0}
    run = [accuracy(n, f"set{k}", [v]) for k in range(8) for n, v in levels.items() if (n, k) != ("if", 3)]
    assert list(texts(aggregate(rows(*run)))) == ["clif", "lif"]


def test_a_cost_that_a_neuron_lacks_is_not_told_of_it() -> None:
    peaks = [{**bytes_of("lif", 8.0)[0], "metric": "peak_bytes"}]
    times = [timing("lif", 1.0, 0.95, 1.05), timing("mine", 1.24, 1.2, 1.3)]
    run = rows(*(around(n, "digits", v) for n, v in (("lif", 80.0), ("mine", 88.0))), *times, peaks)
    assert against(run, "mine", "lif").endswith("*, time 1.24 ×.")


def test_ones_own_neuron_is_not_told_of_beside_itself(tmp_path: Path) -> None:
    run = rows(*(around(n, "digits", v) for n, v in (("lif", 80.0), ("mine", 88.0))), timing("mine", 1.0, 1.0, 1.0))
    for baseline, told in (("lif", 1), ("mine", 0)):
        closing.closing_sentences(tmp_path, run, baseline, [])
        assert len(closing.read(tmp_path)["own"]) == told


def test_the_largest_change_by_tuning_may_be_a_loss() -> None:
    run = rows(
        accuracy("lif", "digits", level(95)),
        accuracy("clif", "digits", level(41)),
        tuned_accuracy("lif", "digits", level(60), 0.01),
        tuned_accuracy("clif", "digits", level(51), 0.02),
    )
    assert moved(sides(run)) == "LIF loses most by it, 35.0 points on digits."


@pytest.mark.parametrize("column", ["machine", "versions"])
def test_machines_and_versions_of_a_device_are_columns_of_their_own(column: str) -> None:
    own = {"task": "throughput", "neuron": "lif", "network": None, "timesteps": 8, "settings": {"elements": 1024}}
    own |= {"metric": "forward_backward_time"}
    on_card = {"device": "cuda (H100)", "backend": "triton", column: "torch 1"}
    found = beside.table(
        rows(
            [{**own, column: "torch 1", "value": 4.0}, {**own, column: "torch 2", "value": 5.0}],
            [{**own, **on_card, "value": 0.01}],
        )
    )
    assert found is not None
    assert found.header[1:] == ["cpu on cpu, torch 1", "cpu on cpu, torch 2", "triton on cuda (H100)"]


def test_a_layer_whose_input_needs_a_gradient_is_not_the_published_setting() -> None:
    for gradient, there in ((False, 1), (True, 0)):
        size = {**test_rivals.SIZE, "input_gradient": gradient}
        found = rivals_rows.lines(test_rivals.rows(test_rivals.measured("lif", "cpu", 0.5, **size)))
        assert len(rivals_rows.published_setting(found)) == there


def test_only_what_has_no_reset_is_the_fastest_without_one() -> None:
    size = {"timesteps": 256, "batch_size": 2, "width": 32}
    own = [test_rivals.measured(name, "cpu", 0.5, time=1.0, **size) for name in ("reset_free", "lif")]
    table = rivals_tables.lengths(rivals_rows.over_time(rivals_rows.lines(test_rivals.rows(*own))))
    assert table is not None
    assert [entries[1].best for _, entries in table.rows] == [name != "LIF, fused" for name, _ in table.rows]


@pytest.mark.parametrize(("ratio", "best"), [(2.0, False), (0.9, False), (0.5, True)])
def test_a_package_is_faster_beyond_what_both_spreads_allow(ratio: float, best: bool) -> None:
    """Ten per cent to each side of both: from 0.9/1.1 to 1.1/0.9 times the ratio."""
    ends = {"low": 0.9 * ratio, "high": 1.1 * ratio, "own_low": 0.9, "own_high": 1.1}
    found = packages._ratio(SimpleNamespace(ratio=ratio, same_load=True, **ends))
    assert found.spread == (pytest.approx(ratio * 0.9 / 1.1), pytest.approx(ratio * 1.1 / 0.9))
    assert found.best is best


def test_the_kernels_of_the_longest_run_are_shown() -> None:
    own = {"task": "throughput", "neuron": "lif", "backend": "cpu", "metric": "kernel_calls", "detail": "fused C"}
    table = packages.what_ran(rows([{**own, "timesteps": T, "value": float(T)} for T in (8, 100, 32)]))
    assert table is not None
    assert [[entry.text for entry in line] for _, line in table.rows] == [["cpu", "100", "100", "fused C"]]


@pytest.mark.parametrize(
    ("relation", "word"),
    [
        ("same", "same"),
        ("same within rounding, by 3e-7", "within rounding"),
        ("different model: at step 3", "another model"),
    ],
)
def test_who_computes_the_same_model(relation: str, word: str) -> None:
    own = {"task": "equivalence", "neuron": "snntorch.leaky", "backend": "snntorch", "metric": "different_spikes"}
    table = packages.matrix(rows([{**own, "value": 1.0, "detail": relation}]))
    assert table is not None
    assert entries(table) == {"lif": {"snntorch": f"leaky: {word}"}}


def test_samples_of_each_seeds_own_are_as_many_samples() -> None:
    """Eight answers of which half are right, where seeds that share their samples have four."""
    own = [answers("lif", 0, [1, 1, 0, 0], [1, 2, 3, 4]), answers("lif", 1, [1, 0, 1, 0], [4, 3, 2, 1])]
    half = 100 * 1.959964 * np.std([1, 1, 0, 0, 1, 0, 1, 0], ddof=1) / np.sqrt(8)
    assert texts(sampling(rows(*own), "lif"))["lif"][4] == f"{half:.2f}" == "37.04"


def test_a_page_takes_the_baseline_that_costs_are_over() -> None:
    run = rows(timing("lif", 8.0, 7.0, 9.0, backend="compile"), timing("lif", 0.5, 0.4, 0.6))
    made = board(run, "lif")
    assert made is not None
    assert [line.who for line in made.lines] == ["lif (compile)", "lif (cpu)"]
    assert page_data._who(made, "lif") == "lif (cpu)"


def test_curves_of_a_page_go_by_epoch() -> None:
    own = {"task": "accuracy", "neuron": "lif", "dataset": "digits", "metric": "test_accuracy"}
    points = [{**own, "step": step, "value": value} for step, value in ((3, 70.0), (1, 50.0), (2, 60.0))]
    assert page_data._curves(name_conditions(rows(points)), {"digits"}) == {"digits": {"lif": [50.0, 60.0, 70.0]}}


@pytest.mark.parametrize(("values", "drawn"), [((12.0, 15.0), True), ((90.0, 91.0), False)])
def test_guessing_is_drawn_where_it_is_near(values: tuple[float, ...], drawn: bool) -> None:
    style.apply()
    plot = next(own for own in PLOTS if own.name == "accuracy")
    data = plot.data(rows(accuracy("lif", "digits", values)))
    assert data is not None
    figure = plot.draw(data)
    assert any(text.get_text() == "chance" for axes in figure.axes for text in axes.texts) is drawn
    plt.close(figure)


def test_the_table_of_what_was_run() -> None:
    """256 of 1,257 samples; a network of 64·16 + 16·16 + 16·10 weights, norms and biases, whatever else was run in it;
    the T of those that have a memory; who still rises."""
    settings = {"train_samples": 256, "width": 16, "timesteps": 4, "epochs": 4, "batch_size": 64}
    scores = [
        *accuracy("glif", "digits", [90.0], settings=settings),
        *accuracy("relu", "digits", [95.0], settings=settings, timesteps=1),
    ]
    curves = [*curve("glif", 0, [50, 60, 70, 80], 1.0), *curve("relu", 0, [90, 95, 95, 95], 1.0)]
    run = rows(scores, [{**own, "settings": settings} for own in curves])
    made = setup(run)
    assert made is not None
    ((where, line),) = made.rows
    found = dict(zip(made.header[1:], (entry.text for entry in line), strict=True))
    assert where == "digits"
    assert found["train / val. / test"] == "256 / 180 / 360"
    assert (found["input"], found["chance (%)"], found["T"]) == ("64", "10", "4")
    assert (found["network"], found["parameters"]) == ("mlp, width 16", f"{1024 + 256 + 160 + 2 * 32 + 10:,}")
    assert (found["epochs"], found["batch"], found["converged"]) == ("4", "64", "no: GLIF")
    level_curves = [{**own, "settings": settings} for own in curve("glif", 0, [80, 80, 80, 80], 1.0)]
    calm = setup(rows(scores, level_curves))
    assert calm is not None
    assert calm.rows[0][1][made.header.index("converged") - 1].text == "yes"


def test_an_estimate_of_a_csv_is_of_as_many_seeds() -> None:
    made = accuracy_table(
        rows(accuracy("lif", "digits", [90.0, 91.0, 95.0])), "accuracy_selected", "accuracy", "Accuracy."
    )
    assert made is not None
    found = pd.read_csv(io.StringIO(made.csv()))
    assert (found["mean"].tolist(), found["count"].tolist()) == ([92.0], [3])
