"""The pages of a report in a real browser: they sort, filter, link, ask nobody, and can be read by everybody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from suite.publish.build import build
from suite.report import names, style
from suite.runs.merge import merge
from tests.conftest import REPOSITORY
from tests.suite.made_runs import make_run
from tests.suite.report.handmade import accuracy, timing

PUBLISHED = REPOSITORY / "results/published"
PAGES = ["index", "explorer", "paper", "packages"]
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
    page.evaluate("document.querySelectorAll('details').forEach(own => own.open = true)")
    places = page.evaluate(
        "[...document.querySelectorAll('a[href]')].filter(a => a.checkVisibility()).map(a => a.href)"
    )
    assert len(places) > (4 if name == "explorer" else 20)
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


def names_of(page: Page) -> list[str]:
    """The neurons of the board's rows that are shown, from above."""
    rows = page.locator("#table tbody tr:visible th")
    return [text.split("\n")[0].strip() for text in rows.all_inner_texts()]


def test_the_board_sorts_best_first_and_filters_whole_words(report: Path, browser: Browser) -> None:
    page = Watched(browser, report / "index.html").page
    expect(page.locator("#controls")).to_be_visible()
    before = names_of(page)
    assert {"LIF", "CLIF", "GLIF"} <= set(before)
    page.get_by_role("button", name="delayed recall").click()
    assert names_of(page)[0] == "IF"
    assert set(names_of(page)[-2:]) == {"ReLU", "KLIF"}
    page.get_by_role("button", name="time").click()
    assert names_of(page)[:2] == ["ReLU", "LIF"], "less time is better"
    page.get_by_role("searchbox").fill("lif")
    assert names_of(page) == ["LIF"]
    page.get_by_role("searchbox").fill("lif clif")
    assert set(names_of(page)) == {"LIF", "CLIF"}
    page.get_by_role("button", name="As it was").click()
    assert names_of(page) == before
    page.close()


def test_all_that_one_chose_stands_in_the_address(report: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((report / "index.html").as_uri() + "#baseline=plif&neurons=lif,glif&sort=time&cell=glif/mnist5k_rows")
    expect(page.locator("#controls")).to_be_visible()
    assert names_of(page) == ["LIF", "GLIF"]
    assert page.locator("#baseline").input_value() == "plif"
    assert "× PLIF" in page.locator("#table thead").inner_text()
    lif = page.locator('#table tr[data-who="lif"]').inner_text()
    assert "−50" in lif, "LIF is 50 points below PLIF on delayed recall"
    panel = page.locator("#panel").inner_text()
    assert "GLIF on MNIST rows" in panel
    assert "--neurons glif --datasets mnist5k_rows" in panel
    page.close()


def test_data_sets_are_chosen_in_the_address(report: Path, browser: Browser) -> None:
    page = Watched(browser, report / "index.html").page
    heads = page.locator("#table thead th:visible")
    before = heads.count()
    page.locator("#sets").get_by_label("delayed recall").uncheck()
    expect(heads).to_have_count(before - 1)
    assert "delayed_recall" not in page.evaluate("new URLSearchParams(location.hash.slice(1)).get('sets')")
    page.goto((report / "index.html").as_uri() + "#sets=mnist5k_rows")
    page.reload()
    boxes = page.locator("#sets input")
    assert sum(box.is_checked() for box in boxes.all()) == 1
    last = page.locator("#sets").get_by_label("MNIST rows")
    last.click()
    assert last.is_checked(), "one stays"
    page.get_by_role("button", name="As it was").click()
    expect(heads).to_have_count(before)
    page.close()


def test_the_explorer_draws_what_is_chosen(report: Path, browser: Browser) -> None:
    watched = Watched(browser, report / "explorer.html")
    page = watched.page
    expect(page.locator("#controls")).to_be_visible()
    panels, points = page.locator("#panels figure"), page.locator("#panels figure").first.locator(".point")
    assert panels.count() == page.locator("#sets input").count() >= 4
    first = points.count()
    assert first == page.locator("#numbers tbody tr").count() >= 7
    page.locator("#baseline").select_option("clif")
    lif = page.locator("#numbers tbody tr", has=page.get_by_role("rowheader", name="LIF", exact=True))
    assert float(lif.locator("td").first.inner_text()) < 1, "LIF takes less time than CLIF"
    page.locator("#kind").select_option(label="memory")
    assert "memory, × CLIF" in panels.first.locator("svg").text_content()
    page.get_by_label("Neurons").fill("lif glif")
    expect(points).to_have_count(2)
    points.first.click()
    page.locator("#sets").get_by_label("delayed recall").uncheck()
    chosen = page.url
    assert all(word in chosen for word in ("cost=memory", "baseline=clif", "neurons=lif%2Cglif", "mark=", "sets="))
    again = Watched(browser, report / "explorer.html").page
    again.goto(chosen)
    again.reload()
    assert again.locator("#numbers").inner_text() == page.locator("#numbers").inner_text()
    assert again.locator(".point[aria-pressed=true]").count() == panels.count()
    assert watched.complaints == []
    again.close()
    page.close()


def test_without_script_everything_is_there(report: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "index.html").as_uri())
    assert "leads on delayed recall" in page.locator("#answer").inner_text()
    assert page.locator("#table tbody tr").count() >= 7
    assert page.locator("#accuracy svg").is_visible()
    assert not page.locator("#controls").is_visible()
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_answer_cost_and_certainty_stand_in_the_first_screen(width: int, report: Path, browser: Browser) -> None:
    page = Watched(browser, report / "index.html", width=width).page
    seen = page.evaluate(
        """[...document.querySelectorAll("h1, .answer, .facts, #accuracy svg")].map(own => {
            const box = own.getBoundingClientRect();
            return [own.tagName, box.top, box.bottom];
        })"""
    )
    assert len(seen) == 4
    assert all(bottom <= 900 for _, _, bottom in seen), seen
    text = page.locator("#answer").inner_text()
    assert "times LIF's time" in text
    assert len(text.split()) <= 40
    assert "8 seeds" in page.locator(".facts").inner_text()
    page.close()


