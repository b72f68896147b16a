"""The index of published runs, and the files of others that it leaves alone."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from suite.publish import publish, write_index
from suite.runs.store import RunError
from tests.suite.made_runs import make_run, with_report
from tests.suite.report.handmade import accuracy

NAMES = ["plain", "T=8 #2", "50% of it?", "x (y)", "[z]", "ü_*x*", "a&b<c>", "a|b"]


class Links(HTMLParser):
    """The aims of all links, and the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href" and value is not None]


def leads_to(root: Path, link: str) -> Path:
    """The file that a browser opens for a relative link of a page in `root`."""
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    return root / unquote(parts.path)


def page_of(path: Path) -> Path:
    """A run with its pages, as it stands on a site."""
    return with_report(make_run(path, accuracy("lif", "digits", [97.0])))


def of_markdown(path: Path) -> str:
    return MarkdownIt("commonmark").enable("table").render(path.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_site_lead_to_the_pages_whatever_the_run_is_called(name: str, tmp_path: Path) -> None:
    root = tmp_path / "site"
    (page_of(root / name) / "report/paper #1?.html").write_text("paper")
    write_index(root, pages=True)
    markdown = of_markdown(root / "README.md")
    for page in ((root / "index.html").read_text(), markdown):
        found = [leads_to(root, link) for link in Links(page).links]
        assert [path.read_text() for path in found] == ["page", "paper"]
        assert not Links(page).tags & {"em", "strong", "c", "img", "script"}
    assert markdown.count("<tr>") == 2


@pytest.mark.parametrize("name", NAMES)
def test_links_of_published_rows_lead_to_figure_and_table(name: str, tmp_path: Path) -> None:
    root = tmp_path / "published"
    publish(page_of(tmp_path / name), name, False, root)
    markdown = of_markdown(root / "README.md")
    assert [leads_to(root, link).read_text() for link in Links(markdown).links] == ["plot", "table"]
    assert not Links(markdown).tags & {"em", "strong", "c", "img", "script"}
    assert not (root / "index.html").exists()


def test_names_from_files_are_text(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", accuracy("lif", "digits", [97.0]), machine="<img src=x>|**b** `c`", commit="<")
    root = tmp_path / "published"
    publish(run, "run", False, root)
    write_index(root, pages=True)
    for page in ((root / "index.html").read_text(), of_markdown(root / "README.md")):
        assert not Links(page).tags & {"img", "strong", "code"}
        assert "&lt;img src=x&gt;|**b** `c`, 2 cores" in page


def test_every_part_of_a_merged_run_is_named(tmp_path: Path) -> None:
    parts = [
        {"date": "2026-01-01", "commit": c * 10 + 30 * "0", "machine": {"cpu": m, "cores": 4}}
        for c, m in ("ax", "by", "ax")
    ]
    run = make_run(tmp_path / "run", accuracy("lif", "digits", [97.0]), merged=parts)
    publish(run, "run", False, tmp_path / "published")
    line = (tmp_path / "published/README.md").read_text().splitlines()[-1]
    assert "| aaaaaaaaaa, bbbbbbbbbb | x, 4 cores; y, 4 cores |" in line


@pytest.mark.parametrize("own", ["index.html", "README.md"])
def test_a_page_of_somebody_else_is_left_alone(own: str, tmp_path: Path) -> None:
    root = tmp_path / "site"
    page_of(root / "run")
    (root / own).write_text("# Published results\nmine\n")
    write_index(root, pages=True)
    files = sorted(path.name for path in root.iterdir() if path.is_file())
    assert files == [own, "published-runs.html", "published-runs.md"]
    assert (root / own).read_text() == "# Published results\nmine\n"
    assert "run/report/index.html" in (root / "published-runs.html").read_text()
    page_of(root / "second")
    write_index(root, pages=True)
    assert "second" in (root / "published-runs.md").read_text()
    (root / "published-runs.md").write_text("mine too")
    with pytest.raises(RunError, match=r"published-runs.md is no index of published runs"):
        write_index(root, pages=True)
    assert (root / "published-runs.md").read_text() == "mine too"


def test_somebody_s_own_readme_beside_published_rows_stays(tmp_path: Path) -> None:
    root = tmp_path / "published"
    root.mkdir()
    (root / "README.md").write_text("# Published results\nmine\n")
    publish(page_of(tmp_path / "run"), "run", False, root)
    assert sorted(path.name for path in root.iterdir()) == ["README.md", "published-runs.md", "run"]
    assert (root / "README.md").read_text() == "# Published results\nmine\n"


def test_the_index_is_written_anew_into_its_own_files(tmp_path: Path) -> None:
    root = tmp_path / "site"
    for name in ("one", "two"):
        page_of(root / name)
        write_index(root, pages=True)
    assert sorted(path.name for path in root.iterdir()) == ["README.md", "index.html", "one", "two"]
    for name in ("README.md", "index.html"):
        assert "one/report/index.html" in (root / name).read_text()
        assert "two/report/index.html" in (root / name).read_text()


def test_withdrawn_statements_outlive_the_next_publication(tmp_path: Path) -> None:
    root = tmp_path / "published"
    root.mkdir()
    (root / "withdrawn.csv").write_text('date,run,said,why\n2026-01-02,first,"A beats B","the file, swapped"\n')
    publish(make_run(tmp_path / "a", accuracy("lif", "digits", [97.0])), "first", force=False, root=root)
    write_index(root, pages=True)
    for page in ("README.md", "index.html"):
        text = (root / page).read_text()
        assert "A beats B" in text
        assert "the file, swapped" in text
    for broken in ("date,run\n1,2\n", 'date,run,said,why\n"\n', "date,run,said,why\n1,2,3,4,5\n"):
        (root / "withdrawn.csv").write_text(broken)
        with pytest.raises(RunError, match=r"withdrawn.csv cannot be read .*first line is date,run,said,why"):
            write_index(root)
