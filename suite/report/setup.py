"""The table of what was asked: one line a data set, so that every accuracy can be judged by its conditions."""

from __future__ import annotations

from typing import Any

import pandas as pd

from suite.report.conditions import asked, common, in_order, name_conditions, same_for_all
from suite.report.table import Entry, Table

NAMES = {"timesteps": "T", "train_samples": "training samples"}


def setup(rows: pd.DataFrame) -> Table | None:
    """Network, T and settings of each condition of the accuracies: what differs in a column, the rest said once."""
    named = name_conditions(rows)
    own = in_order(named[named.task == "accuracy"])
    conditions = own.drop_duplicates("where").to_dict("records")
    if not conditions:
        return None
    same = common(own)
    facts: dict[str, dict[str, Any]] = {str(record["where"]): dict(asked(record)) for record in conditions}
    ran = {str(record["where"]): _steps(named, str(record["where"])) for record in conditions}
    varying = sorted({name for known in facts.values() for name in known} - set(same) - {"timesteps"})
    lines = [
        (where, [Entry(ran[where]), *(Entry(str(known.get(name, "—"))) for name in varying)])
        for where, known in facts.items()
    ]
    header = ["data set", "T", *(NAMES.get(name, name.replace("_", " ")) for name in varying)]
    caption = f"— the default of the data set, the network or the optimiser. {same_for_all(own)}"
    return Table("setup", "What was run.", caption, header, lines, [], ("accuracy",))


def _steps(rows: pd.DataFrame, where: str) -> str:
    """The T that neurons ran over; where one without memory sees its input once, that of the others."""
    own = rows[(rows["where"] == where) & (rows.task == "accuracy")]
    ran = own.get("ran", own.timesteps).dropna()
    return str(ran.max()) if len(ran) else "—"
