"""Networks trained with one neuron and run with LIF, by soft reset and hard reset (CLIF paper, Table 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from neurons.models.lif import LIF
from tasks.base import Cell, Metric, Value
from tasks.training.arithmetic import Arithmetic
from tasks.training.loop import evaluate
from tasks.training.network_task import NETWORK_SETTINGS, NetworkTask, budget, exchange, prepare, train_through

HARD_RESETS = (0.0, -0.02, -0.04, -0.06, -0.08, -0.1)


class Conversion(NetworkTask):
    """Test accuracy of one trained network under its own neuron and under LIF neurons with different resets.

    The LIF neurons take what the cell says of its neuron (protocol, `neuron.*`, backend), but for the reset. A static
    input is shown `timesteps` times to all of them, also where the network was trained without memory.
    """

    name = "conversion"
    description = "accuracy of a trained network run with LIF neurons instead of its own"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS
    sources = ("training", "networks", "data")
    metrics = {
        "accuracy_own": Metric("%", "test accuracy with the neuron of training", "higher"),
        "accuracy_soft": Metric("%", "test accuracy with LIF and soft reset", "higher"),
        "accuracy_hard": Metric("%", "test accuracy with LIF and hard reset to −lag/100", "higher"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets[:1]]

    def timesteps(self, cell: Cell) -> int | None:
        return super().timesteps(_as_lif(cell))

    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        train_through(cell, dataset, network)
        how = Arithmetic.of(cell.settings, cell.torch_device)

        def accuracy() -> float:
            return 100 * evaluate(network, dataset, "test", cell.settings["loss"], how)[1]

        yield Value("accuracy_own", accuracy())
        exchange(network, _as_lif(cell, reset="soft"))
        yield Value("accuracy_soft", accuracy())
        for value in HARD_RESETS:
            exchange(network, _as_lif(cell, reset="hard", v_reset=value))
            yield Value("accuracy_hard", accuracy(), lag=round(-100 * value))


def _as_lif(cell: Cell, **reset: Any) -> Cell:
    """The cell with LIF neurons of the same constants, as far as LIF has them."""
    neuron = cell.neuron_layer(channels=1, timesteps=1).neuron
    constants = {name: getattr(neuron, name) for name in LIF.constants()} | reset
    kept = {name: value for name, value in cell.settings.items() if not name.startswith("neuron.")}
    return replace(cell, neuron="lif", settings=kept | {f"neuron.{name}": value for name, value in constants.items()})
