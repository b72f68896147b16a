"""A publication deletes nothing but the run that it replaces."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from neurons import InvalidValue
from suite.cli import main
from suite.publish import local, publish
from suite.runs.store import RunError, read_provenance, read_results
from tests.suite.made_runs import make_run, plan, tree, with_report
from tests.suite.report.handmade import accuracy


def run_of(path: Path, value: float = 97.0, **facts: object) -> Path:
    return with_report(make_run(path, accuracy("lif", "digits", [value]), **facts))  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in which `old` is published, beside a run directory and somebody's own folder."""
    publish(run_of(tmp_path / "old"), "old", force=False, root=tmp_path / "results/published")
    (tmp_path / "results/runs/mine").mkdir(parents=True)
    (tmp_path / "results/runs/mine/results.parquet").write_text("precious")
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/keep").write_text("precious")
    return tmp_path / "results/published"


BAD_NAMES = [
    "..",
    ".",
    "",
    "../runs",
    "../../victim",
    "../published/old",
    "old/../old",
    "old/inside",
    "/absolute",
    "a\\b",
    "a b",
    "a#b",
    "ü",
    "a\nb",
    ".git",
    ".hidden",
    "~",
    "-" * 101,
    "index.html",
    "README.md",
]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_is_one_plain_folder(name: str, force: bool, root: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "new", 98.0)
    name = str(tmp_path / "victim") if name == "/absolute" else name
    before = tree(tmp_path)
    with pytest.raises(InvalidValue, match="letters, digits"):
        publish(run, name, force, root)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["a", "quick-2", "T_8.5", "_x", "-x"])
def test_plain_names(name: str, root: Path, tmp_path: Path) -> None:
    assert publish(run_of(tmp_path / "new"), name, False, root) == root / name
    assert read_results(root / name).value.tolist() == [97.0]


