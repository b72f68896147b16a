"""The page `paper.html`: the paper's claims beside this run's figures, with verdicts, tables and plots."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from suite.report import names
from suite.report.answer import fitted
from suite.report.conditions import over_seeds
from suite.report.page import Page
from suite.report.parts import Parts
from suite.report.table import Entry, Table, format_estimate
from suite.runs import text
from suite.runs.conditions import IDENTITY, identified
from suite.runs.groups import Groups
from suite.runs.store import write_atomically
from suite.statistics import Estimate
from suite.studies import Study, studies
from suite.studies.claims import TESTED, Claim, ClaimError, Origin, claims
from suite.studies.forest import forest_of
from suite.studies.verdicts import VERDICTS, Check, Evidence, Finding, counted, effect_text, judge

TITLES = {"paper": "The CLIF paper's claims", "suite": "The suite's own claims"}
"""By whose claims a page tests; the paper's where it tests both."""
NOTE = (
    "A verdict holds at the scale of this run alone. Supported and contradicted: a paired t test "
    "over seeds shows the claim, or its opposite. Equal within the margin: two one-sided tests show that the effect is "
    "smaller than the margin. No evidence: neither; beside it stands the effect that these seeds would have found. All "
    "tests of the page are corrected together (Holm, 5 %)."
)


def build(report: Path, rows: pd.DataFrame, groups: Groups, parts: Parts) -> Page | None:
    """The page of the studies of a run, with their tables and plots written; None if it has none."""
    sections: list[dict[str, Any]] = []
    evidence: list[tuple[Claim, Evidence | Check]] = []
    refused: set[str] = set()
    for name, study in studies().items():
        cells = groups.get(name, [])
        own = rows[rows.cell.isin(cells) & (rows.status == "ok")]
        if own.empty:
            continue
        failed = rows[rows.cell.isin(cells) & (rows.status != "ok")].cell.nunique()
        made = parts.make(f"study {name}", partial(_made, study, own))
        if made is None:
            refused.add(name)
            continue
        found, table, accuracy, answer = made
        table.save(report / "tables")
        evidence += found
        section: dict[str, Any] = {"study": study, "table": table, "failed": failed, "rows": own}
        sections.append({**section, "scale": scale(own), "accuracy": accuracy, "answer": answer})
    if not sections:
        return None
    findings = judge(evidence)
    shown = [section["study"] for section in sections]
    told = _Told.of(shown, findings, _data_sets(section["rows"] for section in sections))
    run = {study.name for study in shown}
    untested = [claim for claim in claims().values() if claim.study not in run and claim.origin in told.origins]
    counts, verdicts = counts_table(findings, untested), verdicts_table(findings)
    for table in (counts, verdicts, checks_table(findings), untested_table(untested, refused)):
        table.save(report / "tables")
    write_atomically(report / "findings.json", json.dumps([_record(finding) for finding in findings], indent=1))
    for section in sections:
        study, own = section["study"], section.pop("rows")
        section["findings"] = [finding for finding in findings if finding.claim.study == study.name]
        ended = told_of(section["findings"])
        plot = replace(study.plot, finding=lambda _, ended=ended: ended) if ended else study.plot
        section["figure"] = parts.make(f"plot of study {study.name}", partial(plot.save, own, report / "plots"))
    forest = parts.make("plot claims", partial(forest_of(findings).save, rows, report / "plots"))
    context: dict[str, Any] = {
        "sections": sections,
        "forest": forest,
        "tally": {name: count for name, count in counted(findings, untested, told.origins[0]).items() if count},
        "note": NOTE,
        "effect": effect_text,
        "counts": counts,
        "untested": untested,
        "refused": refused,
        "verdicts": [finding for finding in findings if finding.claim.asserts in TESTED],
        "checks": [finding for finding in findings if finding.claim.asserts not in TESTED],
    }
    answers = [answer for section in sections if (answer := section["answer"])]
    sentence = fitted([*answers, sentence_of(findings, untested)])
    context |= {"sentence": sentence, "question": told.question, "origins": told.origins}
    return Page("paper", told.title, [counts, outcomes_table(findings)], context, told.question, sentence)


@dataclass(frozen=True)
class _Told:
    """Whose claims a page tests, the paper's first, and what it is called and asks for that."""

    origins: Sequence[Origin]
    title: str
    question: str

    @classmethod
    def of(cls, shown: Sequence[Study], findings: Sequence[Finding], where: Collection[str]) -> _Told:
        found = {finding.claim.origin for finding in findings}
        origins = [origin for origin in get_args(Origin) if origin in found] or ["paper"]
        title = TITLES[origins[0]]
        if origins == ["suite"] and len(shown) == 1 and shown[0].title.endswith("?"):
            return cls(origins, shown[0].title.removesuffix("?"), shown[0].title)
        place = f" on {names.dataset(next(iter(where)))}" if len(where) == 1 else ""
        return cls(origins, title, f"Do {title[0].lower()}{title[1:]} hold{place}?")


def _data_sets(rows: Iterable[pd.DataFrame]) -> set[str]:
    return {str(name) for own in rows for name in own.dataset.dropna().unique()}


def sentence_of(findings: Sequence[Finding], untested: Sequence[Claim]) -> str:
    """How the paper's claims ended, in a sentence, and the suite's own in a second if it tested any."""
    tested, listed = _verdicts_of(findings, untested, "paper")
    own, own_listed = _verdicts_of(findings, untested, "suite")
    if own and not tested:
        return f"Of {text.counted(own, 'claim')} of the suite's own: {own_listed}."
    paper = f"{text.counted(tested, 'claim')} of the CLIF paper that {'was' if tested == 1 else 'were'} tested"
    sentence = f"Of {paper} at this scale: {listed or 'none'}."
    return f"{sentence} Of {own} of the suite's own: {own_listed}." if own else sentence


