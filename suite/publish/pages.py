"""A published run on a branch of a git repository, beside whatever the branch holds."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from neurons import InvalidValue
from suite.publish.content import copy_run, show_index
from suite.publish.index import write_index
from suite.publish.local import check_target, replaced
from suite.runs import git
from suite.runs.folders import replacing_folder
from suite.runs.store import RunError, read_provenance, read_results

TRIES = 5
"""How often a push is tried anew when somebody else pushed in between."""
OPTIONS = ("-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null")
"""Files are sent byte for byte, and hooks that the user has for other repositories stay out."""

NO_GIT = "git is not installed; --to git: needs it"


def check_branch(branch: str) -> str:
    """The name, if git accepts it as that of a branch.

    Raises:
        InvalidValue: it does not.
    """
    try:
        checked = git.git(Path(), "check-ref-format", f"refs/heads/{branch}")
    except FileNotFoundError as error:
        raise RunError(NO_GIT) from error
    if branch.startswith("-") or checked.returncode:
        raise InvalidValue(f"--to git:REPOSITORY#{branch}: {branch!r} is no name of a branch")
    return branch


def push(site: Path, repository: str, branch: str, force: bool) -> str:
    """Put a run with its pages into a folder of its own on the branch, with an index of all runs there, in one commit.

    Raises:
        RunError: git refused; or the folder on the branch is no published run; or, without `force`, it holds the run
            of another machine or date.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _git(work, "init", "--quiet", "--template=")
        _git(work, "remote", "add", "origin", _address(repository))
        for left in reversed(range(TRIES)):
            head = _check_out(work, branch)
            if not _commit(work, site, force):
                break
            fault = _pushed(work, branch)
            if fault is None:
                break
            if not left or _head(work, branch) == head:
                raise fault
    return f"git:{repository}#{branch}"


def _address(repository: str) -> str:
    """The repository as git finds it from any folder: a path made absolute, a URL or HOST:PATH as it is."""
    path = Path(repository).expanduser()
    if not path.exists() and ("://" in repository or re.match(r"[^/]+:", repository)):
        return repository
    return str(path.resolve())


def _head(work: Path, branch: str) -> str:
    """The commit of exactly this branch at the remote; empty if there is none."""
    name = f"refs/heads/{branch}"
    lines = (line.split("\t") for line in _git(work, "ls-remote", "origin", name).splitlines())
    return next((commit for commit, reference in lines if reference == name), "")


def _check_out(work: Path, branch: str) -> str:
    """Bring the work tree to the branch's present state, or to an empty one; the commit it stands at."""
    head = _head(work, branch)
    for entry in work.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    if head:
        _git(work, "fetch", "--quiet", "--depth=1", "origin", f"refs/heads/{branch}")
        _git(work, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    else:
        _git(work, "checkout", "--quiet", "--orphan", "new")
    return head


def _commit(work: Path, site: Path, force: bool) -> bool:
    """Commit the run and the index; False if the branch holds them already."""
    target = work / site.name
    check_target(site, target, f"the folder {target.name} of the branch")
    faults = replaced(target, read_results(site), read_provenance(site))
    if faults and not force:
        raise RunError(f"{site.name} is not sent: {'; '.join(faults)}; --force sends it all the same")
    with replacing_folder(target) as new:
        copy_run(site, (path for path in site.rglob("*") if path.is_file()), new, target)
        show_index(new)
    index = write_index(work, pages=True)
    if work / "index.html" in index:  # a site of our own; a site of somebody else decides itself how it is built
        index.append(work / ".nojekyll")
        index[-1].touch()
    _git(work, "add", "--force", "--all", "--", f":(literal){target.name}", *(path.name for path in index))
    if _git(work, "diff", "--cached", "--name-only") == "":
        return False
    _git(work, "commit", "--quiet", "--no-verify", "-m", f"Results of {site.name}")
    return True


def _pushed(work: Path, branch: str) -> RunError | None:
    try:
        _git(work, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    except RunError as error:
        return error
    return None


def _git(work: Path, *arguments: str) -> str:
    try:
        done = git.git(work, *OPTIONS, *arguments)
    except FileNotFoundError as error:
        raise RunError(NO_GIT) from error
    if done.returncode:
        raise RunError(f"git {arguments[0]} failed: {reason(done.stderr or done.stdout)}")
    return done.stdout.strip()


def reason(said: str) -> str:
    """The line of git's words that says why: a rejected reference with the remote's word, else the first error."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip() and not line.startswith("hint:")]
    rejected = [line for line in lines if line.startswith("! [")]
    if rejected:
        remote = [line for line in lines if line.startswith("remote: ")]
        return "; ".join(rejected[:1] + remote[:1])
    faults = [place for place, line in enumerate(lines) if line.startswith(("fatal:", "error:"))] or [
        *range(len(lines))
    ]
    if not faults:
        return "no message"
    first = faults[0]
    return " ".join(lines[first : first + 2 if lines[first].endswith(":") else first + 1])
