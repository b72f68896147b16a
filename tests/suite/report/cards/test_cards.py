"""Cards as pages: what stands in them, where they lead, and that they replace nothing of somebody else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import neurons
from neurons import InvalidValue, UnknownName
from suite.cli import main
from suite.publish.models import make_cards
from suite.report import names
from suite.report.cards.build import build
from suite.report.cards.card import KINDS, card
from suite.report.cards.standing import places_of, published_runs, times_of
from suite.report.links import link_cards
from suite.runs.store import RunError
from tests.suite.made_runs import make_run, tree, with_report
from tests.suite.report.handmade import accuracy, timing
from tests.suite.report.test_tuned import level, tuned_accuracy

CHOSEN = ["lif", "ts_lif", "psn", "relu"]
"""One of each kind."""
EIGHT = range(8)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which LIF leads and ReLU is told from it, with a page, and one that timed LIF by two backends."""
    folder = tmp_path_factory.mktemp("cards")
    rows = [accuracy("lif", "digits", [98.0 + seed / 10 for seed in EIGHT])]
    rows.append(accuracy("relu", "digits", [90.0 + seed / 10 for seed in EIGHT]))
    rows += [timing("lif", 2.0, 1.9, 2.1), timing("relu", 1.0, 0.9, 1.1)]
    first = with_report(make_run(folder / "first", *rows))
    link = '<a data-card="lif">LIF</a> <a data-card="clif">CLIF</a> <a data-card="index">Models</a>'
    (first / "report/index.html").write_text(link)
    both = [timing("lif", 2.0, 1.9, 2.1), timing("lif", 9.0, 8.9, 9.1, backend="reference")]
    make_run(folder / "second", *both)
    return folder


@pytest.fixture(scope="module")
def pages(published: Path) -> dict[str, str]:
    made = make_cards(published / "models", published, CHOSEN)
    return {path.stem: path.read_text() for path in made}


def test_one_page_a_model_and_a_gallery_by_kind(pages: dict[str, str]) -> None:
    assert list(pages) == ["index", "lif", "ts_lif", "psn", "relu"]
    gallery = pages["index"]
    places = [gallery.index(f"<h2>{title}</h2>") for title in KINDS.values()]
    assert places == sorted(places)
    for name in CHOSEN:
        assert f'href="{name}.html"' in gallery
        assert names.written(name) in pages[name]
    assert "tag:parallel" in gallery


def test_a_card_has_all_its_parts(pages: dict[str, str]) -> None:
    for name in CHOSEN:
        page = pages[name]
        parts = re.findall(r'<section id="(\w+)">', page)
        assert parts == ["equations", "behaviour", "cost", "standing"]
        assert page.count('<svg viewBox="0 0 340') >= 6, "three responses and three curves"
        assert "None" not in page
        assert not re.search(r"\bnan\b", page)
    assert '<math display="block">' in pages["lif"]
    assert "torch.addmm(self.bias" in pages["psn"], "no step: its forward is shown"
    assert '<math display="block">' not in pages["psn"]
    assert "outputs depend on later inputs" in pages["psn"]
    assert "normal, mean 0, deviation 1" in pages["ts_lif"]
    assert "real numbers" in pages["relu"]


def test_where_it_stands(published: Path, pages: dict[str, str]) -> None:
    runs = published_runs(published)
    (lif,), (relu,) = places_of("lif", runs), places_of("relu", runs)
    assert (lif.run, lif.title, lif.told, lif.mean) == ("first", "digits", "best of 2", pytest.approx(98.35))
    assert relu.told == "rank 2 of 2"
    assert relu.others == [pytest.approx(98.35)]
    assert times_of("relu", runs)[0][0] == "first"
    assert times_of("relu", runs)[0][1].startswith("0.500")
    assert [run for run, _ in times_of("lif", runs)] == ["first"], "two backends: which is LIF's time is not said"
    assert places_of("psn", runs) == []
    assert "No published run has trained it" in pages["psn"]
    assert "98.35" in pages["lif"]


