"""What tests of data sets share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import data
from tasks.data import location


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files are looked for, and frames kept, in folders of the test."""
    monkeypatch.setenv(location.VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    data._load.cache_clear()
    yield tmp_path / "data"
    data._load.cache_clear()
