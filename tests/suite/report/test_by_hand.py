"""Numbers that a report prints, each once by hand from rows for which every plausible slip gives another result."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from suite.report import comparison, timings
from suite.report.board import board
from suite.report.comparison import differences, improvements, mean_ranks, rank_matrix
from suite.report.plots import speed
from suite.report.plots.accuracy import _against_cost
from suite.report.table import Table
from suite.report.tables import accuracy as accuracy_table
from suite.report.tables import layer_throughput, memory, temporal_gradient, training_speed
from tests.suite.report.handmade import Record, accuracy, rows, timing


def entries(table: Table | None) -> dict[str, dict[str, str]]:
    """Texts by row and column, bold ones in stars."""
    assert table is not None
    return {
        name: {
            column: f"*{entry.text}*" if entry.best else entry.text
            for column, entry in zip(table.header[1:], own, strict=True)
        }
        for name, own in table.rows
    }


def seeds_of(level: float, drift: float = 1.0) -> list[float]:
    return [level + drift * seed for seed in range(8)]


def bytes_of(neuron: str, saved: float, **more: Any) -> list[Record]:
    own = {"task": "memory", "neuron": neuron, "network": None, "timesteps": 8, "metric": "saved_bytes"}
    return [{**own, "value": saved, **more}]


def test_fewer_bytes_are_bold_and_what_prints_alike_with_them() -> None:
    found = entries(memory(rows(bytes_of("lif", 8.0), bytes_of("clif", 4.0), bytes_of("if", 4.01))))
    assert {name: own["saved, T=8 (B)"] for name, own in found.items()} == {
        "lif": "8.0",
        "clif": "*4.0*",
        "if": "*4.0*",
    }


def test_lengths_stand_in_rising_order() -> None:
    table = memory(rows(*(bytes_of("lif", 4.0, timesteps=steps) for steps in (100, 8, 64))))
    assert table is not None
    assert table.header[1:] == ["saved, T=8 (B)", "saved, T=64 (B)", "saved, T=100 (B)"]


@pytest.mark.parametrize(("progress", "words"), [(0.0, "untrained"), (1.0, "trained"), (0.5, "50% trained")])
def test_state_of_training_names_the_column(progress: float, words: str) -> None:
    own = {"task": "temporal_gradient", "neuron": "lif", "dataset": "digits", "metric": "temporal_ratio"}
    layers = [{**own, "layer": f"neurons.{k}", "value": value} for k, value in enumerate((1.0, 2.0, 6.0))]
    found = entries(
        temporal_gradient(rows([{**r, "settings": {"progress": progress}} for r in layers]), "temporal_ratio")
    )
    assert found == {"lif": {f"digits, {words}": "3.00"}}


def test_two_protocols_are_two_columns() -> None:
    table = rows(accuracy("lif", "digits", [90.0]), accuracy("lif", "digits", [70.0], protocol="published"))
    found = entries(accuracy_table(table, "accuracy_selected", "accuracy", "Accuracy."))
    assert found == {"lif": {"digits, protocol=controlled (%)": "90.0", "digits, protocol=published (%)": "70.0"}}


def test_the_front_keeps_what_nothing_beats_in_both() -> None:
    """(90 %, 1 ×) and (70 %, 0.5 ×) stand, (80 %, 2 ×) is beaten."""
    points = (("lif", 90.0, 1.0), ("clif", 80.0, 2.0), ("if", 70.0, 0.5))
    times = [timing(name, time, 0.9 * time, 1.1 * time) for name, _, time in points]
    data = _against_cost(rows(*(accuracy(name, "digits", [level]) for name, level, _ in points), *times))
    assert data is not None
    assert dict(zip(data.who, data.front, strict=True)) == {"lif": True, "clif": False, "if": True}
    assert dict(zip(data.who, data.times, strict=True)) == pytest.approx({"lif": 1.0, "clif": 2.0, "if": 0.5})


def test_speed_up_is_the_other_backend_over_the_fused_one() -> None:
    data = speed._speed_ups(rows(timing("lif", 1.0, 0.9, 1.1), timing("lif", 5.0, 4.5, 6.6, backend="reference")))
    assert data is not None
    (line,) = data.to_dict("records")
    assert (line["backend"], line["speed_up"]) == ("reference", 5.0)
    assert (line["low"], line["high"]) == (pytest.approx(4.5 / 1.1), pytest.approx(6.6 / 0.9))


def test_roofline_divides_operations_by_bytes_and_by_time() -> None:
    counted = [
        {**timing("lif", 0, 0, 0)[0], "metric": m, "value": v} for m, v in (("operations", 12), ("least_bytes", 8))
    ]
    (line,) = speed._roofline(rows(timing("lif", 3.0, 2.0, 4.0, copy=20.0), counted)).to_dict("records")
    assert (line["operations_per_byte"], line["gigaoperations_per_second"], line["copy_bandwidth"]) == (1.5, 4.0, 20.0)


def on_board(table: pd.DataFrame, baseline: str = "lif") -> dict[str, dict[str, tuple[str, str, bool]]]:
    """Text, second line and whether it is among the best, by row and column of the board."""
    made = board(table, baseline)
    assert made is not None
    return {
        line.who: {c.key: (f.text, f.below, f.best) for c, f in zip(made.columns, line.fields, strict=True)}
        for line in made.lines
    }


def test_the_most_accurate_everywhere_has_rank_one() -> None:
    levels = {"lif": 70.0, "clif": 90.0, "if": 80.0}
    table = rows(*(accuracy(name, d, [level, level + 1]) for d in "abcd" for name, level in levels.items()))
    found = entries(mean_ranks(table))
    assert {name: own["mean rank"] for name, own in found.items()} == {"clif": "*1.00*", "if": "*2.00*", "lif": "3.00"}
    assert list(on_board(table)) == ["clif", "if", "lif"], "by their means where no test can speak"


def test_the_board_has_tiers_instead_of_ranks() -> None:
    """CLIF and IF take turns at the top by as much, LIF is below both in every seed, ReLU far below."""
    turns = [1.0, -1.0, 1.0, -1.0, 1.5, -1.5, 0.5, -0.5]
    table = rows(
        accuracy("clif", "digits", [90 + t for t in turns]),
        accuracy("if", "digits", [90.0] * 8),
        accuracy("lif", "digits", [80.0 + t for t in turns]),
        accuracy("relu", "digits", [20.0] * 8),
    )
    found = {who: own["digits"] for who, own in on_board(table).items()}
    assert {who: (below, best) for who, (_, below, best) in found.items()} == {
        "if": ("best", True),
        "clif": ("best", True),
        "lif": ("rank 3", False),
        "relu": ("rank 4", False),
    }


def test_the_board_claims_nothing_from_three_seeds() -> None:
    found = on_board(rows(accuracy("lif", "digits", [10.0] * 3), accuracy("clif", "digits", [90.0, 91.0, 92.0])))
    assert {own["digits"][1:] for own in found.values()} == {("", False)}


def test_costs_of_the_board_are_over_the_baseline_that_was_asked_for() -> None:
    times = [timing("lif", 1.0, 0.9, 1.1), timing("clif", 3.0, 2.9, 3.1), timing("if", 1.5, 1.4, 1.6)]
    memory_of = [{**bytes_of(name, value)[0], "metric": "peak_bytes"} for name, value in (("lif", 8.0), ("clif", 12.0))]
    table = rows(*times, memory_of)
    over_lif, over_clif = on_board(table), on_board(table, "clif")
    assert {who: own["time"][0] for who, own in over_lif.items()} == {"lif": "1.00", "clif": "3.00", "if": "1.50"}
    assert {who: own["time"][0] for who, own in over_clif.items()} == {"lif": "0.333", "clif": "1.00", "if": "0.500"}
    assert over_lif["clif"]["memory"][:2] == ("1.50", "12.0 B")
    assert over_lif["if"]["memory"][0] == "—"


@pytest.mark.parametrize("order", [1, -1])
def test_a_layer_without_a_number_leaves_no_mean_over_layers(order: int) -> None:
    """Of seed 0 one layer's ratio is none; the mean is that of seed 1 alone, whichever layer comes first."""
    own = {"task": "temporal_gradient", "neuron": "lif", "dataset": "digits", "metric": "temporal_ratio"}
    own |= {"settings": {"progress": 1.0}}
    values = [(0, "a", 1.0), (0, "b", None), (1, "a", 2.0), (1, "b", 4.0)]
    made = [{**own, "seed": seed, "layer": layer, "value": value} for seed, layer, value in values][::order]
    for record in made:
        if record["value"] is None:
            record.update(status="nonfinite", detail="temporal_ratio is nan")
    table = temporal_gradient(rows(made), "temporal_ratio")
    ((_, (entry,)),) = table.rows
    assert entry.estimate is not None
    assert entry.estimate.values == (3.0,)
    assert entry.text == "3.00 †"
    (note,) = [own for own in table.footnotes if own.startswith("†")]
    assert "temporal_ratio is nan" in note


