"""The tasks that hold a backend against the reference, and a package against its model: what they say and refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import tasks
from neurons import BackendUnavailable, NeuronLayer, conformance
from neurons.conformance import Agreement, NotConformant
from neurons.models.lif import LIF
from neurons.peers import equivalence
from neurons.peers.equivalence import Equivalence
from tasks import Cell
from tasks.conformance import SHOWN
from tasks.measuring import devices

LARGE = 3 * SHOWN + 7


def cell(task: str, neuron: str = "lif", backend: str = "cpu", **settings: Any) -> Cell:
    return Cell(task, neuron, backend, 0, {**tasks.get(task).settings, **settings})


def values(given: Cell) -> dict[str, float]:
    return {value.metric: value.value for value in tasks.get(given.task).run(given)}


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-4), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("neuron", ["lif", "plif"])
def test_a_right_kernel_conforms(neuron: str, dtype: str, bound: float) -> None:
    """Of 51·5 neurons twice, 3·7·25, 17·3·2 and one, nearly all are compared."""
    found = values(cell("conformance", neuron, dtype=dtype))
    undecided = round(1138 * found["undecided_fraction"])
    assert found["compared_neurons"] == 1138 - undecided
    assert undecided < 114
    assert 0 <= found["gradient_error"] < bound


def agreeing(number: int, **changed: Any) -> Agreement:
    """The number-th comparison, counted from 1."""
    whole: dict[str, Any] = {
        **{"neurons": 10 * number, "undecided": number, "different": 0, "gradient_error": 1e-6 * number},
        **{"parameter_errors": {"w": 2e-6 * (6 - number)}, "finite": True, "tolerance": 1e-4, **changed},
    }
    return Agreement(**whole)


def test_all_shapes_count_and_the_worst_gradient_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 neurons of which 15 are undecided; of the errors that of a parameter in the first shape, 5 · 2e-6."""
    shapes: list[tuple[int, ...]] = []

    def compare(layer: NeuronLayer, x: Tensor, gradient: Tensor) -> Agreement:
        shapes.append(tuple(x.shape))
        assert x.shape == gradient.shape
        return agreeing(len(shapes))

    monkeypatch.setattr(conformance, "compare", compare)
    found = values(cell("conformance"))
    assert found == {"compared_neurons": 135, "undecided_fraction": 0.1, "gradient_error": pytest.approx(1e-5)}
    assert shapes == [(1, 51, 5), (9, 51, 5), (8, 3, 7, 5, 5), (33, 17, 3, 2), (2, 1, 1)]


@pytest.mark.parametrize("at", [1, 5])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"different": 1}, "1 outputs differ from the reference"),
        ({"gradient_error": 2e-4}, "the input gradient is off by 2.0e-04"),
        ({"parameter_errors": {"w": 3e-4}}, "the gradient of w is off by 3.0e-04"),
        ({"finite": False}, "NaN or Inf"),
    ],
)
def test_one_shape_that_disagrees_fails_the_cell(
    at: int, changed: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = [0]

    def compare(*_: object) -> Agreement:
        count[0] += 1
        return agreeing(count[0], **(changed if count[0] == at else {}))

    monkeypatch.setattr(conformance, "compare", compare)
    shape = {1: r"\[1, 51, 5\]", 5: r"\[2, 1, 1\]"}[at]
    with pytest.raises(NotConformant, match=rf"lif by cpu, {shape} bfloat16: {said}"):
        values(cell("conformance", dtype="bfloat16"))
    assert count == [at]


def test_a_large_layer_is_computed_as_a_small_one() -> None:
    found = values(cell("conformance", elements=LARGE))
    assert found["compared_neurons"] + round(found["undecided_fraction"] * 3 * SHOWN) == 3 * SHOWN


class OneBeyond(torch.autograd.Function):
    """Another output, or another gradient, of one neuron."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, place: int, output: bool) -> Tensor:
        ctx.place, ctx.output = place, output
        changed = x.clone()
        if output:
            changed[0, place] = 1 - changed[0, place]
        return changed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0].clone()
        if not ctx.output:
            gradient[0, ctx.place] += 1
        return gradient, None, None


@pytest.mark.parametrize("place", [0, LARGE // 2 + 9, LARGE - 1])
@pytest.mark.parametrize("output", [True, False], ids=["output", "gradient"])
def test_one_neuron_of_a_large_layer_that_is_wrong_is_found(
    output: bool, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward: Callable[[NeuronLayer, Tensor], Tensor] = NeuronLayer.forward

    def wrong(self: NeuronLayer, x: Tensor) -> Tensor:
        right = forward(self, x)
        return OneBeyond.apply(right, place, output) if x.shape[1] == LARGE else right

    monkeypatch.setattr(NeuronLayer, "forward", wrong)
    given = cell("conformance", backend="reference", elements=LARGE)
    monkeypatch.setattr(Cell, "neuron_layer", lambda self, channels, steps: NeuronLayer(straight(steps), channels))
    with pytest.raises(NotConformant, match="of 12,295 neurons some are not computed as alone"):
        list(tasks.get("conformance").run(given))


def straight(steps: int) -> LIF:
    """Its surrogate passes the gradient of every neuron."""
    return LIF(steps, surrogate="straight_through")


def test_a_large_layer_that_does_not_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Input, output and their gradients, of 2 bytes each: 1 GiB of which 0.5 are free."""
    monkeypatch.setattr(type(devices.of("cpu")), "free_bytes", lambda self, place: 2**29)
    with pytest.raises(BackendUnavailable, match=r"1\.00 GiB are asked for, 0\.50 GiB are free on cpu"):
        values(cell("conformance", dtype="bfloat16", elements=2**27))


def test_the_rows_of_an_equivalence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number under its name, with the relation and the drive in words; what is not known is no row."""
    departs = Equivalence(1792, 7, "grid", 3, 41, None, None, exact=False)
    rounds = Equivalence(1792, 0, None, None, None, 1e-12, 2e-12, exact=False)
    for found, expected in (
        (
            departs,
            [
                ("different_spikes", 7, "different model"),
                ("departure_step", 3, "grid"),
                ("departure_neuron", 41, "grid"),
            ],
        ),
        (
            rounds,
            [
                ("different_spikes", 0, "same within rounding"),
                ("potential_error", 1e-12, ""),
                ("gradient_error", 2e-12, ""),
            ],
        ),
    ):
        monkeypatch.setattr(equivalence, "compare", lambda *_, own=found: own)
        rows = list(tasks.get("equivalence").run(cell("equivalence", backend="reference")))
        assert [(value.metric, value.value, value.detail) for value in rows] == expected


def test_the_reference_is_equivalent_to_itself() -> None:
    rows = list(tasks.get("equivalence").run(cell("equivalence", backend="reference")))
    assert [(value.metric, value.value, value.detail) for value in rows] == [
        ("different_spikes", 0, "same"),
        ("gradient_error", 0, ""),
    ]
