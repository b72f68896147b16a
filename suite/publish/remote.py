"""Sending a published run on: to a branch of a git repository (gh-pages), or to a data set of the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from neurons import InvalidValue
from suite.publish import hub, pages
from suite.publish.content import published_files

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
    """Send the folder of a published run to `target`; returns where it is now.

    Args:
        target: see `Target.parse`.
        force: also if it replaces the run of another machine or date on the branch.

    Raises:
        InvalidValue: the target is none.
        RunError: the client refused; the message is its own.
    """
    place = Target.parse(target)
    published = published.resolve()
    published_files(published)
    if place.kind == "hf":
        return hub.upload(published, place.place)
    return pages.push(published, place.place, place.branch, force)
