"""The site of all published runs is made of their rows alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from suite.publish import publish, site
from suite.runs.store import RunError
from tests.suite.made_runs import make_run, tree, with_report
from tests.suite.report.handmade import accuracy


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Two published runs, one of them without the report it once had."""
    root = tmp_path / "published"
    for name in ("one", "two"):
        run = make_run(tmp_path / name, *(accuracy(n, "digits", [95.0, 96.0]) for n in ("lif", "clif")))
        publish(with_report(run), name, False, root)
    shutil.rmtree(root / "two/report")
    (root / "withdrawn.csv").write_text("date,run,said,why\n2026-01-01,one,it flies,it walks\n")
    return root


def test_pages_are_built_from_rows(published: Path, tmp_path: Path) -> None:
    (published / "one/report/index.html").write_text("an old page")
    before = tree(published)
    pages = site.build_site(published, tmp_path / "build/site", ["lif"])
    made = tmp_path / "build/site"
    assert tree(published) == before, "published rows are only read"
    assert {made / "index.html", made / "one/report/index.html", made / "two/report/index.html"} <= set(pages)
    for name in ("one", "two"):
        page = (made / name / "report/index.html").read_text()
        assert "clif" in page
        assert "an old page" not in page
        assert 'href="../../index.html"' in page
        assert 'href="../../index.html" hidden' not in page
        assert f"{name}/report/index.html" in (made / "index.html").read_text()
        assert (made / name / "results.parquet").read_bytes() == (published / name / "results.parquet").read_bytes()
        assert list((made / name / "report/tables").glob("*.csv"))
        assert list((made / name / "report/plots").glob("*.svg"))
        assert 'href="../../models/lif.html">LIF</a>' in page
        assert "../../models/clif.html" not in page, "no card was asked for"
    assert made / "models/lif.html" in pages
    assert "../two/report/index.html" in (made / "models/lif.html").read_text()
    assert 'href="models/index.html"' in (made / "index.html").read_text()
    assert "it flies" in (made / "index.html").read_text()


def test_what_is_kept_of_reports_is_made_anew(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (published / "one/notes.md").write_text("mine")
    assert site.main(["--renew", "--published", str(published)]) == 0
    assert capsys.readouterr().out == "kept with the rows, made anew: one, two\n"
    for name in ("one", "two"):
        kept = {str(path.relative_to(published / name)) for path in (published / name).rglob("*.*")}
        assert {"report/answer.json", "report/plots/accuracy.png", "report/plots/accuracy.csv"} <= kept
        assert "report/tables/board.md" in kept
        assert not {path for path in kept if path.endswith((".html", ".svg", ".pdf", ".tex"))}
        assert f"({name}/report/plots/accuracy.png)" in (published / "README.md").read_text()
    assert (published / "one/notes.md").read_text() == "mine"


def test_a_second_site_replaces_the_first_whole(published: Path, tmp_path: Path) -> None:
    made = tmp_path / "site"
    site.build_site(published, made, ["lif"])
    shutil.rmtree(published / "two")
    site.build_site(published, made, ["lif"])
    assert not (made / "two").exists()
    before = tree(made)
    (published / "one/results.parquet").write_text("broken")
    with pytest.raises(RunError, match=r"published/one has no readable rows"):
        site.build_site(published, made, ["lif"])
    assert tree(made) == before
    assert not list(tmp_path.glob(".site*"))


@pytest.mark.parametrize("what", ["folder", "file", "nothing published", "no folder"])
def test_what_is_refused_is_one_line_and_nothing_is_lost(
    what: str, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, source = tmp_path / "mine", published
    if what == "folder":
        target.mkdir()
        (target / "precious").write_text("mine")
    elif what == "file":
        target.write_text("mine")
    else:
        source = tmp_path / "empty"
        if what == "nothing published":
            source.mkdir()
    before = tree(tmp_path)
    assert site.main([str(target), "--published", str(source)]) == 2
    assert tree(tmp_path) == before
    assert len(capsys.readouterr().err.splitlines()) == 1
