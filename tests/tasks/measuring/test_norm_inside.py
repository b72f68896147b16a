"""Throughput with a batch norm inside of the layer, beside the same as two layers."""

from __future__ import annotations

import pytest
import torch

import tasks
from neurons import BackendUnavailable, UnknownName
from tasks import Cell
from tasks.measuring.workload import LayerWorkload

SMALL = {"timesteps": 3, "elements": 512, "rounds": 2}


def cell(neuron: str = "lif", backend: str = "cpu", norm: str = "batch") -> Cell:
    settings = {**tasks.get("throughput").settings, **SMALL, "norm": norm}
    return Cell("throughput", neuron, backend, 0, settings)


@pytest.mark.parametrize("norm", ["batch", "tdbn"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_apart_is_the_same_work(backend: str, norm: str) -> None:
    work = LayerWorkload.of(cell("clif", backend, norm))
    gradients = []
    for run in (work.forward_backward, work.apart):
        run()
        gradients.append([work.x.grad, *(own.grad for own in work.layer.parameters())])
    assert work.x.grad is not None
    assert work.x.grad.abs().sum() > 0
    for inside, apart in zip(*gradients, strict=True):
        assert torch.allclose(inside, apart, atol=1e-4)


def test_rows_hold_both_and_their_ratio() -> None:
    values = {value.metric: value.value for value in tasks.get("throughput").run(cell())}
    assert values["norm_apart_time"] > 0
    assert values["norm_apart_over_inside_p20"] <= values["norm_apart_over_inside"]
    assert "least_bytes" not in values  # the kernel's own would leave out the norm's
    without = {value.metric for value in tasks.get("throughput").run(cell(norm="none"))}
    assert not {metric for metric in without if "norm" in metric}


@pytest.mark.parametrize(("neuron", "backend"), [("psn", "reference"), ("lif", "spikingjelly")])
def test_what_takes_no_norm_is_unavailable(neuron: str, backend: str) -> None:
    with pytest.raises(BackendUnavailable, match=f"norm=batch: {backend}, {neuron} takes no norm into its kernel"):
        list(tasks.get("throughput").run(cell(neuron, backend)))


def test_another_norm_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown norm 'layer'"):
        tasks.get("throughput").range("norm").value("norm", "layer")
