"""The claims of a paper in one figure: each effect beside its interval, and how it ended."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots.base import Plot
from suite.report.plots.panels import points
from suite.report.text import label
from suite.studies.verdicts import VERDICTS, Finding

ROW = 0.16
LONGEST = 62
FARTHEST = 30.0
"""Half widths of the interval beyond which an effect stands at the edge."""
LOOKS = {
    "supported": ("o", "black", "black"),
    "contradicted": ("X", "black", "black"),
    "equal within the margin": ("s", "black", "white"),
    "no evidence": ("o", style.GREY, "white"),
}
"""Marker, its edge and its inside, by verdict."""


def forest_of(findings: Sequence[Finding]) -> Plot:
    """A row a claim that was put to the test, by verdict and size of the effect."""
    return Plot(
        "claims",
        "Every claim that was tested",
        "Each effect over the half width of its 95 % interval, so that all bars are as long; one that does not touch 0 "
        "excludes it; to the right is as claimed. Filled: supported; cross: contradicted; square: equal within its "
        "margin; grey: no evidence. Verdicts are corrected for the number of tests, intervals are not.",
        lambda _: _data(findings),
        _draw,
        _finding,
    )


def _data(findings: Sequence[Finding]) -> pd.DataFrame | None:
    records = []
    for finding in findings:
        effect = finding.effect
        if effect is None or not math.isfinite(effect.mean) or not effect.half_width > 0:
            continue
        sign = -1 if finding.claim.asserts == "less" else 1
        records.append(
            {
                **{"claim": finding.claim.id, "text": finding.claim.claim, "verdict": finding.verdict},
                **{"effect": effect.mean, "half_width": effect.half_width, "unit": finding.claim.unit},
                **{"seeds": effect.count, "standardised": sign * effect.mean / effect.half_width},
            }
        )
    if not records:
        return None
    places = {verdict: place for place, verdict in enumerate(VERDICTS)}
    data = pd.DataFrame(records)
    data = data.assign(place=data.verdict.map(places))
    data = data.sort_values(["place", "standardised"], ascending=[True, False], kind="stable")
    return data.drop(columns="place")


def _draw(data: pd.DataFrame) -> Figure:
    figure, axes = plt.subplots(figsize=(style.PAGE, 0.6 + ROW * len(data)), layout="constrained")
    for place, point in enumerate(points(data)):
        marker, edge, inside = LOOKS[str(point.verdict)]
        middle = max(-FARTHEST, min(FARTHEST, point.standardised))
        axes.plot([middle - 1, middle + 1], [place, place], color=edge, linewidth=1.1)
        axes.plot([middle], [place], marker=marker, color=edge, markerfacecolor=inside, markersize=4.5)
    axes.axvline(0, color=style.GREY, linewidth=0.9)
    axes.set_xscale("symlog", linthresh=4, linscale=1.5)
    axes.set_xticks([-20, -4, -2, 0, 2, 4, 20], ["−20", "−4", "−2", "0", "2", "4", "20"])
    axes.minorticks_off()
    texts = [label(textwrap.shorten(str(text), LONGEST, placeholder="…"), LONGEST + 1) for text in data.text]
    axes.set_yticks(range(len(data)), texts)
    axes.set_ylim(len(data) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines.left.set_visible(False)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(data)), list(data.verdict))
    right.tick_params(axis="y", length=0, labelsize=style.SMALL)
    right.spines.right.set_visible(False)
    axes.set_xlabel("effect over the half width of its 95 % interval; right: as claimed")
    return figure


def _finding(data: pd.DataFrame) -> str:
    counts = data.verdict.value_counts()
    listed = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if name in counts)
    return f"Of {len(data)} effects: {listed}."
