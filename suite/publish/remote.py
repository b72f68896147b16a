"""Sending a published run on: to a branch of a git repository (gh-pages), or to a data set of the Hugging Face hub."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from neurons import InvalidValue
from suite.publish.local import write_index
from suite.runs.store import RunError

PAGES_BRANCH = "gh-pages"


def send(published: Path, target: str) -> str:
    """Send the folder of a published run to `target`; returns where it is now.

    Args:
        target: "hf:OWNER/DATASET" or "git:REPOSITORY[#BRANCH]", by default the branch gh-pages.

    Raises:
        InvalidValue: the target is neither.
        RunError: the client refused; the message is its own.
    """
    kind, _, place = target.partition(":")
    if kind == "hf" and place:
        return _to_hugging_face(published, place)
    if kind == "git" and place:
        repository, _, branch = place.partition("#")
        return _to_git(published, repository, branch or PAGES_BRANCH)
    raise InvalidValue(f"--to {target}: write hf:OWNER/DATASET or git:REPOSITORY#BRANCH")


def _to_hugging_face(published: Path, dataset: str) -> str:
    try:
        import huggingface_hub
    except ImportError as error:
        raise RunError("--to hf: needs the package: pip install 'neuron-suite[huggingface]'") from error
    hub = huggingface_hub.HfApi()
    try:
        hub.create_repo(dataset, repo_type="dataset", exist_ok=True)
        hub.upload_folder(
            repo_id=dataset,
            folder_path=published,
            path_in_repo=published.name,
            repo_type="dataset",
            commit_message=f"Results of {published.name}",
        )
    except (huggingface_hub.errors.HfHubHTTPError, huggingface_hub.errors.HFValidationError, OSError) as error:
        raise RunError(f"the Hugging Face hub refused: {str(error).splitlines()[0]}") from error
    return f"hf:{dataset}/{published.name}"


def _to_git(published: Path, repository: str, branch: str) -> str:
    """Put the run beside those that the branch already holds, with an index of all, in one commit."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _git(work, "init", "--quiet")
        _git(work, "remote", "add", "origin", repository)
        known = _git(work, "ls-remote", "--heads", "origin", branch)
        if known:
            _git(work, "fetch", "--quiet", "--depth=1", "origin", branch)
            _git(work, "checkout", "--quiet", "-b", branch, "FETCH_HEAD")
        else:
            _git(work, "checkout", "--quiet", "--orphan", branch)
        target = work / published.name
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(published, target)
        write_index(work)
        (work / ".nojekyll").touch()
        _git(work, "add", "--all")
        if _git(work, "status", "--porcelain"):
            _git(work, "commit", "--quiet", "-m", f"Results of {published.name}")
            _git(work, "push", "--quiet", "origin", branch)
    return f"git:{repository}#{branch}"


def _git(work: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        fault = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RunError(f"git {arguments[0]} failed: {fault[-1] if fault else 'no message'}")
    return done.stdout.strip()
