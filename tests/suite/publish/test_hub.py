"""Sending to the Hugging Face hub. A directory stands in for it; every call must fit the official client."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.utils import filter_repo_objects

from suite.publish import publish, send, site
from tests.suite.made_runs import make_run, tree, with_report
from tests.suite.report.handmade import accuracy


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the data set somebody/neurons."""
    real = huggingface_hub.HfApi

    class Directory:
        def create_repo(self, *arguments: Any, **keywords: Any) -> None:
            bound = inspect.signature(real.create_repo).bind(self, *arguments, **keywords).arguments
            assert bound["repo_type"] == "dataset"
            (tmp_path / "hub" / bound["repo_id"]).mkdir(parents=True, exist_ok=bound["exist_ok"])

        def upload_folder(self, *arguments: Any, **keywords: Any) -> None:
            bound = inspect.signature(real.upload_folder).bind(self, *arguments, **keywords).arguments
            target = tmp_path / "hub" / bound["repo_id"] / bound["path_in_repo"]
            old = [str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()]
            for name in filter_repo_objects(old, allow_patterns=bound["delete_patterns"]):
                (target / name).unlink()
            source = Path(bound["folder_path"])
            own = [str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()]
            for name in filter_repo_objects(own, allow_patterns=bound["allow_patterns"]):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, target / name)

    monkeypatch.setattr(huggingface_hub, "HfApi", Directory)
    monkeypatch.setattr(site, "build", with_report)
    return tmp_path / "hub/somebody/neurons"


def test_old_files_of_the_run_go_and_all_others_stay(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = publish(
        with_report(make_run(tmp_path / "a", accuracy("lif", "digits", [1.0]))), "first", False, tmp_path / "p"
    )
    theirs = ["README.md", "other/report/x.png", "other/results.parquet", "first/notes.md", "first/data/report/x.png"]
    for name in theirs:
        (hub / name).parent.mkdir(parents=True, exist_ok=True)
        (hub / name).write_text("theirs")
    assert send(run, "hf:somebody/neurons") == "hf:somebody/neurons/first"
    assert tree(run).items() <= tree(hub / "first").items()
    assert (hub / "first/report/index.html").read_text() == "page"

    def build(run: Path) -> None:
        (with_report(run) / "report/plots/x.png").rename(run / "report/plots/y.png")

    monkeypatch.setattr(site, "build", build)
    send(run, "hf:somebody/neurons")
    assert not (hub / "first/report/plots/x.png").exists()
    assert (hub / "first/report/plots/y.png").read_text() == "plot"
    assert [(hub / name).read_text() for name in theirs] == ["theirs"] * len(theirs)
