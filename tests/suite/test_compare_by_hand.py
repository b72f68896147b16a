"""Every judgement of a comparison once by hand, on both sides of each limit; and the words of its table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from suite.compare import compare
from suite.compare.judgement import judge, p_value
from suite.compare.pairs import Pair
from suite.runs.merge import merge
from suite.runs.store import RunError
from tests.suite.made_comparisons import BASE, many, of, single, told
from tests.suite.made_runs import make_run
from tests.suite.report.handmade import Record, timing

TIME = ("throughput", "forward_backward_time")
ACCURACY = ("accuracy", "accuracy_selected")
NAN = math.nan


def pair(
    what: tuple[str, str], first: list[float], second: list[float], dataset: str | None = "digits", **more: Any
) -> Pair:
    """A pair of one condition, whose seeds are the places in the lists."""
    asked = {"task": what[0], "metric": what[1], "dataset": dataset, "neuron": "lif"}
    facts: dict[str, Any] = {"spread": None, "same_code": False, "units": ("", ""), **more}
    return Pair(asked, dict(enumerate(first)), dict(enumerate(second)), **facts)


def rounds(first: tuple[float, float], second: tuple[float, float]) -> Mapping[str, Any]:
    return {"spread": (first, second)}


JUDGED: list[tuple[tuple[str, str], list[float], list[float], Mapping[str, Any], str, str]] = [
    # a timing: from a change of 10 % on, and rounds that do not meet
    (TIME, [1.0], [1.09], rounds((0.99, 1.01), (1.08, 1.10)), "differs", ""),
    (TIME, [1.0], [1.11], rounds((0.99, 1.01), (1.10, 1.12)), "worse", "rounds apart"),
    (TIME, [1.0], [0.91], rounds((0.99, 1.01), (0.90, 0.92)), "differs", ""),
    (TIME, [1.0], [0.89], rounds((0.99, 1.01), (0.88, 0.90)), "better", "rounds apart"),
    (TIME, [1.0], [1.3], rounds((0.9, 1.2), (1.2, 1.4)), "differs", ""),
    (TIME, [1.0], [1.3], rounds((0.9, 1.19), (1.2, 1.4)), "worse", "rounds apart"),
    (TIME, [1.3], [1.0], rounds((1.2, 1.4), (0.9, 1.2)), "differs", ""),
    (TIME, [1.3], [1.0], rounds((1.2, 1.4), (0.9, 1.19)), "better", "rounds apart"),
    (TIME, [1.0], [1.3], {}, "worse", "one value"),
    (TIME, [1.0], [1.09], {}, "differs", ""),
    (TIME, [0.0], [0.5], {}, "worse", "one value"),
    (TIME, [1.0], [1.0], rounds((0.9, 1.1), (0.9, 1.1)), "equal", ""),
    # another unit is said wherever both are known
    (TIME, [1.0], [1000.0], {"units": ("s", "ms")}, "changed", "unit: s → ms"),
    (TIME, [1.0], [1.0], {"units": ("s", "ms")}, "changed", "unit: s → ms"),
    (TIME, [1.0], [1.3], {"units": ("s", "s")}, "worse", "one value"),
    (TIME, [1.0], [1.3], {"units": ("", "s")}, "worse", "one value"),
    (TIME, [1.0], [1.0], {"units": ("s", "")}, "equal", ""),
    # counts
    (("memory", "saved_bytes"), [4.0], [4.001], {}, "worse", "exact"),
    (("memory", "saved_bytes"), [4.0], [3.999], {"same_code": True}, "better", "exact"),
    (("memory", "saved_bytes"), [4.0], [4.0 * (1 + 1e-12)], {}, "equal", ""),
    # seeds: at least three tell
    (ACCURACY, [90.0], [80.0], {}, "not testable", "1 seed: 3 are needed"),
    (ACCURACY, [90.0, 91.0], [80.0, 81.0], {}, "not testable", "2 seeds: 3 are needed"),
    (ACCURACY, [90.0, 91.0], [80.0, 81.0], {"same_code": True}, "worse", "the same code gave another value"),
    (ACCURACY, [90.0, 91.0, 90.5], [80.0, 81.1, 80.4], {}, "worse", "p < 0.001"),
    (ACCURACY, [90.0, 80.0, 85.0, 70.0], [91.0, 82.0, 88.0, 72.5], {}, "better", "p = 0.031"),
    # one seed alone: from ten times what the others moved, and what they lay apart, on
    (ACCURACY, [97.0, 97.4, 96.9], [97.0, 97.4, 96.9 - 5.1], {}, "worse", "seed 2 alone"),
    (ACCURACY, [97.0, 97.4, 96.9], [97.0, 97.4, 96.9 - 4.9], {}, "differs", ""),
    (ACCURACY, [97.0, 97.4, 96.9], [97.6, 97.4, 96.9 - 6.1], {}, "worse", "seed 2 alone"),
    (ACCURACY, [97.0, 97.4, 96.9], [97.6, 97.4, 96.9 - 5.9], {}, "differs", ""),
    (ACCURACY, [97.0, 90.0, 97.0], [97.0, 99.0, 97.0], {}, "differs", ""),
    (ACCURACY, [97.0, 97.0, 97.0], [97.0, 97.9, 97.0], {}, "differs", ""),
    # what is no number
    (ACCURACY, [90.0, 91.0, 92.0], [90.0, NAN, 92.0], {}, "worse", "seed 1"),
    (ACCURACY, [90.0, NAN, 92.0], [90.0, 91.0, 92.0], {}, "better", "seed 1"),
    (ACCURACY, [90.0, NAN, 92.0], [90.0, NAN, 92.0], {}, "equal", ""),
    (ACCURACY, [NAN, NAN], [NAN, NAN], {}, "equal", ""),
    # a metric that says nothing of what is better, and one that is unknown
    (("energy", "firing_rate"), [0.2, 0.21, 0.2], [0.3, 0.31, 0.32], {}, "changed", "p < 0.001"),
    (("gone", "metric"), [0.2, 0.21, 0.2], [0.3, 0.31, 0.32], {}, "changed", "p < 0.001"),
]


@pytest.mark.parametrize(("what", "first", "second", "more", "verdict", "evidence"), JUDGED)
def test_judged(
    what: tuple[str, str], first: list[float], second: list[float], more: Mapping[str, Any], verdict: str, evidence: str
) -> None:
    (found,) = judge([pair(what, first, second, **more)])
    assert (found.verdict, found.evidence) == (verdict, evidence)
    assert found.told == (verdict not in ("differs", "equal"))


def test_the_values_that_show_it() -> None:
    """Means of what both runs have; of one seed alone its own."""
    means, seed = judge(
        [
            pair(ACCURACY, [90.0, 91.0, 92.0], [80.0, 81.0, 85.0, 1.0], dataset="digits"),
            pair(("accuracy", "test_loss"), [97.0, 97.4, 96.9], [97.0, 97.4, 50.0]),
        ]
    )
    assert (means.before, means.after) == (91.0, 82.0)
    assert (seed.before, seed.after) == (96.9, 50.0)


def test_p_values_are_corrected_within_a_task_and_metric() -> None:
    """p = 0.031 alone; of twenty of one metric nothing is told, of one of another metric or task it is."""
    values = [90.0, 80.0, 85.0, 70.0], [91.0, 82.0, 88.0, 72.5]
    many_pairs = [pair(ACCURACY, *values, dataset=str(number)) for number in range(20)]
    others = [pair(("accuracy", "accuracy_last"), *values), pair(("ablation", "accuracy_selected"), *values)]
    judged = judge([*many_pairs, *others])
    assert [own.verdict for own in judged[:20]] == ["differs"] * 20
    assert [own.told for own in judged[20:]] == [True, True]
    assert [own.pair for own in judged] == [*many_pairs, *others]


@pytest.mark.parametrize("seed", range(6))
def test_the_p_value_is_the_smaller_of_two_doubled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.normal(0, 1, 3 + seed)
    after = 0.5 + rng.permutation(before) * rng.uniform(0.2, 3) + rng.normal(0, 0.3, 3 + seed)
    both = stats.ttest_rel(before, after).pvalue, stats.ttest_ind(before, after).pvalue
    assert p_value(list(before), list(after), 0.0) == pytest.approx(min(1.0, 2 * min(both)), rel=1e-9)


def test_the_p_value_of_unequal_spreads() -> None:
    """s² = 1 and 9: s = √5, t = 5 / (√5 √(2/3)) = 2.739 at 4 degrees, p = 0.05198."""
    assert p_value([0.0, 1.0, 2.0], [9.0, 6.0, 3.0], 0.0) == pytest.approx(2 * 0.05198, rel=1e-4)


def line(comparison: Any) -> list[list[str]]:
    return [[where, *(entry.text for entry in row)] for where, row in comparison.rows]


def test_the_lines_of_the_table(tmp_path: Path) -> None:
    comparison = of(
        tmp_path,
        [*many({"lif": BASE}), *single("saved_bytes", 0.0, "memory"), *timing("lif", 1.0, 0.9, 1.1)],
        [*many({"lif": [v - 2 for v in BASE]}), *single("saved_bytes", 4.0, "memory"), *timing("lif", 1.3, 1.2, 1.4)],
    )
    assert list(comparison.header) == [
        *("where", "run", "metric", "run0", "run's value", "change", "verdict", "how one can tell")
    ]
    assert sorted(line(comparison)) == [
        ["lif cpu digits T=4", "run1", "accuracy_selected", "97.07", "95.07", "× 0.979", "worse", "p < 0.001"],
        ["lif cpu memory T=8", "run1", "saved_bytes", "0", "4", "+4", "worse", "exact"],
        ["lif cpu throughput T=8", "run1", "forward_backward_time", "1", "1.3", "× 1.300", "worse", "rounds apart"],
    ]
    assert comparison.worse == 3
    assert comparison.footnotes == [
        "run1: 3 metrics compared, 0 of them differ within noise.",
        f"commit: run0 {'a' * 12}; run1 {'b' * 12}.",
        "Accuracy fell beyond noise: lif on digits (97.07 → 95.07).",
    ]


def test_what_was_made_otherwise_is_said_of_each(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", many({"lif": BASE}))
    second = make_run(tmp_path / "second", many({"lif": BASE}), commit="b", packages={"torch": "2.14.1"})
    third = make_run(tmp_path / "third", many({"clif": BASE}))
    merge([second, third], tmp_path / "mixed")
    a, b = "a" * 12, "b" * 12
    assert f"commit: first {a}; second {b}." in compare([first, second], any_machine=False).footnotes
    same = compare([first, first], any_machine=False).footnotes
    assert not any(note.startswith(("commit", "packages")) for note in same)
    mixed = compare([first, tmp_path / "mixed"], any_machine=False).footnotes
    assert f"commit: first {a}; mixed mixed ({a}; {b})." in mixed
    both = compare([tmp_path / "mixed", tmp_path / "mixed"], any_machine=False).footnotes
    assert f"commit of both: mixed ({a}; {b})." in both


def test_runs_without_anything_in_common_are_named(tmp_path: Path) -> None:
    failed = [{**record, "status": "failed", "value": None, "metric": None} for record in many({"lif": BASE})]
    first, second = make_run(tmp_path / "a", failed), make_run(tmp_path / "b", many({"lif": BASE}))
    with pytest.raises(RunError) as raised:
        compare([first, second], any_machine=False)
    assert str(raised.value) == "a and b measured nothing in common that can be compared."


def test_a_spread_that_one_run_did_not_store_is_none(tmp_path: Path) -> None:
    whole, alone = timing("lif", 1.0, 0.9, 1.1), timing("lif", 1.3, 1.05, 1.5)[:1]
    assert line(of(tmp_path / "a", whole, alone))[0][-2:] == ["worse", "one value"]
    assert line(of(tmp_path / "b", alone, whole))[0][-2:] == ["better", "one value"]
    assert of(tmp_path / "c", whole, timing("lif", 1.3, 1.05, 1.5)).rows == []


@pytest.mark.parametrize(("copy", "kept"), [(8.05, True), (7.95, False), (12.45, True), (12.55, False)])
def test_the_copy_of_the_same_rounds_within_a_fifth(copy: float, kept: bool, tmp_path: Path) -> None:
    """From 10 GB/s on, relative to the larger; the other size's cell keeps its timings."""
    sides = [
        [
            *timing("lif", value, value - 0.1, value + 0.1, copy=own),
            *timing("clif", value, value - 0.1, value + 0.1, copy=10.0),
        ]
        for value, own in ((1.0, 10.0), (2.0, copy))
    ]
    comparison = of(tmp_path, *sides)
    assert [neuron for neuron, _, _ in told(comparison)] == (["lif", "clif"] if kept else ["clif"])
    assert (
        any("Timings of 1 cells left out" in note and "more than 20%" in note for note in comparison.footnotes) != kept
    )


