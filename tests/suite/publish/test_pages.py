"""Sending to a branch of a git repository changes nothing outside of the run's own folder and the index."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from neurons import InvalidValue
from suite.publish import Target, pages, publish, send, site
from suite.runs.store import RunError
from tests.suite.made_runs import make_run, tree, with_report
from tests.suite.report.handmade import accuracy


def git(*arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Git knows who commits, and no settings of the machine; the user's settings file."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return tmp_path / "gitconfig"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    git("init", "--quiet", "--bare", "hub.git", cwd=tmp_path)
    return tmp_path / "hub.git"


@pytest.fixture(autouse=True)
def quick_pages(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Pages of a moment in place of those of the rows, but for the test of these."""

    def build(run: Path) -> None:
        (with_report(run) / "report/table.csv").write_text("a\r\nb\n")

    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(site, "build", build)


def published(folder: Path, name: str = "one", **facts: object) -> Path:
    run = with_report(make_run(folder / name, accuracy("lif", "digits", [97.0]), **facts))  # type: ignore[arg-type]
    return publish(run, name, False, folder / "published")


def holds(hub: Path, branch: str = "gh-pages") -> dict[str, str]:
    """The files of a branch, with the hash of each."""
    lines = git("ls-tree", "-r", branch, cwd=hub).splitlines()
    return {name: facts.split()[2] for facts, _, name in (line.partition("\t") for line in lines)}


def branch_with(hub: Path, files: dict[str, str], branch: str = "gh-pages") -> Path:
    """A clone with these files committed and pushed to a branch."""
    work = hub.parent / f"work-{branch.replace('/', '-')}"
    git("clone", "--quiet", str(hub), str(work), cwd=hub.parent)
    git("checkout", "--quiet", "-B", branch, cwd=work)
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "-m", "a site", cwd=work)
    git("push", "--quiet", "origin", branch, cwd=work)
    return work


