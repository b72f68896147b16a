"""Sending a published run on: to a branch of a git repository (gh-pages), or to a data set of the Hugging Face hub."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from neurons import InvalidValue
from suite.publish import hub, pages

PAGES_BRANCH = "gh-pages"
DATASET = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Target:
    """Where a run is sent to: `place` is a data set of the hub ("hf") or a git repository ("git"), with its branch."""

    kind: str
    place: str
    branch: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read "hf:OWNER/DATASET" or "git:REPOSITORY[#BRANCH]", by default the branch gh-pages.

        Raises:
            InvalidValue: the text is neither.
        """
        kind, _, place = text.partition(":")
        if kind == "hf" and DATASET.fullmatch(place):
            return cls(kind, place)
        repository, _, branch = place.partition("#")
        if kind == "git" and repository and not repository.startswith("-"):
            return cls(kind, repository, pages.check_branch(branch or PAGES_BRANCH))
        raise InvalidValue(f"--to {text}: write hf:OWNER/DATASET or git:REPOSITORY#BRANCH")


def send(published: Path, target: str, force: bool = False) -> str:
    """Send a published run, with its pages built from its rows, to `target`; returns where it is now.

    Args:
        target: see `Target.parse`.
        force: also if it replaces the run of another machine or date on the branch.

    Raises:
        InvalidValue: the target is none.
        RunError: the run holds links or no readable rows; or the client refused, in its own words.
    """
    place = Target.parse(target)
    published = published.resolve()
    with tempfile.TemporaryDirectory() as folder:
        from suite.publish.site import build_run  # run as a module itself, it may not come with its package

        site = build_run(published, Path(folder) / published.name)
        if place.kind == "hf":
            return hub.upload(site, place.place)
        return pages.push(site, place.place, place.branch, force)
