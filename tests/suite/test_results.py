"""compare, merge and publish on runs made by hand."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import huggingface_hub
import pandas as pd
import pytest

from neurons import InvalidValue
from suite.compare import compare
from suite.merge import merge
from suite.publish import publish, send
from suite.report import groups
from suite.runs.store import COLUMNS, RunError, read_provenance, read_results


def make_run(
    path: Path,
    values: dict[str, list[float]],
    machine: str = "a",
    dirty: bool = False,
    seconds: tuple[float, float, float] = (1.0, 0.9, 1.1),
    commit: str = "0",
) -> Path:
    """A run with accuracies by neuron and seed, and one timing: its median and the middle three fifths."""
    rows = [
        {"task": "accuracy", "neuron": neuron, "metric": "accuracy_selected", "seed": seed, "value": value}
        for neuron, own in values.items()
        for seed, value in enumerate(own)
    ]
    for suffix, value in zip(("", "_p20", "_p80"), seconds, strict=True):
        metric = f"forward_backward_time{suffix}"
        rows.append({"task": "throughput", "neuron": "lif", "metric": metric, "seed": 0, "value": value})
    common = dict.fromkeys(COLUMNS) | {"backend": "cpu", "dataset": "digits", "settings": "{}", "status": "ok"}
    types = dict.fromkeys(("timesteps", "seed", "step", "lag"), "Int64")
    path.mkdir()
    keys = [f"{commit}{row['task']}{row['neuron']}{row['seed']}" for row in rows]
    records = [common | {"run": path.name, "cell": key} | row for key, row in zip(keys, rows, strict=True)]
    table = pd.DataFrame(records).astype(types)
    table.to_parquet(path / "results.parquet")
    table.to_csv(path / "results.csv")
    facts = {"cpu": machine, "cores": 2}
    provenance = {"dirty": dirty, "commit": commit * 40, "date": "2026-01-01", "machine": facts, "threads": 2}
    (path / "provenance.json").write_text(json.dumps(provenance))
    groups.remember(path, {"run": keys})
    (path / "report").mkdir()
    (path / "report/index.html").write_text("page")
    return path


def test_compare_finds_the_change_and_accuses_nothing_else(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [90.0, 91.0, 90.5, 90.2], "clif": [95.0, 95.1, 94.9, 95.0]})
    second = make_run(tmp_path / "b", {"lif": [90.3, 90.9, 90.4, 90.2], "clif": [80.0, 80.2, 79.9, 80.1]})
    third = make_run(tmp_path / "c", {"lif": [90.0, 91.0, 90.5, 90.2], "clif": [95.0, 95.1, 94.9, 95.0]})
    table = compare([first, second, third], any_machine=False)
    assert [(name.split()[0], row[0].text) for name, row in table.rows] == [("clif", "b")]


@pytest.mark.parametrize(
    ("seconds", "changed"), [((1.05, 1.0, 1.1), False), ((1.3, 1.05, 1.6), False), ((1.3, 1.2, 1.4), True)]
)
def test_a_timing_changed_beyond_the_spread_of_its_rounds(
    seconds: tuple[float, float, float], changed: bool, tmp_path: Path
) -> None:
    first, second = make_run(tmp_path / "a", {}), make_run(tmp_path / "b", {}, seconds=seconds)
    metrics = [row[1].text for _, row in compare([first, second], any_machine=False).rows]
    assert ("forward_backward_time" in metrics) is changed


def test_compare_refuses_timings_of_two_machines(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [1.0, 2.0, 3.0]})
    second = make_run(tmp_path / "b", {"lif": [1.0, 2.0, 3.0]}, machine="b")
    with pytest.raises(RunError, match="different machines"):
        compare([first, second], any_machine=False)
    assert compare([first, second], any_machine=True).rows == []


def test_merge_takes_a_cell_from_the_first_run_that_ended_it(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [90.0, 91.0]})
    rows = read_results(first)
    rows.loc[rows.value == 91.0, ["status", "value"]] = ["failed", None]
    rows.to_parquet(first / "results.parquet")
    second = make_run(tmp_path / "b", {"lif": [70.0, 71.0], "clif": [80.0]}, machine="b", commit="1")
    assert merge([first, second], tmp_path / "both") == (4, 3)
    merged = read_results(tmp_path / "both")
    accuracy = merged[merged.task == "accuracy"]
    found = sorted(zip(accuracy.neuron, accuracy.seed, accuracy.value, accuracy.run, strict=True))
    assert found == [("clif", 0, 80.0, "b"), ("lif", 0, 90.0, "a"), ("lif", 1, 71.0, "b")]
    assert set(merged[merged.task == "throughput"].run) == {"a"}
    provenance = read_provenance(tmp_path / "both")
    assert [part["machine"]["cpu"] for part in provenance["merged"]] == ["a", "b"]
    assert set(merged.cell) <= set(groups.read(tmp_path / "both")["run"])
    with pytest.raises(RunError, match="exists; merge into a new directory"):
        merge([first, second], tmp_path / "both")


def test_publish_copies_and_indexes(tmp_path: Path) -> None:
    root = tmp_path / "published"
    target = publish(make_run(tmp_path / "a", {"lif": [1.0]}), "first", force=False, root=root)
    assert (target / "report/index.html").read_text() == "page"
    assert "[index](first/report/index.html)" in (root / "README.md").read_text()
    assert '<a href="first/report/index.html">index</a>' in (root / "index.html").read_text()
    dirty = make_run(tmp_path / "b", {"lif": [1.0]}, dirty=True)
    with pytest.raises(RunError, match="its code was not committed; --force"):
        publish(dirty, "second", force=False, root=root)
    publish(dirty, "second", force=True, root=root)
    assert "(dirty)" in (root / "README.md").read_text()


def test_withdrawn_statements_outlive_the_next_publication(tmp_path: Path) -> None:
    root = tmp_path / "published"
    root.mkdir()
    (root / "withdrawn.csv").write_text('date,run,said,why\n2026-01-02,first,"A beats B","the file, swapped"\n')
    publish(make_run(tmp_path / "a", {"lif": [1.0]}), "first", force=False, root=root)
    for page in ("README.md", "index.html"):
        text = (root / page).read_text()
        assert "A beats B" in text
        assert "the file, swapped" in text


def test_publish_refuses_an_incomplete_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", {"lif": [1.0]})
    plan = {"one": {"key": read_results(run).cell.iloc[0]}, "two": {"key": "never"}}
    (run / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(RunError, match="1 cells are not measured yet"):
        publish(run, "first", force=False, root=tmp_path / "published")


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_send_to_a_branch_of_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")
    hub = tmp_path / "hub.git"
    git("init", "--quiet", "--bare", str(hub), cwd=tmp_path)
    root = tmp_path / "published"
    for name in ("first", "second"):
        published = publish(make_run(tmp_path / name, {"lif": [1.0]}), name, force=False, root=root)
        assert send(published, f"git:{hub}") == f"git:{hub}#gh-pages"
    git("clone", "--quiet", "--branch", "gh-pages", str(hub), "pages", cwd=tmp_path)
    pages = tmp_path / "pages"
    assert (pages / "first/results.parquet").read_bytes() == (root / "first/results.parquet").read_bytes()
    assert "second/report/index.html" in (pages / "index.html").read_text()
    assert len(git("log", "--oneline", cwd=pages).splitlines()) == 2
    send(root / "second", f"git:{hub}")  # nothing new: no commit
    assert len(git("ls-remote", str(hub), cwd=tmp_path).splitlines()) >= 1
    with pytest.raises(RunError, match="git ls-remote failed: "):
        send(root / "first", f"git:{tmp_path / 'nowhere.git'}")


def test_send_to_hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory stands in for the hub; every call must fit the signature of the official client."""
    real = huggingface_hub.HfApi

    class Directory:
        def create_repo(self, *arguments: Any, **keywords: Any) -> None:
            bound = inspect.signature(real.create_repo).bind(self, *arguments, **keywords).arguments
            assert bound["repo_type"] == "dataset"
            (tmp_path / "hub" / bound["repo_id"]).mkdir(parents=True, exist_ok=bound["exist_ok"])

        def upload_folder(self, *arguments: Any, **keywords: Any) -> None:
            bound = inspect.signature(real.upload_folder).bind(self, *arguments, **keywords).arguments
            shutil.copytree(bound["folder_path"], tmp_path / "hub" / bound["repo_id"] / bound["path_in_repo"])

    monkeypatch.setattr(huggingface_hub, "HfApi", Directory)
    published = publish(make_run(tmp_path / "a", {"lif": [1.0]}), "first", force=False, root=tmp_path / "published")
    assert send(published, "hf:somebody/neurons") == "hf:somebody/neurons/first"
    assert read_results(tmp_path / "hub/somebody/neurons/first").value.max() == 1.1


@pytest.mark.parametrize("target", ["hf:", "ftp:somewhere", "somewhere"])
def test_send_nowhere(target: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="write hf:OWNER/DATASET or git:REPOSITORY#BRANCH"):
        send(tmp_path, target)
