"""How kernels are launched, on a card that is not there: grids, devices, what is compiled anew; which way is tuned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

import neurons
from neurons import InvalidValue
from neurons.kernels.gpu import launch, tuning
from neurons.kernels.gpu.launch import A_THREAD, TILES, Layout, TritonKernel, interval_of
from neurons.kernels.source import KernelSource, source_of
from tests.neurons.kernels.stand_in import LARGEST_GRID, StandIn, stand_in


def made(name: str, steps: int) -> tuple[TritonKernel, KernelSource]:
    source = source_of(neurons.get(name)(steps))
    return TritonKernel(source), source


def values(source: KernelSource, steps: int, channels: int) -> list[torch.Tensor]:
    shapes = {"layer": (), "channel": (channels,), "step_channel": (steps, channels)}
    return [torch.zeros(shapes[own.per]) for own in source.coefficients]


def both(kernel: TritonKernel, x: torch.Tensor, coefficients: list[torch.Tensor]) -> None:
    _, checkpoints = kernel.forward(x, coefficients, True, None)
    kernel.backward(x, x, checkpoints, coefficients, None)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is asked for, but never filled."""
    monkeypatch.setattr(torch.Tensor, "new_zeros", torch.Tensor.new_empty)


SIZES = [(2**24, 1), (2**24 + 1, 1), (2**31 + 1, 1), (256, 64, 32, 32), (3, 2**24), (1, 1), (1, 1, 1, 1)]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", ["lif", "plif", "glif"])
def test_every_size_has_a_grid_that_a_card_takes(name: str, shape: tuple[int, ...]) -> None:
    source = source_of(neurons.get(name)(1))
    for kernel in ("forward", "backward"):
        layout = Layout.of(source, kernel, (1, *shape))
        (programs,) = layout.grid
        assert 1 <= programs <= LARGEST_GRID[0]
        rows, columns = layout.beside
        assert rows * layout.tile_rows >= layout.rows
        assert columns * layout.tile_columns >= layout.columns
        assert layout.rows * layout.columns == torch.Size(shape).numel()
        assert layout.tile_rows * min(layout.columns, 2**31) < 2**31 or layout.tile_rows == 1


@pytest.mark.slow
def test_the_largest_layers_are_launched(untouched: None) -> None:
    """2^31 + 1 neurons: numbers beyond 32 bits reach the kernel whole."""
    kernel, source = made("lif", 1)
    with stand_in() as card:
        for neurons_of_layer in (2**24, 2**31 + 1):
            both(kernel, torch.empty(1, neurons_of_layer, 1, dtype=torch.bfloat16), values(source, 1, 1))
    assert [launched.grid[0] for launched in card.launches[::2]] == [2**15, 2**22 + 1]
    assert all(launched.spills == 0 for launched in card.launches)


SHAPES = [(32, 64), (31, 64), (7, 64), (32, 128), (17, 16), (32, 96), (5, 512), (1, 64), (33, 32), (2, 1024)]


@pytest.mark.parametrize("name", ["lif", pytest.param("glif", marks=pytest.mark.slow)])
def test_ten_shapes_compile_each_kernel_at_most_twice(name: str) -> None:
    """Sizes are arguments; only whether rows are aligned is compiled in."""
    kernel, source = made(name, 4)
    with stand_in() as card:
        for batch, channels in SHAPES:
            both(kernel, torch.empty(4, batch, channels), values(source, 4, channels))
    compiled = [launched.kernel for launched in card.launches if launched.compiled]
    assert len(card.launches) == 20
    assert 1 <= compiled.count("forward_kernel") <= 2
    assert 1 <= compiled.count("backward_kernel") <= 2


@pytest.mark.parametrize("bptt_steps", [None, 2])
def test_a_launch_goes_to_the_device_of_its_tensors(bptt_steps: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, source = made("plif", 3)
    with stand_in() as card:

        @contextmanager
        def device_of(x: torch.Tensor) -> Iterator[None]:
            card.device = 1
            yield
            card.device = 0

        monkeypatch.setattr(torch.cuda, "device_of", device_of)
        x, coefficients = torch.empty(3, 5, 7), values(source, 3, 7)
        _, checkpoints = kernel.forward(x, coefficients, True, bptt_steps)
        kernel.backward(x, x, checkpoints, coefficients, bptt_steps)
    assert [launched.device for launched in card.launches] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "steps", "dtype"),
    [((), 21, torch.float32), ((5, 5), 21, torch.float32), ((7, 7), 5, torch.bfloat16), ((16, 16), 21, torch.bfloat16)],
)
def test_no_layout_spills(features: tuple[int, ...], steps: int, dtype: torch.dtype) -> None:
    """GLIF has the most to hold: coefficients and sums of each channel, and of each step."""
    kernel, source = made("glif", steps)
    with stand_in() as card:
        both(kernel, torch.empty(steps, 2, 48, *features, dtype=dtype), values(source, steps, 48))
    assert [launched.spills for launched in card.launches] == [0, 0]


