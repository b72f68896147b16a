"""The two energy accountings of the CLIF paper (Tables 6 and 7), so that each printed figure can be checked.

Both are written from what the tables print and what the authors' script computes, their faults included, and are named
after their table. The suite's own estimates are in `suite.studies.energy_models`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

PICOJOULE_MAC, PICOJOULE_AC = 4.6, 0.9
PICOJOULE_ADD, PICOJOULE_MULTIPLY = 0.1, 3.1
KILOBYTE = 1024

NEURON_MACS = {"lif": 2, "clif": 6}
"""Table 6: multiply-accumulates that a neuron adds, once for all time steps."""
UPDATES = {"lif": (1, 1, 1, 1), "clif": (3, 4, 2, 2)}
"""Table 7: operations, state reads, state writes and addresses of a neuron's update."""


@dataclass(frozen=True)
class Connection:
    """A synapse as both tables see it, for one sample.

    Attributes:
        kernel: side of a convolution's kernel; 0 for a linear layer.
        size_in, size_out: side of the square images before and after; 1 for a linear layer.
        spikes_in, spikes_out: spikes of one time step, mean over the steps; the real-valued input of the first layer
            counts whole.
        analog: its inputs are no spikes (the first layer, and behind a pooling).
        pooled: values that a pooling before it reads.
        neurons: behind it; False for the readout.
    """

    channels_in: int
    size_in: int
    channels_out: int
    size_out: int
    kernel: int
    stride: int
    spikes_in: float
    spikes_out: float
    analog: bool = False
    bias: bool = True
    pooled: int = 0
    neurons: bool = True

    @property
    def inputs(self) -> int:
        return self.channels_in * self.size_in**2

    @property
    def outputs(self) -> int:
        return self.channels_out * self.size_out**2

    @property
    def macs(self) -> int:
        """Products of the weights when every input counts."""
        return self.outputs * self.channels_in * max(self.kernel, 1) ** 2


def table6_macs(layers: Sequence[Connection], neuron: str) -> float:
    """MACs of Table 6: synapses with real-valued inputs, their biases, and 2 a LIF or 6 a CLIF neuron.

    They are those of one time step: T does not enter. The ReLU network beside them pays for all its synapses and
    biases, three operations a neuron (two of the batch norm, one of the rectifier), and one a pooled value.
    """
    if neuron == "relu":
        own = (layer.macs + (layer.bias + 3) * layer.neurons * layer.outputs + layer.pooled for layer in layers)
        return sum(own)
    dense = sum(layer.macs + layer.outputs * (layer.bias and layer.neurons) for layer in layers if layer.analog)
    return dense + NEURON_MACS[neuron] * sum(layer.outputs for layer in layers if layer.neurons)


def table6_energy(macs: float, acs: float) -> float:
    """Picojoules of Table 6: 4.6 a MAC and 0.9 an AC (Han et al. 2015; 45 nm, 32-bit floating point)."""
    return PICOJOULE_MAC * macs + PICOJOULE_AC * acs


@dataclass(frozen=True)
class Table7:
    """Picojoules by the columns of Table 7."""

    potential: float
    parameters: float
    in_out: float
    operations: float
    addressing: float

    @property
    def total(self) -> float:
        return sum(getattr(self, field.name) for field in fields(self))


def table7(layers: Sequence[Connection], neuron: str, timesteps: int) -> Table7:
    """The energy of a network as Table 7 counts it, after Lemaire et al. 2022.

    Kept as the script has it: the cost of an access follows from the *number of accesses of the whole network*, not
    from the size of a memory, and starts again from 0 above 8 kB and above 32 kB; spikes are those of one step while
    leaks are those of all; kernels overlap k // s times; a linear layer adds inputs² · rate · outputs; sigmoids cost
    nothing.
    """
    counts = [_ann(layer) if neuron == "relu" else _spiking(layer, neuron, timesteps) for layer in layers]

    def total(name: str) -> float:
        return sum(getattr(count, name) for count in counts)

    return Table7(
        potential=_accesses(total("potential_reads")) + _accesses(total("potential_writes")),
        parameters=_accesses(total("parameter_reads")),
        in_out=_accesses(total("inputs_read")) + _accesses(total("outputs_written")),
        operations=_operations(total("macs"), total("additions")),
        addressing=_operations(total("address_macs"), total("address_additions")),
    )


@dataclass(frozen=True)
class _Counts:
    """What Table 7 counts of one layer."""

    macs: float
    additions: float
    inputs_read: float
    parameter_reads: float
    outputs_written: float
    potential_reads: float
    potential_writes: float
    address_macs: float
    address_additions: float


def _ann(layer: Connection) -> _Counts:
    linear = layer.kernel == 0
    return _Counts(
        macs=layer.macs,
        additions=layer.outputs,
        inputs_read=layer.inputs if linear else layer.macs,
        parameter_reads=layer.macs + layer.outputs,
        outputs_written=layer.outputs,
        potential_reads=0,
        potential_writes=0,
        address_macs=0,
        address_additions=layer.inputs + layer.outputs + layer.channels_out * layer.kernel**2,
    )


def _spiking(layer: Connection, neuron: str, timesteps: int) -> _Counts:
    operations, reads, writes, addresses = UPDATES[neuron]
    before, after, out = layer.spikes_in, layer.spikes_out, layer.outputs
    linear = layer.kernel == 0
    reached = layer.channels_out * (1 if linear else layer.kernel**2)
    visits = before * reached + out
    if linear:
        additions = before * layer.inputs * out + timesteps * after * operations
    else:
        overlap = (layer.kernel // layer.stride) ** 2
        additions = before * overlap * layer.channels_out + timesteps * out + after * operations
    return _Counts(
        macs=timesteps * out * operations,
        additions=additions,
        inputs_read=before,
        parameter_reads=visits,
        outputs_written=after,
        potential_reads=reads * ((before + 1) * after if linear else visits),
        potential_writes=writes * visits,
        address_macs=0 if linear else 2 * before * addresses,
        address_additions=before * reached * addresses,
    )


def _operations(macs: float, additions: float) -> float:
    return additions * PICOJOULE_ADD + macs * (PICOJOULE_MULTIPLY + PICOJOULE_ADD)


def _accesses(count: float) -> float:
    return count * access(count)


def access(count: float) -> float:
    """pJ of one access when there are `count`, by the script's function of the count, its restarts included."""
    if count <= 8 * KILOBYTE:
        return 10.0 * count / (8 * KILOBYTE)
    if count <= 32 * KILOBYTE:
        return 10.0 * (count - 8 * KILOBYTE) / (24 * KILOBYTE)
    if count <= 1024 * KILOBYTE:
        return 80.0 * (count - 32 * KILOBYTE) / (992 * KILOBYTE)
    return 100.0
