"""Layers of neurons to and from NIR, the Neuromorphic Intermediate Representation (Pedersen et al. 2024).

NIR describes neurons in continuous time; packages agree on a step of 1e-4 s. With that step NIR's LIF is the suite's
LIF of hard reset (R = 1 where the protocol decays the input, else R = τ), and its IF is the suite's IF. NIR has neither
a soft reset nor surrogates nor the other models.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import neurons
from neurons.errors import BackendUnavailable, InvalidValue
from neurons.layer import NeuronLayer

STEP_SECONDS = 1e-4
OWN = "neuron_suite"
"""Key of a node's metadata under which the suite keeps what NIR has no field for."""
CLOSE = 1e-6
MODELS = ("if", "lif", "plif")


def nir_package() -> Any:
    """The package nir.

    Raises:
        BackendUnavailable: it is not installed.
    """
    try:
        import nir
    except ImportError as error:
        raise BackendUnavailable("NIR needs the package nir: pip install 'neuron-suite[nir]'") from error
    return nir


def node_of(layer: NeuronLayer, features: Sequence[int]) -> Any:
    """The NIR node of a layer of neurons over `features` (the input's dimensions without time and batch).

    Raises:
        InvalidValue: NIR cannot say what the layer computes.
    """
    neuron = layer.neuron
    if neuron.name not in MODELS:
        raise InvalidValue(f"NIR has no {neuron.name}; it has {', '.join(MODELS)}")
    if neuron.reset != "hard":
        raise InvalidValue(f"NIR has no soft reset; export a {neuron.name} with reset='hard'")
    parameters = {name: value.detach().tolist() for name, value in layer.named_parameters()}
    constants = {name: getattr(neuron, name) for name in neuron.constants()}
    kept = {OWN: json.dumps({"name": neuron.name, "constants": constants, "parameters": parameters})}
    nir, full = nir_package(), lambda value: np.full(tuple(features), float(value))
    levels = {"v_threshold": full(neuron.v_th), "v_reset": full(neuron.v_reset)}
    if neuron.name == "if":
        return nir.IF(r=full(1 / STEP_SECONDS), **levels, metadata=kept)
    tau = _tau(layer)
    gain = 1.0 if neuron.decay_input else tau
    return nir.LIF(tau=full(tau * STEP_SECONDS), r=full(gain), v_leak=full(0), **levels, metadata=kept)


def layer_of(node: Any, backend: str = "auto") -> NeuronLayer:
    """A layer of neurons that computes what a NIR node says, also one that another package has written.

    Raises:
        InvalidValue: the suite has no such neuron.
    """
    kind = type(node).__name__
    if kind not in ("IF", "LIF"):
        raise InvalidValue(f"the suite has no neuron for NIR's {kind}; it has IF and LIF")
    values = {name: _uniform(node, name) for name in ("r", "v_threshold", "v_reset")}
    constants: dict[str, Any] = {"v_th": values["v_threshold"], "v_reset": values["v_reset"], "reset": "hard"}
    if kind == "IF":
        _require(math.isclose(values["r"], 1 / STEP_SECONDS, rel_tol=CLOSE), "IF.r must be 1 over the time step")
        found = neurons.layer("if", backend=backend, **constants)
    else:
        tau = _uniform(node, "tau") / STEP_SECONDS
        _require(_uniform(node, "v_leak") == 0, "LIF.v_leak must be 0")
        decays = math.isclose(values["r"], 1, rel_tol=CLOSE)
        _require(decays or math.isclose(values["r"], tau, rel_tol=CLOSE), "LIF.r must be 1 or τ over the time step")
        found = neurons.layer("lif", backend=backend, tau=tau, decay_input=decays, **constants)
    return _as_written(node, found, backend)


def _as_written(node: Any, found: NeuronLayer, backend: str) -> NeuronLayer:
    """The layer that the suite itself exported, to the last bit, if the node still says the same."""
    if OWN not in node.metadata:
        return found
    own = json.loads(node.metadata[OWN])
    written = neurons.layer(own["name"], backend=backend, **{**own["constants"], **own["parameters"]})
    again = node_of(written, node.r.shape)
    fields = [name for name in ("tau", "r", "v_threshold", "v_reset") if hasattr(node, name)]
    same = type(again) is type(node) and all(
        np.allclose(getattr(again, name), getattr(node, name), rtol=CLOSE, atol=0) for name in fields
    )
    return written if same else found


def _tau(layer: NeuronLayer) -> float:
    bound = layer.neuron.bind({name: value.detach() for name, value in layer.named_parameters()})
    return 1 / float(bound.inverse_tau)


def _uniform(node: Any, name: str) -> float:
    """The one value of a field; the suite's constants are one for all neurons of a layer."""
    values = np.unique(getattr(node, name))
    _require(len(values) == 1, f"{type(node).__name__}.{name} must be the same for all neurons")
    return float(values[0])


def _require(holds: bool, wanted: str) -> None:
    if not holds:
        raise InvalidValue(f"the suite has no such neuron: NIR's {wanted}")
