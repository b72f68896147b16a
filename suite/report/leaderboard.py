"""The leaderboard: one line a neuron and way of running it, its main figures, sortable without a network."""

from __future__ import annotations

import html
import math
from typing import Any

import itables
import pandas as pd
from itables.javascript import generate_init_offline_itables_html
from itables.utils import find_package_file

import tasks
from suite.report import timings
from suite.report.comparison import accuracies
from suite.report.conditions import in_order, mean_over_layers, name_conditions, over_seeds
from suite.report.numbers import MISSING
from suite.report.pivot import row_order
from suite.report.ranking import chosen_variant
from suite.report.tables import of_task, sizes, training_state

TABLE_ID = "board"
SHARE = 100
RANK = "mean rank"
MANY = 12
"""Neurons from which each column gets a filter of its own."""
MAKES_TABLE = "new ITable(table, dt_args);"
MISSING_LAST = """
const number = (text) => (text === "∞" ? Infinity : parseFloat(text));
for (const [name, sign] of [["asc", 1], ["desc", -1]])
    $.fn.dataTable.ext.type.order["measured-" + name] = (a, b) => {
        const [x, y] = [number(a), number(b)];
        return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : x === y ? 0 : sign * (x < y ? -1 : 1);
    };
"""
"""The order of columns of numbers, in which what was not measured comes last whichever way one sorts."""


def leaderboard(rows: pd.DataFrame) -> pd.DataFrame:
    """Neurons with mean rank, accuracy by condition, temporal gradient, memory and speed, as far as a run has them.

    Every number is one condition, averaged over seeds (and the gradient's over layers); what a number is of stands in
    its column's name. Sorted by rank where ranks say anything; None where nothing was measured.
    """
    named = name_conditions(rows)
    columns: dict[str, dict[str, float]] = {}
    scored = accuracies(named)
    if len(scored):
        columns |= _ranked(scored)
        columns |= _columns(scored, "where", "{} (%)")
    columns |= _gradient(named)
    memory = of_task(named, "memory")
    columns |= _shortest(memory[memory.metric == "saved_bytes"], "saved, T={} (B)")
    columns |= _times(named)
    columns |= _rates(named)
    whos = [who for who in row_order(named[named.value.notna()]) if any(who in own for own in columns.values())]
    table = pd.DataFrame(
        {name: [_rounded(name, own.get(who)) for who in whos] for name, own in columns.items()}, dtype=object
    )
    table.insert(0, "neuron", whos)
    ranks = chosen_variant(scored).ranks if len(scored) else None
    return table if ranks is not None and not ranks.told_apart else _sorted(table)