def test_the_board_counts_no_spikes_of_what_does_not_spike() -> None:
    rates = [
        {**accuracy(name, "digits", [0.5])[0], "metric": "firing_rate", "layer": "neurons.0", "value": value}
        for name, value in (("lif", 0.1), ("clif", 0.2), ("relu", 0.4))
    ]
    scores = [accuracy(name, "digits", [90.0]) for name in ("lif", "clif", "relu")]
    found = {who: own["events"][:2] for who, own in on_board(rows(*scores, rates)).items()}
    assert found == {"lif": ("1.00", "10.0 %"), "clif": ("2.00", "20.0 %"), "relu": ("no spikes", "")}


def test_the_board_times_the_fused_kernel_apart_from_others() -> None:
    table = rows(timing("lif", 0.5, 0.4, 0.6), timing("lif", 8.0, 7.0, 9.0, backend="reference"))
    found = {who: own["time"][:2] for who, own in on_board(table).items()}
    assert found == {"lif (cpu)": ("1.00", "0.500 ns"), "lif (reference)": ("16.0", "8.00 ns")}


def test_a_difference_is_the_neuron_minus_the_baseline_seed_by_seed() -> None:
    table = rows(accuracy("lif", "digits", seeds_of(80.0)), accuracy("clif", "digits", seeds_of(82.0)))
    assert entries(differences(table, "lif")) == {"clif": {"digits (points)": "*2.0 ± 0 **"}}
    assert entries(differences(table, "clif")) == {"lif": {"digits (points)": "−2.0 ± 0 *"}}