NOT_COMPARED: dict[str, list[Record]] = {
    "a point of a curve": [{"task": "accuracy", "neuron": "lif", "metric": "train_loss", "step": 3}],
    "a layer's": [{"task": "energy", "neuron": "lif", "metric": "firing_rate", "layer": "1"}],
    "a time beside other cells": [{"task": "accuracy", "neuron": "lif", "metric": "epoch_time", "unit": "s"}],
    "a limit that follows from the copy": single("forward_backward_limit", 0.0),
    "the copy": single("copy_bandwidth", 0.0),
}


@pytest.mark.parametrize("kind", NOT_COMPARED)
def test_not_compared(kind: str, tmp_path: Path) -> None:
    sides = [[*many({"lif": BASE}), *({**own, "value": value} for own in NOT_COMPARED[kind])] for value in (9.0, 10.0)]
    comparison = of(tmp_path, *sides)
    assert comparison.rows == []
    assert comparison.footnotes[0] == "run1: 1 metrics compared, 0 of them differ within noise."


def test_the_sentence_names_three_and_counts_the_rest(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e"]
    fell = of(tmp_path, many(dict.fromkeys(names, BASE)), many({name: [v - 9 for v in BASE] for name in names}))
    moved = ", ".join(f"{name} on digits (97.07 → 88.07)" for name in names[:3])
    assert fell.footnotes[-1] == f"Accuracy fell beyond noise: {moved} and 2 more."
    assert fell.worse == 5


def test_a_cell_that_failed_in_both_is_neither_gone_nor_new(tmp_path: Path) -> None:
    failed = [{**record, "status": "failed", "value": None, "metric": None} for record in many({"clif": BASE})]
    comparison = of(tmp_path, [*many({"lif": BASE}), *failed], [*many({"lif": BASE}), *failed])
    assert comparison.rows == []
    assert not any("only" in note for note in comparison.footnotes)
