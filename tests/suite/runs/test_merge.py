"""Merging loses nothing that was measured, mixes nothing, and does not depend on the order of the runs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from suite.cli import main as command_line
from suite.publish import publish
from suite.report.conditions import MixedConditions, over_seeds
from suite.runs import groups, store
from suite.runs.merge import merge
from suite.runs.store import RunError, planned_keys, read_provenance, read_results
from tasks.training.network_task import NETWORK_SETTINGS
from tests.suite.made_runs import make_run, plan, tree
from tests.suite.report.handmade import Record, accuracy, timing


def facts(run: Path, *columns: str) -> list[tuple[Any, ...]]:
    """The values of some columns and `value`, row by row, sorted."""
    rows = read_results(run)[[*columns, "value"]].astype(object)
    return sorted(rows.where(rows.notna(), None).itertuples(index=False, name=None), key=repr)


def table(run: Path) -> pd.DataFrame:
    return read_results(run)


def main(run: Path) -> set[tuple[str, int]]:
    rows = groups.main_rows(read_results(run), groups.read(run))
    return {(row.neuron, row.seed) for row in rows.itertuples()}


def failed(neuron: str, seed: int, status: str = "failed") -> list[Record]:
    record = accuracy(neuron, "digits", [0.0])[0]
    return [record | {"seed": seed, "status": status, "value": None, "metric": None, "detail": "why"}]


def test_two_machines_stay_two(tmp_path: Path) -> None:
    fast = make_run(tmp_path / "fast", timing("lif", 1.0, 0.9, 1.1), accuracy("lif", "digits", [97.0]), machine="Fast")
    slow = make_run(tmp_path / "slow", timing("lif", 5.0, 4.9, 5.1), accuracy("lif", "digits", [96.0]), machine="Slow")
    merge([fast, slow], tmp_path / "m")
    rows = table(tmp_path / "m")
    medians = rows[rows.metric == "forward_backward_time"]
    assert {(row.machine.split(",")[0], row.value) for row in medians.itertuples()} == {("Fast", 1.0), ("Slow", 5.0)}
    accuracies = rows[rows.task == "accuracy"]
    assert {(row.machine.split(",")[0], row.value) for row in accuracies.itertuples()} == {
        ("Fast", 97.0),
        ("Slow", 96.0),
    }


DIFFERING = [
    {"device": "cuda:0"},
    {"dtype": "bfloat16"},
    {"protocol": "published"},
    {"network": "cnn"},
    {"backend": "reference"},
    {"settings": {"elements": 8192}},
    {"settings": {"elements": 4096, "neuron.tau": 1.5}},
    {"timesteps": 64},
    {"versions": "torch 2.14.1", "machine": "one, 2 cores"},
    {"machine": "two, 2 cores", "versions": "torch 2.9.0"},
    {"seed": 1},
]


@pytest.mark.parametrize("other", DIFFERING, ids=lambda other: next(iter(other)))
def test_what_decides_a_value_keeps_answers_apart(other: dict[str, Any], tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", timing("lif", 1.0, 0.9, 1.1))
    second = make_run(tmp_path / "b", timing("lif", 2.0, 1.9, 2.1, **other), commit="b")
    assert merge([first, second], tmp_path / "m") == (2, 0)
    assert len(table(tmp_path / "m")) == 8


def test_settings_that_say_the_same_are_one_question(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0], settings={"neuron.tau": 2, "x": None}))
    second = make_run(tmp_path / "b", accuracy("lif", "digits", [97.0], settings={"neuron.tau": 2.0}))
    assert merge([first, second], tmp_path / "m") == (1, 1)


def test_a_setting_that_was_added_since_is_no_other_question(tmp_path: Path) -> None:
    """The older rows do not name it; the newer hold its default, or nothing."""
    added = {"precision": NETWORK_SETTINGS["precision"], "recipe": None}
    assert added["precision"] is not None
    old = accuracy("lif", "digits", [90.0, 91.0], settings={"epochs": 3}) + failed("if", 0)
    new = accuracy("lif", "digits", [80.0], settings={"epochs": 3, **added}) + accuracy("if", "digits", [70.0])
    runs = [make_run(tmp_path / "a", old, date="2026-01-01"), make_run(tmp_path / "b", new, date="2026-01-02")]
    assert merge(runs, tmp_path / "m") == (3, 2)
    assert facts(tmp_path / "m", "neuron", "seed") == [("if", 0, 70.0), ("lif", 0, 80.0), ("lif", 1, 91.0)]


def test_a_setting_that_was_added_since_and_is_no_default_is_another_question(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / name, accuracy("lif", "digits", [90.0], settings={"epochs": 3, **more}))
        for name, more in (("a", {}), ("b", {"precision": "bfloat16"}), ("c", {"precision": None}))
    ]
    assert merge(runs, tmp_path / "m") == (3, 0)
    with pytest.raises(MixedConditions, match="differ in settings"):
        over_seeds(table(tmp_path / "m"), ["neuron"])


def test_the_later_answer_is_kept_and_a_measured_one_before_a_failed_one(tmp_path: Path) -> None:
    old = make_run(tmp_path / "a", accuracy("lif", "digits", [90.0, 91.0]), failed("clif", 0), date="2026-01-01")
    new = make_run(
        tmp_path / "b", accuracy("lif", "digits", [70.0]), failed("lif", 1), accuracy("clif", "digits", [80.0]),
        date="2026-01-02", commit="b",
    )  # fmt: skip
    for order in ([old, new], [new, old]):
        out = tmp_path / f"m{len(list(tmp_path.iterdir()))}"
        assert merge(order, out) == (3, 3)
        assert facts(out, "neuron", "seed") == [("clif", 0, 80.0), ("lif", 0, 70.0), ("lif", 1, 91.0)]


@pytest.mark.parametrize("dates", [("2026-01-01", "2026-01-02"), ("2026-01-02", "2026-01-01")])
def test_the_date_decides_and_not_the_name(dates: tuple[str, str], tmp_path: Path) -> None:
    for name, value, date in zip("ab", (90.0, 80.0), dates, strict=True):
        make_run(tmp_path / name, accuracy("lif", "digits", [value]), date=date, commit=name)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "m")
    assert table(tmp_path / "m").value.tolist() == [90.0 if dates[0] > dates[1] else 80.0]


def test_a_part_that_comes_twice_is_one(tmp_path: Path) -> None:
    """Whatever the order of what its provenance says."""
    run = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]))
    merge([run], tmp_path / "m")
    known = read_provenance(run)
    (run / "provenance.json").write_text(json.dumps(dict(reversed(known.items()))))
    merge([tmp_path / "m", run], tmp_path / "again")
    assert [part["run"] for part in read_provenance(tmp_path / "again")["merged"]] == ["a"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "/full"), "/full: No space left on device; nothing was merged"),
        (OSError(28, "No space left on device"), "{out}: No space left on device; nothing was merged"),
        (OSError("gone"), "{out}: gone; nothing was merged"),
    ],
)
def test_what_the_system_refuses_is_said(
    error: OSError, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]))

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(groups, "remember", fail)
    with pytest.raises(RunError) as raised:
        merge([run], tmp_path / "out")
    assert str(raised.value) == message.format(out=tmp_path / "out")


def test_a_cell_that_failed_on_one_machine_is_answered_by_another_unless_it_is_a_timing(tmp_path: Path) -> None:
    broken = [record | {"status": "failed", "value": None} for record in timing("lif", 0, 0, 0)[:1]]
    first = make_run(tmp_path / "a", failed("lif", 0), broken)
    second = make_run(tmp_path / "b", accuracy("lif", "digits", [97.0]), timing("lif", 1, 1, 1), machine="two")
    merge([first, second], tmp_path / "m")
    rows = table(tmp_path / "m")
    assert rows[rows.status == "failed"].task.tolist() == ["throughput"]


def shuffled(tmp_path: Path) -> list[Path]:
    return [
        make_run(
            tmp_path / "a", accuracy("lif", "digits", [90.0, 91.0]), timing("lif", 1.0, 0.9, 1.1), failed("if", 0)
        ),
        make_run(tmp_path / "b", accuracy("lif", "digits", [90.0, 92.0]), timing("lif", 1.2, 1.1, 1.3), commit="b"),
        make_run(tmp_path / "c", accuracy("clif", "digits", [95.0]), timing("lif", 3.0, 2.9, 3.1), machine="two"),
    ]


def test_the_order_does_not_matter(tmp_path: Path) -> None:
    """Two runs of one date among them, whose answers differ."""
    runs = shuffled(tmp_path)
    found = []
    for number, order in enumerate(itertools.permutations(runs)):
        merge(order, tmp_path / f"m{number}")
        found.append((tmp_path / f"m{number}/results.csv").read_text())
    assert len(set(found)) == 1


def test_nested_merges_hold_what_a_flat_one_holds(tmp_path: Path) -> None:
    a, b, c = shuffled(tmp_path)
    merge([a, b, c], tmp_path / "flat")
    merge([b, c], tmp_path / "bc")
    merge([tmp_path / "bc", a], tmp_path / "nested")
    merge([tmp_path / "nested", a, tmp_path / "flat"], tmp_path / "again")
    for name in ("nested", "again"):
        assert (tmp_path / name / "results.csv").read_text() == (tmp_path / "flat/results.csv").read_text()
        assert read_provenance(tmp_path / name)["merged"] == read_provenance(tmp_path / "flat")["merged"]
        assert groups.read(tmp_path / name).keys() == groups.read(tmp_path / "flat").keys()


def test_every_part_keeps_its_machine_commit_versions_and_date(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / name, accuracy(name, "digits", [97.0]), machine=name, commit=name, date=f"2026-01-0{day}",
                 packages={"torch": f"2.{day}.0"})
        for day, name in enumerate("abc", start=1)
    ]  # fmt: skip
    merge(runs[:2], tmp_path / "ab")
    merge([tmp_path / "ab", runs[2]], tmp_path / "abc")
    known = read_provenance(tmp_path / "abc")
    assert [part["machine"]["cpu"] for part in known["merged"]] == ["a", "b", "c"]
    assert [part["packages"]["torch"] for part in known["merged"]] == ["2.1.0", "2.2.0", "2.3.0"]
    assert [part["commit"][0] for part in known["merged"]] == ["a", "b", "c"]
    assert known["date"] == "2026-01-03"
    assert not {"machine", "commit", "packages"} & set(known), "what differs is said of the parts alone"
    assert set(table(tmp_path / "abc").versions) == {"torch 2.1.0", "torch 2.2.0", "torch 2.3.0"}


@pytest.mark.parametrize("dirty", [True, None])
def test_a_merged_run_is_as_dirty_as_its_parts(dirty: bool | None, tmp_path: Path) -> None:
    clean = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]))
    other = make_run(tmp_path / "b", accuracy("clif", "digits", [97.0]), dirty=dirty)
    for number, order in enumerate(([clean, other], [other, clean])):
        merge(order, tmp_path / f"m{number}")
        with pytest.raises(RunError, match="its code was not committed"):
            publish(tmp_path / f"m{number}", "m", False, tmp_path / "published")
    merge([clean], tmp_path / "clean")
    publish(tmp_path / "clean", "clean", False, tmp_path / "published")


@pytest.mark.parametrize("study_first", [True, False])
@pytest.mark.parametrize("study_date", ["2025-12-31", "2026-01-01", "2026-01-02"])
def test_a_study_and_a_main_run_of_two_commits_stay_whole(study_first: bool, study_date: str, tmp_path: Path) -> None:
    asked = [*accuracy("lif", "digits", [90.0, 91.0, 92.0]), *accuracy("clif", "digits", [95.0, 96.0, 97.0])]
    study = make_run(tmp_path / "study", asked, commit="s", group="neurons", date=study_date)
    whole = make_run(tmp_path / "main", asked, accuracy("if", "digits", [80.0, 81.0, 82.0]), commit="m")
    merge([study, whole] if study_first else [whole, study], tmp_path / "m")
    seeds = range(3)
    assert main(tmp_path / "m") == {(name, seed) for name in ("lif", "clif", "if") for seed in seeds}
    rows = table(tmp_path / "m")
    own = rows[rows.cell.isin(groups.read(tmp_path / "m")["neurons"])]
    assert {(row.neuron, row.seed) for row in own.itertuples()} == {(n, s) for n in ("lif", "clif") for s in seeds}
    assert len(own) == 6


def test_what_is_incomplete_stays_so(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]))
    second = make_run(tmp_path / "b", accuracy("clif", "digits", [97.0]), commit="b")
    keys = [table(run).cell.iloc[0] for run in (first, second)]
    plan(first, {"x": keys[0], "y": "of a", "z": "never"})
    plan(second, {"y": keys[1]})
    merge([first, second], tmp_path / "m")
    assert planned_keys(tmp_path / "m") == {keys[0], keys[1], "never"}
    merge([tmp_path / "m"], tmp_path / "again")
    for name in ("m", "again"):
        with pytest.raises(RunError, match="1 cells are not measured yet"):
            publish(tmp_path / name, "m", False, tmp_path / "published")
    merge([second, first], tmp_path / "other")
    assert planned_keys(tmp_path / "other") == planned_keys(tmp_path / "m")


def test_a_plan_follows_the_answer_that_is_kept(tmp_path: Path) -> None:
    old = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]), date="2026-01-01")
    new = make_run(tmp_path / "b", accuracy("lif", "digits", [98.0]), date="2026-01-02", commit="b")
    plan(old, {"x": table(old).cell.iloc[0]})
    merge([new, old], tmp_path / "m")
    assert planned_keys(tmp_path / "m") == {table(new).cell.iloc[0]}
    publish(tmp_path / "m", "m", False, tmp_path / "published")


def test_what_exists_is_not_merged_into(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("a", "empty", "file", "dangling"):
        with pytest.raises(RunError, match="exists; merge into a new directory"):
            merge([run], tmp_path / name)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("fault", ["no run", "other schema", "no space", "killed"])
def test_a_merge_that_fails_leaves_nothing(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(tmp_path / "a", accuracy("lif", "digits", [97.0])), tmp_path / "b"]
    expected: type[BaseException] = RunError
    if fault == "other schema":
        runs[1].mkdir()
        pd.DataFrame({"x": [1]}).to_parquet(runs[1] / "results.parquet")
    elif fault in ("no space", "killed"):
        make_run(runs[1], accuracy("clif", "digits", [97.0]))
        expected = RunError if fault == "no space" else KeyboardInterrupt
        raised = OSError(28, "No space left on device") if fault == "no space" else KeyboardInterrupt()

        def fail(*_: Any, **__: Any) -> None:
            raise raised

        monkeypatch.setattr(groups, "remember", fail)
    with pytest.raises(expected):
        merge(runs, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    monkeypatch.undo()
    merge(runs[:1], tmp_path / "out")
    assert len(table(tmp_path / "out")) == 1


def test_a_merged_directory_of_the_first_format_gets_its_machines_by_name(tmp_path: Path) -> None:
    """Rows of that format do not say what made them; the parts of the provenance do."""
    run = make_run(tmp_path / "m", accuracy("lif", "digits", [97.0, 96.0]))
    rows = table(run).assign(run=["a", "b"]).drop(columns=["machine", "versions", "commit"])
    rows.to_parquet(run / "results.parquet")
    parts = [{"run": name, "machine": {"cpu": f"CPU {name}", "cores": 2}} for name in ("a", "b")]
    (run / "provenance.json").write_text(json.dumps({"merged": parts}))
    assert [text.split(",")[0] for text in store.read_results(run).machine] == ["CPU a", "CPU b"]


def test_the_command_says_what_it_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]), packages={"torch": "2.14.1"})
    second = make_run(tmp_path / "b", accuracy("clif", "digits", [97.0]), packages={"torch": "2.9.0"}, commit="b")
    command_line(["merge", str(first), str(second), "--out", str(tmp_path / "m")])
    said = capsys.readouterr().out
    assert "2 cells in" in said
    assert "rows of several versions: torch 2.14.1 (1 cell); torch 2.9.0 (1 cell)" in said
    assert "rows of several commits: aaaaaaaaaaaa (1 cell); bbbbbbbbbbbb (1 cell)" in said