def test_a_claim_stands_on_the_corrected_p() -> None:
    """Differences 1, …, 7, −0.5, each neuron's −0.5 in another seed: p = 4/256. The signs that make one neuron's all
    alike are another's for each: of eight neurons p = 2 (1 + 8)/256 = 0.0703, so that none is claimed."""
    steps = [1, 2, 3, 4, 5, 6, 7, -0.5]
    names = ["plif", "klif", "glif", "clif", "if", "relu", "alif", "synaptic"]
    others = [
        accuracy(name, "digits", [80.0 + step for step in steps[place:] + steps[:place]])
        for place, name in enumerate(names)
    ]
    base = accuracy("lif", "digits", [80.0] * 8)
    found = entries(comparison.tests(rows(base, *others), "lif"))
    assert {line["p"] for line in found.values()} == {"0.0156"}
    assert {line["corrected p"] for line in found.values()} == {"0.0703"}
    assert {line["verdict"] for line in found.values()} == {"not distinguished"}
    alike = [accuracy(name, "digits", [80.0 + step for step in steps]) for name in names]
    found = entries(comparison.tests(rows(base, *alike), "lif"))
    assert {(line["corrected p"], line["verdict"]) for line in found.values()} == {("0.0156", "higher")}


def test_the_t_test_stands_beside_the_permutation_test() -> None:
    """Differences 1, 2, 3: t = 2/(1/√3) = 3.464 on 2 degrees of freedom, p = 0.0742."""
    table = rows(accuracy("lif", "digits", [80.0] * 3), accuracy("clif", "digits", [81.0, 82.0, 83.0]))
    line = entries(comparison.tests(table, "lif"))["clif"]
    assert (line["p"], line["t-test p"], line["verdict"]) == ("0.25", "0.0742", "too few seeds: 6 needed")


