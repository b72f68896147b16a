"""e-prop: gradients that go back in time through a neuron's own states and through nothing else.

The gradient of a weight is Σ_t L[t]·e[t] (Bellec et al., Nature Communications 2020, eq. 1). The learning signal
L[t] = ∂loss/∂s[t] takes the ways from a neuron's output at step t to the loss that stay within that step. The
eligibility trace e[t] = ds[t]/dw holds all that the weight did to s[t] through the states of that one neuron (eq. 13),
reset included. Left out are the ways through another neuron at another step: those of later layers, and those of
recurrent weights. Both factors are had without a trace for each weight: in one network, layer by layer from the last,

- the gradient over all steps of a layer's outputs, through its own states, goes to its parameters and to those before
  it, up to the spikes of the layers before;
- the gradient of the same step alone (`bptt_steps` = 1) goes on to these spikes: their learning signal.

A readout at each step has no states, so that its part is that of back-propagation.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from neurons import BackendUnavailable
from tasks.networks import Neurons, RecurrentNeurons, neurons_of


@dataclass(frozen=True)
class Passed:
    """What a layer of neurons did in a forward pass, cut off from the layers before and behind it.

    Attributes:
        current: of its synapses, with their graph.
        taken: the same, from which its own graph begins.
        outputs: with the layer's own graph, over all time steps.
        within: input and outputs of the same with a graph within each time step; None where no layer is before it.
        given: the outputs without a graph, as the layers behind took them; its gradient is the learning signal.
    """

    current: Tensor
    taken: Tensor
    outputs: Tensor
    within: tuple[Tensor, Tensor] | None
    given: Tensor


class EligibilityTraces:
    """Forward and backward passes of a network by e-prop.

    Raises:
        BackendUnavailable: the network has no layers of neurons.
    """

    def __init__(self, network: nn.Module) -> None:
        if not neurons_of(network):
            raise BackendUnavailable("eprop: a network without layers of neurons has no eligibility traces")
        self.network = network
        self._passed: list[Passed] = []
        self._within: dict[nn.Module, Callable[[Tensor], Tensor]] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Around the forward pass that `backward` is of.

        Raises:
            BackendUnavailable: a layer's model is no step over time, or its backend cannot truncate gradients.
        """
        self._passed = []
        layers = list(neurons_of(self.network).values())
        hooks = [layer.register_forward_pre_hook(self._take) for layer in layers]
        hooks += [layer.register_forward_hook(self._give) for layer in layers]
        for layer in layers:
            if isinstance(layer, RecurrentNeurons):
                layer.passes_back = False
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for layer in layers:
                if isinstance(layer, RecurrentNeurons):
                    layer.passes_back = True

    def _take(self, layer: Neurons, arguments: tuple[Tensor]) -> tuple[Tensor]:
        (self._current,) = arguments
        return (_leaf(self._current),)

    def _give(self, layer: Neurons, arguments: tuple[Tensor], outputs: Tensor) -> Tensor:
        if layer not in self._within:
            self._within[layer] = _within_steps(layer)
        given = _leaf(outputs)
        taken = _leaf(self._current) if self._passed else None
        within = None if taken is None else (taken, self._within[layer](taken))
        self._passed.append(Passed(self._current, arguments[0], outputs, within, given))
        return given

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of the loss of the recorded pass to those of the parameters; the pass is forgotten."""
        parameters = [own for own in self.network.parameters() if own.requires_grad]
        loss.backward(retain_graph=True, inputs=[*parameters, *(own.given for own in self._passed)])
        while self._passed:
            own = self._passed.pop()
            signal = own.given.grad
            if signal is None or not own.outputs.requires_grad:
                continue
            own.outputs.backward(signal, inputs=[own.taken, *parameters])
            if own.taken.grad is None or not own.current.requires_grad:
                continue
            # These graphs are kept: two layers may have a part of theirs in common, as behind a shortcut.
            own.current.backward(own.taken.grad, retain_graph=True, inputs=parameters)
            if own.within is not None and own.within[1].requires_grad:
                taken, outputs = own.within
                (gradient,) = torch.autograd.grad(outputs, taken, signal)
                own.current.backward(gradient, retain_graph=True, inputs=[before.given for before in self._passed])


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


def _within_steps(layer: Neurons) -> Callable[[Tensor], Tensor]:
    """The layer, by the same parameters, with gradients within each time step alone."""
    alone: Any = copy.copy(layer.neurons if isinstance(layer, RecurrentNeurons) else layer)
    alone.bptt_steps = 1
    return partial(layer.by, alone) if isinstance(layer, RecurrentNeurons) else alone.forward
