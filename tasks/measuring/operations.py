"""Operations of a network on real data, counted: the raw numbers that energy models work on.

What an operation costs is decided by what feeds a synapse, never by the values that happen to pass. Events (outputs of
spiking neurons, moved on their way) need one accumulation (AC) for each event and connection; of a neuron whose outputs
may stand for several events (`Neuron.events`), a whole output n is n. An average pool is such a way, too: what follows
adds its weight, divided by the size of the window once and for all, for each event of the window. An event of another
size needs a multiplication with it (MAC). Anything else, or the output of a ReLU also where it is silent, needs a MAC
for each connection, as a dense machine computes. Neurons add their own operations and state accesses.

Not counted: biases (one addition an output), batch normalisation (folded into the weights before it), pooling, and
other operations without weights.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from neurons import BackendUnavailable, InvalidValue, Neuron
from neurons.errors import NotFusable
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from neurons.peers import Peer
from neurons.sequence_cost import operations_of
from tasks.networks import Neurons, RecurrentNeurons

COST_METRICS = {
    "multiply": "neuron_multiplications",
    "divide": "neuron_multiplications",
    "add": "neuron_additions",
    "compare": "neuron_additions",
    "transcendental": "neuron_exponentials",
}
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
COUNTED = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)
UNCOUNTED = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
"""Layers with parameters that cost nothing here."""
MOVES = {
    *("flatten", "unflatten", "view", "reshape", "permute", "transpose", "movedim", "unsqueeze", "squeeze", "expand"),
    *("contiguous", "clone", "detach", "to", "float", "double", "cat", "stack", "select", "index_select", "narrow"),
    *("__getitem__", "__get__", "unbind", "split", "chunk", "repeat", "flip", "roll", "max_pool1d", "max_pool2d"),
    *("max_pool3d", "boolean_dispatch", "adaptive_max_pool2d", "pad", "dropout", "dropout1d", "dropout2d"),
}
"""Functions of torch that hand values on without mixing them (max pooling is one event of several)."""
AVERAGES = {"avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"}
"""Functions of torch whose values are means over a window, and so a number of events by its size."""
MULTIPLIES = {
    *("matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "einsum", "addmm", "addmv", "addbmm", "baddbmm", "dot"),
    *(
        "tensordot",
        "inner",
        "outer",
        "scaled_dot_product_attention",
        "linear",
        "bilinear",
        "conv1d",
        "conv2d",
        "conv3d",
    ),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
}
"""Functions of torch that multiply and accumulate; outside of a counted layer they are refused."""


def count_synapse(
    module: nn.Module, x: Tensor, output: Tensor, events: bool | None = None, most: int = 1, window: int = 1
) -> dict[str, float]:
    """MACs and ACs of one synapse for inputs x [frames, *features], all frames together.

    Args:
        module: a linear layer or a convolution of any form, also a transposed one.
        events: whether spiking neurons feed it. None, where that is not known (the input of a network): each frame
            whose values are all −1, 0 or 1 is taken as events.
        most: how many events an output of these neurons may stand for.
        window: over how many outputs of neurons an input is a mean, see AVERAGES.
    """
    if events is None:
        unit = torch.isin(x, x.new_tensor([-1, 0, 1])).flatten(1).all(1)
        parts = [
            count_synapse(module, x[unit], output[unit], True),
            count_synapse(module, x[~unit], output[~unit], False),
        ]
        return {metric: sum(part[metric] for part in parts) for metric in ("macs", "acs")}
    if not events:
        return {"macs": _dense(module, x, output), "acs": 0.0}
    size = x.abs().double() * window
    whole = (size - size.round()).abs() <= (1e-4 if window > 1 else 0)
    counted = torch.where(whole & (size.round() <= most * window), size.round(), 0)
    return {"macs": _connections(module, ((size > 0) & (counted == 0)).double()), "acs": _connections(module, counted)}


def _dense(module: nn.Module, x: Tensor, output: Tensor) -> float:
    """A MAC for each weight of each output, zeros and padding included; a transposed layer's of each input."""
    values = x if isinstance(module, TRANSPOSED) else output
    return float(values.numel() * module.weight[0].numel())  # type: ignore[index]


