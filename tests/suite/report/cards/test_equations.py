"""The formulas of every card compute what the step computes, and some read as their papers write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import neurons
from suite.report.cards import symbols
from suite.report.cards.equations import equations
from tests.suite.report.cards.formulas import Page, at, text

STEPPED = [name for name in neurons.names() if neurons.get(name).runs_over_time()]
ELEMENTS = 64


@pytest.mark.parametrize("name", STEPPED)
def test_formulas_compute_the_step(name: str) -> None:
    neuron = neurons.get(name)(8)
    found = equations(neuron)
    assert found is not None
    page = Page()
    values, shaped = {}, {}
    for own in neuron.learnables():
        shaped[own] = torch.rand(ELEMENTS, dtype=torch.float64) + 0.1
        written = symbols.symbol(own)
        per_step = neuron.learnables()[own].per == "step_channel"
        values[page.of(symbols.of_time(written) if per_step else written)] = shaped[own]
    for own in found.constants:
        values[page.of(symbols.symbol(own))] = torch.tensor(float(getattr(neuron, own)), dtype=torch.float64)
    x = 2 * torch.randn(ELEMENTS, dtype=torch.float64)
    states = [torch.randn(ELEMENTS, dtype=torch.float64) for _ in neuron.states]
    values[page.of(symbols.of_time("<mi>x</mi>"))] = x
    for own, state in zip(neuron.states, states, strict=True):
        values[page.of(at(own, 1))] = state
    output, *after = neuron.bind(shaped).step(x, *states)
    computed = page.run([*found.made, *found.step], values)
    letter = "s" if neuron.spiking else "y"
    torch.testing.assert_close(computed[page.of(symbols.of_time(f"<mi>{letter}</mi>"))], output, rtol=2e-3, atol=2e-3)
    for own, state in zip(neuron.states, after, strict=True):
        torch.testing.assert_close(computed[page.of(at(own))], state, rtol=2e-3, atol=2e-3)


AS_WRITTEN = {
    "lif": ["γ=1−(1)/(τ)", "u^=γ⋅u_(t−1)+x_t", "s_t=Θ(u^−v_(th))", "u_t=u^−s_t⋅v_(th)"],
    "clif": [
        *("γ=1−(1)/(τ)", "u^=γ⋅u_(t−1)+x_t", "s_t=Θ(u^−v_(th))"),
        *("m_t=m_(t−1)⋅σ((u^)/(τ))+s_t", "u_t=u^−s_t⋅(v_(th)+σ(m_t))"),
    ],
    "plif": ["(1)/(τ)=σ(w)", "γ=1−(1)/(τ)", "u^=γ⋅u_(t−1)+x_t", "s_t=Θ(u^−v_(th))", "u_t=u^−s_t⋅v_(th)"],
    "i_lif": ["γ=1−(1)/(τ)", "u^=γ⋅u_(t−1)+x_t", "s_t=round(clip((u^)/(v_(th)),0,4))", "u_t=u^−v_(th)⋅s_t"],
    "relu": ["y_t=relu(x_t)"],
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_as_papers_write_it(name: str) -> None:
    found = equations(neurons.get(name)(8))
    assert found is not None
    assert [text(line) for line in (*found.made, *found.step)] == AS_WRITTEN[name]


def test_the_constants_of_a_step_in_plain_python_are_numbers() -> None:
    found = equations(neurons.get("alif")(8))
    assert found is not None
    assert found.constants == ("tau", "v_th", "beta")
    assert any("0.9512" in text(line) for line in found.step), "exp(−1/20)"


def test_cases_masks_and_powers(neuron_file: Callable[[str], Path]) -> None:
    body = """
@register
class Odd(Neuron):
    states = ("u",)

    def step(self, x, u):
        u = torch.where((x > 0) & (u < 1), torch.sqrt(x.abs()), -u) / x**0.3
        return (x > 2).to(x.dtype), u
"""
    (name,) = neurons.load_file(neuron_file(body))
    found = equations(neurons.get(name)(8))
    assert found is not None
    cases = "{√(|x_t|) x_t>0∧u_(t−1)<1 −u_(t−1) otherwise "
    assert [text(line) for line in found.step] == [f"u_t=({cases})/(x_t^0.3)", "s_t=[x_t>2]"]


def test_what_cannot_be_traced_has_no_formulas(neuron_file: Callable[[str], Path]) -> None:
    body = """
@register
class Sorted(Neuron):
    states = ("u",)

    def step(self, x, u):
        u = u + torch.sort(x).values
        return self.spike(u - 1), u
"""
    (name,) = neurons.load_file(neuron_file(body))
    assert equations(neurons.get(name)(8)) is None
    with pytest.raises(ValueError, match="psn is no step"):
        equations(neurons.get("psn")(8))


@pytest.mark.parametrize(
    ("name", "written"),
    [("tau_w", "τ_w"), ("v_th", "v_(th)"), ("a0", "a_0"), ("log_dt", "log dt"), ("decay", "γ"), ("omega", "ω")],
)
def test_symbols(name: str, written: str) -> None:
    assert text(f"<math>{symbols.symbol(name)}</math>") == written


@pytest.mark.parametrize(("value", "written"), [(2.0, "2"), (0.5, "0.5"), (-1.0, "−1"), (1 / 3, "0.3333")])
def test_numbers(value: float, written: str) -> None:
    assert text(f"<math>{symbols.number(value)}</math>") == written
