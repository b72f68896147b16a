"""Whose commit a run names: the suite's own, whatever repository is around it or in the environment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from suite.runs import provenance
from suite.runs.git import environment

FILE = "suite/runs/provenance.py"


def repository(folder: Path, *files: str) -> Path:
    """A repository with one commit of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (["init", "-q"], ["add", "--all"], [*author, "commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run(["git", *command], cwd=folder, env=environment(), check=True)
    return folder


def head(folder: Path) -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        command, cwd=folder, env=environment(), check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_clean_checkout_and_an_edited_one(tmp_path: Path) -> None:
    own = repository(tmp_path / "own", FILE)
    assert provenance.commit_of(own) == (head(own), False)
    (own / "untracked").touch()
    assert provenance.commit_of(own) == (head(own), False)
    (own / FILE).write_text("edited")
    assert provenance.commit_of(own) == (head(own), True)


def test_a_package_inside_of_another_repository_has_no_commit(tmp_path: Path) -> None:
    thesis = repository(tmp_path / "thesis", "thesis.tex", ".venv/site-packages/" + FILE)
    assert provenance.commit_of(thesis / ".venv/site-packages") == (None, None)
    shutil.copytree(thesis / ".venv/site-packages/suite", thesis / "suite")
    assert provenance.commit_of(thesis) == (None, None), "lies at the top of a repository that does not track it"


def test_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provenance.commit_of(tmp_path) == (None, None)
    own = repository(tmp_path / "own", FILE)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert provenance.commit_of(own) == (None, None)


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_variables_of_a_git_hook_do_not_matter(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = repository(tmp_path / "own", FILE), repository(tmp_path / "other", "else")
    monkeypatch.setenv(variable, str(other if variable == "GIT_WORK_TREE" else other / ".git"))
    assert provenance.commit_of(own) == (head(own), False)


def test_an_identity_and_a_way_to_the_server_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"GIT_AUTHOR_NAME": "a", "GIT_SSH_COMMAND": "ssh -i key", "GIT_ASKPASS": "ask", "GIT_CONFIG_GLOBAL": "/x"}
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    assert kept.items() <= environment().items()
