"""Every figure of the CLIF paper's Tables 6 and 7, from the authors' layers and firing rates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from suite.studies import energy_tables
from suite.studies.energy_tables import Connection, table6_energy, table6_macs, table7

PAPER = Path(__file__).resolve().parents[3] / "results" / "paper"
TABLE6 = pd.read_csv(PAPER / "energy.csv")
TABLE7 = pd.read_csv(PAPER / "energy_total.csv")
TIMESTEPS = {"CIFAR10": 6, "CIFAR100": 6, "Tiny-ImageNet": 6, "CIFAR10-DVS": 10, "DVS-Gesture": 20}
POOLING_NETWORKS = ("Tiny-ImageNet", "CIFAR10-DVS", "DVS-Gesture")


def network(dataset: str, neuron: str) -> list[Connection]:
    """The authors' layers with the spikes of their rates. The readout fires nothing; 4×4 images are pooled for it."""
    layers = pd.read_csv(PAPER / "energy_layers.csv").query("dataset == @dataset").drop(columns=["source", "dataset"])
    rates = pd.read_csv(PAPER / "energy_rates.csv").query("dataset == @dataset and neuron == @neuron").rate_percent
    after = [*(rates / 100), 0.0] if len(rates) else [0.0] * len(layers)
    before = [1.0, *after[:-1]]
    pooled = dataset in POOLING_NETWORKS
    result, size_before = [], None
    for layer, rate_in, rate_out in zip(layers.itertuples(index=False), before, after, strict=True):
        last = layer.kernel == 0
        shrunk = size_before is not None and layer.size_in < size_before
        result.append(
            Connection(
                layer.channels_in,
                layer.size_in,
                layer.channels_out,
                layer.size_out,
                layer.kernel,
                layer.stride,
                spikes_in=layer.channels_in * layer.size_in**2 * rate_in,
                spikes_out=layer.channels_out * layer.size_out**2 * rate_out,
                analog=last or size_before is None or (pooled and shrunk),
                bias=size_before is not None or pooled,
                pooled=512 * 4 * 4 if last else layer.channels_in * size_before**2 if shrunk and pooled else 0,
                neurons=not last,
            )
        )
        size_before = layer.size_out
    return result


def shortcuts(dataset: str) -> int:
    """MACs and biases of the three 1×1 shortcuts of ResNet-18, which the authors' list of layers leaves out."""
    if dataset in POOLING_NETWORKS:
        return 0
    return 64 * 128 * 256 + 128 * 256 * 64 + 256 * 512 * 16 + 128 * 256 + 256 * 64 + 512 * 16


@pytest.mark.parametrize("row", TABLE6.itertuples(), ids=lambda row: f"{row.dataset}-{row.neuron}")
def test_table6(row) -> None:  # type: ignore[no-untyped-def]
    neuron = row.neuron.lower()
    macs = table6_macs(network(row.dataset, row.neuron), neuron) / 1e6
    if neuron == "relu":
        macs += shortcuts(row.dataset) / 1e6
    rounded_to = 5.0 if row.dataset == "DVS-Gesture" else 0.05 if row.macs_million == 557.7 else 0.005
    assert macs == pytest.approx(row.macs_million, abs=rounded_to)
    microjoule = table6_energy(row.macs_million * 1e6, row.acs_million * 1e6) / 1e6
    assert microjoule == pytest.approx(row.sop_energy_microjoule, abs=6e-4)


def test_table6_of_resnet18_to_the_last_operation() -> None:
    """conv1 3·9·64·32² = 1,769,472, readout 5,120, and 557,056 neurons at 2 and at 6."""
    assert table6_macs(network("CIFAR10", "LIF"), "lif") == 1_769_472 + 5_120 + 2 * 557_056 == 2_888_704
    assert table6_macs(network("CIFAR10", "CLIF"), "clif") == 5_116_928
    assert table6_macs(network("CIFAR10", "ReLU"), "relu") + shortcuts("CIFAR10") == 557_650_944


@pytest.mark.parametrize("row", TABLE7.itertuples(), ids=lambda row: f"{row.dataset}-{row.neuron}")
def test_table7(row) -> None:  # type: ignore[no-untyped-def]
    found = table7(network(row.dataset, row.neuron), row.neuron.lower(), TIMESTEPS[row.dataset])
    millijoule = 1e9
    assert found.potential / millijoule == pytest.approx(row.potential_millijoule, abs=6e-5)
    assert found.parameters / millijoule == pytest.approx(row.parameters_millijoule, abs=6e-5)
    assert found.in_out / millijoule == pytest.approx(row.in_out_millijoule, abs=6e-5)
    assert found.operations / millijoule == pytest.approx(row.operations_millijoule, abs=6e-5)
    assert found.addressing / 1e6 == pytest.approx(row.addressing_microjoule, abs=6e-5)
    assert found.total / millijoule == pytest.approx(row.total_millijoule, abs=6e-5)


def test_table6_counts_one_time_step() -> None:
    """The accumulations of the authors' own rates are those printed (to 3 %) for one step, not for T = 6."""
    for row in TABLE6[TABLE6.dataset.isin(["CIFAR10", "CIFAR100"]) & (TABLE6.neuron != "ReLU")].itertuples():
        spiking = [layer for layer in network(row.dataset, row.neuron) if not layer.analog]
        acs = sum(layer.macs * layer.spikes_in / layer.inputs for layer in spiking) / 1e6
        assert acs == pytest.approx(row.acs_million, rel=0.03)


def test_access_has_the_known_fault() -> None:
    """Just above 8 kB and 32 kB the script's function starts again from 0."""
    assert energy_tables.access(8 * 1024) == 10
    assert energy_tables.access(8 * 1024 + 1) < 0.01
    assert energy_tables.access(32 * 1024 + 1) < 0.01