def test_no_common_seed_is_said_and_nothing_is_nan() -> None:
    other = [{**record, "seed": record["seed"] + 5} for record in accuracy("clif", "digits", [81.0, 82.0, 83.0])]
    table = rows(accuracy("lif", "digits", [80.0, 81.0, 82.0]), accuracy("if", "digits", [79.0, 80.0, 82.0]), other)
    line = entries(comparison.tests(table, "lif"))["clif"]
    assert line == {
        **{"data set": "digits", "difference (points)": "—", "p": "—", "corrected p": "—", "t-test p": "—", "g": "—"},
        **{"seeds": "0", "verdict": "no common seed"},
    }
    made = differences(table, "lif")
    assert made is not None
    assert "nan" not in made.markdown()
    assert "3 seeds support no claim; 6 can." in made.footnotes


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_second_backend_is_no_second_sample(backend: str) -> None:
    """The probability and its interval are those of one backend."""
    values = {"lif": [90.0 + s for s in range(8)], "clif": [90.5 + s for s in range(8)]}
    one = rows(*(accuracy(name, d, own, backend=backend) for name, own in values.items() for d in "ab"))
    two = rows(
        *(accuracy(n, d, own, backend=b) for b in ("cpu", "reference") for n, own in values.items() for d in "ab")
    )
    assert entries(improvements(one, "lif"))["clif"] == entries(improvements(two, "lif"))["clif"]


def test_a_neuron_that_lacks_data_sets_has_no_rank_and_is_named() -> None:
    """Best where it was measured, on one of four: ranked it would lead."""
    levels = {"lif": 70.0, "clif": 80.0, "if": 75.0}
    table = rows(
        *(accuracy(name, d, [level, level + 1]) for d in "abcd" for name, level in levels.items()),
        accuracy("new", "a", [99.0, 99.5]),
    )
    made = mean_ranks(table)
    assert made is not None
    assert "over 4 data sets: a, b, c, d" in made.caption
    assert made.footnotes == ["Not in the ranks, because not every neuron was measured on every data set: new."]
    assert list(on_board(table)) == ["new", "clif", "if", "lif"], "by the data set that all of them have"


def test_a_data_set_that_one_neuron_lacks_is_left_out_and_named() -> None:
    levels = {"lif": 70.0, "clif": 80.0, "if": 75.0}
    known = [accuracy(n, d, [v]) for d in "abcde" for n, v in levels.items() if (n, d) != ("if", "e")]
    made = mean_ranks(rows(*known))
    assert made is not None
    assert "over 4 data sets: a, b, c, d" in made.caption
    assert made.footnotes[-1].endswith("every data set: e.")


def test_a_setting_that_few_neurons_have_is_no_data_set() -> None:
    levels = {"lif": 70.0, "clif": 80.0, "if": 75.0}
    plain = [accuracy(n, d, [v]) for d in "ab" for n, v in levels.items()]
    cut = [accuracy(n, "a", [v], settings={"bptt_steps": 1}) for n, v in (("lif", 90.0), ("clif", 20.0))]
    matrix = rank_matrix(rows(*plain, *cut))
    assert matrix.loc["a"].to_dict() == levels
    made = mean_ranks(rows(*plain, *cut))
    assert made is not None
    assert made.footnotes == ["Of the conditions measured, those with bptt_steps not set."]


