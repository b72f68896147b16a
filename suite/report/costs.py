"""What a neuron costs over a baseline: time of a layer, memory, events; each in one condition, each with its spread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from suite.report import names, timings
from suite.report.conditions import in_order, mean_over_layers, of_task, over_seeds
from suite.report.once import once
from suite.report.timings import sizes
from suite.statistics import Estimate

TIME, MEMORY, EVENTS, PARAMETERS, OPERATIONS = "time", "memory", "events", "parameters", "operations"


@dataclass(frozen=True)
class Ratio:
    """A neuron's cost over the baseline's.

    Attributes:
        low, high: 20th to 80th percentile of rounds, or the 95 % interval over seeds; NaN where there is neither.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def spread_known(self) -> bool:
        return not math.isnan(self.low + self.high)


@dataclass(frozen=True)
class Cost:
    """One kind of cost.

    Attributes:
        kind: TIME, MEMORY, EVENTS, PARAMETERS or OPERATIONS.
        title: in a word; `detail` says of what exactly.
        ratios: by `who`; the baseline's own is 1.
        absolute: by `who`, in `unit`.
    """

    kind: str
    title: str
    detail: str
    unit: str
    ratios: Mapping[str, Ratio]
    absolute: Mapping[str, float]


@once
def costs(rows: pd.DataFrame, baseline: str, where: str | None = None) -> list[Cost]:
    """The costs that a run measured, over the neuron `baseline`.

    Args:
        rows: named.
        where: the data set's condition whose events count; the first that there is unless told.
    """
    found = [
        layer_time(rows, baseline),
        peak_memory(rows, baseline),
        events(rows, baseline, where),
        *added(rows, baseline, where),
    ]
    return [cost for cost in found if cost is not None]


@once
def layer_time(rows: pd.DataFrame, baseline: str) -> Cost | None:
    """Forward and backward of a layer at the first size, as ratios of the same interleaved rounds."""
    own = sizes(rows)
    own = own[own.value.notna()]
    if own.empty:
        return None
    own = in_order(own)
    size = own["size"].iloc[0]
    own = own[own["size"] == size]
    known = {who: time for (who, _), time in timings.ratios(own, "forward_backward_time").items()}
    absolute = {who: time.estimate.mean for (who, _), time in timings.times(own, "forward_backward_time").items()}
    base = next((who for who in known if _is(who, baseline)), None)
    if base is None:
        ratios = {}
    elif baseline == timings.BASELINE:
        ratios = {who: Ratio(time.estimate.mean, time.low, time.high) for who, time in known.items()}
    else:
        unit = known[base].estimate.mean
        ratios = {
            who: Ratio(*(timings.ratio(own, unit) for own in (time.estimate.mean, time.low, time.high)))
            for who, time in known.items()
        }
    return Cost(TIME, "time", f"forward and backward of a layer, {size}{_by_torch(own)}", "ns", ratios, absolute)


def _by_torch(rows: pd.DataFrame) -> str:
    """Who ran without a fused kernel beside others that have one, where names do not tell."""
    others = rows[~rows.backend.isin(timings.FUSED)]
    if len(others) == len(rows) or (rows.how != "").any():
        return ""
    by_torch = [names.written(name) for name in dict.fromkeys(others.neuron)]
    return f"; for lack of a fused kernel by torch: {', '.join(by_torch)}" if by_torch else ""


def _is(who: str, neuron: str) -> bool:
    return names.neuron_of(who) == neuron


@once
def peak_memory(rows: pd.DataFrame, baseline: str) -> Cost | None:
    """Peak bytes of forward and backward of a layer for each neuron and step, at the fewest steps measured."""
    own = of_task(rows, "memory")
    own = own[(own.metric == "peak_bytes") & own.value.notna()]
    if own.empty:
        return None
    own = own[own.timesteps == own.timesteps.min()]
    own = own[own["where"] == own["where"].iloc[0]]
    absolute = {str(who): estimate.mean for who, estimate in over_seeds(own, ["who"]).items()}
    detail = f"peak memory of a layer's forward and backward, T={own.timesteps.iloc[0]}"
    return Cost(MEMORY, "memory", detail, "B", _over(absolute, baseline), absolute)


def events(rows: pd.DataFrame, baseline: str, where: str | None = None) -> Cost | None:
    """Mean output of all layers on one data set; a neuron whose output is no event has none."""
    own = of_task(rows, "accuracy")
    own = own[(own.metric == "firing_rate") & own.value.notna()]
    own = own[[names.spiking(neuron) for neuron in own.neuron]] if len(own) else own
    if own.empty:
        return None
    chosen = where if where in set(own["where"]) else own["where"].iloc[0]
    own = own[own["where"] == chosen]
    rates = {str(who): estimate for who, estimate in over_seeds(mean_over_layers(own), ["who"]).items()}
    absolute = {who: 100 * estimate.mean for who, estimate in rates.items()}
    detail = f"events of a neuron and step, mean over layers and seeds, {names.condition(str(chosen))}"
    return Cost(EVENTS, "spikes", detail, "%", _over_estimates(rates, baseline), absolute)


def added(rows: pd.DataFrame, baseline: str, where: str | None = None) -> list[Cost]:
    """What neurons add to a network: parameters to those of the synapses, and the operations of their step."""
    own = of_task(rows, "accuracy")
    own = own[own.value.notna() & own.metric.isin(("parameters", "neuron_parameters", "neuron_operations"))]
    if own.empty:
        return []
    chosen = str(where if where in set(own["where"]) else own["where"].iloc[0])
    own = own[own["where"] == chosen]
    found = over_seeds(own, ["metric", "who"])
    counts = {metric: {who: e.mean for (name, who), e in found.items() if name == metric} for metric in set(own.metric)}
    title = names.condition(chosen)
    details = {
        PARAMETERS: f"trainable parameters of the network, below those that its neurons add, {title}",
        OPERATIONS: "operations of a neuron's step, forward, counted",
    }
    whole, operations = counts.get("parameters", {}), counts.get("neuron_operations", {})
    of_neurons = counts.get("neuron_parameters", {})
    return [
        Cost(PARAMETERS, PARAMETERS, details[PARAMETERS], "added", _over(whole, baseline), of_neurons),
        Cost(OPERATIONS, OPERATIONS, details[OPERATIONS], "", _over(operations, baseline), operations),
    ]


def _over(values: Mapping[str, float], baseline: str) -> dict[str, Ratio]:
    base = next((value for who, value in values.items() if _is(who, baseline)), math.nan)
    return {who: Ratio(timings.ratio(value, base)) for who, value in values.items() if base and math.isfinite(base)}


def _over_estimates(values: Mapping[str, Estimate], baseline: str) -> dict[str, Ratio]:
    """Ratios seed by seed, as seeds are paired; of the means where the seeds are not the same."""
    base = next((own for who, own in values.items() if _is(who, baseline)), None)
    if base is None or not base.mean:
        return {}
    found = {}
    for who, own in values.items():
        if len(own.values) == len(base.values) and all(base.values):
            ratio = Estimate.of([a / b for a, b in zip(own.values, base.values, strict=True)])
            found[who] = Ratio(ratio.mean, ratio.low, ratio.high)
        else:
            found[who] = Ratio(own.mean / base.mean)
    return found
