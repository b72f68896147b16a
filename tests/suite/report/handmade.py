"""Rows made by hand, as a run stores them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from suite.runs.store import COLUMNS

COMMON = {
    "run": "hand",
    "network": "mlp",
    "backend": "cpu",
    "protocol": "controlled",
    "device": "cpu",
    "dtype": "float32",
    "timesteps": 4,
    "settings": "{}",
    "status": "ok",
    "detail": "",
    "seed": 0,
}
TYPES = dict.fromkeys(("timesteps", "seed", "step", "lag"), "Int64") | {"value": "float64"}

Record = dict[str, Any]


def rows(*groups: Sequence[Record]) -> pd.DataFrame:
    """One table of all records, each completed with what the columns usually hold; settings may be a dictionary."""
    records = [{**dict.fromkeys(COLUMNS), **COMMON, **record} for group in groups for record in group]
    for record in records:
        if isinstance(record["settings"], dict):
            record["settings"] = json.dumps(record["settings"], sort_keys=True)
        asked = ("task", "neuron", "backend", "device", "dataset", "network", "settings", "protocol", "dtype", "seed")
        record["cell"] = "-".join(str(record.get(name)) for name in (*asked, "timesteps", "machine", "versions"))
    return pd.DataFrame(records).astype(TYPES)


def accuracy(neuron: str, dataset: str, values: Sequence[float], **more: Any) -> list[Record]:
    """One accuracy a seed, from seed 0 on."""
    own = {"task": "accuracy", "neuron": neuron, "dataset": dataset, "metric": "accuracy_selected"}
    return [{**own, "seed": seed, "value": value, **more} for seed, value in enumerate(values)]


def timing(neuron: str, median: float, low: float, high: float, copy: float = 10.0, **more: Any) -> list[Record]:
    """A layer's forward and backward time with the spread of its rounds, and the copy of the same rounds."""
    own = {"task": "throughput", "neuron": neuron, "network": None, "timesteps": 8, "settings": {"elements": 4096}}
    values = {"forward_backward_time": median, "forward_backward_time_p20": low, "forward_backward_time_p80": high}
    values["copy_bandwidth"] = copy
    return [{**own, "metric": name, "value": value, **more} for name, value in values.items()]
