"""Networks trained with one neuron and run with LIF, by soft reset and hard reset (CLIF paper, Table 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import neurons
from tasks.accuracy.task import NETWORK_SETTINGS, NetworkTask, budget, prepare
from tasks.accuracy.training import Recipe, evaluate, train
from tasks.base import Cell, Metric, Value

HARD_RESETS = (0.0, -0.02, -0.04, -0.06, -0.08, -0.1)


class Conversion(NetworkTask):
    """Test accuracy of one trained network under its own neuron and under LIF neurons with different resets."""

    name = "conversion"
    description = "accuracy of a trained network run with LIF neurons instead of its own"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS
    sources = ("accuracy", "networks.py", "cache.py")
    metrics = {
        "accuracy_own": Metric("%", "test accuracy with the neuron of training", "higher"),
        "accuracy_soft": Metric("%", "test accuracy with LIF and soft reset", "higher"),
        "accuracy_hard": Metric("%", "test accuracy with LIF and hard reset to −lag/100", "higher"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets[:1]]

    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        recipe = Recipe.from_settings(dict(cell.settings))
        for _ in train(network, dataset, recipe, cell.settings["train_samples"], cell.seed):
            pass

        def accuracy() -> float:
            return 100 * evaluate(network, dataset, "test", recipe.loss)[1]

        def lif(**reset: Any) -> None:
            network.exchange_neurons(
                lambda channels, steps: neurons.layer("lif", channels, steps, cell.backend, **reset)
            )

        yield Value("accuracy_own", accuracy())
        lif(reset="soft")
        yield Value("accuracy_soft", accuracy())
        for value in HARD_RESETS:
            lif(reset="hard", v_reset=value)
            yield Value("accuracy_hard", accuracy(), lag=round(-100 * value))
