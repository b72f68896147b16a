"""Where files of this user and project lie, as the XDG Base Directory Specification says; on macOS where Apple does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = "neuron-suite"


def cache() -> Path:
    """What may be deleted at any time: `XDG_CACHE_HOME`, else ~/.cache. Not absolute for a user without a home."""
    return _folder("XDG_CACHE_HOME", "~/Library/Caches" if sys.platform == "darwin" else "~/.cache")


def data() -> Path:
    """What a user keeps: `XDG_DATA_HOME`, else ~/.local/share."""
    return _folder("XDG_DATA_HOME", "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share")


def _folder(variable: str, usual: str) -> Path:
    named = os.environ.get(variable, "").strip()
    return Path(os.path.expanduser(named or usual)) / PROJECT
