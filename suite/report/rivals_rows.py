"""The rows of the task linear_neuron, a line a neuron and size, for the page `rivals.html`."""

from __future__ import annotations

import json

import pandas as pd

from neurons import peers
from suite.report import names
from suite.report.conditions import MixedConditions, of_task
from suite.report.packages import SIGNS

TASK = "linear_neuron"
SIZE = ["batch_size", "timesteps", "width"]
SETTING = {"batch_size": 16, "timesteps": 500, "input_gradient": False}
"""Of Open Neuromorphic's comparison."""
FUSED = ("cpu", "triton")
RESET_FREE = "reset_free"


def lines(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a neuron and size: `who`, a column a metric, relation, what was called, and the reason if it is none.

    Raises:
        MixedConditions: two lines would be of one neuron and size.
    """
    own = of_task(rows, TASK)
    if own.empty:
        return own
    settings = pd.DataFrame([json.loads(text) for text in own.settings], index=own.index)
    apart = [name for name in ("device", "machine", "protocol") if name in own and own[name].nunique(dropna=False) > 1]
    notes = [*apart, "stack", "where"]
    who = [
        _who(str(row.neuron), str(row.backend), [str(getattr(row, note)) for note in notes]) for row in own.itertuples()
    ]
    own = own.assign(who=who, batch_size=settings.batch_size, width=settings.width, gradient=settings.input_gradient)
    key = ["who", "neuron", "backend", *SIZE, "gradient"]
    measured = own[own.value.notna()]
    if measured.duplicated([*key, "metric"]).any():
        raise MixedConditions("neurons of one size were measured twice by other settings; make a page of each run")
    found = measured.pivot(index=key, columns="metric", values="value")
    for name, metric in (("relation", "different_spikes"), ("called", "kernel_calls"), ("jit", "jit_time")):
        found[name] = measured[measured.metric == metric].set_index(key).detail
    shares = measured[measured.metric == "neuron_share"].set_index(key).detail.astype(str)
    found["predicted"] = shares.str.startswith("predicted")
    found["reason"] = ""
    failed = own[own.value.isna()].drop_duplicates(key).set_index(key)
    missing = failed.assign(reason=failed.status.astype(str) + ": " + failed.detail.astype(str))[["reason"]]
    joined = pd.concat([found, missing[~missing.index.isin(found.index)]]).reset_index()
    return joined.assign(model=[_model(name) for name in joined.neuron])


def _who(neuron: str, backend: str, notes: list[str]) -> str:
    told = [note for note in notes if note]
    if neuron in peers.peers():
        return ", ".join([neuron, *told])
    return ", ".join([names.neuron(neuron), "fused" if backend in FUSED else backend, *told])


def _model(neuron: str) -> str:
    return peers.get(neuron).model if neuron in peers.peers() else neuron


def published_setting(found: pd.DataFrame) -> pd.DataFrame:
    """Those of Open Neuromorphic's setting."""
    same = (found.batch_size == SETTING["batch_size"]) & (found.timesteps == SETTING["timesteps"])
    return found[same & (found.gradient == SETTING["input_gradient"]) & (found.model == "lif")]


def over_time(found: pd.DataFrame) -> pd.DataFrame:
    """Neurons without a reset, with those that ran at the same sizes."""
    free = found[found.model == RESET_FREE]
    return found.merge(free[[*SIZE, "gradient"]].drop_duplicates(), on=[*SIZE, "gradient"])


def mapped(found: pd.DataFrame) -> pd.DataFrame:
    """The measured lines of the map of shares."""
    elsewhere = pd.concat([published_setting(found), over_time(found)])[["who", *SIZE, "gradient"]]
    marked = found.merge(elsewhere.drop_duplicates(), on=["who", *SIZE, "gradient"], how="left", indicator="place")
    kept = marked[(marked.place == "left_only") & (marked.reason == "")]
    return kept if "neuron_share" in kept else kept.head(0)


def relation(text: object) -> str:
    """A relation in a word or two."""
    return SIGNS.get(str(text), "another model")
