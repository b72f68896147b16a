"""What a run takes from files of the user: neurons, tasks, data sets and networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import neurons
import tasks
from tasks import data, networks


@dataclass(frozen=True)
class UserFiles:
    """Python files by what they add; loaded where cells are planned, and in each process that runs some."""

    neurons: Sequence[str] = ()
    networks: Sequence[str] = ()
    datasets: Sequence[str] = ()
    tasks: Sequence[str] = ()

    def load(self) -> None:
        """Import all.

        Raises:
            NeuronError: one line with file, name and fault.
        """
        for load, paths in (
            (neurons.load_file, self.neurons),
            (networks.load_file, self.networks),
            (data.load_file, self.datasets),
            (tasks.load_file, self.tasks),
        ):
            for path in paths:
                load(path)

    def resolved(self) -> UserFiles:
        """The same by paths that hold in any folder."""
        own = {field.name: [str(Path(path).resolve()) for path in getattr(self, field.name)] for field in fields(self)}
        return UserFiles(**own)