def test_ranks_of_equal_neurons_name_no_winner() -> None:
    table = rows(*(accuracy(name, d, [80.0, 81.0]) for d in "abcd" for name in ("lif", "clif", "if")))
    made = mean_ranks(table)
    assert made is not None
    assert {tuple(entry.text for entry in own) for _, own in made.rows} == {("2.00",)}
    assert not any(entry.best for _, own in made.rows for entry in own)
    assert "(p = 1): their order says nothing" in made.caption


def test_times_have_their_spread_and_bold_only_beyond_it() -> None:
    apart = rows(timing("lif", 1.0, 0.9, 1.1), timing("clif", 2.0, 1.8, 2.4))
    column = "T=8, 4,096 neurons: both (ns)"
    assert {n: own[column] for n, own in entries(layer_throughput(apart)).items()} == {
        "lif": "*1.00 (0.90–1.10)*",
        "clif": "2.00 (1.80–2.40)",
    }
    meeting = rows(timing("lif", 1.0, 0.9, 1.9), timing("clif", 2.0, 1.8, 2.2))
    table = layer_throughput(meeting)
    assert not any(entry.best for _, own in entries_of(table) for entry in own)
    assert any("1 of 2 timings spread by more than 30 %" in note for note in table.footnotes)  # type: ignore[union-attr]


def entries_of(table: Table | None) -> list[tuple[str, list[Any]]]:
    assert table is not None
    return table.rows


def test_a_fast_training_is_bold_and_a_slow_one_is_not() -> None:
    def speeds(neuron: str, median: float) -> list[Record]:
        own = {"task": "training_speed", "neuron": neuron, "dataset": "digits"}
        values = {"": median, "_p20": 0.9 * median, "_p80": 1.1 * median}
        return [{**own, "metric": f"training_speed{end}", "value": value} for end, value in values.items()]

    found = entries(training_speed(rows(speeds("lif", 100.0), speeds("clif", 300.0))))
    assert {name: own["digits: samples/s"] for name, own in found.items()} == {
        "lif": "100 (90–110)",
        "clif": "*300 (270–330)*",
    }


def test_what_was_timed_at_another_load_is_not_shown_beside_the_rest() -> None:
    """A neuron timed later, at a third of the bandwidth: its ratio stands, its time does not."""
    ratio = {"forward_backward_time_over_baseline": 1.24}
    late = timing("late", 6.8, 6.5, 7.0, copy=2.9)
    late += [{**late[0], "metric": name, "value": value} for name, value in ratio.items()]
    table = rows(timing("lif", 1.1, 1.0, 1.2, copy=9.0), timing("clif", 2.0, 1.8, 2.2, copy=9.0), late)
    made = layer_throughput(table)
    found = entries(made)
    both, over = "T=8, 4,096 neurons: both (ns)", "T=8, 4,096 neurons: both (× LIF)"
    assert found["late"] == {both: "‡", over: "1.24"} | {k: "—" for k in found["late"] if k not in (both, over)}
    assert found["clif"][over] == "1.82"
    assert made is not None
    (note,) = [note for note in made.footnotes if note.startswith("‡")]
    assert "when a copy ran at 2.9 GB/s (lif: 9)" in note
    assert "`python -m suite run --tasks throughput --neurons lif,late --out NEW` times them together" in note
    data = speed._times(table)
    assert set(data.who) == {"lif", "clif"}


@pytest.mark.parametrize(("copy", "shown"), [(10.0, True), (11.9, True), (12.1, False), (8.4, True), (8.3, False)])
def test_one_load_is_copies_within_a_fifth(copy: float, shown: bool) -> None:
    own = rows(timing("lif", 1.0, 0.9, 1.1, copy=10.0), timing("clif", 2.0, 1.9, 2.1, copy=copy))
    found = entries(layer_throughput(own))["clif"]["T=8, 4,096 neurons: both (ns)"]
    assert (found != "‡") is shown


