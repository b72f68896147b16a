"""The page `packages.html`: what each package computes, and what it costs beside the suite's own kernels."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

import tasks
from neurons import peers
from suite.report import style, timings
from suite.report.numbers import format_spread
from suite.report.page import Page
from suite.report.parts import Parts
from suite.report.plots import Plot
from suite.report.plots.panels import logarithmic, points, row_panels
from suite.report.table import Entry, Table
from suite.runs.groups import Groups
from suite.runs.packages import GROUP, SIZES, constants_of, model_of

KEYS = ["task", "timesteps", "elements", "dtype", "protocol", "device", "machine", "network", "rest", "metric"]
"""Columns in which a package and its counterpart agree, beside the constants."""
BESIDE = ("_p20", "_p80", "_over_baseline")
"""Endings of metrics that stand with another."""
QUESTION = "What do other packages compute, and how fast?"
FIELDS = ["charge", "fire", "reset", "gradient"]
COUNTERPARTS = ("cpu", "triton")
"""The suite's own backends that packages are held against, each on its device; under torch.compile it is `compile`."""

FUSED = "fused"
"""How any of them is called where a package is held against that of its device."""


def build(report: Path, rows: pd.DataFrame, groups: Groups, parts: Parts) -> Page | None:
    """The page of the comparison of packages, with its tables and plots written; None if the run has none."""
    own = rows[rows.cell.isin(groups.get(GROUP, []))]
    if own.empty:
        return None
    measured = _settings_as_columns(own)
    beside = side_by_side(measured)
    networks = ("training_speed training_memory", "package_networks", "Networks in training.")
    makers: dict[str, Callable[[], Table | None]] = {
        "relations": partial(matrix, measured),
        "equivalence": partial(relations, measured),
        "speed_up": partial(speed_ups, beside),
        "package_networks": partial(costs, beside, *networks),
        "package_memory": partial(costs, beside, "memory", "package_memory", "Memory of a layer."),
        "package_startup": partial(costs, beside, "startup", "package_startup", "Time of the first use."),
        "kernel_calls": partial(what_ran, measured),
        "cards": partial(cards, measured),
    }
    found = [table for name, make in makers.items() if (table := parts.make(f"table {name}", make)) is not None]
    for table in found:
        table.save(report / "tables")
    folder = report / "plots"
    made = (parts.make(f"plot {plot.name}", partial(plot.save, beside, folder)) for plot in PLOTS)
    plots = [shown for shown in made if shown is not None]
    sentence = " ".join([relations_told(measured), *(shown.finding for shown in plots)])
    by_name = {table.name: table for table in found}
    context: dict[str, Any] = {"question": QUESTION, "sentence": sentence}
    context |= {"relations": by_name.pop("relations", None), "tables": list(by_name.values()), "plots": plots}
    return Page(GROUP, "Packages", found, {**context, "behind": behind(beside)}, QUESTION, sentence)


def _settings_as_columns(rows: pd.DataFrame) -> pd.DataFrame:
    settings = rows.settings.map(json.loads)
    constants = settings.map(lambda own: json.dumps({k: v for k, v in own.items() if k.startswith("neuron.")}))
    return rows.assign(elements=settings.map(lambda own: own.get("elements")), constants=constants)


