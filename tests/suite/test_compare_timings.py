"""Timings are compared on one machine under one load, beyond the spread of their rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.compare import compare
from suite.runs.merge import merge
from suite.runs.store import RunError
from tests.suite.made_comparisons import BASE, many, of, single, told
from tests.suite.made_runs import make_run
from tests.suite.report.handmade import timing


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        ((1.05, 1.0, 1.1), None),
        ((1.3, 1.05, 1.6), None),
        ((1.3, 1.2, 1.4), "worse"),
        ((0.7, 0.6, 0.8), "better"),
        ((0.7, 0.6, 0.95), None),
    ],
)
def test_a_timing_changed_beyond_the_spread_of_its_rounds(
    seconds: tuple[float, float, float], verdict: str | None, tmp_path: Path
) -> None:
    """From 1.0 (rounds 0.9 to 1.1) on; its ends are no timings of their own."""
    comparison = of(tmp_path, timing("lif", 1.0, 0.9, 1.1), timing("lif", *seconds))
    assert told(comparison) == ([("lif", "forward_backward_time", verdict)] if verdict else [])


def test_more_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    sides = [single("training_speed", value, "training_speed") for value in (100.0, 150.0)]
    assert told(of(tmp_path / "a", *sides)) == [("lif", "training_speed", "better")]
    assert told(of(tmp_path / "b", *sides[::-1])) == [("lif", "training_speed", "worse")]


def test_timings_under_another_load_are_left_out(tmp_path: Path) -> None:
    slower = timing("lif", 2.0, 1.9, 2.1, copy=6.0)
    comparison = of(tmp_path, timing("lif", 1.0, 0.9, 1.1, copy=10.0), slower)
    assert comparison.rows == []
    assert any("Timings of 1 cells left out: the copy of their own rounds" in note for note in comparison.footnotes)
    same = of(tmp_path / "same", timing("lif", 1.0, 0.9, 1.1, copy=10.0), timing("lif", 2.0, 1.9, 2.1, copy=9.0))
    assert told(same) == [("lif", "forward_backward_time", "worse")]


@pytest.mark.parametrize("machines", [("one", "two"), ("one", ""), ("", "")])
def test_accuracies_of_two_machines_are_compared_and_timings_left_out(
    machines: tuple[str, str], tmp_path: Path
) -> None:
    sides = [
        (timing("lif", 1.0, 0.9, 1.1), many({"lif": BASE, "clif": BASE})),
        (timing("lif", 9.0, 8.9, 9.1), many({"lif": [v - 9 for v in BASE], "clif": BASE})),
    ]
    first, second = (
        make_run(tmp_path / f"run{k}", *rows, commit="ab"[k], **({"machine": name} if name else {"machine": None}))  # type: ignore[arg-type]
        for k, (name, rows) in enumerate(zip(machines, sides, strict=True))
    )
    for run in (first, second):
        (run / "provenance.json").write_text(
            (run / "provenance.json").read_text().replace('"cpu": null, "cores": 2', "")
        )
    comparison = compare([first, second], any_machine=False)
    assert told(comparison) == [("lif", "accuracy_selected", "worse")]
    assert any(note.startswith("Timings of 1 cells left out: measured on ") for note in comparison.footnotes)
    both = compare([first, second], any_machine=True)
    assert ("lif", "forward_backward_time", "worse") in told(both)


def test_nothing_but_timings_of_two_machines_is_refused(tmp_path: Path) -> None:
    first, second = (make_run(tmp_path / name, timing("lif", 1.0, 0.9, 1.1), machine=name) for name in "ab")
    with pytest.raises(RunError, match=r"nothing in common that can be compared. Timings .*; --any-machine compares"):
        compare([first, second], any_machine=False)
    with pytest.raises(RunError, match="nothing in common"):
        compare([first, make_run(tmp_path / "c", many({"lif": BASE}))], any_machine=False)


def test_a_machine_that_both_merged_runs_have_is_compared_with_itself(tmp_path: Path) -> None:
    fast, slow, third, later = (
        make_run(
            tmp_path / name, timing(neuron, value, value - 0.1, value + 0.1), machine=machine, commit=name[0], date=date
        )
        for name, neuron, value, machine, date in (
            ("fast", "lif", 1.0, "Fast", "2026-01-01"),
            ("slow", "lif", 5.0, "Slow", "2026-01-01"),
            ("third", "lif", 2.0, "Third", "2026-01-01"),
            ("later", "lif", 5.0, "Fast", "2026-01-02"),
        )
    )
    merge([fast, slow], tmp_path / "a")
    merge([fast, third], tmp_path / "b")
    assert compare([tmp_path / "a", tmp_path / "b"], any_machine=False).rows == []
    merge([later, slow], tmp_path / "c")
    changed = compare([tmp_path / "a", tmp_path / "c"], any_machine=False)
    assert [(row[2].text, row[3].text) for _, row in changed.rows] == [("1", "5")]
