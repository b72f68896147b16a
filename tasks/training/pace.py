"""How far a training is and how fast, as it prints it and as a display finds it in what was printed."""

from __future__ import annotations

import math
import re
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.training.loop import Epoch

PACE = re.compile(r"epoch \d+ of \d+: ")
"""How the line begins that a training prints after each epoch."""


def clock(seconds: float) -> str:
    """Minutes and seconds: "4:07"; from an hour on with hours before: "2:04:07"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, within = divmod(minutes, 60)
    return f"{hours}:{within:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Pace:
    """What a training prints after each epoch: how far it is, how fast, and how long the rest takes at that pace.

    Args:
        whole: how many epochs it has.
    """

    def __init__(self, whole: int) -> None:
        self.whole, self.begun, self.done = whole, time.monotonic(), 0

    def tell(self, number: int, epoch: Epoch) -> None:
        """An epoch ended, evaluations included; those before a resumed training are not counted into the pace."""
        self.done += 1
        left = (self.whole - number) * (time.monotonic() - self.begun) / self.done
        accuracies = {"validation": epoch.validation_accuracy, "test": epoch.test_accuracy}
        parts = [f"loss {epoch.train_loss:.3f}"]
        parts += [f"{name} {100 * own:.1f} %" for name, own in accuracies.items() if not math.isnan(own)]
        parts.append(f"{epoch.samples / epoch.seconds:,.0f} samples/s")
        parts.append(f"about {clock(left)} left")
        print(f"epoch {number} of {self.whole}: {', '.join(parts)}", file=sys.stderr)
