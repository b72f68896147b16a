"""Real exchange with other packages: what docs/exchange.md says arrives, arrives."""

from __future__ import annotations

import pytest

from tests.conftest import REPOSITORY
from tests.tasks.nir_cases import Case, cases, line, outcome, page

pytest.importorskip("nir")
PAGE = REPOSITORY / "docs" / "exchange.md"


def said(case: Case) -> str:
    """What the page says of a case."""
    start = line(case, "").removesuffix(" |")
    (found,) = (text.removeprefix(start) for text in PAGE.read_text().splitlines() if text.startswith(start))
    return found.removesuffix(" |")


def test_the_page_lists_every_case(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-snapshots"):
        PAGE.write_text(page(PAGE.read_text(), {case: outcome(case) for case in cases()}))
    assert page(PAGE.read_text(), {case: said(case) for case in cases()}) == PAGE.read_text()


@pytest.mark.parametrize(
    "case", cases(), ids=lambda case: f"{case.direction}, {case.what}{case.remark and ', '}{case.remark}"
)
def test_what_arrives(case: Case) -> None:
    assert (outcome(case) == "exact") == (said(case) == "exact")  # how it fails may depend on the order of a set
