"""Compiles networks and compares them with eager mode; run by test_compiled_network.py in a process of its own."""

from __future__ import annotations

import contextlib
import copy
import io
import sys

import torch
from torch import Tensor, nn

import neurons

CASES = [("lif", "float32"), ("glif", "float32"), ("glif", "bfloat16"), ("glif", "float64")]
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "float64": 1e-8}


class Network(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.synapse = nn.Linear(10, 16)
        self.neuron = neurons.layer(name, 16, 5)
        self.readout = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.neuron(self.synapse(x)))


def network_of(name: str, origin: str) -> nn.Module:
    network: nn.Module = Network(name)
    if origin == "copied":
        return copy.deepcopy(network)
    if origin == "loaded":
        file = io.BytesIO()
        torch.save(network, file)
        file.seek(0)
        return torch.load(file, weights_only=False)
    return network


def gradients(network: nn.Module, run: nn.Module, x: Tensor) -> list[Tensor]:
    output = run(x)
    return [output, *torch.autograd.grad(output.float().pow(2).sum(), list(network.parameters()))]


def compare(name: str, dtype: str, origin: str) -> None:
    """Training by inductor if fresh, else by the graph alone, as evaluation; both before anything ran eagerly."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    network, x = network_of(name, origin), torch.randn(5, 8, 10)
    if dtype == "float64":
        network, x = network.double(), x.double()
    half = torch.autocast("cpu", dtype=torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()
    with half:
        backend = "inductor" if origin == "fresh" else "aot_eager"
        compiled = gradients(network.train(), torch.compile(network, fullgraph=True, backend=backend), x)
        network.eval()
        with torch.no_grad():
            compiled.append(torch.compile(network, fullgraph=True, backend="aot_eager")(x))
        eager = gradients(network.train(), network, x)
        with torch.no_grad():
            eager.append(network.eval()(x))
    for one, other in zip(compiled, eager, strict=True):
        assert one.dtype == other.dtype, f"{name} {dtype}: {one.dtype} is not {other.dtype}"
        size = float(other.abs().max())
        assert float((one - other).abs().max()) <= TOLERANCE[dtype] * size, f"{name} {dtype} differs"


if __name__ == "__main__":
    for case in CASES:
        compare(*case, sys.argv[1])
        print(*case, flush=True)