def _connections(module: Any, events: Tensor) -> float:
    """How many outputs the events reach, each counted as often as it is reached (padding is reached by none).

    Args:
        events: how many each input value stands for.
    """
    if not events.any():
        return 0.0
    if isinstance(module, nn.Linear):
        return float(events.sum(dtype=torch.float64) * module.out_features)
    kind = next(kind for kind in (*CONVOLUTIONS, *TRANSPOSED) if isinstance(module, kind))
    form = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups", "padding_mode")}
    if kind in TRANSPOSED:
        form["output_padding"] = module.output_padding
    # One channel in and out of each group is enough: all channels of a group are wired alike.
    ones = kind(module.groups, module.groups, module.kernel_size, bias=False, **form, dtype=torch.float64)
    ones.requires_grad_(False).to(events.device).weight.fill_(1)
    grouped = events.unflatten(1, (module.groups, -1)).sum(2, dtype=torch.float64)
    return float(ones(grouped).sum() * (module.out_channels // module.groups))


@dataclass(frozen=True)
class _Origin:
    """Where a value comes from: whether it is events, of how many outputs a mean, how many events each of them is at
    most, and the synapses since the last neurons."""

    events: bool | None
    synapses: frozenset[str]
    most: int = 1
    window: int = 1


class _Flow(TorchFunctionMode):
    """Hands the origin of tensors on to what is computed from them, outside of counted layers."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.inside:
            return result
        origins = [origin_of(value) for value in _tensors([*args, *(kwargs or {}).values()])]
        if not origins:
            return result
        name = getattr(func, "__name__", "")
        if name in MULTIPLIES:
            raise InvalidValue(f"{name} outside of a layer is not counted; counted are {_names(COUNTED)}")
        kinds = {(origin.events, origin.window) for origin in origins}
        events, window = kinds.pop() if name in MOVES | AVERAGES and len(kinds) == 1 else (False, 1)
        if name in AVERAGES and events:
            size = _window(name, args, kwargs or {})
            events, window = size > 0, window * max(size, 1)
        synapses = frozenset[str]().union(*(origin.synapses for origin in origins))
        _mark(result, _Origin(events, synapses, max(origin.most for origin in origins), window))
        return result


def _window(name: str, args: Any, kwargs: Any) -> int:
    """How many values each value of an average pool is a mean over; 0 where they are not as many everywhere."""
    given = args[1] if len(args) > 1 else kwargs.get("kernel_size", kwargs.get("output_size"))
    dimensions = int(name[-2])
    sizes = list(given) if isinstance(given, (tuple, list)) else [given] * dimensions
    if not name.startswith("adaptive"):
        return math.prod(sizes)
    inputs = args[0].shape[-dimensions:]
    wanted = [own if size is None else size for own, size in zip(inputs, sizes, strict=True)]
    even = all(own % size == 0 for own, size in zip(inputs, wanted, strict=True))
    return math.prod(own // size for own, size in zip(inputs, wanted, strict=True)) if even else 0


def origin_of(tensor: Tensor) -> _Origin:
    """The input of a network is of no known kind."""
    return getattr(tensor, "_origin", _Origin(None, frozenset()))


def _mark(result: Any, origin: _Origin) -> None:
    for tensor in _tensors([result]):
        tensor._origin = origin  # type: ignore[attr-defined]


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            if not isinstance(value, nn.Parameter):
                yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


class OperationCounter:
    """Counts what a network does while it is entered.

    Args:
        network: any module of linear layers, convolutions, neurons and layers without weights.
        input_events: whether the network's input is events (a data set of spikes); None: frame by frame, see
            `count_synapse`.

    Attributes:
        totals: the sums over everything that passed.
        layers: the sums by layer.
        shapes: the sizes of each synapse.
        feeds: the layers of neurons that each synapse feeds, by the operations that lead from its output to them.

    Raises:
        BackendUnavailable: a neuron has no step whose operations could be counted.
        InvalidValue: a layer has weights and is not counted.
    """

    def __init__(self, network: nn.Module, input_events: bool | None = None) -> None:
        self.totals: dict[str, float] = defaultdict(float)
        self.layers: dict[str, dict[str, float]] = {}
        self.shapes: dict[str, dict[str, float]] = {}
        self.feeds: dict[str, set[str]] = {}
        self.input_events = input_events
        self.counted = dict(_counted(network))
        self._hooks: list[Any] = []
        self._flow = _Flow()

    def __enter__(self) -> OperationCounter:
        for name, module in self.counted.items():
            after = self._neurons(name) if isinstance(module, Neurons) else self._synapse(name)
            self._hooks.append(module.register_forward_pre_hook(self._begin))
            self._hooks.append(module.register_forward_hook(after))
        self._flow.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._flow.__exit__(*exception)
        for hook in self._hooks:
            hook.remove()

    def _begin(self, module: nn.Module, arguments: Any) -> None:
        self._flow.inside += 1

    def _synapse(self, name: str) -> Callable[..., None]:
        def hook(module: Any, arguments: tuple[Tensor], output: Tensor) -> None:
            x, origin = arguments[0], origin_of(arguments[0])
            events = self.input_events if origin.events is None else origin.events
            sizes = {"input_spikes": float((x != 0).sum()), "outputs": float(output.numel())}
            self._add(name, count_synapse(module, x, output, events, origin.most, origin.window) | sizes)
            self.shapes[name] = _shape(module, output)
            self.feeds.setdefault(name, set())
            _mark(output, _Origin(False, origin.synapses | {name}))
            self._flow.inside -= 1

        return hook

    def _neurons(self, name: str) -> Callable[..., None]:
        def hook(module: Neurons, arguments: tuple[Tensor], output: Tensor) -> None:
            count = float(output.numel())
            counts: dict[str, float] = defaultdict(float, {"spikes": float((output != 0).sum())})
            if module.neuron.spiking:
                counts["events"] = float(output.abs().sum(dtype=torch.float64))
            for kind, number in _operations(module.neuron, len(output)).items():
                counts[COST_METRICS[kind]] += number * count
            counts["state_reads"] = counts["state_writes"] = len(module.neuron.states) * count
            self._add(name, counts)
            for synapse in origin_of(arguments[0]).synapses:
                self.feeds[synapse].add(name)
            if isinstance(module, RecurrentNeurons):
                self._feedback(name, module, output)
            _mark(output, _Origin(module.neuron.spiking, frozenset(), module.neuron.events))
            self._flow.inside -= 1

        return hook

    def _feedback(self, neurons: str, module: RecurrentNeurons, output: Tensor) -> None:
        """The weights from a layer's outputs, but the last, to its next step."""
        name, heard, synapse = f"{neurons}.feedback", output[:-1].flatten(0, 1), module.feedback
        sizes = {"input_spikes": float((heard != 0).sum()), "outputs": float(heard.numel())}
        counts = count_synapse(synapse, heard, heard, module.neuron.spiking, module.neuron.events)
        self._add(name, counts | sizes)
        self.shapes[name] = _shape(synapse, output.flatten(0, 1))
        self.feeds[name] = {neurons}

    def _add(self, name: str, counts: dict[str, float]) -> None:
        layer = self.layers.setdefault(name, defaultdict(float))
        for metric, count in counts.items():
            layer[metric] += count
            self.totals[metric] += count


def operations_of_neuron(neuron: Neuron) -> float | None:
    """How many operations one neuron needs for a time step, forward; None where its step cannot be seen."""
    if isinstance(neuron, Peer):
        return None
    try:
        return float(_operations(neuron, neuron.timesteps or 1).total())
    except (NotFusable, BackendUnavailable):
        return None


def _operations(neuron: Neuron, steps: int) -> Counter[str]:
    """Of a neuron and time step by class."""
    if neuron.runs_over_time():
        return cost.operations(program_of(neuron).forward)
    return operations_of(neuron, steps)


def _counted(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers that are counted, by name; what has weights and is none of them is refused."""
    inside: list[str] = []
    for name, module in network.named_modules():
        if any(name.startswith(f"{outer}.") for outer in inside):
            continue
        if isinstance(module, Neurons):
            if isinstance(module.neuron, Peer):
                raise BackendUnavailable(
                    f"{module.neuron.name} has no step of the suite, so its operations cannot be counted"
                )
            yield name, module
        elif isinstance(module, COUNTED):
            yield name, module
        elif list(module.parameters(recurse=False)) and not isinstance(module, UNCOUNTED):
            kind, counted = type(module).__name__, _names(COUNTED)
            raise InvalidValue(f"{name or 'the network'}: operations of {kind} are not counted; counted are {counted}")
        else:
            continue
        inside.append(name)


def _shape(module: Any, output: Tensor) -> dict[str, float]:
    convolution = not isinstance(module, nn.Linear)
    return {
        "weights": module.weight.numel(),
        "outputs_per_step": output[0].numel(),
        "kernel": _side(module.kernel_size) if convolution else 1,
        "stride": _side(module.stride) if convolution else 1,
        "channels_out": module.out_channels if convolution else module.out_features,
    }


def _side(sizes: tuple[int, ...]) -> float:
    """The side of a square of the same area: the size itself where all are equal."""
    return sizes[0] if len(set(sizes)) == 1 else math.prod(sizes) ** (1 / len(sizes))


def _names(kinds: tuple[type, ...]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