def test_runs_stand_beside_each_other_byte_for_byte(hub: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert send(published(tmp_path, name), f"git:{hub}") == f"git:{hub}#gh-pages"
    git("clone", "--quiet", "--branch", "gh-pages", str(hub), "pages", cwd=tmp_path)
    for name in ("first", "second"):
        built = site.build_run(tmp_path / "published" / name, tmp_path / f"built {name}")
        assert tree(tmp_path / "pages" / name) == tree(built)
        assert b"\r\n" in (tmp_path / "pages" / name / "report/table.csv").read_bytes()
        assert f"{name}/report/index.html" in (tmp_path / "pages/index.html").read_text()
    assert (tmp_path / "pages/.nojekyll").exists()
    assert git("rev-list", "--count", "gh-pages", cwd=hub) == "2"
    before = git("rev-parse", "gh-pages", cwd=hub)
    send(tmp_path / "published/second", f"git:{hub}")
    assert git("rev-parse", "gh-pages", cwd=hub) == before, "nothing new, yet a commit"


def test_a_second_publication_takes_old_files_away(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = published(tmp_path)
    send(target, f"git:{hub}")
    assert "one/report/plots/x.png" in holds(hub)
    monkeypatch.setattr(site, "build", lambda run: (with_report(run) / "report/plots/x.png").unlink())
    send(target, f"git:{hub}")
    assert {name for name in holds(hub) if "plots" in name} == {"one/report/plots/accuracy.png"}


@pytest.mark.slow
def test_what_is_sent_are_the_pages_of_the_rows(hub: Path, tmp_path: Path) -> None:
    target = published(tmp_path)
    send(target, f"git:{hub}")
    page = git("show", "gh-pages:one/report/index.html", cwd=hub)
    assert 'href="../../index.html"' in page
    assert 'href="../../index.html" hidden' not in page
    assert "97.0" in page
    assert {"one/results.parquet", "one/report/plots/accuracy.svg", "one/report/tables/board.csv"} <= set(holds(hub))
    assert not list(target.rglob("*.html"))
    before = git("rev-parse", "gh-pages", cwd=hub)
    send(target, f"git:{hub}")
    assert git("rev-parse", "gh-pages", cwd=hub) == before, "the same rows and code give the same pages"


SITES = {
    "home page": {"index.html": "home"},
    "project": {"README.md": "mine", "src/code.py": "mine"},
    "everything": {"index.html": "home", "README.md": "mine", ".gitignore": "report/\n*.parquet\n", "CNAME": "x.org"},
    "lookalike": {"README.md": "# Published results\n\nmine\n", "index.html": "<title>Published results</title>"},
    "ours before": {"one/notes.md": "mine", "one/provenance.json": "{}"},
    "jekyll": {"_config.yml": "title: x", "index.html": "home"},
}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("branch", ["gh-pages", "main"])
def test_what_a_branch_holds_is_kept(site: str, branch: str, hub: Path, tmp_path: Path) -> None:
    work = branch_with(hub, SITES[site], branch)
    before = holds(hub, branch)
    history = git("rev-parse", branch, cwd=work)
    send(published(tmp_path), f"git:{hub}#{branch}", force=site == "ours before")
    after = holds(hub, branch)
    kept = {name: hash for name, hash in before.items() if name != "one/provenance.json"}
    assert kept.items() <= after.items()
    assert "one/report/plots/x.png" in after
    assert git("rev-parse", f"{branch}^", cwd=hub) == history
    if "index.html" in before:
        assert ".nojekyll" not in after
    index = git("show", f"{branch}:{'index' if site == 'ours before' else 'published-runs'}.html", cwd=hub)
    assert "one/report/index.html" in index


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_somebody_else_is_never_replaced(force: bool, hub: Path, tmp_path: Path) -> None:
    branch_with(hub, {"one/mine.html": "mine"})
    before = git("rev-parse", "gh-pages", cwd=hub)
    with pytest.raises(RunError, match="the folder one of the branch is no published run"):
        send(published(tmp_path), f"git:{hub}", force)
    assert git("rev-parse", "gh-pages", cwd=hub) == before


@pytest.mark.parametrize("facts", [{"machine": "two"}, {"date": "2026-02-02"}])
def test_the_run_of_somebody_else_is_replaced_when_asked_alone(
    facts: dict[str, str], hub: Path, tmp_path: Path
) -> None:
    send(published(tmp_path / "ana"), f"git:{hub}")
    before = holds(hub)
    ben = published(tmp_path / "ben", **facts)
    with pytest.raises(RunError, match=r"another run of the name one .*2026-01-01, one, 2 cores.*--force"):
        send(ben, f"git:{hub}")
    assert holds(hub) == before
    send(ben, f"git:{hub}", force=True)
    assert holds(hub)["one/provenance.json"] != before["one/provenance.json"]


@pytest.mark.parametrize(
    "spelled", ["git:hub.git", "git:./hub.git", "git:sub/../hub.git", "git:{absolute}", "git:file://{absolute}"]
)
def test_any_spelling_of_a_place(spelled: str, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = published(tmp_path)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    place = spelled.format(absolute=hub)
    assert send(run, place) == f"{place}#gh-pages"
    assert "one/results.parquet" in holds(hub)


def test_home_and_colons(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(hub, tmp_path / "with:colon.git")
    run = published(tmp_path)
    monkeypatch.chdir(tmp_path)
    for place, found in (("~/hub.git", hub), ("with:colon.git", tmp_path / "with:colon.git")):
        send(run, f"git:{place}")
        assert "one/results.parquet" in holds(found)


def test_the_repository_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    git("init", "--quiet", "-b", "main", cwd=project)
    (project / "file").write_text("mine")
    git("add", "--all", cwd=project)
    git("commit", "--quiet", "-m", "mine", cwd=project)
    (project / "file").write_text("changed")
    (project / "sub").mkdir()
    for folder, place in ((project, "."), (project / "sub", "..")):
        monkeypatch.chdir(folder)
        send(published(tmp_path, f"run{len(place)}"), f"git:{place}")
    assert {"run1/results.parquet", "run2/results.parquet"} <= set(holds(project))
    assert git("symbolic-ref", "HEAD", cwd=project) == "refs/heads/main"
    assert git("status", "--porcelain", cwd=project) == "M file"


HOOK_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
)


@pytest.mark.parametrize(
    "variables", [[name] for name in HOOK_VARIABLES] + [["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"]]
)
def test_in_a_hook_the_callers_repository_stays_as_it_is(
    variables: list[str], hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    git("init", "--quiet", "-b", "main", cwd=victim)
    (victim / "file").write_text("mine")
    git("add", "--all", cwd=victim)
    git("commit", "--quiet", "-m", "mine", cwd=victim)
    run, before = published(tmp_path), tree(victim)
    own = {
        "GIT_WORK_TREE": victim,
        "GIT_INDEX_FILE": victim / ".git/index",
        "GIT_OBJECT_DIRECTORY": victim / ".git/objects",
    }
    for name in variables:
        monkeypatch.setenv(name, str(own.get(name, victim / ".git")))
    send(run, f"git:{hub}")
    for name in variables:
        monkeypatch.delenv(name)
    assert tree(victim) == before
    assert "one/results.parquet" in holds(hub)


SETTINGS = {
    "ignore file": "[core]\n\texcludesFile = {ignore}\n",
    "line ends": "[core]\n\tautocrlf = true\n",
    "hidden status": "[status]\n\tshowUntrackedFiles = no\n",
    "hooks": "[core]\n\thooksPath = {hooks}\n",
    "template": "[init]\n\ttemplateDir = {template}\n\tdefaultBranch = gh-pages\n",
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_users_settings_do_not_change_what_is_sent(kind: str, hub: Path, tmp_path: Path, somebody: Path) -> None:
    (tmp_path / "ignore").write_text("*.png\n*.csv\nreport/\n")
    for folder in ("hooks", "template/hooks"):
        (tmp_path / folder).mkdir(parents=True)
        for hook in ("pre-commit", "pre-push", "prepare-commit-msg", "post-checkout"):
            (tmp_path / folder / hook).write_text("#!/bin/sh\nexit 1\n")
            (tmp_path / folder / hook).chmod(0o755)
    places = {name: tmp_path / name for name in ("ignore", "hooks", "template")}
    somebody.write_text(SETTINGS[kind].format(**places))
    run = published(tmp_path)
    send(run, f"git:{hub}")
    git("-c", "core.autocrlf=false", "clone", "--quiet", "--branch", "gh-pages", str(hub), "pages", cwd=tmp_path)
    assert tree(tmp_path / "pages/one") == tree(site.build_run(run, tmp_path / "built"))


@pytest.mark.parametrize("other", ["old/gh-pages", "gh-pages-old", "heads/gh-pages"])
def test_a_branch_whose_name_is_like_it(other: str, hub: Path, tmp_path: Path) -> None:
    branch_with(hub, {"file": "mine"}, "theirs")
    git("update-ref", f"refs/heads/{other}", "refs/heads/theirs", cwd=hub)
    before = git("rev-parse", f"refs/heads/{other}", cwd=hub)
    send(published(tmp_path), f"git:{hub}")
    assert "file" not in holds(hub, "refs/heads/gh-pages")
    assert "one/results.parquet" in holds(hub, "refs/heads/gh-pages")
    assert git("rev-parse", f"refs/heads/{other}", cwd=hub) == before


@pytest.mark.parametrize("times", [1, 3, 99])
def test_pushes_of_others_in_between(times: int, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = branch_with(hub, {"theirs": "0"})
    real, count = pages._commit, [0]

    def with_a_push_in_between(*arguments: object) -> bool:
        done = real(*arguments)  # type: ignore[arg-type]
        if count[0] < times:
            count[0] += 1
            (work / f"theirs{count[0]}").write_text("theirs")
            git("add", "--all", cwd=work)
            git("commit", "--quiet", "-m", "theirs", cwd=work)
            git("push", "--quiet", "origin", "gh-pages", cwd=work)
        return done

    monkeypatch.setattr(pages, "_commit", with_a_push_in_between)
    run = published(tmp_path)
    if times < 5:
        send(run, f"git:{hub}")
        assert {"one/results.parquet", "theirs", *(f"theirs{n + 1}" for n in range(times))} <= set(holds(hub))
    else:
        with pytest.raises(RunError, match=r"git push failed: ! \[rejected\]"):
            send(run, f"git:{hub}")
        assert "one/results.parquet" not in holds(hub)
        assert 3 <= count[0] <= 10


def test_the_reason_is_git_s_own(hub: Path, tmp_path: Path, somebody: Path) -> None:
    run = published(tmp_path)
    with pytest.raises(RunError, match=r"git ls-remote failed: fatal: '.*nowhere.git' does not appear to be a git rep"):
        send(run, f"git:{tmp_path / 'nowhere.git'}")
    work = branch_with(hub, {"file": "mine"})
    with pytest.raises(RunError, match=r"git push failed: ! \[remote rejected\] .*branch is currently checked out"):
        send(run, f"git:{work}")
    (hub / "hooks").mkdir(exist_ok=True)
    (hub / "hooks/pre-receive").write_text("#!/bin/sh\necho 'error: no results on Fridays' >&2\nexit 1\n")
    (hub / "hooks/pre-receive").chmod(0o755)
    with pytest.raises(RunError, match=r"pre-receive hook declined.*no results on Fridays"):
        send(run, f"git:{hub}")
    somebody.write_text("[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n")
    with pytest.raises(RunError, match="git commit failed: error: gpg failed to sign the data"):
        send(run, f"git:{hub}")


@pytest.mark.parametrize(
    "said", ["", "hint: a\nhint: b\n", "To x\nerror: failed to push\n", "warning: x\nfatal: y\nfatal: z"]
)
def test_a_reason_of_one_line(said: str) -> None:
    assert pages.reason(said) in ("no message", "error: failed to push", "fatal: y")


WRONG = ["hf:", "hf:../x", "hf:a/b/c", "ftp:somewhere", "somewhere", "git:", "git:#x", "git:--upload-pack=touch x"]
WRONG += [f"git:x#{branch}" for branch in ("--force", "a b", "a..b", "/", "a:b")]


@pytest.mark.parametrize("target", WRONG)
def test_send_nowhere(target: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="--to"):
        Target.parse(target)
    with pytest.raises(InvalidValue, match="--to"):
        send(tmp_path, target)


def test_links_are_not_sent(hub: Path, tmp_path: Path) -> None:
    run = published(tmp_path)
    (run / "groups.json").unlink()
    (run / "groups.json").symlink_to(tmp_path / "gitconfig")
    with pytest.raises(RunError, match=r"groups.json is a link"):
        send(run, f"git:{hub}")
