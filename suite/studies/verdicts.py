"""From evidence to verdicts: what a run shows of each claim, corrected for the number of tests on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from suite.report.table import format_estimate
from suite.statistics import SIGNIFICANCE, Estimate, holm
from suite.statistics.equivalence import beyond_p_value, difference_p_value, equivalence_p_value, smallest_effect
from suite.studies.claims import Claim, Origin

Verdict = Literal["supported", "contradicted", "equal within the margin", "no evidence", "holds", "fails"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "equal within the margin", "no evidence")


@dataclass(frozen=True)
class Evidence:
    """What a run measured of a claim.

    Attributes:
        measured: the two sides, in words.
        effect: the claim's effect, one value a seed.
        beside: the same by another reading (the selected epoch beside the last), in words.
        void: why the run cannot speak on the claim, whatever the effect: a precondition that fails.
    """

    measured: str
    effect: Estimate
    beside: str = ""
    void: str = ""


@dataclass(frozen=True)
class Check:
    """An identity or a definition: it holds or it fails, and no seed decides it."""

    passed: bool
    measured: str


@dataclass(frozen=True)
class Finding:
    """One claim with what was found.

    Attributes:
        corrected: the smallest p of the claim's tests, by Holm's correction over all tests of the page; None for a
            check.
        smallest: where there is no evidence, the effect that these seeds would have found with 80 % power, at the
            significance that is left to one test of the page.
        why: what stands behind the verdict, in words.
    """

    claim: Claim
    measured: str
    verdict: Verdict
    effect: Estimate | None = None
    beside: str = ""
    corrected: float | None = None
    smallest: float | None = None
    why: str = ""


@dataclass(frozen=True)
class _Test:
    """One hypothesis test of a claim, and the verdict that its rejection gives."""

    claim: str
    verdict: Verdict
    p: float


def judge(evidence: Sequence[tuple[Claim, Evidence | Check]]) -> list[Finding]:
    """The findings, in the same order; every test of all of them is corrected together."""
    tests = [
        test for claim, own in evidence if isinstance(own, Evidence) and not own.void for test in _tests(claim, own)
    ]
    corrected = holm([test.p for test in tests])
    by_claim: dict[str, list[tuple[_Test, float]]] = {}
    for test, p in zip(tests, corrected, strict=True):
        by_claim.setdefault(test.claim, []).append((test, p))
    return [
        _check(claim, own) if isinstance(own, Check) else _finding(claim, own, by_claim.get(claim.id, []), len(tests))
        for claim, own in evidence
    ]


def _tests(claim: Claim, evidence: Evidence) -> list[_Test]:
    """Of a direction: that the effect is not 0, and if a margin is declared that it lies within; of an equality: that
    the effect lies within its margin, and that it lies outside."""
    values, mean = evidence.effect.values, evidence.effect.mean
    margin = (
        []
        if claim.margin is None
        else [_Test(claim.id, "equal within the margin", equivalence_p_value(values, claim.margin))]
    )
    if claim.asserts == "equal":
        assert claim.margin is not None
        return [*margin, _Test(claim.id, "contradicted", beyond_p_value(values, claim.margin))]
    as_claimed = mean > 0 if claim.asserts == "greater" else mean < 0
    direction: Verdict = "supported" if as_claimed else "contradicted"
    return [_Test(claim.id, direction, difference_p_value(values)), *margin]


def _finding(claim: Claim, evidence: Evidence, tests: Sequence[tuple[_Test, float]], count: int) -> Finding:
    effect = evidence.effect
    if evidence.void or effect.count < 2:
        why = evidence.void or f"{effect.count} seed, which decides nothing"
        return Finding(claim, evidence.measured, "no evidence", effect, evidence.beside, why=why)
    rejected = [(test.verdict, p) for test, p in tests if p < SIGNIFICANCE]
    p = min(p for _, p in tests)
    if rejected:
        verdict = rejected[0][0]
        return Finding(claim, evidence.measured, verdict, effect, evidence.beside, p, why=_why(verdict, claim))
    if effect.half_width == 0:
        return Finding(claim, evidence.measured, "no evidence", effect, evidence.beside, p, why="all seeds are alike")
    smallest = smallest_effect(effect.values, SIGNIFICANCE / count)
    if claim.margin is not None and claim.asserts == "equal":
        why = f"not told from a difference of {claim.margin:g} {claim.unit}"
    else:
        why = f"these seeds find {smallest:.2g} {claim.unit} or more in 80 % of cases"
    return Finding(claim, evidence.measured, "no evidence", effect, evidence.beside, p, smallest, why)


def _why(verdict: Verdict, claim: Claim) -> str:
    if verdict == "equal within the margin":
        return f"within ±{claim.margin:g} {claim.unit}"
    if verdict == "contradicted":
        return f"beyond ±{claim.margin:g} {claim.unit}" if claim.asserts == "equal" else "the opposite was shown"
    return ""


def _check(claim: Claim, check: Check) -> Finding:
    return Finding(claim, check.measured, "holds" if check.passed else "fails")


def effect_text(finding: Finding) -> str:
    """The effect with its interval and unit."""
    if finding.effect is None or math.isnan(finding.effect.mean):
        return "—"
    return f"{format_estimate(finding.effect, -3)} {finding.claim.unit}"


def counted(findings: Sequence[Finding], untested: Sequence[Claim], origin: Origin = "paper") -> Mapping[str, int]:
    """How many claims of the paper, or of the suite itself, ended how, those that no study tests included."""
    found = [finding.verdict for finding in findings if finding.claim.origin == origin]
    counts: dict[str, int] = {verdict: found.count(verdict) for verdict in (*VERDICTS, "holds", "fails")}
    claiming = [c for c in untested if c.origin == origin and c.asserts not in ("setting", "illustration")]
    elsewhere = sum(claim.study is not None for claim in claiming)
    return {**counts, "of studies not in this run": elsewhere, "not testable here": len(claiming) - elsewhere}
