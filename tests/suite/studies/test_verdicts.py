"""Verdicts by hand, their correction for the page, and the list of claims."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from suite.statistics import Estimate
from suite.statistics.equivalence import (
    beyond_p_value,
    difference_p_value,
    equivalence_p_value,
    smallest_effect,
)
from suite.studies import claims, studies
from suite.studies.claims import Claim, ClaimError
from suite.studies.verdicts import Check, Evidence, Finding, counted, effect_text, judge

SPREAD = (-1.0, -0.5, 0.0, 0.5, 1.0, -0.75, 0.25, 0.5)
"""Eight differences of mean 0 and standard deviation 0.735."""


def claim(asserts: str, margin: float | None = None, name: str = "one") -> Claim:
    return Claim(name, "here", "A beats B", "2 against 1", asserts, "A − B", "there", "points", margin, "neurons")  # type: ignore[arg-type]


def shifted(mean: float, scale: float = 1.0) -> Evidence:
    return Evidence("A 2, B 1", Estimate.of([mean + scale * value for value in SPREAD]))


def verdict(asserts: str, mean: float, margin: float | None = None, scale: float = 1.0) -> Finding:
    return judge([(claim(asserts, margin), shifted(mean, scale))])[0]


@pytest.mark.parametrize(
    ("asserts", "mean", "margin", "scale", "expected"),
    [
        ("greater", 2, None, 1, "supported"),
        ("greater", -2, None, 1, "contradicted"),
        ("less", -2, None, 1, "supported"),
        ("less", 2, None, 1, "contradicted"),
        ("greater", 0.1, None, 1, "no evidence"),
        ("greater", 0.0, 1.0, 0.1, "equal within the margin"),
        ("greater", 0.0, 0.1, 1, "no evidence"),
        ("equal", 0.0, 1.0, 0.1, "equal within the margin"),
        ("equal", 0.0, 0.1, 1, "no evidence"),
        ("equal", 3.0, 1.0, 1, "contradicted"),
        ("equal", -3.0, 1.0, 1, "contradicted"),
        ("equal", 0.9, 1.0, 1, "no evidence"),
        ("equal", 1.1, 1.0, 1, "no evidence"),
    ],
)
def test_verdict(asserts: str, mean: float, margin: float | None, scale: float, expected: str) -> None:
    assert verdict(asserts, mean, margin, scale).verdict == expected


def test_two_seeds_and_an_interval_that_holds_0_are_not_equality() -> None:
    few = Evidence("", Estimate.of([-5.0, 5.0]))
    assert judge([(claim("equal", 1.0), few)])[0].verdict == "no evidence"
    assert judge([(claim("greater", 1.0), Evidence("", Estimate.of([3.0])))])[0].why == "1 seed, which decides nothing"
    assert judge([(claim("greater"), Evidence("", Estimate.of([])))])[0].verdict == "no evidence"


def test_equal_values_are_equal_and_a_constant_difference_is_shown() -> None:
    assert judge([(claim("equal", 0.5), Evidence("", Estimate.of([0.0] * 4)))])[0].verdict == "equal within the margin"
    assert judge([(claim("greater"), Evidence("", Estimate.of([1.0] * 4)))])[0].verdict == "supported"
    alike = judge([(claim("greater"), Evidence("", Estimate.of([0.0] * 4)))])[0]
    assert (alike.verdict, alike.why) == ("no evidence", "all seeds are alike")


def test_a_failed_precondition_decides_nothing() -> None:
    void = Evidence("", shifted(5).effect, void="LIF does not suffer")
    finding = judge([(claim("greater"), void)])[0]
    assert (finding.verdict, finding.why) == ("no evidence", "LIF does not suffer")


def test_all_tests_of_the_page_are_corrected_together() -> None:
    """A p of 0.015 is evidence alone and none among ten claims; a p of 1e-5 stays."""
    weak = [value + 0.83 for value in SPREAD]
    p = stats.ttest_1samp(weak, 0).pvalue
    assert 0.005 < p < 0.05
    alone = judge([(claim("greater"), Evidence("", Estimate.of(weak)))])[0]
    assert (alone.verdict, alone.corrected) == ("supported", pytest.approx(p))
    others = [(claim("greater", name=f"other{i}"), shifted(0.01 * i)) for i in range(9)]
    among = judge([(claim("greater"), Evidence("", Estimate.of(weak))), *others])
    assert among[0].verdict == "no evidence"
    assert among[0].corrected == pytest.approx(10 * p)
    assert judge([(claim("greater"), shifted(5)), *others])[0].verdict == "supported"
    checks = [(claim("check", name=f"check{i}"), Check(True, "")) for i in range(9)]
    assert judge([(claim("greater"), Evidence("", Estimate.of(weak))), *checks])[0].corrected == pytest.approx(p)


def test_no_evidence_names_the_effect_in_reach() -> None:
    """Noncentral t: eight seeds find 1.16 standard deviations with 80 % power at 5 %, more among many tests."""
    finding = verdict("greater", 0.1)
    deviation = Estimate.of(SPREAD).half_width * math.sqrt(8) / stats.t.ppf(0.975, 7)
    assert finding.smallest is not None
    noncentrality = finding.smallest / deviation * math.sqrt(8)
    quantile = stats.t.ppf(0.975, 7)
    assert stats.nct.sf(quantile, 7, noncentrality) == pytest.approx(0.8, abs=0.002)
    assert f"{finding.smallest:.2g} points or more in 80 %" in finding.why
    assert smallest_effect(SPREAD, 0.005) > 1.2 * finding.smallest
    assert math.isnan(smallest_effect([1.0], 0.05))


def test_p_values_are_scipys() -> None:
    values = [value + 0.4 for value in SPREAD]
    assert difference_p_value(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    lower = stats.ttest_1samp(values, -1, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 1, alternative="less").pvalue
    assert equivalence_p_value(values, 1) == pytest.approx(max(lower, upper))
    assert equivalence_p_value([-value for value in values], 1) == pytest.approx(max(lower, upper))
    beyond = stats.ttest_1samp(values, 0.2, alternative="greater").pvalue
    assert beyond_p_value(values, 0.2) == pytest.approx(2 * beyond)
    assert beyond_p_value([-value for value in values], 0.2) == pytest.approx(2 * beyond)
    assert (difference_p_value([1.0]), equivalence_p_value([0.0], 1), beyond_p_value([9.0], 1)) == (1, 1, 1)


def test_checks_hold_or_fail() -> None:
    found = judge([(claim("check"), Check(True, "0")), (claim("check", name="two"), Check(False, "1"))])
    assert [finding.verdict for finding in found] == ["holds", "fails"]
    assert effect_text(found[0]) == "—"
    untestable = Claim("x", "", "", "", "greater", "", "", untested="no data")
    counts = counted([*found, verdict("greater", 2)], [claim("greater"), claim("setting"), untestable, untestable])
    assert (counts["holds"], counts["fails"], counts["supported"]) == (1, 1, 1)
    assert (counts["of studies not in this run"], counts["not testable here"]) == (1, 2)


def test_every_claim_of_the_list_is_complete() -> None:
    known = claims.claims()
    assert len(known) > 40
    for entry in known.values():
        assert entry.study is None or entry.study in studies()
        assert entry.asserts in ("greater", "less", "equal", "check", "setting", "illustration")
        if entry.asserts in ("greater", "less", "equal"):
            assert entry.unit
            assert entry.paper
    places = " ".join(entry.place for entry in known.values())
    figures = [f"Figure {number}" for number in ("2a", "2b", "3a", "3b", "4", "7", "8", "10", "11")]
    for place in (*figures, *(f"Table {number}" for number in (1, 2, 3, 6, 7, 8))):
        assert place in places
    for name in studies():
        assert claims.of_study(name)


def test_a_claim_needs_a_study_or_a_reason() -> None:
    fields = {"id": "x", "place": "", "claim": "", "paper": "", "effect": "", "scale": ""}
    with pytest.raises(ClaimError, match="needs a study, or `untested`"):
        Claim(**fields, asserts="greater")  # type: ignore[arg-type]
    with pytest.raises(ClaimError, match="needs a study, or `untested`"):
        Claim(**fields, asserts="greater", study="neurons", untested="no data")  # type: ignore[arg-type]
    with pytest.raises(ClaimError, match="equality, which needs a margin"):
        Claim(**fields, asserts="equal", study="neurons")  # type: ignore[arg-type]