def side_by_side(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a package's neuron and measurement: its value, and `own`, that of the suite's counterpart.

    Two lines are of one condition only if every setting is the same.
    """
    rows = rows.assign(rest=rows.settings.map(_rest), **{n: None for n in ("machine",) if n not in rows})
    ok = rows[rows.value.notna() & (rows.task != "equivalence")]
    is_peer = ok.neuron.isin(list(peers.peers()))
    theirs, ours = ok[is_peer].copy(), ok[~is_peer]
    theirs["model"] = [peers.get(name).model for name in theirs.neuron]
    theirs["constants"] = [json.dumps(constants_of(peers.get(name))) for name in theirs.neuron]
    theirs["own_backend"] = theirs.backend.where(theirs.backend == "compile", FUSED)
    keys = [*KEYS, "model", "constants", "own_backend"]
    fused = ours.backend.where(~ours.backend.isin(COUNTERPARTS), FUSED)
    counterparts = ours.assign(backend=fused)
    counterparts = counterparts.rename(columns={"neuron": "model", "backend": "own_backend", "value": "own"})
    counterparts = counterparts[[*keys, "own"]].drop_duplicates(keys)
    merged = theirs.merge(counterparts, on=keys, how="left")
    merged["size"] = merged.elements * merged.timesteps.astype(float)
    return merged.assign(ratio=merged.value / merged.own)


def _rest(text: Any) -> str:
    known = json.loads(text) if isinstance(text, str) else {}
    rest = {k: v for k, v in known.items() if k != "elements" and not k.startswith("neuron.") and v is not None}
    return json.dumps(rest, sort_keys=True)


def with_spread(beside: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The lines of a metric with the percentiles of both sides (NaN where not kept), and whether both saw one load.

    Added: low, high, own_low, own_high, same_load.
    """
    keys = ["neuron", "backend", "constants", *(name for name in KEYS if name != "metric")]
    chosen = beside[beside.metric == metric]
    for percentile, end in (("_p20", "low"), ("_p80", "high")):
        columns = {"value": end, "own": f"own_{end}"}
        other = beside[beside.metric == metric + percentile].rename(columns=columns)
        chosen = chosen.merge(other[[*keys, *columns.values()]].drop_duplicates(keys), on=keys, how="left")
    copies = beside[beside.metric == "copy_bandwidth"].rename(columns={"ratio": "copies"})
    chosen = chosen.merge(copies[[*keys, "copies"]].drop_duplicates(keys), on=keys, how="left")
    factor = chosen.copies.astype(float)
    same = factor.isna() | factor.between(1 / timings.SAME_LOAD, timings.SAME_LOAD)
    return chosen.assign(same_load=same)


def relations_told(rows: pd.DataFrame) -> str:
    """How many neurons of packages compute the suite's model, in a sentence."""
    details = rows[(rows.task == "equivalence") & (rows.metric == "different_spikes")].detail.astype(str)
    same = sum(text.partition(":")[0].strip() in SIGNS for text in details)
    return (
        f"{same} of {len(details)} neurons of packages compute the model they are held against." if len(details) else ""
    )


def relations(rows: pd.DataFrame) -> Table:
    """What the comparison with the reference found, for each neuron of a package."""
    lines = []
    for name, group in rows[rows.task == "equivalence"].groupby("neuron", sort=False):
        peer, values = peers.get(str(name)), group.set_index("metric").value
        found = group.detail[group.metric == "different_spikes"]
        relation = found.iloc[0] if len(found) else group.status.iloc[0]
        departs = "departure_step" in values
        where = f"step {values['departure_step']:.0f}, neuron {values['departure_neuron']:.0f}" if departs else "—"
        texts = [peer.class_name, model_of(peer), relation, where, peer.departs or "—"]
        lines.append((str(name), [Entry(text) for text in texts]))
    caption = (
        "Spikes, visible potentials and gradients over 1,024 neurons and 64 steps in float64. A neuron that departs is "
        "measured under its own name, never as the model."
    )
    header = ["neuron", "class", "held against", "relation", "departs at", "because"]
    return Table("equivalence", "Is it the same model?", caption, header, lines)


def cards(rows: pd.DataFrame) -> Table:
    """Package × model × semantics, in words."""
    names = list(dict.fromkeys(rows.neuron[rows.task == "equivalence"]))
    lines = [(name, [Entry(getattr(peers.get(name).card, field)) for field in FIELDS]) for name in names]
    caption = "In the order of a step: charge, fire, reset; and what a gradient sees of it."
    return Table("cards", "How each package computes its neuron.", caption, ["neuron", *FIELDS], lines)


def speed_ups(beside: pd.DataFrame) -> Table | None:
    """How many times longer each package takes than the suite's fused kernel, by length and size."""
    chosen = _times(beside)
    if chosen.empty:
        return None
    chosen = chosen.assign(total=chosen["size"].map(_size_name).map(SIZES))
    chosen = chosen.sort_values(["dtype", "total", "timesteps"], ascending=[False, True, True], kind="stable")
    dtypes = chosen.dtype.map(lambda dtype: "" if dtype == "float32" else f", {dtype}")
    chosen = chosen.assign(column=chosen["size"].map(_size_name) + ", T=" + chosen.timesteps.astype(str) + dtypes)
    caption = (
        "Forward and backward, medians of interleaved rounds in one process, with the most that the 20th and 80th "
        "percentiles of both allow; the suite's fused C kernel of the model with the same constants is 1, under "
        "torch.compile the suite's compiled loop. Bold: faster than the suite, beyond these."
    )
    lines = _lines(chosen, _ratio)
    header = ["neuron", *dict.fromkeys(chosen.column)]
    notes = [] if chosen.same_load.all() else ["‡ timed at another load of the machine than its counterpart."]
    return Table("speed_up", "Time of packages over that of the suite.", caption, header, lines, notes)


def _ratio(row: Any) -> Entry:
    if not row.same_load:
        return Entry("‡")
    if math.isnan(row.low + row.high + row.own_low + row.own_high):
        return Entry(f"{row.ratio:.3g}", best=row.ratio < 1)
    low, high = row.low / row.own_high, row.high / row.own_low
    return Entry(format_spread(row.ratio, low, high, 1), best=high < 1, spread=(low, high))


def _lines(rows: pd.DataFrame, entry: Callable[[Any], Entry]) -> list[tuple[str, list[Entry]]]:
    """A line for each neuron of a package, and for each that ran under torch.compile; `rows.column` goes across."""
    columns = list(dict.fromkeys(rows.column))
    entries: dict[str, dict[str, Entry]] = {}
    for row in rows.itertuples():
        name = f"{row.neuron} (compile)" if row.backend == "compile" else str(row.neuron)
        entries.setdefault(name, {})[str(row.column)] = entry(row)
    order = {name: place for place, name in enumerate(peers.peers())}
    names = sorted(entries, key=lambda name: (order[name.partition(" ")[0]], name))
    return [(name, [entries[name].get(at, Entry("—")) for at in columns]) for name in names]


def _number(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """Three significant digits, without an exponent; with its percentiles where they are known."""
    if math.isnan(value):
        return "—"
    if not math.isnan(low + high):
        return format_spread(value, low, high, 0 if abs(value) >= 100 else 2)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _size_name(total: float) -> str:
    """The size that was meant: neurons come in whole groups of channels."""
    return min(SIZES, key=lambda name: abs(SIZES[name] - total))


def _times(beside: pd.DataFrame) -> pd.DataFrame:
    found = with_spread(beside[beside.task == "throughput"], "forward_backward_time")
    return found[found.ratio.notna()]


def behind(beside: pd.DataFrame) -> list[str]:
    """Where a package is faster than the suite's fused kernel, in words."""
    chosen = _times(beside)
    slower = chosen[(chosen.ratio < 1) & (chosen.own_backend == FUSED) & chosen.same_load]
    return [
        f"{row.neuron}, T = {row.timesteps}, {row.elements:,.0f} neurons: {row.value:.2f} against {row.own:.2f} ns"
        for row in slower.itertuples()
    ]


def costs(beside: pd.DataFrame, task: str, name: str, title: str) -> Table | None:
    """The values of a task, each with that of the suite's counterpart behind it."""
    chosen = beside[beside.task.isin(task.split())]
    metrics = [m for m in dict.fromkeys(chosen.metric) if not m.endswith(BESIDE) and m != "copy_bandwidth"]
    if not metrics:
        return None
    shown = pd.concat([with_spread(chosen, metric) for metric in metrics])
    units = {metric: entry.unit for known in task.split() for metric, entry in tasks.get(known).metrics.items()}
    network = shown.network.map(lambda own: f"{own}: " if isinstance(own, str) else "")
    words = shown.metric.map(lambda metric: f"{metric.replace('_', ' ')} ({units[metric]})")
    shown = shown.assign(column=network + words)
    lines = _lines(shown, _pair)
    header = ["neuron", *dict.fromkeys(shown.column)]
    notes = [] if shown.same_load.all() else ["‡ timed at another load of the machine than its counterpart."]
    caption = "Package | suite, with the same constants; times as median (20th to 80th percentile)."
    return Table(name, title, caption, header, lines, notes)


def _pair(row: Any) -> Entry:
    if not row.same_load:
        return Entry("‡")
    return Entry(f"{_number(row.value, row.low, row.high)} | {_number(row.own, row.own_low, row.own_high)}")


def what_ran(rows: pd.DataFrame) -> Table | None:
    """The kernels behind each time, from the profiler, at the greatest length."""
    chosen = rows[rows.metric == "kernel_calls"]
    if chosen.empty:
        return None
    chosen = chosen.sort_values("timesteps", ascending=False, kind="stable").drop_duplicates(["neuron", "backend"])
    lines = [
        (
            str(row.neuron),
            [Entry(str(row.backend)), Entry(str(row.timesteps)), Entry(f"{row.value:.0f}"), Entry(str(row.detail))],
        )
        for row in chosen.itertuples()
    ]
    caption = "Operations of forward and backward, read off torch's profiler."
    return Table("kernel_calls", "What really ran.", caption, ["neuron", "backend", "T", "calls", "which"], lines)


SIGNS = {"same": "same", "same within rounding": "within rounding"}
"""Relations in the matrix's words; all others are another model."""
OTHER = "another model"


def matrix(rows: pd.DataFrame) -> Table | None:
    """The suite's models down, packages across: who computes the same, who within rounding, who another model."""
    found: dict[str, dict[str, list[str]]] = {}
    details = rows[(rows.task == "equivalence") & (rows.metric == "different_spikes")]
    for name, relation in zip(details.neuron, details.detail, strict=True):
        peer = peers.get(str(name))
        word = SIGNS.get(str(relation).partition(",")[0].partition(":")[0].strip(), OTHER)
        found.setdefault(peer.model, {}).setdefault(peer.package, []).append(f"{str(name).partition('.')[2]}: {word}")
    if not found:
        return None
    packages = [name for name in peers.PACKAGES if any(name in own for own in found.values())]
    lines = [
        (model, [Entry("; ".join(sorted(found[model].get(package, []))) or "—") for package in packages])
        for model in style.ordered(found)
    ]
    caption = "Spike by spike against the suite's model with the constants that bring it nearest."
    return Table("relations", "The same model?", caption, ["neuron", *packages], lines)


def _times_data(beside: pd.DataFrame) -> pd.DataFrame | None:
    """Times of each package's neuron and of the suite's counterpart at the most steps measured, by size."""
    chosen = _times(beside)
    chosen = chosen[(chosen.dtype == "float32") & (chosen.backend != "compile") & chosen.same_load]
    if chosen.empty:
        return None
    chosen = chosen[chosen.timesteps == chosen.timesteps.max()]
    models = {name: peers.get(name).model for name in set(chosen.neuron)}
    order = {name: place for place, name in enumerate(style.ordered(models.values()))}
    data = pd.DataFrame(
        {
            **{"neuron": chosen.neuron, "model": chosen.neuron.map(models), "T": chosen.timesteps},
            **{"size": chosen["size"].map(_size_name), "ns": chosen.value, "low": chosen.low, "high": chosen.high},
            **{"suite_ns": chosen.own, "suite_low": chosen.own_low, "suite_high": chosen.own_high},
            "ratio": chosen.ratio,
        }
    )
    sizes = {name: place for place, name in enumerate(SIZES)}
    data = data.assign(_model=data.model.map(order), _size=data["size"].map(sizes))
    return data.sort_values(["_size", "_model", "neuron"], kind="stable").drop(columns=["_model", "_size"])


def _draw_times(data: pd.DataFrame) -> Figure:
    """One panel a size; a row a package's neuron: grey its time, black that of the suite's kernel of the same model."""
    rows = list(dict.fromkeys(data.neuron))
    sizes = list(dict.fromkeys(data["size"]))
    figure, found = row_panels(sizes, rows, "ns a neuron and step, forward + backward (log)", len(sizes), sharex=True)
    for point in points(data):
        axes, place = found[str(point.size)], rows.index(str(point.neuron))
        axes.plot([point.suite_ns, point.ns], [place, place], color=style.FAINT, linewidth=1.5, zorder=0)
        for middle, low, high, marker, colour in (
            (point.ns, point.low, point.high, "s", style.GREY),
            (point.suite_ns, point.suite_low, point.suite_high, "o", "black"),
        ):
            if math.isfinite(low + high):
                axes.plot([low, high], [place, place], color=colour, linewidth=0.9)
            axes.plot([middle], [place], marker=marker, color=colour, markersize=3.5)
    for axes in found.values():
        logarithmic(axes)
    return figure


def _finding(data: pd.DataFrame) -> str:
    return (
        f"At T = {int(data['T'].iloc[0])} the packages' neurons take {data.ratio.min():.2g} to {data.ratio.max():.3g} "
        "times as long as the suite's fused kernel of the same model."
    )


PLOTS = [
    Plot(
        "package_times",
        "Time of a layer",
        "Grey squares: the package; black dots: the suite's kernel of the model that it is held against, in the same "
        "rounds; bars: 20th to 80th percentile. small, cache, large: 2¹⁵, 2¹⁹, 2²³ neurons × steps.",
        _times_data,
        _draw_times,
        _finding,
    )
]
