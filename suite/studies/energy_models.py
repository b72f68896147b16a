"""Energy from counted operations, by models of the literature. All are estimates of hardware that nobody ran here.

Counts are for one sample and all its time steps, as the task `energy` gives them, by synapse with the neurons that it
feeds. Batch norm is free in every model here unless it says otherwise: it folds into the weights before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from suite.studies import energy_tables

PICOJOULE_MAC, PICOJOULE_AC = 4.6, 0.9
"""Horowitz (ISSCC 2014), 45 nm, 32-bit floating point."""
PICOJOULE_INT_ADD, PICOJOULE_INT_MUL = 0.1, 3.1
"""The same source, 32-bit integer, as Lemaire et al. 2022 use."""
SRAM = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0))
"""Size in bytes and pJ of one access (Horowitz; Lemaire et al. 2022)."""
WORD_BYTES = 4


@dataclass(frozen=True)
class LayerCounts:
    """One synapse and the neurons that it feeds.

    Attributes:
        synapse: its counts and sizes.
        neurons: counts of the neurons that it feeds, divided by the number of synapses that feed them, so that they are
            paid for once; empty behind the readout.
        neuron: their model; timesteps: the T that ran.
    """

    synapse: Mapping[str, float]
    neurons: Mapping[str, float]
    neuron: str
    timesteps: int

    @property
    def spiking(self) -> bool:
        return self.neuron != "relu"


def horowitz45(layers: list[LayerCounts]) -> float:
    """4.6 pJ a MAC and 0.9 pJ an AC of the synapses; the neurons themselves cost nothing, as in most papers."""
    return sum(PICOJOULE_MAC * layer.synapse["macs"] + PICOJOULE_AC * layer.synapse["acs"] for layer in layers)


def sram(size: float) -> float:
    """pJ of one access to a memory of `size` bytes: linear between the known sizes, constant outside."""
    if size <= SRAM[0][0]:
        return SRAM[0][1]
    for (low, low_cost), (high, high_cost) in pairwise(SRAM):
        if size <= high:
            return low_cost + (high_cost - low_cost) * (size - low) / (high - low)
    return SRAM[-1][1]


def lemaire2022(layers: list[LayerCounts]) -> float:
    """Lemaire et al. 2022 (arXiv 2210.13107): operations, memory accesses and addressing.

    Operations and state accesses are the counted ones, so that each neuron pays for its own; an exponential counts as
    four multiplications. Memories have the size of what they hold.
    """
    total = 0.0
    for layer in layers:
        synapse, neurons = layer.synapse, layer.neurons
        connections = synapse["acs"] + synapse["macs"]
        multiplications = synapse["macs"] + neurons.get("neuron_multiplications", 0)
        multiplications += 4 * neurons.get("neuron_exponentials", 0)
        additions = connections + neurons.get("neuron_additions", 0)
        total += additions * PICOJOULE_INT_ADD + multiplications * PICOJOULE_INT_MUL
        weights, states = sram(synapse["weights"] * WORD_BYTES), sram(synapse["outputs_per_step"] * WORD_BYTES)
        total += synapse["input_spikes"] * sram(SRAM[0][0]) + connections * weights
        if layer.spiking and neurons:
            updates = synapse["acs"] + neurons["state_reads"], synapse["acs"] + neurons["state_writes"]
            total += sum(updates) * states + neurons["spikes"] * sram(SRAM[0][0])
            total += synapse["input_spikes"] * 2 * (PICOJOULE_INT_ADD + PICOJOULE_INT_MUL)
            total += synapse["acs"] * PICOJOULE_INT_ADD
        else:
            total += synapse["outputs"] * states
    return total


def clif_table6(layers: list[LayerCounts]) -> float:
    """As the CLIF paper's Table 6: synapses and neurons of one time step, the mean over the steps.

    Of LIF, CLIF and ReLU alone, because the table says nothing of others. Batch norm costs a spiking network nothing
    (it folds into the weights) and a ReLU network two operations a value.
    """
    synapses = [connection(layer) for layer in layers]
    acs = sum(layer.synapse["acs"] / layer.timesteps for layer in layers)
    return energy_tables.table6_energy(energy_tables.table6_macs(synapses, layers[0].neuron), acs)


def clif_table6_all_steps(layers: list[LayerCounts]) -> float:
    """Table 6 with all time steps: the accumulations as the paper's Appendix J defines them, neurons at each step."""
    if not layers[0].spiking:
        return clif_table6(layers)
    synapses = [connection(layer) for layer in layers]
    outputs = sum(layer.outputs * layer.neurons for layer in synapses)
    macs = sum(layer.synapse["macs"] for layer in layers)
    macs += energy_tables.NEURON_MACS[layers[0].neuron] * outputs * layers[0].timesteps
    return energy_tables.table6_energy(macs, sum(layer.synapse["acs"] for layer in layers))


def clif_table7(layers: list[LayerCounts]) -> float:
    """As the CLIF authors' script computes Table 7, with its faults, which `suite.studies.energy_tables` lists."""
    return table7_of(layers).total


def table7_of(layers: list[LayerCounts]) -> energy_tables.Table7:
    """Table 7 by its columns."""
    return energy_tables.table7([connection(layer) for layer in layers], layers[0].neuron, layers[0].timesteps)


def connection(layer: LayerCounts) -> energy_tables.Connection:
    """A counted synapse as the paper's tables describe one; padding keeps a convolution's size, but for its stride."""
    synapse = layer.synapse
    channels, kernel, stride = int(synapse["channels_out"]), int(synapse["kernel"]), int(synapse["stride"])
    outputs, analog = synapse["outputs_per_step"], synapse["macs"] > 0
    linear = kernel == 1 and outputs == channels
    size_out = round(math.sqrt(outputs / channels))
    size_in = 1 if linear else size_out * stride
    channels_in = round(synapse["weights"] / (channels * kernel**2))
    return energy_tables.Connection(
        channels_in,
        size_in,
        channels,
        size_out,
        kernel=0 if linear else kernel,
        stride=stride,
        spikes_in=channels_in * size_in**2 if analog else synapse["input_spikes"] / layer.timesteps,
        spikes_out=layer.neurons.get("spikes", 0.0) / layer.timesteps,
        analog=analog,
        bias=False,
        neurons=bool(layer.neurons),
    )


MODELS: dict[str, Callable[[list[LayerCounts]], float]] = {
    "horowitz45": horowitz45,
    "lemaire2022": lemaire2022,
    "clif_table6": clif_table6,
    "clif_table6_all_steps": clif_table6_all_steps,
    "clif_table7": clif_table7,
}
OF_THE_PAPER = ("clif_table6", "clif_table6_all_steps", "clif_table7")
NEURONS_OF_THE_PAPER = ("lif", "clif", "relu")
"""The neurons that the paper's tables know."""


def energies(layers: list[LayerCounts]) -> dict[str, float]:
    """Picojoules of a network by every model that knows its neuron."""
    known = layers[0].neuron in NEURONS_OF_THE_PAPER
    return {name: model(layers) for name, model in MODELS.items() if known or name not in OF_THE_PAPER}
