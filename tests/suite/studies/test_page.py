"""The page of the paper's claims, from rows made by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import Environment, PackageLoader

from suite.report import style
from suite.report.page import Page
from suite.report.parts import Parts
from suite.studies import claims, studies
from suite.studies.claims import ClaimError
from suite.studies.page import (
    accuracies,
    build,
    checks_table,
    counts_table,
    known,
    scale,
    sentence_of,
    untested_table,
    verdicts_table,
)
from suite.studies.verdicts import judge
from tests.suite.studies.made_rows import Rows, accuracy
from tests.suite.studies.made_rows import findings as findings_of
from tests.suite.studies.test_evidence import gradient_rows, neurons_rows, recall_rows
from tests.suite.studies.test_evidence_of_data import need_rows, sequence_rows


def test_tables_of_a_page() -> None:
    """Verdicts, checks and what is not tested each stand in a table of their own, and the counts are theirs."""
    evidence = []
    for name, rows in (("neurons", neurons_rows()), ("temporal_gradient", gradient_rows())):
        evidence += [(known(studies()[name], claim), found) for claim, found in studies()[name].evidence(rows).items()]
    findings = judge(evidence)
    tested = {finding.claim.id for finding in findings}
    untested = [claim for claim in claims.claims().values() if claim.id not in tested]
    verdicts, checks = verdicts_table(findings), checks_table(findings)
    assert {entries[-1].text for _, entries in verdicts.rows} == {
        "beats_lif", "beats_plif", "beats_klif", "beats_glif", "beats_ann", "lif_vanishes", "extra_temporal_gradient",
        "reaches_further", "m2_decays_slower", "complementary_outweighs",
    }  # fmt: skip
    assert len(checks.rows) == 4
    counts = {name: int(entries[0].text) for name, entries in counts_table(findings, untested).rows}
    assert (counts["supported"], counts["holds"], counts["fails"]) == (10, 4, 0)
    without = {place: entries[-1].text for place, entries in untested_table(untested).rows}
    assert "GPU" in without["Table 2"]
    assert without["Table 7"] == "study energy"


def test_claims_of_the_suite_are_not_counted_as_the_papers() -> None:
    found = list(findings_of("delayed_recall", recall_rows()).values())
    assert [f.claim.origin for f in found] == ["suite", "suite", "paper"]
    expected = "Of 1 claim of the CLIF paper that was tested at this scale: 1 supported. Of 2 of the suite's own: "
    assert sentence_of(found, []) == expected + "2 supported."
    counts = {name: [entry.text for entry in entries] for name, entries in counts_table(found, []).rows}
    assert counts["supported"] == ["1", "2"]
    paper_alone = [f for f in found if f.claim.origin == "paper"]
    assert "suite's own" not in sentence_of(paper_alone, [])
    assert sentence_of([f for f in found if f not in paper_alone], []) == "Of 2 claims of the suite's own: 2 supported."
    assert sentence_of([], []) == "Of 0 claims of the CLIF paper that were tested at this scale: none."


def built(folder: Path, **rows: pd.DataFrame) -> tuple[Page, str]:
    """The page of these studies, and its text."""
    named = [own.assign(cell=name + own.cell) for name, own in rows.items()]
    groups = {name: list(own.cell.unique()) for name, own in zip(rows, named, strict=True)}
    style.apply()
    for kind in ("tables", "plots"):
        (folder / kind).mkdir(parents=True)
    page = build(folder, pd.concat(named, ignore_index=True), groups, Parts())
    assert page is not None
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=True)
    return page, environment.get_template("paper.html").render(run="r", pages=[page], provenance={}, **page.context)


def test_a_page_asks_for_whose_claims_it_tests(tmp_path: Path) -> None:
    """The suite's own claims are no question to the CLIF paper, and its claims are none of that page."""
    own, text = built(tmp_path / "own", temporal_need=need_rows())
    assert (own.title, own.question) == ("Does the data set need time", "Does the data set need time?")
    assert own.sentence.startswith("LIF needs the gradient through time on delayed recall")
    assert "CLIF paper" not in text
    assert "Huang" not in text
    assert "not testable here" not in text, "that would count the paper's claims"
    assert own.context["tally"]["supported"] == 3
    assert {claim.origin for claim in own.context["untested"]} == {"suite"}
    several, _ = built(tmp_path / "several", temporal_need=need_rows(), neuroseqbench=sequence_rows())
    assert (several.title, several.question) == ("The suite's own claims", "Do the suite's own claims hold?")
    both, text = built(tmp_path / "both", temporal_need=need_rows(), delayed_recall=recall_rows())
    assert (both.title, both.question) == ("The CLIF paper's claims", "Do the CLIF paper's claims hold?")
    assert "Huang et al." in text
    assert both.context["tally"]["supported"] == 1


IN_THE_PAPER = re.compile(r"(Abstract|Appendix|Equation|Figure|Section|Table)s?\b")


def test_claims_of_the_paper_have_a_place_in_it_and_others_none() -> None:
    for claim in claims.claims().values():
        inside = IN_THE_PAPER.match(claim.place) is not None and not claim.paper.startswith("not in the paper")
        assert (claim.origin == "paper") == inside, claim.id


def test_a_study_speaks_on_its_own_claims_alone() -> None:
    with pytest.raises(ClaimError, match="study neurons speaks on 'fires_less'"):
        known(studies()["neurons"], "fires_less")
    with pytest.raises(ClaimError, match="speaks on 'nothing'"):
        known(studies()["neurons"], "nothing")


def test_the_scale_names_what_ran() -> None:
    rows = Rows()
    accuracy(rows, 90, neuron="lif", timesteps=4)
    accuracy(rows, 91, neuron="lif", timesteps=28, network="mlp", dataset="mnist5k_rows")
    assert scale(rows.frame()) == "digits / mlp8; mnist5k_rows / mlp, T = 4, 28, 8 seeds"


def test_accuracies_are_those_of_one_condition() -> None:
    """Two time steps are two conditions: they have no common mean."""
    rows = Rows()
    accuracy(rows, 90, neuron="lif")
    accuracy(rows, 91, neuron="clif")
    one = accuracies(rows.frame())
    assert one.startswith("lif 90.0")
    assert "clif 91.0" in one
    accuracy(rows, 95, neuron="lif", timesteps=12)
    assert accuracies(rows.frame()) == ""
    assert accuracies(pd.DataFrame(columns=rows.frame().columns)) == ""
