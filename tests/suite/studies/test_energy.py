"""Energy of counted networks by hand, and the verdicts of Tables 6 and 7."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from suite.studies import energy_models
from suite.studies.energy import energies, layers_of
from suite.studies.energy_models import LayerCounts
from suite.studies.energy_tables import Connection
from tests.suite.studies.made_rows import Rows, findings

SHAPE = {"kernel": 1.0, "stride": 1.0}
FIRST = {"macs": 640.0, "acs": 0.0, "input_spikes": 64.0, "outputs": 10.0, "weights": 640.0} | SHAPE
SECOND = {"macs": 0.0, "acs": 120.0, "input_spikes": 12.0, "outputs": 60.0, "weights": 100.0} | SHAPE
READOUT = {"macs": 0.0, "acs": 48.0, "input_spikes": 12.0, "outputs": 24.0, "weights": 40.0} | SHAPE
SIZES = {"synapses.0.1": 10, "synapses.1.1": 10, "readout.1": 4}
FED = {"synapses.0.1": "neurons.0", "synapses.1.1": "neurons.1", "readout.1": ""}
OF_NEURONS = {
    "neuron_multiplications": 60.0,
    "neuron_additions": 180.0,
    "neuron_exponentials": 0.0,
    "state_reads": 60.0,
    "state_writes": 60.0,
}


def network_rows(neuron: str, rows: Rows, acs: float = 1.0, spikes: float = 12.0, **of_neurons: float) -> Rows:
    """Two layers of ten neurons over six steps, and a readout; `acs` scales all accumulations."""
    common = {"neuron": neuron, "task": "energy", "timesteps": 1 if neuron == "relu" else 6}
    total = 0.0
    for name, counts in zip(SIZES, (FIRST, SECOND, READOUT), strict=True):
        own = counts | {
            "acs": counts["acs"] * acs,
            "input_spikes": counts["input_spikes"] * (acs if counts["acs"] else 1),
        }
        if neuron == "relu":
            own |= {"macs": counts["weights"], "acs": 0.0}
        total += own["acs"]
        sizes = {"outputs_per_step": float(SIZES[name]), "channels_out": float(SIZES[name])}
        for metric, value in (own | sizes).items():
            rows.add(
                metric, value, 0.05 * acs * value if metric in ("acs", "input_spikes") else 0, layer=name, **common
            )
        rows.add("feeds", 1.0 if FED[name] else 0.0, 0, layer=name, detail=FED[name], **common)
    for name in ("neurons.0", "neurons.1"):
        for metric, value in (OF_NEURONS | of_neurons | {"spikes": spikes}).items():
            rows.add(metric, value, 0, layer=name, **common)
    return rows.add("acs", total, 0.05 * acs * total, **common)


def of_layers(rows: pd.DataFrame, metric: str) -> list[float | None]:
    """What each synapse is charged of the neurons that it feeds: the first, the second and the readout."""
    by_weights = {layer.synapse["weights"]: layer for layer in layers_of(rows)}
    return [by_weights[counts["weights"]].neurons.get(metric) for counts in (FIRST, SECOND, READOUT)]


def feeding(rows: pd.DataFrame, names: str) -> pd.DataFrame:
    """The rows with other neurons behind the first synapse."""
    return rows.assign(detail=rows.detail.mask((rows.metric == "feeds") & (rows.layer == "synapses.0.1"), names))


def test_the_readout_feeds_no_neurons() -> None:
    rows = network_rows("lif", Rows()).frame().query("seed == 3")
    assert of_layers(rows, "spikes") == [12, 12, None]
    assert [layer.timesteps for layer in layers_of(rows)] == [6, 6, 6]


def test_neurons_of_a_block_are_paid_for_once() -> None:
    """A residual sum: two synapses feed one layer of neurons and share what it costs."""
    rows = network_rows("lif", Rows()).frame().query("seed == 3")
    assert of_layers(feeding(rows, "neurons.1"), "state_reads") == [30, 30, None]
    assert of_layers(feeding(rows, "neurons.0, neurons.1"), "state_reads") == [90, 30, None]


def test_models_by_hand() -> None:
    layers = layers_of(network_rows("lif", Rows()).frame().query("seed == 3"))
    found = energy_models.energies(layers)
    assert found["horowitz45"] == pytest.approx(4.6 * 640 + 0.9 * 168)
    # Table 6: the first synapse whole, accumulations of one step, 2 MACs for each of 20 neurons
    assert found["clif_table6"] == pytest.approx(4.6 * (640 + 40) + 0.9 * 28)
    assert found["clif_table6_all_steps"] == pytest.approx(4.6 * (640 + 6 * 40) + 0.9 * 168)
    relu = energy_models.energies(layers_of(network_rows("relu", Rows()).frame().query("seed == 3")))
    assert relu["horowitz45"] == pytest.approx(4.6 * (640 + 100 + 40))
    assert relu["clif_table6"] == pytest.approx(4.6 * (640 + 100 + 40 + 3 * 20))
    clif = energy_models.energies(layers_of(network_rows("clif", Rows()).frame().query("seed == 3")))
    assert clif["clif_table6"] == pytest.approx(4.6 * (640 + 6 * 20) + 0.9 * 28)


def test_exponentials_cost_four_multiplications() -> None:
    plain = network_rows("clif", Rows()).frame().query("seed == 3")
    more = network_rows("clif", Rows(), neuron_exponentials=5.0).frame().query("seed == 3")
    difference = [energy_models.lemaire2022(layers_of(rows)) for rows in (more, plain)]
    assert difference[0] - difference[1] == pytest.approx(10 * 4 * 3.1)


def test_lemaire_by_hand() -> None:
    """One synapse of 640 weights, 64 values in, 10 out, no neurons behind: operations and memory alone."""
    layer = LayerCounts(FIRST | {"outputs_per_step": 10.0, "channels_out": 10.0}, {}, "lif", 6)
    operations = 640 * 0.1 + 640 * 3.1
    assert energy_models.lemaire2022([layer]) == pytest.approx(operations + 64 * 10 + 640 * 10 + 10 * 10)


SPIKING = SECOND | {"outputs_per_step": 10.0, "channels_out": 10.0}
NEURONS = OF_NEURONS | {"spikes": 12.0, "state_reads": 50.0, "state_writes": 70.0}


def test_lemaire_of_spiking_neurons_by_hand() -> None:
    """120 accumulations of 12 spikes, which 10 neurons take up at 6 steps: every access costs 10 pJ, all are small."""
    additions = 120 + 180
    operations = additions * 0.1 + 60 * 3.1
    synapse_memory = 12 * 10 + 120 * 10
    potentials = ((120 + 50) + (120 + 70)) * 10 + 12 * 10
    addresses = 12 * 2 * (0.1 + 3.1) + 120 * 0.1
    layer = LayerCounts(SPIKING, NEURONS, "lif", 6)
    assert energy_models.lemaire2022([layer]) == pytest.approx(operations + synapse_memory + potentials + addresses)


@pytest.mark.parametrize("what", ["weights", "outputs_per_step"])
def test_words_have_four_bytes(what: str) -> None:
    """5,120 words are 20 kB: half way from 10 pJ (8 kB) to 20 (32 kB)."""
    dearer = LayerCounts(SPIKING | {what: 5120.0}, NEURONS, "lif", 6)
    accesses = 120 if what == "weights" else (120 + 50) + (120 + 70)
    difference = energy_models.lemaire2022([dearer]) - energy_models.lemaire2022(
        [LayerCounts(SPIKING, NEURONS, "lif", 6)]
    )
    assert difference == pytest.approx(5 * accesses)


def counted(outputs: int, channels: int, kernel: int, stride: int, weights: int, **own: float) -> LayerCounts:
    sizes = {"outputs_per_step": float(outputs), "channels_out": float(channels), "weights": float(weights)}
    synapse = {"macs": 0.0, "acs": 90.0, "input_spikes": 30.0, "kernel": float(kernel), "stride": float(stride)} | sizes
    return LayerCounts(synapse | own, {"spikes": 18.0}, "lif", 6)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (counted(10, 10, 1, 1, 640), Connection(64, 1, 10, 1, 0, 1, 5.0, 3.0, False, False, 0, True)),
        (counted(160, 10, 1, 1, 640), Connection(64, 4, 10, 4, 1, 1, 5.0, 3.0, False, False, 0, True)),
        (counted(160, 10, 3, 2, 270), Connection(3, 8, 10, 4, 3, 2, 5.0, 3.0, False, False, 0, True)),
        (counted(160, 10, 3, 2, 270, macs=9.0), Connection(3, 8, 10, 4, 3, 2, 192.0, 3.0, True, False, 0, True)),
    ],
    ids=["linear", "1x1 convolution", "3x3, stride 2", "analog"],
)
def test_a_counted_synapse_as_the_papers_tables_describe_one(layer: LayerCounts, expected: Connection) -> None:
    """Spikes are those of one step: 30 in and 18 out over 6."""
    assert energy_models.connection(layer) == expected
    silent = LayerCounts(layer.synapse, {}, "lif", 6)
    assert energy_models.connection(silent) == replace(expected, spikes_out=0.0, neurons=False)


def test_table7_of_a_linear_layer_by_hand() -> None:
    """As the authors' script: spikes times all inputs and outputs; addresses cost additions alone."""
    found = energy_models.table7_of([counted(10, 10, 1, 1, 640)])
    macs = 6 * 10 * 1
    additions = 5 * 64 * 10 + 6 * 3 * 1
    assert found.operations == pytest.approx(additions * 0.1 + macs * 3.2)
    assert found.addressing == pytest.approx(5 * 10 * 1 * 0.1)


