"""Batch norm and neurons in one pass.

In front of a step a batch norm is one product and one sum with numbers of each channel, u ↦ scale·u + shift: two
learnables more of the model, in whose kernel they cost nothing. What is left of the norm is a look at the input for its
mean and variance, and in backward a correction of the input's gradient for both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from neurons import peers
from neurons.backends import Runner, runner_for
from neurons.errors import BackendUnavailable, InvalidValue
from neurons.kernels.cpu import norm as cpu_norm
from neurons.layer import NeuronLayer
from neurons.learnable import Learnable
from neurons.model import Neuron

SCALE, SHIFT = "norm_scale", "norm_shift"
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class NormalizedLayer(nn.Module):
    """A batch norm over time, batch and space, and a layer of neurons behind it, as one layer.

    It computes what `layer(norm(x.flatten(0, 1)).unflatten(0, x.shape[:2]))` does: in training by the statistics of the
    input, which the running averages follow, else by the running averages.

    Args:
        layer: the neurons; any backend that is made from the step.
        norm: `nn.BatchNorm1d`, `2d` or `3d`, or one of them that `threshold_dependent` made a tdBN.

    Raises:
        InvalidValue: another kind of norm, or other channels than the layer's.
    """

    def __init__(self, layer: NeuronLayer, norm: Any) -> None:
        super().__init__()
        if not isinstance(norm, NORMS) or type(norm).forward is not _BatchNorm.forward:
            raise InvalidValue(f"norm must be nn.BatchNorm1d, 2d or 3d, not {type(norm).__name__}")
        if layer.channels not in (None, norm.num_features):
            raise InvalidValue(f"the norm has {norm.num_features} channels, the layer {layer.channels}")
        if not layer.neuron.runs_over_time():
            raise InvalidValue(f"{layer.neuron.name} is not a step over time: put the norm in front of it")
        self.layer = layer
        self.norm: Any = norm
        self._runners: dict[str, tuple[Any, Neuron, Runner]] = {}

    @property
    def neuron(self) -> Neuron:
        return self.layer.neuron

    @property
    def backend(self) -> str:
        return self.layer.backend

    def forward(self, x: Tensor) -> Tensor:
        """Spikes [T, N, C, *features] for the input of the norm of that shape."""
        self.layer._check_input(x)
        if x.ndim < 3 or x.shape[2] != self.norm.num_features:
            raise InvalidValue(f"input must be [T, N, {self.norm.num_features}, *features], not {list(x.shape)}")
        x, mean, variance = self._moments(x)
        scale, shift = self._scale_and_shift(mean, variance)
        parameters = {**self.layer.parameters_on(x), SCALE: scale, SHIFT: shift}
        return self._runner(x)(parameters, x)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x, and the mean and variance to norm it by; in training the running averages take note of x."""
        norm = self.norm
        if not norm.training and norm.running_mean is not None:
            return x, norm.running_mean, norm.running_var
        x, mean, variance = _Moments.apply(x)
        if norm.training and norm.running_mean is not None:
            _follow(norm, mean.detach(), variance.detach(), x.numel() // x.shape[2])
        return x, mean, variance

    def _scale_and_shift(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """What the norm multiplies each channel by, then adds."""
        scale = torch.rsqrt(variance + self.norm.eps)
        if self.norm.weight is None:
            return scale, -mean * scale
        scale = scale * self.norm.weight
        return scale, self.norm.bias - mean * scale

    def _runner(self, x: Tensor) -> Runner:
        layer, kind = self.layer, x.device.type
        made_for = layer.neuron.version(), layer.backend, layer.bptt_steps
        known = self._runners.get(kind)
        if known is None or known[0] != made_for:
            if layer.backend in peers.PACKAGES:
                raise BackendUnavailable(f"{layer.backend} takes no norm into its kernel: use norm and layer apart")
            neuron = _with_norm(layer.neuron)
            runner = runner_for(layer.backend, neuron, x.device, layer.bptt_steps)
            known = self._runners[kind] = made_for, neuron, runner
        for name in layer.neuron.annealed_constants():
            if getattr(known[1], name) != getattr(layer.neuron, name):
                setattr(known[1], name, getattr(layer.neuron, name))
        return known[2]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without what can be prepared again."""
        return {**self.__dict__, "_runners": {}}


def threshold_dependent(norm: Any, v_th: float, alpha: float = 1.0) -> Any:
    """Make a batch norm the tdBN of Zheng et al., AAAI 2021, eq. 5-7: y = λ·α·v_th·(x − E[x])/√(Var[x] + ε) + β.

    λ is what the norm learns as its weight; `norm.weight` is λ·α·v_th, for all that read it. E and Var are over all
    dimensions but the channels', so over time too where it is folded into the batch.
    """
    parametrize.register_parametrization(norm, "weight", _Gain(alpha * v_th))
    return norm


class _Gain(nn.Module):
    """A constant factor of a parameter."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, weight: Tensor) -> Tensor:
        return self.gain * weight


def _with_norm(neuron: Neuron) -> Neuron:
    """The same neuron behind scale and shift."""
    normed = object.__new__(_class_with_norm(type(neuron)))
    vars(normed).update(neuron.__getstate__())
    return normed


@lru_cache(256)
def _class_with_norm(cls: type[Neuron]) -> type[Neuron]:
    def step(self: Any, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        return cls.step(self, getattr(self, SCALE) * x + getattr(self, SHIFT), *states)

    declared = {SCALE: Learnable(1.0, per="channel"), SHIFT: Learnable(0.0, per="channel")}
    cls.use()
    kind: Any = type(cls)
    made: type[Neuron] = kind(cls.__name__, (cls,), {**declared, "step": step, "__module__": cls.__module__})
    return made


class _Moments(torch.autograd.Function):
    """x [T, N, C, *features] itself, and the mean and biased variance of each channel, in float32 for 16-bit x.

    As x goes through here, backward sees all of its gradient, and adds the share of mean and variance in one pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = x.contiguous()
        mean, variance = _moments(x)
        ctx.save_for_backward(x, mean)
        return x.view_as(x), mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_mean: Tensor, grad_variance: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        count = x.numel() // x.shape[2]
        slope = 2 * grad_variance / count
        offset = grad_mean / count - slope * mean
        if not torch.is_grad_enabled() and cpu_norm.takes(x) and cpu_norm.takes(grad) and grad.dtype == x.dtype:
            # The gradient comes from a product with the scale, so it is a tensor of its own.
            grad = grad.contiguous()
            cpu_norm.correct(grad, x, slope, offset)
            return grad
        shape = (-1, *[1] * (x.ndim - 3))
        return grad + torch.addcmul(offset.reshape(shape).to(x.dtype), x, slope.reshape(shape).to(x.dtype))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    if cpu_norm.takes(x):
        mean, variance = cpu_norm.moments(x)
        return mean.to(wide), variance.to(wide)
    own = x.to(wide).reshape(x.shape[0], x.shape[1], x.shape[2], -1)
    variance, mean = torch.var_mean(own, (0, 1, 3), correction=0)
    return mean, variance


@torch.no_grad()
def _follow(norm: Any, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running averages of a norm towards the moments of an input of `count` values a channel."""
    if count < 2:
        raise InvalidValue("a batch norm in training needs more than 1 value of each channel")
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var.dtype), share)
