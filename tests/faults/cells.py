"""Cells that misbehave, beside others that do not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.faults.run import Fault, Outcome, Run

DEEDS = {
    "segfault": "a cell makes a segmentation fault",
    "abort": "a cell aborts",
    "kill": "a cell is killed (kill -9)",
    "exit": "a cell ends its process with os._exit(0)",
    "sys.exit": "a cell calls sys.exit(3)",
    "raise": "a cell raises an exception of two lines",
    "memory": "a cell asks for more memory than there is",
    "hang": "a cell hangs (--time-limit 5)",
    "stop": "a cell is stopped (SIGSTOP, --time-limit 5)",
    "nan": "a cell yields NaN",
    "infinite": "a cell yields infinity",
    "text": "a cell yields a text",
    "tensor": "a cell yields a tensor",
    "function": "a cell yields what cannot be pickled",
    "noise": "a cell prints 2 MB",
    "thread": "a cell leaves a thread",
    "child": "a cell leaves a forked child",
    "daemon": "a cell leaves a daemon in a session of its own",
    "fork": "a cell forks, and both return",
}


def misbehave(folder: Path, mode: str) -> Outcome:
    limit = ["--time-limit", "5"] if mode in ("hang", "stop") else []
    return Run(folder / "run", cells=1, mode=mode, more=limit).start().end()


FAULTS = [Fault(mode, done, partial(misbehave, mode=mode)) for mode, done in DEEDS.items()]