def _ranked(scored: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Mean ranks, by the names that the ranked rows have."""
    variant = chosen_variant(scored)
    ranks = variant.ranks
    if ranks is None:
        return {}
    who = dict(zip(variant.rows.neuron, variant.rows.who, strict=True))
    return {RANK: {who[name]: float(rank) for name, rank in ranks.mean.items()}}


def _columns(rows: pd.DataFrame, column: str, title: str, factor: float = 1.0) -> dict[str, dict[str, float]]:
    """A column for each value of `column`, by `who`."""
    found: dict[str, dict[str, float]] = {}
    for (value, who), estimate in over_seeds(rows, [column, "who"]).items():
        found.setdefault(title.format(value), {})[who] = factor * estimate.mean
    return found


def _gradient(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Ratio and horizon of trained networks on the data set of most time steps, the one that asks for most."""
    own = of_task(rows, "temporal_gradient")
    own = own[own.settings.map(training_state) == "trained"] if len(own) else own
    own = own[own.value.notna()]
    if own.empty:
        return {}
    longest = own.where(own.step.notna()).sort_values("step", kind="stable")["where"].dropna()
    own = own[own["where"] == (longest.iloc[-1] if len(longest) else own["where"].iloc[0])]
    titles = {"temporal_ratio": "temporal / spatial gradient, {}", "horizon": "horizon, {} (steps)"}
    found: dict[str, dict[str, float]] = {}
    for metric, title in titles.items():
        found |= _columns(mean_over_layers(own[own.metric == metric]), "where", title)
    return found


def _shortest(rows: pd.DataFrame, title: str) -> dict[str, dict[str, float]]:
    own = rows[rows.value.notna()]
    if own.empty:
        return {}
    own = own[own.timesteps == own.timesteps.min()]
    own = own.assign(column=own.timesteps.astype(str) + own["where"].map(lambda text: f", {text}" if text else ""))
    return _columns(own, "column", title)


def _times(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Time of a layer at the first size, over that of the baseline in the same rounds, else in ns."""
    own = sizes(rows)
    own = own[own.value.notna()]
    if own.empty:
        return {}
    own = in_order(own[own["size"] == own["size"].iloc[0]])
    size = own["size"].iloc[0]
    found = {who: time.estimate.mean for (who, _), time in timings.ratios(own, "forward_backward_time").items()}
    columns = {f"forward + backward, {size} (× LIF)": found} if found else {}
    apart = timings.other_loads(own)
    known = timings.times(own, "forward_backward_time")
    seconds = {key[0]: time.estimate.mean for key, time in known.items() if key not in apart}
    return columns | ({f"forward + backward, {size} (ns)": seconds} if seconds else {})


def _rates(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Mean output of all layers, on the first data set of each condition."""
    own = of_task(rows, "accuracy")
    own = own[(own.metric == "firing_rate") & own.value.notna()]
    if own.empty:
        return {}
    own = own[own["where"] == own["where"].iloc[0]]
    return _columns(mean_over_layers(own), "where", "spikes a step, {} (%)", SHARE)


def _rounded(column: str, value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    if not math.isfinite(value):
        return value
    return round(value, 1) if column.endswith("(%)") else float(f"{value:.3g}")


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """By rank, the best first, or by the accuracy if there is only one; who has none last."""
    scores = [name for name in table if str(name).endswith("(%)") and not str(name).startswith("spikes")]
    if RANK not in table and len(scores) != 1:
        return table
    first, rising = (RANK, True) if RANK in table else (scores[0], False)
    order = table[first].astype(float).sort_values(ascending=rising, kind="stable", na_position="last").index
    return table.loc[order].reset_index(drop=True)


def interactive(table: pd.DataFrame) -> str:
    """The leaderboard as HTML with its scripts and styles inside."""
    bundle = generate_init_offline_itables_html(find_package_file("html", "dt_bundle.js"))
    shown = itables.to_html_datatable(
        table.map(_shown),
        table_id=TABLE_ID,
        connected=False,
        showIndex=False,
        paging=False,
        layout={"topStart": "search", "topEnd": None, "bottomStart": "info", "bottomEnd": None},
        language={"search": "Filter: "},
        classes="display compact",
        style="width:100%",
        text_in_header_can_be_selected=False,
        display_logo_when_loading=False,
        maxBytes=0,
        order=[],
        columnDefs=[{"targets": list(range(1, table.shape[1])), "type": "measured"}],
        column_filters="header" if len(table) > MANY else False,
    )
    assert MAKES_TABLE in shown, "itables makes its table by another line"
    return bundle.partition('<div style="vertical-align')[0] + shown.replace(MAKES_TABLE, MISSING_LAST + MAKES_TABLE)


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, float):
        return "∞" if math.isinf(value) else f"{value:g}"
    return str(value)


def describe(table: pd.DataFrame) -> dict[str, str]:
    """What each column of the leaderboard is."""
    known = {
        RANK: "mean over data sets of the rank by accuracy; 1 is best",
        "temporal / spatial": _description("temporal_gradient", "temporal_ratio") + ", trained networks",
        "horizon": _description("temporal_gradient", "horizon") + ", trained networks",
        "saved": "bytes kept for the backward pass, for each neuron and time step; lower is better",
        "forward + backward": "time of a layer alone, for each neuron and time step; × LIF: over that of the fused LIF "
        "in the same rounds; lower is better",
        "spikes a step": "mean output of all layers on the test set, times 100",
    }
    names = [str(name) for name in table if name != "neuron"]
    texts = {name: next((text for start, text in known.items() if name.startswith(start)), None) for name in names}
    accuracy = "test accuracy, mean over seeds; higher is better"
    return {name: html.escape(text or accuracy) for name, text in texts.items()}


def _description(task: str, metric: str) -> str:
    return tasks.TASKS[task].metrics[metric].description
