"""The table of what was asked: one line a data set, so that every accuracy can be judged by its conditions."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from suite.report import data_facts, names, needs
from suite.report.certainty import not_converged
from suite.report.conditions import common, in_order, name_conditions, same_for_all
from suite.report.numbers import MISSING, format_value
from suite.report.table import Entry, Table
from suite.runs.conditions import asked
from tasks.training.recipe import Recipe

NAMES = {"train_samples": "training samples", "bptt_steps": "steps of the gradient"}
SAID = {"network", "width", "epochs", "batch_size", "learning_rate", "train_samples", "timesteps", "delay"}
"""Settings that have a column of their own, or stand in one."""
MOST_NAMED = 3
COUNTED = "lif"


def setup(rows: pd.DataFrame) -> Table | None:
    """Samples, T, network, budget, chance and convergence of each condition of the accuracies; the rest said once."""
    named = name_conditions(rows)
    own = in_order(named[named.task == "accuracy"])
    conditions = own.drop_duplicates("where").to_dict("records")
    if not conditions:
        return None
    same = common(own)
    facts: dict[str, dict[str, Any]] = {str(record["where"]): dict(asked(record)) for record in conditions}
    rising = not_converged(named)
    varying = sorted({name for known in facts.values() for name in known} - set(same) - SAID)
    lines = []
    for record in conditions:
        where = str(record["where"])
        known = facts[where]
        texts = [*_data(record, known), _steps(own, where), *_network(record, known), *_budget(known)]
        needed = needs.need(str(record["dataset"]), int(known.get("delay") or 0)) or MISSING
        texts += [_converged(rising.get(where)), needed, *(str(known.get(name, MISSING)) for name in varying)]
        lines.append((where, [Entry(text) for text in texts]))
    header = ["data set", "train / val. / test", "input", "chance (%)", "T", "network", "parameters", "epochs", "batch"]
    header += ["rate", "converged", "needs time", *(NAMES.get(name, name.replace("_", " ")) for name in varying)]
    caption = (
        f"Parameters with LIF; not converged: validation accuracy rose by 1 point or more over "
        f"the last quarter of the epochs; needs time: what of time LIF needs there, and its accuracy with the full "
        f"gradient, with it cut at each step, and without state (published study temporal_need). {same_for_all(own)}"
    )
    return Table("setup", "What was run.", caption, header, lines, [], ("accuracy",))


def _data(record: dict[Any, Any], known: dict[str, Any]) -> list[str]:
    """Samples, input and chance; of what is not at hand, the number of training samples alone."""
    found = data_facts.of_settings(str(record["dataset"]), record["settings"])
    taken = known.get("train_samples")
    if found is None:
        return [f"{taken:,}" if taken else MISSING, MISSING, MISSING]
    samples = [taken or found.samples[0], *found.samples[1:]]
    return [
        " / ".join(f"{count:,}" for count in samples),
        " × ".join(map(str, found.features)),
        format_value(found.chance, 0),
    ]


def _network(record: dict[Any, Any], known: dict[str, Any]) -> list[str]:
    """The network with its width, and its parameters with a neuron that learns none."""
    network, width = known.get("network"), known.get("width")
    if not isinstance(network, str):
        return [MISSING, MISSING]
    steps = int(record["ran"]) if not pd.isna(record.get("ran")) else 1
    count = data_facts.parameters(str(record["dataset"]), network, COUNTED, steps, record["settings"])
    return [f"{network}, width {width}" if width else network, f"{count:,}" if count is not None else MISSING]


def _budget(known: dict[str, Any]) -> list[str]:
    """Epochs, batch and learning rate; the optimiser's usual rate where none was asked for."""
    if "tuning" in known:
        return [str(known.get("epochs", MISSING)), str(known.get("batch_size", MISSING)), "tuned"]
    rate = known.get("learning_rate")
    try:
        rate = Recipe.from_settings({"learning_rate": None, "weight_decay": None, **known}).learning_rate
    except Exception:  # rows of a version whose recipe had other settings
        rate = rate if rate is not None else math.nan
    return [
        str(known.get("epochs", MISSING)),
        str(known.get("batch_size", MISSING)),
        MISSING if math.isnan(rate) else f"{float(rate):g}",
    ]


def _converged(rising: list[str] | None) -> str:
    if rising is None:
        return MISSING
    if not rising:
        return "yes"
    listed = ", ".join(names.neuron(who) for who in rising[:MOST_NAMED])
    return f"no: {listed}" + (f" and {len(rising) - MOST_NAMED} more" if len(rising) > MOST_NAMED else "")


def _steps(rows: pd.DataFrame, where: str) -> str:
    """The T that neurons ran over; where one without memory sees its input once, that of the others."""
    own = rows[rows["where"] == where]
    ran = own.get("ran", own.timesteps).dropna()
    return str(ran.max()) if len(ran) else MISSING
