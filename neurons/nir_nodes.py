"""Layers of neurons to and from NIR, the Neuromorphic Intermediate Representation (Pedersen et al. 2024).

NIR describes neurons in continuous time. With one Euler step of `dt` seconds a time step, NIR's LIF is the suite's LIF
of hard reset and its IF the suite's IF: u ← u + dt/τ·(R·x − u), and u ← u + dt·R·x.

Packages agree on less than NIR says, so what they read differently is an argument here:

- `dt`: 1e-4 s in snnTorch, an argument in spikingjelly and norse; sinabs writes τ in steps (dt = 1).
- R of LIF: 1 where the protocol decays the input, else τ in steps. norse and sinabs read 1 alone.
- R of IF: 1/dt by the equation above (spikingjelly); 1, "added as it is", in norse, snnTorch and sinabs. Both are read.
- NIR fires at u > threshold, as norse and snnTorch do; the suite, spikingjelly and sinabs at u ≥ threshold. They differ
  where a potential meets the threshold exactly.

NIR has neither a soft reset nor a reset one step late: snnTorch writes its default `Leaky()`, which has both, as if it
had a hard reset in the same step, so that such a network computes something else once it is read by anybody.
NIR has no surrogates either, and none of the other models.
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
"""The time step of graphs that do not say theirs."""
LONGEST_TAU = 5000
"""Time steps; a longer time constant under a time step that was only assumed is a misreading."""
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


def node_of(layer: NeuronLayer, features: Sequence[int], dt: float = STEP_SECONDS, unit_r: bool = False) -> Any:
    """The NIR node of a layer of neurons over `features` (the input's dimensions without time and batch).

    Args:
        dt: seconds of a time step.
        unit_r: write R = 1 also where NIR's equation has another, as `gain_of` the layer times the input before it.

    Raises:
        InvalidValue: NIR cannot say what the layer computes.
    """
    neuron = layer.neuron
    if neuron.name not in MODELS:
        raise InvalidValue(f"NIR has no {neuron.name}; it has {', '.join(MODELS)}")
    if neuron.reset != "hard":
        raise InvalidValue(f"NIR has no soft reset; export a {neuron.name} with reset='hard'")
    if not dt > 0:
        raise InvalidValue(f"dt must be above 0 seconds, not {dt}")
    parameters = {name: value.detach().tolist() for name, value in layer.named_parameters()}
    constants = {name: getattr(neuron, name) for name in neuron.constants()}
    if unit_r and neuron.name != "if":
        constants["decay_input"] = True
    kept = {OWN: json.dumps({"name": neuron.name, "constants": constants, "parameters": parameters, "dt": dt})}
    nir, full = nir_package(), lambda value: np.full(tuple(features), float(value))
    levels = {"v_threshold": full(neuron.v_th), "v_reset": full(neuron.v_reset)}
    if neuron.name == "if":
        return nir.IF(r=full(1 if unit_r else 1 / dt), **levels, metadata=kept)
    r = 1.0 if unit_r else gain_of(layer)
    return nir.LIF(tau=full(_tau(layer) * dt), r=full(r), v_leak=full(0), **levels, metadata=kept)


def gain_of(layer: NeuronLayer) -> float:
    """R of the layer's LIF: 1 where its input decays, else τ in steps; 1 for an IF, whose input is added as it is."""
    return 1.0 if layer.neuron.decay_input or layer.neuron.name == "if" else _tau(layer)


def layer_of(node: Any, backend: str = "auto", dt: float | None = None) -> NeuronLayer:
    """A layer of neurons that computes what a NIR node says, also one that another package has written.

    Args:
        dt: seconds of a time step; None: as the node says if the suite wrote it, else 1e-4.

    Raises:
        InvalidValue: the suite has no such neuron.
    """
    kind = type(node).__name__
    if kind not in ("IF", "LIF"):
        raise InvalidValue(f"the suite has no neuron for NIR's {kind}; it has IF and LIF")
    own = _own(node)
    step = dt or own.get("dt") or STEP_SECONDS
    assumed = dt is None and "dt" not in own
    values = {name: _uniform(node, name) for name in ("r", "v_threshold", "v_reset")}
    constants: dict[str, Any] = {"v_th": values["v_threshold"], "v_reset": values["v_reset"], "reset": "hard"}
    if kind == "IF":
        known = _close(values["r"], 1) or _close(values["r"] * step, 1)
        wanted = f"IF.r must be 1 or 1/dt, {1 / step:g} at dt = {step:g} s, not {values['r']:g}"
        _require(known, wanted)
        found = neurons.layer("if", backend=backend, **constants)
    else:
        _require(abs(_uniform(node, "v_leak")) <= CLOSE, "LIF.v_leak must be 0")
        tau = _tau_in_steps(node, step, assumed)
        decays = _close(values["r"], 1)
        wanted = f"LIF.r must be 1 or τ over the time step, {tau:g} at dt = {step:g} s, not {values['r']:g}"
        hint = f" (it is τ at dt = {_uniform(node, 'tau') / values['r']:g} s)" if values["r"] > 0 else ""
        _require(decays or _close(values["r"], tau), wanted + hint)
        found = neurons.layer("lif", backend=backend, tau=tau, decay_input=decays, **constants)
    return _as_written(node, own, step, backend) or found


def _own(node: Any) -> dict[str, Any]:
    """What the suite itself wrote into the node's metadata; empty if nothing is there that can be read."""
    try:
        own = json.loads((node.metadata or {}).get(OWN, "{}"))
    except (TypeError, ValueError):
        return {}
    return own if isinstance(own, dict) else {}


def _as_written(node: Any, own: dict[str, Any], dt: float, backend: str) -> NeuronLayer | None:
    """The layer that the suite itself exported, to the last bit, if the node still says the same.

    None where the metadata is of no use, such as that of a later version: the node's own fields say all.
    """
    try:
        written = neurons.layer(own["name"], backend=backend, **{**own["constants"], **own["parameters"]})
        again = [node_of(written, np.shape(node.r), dt, unit_r) for unit_r in (False, True)]
    except Exception:  # whatever another version may have written
        return None
    return written if any(_same(node, other) for other in again) else None


def _same(node: Any, other: Any) -> bool:
    fields = [name for name in ("tau", "r", "v_threshold", "v_reset", "v_leak") if hasattr(node, name)]
    return type(other) is type(node) and all(
        np.allclose(getattr(other, name), np.asarray(getattr(node, name)), rtol=CLOSE, atol=0) for name in fields
    )


def _tau_in_steps(node: Any, dt: float, assumed: bool) -> float:
    tau = _uniform(node, "tau") / dt
    if assumed and tau > LONGEST_TAU:
        raise InvalidValue(
            f"NIR's LIF.tau is {tau:,.0f} steps at dt = {dt:g} s, which the graph does not say; "
            "give the time step that it was written with, as dt=1e-3 (dt=1 where τ is in steps)"
        )
    return 1.0 if 1 - CLOSE <= tau < 1 else tau  # float32 cannot say one step of 1e-4 s


def _tau(layer: NeuronLayer) -> float:
    bound = layer.neuron.bind({name: value.detach() for name, value in layer.named_parameters()})
    return 1 / float(bound.inverse_tau)


def _uniform(node: Any, name: str) -> float:
    """The one value of a field; the suite's constants are one for all neurons of a layer."""
    values = np.asarray(getattr(node, name), dtype=np.float64).ravel()
    same = values.size > 0 and np.allclose(values, values[0], rtol=CLOSE, atol=0)
    _require(bool(same), f"{type(node).__name__}.{name} must be the same for all neurons")
    return float(values[0])


def _close(value: float, wanted: float) -> bool:
    return math.isclose(value, wanted, rel_tol=CLOSE)


def _require(holds: bool, wanted: str) -> None:
    if not holds:
        raise InvalidValue(f"the suite has no such neuron: NIR's {wanted}")
