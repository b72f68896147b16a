"""Is the neuron the bottleneck? A Linear and the neurons behind it: each alone, and both together.

All neurons and backends of one size are measured in interleaved rounds in one process, beside the Linear alone, a copy
and the baseline. So the neurons' share of a layer is a ratio of times of the same rounds. Packages that may not share
a process with torch (JAX) are timed by one of their own, in the same rounds, beside a Linear of their own.

The setting of Open Neuromorphic's comparison is batch_size=16, timesteps=500, input_gradient=false.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch

from neurons import BackendUnavailable
from neurons.backends import get_backend
from neurons.conformance import gate
from neurons.peers import equivalence
from neurons.peers.equivalence import Equivalence
from neurons.peers.jax_peer import JaxPeer
from neurons.peers.peer import Peer, versioned
from tasks.base import Cell, InterleavedTask, Metric, Range, Value
from tasks.measuring import devices
from tasks.measuring.contender import Contender, OfJax, linear_of_torch, of_torch, peaks
from tasks.measuring.executed import check, executed
from tasks.measuring.linear_workload import Behind, Synapse
from tasks.measuring.timing import COPY_WORK, Spread, Work, add_baseline, interleave, spread_values

PART = 16
"""Where the Linear on all rows would take too long, it is timed on one part of so many."""
SOON = 0.05
"""Of the time that the Linear may take: below, it is tried on all rows."""
PROFILED_WIDTH = 64
"""Of the layer whose kernels are read off the profiler."""
MILLISECONDS = 1e3
SHARE = "time of the neurons alone over that of the Linear alone plus that of the neurons"


def _timed(name: str, unit: str, words: str) -> dict[str, Metric]:
    return {
        name: Metric(unit, f"{words}, median of rounds", "lower"),
        f"{name}_p20": Metric(unit, "20th percentile of the rounds", "lower"),
        f"{name}_p80": Metric(unit, "80th percentile of the rounds", "lower"),
    }


class LinearNeuron(InterleavedTask):
    """Milliseconds of a Linear(n, n) and of the neurons behind it, over T steps of a batch."""

    name = "linear_neuron"
    description = "time and memory of a Linear and the neurons behind it, and the neurons' share"
    exclusive = True
    settings: ClassVar[dict[str, Any]] = {
        "timesteps": 64,
        "batch_size": 16,
        "width": 256,
        "input_gradient": True,
        "together": True,
        "rounds": 5,
        "seconds": 120.0,
        "protocol": "controlled",
    }
    ranges = {
        "batch_size": Range(int, least=1),
        "width": Range(int, least=1),
        "input_gradient": Range(bool),
        "together": Range(bool),
        "seconds": Range(float, above=0),
    }
    sources = ("measuring", "memory.py")
    metrics = {
        **_timed("neuron_forward_time", "ms", "the neurons alone, forward without gradient"),
        **_timed("neuron_time", "ms", "the neurons alone, forward and backward"),
        **_timed("linear_forward_time", "ms", "the Linear alone, forward without gradient"),
        **_timed("linear_time", "ms", "the Linear alone, all T·N rows in one call, forward and backward"),
        **_timed("linear_steps_time", "ms", "the Linear alone, called once a time step, forward and backward"),
        **_timed("together_time", "ms", "Linear and neurons, forward and backward"),
        **_timed("neuron_forward_share", "1", f"forward: {SHARE}"),
        **_timed("neuron_share", "1", f"forward and backward: {SHARE}"),
        **_timed("neuron_share_of_steps", "1", "the same with the Linear called once a time step"),
        **_timed("neuron_time_over_baseline", "1", "neuron_time over that of LIF by the fused kernel, same rounds"),
        "neuron_peak": Metric("GiB", "peak of the neurons' forward and backward above their input", "lower"),
        "together_peak": Metric("GiB", "peak of forward and backward of both above weight and input", "lower"),
        "jit_time": Metric("s", "compiling forward and backward of the neurons, apart from all other times", "lower"),
        "different_spikes": Metric("1", "of the comparison with the float64 reference (detail: the relation)"),
        "gradient_error": Metric("1", "largest error of a gradient there, relative to 1 plus its largest", "lower"),
        "kernel_calls": Metric("1", "operations of the neurons at a width of 64 (detail: the call, and which)"),
        "copy_bandwidth": Metric("GB/s", "bytes read and written by a copy of the current, same rounds"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        if profile == "smoke":
            return [{"timesteps": 8, "batch_size": 4, "width": 32, "rounds": 3}]
        widths, lengths = ((64, 256, 1024), (16, 64, 256)) if profile == "quick" else ((64, 256, 1024, 4096), (4, 64))
        return [
            {"width": width, "timesteps": steps, "batch_size": batch}
            for batch in (16, 128)
            for steps in lengths
            for width in widths
        ]

    def batch(self, cell: Cell) -> Hashable:
        """One process for all: sizes follow each other in it, and what is compared or started once serves all."""
        return "all"

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        sizes: dict[Hashable, list[Cell]] = {}
        for cell in cells:
            own = {key: value for key, value in cell.settings.items() if not key.startswith("neuron.")}
            sizes.setdefault(tuple(sorted((key, str(value)) for key, value in own.items())), []).append(cell)
        relations: dict[Hashable, Equivalence | Exception] = {}
        with OfJax() as jax:
            for own_cells in sizes.values():
                yield from _measured(own_cells, relations, jax)


def _measured(
    cells: Sequence[Cell], relations: dict[Hashable, Equivalence | Exception], jax: OfJax
) -> Iterator[tuple[Cell, list[Value] | Exception]]:
    """The cells of one size."""
    jax.forget()
    try:
        synapse = Synapse.of(cells[0])
    except Exception as error:
        yield from ((cell, error) for cell in cells)
        return

    def prepare(cell: Cell) -> Contender:
        return _prepared(cell, synapse, relations, jax)

    contenders: dict[Hashable, Contender] = {}
    for index, cell in enumerate(cells):
        try:
            contenders[index] = prepare(cell)
        except Exception as error:
            yield cell, error
    if not contenders:
        return
    measured = [key for key in contenders if isinstance(key, int)]
    device, own = synapse.current.device, cells[0].settings
    baseline, missing = add_baseline(cells, contenders, device, prepare)
    synapse, together = _affordable(synapse, len(contenders), own)
    both = {key: contender.both() for key, contender in contenders.items()} if together else {}
    works: dict[Hashable, Work] = {COPY_WORK: _copy(synapse)}
    works |= {("torch", direction): work for direction, work in linear_of_torch(synapse).items()}
    if any(contender.linear == "jax" for contender in contenders.values()):
        works |= {("jax", direction): work for direction, work in jax.linear(cells[0], synapse).items()}
    if synapse.scale == 1:
        works["torch", "steps"] = synapse.step_by_step
    for key, contender in contenders.items():
        works |= {(key, name): work for name, work in contender.works.items()}
    works |= {(key, "together"): work for key, work in both.items()}
    known = {index: [*peaks(contenders[index], both.get(index)), *contenders[index].known] for index in measured}
    times = interleave(works, own["rounds"], device, budget=own["seconds"])
    bandwidth = Value("copy_bandwidth", 2 * synapse.current.nbytes / times[COPY_WORK].p50 / 1e9, detail=missing)
    for index in measured:
        found = _times(index, contenders[index].linear, times, synapse.scale, baseline)
        yield cells[index], [*found, *known[index], bandwidth]


def _prepared(
    cell: Cell, synapse: Synapse, relations: dict[Hashable, Equivalence | Exception], jax: OfJax
) -> Contender:
    """The works of a cell, after its neurons were held against the reference and its kernels seen to run."""
    known, settings = _relation(cell, relations), cell.settings
    torch.manual_seed(cell.seed)
    layer = cell.neuron_layer(settings["width"], settings["timesteps"])
    if isinstance(layer.neuron, JaxPeer):
        return jax.contender(cell, layer.neuron, synapse, known)
    small = {**settings, "width": min(PROFILED_WIDTH, settings["width"])}
    narrow = Behind(Synapse.of(replace(cell, settings=small)), cell.neuron_layer(small["width"], small["timesteps"]))
    narrow.forward_backward()
    ran = executed(narrow.forward_backward)
    check(cell.backend, ran, layer.neuron)
    told = str(ran)
    if isinstance(layer.neuron, Peer):
        told = f"{versioned(layer.neuron.package)}: {layer.neuron.class_name}, {layer.neuron.call}; {ran}"
    return of_torch(synapse, layer, [*known, Value("kernel_calls", ran.calls, detail=told)])


def _relation(cell: Cell, relations: dict[Hashable, Equivalence | Exception]) -> list[Value]:
    """Whether the cell's neurons are the model that they are called, found once for all sizes.

    Raises:
        BackendUnavailable: they cannot run here.
        NotConformant, NotEquivalent: they are said to be, and are not.
    """
    constants = tuple(sorted((key, value) for key, value in cell.settings.items() if key.startswith("neuron.")))
    key = cell.neuron, cell.backend, constants, cell.settings["protocol"]
    if key not in relations:
        try:
            relations[key] = _compared(cell)
        except Exception as error:
            relations[key] = error
    found = relations[key]
    if isinstance(found, Exception):
        raise found
    values = [Value("different_spikes", found.different_spikes, detail=found.relation)]
    if found.gradient_error is not None:
        values.append(Value("gradient_error", found.gradient_error))
    return values


def _compared(cell: Cell) -> Equivalence:
    layer, device = cell.neuron_layer(equivalence.CHANNELS, equivalence.TIMESTEPS), cell.torch_device
    reason = get_backend(cell.backend).unavailable(layer.neuron, device)
    if reason is not None:
        raise BackendUnavailable(reason)
    if not isinstance(layer.neuron, Peer):
        gate(cell.neuron_layer, device)
    found = equivalence.compare(layer, cell.seed, device)
    equivalence.refuse(layer.neuron, found)
    return found


def _affordable(synapse: Synapse, contenders: int, settings: Mapping[str, Any]) -> tuple[Synapse, bool]:
    """The synapse, or one part of its rows, so that the rounds keep to their time; whether both are timed together."""
    device, half = synapse.current.device, settings["seconds"] / 2
    calls = settings["rounds"] + 2  # with the warm-up
    part = synapse.part(PART)
    once = part.scale * _seconds(part, device)
    if once < SOON * half:  # so short that a part takes longer than its share
        once = _seconds(synapse, device)
    if 1.5 * once * calls > half:  # forward alone takes about half as long once more
        return part, False
    return synapse, settings["together"] and once * contenders * calls <= half


def _seconds(synapse: Synapse, device: torch.device) -> float:
    synapse.forward_backward()
    return devices.of(device).seconds(device, synapse.forward_backward, 1)


def _copy(synapse: Synapse) -> Work:
    source = synapse.current.detach()
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _times(
    index: int, beside: str, times: Mapping[Hashable, Spread], scale: float, baseline: Hashable
) -> Iterator[Value]:
    """All that follows from the rounds for one cell; times of the Linear on a part of its rows are scaled to all."""
    told = "" if scale == 1 else f"predicted: {scale:.0f} times that of one in {scale:.0f} rows"
    for direction, ending in (("forward", "_forward"), ("forward_backward", "")):
        own, linear = times[index, direction], times[beside, direction].times(scale)
        yield from spread_values(f"neuron{ending}_time", own, MILLISECONDS)
        yield from spread_values(f"linear{ending}_time", linear, MILLISECONDS, told)
        yield from spread_values(f"neuron{ending}_share", own.share_beside(linear), detail=told)
    if (beside, "steps") in times:
        steps = times[beside, "steps"]
        yield from spread_values("linear_steps_time", steps, MILLISECONDS)
        yield from spread_values("neuron_share_of_steps", times[index, "forward_backward"].share_beside(steps))
    if (index, "together") in times:
        yield from spread_values("together_time", times[index, "together"], MILLISECONDS)
    if (baseline, "forward_backward") in times:
        ratio = times[index, "forward_backward"].over(times[baseline, "forward_backward"])
        yield from spread_values("neuron_time_over_baseline", ratio)