def test_a_tuned_run_shows_both_and_says_which_is_which(tmp_path: Path) -> None:
    """The row of a run named "tuned" is no untuned accuracy."""
    tuned = [
        tuned_accuracy(name, "digits", level(mean), 0.01) for name, mean in (("lif", 96), ("clif", 99), ("if", 90))
    ]
    rows = [accuracy(name, "digits", level(mean)) for name, mean in (("lif", 95), ("clif", 41), ("if", 90))]
    make_run(tmp_path / "tuned", *rows, *tuned)
    untouched, after = places_of("clif", published_runs(tmp_path))
    assert (untouched.title, untouched.told, untouched.tuned) == ("digits, as it is", "rank 3 of 3", False)
    assert (after.title, after.told, after.tuned) == ("digits, tuned", "best of 3", True)
    assert (untouched.mean, after.mean) == (pytest.approx(41), pytest.approx(99))
    page = {path.stem: path.read_text() for path in make_cards(tmp_path / "models", tmp_path, ["clif"])}["clif"]
    assert "judged on validation" in page
    assert '<th scope="row">digits, tuned</th><td>99' in page


def test_runs_lead_to_the_cards_that_are_there(published: Path, pages: dict[str, str]) -> None:
    page = (published / "first/report/index.html").read_text()
    assert 'href="../../models/lif.html">LIF' in page
    assert 'href="../../models/index.html">Models' in page
    assert '<a data-card="clif">CLIF</a>' in page, "no card, no link"
    found = {link for text in pages.values() for link in re.findall(r'href="([^"#]+)"', text)}
    assert "../first/report/index.html" in found
    assert all((published / "models" / link).exists() for link in found), found


def test_a_run_that_is_taken_elsewhere_leads_to_no_card_that_stayed(published: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(published / "first", tmp_path / "first")
    link_cards(copied)
    assert "href" not in (copied / "report/index.html").read_text()


def test_only_cards_are_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match=r"mine is no folder of cards and is not replaced"):
        build(mine, tmp_path, ["relu"])
    assert (mine / "thesis.tex").read_text() == "mine"
    with pytest.raises(UnknownName, match="did you mean 'relu'"):
        build(tmp_path / "cards", tmp_path, ["relus"])
    build(tmp_path / "cards", tmp_path, ["relu", "if"])
    before = tree(tmp_path / "cards")
    build(tmp_path / "cards", tmp_path, ["relu", "if"])
    assert tree(tmp_path / "cards") == before, "the same models give the same pages"
    build(tmp_path / "cards", tmp_path, ["relu"])
    assert not (tmp_path / "cards/if.html").exists()


def test_a_model_of_ones_own(
    neuron_file: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = """
@register
class Mine(Neuron):
    '''Mine <b>& mine</b>.'''

    states = ("u",)
    gain = Learnable(0.5, per="channel", low=0)

    def step(self, x, u):
        u = self.charge(u, self.gain * x)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)
"""
    path = neuron_file(body)
    places = ["--out", str(tmp_path / "models"), "--published", str(tmp_path)]
    assert main(["cards", "--neuron-file", str(path), "--neurons", "mine,lif", *places]) == 0
    assert capsys.readouterr().out.startswith("2 cards, ")
    page = (tmp_path / "models/mine.html").read_text()
    assert "Mine &lt;b&gt;&amp; mine&lt;/b&gt;." in page
    assert "0.5, kept at 0 at least" in page
    assert main(["cards", "--neurons", "lif,tag:nothing", *places]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_that_is_no_file_name(neuron_file: Callable[[str], Path], tmp_path: Path) -> None:
    body = (
        "@register\nclass Odd(Neuron):\n    name = '../odd'\n    def step(self, x):\n        return (torch.relu(x),)\n"
    )
    (name,) = neurons.load_file(neuron_file(body))
    with pytest.raises(InvalidValue, match=r"the neuron '\.\./odd' has no card"):
        build(tmp_path / "cards", tmp_path, [name])


def test_a_step_that_cannot_be_traced_is_shown_as_it_is(neuron_file: Callable[[str], Path]) -> None:
    body = """
@register
class Sorting(Neuron):
    states = ("u",)

    def step(self, x, u):
        u = u + torch.cumsum(x, 0) * 0 + x
        return self.spike(u - 1), u
"""
    (name,) = neurons.load_file(neuron_file(body))
    found = card(name, [])
    assert (found.equations, found.cost) == (None, None)
    assert "torch.cumsum" in found.code