def test_the_papers_tables_say_nothing_of_other_neurons() -> None:
    rows = network_rows("plif", network_rows("lif", Rows())).frame()
    models = energies(rows).groupby("neuron").model.agg(set)
    assert models["plif"] == {"horowitz45", "lemaire2022"}
    assert models["lif"] > models["plif"]


def test_sram_interpolates_and_never_falls() -> None:
    kilobyte = 1024
    assert [energy_models.sram(size * kilobyte) for size in (1, 8, 32, 1024, 4096)] == [10, 10, 20, 100, 100]
    assert [energy_models.sram(size * kilobyte) for size in (20, 528)] == [15, 60]
    costs = [energy_models.sram(size) for size in range(1, 2_000_000, 1000)]
    assert costs == sorted(costs)


def three_networks(clif_acs: float, lif_acs: float = 1.0) -> pd.DataFrame:
    rows = network_rows("lif", Rows(), acs=lif_acs)
    network_rows("clif", rows, acs=clif_acs)
    return network_rows("relu", rows).frame()


def test_accumulations() -> None:
    assert findings("energy", three_networks(clif_acs=0.8))["fewer_accumulations"].verdict == "supported"
    assert findings("energy", three_networks(clif_acs=1.25))["fewer_accumulations"].verdict == "contradicted"
    effect = findings("energy", three_networks(clif_acs=0.8))["fewer_accumulations"].effect
    assert effect is not None
    assert effect.mean == pytest.approx(-20, abs=1)


def test_similar_energy_is_an_equivalence() -> None:
    """By Table 6 the neurons' 4.6 · 80 pJ more of CLIF are 11 % of this network's LIF: more than the margin of 10 %."""
    found = findings("energy", three_networks(clif_acs=0.8))["similar_energy"]
    assert found.effect is not None
    expected = 100 * ((4.6 * 760 + 0.9 * 0.8 * 28) / (4.6 * 680 + 0.9 * 28) - 1)
    assert found.effect.mean == pytest.approx(expected, abs=0.1)
    assert found.verdict == "contradicted"
    fewer = findings("energy", three_networks(clif_acs=0.8, lif_acs=20))["similar_energy"]
    assert fewer.verdict == "equal within the margin"
