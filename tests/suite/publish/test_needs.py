"""What data sets need of time is what the published rows say, and stands in the table of what was run."""

from __future__ import annotations

import pytest

from suite.publish import needs as published
from suite.report import needs
from suite.report.setup import setup
from tests.conftest import REPOSITORY
from tests.suite.report.handmade import accuracy, rows


def test_the_file_is_that_of_the_published_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert needs.FILE.read_text() == published.content(), "nox -s readme writes it"


def test_only_the_delay_that_was_studied_is_spoken_of() -> None:
    known = needs.need("delayed_recall", 4)
    assert known is not None
    assert known.startswith("gradient through time (")
    assert needs.need("delayed_recall", 9) is None
    assert needs.need("digits", 4) == needs.need("digits", 0)
    assert needs.need("unheard_of", 4) is None


def test_it_stands_beside_the_data_set() -> None:
    table = setup(rows(accuracy("lif", "mnist5k_rows", [75.0])))
    assert table is not None
    place = list(table.header[1:]).index("needs time")
    ((_, entries),) = table.rows
    assert entries[place].text == needs.need("mnist5k_rows", 0)
