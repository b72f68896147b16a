"""The README says what the published rows say."""

from __future__ import annotations

import re

import pytest

from neurons import UnknownName
from suite.publish import readme
from tests.conftest import REPOSITORY

MOST_WORDS = 900


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def test_every_figure_is_that_of_the_published_rows() -> None:
    text = readme.README.read_text()
    assert len(readme.FIGURE.findall(text)) >= 10
    assert text == readme.filled(text), "nox -s readme fills it"


def test_measured_numbers_stand_in_markers_alone() -> None:
    """Outside of markers and code no per cent, no ± and no number of nanoseconds."""
    text = readme.FIGURE.sub("", re.sub(r"```.*?```|`[^`]*`", "", readme.README.read_text(), flags=re.DOTALL))
    assert re.findall(r"\d[\d.]* ?%|±|\d+\.\d+ ?(?:ns|times|×)", text) == []
    seen = re.sub(r"<!--.*?-->", "", readme.README.read_text())
    assert len(seen.split()) <= MOST_WORDS


def test_a_wrong_marker_is_named() -> None:
    with pytest.raises(UnknownName, match="accuracy"):
        readme.filled("<!-- acuracy quick digits lif -->1<!-- . -->")
    with pytest.raises(readme.NoSuchFigure, match="accuracy quick digits nobody"):
        readme.filled("<!-- accuracy quick digits nobody -->1<!-- . -->")


def test_links_of_the_readme_lead_somewhere() -> None:
    places = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", readme.README.read_text())
    assert len(places) >= 8
    assert [place for place in places if not place.startswith("http") and not (REPOSITORY / place).exists()] == []
