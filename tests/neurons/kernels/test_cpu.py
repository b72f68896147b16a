"""The fused C kernel against the float64 reference, over the registry."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurons
from neurons import BackendUnavailable
from neurons.conformance import compare
from neurons.kernels.cpu import kernel as cpu
from neurons.kernels.cpu import library as cpu_library
from neurons.kernels.cpu import pool
from neurons.surrogate import SURROGATES
from tasks.memory import saved_bytes
from tests.neurons.kernels.cases import MODELS, STANDARD, STEPS, agreement, assert_agrees, float32_cases


@pytest.mark.parametrize(("name", "steps", "elements", "protocol"), float32_cases(STEPS, [33, 4]))
def test_float32(name: str, steps: int, elements: int, protocol: str) -> None:
    assert_agrees(agreement(name, "cpu", steps, elements, protocol=protocol))


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", STANDARD)
def test_float64(name: str, steps: int) -> None:
    assert_agrees(agreement(name, "cpu", steps, 1023, torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in STANDARD])
def test_other_dtypes(name: str, dtype: torch.dtype) -> None:
    assert_agrees(agreement(name, "cpu", 17, 255, dtype))


@pytest.mark.parametrize("elements", [1, 255, 1023])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", STANDARD)
def test_bfloat16(name: str, steps: int, elements: int) -> None:
    assert_agrees(agreement(name, "cpu", steps, elements, torch.bfloat16))


@pytest.mark.parametrize(
    ("later", "rounded"),
    [
        ((2**-7, 0), 1.0),  # 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷: a tie goes to the even one
        ((3 * 2**-7, 0), 1.015625),  # 1 + 3·2⁻⁸: a tie again, upwards
        ((2**-7, 2**-14), 1.0078125),  # 1 + 2⁻⁸ + 2⁻¹⁶: beyond the tie
        ((-(2**-8), 0), 1.0),  # 1 − 2⁻⁹
        ((float("inf"), 0), float("inf")),
    ],
)
def test_bfloat16_is_rounded_to_nearest_even(later: tuple[float, float], rounded: float) -> None:
    """u = 0.8 at each step, no spike and a surrogate of slope 1: the first gradient is g[0] + g[1]/2 + g[2]/4."""
    layer = neurons.layer("lif", backend="cpu", detach_reset=True)
    x = torch.tensor([0.8, 0.4, 0.4], dtype=torch.bfloat16).reshape(3, 1).requires_grad_()
    output = layer(x)
    assert output.sum() == 0
    output.backward(torch.tensor([1.0, *later], dtype=torch.bfloat16).reshape(3, 1))
    assert x.grad[0].item() == rounded


def test_bfloat16_keeps_nan_and_infinity() -> None:
    layer = neurons.layer("relu", backend="cpu")
    values = torch.randn(3, 5000) * torch.logspace(-38, 38, 5000)
    values[0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    x = values.to(torch.bfloat16)
    assert torch.equal(layer(x).nan_to_num(7), torch.relu(x).nan_to_num(7))
    assert layer(x).isnan().sum() == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", STANDARD)
def test_over_a_million_elements(name: str) -> None:
    assert_agrees(agreement(name, "cpu", 4, 1_000_003))


@pytest.mark.slow
@pytest.mark.parametrize("name", STANDARD)
def test_results_larger_than_the_cache(name: str) -> None:
    """64 MiB and aligned: written past the cache."""
    assert_agrees(agreement(name, "cpu", 16, 1 << 20))


UNALIGNED = """
import torch, neurons
torch.manual_seed(0)
x, gradient = (0.7 + 0.6 * torch.randn(5, 1_000_003) for _ in range(2))  # 20 MB: larger than the cache, rows unaligned
results = []
for backend in ("cpu", "reference"):
    own = x.clone().requires_grad_()
    output = neurons.layer("lif", backend=backend, surrogate="atan")(own)
    results.append((output, *torch.autograd.grad(output, own, gradient)))
