"""One training step of a network on a batch of real data, and the part of it that the neurons take."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tasks.base import Cell
from tasks.networks import Neurons, RecurrentNeurons, neurons_of
from tasks.training.arithmetic import Arithmetic
from tasks.training.loop import Trainer
from tasks.training.network_task import prepare
from tasks.training.recipe import Recipe


class TrainingStep:
    """The same batch at each call: `step` trains on it, `neurons_alone` repeats what its layers of neurons did."""

    def __init__(self, cell: Cell) -> None:
        self.dataset, self.network = prepare(cell)
        recipe, how = Recipe.from_settings(dict(cell.settings)), Arithmetic.of(cell.settings, cell.torch_device)
        self.trainer = Trainer(self.network, recipe, self.dataset.readout, how)
        samples = self.dataset.indices("train")
        repeated = torch.arange(recipe.batch_size, device=samples.device) % len(samples)
        x, self.y = self.dataset.batch(samples[repeated])
        self.x = how.in_format(x)
        self.currents: list[tuple[Neurons, Tensor, Tensor]] = []

    def step(self) -> None:
        self.trainer.step(self.x, self.y)

    def record_currents(self) -> None:
        """Keep the input of each layer of neurons, for `neurons_alone`."""

        def record(layer: Neurons, arguments: tuple[Tensor], output: Any) -> None:
            current = arguments[0].detach().requires_grad_()
            self.currents.append((layer, current, torch.ones_like(current)))

        hooks = [layer.register_forward_hook(record) for layer in neurons_of(self.network).values()]
        with torch.no_grad(), self.trainer.arithmetic.autocast():
            self.network(self.x)
        for hook in hooks:
            hook.remove()

    def neurons_alone(self) -> None:
        """Forward and backward of every layer of neurons on its recorded input, its feedback (a synapse) apart."""
        for layer, current, gradient in self.currents:
            current.grad = None
            run = layer.alone if isinstance(layer, RecurrentNeurons) else layer
            run(current).backward(gradient)
