"""One training step of a network on a batch of real data, and the part of it that the neurons take."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurons import NeuronLayer
from tasks.base import Cell
from tasks.training.losses import LOSSES, read_out
from tasks.training.network_task import prepare
from tasks.training.recipe import Recipe


class TrainingStep:
    """The same batch at each call: `step` trains on it, `neurons_alone` repeats what its layers of neurons did."""

    def __init__(self, cell: Cell) -> None:
        self.dataset, self.network = prepare(cell)
        self.recipe = Recipe.from_settings(dict(cell.settings))
        self.optimizer = self.recipe.make_optimizer(self.network)
        inputs, labels = self.dataset.part("train")
        repeated = torch.arange(self.recipe.batch_size) % len(labels)
        self.x, self.y = inputs[repeated], labels[repeated]
        self.currents: list[tuple[NeuronLayer, Tensor, Tensor]] = []

    def step(self) -> None:
        loss = LOSSES[self.recipe.loss](read_out(self.network(self.x), self.dataset.readout), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def record_currents(self) -> None:
        """Keep the input of each layer of neurons, for `neurons_alone`."""

        def record(layer: NeuronLayer, arguments: tuple[Tensor], output: Any) -> None:
            current = arguments[0].detach().requires_grad_()
            self.currents.append((layer, current, torch.ones_like(current)))

        layers = [module for module in self.network.modules() if isinstance(module, NeuronLayer)]
        hooks = [layer.register_forward_hook(record) for layer in layers]
        with torch.no_grad():
            self.network(self.x)
        for hook in hooks:
            hook.remove()

    def neurons_alone(self) -> None:
        """Forward and backward of every layer of neurons on its recorded input."""
        for layer, current, gradient in self.currents:
            current.grad = None
            layer(current).backward(gradient)
