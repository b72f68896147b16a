"""The cards in a real browser, as the pages of a report are tried, and the way from a board to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from suite.publish.build import build
from suite.publish.models import make_cards
from tests.suite import test_site
from tests.suite.made_runs import make_run
from tests.suite.report.handmade import accuracy
from tests.suite.test_site import Watched, browser, pytestmark  # noqa: F401

CARDS = ["lif", "ts_lif", "psn", "adex"]
"""One of each kind, and those with most symbols and the longest formulas."""
PAGES = ["index", *CARDS]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cards beside the report of a run of three neurons, one of them without a card."""
    folder = tmp_path_factory.mktemp("cards")
    rows = [accuracy(name, "digits", [90.0 + seed + place for seed in range(8)]) for place, name in enumerate(CARDS)]
    run = make_run(folder / "run", *rows, accuracy("klif", "digits", [80.0] * 8))
    make_cards(folder / "models", folder, CARDS)
    build(run)
    return folder / "models"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_errors_no_requests_and_accessible(name: str, scheme: str, models: Path, browser: Browser) -> None:  # noqa: F811
    test_site.test_no_errors_no_requests_and_accessible(name, scheme, models, browser)


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_scrolls_down_alone(name: str, models: Path, browser: Browser) -> None:  # noqa: F811
    test_site.test_a_phone_scrolls_down_alone(name, models, browser)


def test_the_board_leads_to_cards_that_are_there(models: Path, browser: Browser) -> None:  # noqa: F811
    page = Watched(browser, models.parent / "run/report/index.html").page
    page.locator("#table").get_by_role("link", name="LIF", exact=True).click()
    assert page.title() == "LIF: neuron model"
    page.go_back()
    assert page.locator("#table").get_by_role("link", name="KLIF", exact=True).count() == 0, "no card was made"
    page.get_by_role("link", name="Neuron models").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The 4 neuron models")
    page.close()


def test_the_gallery_filters_and_keeps_it_in_the_address(models: Path, browser: Browser) -> None:  # noqa: F811
    page = Watched(browser, models / "index.html").page
    shown = page.locator(".gallery li:visible h3")
    assert len(shown.all_inner_texts()) == len(CARDS)
    page.get_by_role("button", name="parallel").click()
    assert shown.all_inner_texts() == ["PSN"]
    assert "models=tag%3Aparallel" in page.url
    page.get_by_role("searchbox").fill("lif kind:levels")
    assert shown.all_inner_texts() == ["LIF", "TS-LIF"]
    expect(page.get_by_role("status")).to_have_text("2 of 4 models")
    page.close()


def test_formulas_are_set_and_figures_can_be_read(models: Path, browser: Browser) -> None:  # noqa: F811
    for width in (1440, 390):
        page = Watched(browser, models / "lif.html", width=width).page
        box = page.locator("#equations math").first.bounding_box()
        assert box is not None
        assert box["height"] > 25, "1/τ is a fraction, one above the other"
        assert page.locator("#behaviour svg").count() == 6
        smallest = page.evaluate(
            """Math.min(...[...document.querySelectorAll("main svg text")].map(own => {
                const drawn = own.ownerSVGElement, box = drawn.viewBox.baseVal;
                const scale = drawn.getBoundingClientRect().width / box.width;
                return parseFloat(getComputedStyle(own).fontSize) * scale; }))"""
        )
        assert smallest >= 9, "text of figures, in pixels"
        page.close()
