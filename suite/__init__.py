"""The machine around the tasks: plan of cells, execution, store, statistics, report and command line.

>>> import suite
>>> rows = suite.run(neurons=["lif", "clif"], tasks=["accuracy"], datasets=["digits"], seeds=3)
>>> suite.tables(rows)["accuracy"]
>>> suite.plots(rows)["accuracy"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.api import plots, run, tables

__all__ = ["plots", "run", "tables"]


def __getattr__(name: str) -> Any:
    """`run`, `tables` and `plots`, imported when they are asked for: the command line's help needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'suite' has no attribute '{name}'")
    from suite import api

    return getattr(api, name)