@pytest.mark.parametrize("spelled", ["results/published/old", "results/published/../published/old/", "link"])
@pytest.mark.parametrize("force", [False, True])
def test_publishing_a_published_run_deletes_nothing(
    spelled: str, force: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(root / "old")
    monkeypatch.chdir(tmp_path)
    before = tree(root)
    assert publish(Path(spelled), "old", force, Path("results/published")).resolve() == root / "old"
    assert tree(root) == before


def test_a_published_run_under_a_second_name(root: Path) -> None:
    publish(root / "old", "second", False, root)
    assert tree(root / "second") == tree(root / "old")


def test_the_same_run_replaces_itself_and_leaves_what_somebody_put_beside_it(root: Path, tmp_path: Path) -> None:
    (root / "old/notes.md").write_text("mine")
    (root / "old/pictures").mkdir()
    (root / "old/pictures/a.png").write_text("mine")
    (tmp_path / "old/report/plots/accuracy.png").rename(tmp_path / "old/report/plots/claims.png")
    publish(tmp_path / "old", "old", False, root)
    assert (root / "old/notes.md").read_text() == (root / "old/pictures/a.png").read_text() == "mine"
    assert [path.name for path in (root / "old/report/plots").iterdir()] == ["claims.png"]


OTHERS = {
    "machine": {"machine": "two"},
    "date": {"date": "2026-01-02"},
    "merged": {"merged": [{"date": "2026-01-01", "machine": {"cpu": "three", "cores": 2}}]},
    "poor": {"date": None, "machine": "two"},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_run_is_replaced_when_asked_alone(kind: str, root: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "other", 50.0, **OTHERS[kind])
    before = tree(root)
    with pytest.raises(RunError, match="it would replace another run of the name old") as told:
        publish(run, "old", False, root)
    assert "2026-01-01, one, 2 cores" in str(told.value)
    assert tree(root) == before
    publish(run, "old", True, root)
    assert read_results(root / "old").value.tolist() == [50.0]


def test_a_run_that_lost_cells_does_not_replace_itself_unasked(root: Path, tmp_path: Path) -> None:
    publish(run_of(tmp_path / "w"), "whole", False, root)
    whole = with_report(make_run(tmp_path / "whole", accuracy("lif", "digits", [97.0, 98.0])))
    publish(whole, "whole", False, root)  # it grew
    with pytest.raises(RunError, match="it lacks 1 cells of the run whole"):
        publish(tmp_path / "w", "whole", False, root)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("what", ["folder", "file", "link", "inside", "around"])
def test_what_is_no_published_run_is_never_replaced(what: str, force: bool, root: Path, tmp_path: Path) -> None:
    run, name = run_of(tmp_path / "new"), "taken"
    if what == "folder":
        shutil.copytree(tmp_path / "victim", root / "taken")
    elif what == "file":
        (root / "taken").write_text("precious")
    elif what == "link":
        (root / "taken").symlink_to(tmp_path / "victim")
    elif what == "inside":  # the run lies in the folder that it would replace
        run, name = run_of(root / "old/deep/new"), "old"
    elif what == "around":  # the published runs lie in the run's report
        root = run / "report/published"
    before = tree(tmp_path)
    with pytest.raises(RunError, match=r"--name|from another folder"):
        publish(run, name, force, root)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "place",
    [
        "report/answer.json",
        "report/plots/accuracy.png",
        "report/plots",
        "report/tables/board.md",
        "groups.json",
        "report",
    ],
)
def test_links_are_refused_by_name(place: str, force: bool, root: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "new")
    path = run / place
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (tmp_path / "victim/accuracy.png").write_text("precious")
    aims = {"report/plots": "victim", "report": "victim", "report/tables/board.md": "nowhere"}
    path.symlink_to(tmp_path / aims.get(place, "victim/keep"))
    before = tree(root)
    with pytest.raises(RunError, match=rf"{place} is a link"):
        publish(run, "new", force, root)
    assert tree(root) == before


def test_pages_and_what_else_lies_in_a_report_are_not_published(root: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "new")
    (run / "report/secret").symlink_to(tmp_path / "victim/keep")
    publish(run, "new", False, root)
    assert set(tree(root / "new")) == {
        *("results.parquet", "provenance.json", "groups.json"),
        *("report/answer.json", "report/plots/accuracy.png", "report/tables/board.md"),
    }
    assert not [name for name in tree(root) if name.endswith(".html")]


def test_a_pipe_is_refused(root: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "new")
    (run / "report/answer.json").unlink()
    os.mkfifo(run / "report/answer.json")
    with pytest.raises(RunError, match=r"report/answer.json is no file"):
        publish(run, "new", True, root)


@pytest.mark.parametrize(
    "provenance",
    ['{"dirty": false}', "{}", '{"machine": "x86", "date": 3, "dirty": false}', '{"merged": [1, {}], "dirty": false}'],
)
def test_a_poor_run_is_refused_and_spoils_no_later_publication(provenance: str, root: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "poor")
    (run / "provenance.json").write_text(provenance)
    with pytest.raises(RunError, match=r"provenance.json has no"):
        publish(run, "poor", False, root)
    assert not (root / "poor").exists()
    publish(run, "poor", True, root)
    publish(run_of(tmp_path / "good"), "good", False, root)
    assert "[accuracy](good/report/plots/accuracy.png)" in (root / "README.md").read_text()
    assert "| poor |" in (root / "README.md").read_text()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\udcff"])
def test_a_published_run_that_broke_spoils_no_later_publication(text: str, root: Path, tmp_path: Path) -> None:
    (root / "old/provenance.json").write_bytes(text.encode(errors="surrogateescape"))
    publish(run_of(tmp_path / "good"), "good", False, root)
    assert "| old |  | unknown | unknown" in (root / "README.md").read_text()


REFUSED = {
    "dirty": ({"dirty": True}, "its code was not committed"),
    "unknown": ({"dirty": None}, "its code was not committed"),
    "undated": ({"date": None}, "has no date"),
    "nowhere": ({"machine": ""}, "has no machine"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_speaks_against_a_run(kind: str, tmp_path: Path) -> None:
    facts, fault = REFUSED[kind]
    run = run_of(tmp_path / "a", **facts)
    with pytest.raises(RunError, match=f"{fault}.*; --force"):
        publish(run, "first", force=False, root=tmp_path / "published")
    publish(run, "first", force=True, root=tmp_path / "published")
    assert read_results(tmp_path / "published/first").value.tolist() == [97.0]


def test_without_dirty_in_its_provenance_a_run_is_not_known_to_be_clean(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a")
    known = json.loads((run / "provenance.json").read_text())
    del known["dirty"]
    (run / "provenance.json").write_text(json.dumps(known))
    with pytest.raises(RunError, match="its code was not committed"):
        publish(run, "first", force=False, root=tmp_path / "published")


def test_failed_unmeasured_and_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "published"
    failed = [record | {"status": status, "value": None} for status in ("failed", "timeout", "unavailable")
              for record in accuracy(f"n_{status}", "digits", [0.0])]  # fmt: skip
    run = make_run(tmp_path / "a", accuracy("lif", "digits", [97.0]), failed)
    with pytest.raises(RunError, match="2 cells failed or ran out of time"):
        publish(run, "a", False, root)
    run = run_of(tmp_path / "b")
    plan(run, {"one": read_results(run).cell.iloc[0], "two": "never"})
    with pytest.raises(RunError, match="1 cells are not measured yet"):
        publish(run, "b", False, root)
    publish(run, "b", True, root)
    with pytest.raises(RunError, match="1 cells are not measured yet"):  # the plan went along
        publish(root / "b", "again", False, root)
    run = run_of(tmp_path / "c")
    size = sum(path.stat().st_size for path in local.published_files(run))
    monkeypatch.setattr(local, "LARGEST_BYTES", size - 1)
    with pytest.raises(RunError, match="more than 0 MB"):
        publish(run, "c", False, root)
    monkeypatch.setattr(local, "LARGEST_BYTES", size)
    publish(run, "c", False, root)


def test_published_files_are_readable_as_the_umask_allows(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a")
    for path in (run / "provenance.json", run / "report/answer.json"):
        path.chmod(0o600)
    before = os.umask(0o022)
    try:
        target = publish(run, "first", False, tmp_path / "published")
    finally:
        os.umask(before)
    files = [*target.rglob("*"), *target.parent.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.is_file()} == {0o644}


@pytest.mark.parametrize(
    "wrong", [["--to", "ftp:x"], ["--to", ""], ["--name", ".."], ["--name", ""], ["--to", "git:x#--f"]]
)
def test_the_command_looks_at_its_arguments_first(
    wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    assert main(["publish", "a", *wrong]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_command_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    assert main(["publish", "a"]) == 0
    assert capsys.readouterr().out == f"published: {tmp_path / 'results/published/a'}\n"


def test_a_merged_run_is_replaced_by_one_of_as_many_parts_or_more(tmp_path: Path) -> None:
    parts = [{"date": f"2026-01-0{day}", "machine": {"cpu": f"cpu {day}"}} for day in (1, 2, 3)]
    run = make_run(tmp_path / "run", accuracy("lif", "digits", [90.0]), merged=parts[:2])
    rows, known = read_results(run), read_provenance(run)
    assert local.replaced(run, rows, {**known, "merged": parts[:2]}) == []
    assert local.replaced(run, rows, {**known, "merged": parts}) == []
    for fewer in (parts[:1], parts[1:]):
        (said,) = local.replaced(run, rows, {**known, "merged": fewer})
        assert said.startswith("it would replace another run of the name run")
