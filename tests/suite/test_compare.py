"""A comparison finds what changed, accuses nothing else, and says what it could not see."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.cli import main
from suite.compare import compare
from suite.compare.judgement import p_value
from suite.runs.merge import merge
from tests.suite.made_comparisons import BASE, many, of, single, told
from tests.suite.made_runs import make_run
from tests.suite.report.handmade import Record, accuracy, timing


def test_the_change_is_found_and_nothing_else_accused(tmp_path: Path) -> None:
    first = many({"lif": [90.0, 91.0, 90.5, 90.2], "clif": [95.0, 95.1, 94.9, 95.0]})
    second = many({"lif": [90.3, 90.9, 90.4, 90.2], "clif": [80.0, 80.2, 79.9, 80.1]})
    for commits in ("aaa", "abc"):
        comparison = of(tmp_path / commits, first, second, first, commits=commits)
        assert [(where.split()[0], row[0].text) for where, row in comparison.rows] == [("clif", "run1")]
        assert comparison.footnotes[-1] == "Accuracy fell beyond noise: clif on digits (95 → 80.05)."
        assert comparison.worse == 1


@pytest.mark.parametrize("commits", ["aa", "ab"])
@pytest.mark.parametrize("lost", [5.0, -5.0])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_five_points_in_all_three_seeds_of_one_of_many(lost: float, noise: float, commits: str, tmp_path: Path) -> None:
    """35 conditions, as the quick profile has; the others move by noise of half a point."""
    rng = np.random.default_rng(0)
    places = [(neuron, dataset) for neuron in "abcdefg" for dataset in "vwxyz"]
    before = {place: 90 + 0.4 * rng.standard_normal(3) for place in places}
    after = {place: values + noise * rng.standard_normal(3) for place, values in before.items()}
    after["c", "w"] -= lost
    rows = [
        [record for (neuron, dataset), values in side.items() for record in accuracy(neuron, dataset, list(values))]
        for side in (before, after)
    ]
    verdict = "worse" if lost > 0 else "better"
    assert told(of(tmp_path, *rows, commits=commits)) == [("c", "accuracy_selected", verdict)]


def test_noise_accuses_nobody(tmp_path: Path) -> None:
    """Of 40 pairs of runs that differ by noise alone, at most 5 may hold a claim (5 % of them: P(more) < 0.02)."""
    rng = np.random.default_rng(1)
    places = [(neuron, dataset) for neuron in "abcdef" for dataset in "xyz"]
    samples = 360
    claims = 0
    for trial in range(40):
        sides = [
            [record for neuron, dataset in places
             for record in accuracy(neuron, dataset, list(100 * rng.binomial(samples, 0.93, 3) / samples))]
            for _ in range(2)
        ]  # fmt: skip
        claims += bool(of(tmp_path / str(trial), *sides).rows)
    assert claims <= 5


def test_many_metrics_of_one_p_value_are_corrected(tmp_path: Path) -> None:
    """Differences of 1, 2, 3 and 2.5 over four seeds: t = 4.98, p = 0.031 each; 20 prove nothing."""
    before = {f"n{k}": [90.0, 80.0, 85.0, 70.0] for k in range(20)}
    after = {name: [91.0, 82.0, 88.0, 72.5] for name in before}
    assert of(tmp_path / "many", many(before), many(after)).rows == []
    alone = of(tmp_path / "one", many({"n0": before["n0"]}), many({"n0": after["n0"]}))
    assert told(alone) == [("n0", "accuracy_selected", "better")]


def test_what_cannot_be_tested_does_not_weaken_the_tests(tmp_path: Path) -> None:
    """A change of p = 0.014 is told beside 100 conditions of one seed."""
    sides = [
        many({"lif": values}) + [r for k in range(100) for r in accuracy(f"n{k}", "digits", [50.0])]
        for values in ([90.0, 80.0, 85.0, 70.0], [91.0, 82.0, 87.0, 71.5])
    ]
    assert ("lif", "accuracy_selected", "better") in told(of(tmp_path, *sides))


def test_the_p_value_by_hand() -> None:
    """Of differences 1, 2, 3: t = 2√3, 2 degrees, p = 0.0742; of two samples with s = 1/√2: 4 degrees, 0.0257."""
    assert p_value([0.0, 0.0, 0.0], [1.0, 2.0, 3.0], 0.0) == pytest.approx(2 * 0.0257231, rel=1e-4)
    assert p_value([10.0, 20.0, 30.0], [11.0, 22.0, 33.0], 0.0) == pytest.approx(2 * 0.0741799, rel=1e-4)
    assert p_value([0.0, 1.0, 2.0], [2.0, 1.0, 3.0], 0.0) == pytest.approx(2 * 0.2254033, rel=1e-4)
    assert p_value([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0) == 1.0
    assert p_value([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], 0.0) == 0.0
    assert p_value([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], 0.5) == pytest.approx(2 * 0.0741799, rel=1e-4)


def test_one_step_of_the_metric_in_all_seeds_is_no_change_unless_the_code_is_the_same(tmp_path: Path) -> None:
    """One of 360 samples more in each of three seeds happens by chance; by the same code nothing does."""
    first = [100 * right / 360 for right in (350, 351, 353)]
    second = [100 * right / 360 for right in (349, 350, 352)]
    assert of(tmp_path / "other", many({"lif": first}), many({"lif": second})).rows == []
    same = of(tmp_path / "same", many({"lif": first}), many({"lif": second}), commits="a")
    assert told(same) == [("lif", "accuracy_selected", "worse")]


@pytest.mark.parametrize("commits", ["aa", "ab"])
def test_one_seed_that_fell(commits: str, tmp_path: Path) -> None:
    comparison = of(tmp_path, many({"lif": BASE}), many({"lif": [97.1, 97.2, 10.0]}), commits=commits)
    assert told(comparison) == [("lif", "accuracy_selected", "worse")]
    text = comparison.markdown()
    assert "seed 2 alone" in text
    assert "lif on digits (96.9 → 10)" in comparison.footnotes[-1]


def test_a_seed_among_seeds_that_lie_as_far_apart_is_no_outlier(tmp_path: Path) -> None:
    assert of(tmp_path, many({"lif": [97.0, 55.0, 80.0]}), many({"lif": [97.0, 55.0, 10.0]})).rows == []


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_tell_nothing_unless_the_code_is_the_same(seeds: int, tmp_path: Path) -> None:
    sides = many({"lif": BASE[:seeds]}), many({"lif": [10.0, 11.0][:seeds]})
    unclear = of(tmp_path / "other", *sides)
    assert told(unclear) == [("lif", "accuracy_selected", "not testable")]
    assert f"{seeds} seed" in unclear.markdown()
    assert "Too few seeds" in unclear.footnotes[-1] or "too few seeds" in unclear.footnotes[-1]
    assert "lif on digits (97" in unclear.footnotes[-1]
    assert unclear.worse == 0
    same = of(tmp_path / "same", *sides, commits="a")
    assert told(same) == [("lif", "accuracy_selected", "worse")]
    assert same.worse == 1


def test_the_same_code_that_gives_other_values_is_named(tmp_path: Path) -> None:
    sides = many({"lif": [97.0, 96.0, 95.0]}), many({"lif": [97.0, 96.1, 95.0]})
    same = of(tmp_path / "same", *sides, commits="a")
    assert same.rows == []
    assert any("by the same code, versions and machine" in note and "lif" in note for note in same.footnotes)
    other = of(tmp_path / "other", *sides)
    assert not any("by the same code" in note for note in other.footnotes)


def test_rounding_is_no_change(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    comparison = of(tmp_path, many({"lif": [97.0] * 3}), many({"lif": [97.0 + 1e-13] * 3}), commits="a")
    assert comparison.rows == []
    assert not [warning for warning in recwarn if "scipy" in str(warning.filename)]
    assert comparison.footnotes[-1] == "No accuracy changed beyond noise."


STATUSES = ["failed", "timeout", "unavailable", "nonfinite without values", "lacking"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_cells_that_the_second_run_lacks(status: str, seeds: list[int], tmp_path: Path) -> None:
    first = many({"lif": BASE, "clif": BASE})
    gone = [record for record in many({"clif": BASE}) if record["seed"] in seeds]
    kept = [record for record in first if record not in gone]
    word = status.split(maxsplit=1)[0]
    cause = {
        "status": "failed" if word == "nonfinite" else word,
        "value": None,
        "metric": None,
        "detail": "NotFinite: u",
    }
    second = kept if status == "lacking" else kept + [record | cause for record in gone]
    comparison = of(tmp_path, first, second)
    assert [(neuron, verdict) for neuron, _, verdict in told(comparison)] == [
        ("clif", "lacking" if status == "lacking" else "worse")
    ]
    text = comparison.markdown()
    assert f"seed {', '.join(map(str, seeds))}" in text
    if status != "lacking":
        assert "NotFinite: u" in text
        assert "cells failed: clif on digits" in comparison.footnotes[-1]
    assert comparison.worse == (status != "lacking")


def test_cells_that_the_second_run_alone_has_are_counted(tmp_path: Path) -> None:
    comparison = of(tmp_path, many({"lif": BASE}), many({"lif": BASE, "clif": BASE}))
    assert comparison.rows == []
    assert any(note == "3 cells only run1 has." for note in comparison.footnotes)


EXACT = [
    ("memory", "saved_bytes", 4.0, 4.0001, "worse"),
    ("memory", "saved_bytes", 0.0, 4.0, "worse"),
    ("memory", "saved_bytes", 4.36, 4.0, "better"),
    ("throughput", "operations", 20.0, 21.0, "changed"),
    ("throughput", "kernel_calls", 20.0, 19.0, "better"),
    ("energy", "parameters", 1000.0, 1001.0, "worse"),
]


@pytest.mark.parametrize(("task", "metric", "before", "after", "verdict"), EXACT)
@pytest.mark.parametrize("machine", ["one", "two"])
def test_a_count_that_changed_at_all(
    task: str, metric: str, before: float, after: float, verdict: str, machine: str, tmp_path: Path
) -> None:
    first = make_run(tmp_path / "a", single(metric, before, task))
    second = make_run(tmp_path / "b", single(metric, after, task), machine=machine, commit="b")
    assert told(compare([first, second], any_machine=False)) == [("lif", metric, verdict)]
    assert compare([first, first], any_machine=False).rows == []


NONFINITE = [
    ([97.0, 96.0, 95.0], [97.0, math.nan, 95.0], "worse"),
    ([97.0, math.nan, 95.0], [97.0, 96.0, 95.0], "better"),
    ([97.0, 96.0, 95.0], [97.0, math.inf, 95.0], "worse"),
    ([97.0, math.nan, 95.0], [97.0, math.nan, 95.0], None),
    ([97.0, math.inf, 95.0], [97.0, -math.inf, 95.0], "changed"),
]


@pytest.mark.parametrize(("before", "after", "verdict"), NONFINITE)
def test_values_that_are_no_numbers(
    before: list[float], after: list[float], verdict: str | None, tmp_path: Path
) -> None:
    sides = [
        [
            record | ({} if math.isfinite(record["value"]) else {"status": "nonfinite"})
            for record in many({"lif": values})
        ]
        for values in (before, after)
    ]
    comparison = of(tmp_path, *sides)
    assert told(comparison) == ([("lif", "accuracy_selected", verdict)] if verdict else [])
    if verdict:
        assert "seed 1" in comparison.markdown()


def test_another_unit_is_said_and_not_judged(tmp_path: Path) -> None:
    first, second = single("saved_bytes", 1.0, "memory", unit="ns"), single("saved_bytes", 0.001, "memory", unit="µs")
    comparison = of(tmp_path, first, second)
    assert told(comparison) == [("lif", "saved_bytes", "changed")]
    assert "ns → µs" in comparison.markdown()


SIZES: list[dict[str, Any]] = [
    *({"settings": {"elements": 4096}}, {"settings": {"elements": 524288}}, {"device": "cuda:0"}),
    *({"protocol": "published"}, {"network": "cnn"}, {"dtype": "bfloat16"}),
]


@pytest.mark.parametrize("other", SIZES[1:], ids=str)
def test_two_conditions_are_told_apart(other: dict[str, Any], tmp_path: Path) -> None:
    base = SIZES[0]
    sides = [
        single("saved_bytes", value, "memory", **base) + single("saved_bytes", value, "memory", **{**base, **other})
        for value in (4.0, 5.0)
    ]
    wheres = [where for where, _ in of(tmp_path, *sides).rows]
    assert len(set(wheres)) == 2
    value = next(iter(other.values()))
    assert str(next(iter(value.values())) if isinstance(value, dict) else value) in " ".join(wheres)


def test_runs_of_one_directory_name_are_told_apart(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / name / "quick", timing("lif", value, value - 0.1, value + 0.1))
        for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    ]
    comparison = compare(runs, any_machine=False)
    assert [(row[0].text, row[3].text) for _, row in comparison.rows] == [("b/quick", "2"), ("c/quick", "3")]
    assert comparison.header[3] == "a/quick"


@pytest.mark.parametrize("what", ["commit", "packages"])
def test_what_made_the_runs_is_said_where_it_differs(what: str, tmp_path: Path) -> None:
    facts: list[dict[str, Any]] = [{"commit": "a"}, {"commit": "b"}]
    if what == "packages":
        facts = [{"packages": {"torch": version}} for version in ("2.14.1", "2.9.0")]
    first, second = (make_run(tmp_path / f"run{k}", many({"lif": BASE}), **own) for k, own in enumerate(facts))
    text = compare([first, second], any_machine=False).markdown()
    for part in ("a" * 12, "b" * 12) if what == "commit" else ("torch 2.14.1", "torch 2.9.0"):
        assert part in text.replace("\\", "")
    assert part not in compare([first, first], any_machine=False).markdown().replace("\\", "")
    other = make_run(tmp_path / "other", many({"clif": BASE}), **facts[1])
    merge([first, other], tmp_path / "mixed")
    assert "mixed" in compare([first, tmp_path / "mixed"], any_machine=False).markdown()


SENTENCES = [
    (many({"lif": BASE}), "No accuracy changed beyond noise."),
    (many({"lif": [v + 2 for v in BASE]}), "Accuracy rose beyond noise: lif on digits (97.07 → 99.07)."),
]


@pytest.mark.parametrize(("second", "sentence"), SENTENCES)
def test_the_last_line_is_one_sentence(
    second: list[Record], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, other = (make_run(tmp_path / name, rows) for name, rows in (("a", many({"lif": BASE})), ("b", second)))
    assert main(["compare", str(first), str(other)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == sentence


def test_no_accuracy_at_all(tmp_path: Path) -> None:
    assert of(tmp_path, timing("lif", 1, 1, 1), timing("lif", 1, 1, 1)).footnotes[-1] == "No accuracy was compared."


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (many({"lif": BASE}), 0),
        (many({"lif": [v + 2 for v in BASE]}), 0),
        (many({"lif": [v - 2 for v in BASE]}), 1),
        ([record | {"status": "failed", "value": None} for record in many({"lif": BASE})], 1),
    ],
    ids=["same", "better", "worse", "failed"],
)
def test_the_exit_code_when_asked(second: list[Record], code: int, tmp_path: Path) -> None:
    first, other = (make_run(tmp_path / name, rows) for name, rows in (("a", many({"lif": BASE})), ("b", second)))
    assert main(["compare", str(first), str(other)]) == 0
    assert main(["compare", "--fail-on-worse", str(first), str(other)]) == code
