"""The pages of a report in a real browser: they sort, filter, link, ask nobody, and can be read by everybody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from suite.merge import merge
from suite.report.build import build
from tests.conftest import REPOSITORY

PUBLISHED = REPOSITORY / "results/published"
PAGES = ["index", "paper", "packages"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ, reason="no chromium here: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the published runs in one, so that it has every page."""
    out = tmp_path_factory.mktemp("site") / "run"
    merge([PUBLISHED / "quick", PUBLISHED / "studies", PUBLISHED / "packages"], out)
    page, _ = build(out)
    return page.parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "CI needs chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Watched:
    """An open page with what it complained about and whom it asked."""

    def __init__(self, browser: Browser, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state()
        if path.stem == "index":
            self.page.wait_for_selector(".dt-container #board tbody td:nth-child(2)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_errors_no_requests_and_accessible(name: str, scheme: str, report: Path, browser: Browser) -> None:
    watched = Watched(browser, report / f"{name}.html", scheme=scheme)
    assert watched.complaints == []
    assert [url for url in watched.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    found = Axe().run(watched.page)
    faults = [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in found.response["violations"]]
    assert faults == []
    assert watched.page.evaluate("[...document.images].every(image => image.alt.length > 20)")
    watched.page.close()


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str, report: Path, browser: Browser) -> None:
    page = Watched(browser, report / f"{name}.html").page
    places = page.evaluate(
        "[...document.querySelectorAll('a[href]')].filter(a => a.checkVisibility()).map(a => a.href)"
    )
    assert len(places) > 20
    for place in places:
        address, fragment = urldefrag(place)
        path = Path(unquote(urlparse(address).path))
        assert path.exists(), place
        if fragment:
            assert f'id="{fragment}"' in path.read_text(), place
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_scrolls_down_alone(name: str, report: Path, browser: Browser) -> None:
    page = Watched(browser, report / f"{name}.html", width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_leaderboard_sorts_and_filters(report: Path, browser: Browser) -> None:
    page = Watched(browser, report / "index.html").page

    def column(index: int) -> Locator:
        return page.locator(f"#board tbody tr td:nth-child({index})")

    names = column(1).all_inner_texts()
    assert {"lif", "clif", "glif"} <= set(names)
    heads = page.locator("#board thead th")
    place = next(index for index, head in enumerate(heads.all_inner_texts(), 1) if "delayed_recall" in head)
    rising = sorted(column(place).all_inner_texts(), key=float)
    heads.nth(place - 1).click()
    expect(column(place)).to_have_text(rising)
    heads.nth(place - 1).click()
    expect(column(place)).to_have_text(rising[::-1])
    assert column(1).all_inner_texts() != names
    page.get_by_label("Filter").fill("clif")
    expect(column(1)).to_have_text(["clif"])
    page.get_by_label("Filter").fill("")
    expect(column(1)).to_have_count(len(names))
    page.close()


def test_dark_and_light_differ(report: Path, browser: Browser) -> None:
    def background(scheme: str) -> str:
        page = Watched(browser, report / "index.html", scheme=scheme).page
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.close()
        return colour

    assert background("light") != background("dark")
