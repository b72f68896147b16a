"""A cell's key changes with what its model computes, wherever that comes from, and with nothing else of the model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from neurons import Learnable, Neuron
from neurons.fingerprint import fingerprint
from suite.runs import cell_key
from tasks import Cell


def model(beta: float, doc: str = "", **attributes: object) -> type[Neuron]:
    def step(self: Neuron, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u = beta * u + x
        spike = self.spike(u - self.v_th)
        return spike, u - spike

    given = {"name": "keyed", "states": ("u",), "step": step, "__doc__": doc, **attributes}
    return type("Keyed", (Neuron,), given)


def branching(beta: float) -> type[Neuron]:
    """A step that cannot be traced."""

    def step(self: Neuron, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u = beta * u + x if bool((x > -99).all()) else u
        spike = self.spike(u - self.v_th)
        return spike, u - spike

    return type("Keyed", (Neuron,), {"name": "keyed", "states": ("u",), "step": step})


def sequence(beta: float) -> type[Neuron]:
    def forward(self: Neuron, x: torch.Tensor) -> torch.Tensor:
        return beta * x.cumsum(0)

    return type("Keyed", (Neuron,), {"name": "keyed", "forward": forward})


def key_of(cls: type[Neuron], monkeypatch: pytest.MonkeyPatch, **settings: object) -> str:
    monkeypatch.setattr("neurons.get", lambda name: cls)
    return cell_key.code_hash(Cell("accuracy", "keyed", "reference", 0, {"epochs": 3, **settings}))


@pytest.mark.parametrize("make", [model, branching, sequence])
def test_what_a_model_computes_matters(make: Callable[[float], type[Neuron]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever file its number comes from; and nothing else does."""
    assert key_of(make(0.9), monkeypatch) == key_of(make(0.9), monkeypatch)
    assert key_of(make(0.9), monkeypatch) != key_of(make(0.8), monkeypatch)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"w": Learnable(0.3)}, {"w": Learnable(0.4)}),
        ({"w": Learnable(0.3, spread=0.1)}, {"w": Learnable(0.3, spread=0.2)}),
        ({"w": Learnable(0.3)}, {"w": Learnable(0.3, per="channel")}),
        ({"w": Learnable(0.3)}, {"k": Learnable(0.3)}),
        ({"surrogate_width": 1.0}, {"surrogate_width": 2.0}),
        ({"surrogate": "atan"}, {"surrogate": "triangle"}),
        ({"spiking": True}, {"spiking": False}),
    ],
)
def test_first_values_and_draws_matter(
    one: dict[str, object], other: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert key_of(model(0.9, **one), monkeypatch) != key_of(model(0.9, **other), monkeypatch)


def test_words_about_a_model_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_of(model(0.9, "One text."), monkeypatch) == key_of(model(0.9, "Another."), monkeypatch)


def test_the_protocol_and_settings_of_a_neuron_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = model(0.9, published={"v_th": 0.5})
    keys = {key_of(cls, monkeypatch, **own) for own in ({}, {"protocol": "published"}, {"neuron.v_th": 0.7})}
    assert len(keys) == 3


@pytest.mark.parametrize("protocol", ["controlled", "published"])
def test_published_constants_matter_under_their_own_protocol_alone(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = (model(0.9, published={"v_th": value}) for value in (0.5, 0.6))
    same = key_of(own, monkeypatch, protocol=protocol) == key_of(other, monkeypatch, protocol=protocol)
    assert same == (protocol == "controlled")


def test_a_cell_that_says_no_time_steps_has_a_key_too() -> None:
    """Also of a model whose parameters are as many as its steps."""
    assert cell_key.key(Cell("accuracy", "glif", "cpu", 0)) != cell_key.key(Cell("accuracy", "clif", "cpu", 0))


def raising(cause: str, size: int = 0) -> type[Neuron]:
    def step(self: Neuron, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if x.numel() > size:
            raise ValueError(cause)
        return x, u + x

    return type("Keyed", (Neuron,), {"name": "keyed", "states": ("u",), "step": step})


def test_what_a_step_raises_is_for_its_cells_to_tell() -> None:
    assert fingerprint(raising("one")()) == fingerprint(raising("one")()) != fingerprint(raising("two")())
    late = type("Keyed", (Neuron,), {**vars(model(0.5)), "w": Learnable(lambda neuron: 1 / 0)})
    assert fingerprint(late()) != fingerprint(model(0.5)())


def test_the_process_that_plans_gives_a_step_no_more_than_registration_did() -> None:
    """What a step does to larger inputs (exit, hang) must happen where only its own cells are lost."""
    seen = []

    def step(self: Neuron, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen.append(x.numel())
        return x.sign(), u + x * float(x.max())  # cannot be traced

    fingerprint(type("Keyed", (Neuron,), {"name": "keyed", "states": ("u",), "step": step})())
    assert seen
    assert max(seen) <= 4
