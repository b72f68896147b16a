"""The tuning task: what one setting is worth on the validation set. The test set is not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from tasks.base import Cell, Metric, Range, Value
from tasks.training.loop import selected_epoch
from tasks.training.network_task import NETWORK_RANGES, NETWORK_SETTINGS, NetworkTask, budget, prepare, trained


class Tuning(NetworkTask):
    """Validation accuracy and loss of a trained network, by which `--tune` chooses among settings.

    The setting `trial` is the place of the cell's settings among those that are tried.
    """

    name = "tuning"
    description = "validation accuracy of a setting, the test set left alone; what --tune N chooses by"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"trial": None}
    ranges: ClassVar[Mapping[str, Range]] = {**NETWORK_RANGES, "trial": Range(int, least=0, optional=True)}
    sources = ("training", "networks", "data")
    metrics = {
        "accuracy_validation_best": Metric("%", "best validation accuracy over epochs", "higher"),
        "validation_loss_selected": Metric("1", "validation loss at that epoch, of tied ones the lowest", "lower"),
        "training_seconds": Metric("s", "time in training steps, beside other cells", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        epochs = list(trained(cell, dataset, network, tested=False))
        best = selected_epoch(epochs)
        yield Value("accuracy_validation_best", 100 * best.validation_accuracy)
        yield Value("validation_loss_selected", best.validation_loss)
        yield Value("training_seconds", sum(epoch.seconds for epoch in epochs))