def test_the_stand_in_turns_down_what_a_card_would() -> None:
    driver = StandIn("cuda:90")
    with pytest.raises(RuntimeError, match="grid"):
        driver._launch(None, 1, 65_536, 1, 0, None)


@pytest.mark.parametrize(("name", "lanes"), [("lif", 32), ("lif", 64), ("glif", 32), ("glif", 64)])
@pytest.mark.parametrize("tile", TILES)
def test_sums_of_each_step_are_of_one_warp(name: str, lanes: int, tile: int) -> None:
    """The others have as many warps as give a thread its neurons."""
    source = source_of(neurons.get(name)(8))
    for shape in ((8, 64, 64, 16, 16), (8, 64, 64)):
        layout = Layout.of(source, "backward", shape, tile, lanes)
        assert layout.warps == (1 if name == "glif" else max(1, tile // (lanes * A_THREAD)))


@pytest.mark.parametrize(("name", "block"), [("lif", 8), ("clif", 8), ("plif", 8), ("glif", 12), ("adlif", 16)])
def test_blocks_of_steps(name: str, block: int) -> None:
    """History of 32 values of a kind, less the sums, by neurons of a thread (4; GLIF and three states: 2)."""
    source = source_of(neurons.get(name)(1))
    assert [interval_of(source, steps) for steps in (1, 7, block, block + 1, 1024)] == [1, 7, block, block, block]
    assert interval_of(source, 40, bptt_steps=3) == 1


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tuning, "_known", {})
    monkeypatch.setattr(tuning, "_cache", tuning.DiskCache("tuned"))


def test_the_fastest_way_is_kept(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[int] = []
    took = iter([3.0, 1.0, 2.0])
    measured = tuning.fastest("key", [512, 256, 128], launched.append, lambda again: again() or next(took))
    assert measured == 256
    assert launched == [512, 512, 256, 256, 128, 128]
    monkeypatch.setattr(tuning, "_known", {})  # another process
    never = pytest.fail
    assert tuning.fastest("key", [512, 256, 128], never, never) == 256
    monkeypatch.setattr(tuning, "_known", {})  # and one whose ways are others
    assert tuning.fastest("key", [64], launched.append, lambda again: 1.0) == 64


def test_tuning_ends_in_time(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first compiles for a second, the second for two: the third is not tried."""
    clock = iter([0.0, 1.0, 3.0])
    monkeypatch.setattr(tuning.time, "perf_counter", lambda: next(clock))
    took = iter([2.0, 1.0])
    assert tuning.fastest("key", [512, 256, 128], lambda way: None, lambda again: next(took)) == 256


def test_a_kernel_on_a_card_is_tuned_by_layout_and_dtype(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(launch, "_can_measure", lambda x: True)
    monkeypatch.setattr(tuning, "fastest", lambda key, ways, *_: asked.append((key, ways)) or ways[-1])
    kernel, source = made("plif", 2)
    with stand_in() as card:
        for x in (torch.empty(2, 2, 4), torch.empty(2, 2, 4, 256), torch.empty(2, 2, 4, dtype=torch.bfloat16)):
            both(kernel, x, values(source, 2, 4))
        TritonKernel(source, 512).forward(torch.empty(2, 2, 4), values(source, 2, 4), False, None)
    assert len({key for key, _ in asked}) == len(asked) == 6  # rows of 8 and of 2,048 neurons, and bfloat16
    assert all(ways == [512, 256, 128] for _, ways in asked)
    assert [launched.warps for launched in card.launches] == [1, 1, 1, 1, 1, 1, 4]


def test_a_tile_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidValue, match="128, 256, 512 neurons, not 64"):
        TritonKernel(source_of(neurons.get("lif")()), 64)