print(int((results[0][0] != results[1][0]).sum()), float((results[0][1] - results[1][1]).abs().max()))
"""


@pytest.mark.slow
def test_large_and_unaligned() -> None:
    """Past the cache only whole vectors may be written; in a process of its own, as a mistake here ends it."""
    done = subprocess.run([sys.executable, "-c", UNALIGNED], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    different, error = done.stdout.split()
    assert int(different) == 0
    assert float(error) < 1e-5


def test_the_kernels_get_the_threads_of_torch(two_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = neurons.layer("lif", backend="cpu"), torch.rand(3, 4, 5, requires_grad=True)
    layer(x)
    kernel = cpu.cpu_kernel(layer._runners["cpu"].programs[torch.float32].source, torch.float32)
    sizes = []
    for direction in ("_forward", "_backward"):
        monkeypatch.setattr(kernel, direction, lambda *arguments: sizes.append(arguments[-5:]))
    layer(x).sum().backward()
    assert sizes == [(3, 20, 5, 1, two_threads)] * 2
    torch.set_num_threads(1)
    layer(x)
    assert sizes[-1] == (3, 20, 5, 1, 1)


@pytest.mark.parametrize("kind", SURROGATES)
@pytest.mark.parametrize("name", [name for name in STANDARD if neurons.get(name).spiking])
def test_every_surrogate(name: str, kind: str) -> None:
    assert_agrees(agreement(name, "cpu", 8, 255, surrogate=kind, surrogate_width=0.8))
    layer = neurons.layer(name, 4, 1, "cpu", surrogate=kind)
    x = torch.full((1, 2, 4), 0.9).requires_grad_()
    layer(x).sum().backward()
    assert (x.grad != 0).all()


@pytest.mark.parametrize("reset", [{"reset": "hard", "v_reset": -0.1}, {"detach_reset": True}, {"tau": 1.3}])
@pytest.mark.parametrize("name", ["lif", "plif", "klif", "clif"])
def test_constants(name: str, reset: dict[str, object]) -> None:
    assert_agrees(agreement(name, "cpu", 9, 255, **reset))


SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 9), st.lists(st.integers(1, 9), max_size=2))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(STANDARD),
    steps=st.integers(1, 12),
    shape=SHAPES,
    tau=st.floats(1.1, 8),
    v_th=st.floats(0.2, 2),
    seed=st.integers(0, 10_000),
)
def test_any_shape_and_parameter(
    name: str, steps: int, shape: tuple[int, int, list[int]], tau: float, v_th: float, seed: int
) -> None:
    samples, channels, features = shape
    torch.manual_seed(seed)
    layer = neurons.layer(name, channels, steps, "cpu", tau=tau, v_th=v_th)
    x = 0.7 + 0.6 * torch.randn(steps, samples, channels, *features)
    found = compare(layer, x, torch.randn_like(x))
    assert found.fault is None
    assume(
        found.undecided < found.neurons
    )  # for v_th = 0.5 KLIF's rectified potential lies on an edge of the rectangle


@pytest.mark.parametrize("channels", [8, 64, 1024, 5000])
def test_gradients_per_channel_of_flat_features(channels: int) -> None:
    torch.manual_seed(channels)
    layer = neurons.layer("glif", channels, 6, "cpu")
    x = 0.7 + 0.6 * torch.randn(6, 37, channels)
    assert_agrees(compare(layer, x, torch.randn_like(x)))


def test_large_results_come_from_the_pool_again() -> None:
    """A result that is gone leaves its memory to the next, never while anything still looks at it."""
    layer = neurons.layer("lif", backend="cpu")
    x = torch.rand(4, pool.SMALLEST // 16)
    first = layer(x)
    kept, address = first[1], first.data_ptr()
    del first
    assert layer(x).data_ptr() != address  # `kept` still holds it
    del kept
    addresses = {output.data_ptr() for output in [layer(x) for _ in range(1 + pool.idle_bytes() // x.nbytes)]}
    assert address in addresses


def test_pool_keeps_no_more_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST_IDLE", 0)
    monkeypatch.setattr(pool, "_idle", defaultdict(list))
    layer = neurons.layer("lif", backend="cpu")
    layer(torch.rand(4, pool.SMALLEST // 16))
    assert pool.idle_bytes() == 0


def test_non_contiguous_and_empty() -> None:
    layer, reference = (neurons.layer("clif", backend=backend) for backend in ("cpu", "reference"))
    x = torch.randn(7, 9, 5).transpose(0, 1)
    assert torch.equal(layer(x), reference(x))
    empty = torch.zeros(4, 0, 5, requires_grad=True)
    output = neurons.layer("glif", 5, 4, "cpu")(empty)
    assert output.shape == empty.shape
    output.sum().backward()
    assert empty.grad.shape == empty.shape


@pytest.mark.parametrize("name", MODELS)
def test_nan_and_infinity_go_through(name: str) -> None:
    x = 0.7 + 0.6 * torch.randn(5, 3, 8)
    x[1, 0, 0], x[2, 1, 3], x[3, 2, 7] = float("nan"), float("inf"), -float("inf")
    results = []
    torch.manual_seed(0)
    for backend in ("reference", "cpu"):
        layer = neurons.layer(name, 8, 5, backend)
        layer.load_state_dict({key: torch.full_like(value, 0.3) for key, value in layer.state_dict().items()})
        results.append(layer(x).detach())
    assert torch.equal(results[0].isnan(), results[1].isnan())
    assert torch.equal(results[0].nan_to_num(7), results[1].nan_to_num(7))


def test_saves_the_input_alone() -> None:
    x = torch.randn(8, 100, 16, requires_grad=True)
    layer = neurons.layer("clif", backend="cpu")
    assert saved_bytes(lambda: layer(x)) == 4 * x.numel()
    with torch.no_grad():
        assert saved_bytes(lambda: layer(x)) == 0
    assert layer(x.detach()).grad_fn is None


def test_same_gradients_in_every_call(two_threads: int) -> None:
    layer = neurons.layer("glif", 8, 6, "cpu")
    x = torch.randn(6, 5000, 8)
    grads = []
    for _ in range(3):
        layer.zero_grad()
        layer(x).sum().backward()
        grads.append([parameter.grad.clone() for parameter in layer.parameters()])
    assert all(torch.equal(a, b) for other in grads[1:] for a, b in zip(grads[0], other, strict=True))


@pytest.mark.slow
def test_one_operation_in_a_compiled_network() -> None:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.synapse = torch.nn.Linear(10, 16)
            self.neuron = neurons.layer("glif", 16, 5)
            self.readout = torch.nn.Linear(16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.readout(self.neuron(self.synapse(x)))

    torch.manual_seed(0)
    network, x = Network(), torch.randn(5, 8, 10)
    explained = torch._dynamo.explain(network)(x)
    assert explained.graph_break_count == 0
    assert sum("fused_forward" in str(node.target) for graph in explained.graphs for node in graph.graph.nodes) == 1
    plain = torch.autograd.grad(network(x).sum(), list(network.parameters()))
    compiled = torch.autograd.grad(torch.compile(network, fullgraph=True)(x).sum(), list(network.parameters()))
    for a, b in zip(plain, compiled, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendUnavailable, match=r"float32, float64 and bfloat16, not torch\.float16"):
        neurons.layer("lif", backend="cpu")(torch.zeros(2, 3, dtype=torch.float16))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(BackendUnavailable, match=r"no 'no-such-compiler': install gcc or clang, or set CC"):
        neurons.layer("lif", backend="cpu")(torch.zeros(2, 3))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for x86-64")
@pytest.mark.parametrize("architecture", ["x86-64", "haswell"])
def test_narrower_vectors(architecture: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without AVX, and with AVX2 alone: what this machine's own vectors do not reach."""
    if architecture == "haswell" and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("no AVX2 here")
    flags = tuple(flag.replace("native", architecture) for flag in cpu_library.FLAGS)
    monkeypatch.setattr(cpu_library, "FLAGS", flags)
    monkeypatch.setattr(cpu, "_kernels", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        for name in ("lif", "glif", "clif"):
            assert_agrees(agreement(name, "cpu", 33, 1023, dtype))
