"""Whether a data set needs time: accuracy without the temporal gradient, and without any temporal state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from neurons import BackendUnavailable, NeuronLayer
from neurons.reference import per_step_names
from tasks.accuracy import Accuracy
from tasks.base import Cell, Range, Value
from tasks.networks import Forgetful
from tasks.training.network_task import NETWORK_RANGES, NETWORK_SETTINGS

TIMES = ("full", "cut", "none")


@dataclass(frozen=True)
class TimedCell(Cell):
    """A cell whose layers have all of time, its state without a gradient through it, or none of it."""

    def neuron_layer(self, channels: int | None = None, timesteps: int | None = None) -> NeuronLayer:
        layer = super().neuron_layer(channels, timesteps)
        if self.settings["time"] == "cut":
            layer.bptt_steps = 1
        if self.settings["time"] != "none":
            return layer
        neuron = layer.neuron
        if not neuron.runs_over_time() or per_step_names(neuron):
            raise BackendUnavailable(f"{neuron.name} knows its place in the sequence, so no step of it stands alone")
        constants = {name: getattr(neuron, name) for name in neuron.constants()}
        made = Forgetful(type(neuron)(None, **constants), channels, layer.backend)
        made.load_state_dict(layer.state_dict())
        return made.to(self.torch_device)


class TemporalNeed(Accuracy):
    """The accuracy task with the gradient cut between time steps, or with neurons that begin each step anew.

    The probe of NeuroSeqBench (arXiv 2502.09449), which calls the three spatio-temporal, spatial and no temporal
    dynamics. Where all are equally accurate, the data set does not test what neurons do over time.
    """

    name = "temporal_need"
    description = "accuracy with the temporal gradient cut, or without any temporal state"
    main = False
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"time": "full"}
    ranges: ClassVar[Mapping[str, Range]] = NETWORK_RANGES | {"time": Range(str, choices=lambda: TIMES)}
    sources: ClassVar[Sequence[str]] = (*Accuracy.sources, "accuracy.py")

    def refusal(self, settings: Mapping[str, Any]) -> str | None:
        """What takes time away must be the setting of this task alone, and must act on neurons."""
        if settings["bptt_steps"] is not None:
            return f"setting bptt_steps={settings['bptt_steps']}: temporal_need cuts by time=cut"
        if settings["exchange_to"] is not None:
            return f"setting exchange_to={settings['exchange_to']}: temporal_need trains one neuron to the end"
        return super().refusal(settings)

    def run(self, cell: Cell) -> Iterator[Value]:
        network = cell.settings["network"]
        if network == "gru" and cell.settings["time"] != "full":
            raise BackendUnavailable("network gru has a memory of its own, which no neuron's setting takes away")
        yield from super().run(TimedCell(**{field.name: getattr(cell, field.name) for field in fields(Cell)}))