def _verdicts_of(findings: Sequence[Finding], untested: Sequence[Claim], origin: Origin) -> tuple[int, str]:
    """How many claims of that origin ended in a verdict, and how, in words."""
    counts = counted(findings, untested, origin)
    listed = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])
    return sum(counts[name] for name in VERDICTS), listed


def told_of(findings: Sequence[Finding]) -> str:
    """How the claims of one study ended: "3 supported, 1 no evidence"."""
    verdicts = [str(finding.verdict) for finding in findings]
    listed = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts))
    return f"{'Claim' if len(verdicts) == 1 else 'Claims'}: {listed}." if verdicts else ""


def _made(study: Study, rows: pd.DataFrame) -> tuple[list[tuple[Claim, Evidence | Check]], Table, str, str]:
    found = [(known(study, claim), own) for claim, own in study.evidence(rows).items()]
    return found, study.table(rows), accuracies(rows), study.says(rows)


def known(study: Study, name: str) -> Claim:
    """The claim of that id; ClaimError if the list has none or gives it to another study."""
    claim = claims().get(name)
    if claim is None or claim.study != study.name:
        raise ClaimError(f"study {study.name} speaks on '{name}', which results/paper/claims.toml does not give it")
    return claim


def _record(finding: Finding) -> dict[str, Any]:
    return {"study": finding.claim.study, **asdict(finding)}


def counts_table(findings: Sequence[Finding], untested: Sequence[Claim]) -> Table:
    """How many claims ended how: the paper's, and the suite's own beside them."""
    paper, own = (counted(findings, untested, origin) for origin in ("paper", "suite"))
    lines = [(name, [Entry(str(count)), Entry(str(own[name]))]) for name, count in paper.items()]
    return Table("claims", "Claims by verdict.", NOTE, ["verdict", "the paper's", "the suite's own"], lines)


def verdicts_table(findings: Sequence[Finding]) -> Table:
    """Every claim that was put to the test."""
    header = ["place", "claim", "paper", "this run", "effect", "verdict", "seeds", "claim id"]
    lines = []
    for finding in findings:
        claim, effect = finding.claim, finding.effect
        if effect is None:
            continue
        texts = [claim.claim, claim.paper, _measured(finding), effect_text(finding), _verdict(finding)]
        lines.append((claim.place, [Entry(text) for text in (*texts, str(effect.count), claim.id)]))
    return Table("verdicts", "Every claim that was tested, at this scale.", NOTE, header, lines)


def outcomes_table(findings: Sequence[Finding]) -> Table:
    """The verdicts in few words, for a terminal."""
    lines = [
        (finding.claim.id, [Entry(effect_text(finding)), Entry(finding.verdict)])
        for finding in findings
        if finding.effect is not None
    ]
    return Table("outcomes", "Verdicts by claim.", "", ["claim", "effect", "verdict"], lines)


def checks_table(findings: Sequence[Finding]) -> Table:
    """Identities and definitions."""
    header = ["place", "claim", "this run", "result"]
    lines = [
        (finding.claim.place, [Entry(finding.claim.claim), Entry(finding.measured), Entry(finding.verdict)])
        for finding in findings
        if finding.effect is None
    ]
    return Table("checks", "Identities and definitions.", "They hold or fail, and decide nothing else.", header, lines)


def untested_table(untested: Sequence[Claim], refused: Collection[str] = ()) -> Table:
    """What this run says nothing of, and why; `refused` are the studies whose rows are there and say nothing."""
    lines = []
    for claim in untested:
        study = f"study {claim.study}" + (", which could not be made" if claim.study in refused else "")
        lines.append((claim.place, [Entry(claim.claim), Entry(claim.paper), Entry(claim.untested or study)]))
    caption = "Why no study can, or the study that would and is not part of this run."
    return Table("untested", "Claims that this run does not test.", caption, ["place", "claim", "paper", "why"], lines)


def _measured(finding: Finding) -> str:
    return f"{finding.measured} ({finding.beside})" if finding.beside else finding.measured


def _verdict(finding: Finding) -> str:
    return f"{finding.verdict}: {finding.why}" if finding.why else finding.verdict


def scale(rows: pd.DataFrame) -> str:
    """Data set, network, time steps and seeds of a study, in words."""
    where = rows[["dataset", "network"]].dropna().drop_duplicates()
    words = "; ".join(f"{dataset} / {network}" for dataset, network in where.itertuples(index=False)) or "one neuron"
    lengths = sorted({int(steps) for steps in rows.timesteps.dropna()})
    return f"{words}, T = {', '.join(map(str, lengths))}, {rows.seed.nunique()} seeds"


def accuracies(rows: pd.DataFrame) -> str:
    """Final and selected accuracy of each neuron of a study, in words; empty where a neuron has several conditions."""
    trained = rows[rows.metric.isin(["accuracy_final", "accuracy_selected"])]
    if identified(trained).drop_duplicates(list(IDENTITY)).neuron.duplicated().any():
        return ""
    found = over_seeds(trained, ["neuron", "metric"])
    words = []
    for neuron in trained.neuron.unique():
        estimates = (found.get((neuron, f"accuracy_{name}"), Estimate.of([])) for name in ("final", "selected"))
        texts = [format_estimate(own, 1) for own in estimates]
        words.append(f"{neuron} {texts[0]} % final, {texts[1]} % selected")
    return "; ".join(words)