def test_nothing_is_bold_among_times_of_different_rounds() -> None:
    """At one load they stand side by side; which is faster is for the ratios to say."""
    for copy, bold in ((10.0, True), (10.5, False)):
        table = layer_throughput(rows(timing("lif", 1.0, 0.9, 1.1), timing("clif", 2.0, 1.9, 2.1, copy=copy)))
        assert entries(table)["clif"]["T=8, 4,096 neurons: both (ns)"] == "2.00 (1.90–2.10)"
        assert any(own[0].best for _, own in entries_of(table)) is bold


def test_a_measured_ratio_is_taken_before_one_of_equal_copies() -> None:
    own = timing("clif", 2.0, 1.9, 2.1)
    ends = (("", 1.5), ("_p20", 1.4), ("_p80", 1.7))
    own += [{**own[0], "metric": f"forward_backward_time_over_baseline{end}", "value": v} for end, v in ends]
    found = entries(layer_throughput(rows(timing("lif", 1.0, 0.9, 1.1), own)))
    assert found["clif"]["T=8, 4,096 neurons: both (× LIF)"] == "1.50 (1.40–1.70)"


def test_times_of_two_machines_are_not_held_against_each_other() -> None:
    """Which one is bold once depended on the order of merging."""
    parts = [timing("lif", 1.0, 0.9, 1.1, machine="fast"), timing("clif", 5.0, 4.9, 5.1, machine="slow")]
    for given in (parts, parts[::-1]):
        table = layer_throughput(rows(*given))
        assert [name for name, _ in entries_of(table)] == ["lif (fast)", "clif (slow)"]
        assert not any(entry.best for _, own in entries_of(table) for entry in own)


def test_a_failed_timing_says_so() -> None:
    bad = {**timing("clif", 1, 1, 1)[0], "metric": None, "value": None, "status": "failed", "detail": "no compiler"}
    made = layer_throughput(rows(timing("lif", 1.0, 0.9, 1.1), [bad]))
    assert entries(made)["clif"]["T=8, 4,096 neurons: both (ns)"] == "failed"
    assert made is not None
    assert "clif, T=8, 4,096 neurons: failed: no compiler" in made.footnotes


def test_a_busy_machine_is_one_whose_rounds_spread_by_more_than_three_tenths() -> None:
    times = [timings.Time(timings.Estimate.of([1.0]), 1.0, high) for high in (1.29, 1.31, 2.0, math.nan)]
    assert timings.busy(times) == [
        "This machine was busy: 2 of 3 timings spread by more than 30 %; measure again when it is idle."
    ]
    assert timings.busy(times[:1]) == []


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_no_nan_on_the_page(value: float) -> None:
    table = rows(accuracy("lif", "digits", [90.0, 91.0]), accuracy("clif", "digits", [90.0, value]))
    made = accuracy_table(table, "accuracy_selected", "accuracy", "Accuracy.")
    assert made is not None
    assert "nan" not in made.markdown()
    shown = entries(made)["clif"]["digits (%)"]
    assert shown == {math.inf: "∞", -math.inf: "−∞"}.get(value, "90.0 †")


def test_frames_do_not_depend_on_the_order_of_rows() -> None:
    table = rows(*(accuracy(n, d, [90.0, 91.5, 93.0]) for n in ("lif", "clif") for d in ("digits", "mnist5k")))
    shuffled = table.sample(frac=1, random_state=3)
    one, other = (accuracy_table(own, "accuracy_selected", "accuracy", "A.") for own in (table, shuffled))
    assert one is not None
    assert other is not None
    assert one.markdown() == other.markdown()
    pd.testing.assert_frame_equal(rank_matrix(table), rank_matrix(shuffled))
