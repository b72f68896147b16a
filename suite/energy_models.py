"""Energy from counted operations, by models of the literature. All are estimates of hardware that nobody ran here.

Counts are for one sample and all its time steps, as the task `energy` gives them, by synapse with the neurons behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

PICOJOULE_MAC, PICOJOULE_AC = 4.6, 0.9
"""Horowitz (ISSCC 2014), 45 nm, 32-bit floating point."""
PICOJOULE_INT_ADD, PICOJOULE_INT_MUL = 0.1, 3.1
"""The same source, 32-bit integer, as Lemaire et al. 2022 use."""
SRAM = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0))
"""Size in bytes and pJ of one access (Horowitz; Lemaire et al. 2022)."""
WORD_BYTES = 4


@dataclass(frozen=True)
class LayerCounts:
    """One synapse and the neurons behind it. `neurons` are the neuron's counts (empty behind the readout)."""

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


def clif_table7(layers: list[LayerCounts]) -> float:
    """As the CLIF authors' script computes Table 7, with its faults, so that its figures can be judged.

    The cost of an access is looked up by the number of accesses, not by the size of the memory; it restarts from 0
    above 8 kB and above 32 kB; spikes are taken for one step, leaks for all; k // s for the overlap of kernels;
    sigmoids cost nothing. CLIF counts three times the operations, four reads and two writes of LIF's one.
    """
    total = 0.0
    for layer in layers:
        synapse = layer.synapse
        if not layer.spiking:
            total += synapse["macs"] * (PICOJOULE_INT_ADD + PICOJOULE_INT_MUL) + 2 * _published_access(synapse["macs"])
            continue
        spikes_in = synapse["input_spikes"] / layer.timesteps
        spikes_out = layer.neurons.get("spikes", 0.0) / layer.timesteps
        out, steps, channels = synapse["outputs_per_step"], layer.timesteps, synapse["channels_out"]
        kernel, stride = synapse["kernel"], synapse["stride"]
        operations, reads, writes, addresses = (3, 4, 2, 2) if layer.neuron == "clif" else (1, 1, 1, 1)
        adds = spikes_in * (kernel // stride) ** 2 * channels + steps * out + operations * spikes_out
        total += adds * PICOJOULE_INT_ADD + operations * steps * out * (PICOJOULE_INT_MUL + PICOJOULE_INT_ADD)
        visited = spikes_in * channels * kernel**2 + out
        accesses = [spikes_in, visited, reads * visited, writes * visited, spikes_out]
        total += sum(_published_access(count) for count in accesses)
        total += addresses * (2 * spikes_in * (PICOJOULE_INT_MUL + PICOJOULE_INT_ADD))
        total += addresses * spikes_in * channels * kernel**2 * PICOJOULE_INT_ADD
    return total


def _published_access(count: float) -> float:
    """pJ of `count` accesses by the published function of the count, its restarts included."""
    kilobyte = 1024
    if count <= 8 * kilobyte:
        cost = 10.0 * count / (8 * kilobyte)
    elif count <= 32 * kilobyte:
        cost = 10.0 * (count - 8 * kilobyte) / (24 * kilobyte)
    elif count <= 1024 * kilobyte:
        cost = 80.0 * (count - 32 * kilobyte) / (992 * kilobyte)
    else:
        cost = 100.0
    return count * cost


MODELS: dict[str, Callable[[list[LayerCounts]], float]] = {
    "horowitz45": horowitz45,
    "lemaire2022": lemaire2022,
    "clif_table7": clif_table7,
}
