"""Choosing models by tag, kind and name."""

from __future__ import annotations

import pytest

import neurons
from neurons import UnknownName
from neurons.selection import KINDS, kind_of

STANDARD = ["clif", "glif", "if", "klif", "lif", "plif", "relu"]


def test_the_default_is_the_standard_models_and_what_a_user_brings(neuron_file) -> None:
    assert neurons.select(["default"]) == STANDARD
    body = "@register\nclass Brought(Neuron):\n    def step(self, x):\n        return (self.spike(x),)\n"
    neurons.load_file(neuron_file(body))
    assert neurons.select(["default"]) == sorted([*STANDARD, "brought"])


def test_names_tags_kinds_and_all_each_once() -> None:
    assert neurons.select(["all"]) == neurons.names()
    assert neurons.select(["alif", "tag:standard", "lif"]) == ["alif", *STANDARD]
    assert "alif" in neurons.select(["tag:adaptive"])
    assert "relu" in neurons.select(["kind:real"])
    assert "relu" not in neurons.select(["kind:spikes"])
    together = [name for kind in KINDS for name in neurons.names() if kind_of(neurons.get(name)) == kind]
    assert sorted(together) == neurons.names()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag:adaptiv", "unknown tag of neurons 'adaptiv'; did you mean 'adaptive'?"),
        ("kind:level_", "unknown kind of neurons 'level_'"),
        ("tag:", "unknown tag of neurons ''"),
        ("alff", "unknown neuron 'alff'; did you mean 'alif'?"),
    ],
)
def test_what_is_not_there(text: str, message: str) -> None:
    with pytest.raises(UnknownName) as error:
        neurons.select([text])
    assert message in str(error.value)
