"""Calls of git that concern the named folder alone, whatever repository the caller's environment points at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

KEPT_PREFIXES = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_SSH", "GIT_SSL_", "GIT_HTTP_")
KEPT = ("GIT_ASKPASS", "GIT_PROXY_COMMAND", "GIT_TERMINAL_PROMPT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
"""Who commits and how a server is reached; every other variable of git may name a repository of the caller's."""


def environment() -> dict[str, str]:
    """The environment without the variables that a git hook sets: GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE, …

    Git speaks English, so that what it says can be read.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(KEPT_PREFIXES) or name in KEPT
    }
    return {**kept, "LC_ALL": "C", "LANGUAGE": ""}


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in a folder and return what it said; its exit code is left to the caller.

    Raises:
        FileNotFoundError: git is not installed.
    """
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8", errors="replace", check=False
    )


def owns(folder: Path, file: Path) -> bool:
    """Whether `folder` is the top of a git repository that tracks `file`, a path relative to it."""
    try:
        top = git(folder, "rev-parse", "--show-toplevel")
        tracked = git(folder, "ls-files", "--error-unmatch", "--", str(file))
    except FileNotFoundError:
        return False
    if top.returncode or tracked.returncode:
        return False
    return Path(top.stdout.rstrip("\n")).resolve() == folder.resolve()
