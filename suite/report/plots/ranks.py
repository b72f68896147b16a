"""The critical-difference diagram: mean ranks over data sets, and how far apart they must lie to say anything."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from suite.report import names, style
from suite.report.comparison import accuracies
from suite.report.plots.base import Plot
from suite.report.plots.panels import points, row_panels
from suite.report.ranking import chosen_variant
from suite.statistics import SIGNIFICANCE


def _ranks(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Mean rank by neuron, the best first, and Nemenyi's p value against the best."""
    ranks = chosen_variant(accuracies(rows)).ranks
    if ranks is None:
        return None
    against = ranks.pairwise.loc[ranks.mean.index[0]]
    records = [
        {
            **{"who": str(name), "mean_rank": float(rank), "p_against_best": float(against[name])},
            **{"critical_difference": ranks.critical_difference, "datasets": ranks.datasets},
            **{"friedman_p": ranks.p, "told_apart": ranks.told_apart},
        }
        for name, rank in ranks.mean.items()
    ]
    return pd.DataFrame(records)


def _draw(data: pd.DataFrame) -> Figure:
    whos = list(data.who)
    figure, found = row_panels([""], whos, "mean rank (1 is best); bars of two that differ do not meet")
    (axes,) = found.values()
    colours = style.colours(whos)
    for place, own in enumerate(points(data)):
        told = own.told_apart and own.p_against_best < SIGNIFICANCE
        colour = style.GREY if told else colours[own.who]
        half = own.critical_difference / 2
        ends = [own.mean_rank - half, own.mean_rank + half]
        axes.plot(ends, [place, place], color=colour, linewidth=1.2 * style.weight(own.who))
        axes.plot([own.mean_rank], [place], marker="o", color=colour, markersize=4)
    best = data.mean_rank.iloc[0] + data.critical_difference.iloc[0] / 2
    axes.axvline(best, color=style.GREY, linestyle=":", linewidth=0.9)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure


def _finding(data: pd.DataFrame) -> str:
    """Who ranks first and how many are told from it, if the ranks say anything at all."""
    first = data.iloc[0]
    over = f"Over {first.datasets} data sets"
    if not first.told_apart:
        return f"{over} Friedman's test does not tell the neurons apart: their order says nothing."
    told = int((data.p_against_best < SIGNIFICANCE).sum())
    return (
        f"{over} {names.neuron(first.who)} ranks first (mean rank {first.mean_rank:.1f}); {told} of {len(data) - 1} "
        f"others are told from it: they lie {first.critical_difference:.1f} or more behind."
    )


PLOTS = [
    Plot(
        "ranks",
        "Mean ranks and their critical difference",
        "Mean rank by test accuracy over the data sets. A bar is one critical difference long (Nemenyi, 5 %): of two "
        "neurons whose bars do not meet one is better. Grey: told from the first, whose bar ends at the dotted line.",
        _ranks,
        _draw,
        _finding,
    )
]