def test_the_page_is_short_and_light(report: Path, browser: Browser) -> None:
    assert (report / "index.html").stat().st_size <= 400_000
    page = Watched(browser, report / "index.html").page
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * 900
    smallest = page.evaluate(
        """Math.min(...[...document.querySelectorAll("main svg text")].filter(own => own.checkVisibility()).map(own => {
            const drawn = own.ownerSVGElement;
            const scale = drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width;
            return parseFloat(getComputedStyle(own).fontSize) * scale; }))"""
    )
    assert smallest >= 9, "text of figures, in pixels"
    page.close()


def test_dark_and_light_differ(report: Path, browser: Browser) -> None:
    def background(scheme: str) -> str:
        page = Watched(browser, report / "index.html", scheme=scheme).page
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.close()
        return colour

    assert background("light") != background("dark")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of all models."""
    catalogue = style.catalogue()
    scores = [
        accuracy(name, dataset, [90.0 - place, 91.0 - place])
        for place, name in enumerate(catalogue)
        for dataset in ("digits", "mnist5k", "mnist5k_rows")
    ]
    times = [timing(name, 2.0 + place, 1.9 + place, 2.1 + place) for place, name in enumerate(catalogue)]
    page, _ = build(make_run(tmp_path_factory.mktemp("many") / "run", *scores, *times))
    return page.parent


def test_many_neurons_stand_under_headings_until_they_are_sorted(many: Path, browser: Browser) -> None:
    page = Watched(browser, many / "index.html").page
    expect(page.locator("#controls")).to_be_visible()
    heads = page.locator("#table .kind:visible")
    before = names_of(page)
    assert heads.all_inner_texts()[0].strip() == "Spikes: standard"
    assert page.locator("#table tbody").last.locator("th").all_inner_texts()[0] == "ANN baselines"
    page.get_by_role("button", name="time").click()
    assert heads.count() == 0
    assert names_of(page) == [names.written(name) for name in style.catalogue()], "as their times were made"
    page.get_by_role("searchbox").fill("tag:levels")
    page.get_by_role("button", name="time").click()
    assert [text.strip() for text in heads.all_inner_texts()] == ["Levels", "Whole sequences"]
    page.get_by_role("button", name="As it was").click()
    assert names_of(page) == before
    assert heads.count() > 5
    page.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_page_of_many_neurons_can_be_read(width: int, many: Path, browser: Browser) -> None:
    watched = Watched(browser, many / "index.html", width=width)
    assert watched.complaints == []
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(watched.page)
    assert [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in found.response["violations"]] == []
    watched.page.close()
