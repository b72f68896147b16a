"""A neuron model: its states, its parameters and one step in time, in plain torch.

Everything the suite knows of a model (reference, fused kernels, gradients, costs) derives from `Neuron.step`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, ClassVar, Self
from weakref import WeakMethod

import torch
from torch import Tensor

from neurons.checks import like, whole_number
from neurons.errors import InvalidValue, UnknownName
from neurons.learnable import Draw, First, Learnable, broadcastable
from neurons.levels import levels
from neurons.source import Source
from neurons.span import Span
from neurons.surrogate import SURROGATES, spike

CONSTANTS = (
    *("tau", "v_th", "v_reset", "surrogate", "surrogate_width", "surrogate_gain", "reset", "decay_input"),
    "detach_reset",
)

DERIVED = ("_derived", "_mutable", "_held", "_listeners", "_changes")
"""Attributes of a model that are made again where they are missing."""
VALUES = (int, float, complex, str, bytes, type(None), Learnable, Source)
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, property, classmethod, staticmethod)


class NeuronType(type):
    """Type of all models: counts changes of their class attributes once there are instances."""

    changes = 0

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        NeuronType.changes += "used" in vars(cls)

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        NeuronType.changes += "used" in vars(cls)

    def use(cls) -> None:
        """From now on there are instances: changes of this class and of its bases count."""
        for base in cls.__mro__:
            if isinstance(base, NeuronType) and "used" not in vars(base):
                type.__setattr__(base, "used", True)


class Neuron(metaclass=NeuronType):
    """Base of all models. A subclass declares `states`, its `Learnable`s and `step`.

    Attributes (the controlled protocol; a class attribute or a keyword of `layer` overrides each):
        tau: membrane time constant in steps; the decay of a step is 1 − 1/tau.
        v_th: firing threshold.  v_reset: potential after a hard reset.
        surrogate, surrogate_width, surrogate_gain: derivative used for the spike, see `neurons.surrogate`; times gain.
        reset: "soft" subtracts the threshold, "hard" sets `v_reset`.
        decay_input: scale the input by 1/tau, as the leak of the membrane does.
        detach_reset: keep the reset out of the gradient.
    """

    name: ClassVar[str]
    states: ClassVar[tuple[str, ...]] = ()
    causal: ClassVar[bool] = True
    """False for a model without a step whose outputs depend on later inputs."""
    published: ClassVar[Mapping[str, Any]] = {}
    """Constants that the model's own paper used, where they differ from the controlled protocol."""
    tuning: ClassVar[Mapping[str, Span]] = {}
    """What constants and learnables of its own may be while it is tuned, beside those that all models share."""
    spiking: ClassVar[bool] = True
    """False for a baseline with real-valued output."""
    source: ClassVar[Source | None] = None
    tags: ClassVar[tuple[str, ...]] = ()
    """What a model is, in words to choose it by; "standard" ones are compared where nobody names any."""

    tau: Any = 2.0
    v_th: Any = 1.0
    v_reset: float = 0.0
    surrogate: str = "rectangle"
    surrogate_width: float = 1.0
    surrogate_gain: float = 1.0
    annealed: ClassVar[tuple[str, ...]] = ("surrogate_width",)
    """Constants that may change from call to call, as annealing does, without a kernel made anew."""
    _changes: int = 0
    reset: str = "soft"
    decay_input: bool = False
    detach_reset: bool = False

    def __init__(self, timesteps: int | None = None, **overrides: Any) -> None:
        type(self).use()
        self.timesteps = whole_number("timesteps", timesteps)
        learnables = self.learnables()
        for key, value in overrides.items():
            if key in learnables:
                setattr(self, key, replace(learnables[key], initial=float(like(key, value, 0.0)), spread=0.0))
            elif key in self.constants():
                setattr(self, key, like(key, value, getattr(type(self), key)))
            else:
                raise UnknownName(f"parameter of {self.name}", key, [*self.constants(), *learnables])
        self._check_constants()

    def __setattr__(self, name: str, value: Any) -> None:
        """A change takes effect at the next call of the layer; that of an annealed number makes no kernel anew.

        Raises:
            InvalidValue: `name` is learnable, so its value is a parameter of the layer; or a number out of its range.
        """
        if not isinstance(value, Learnable) and name in type(self).learnables():
            raise InvalidValue(f"{name} of {self.name} is learnable: change the parameter '{name}' of the layer")
        super().__setattr__(name, value)
        held = vars(self).get("_held", {})
        if name in held and type(value) in (int, float):
            self._check_constants()
            for tensor in held[name].values():
                tensor.fill_(value)
        else:
            vars(self)["_changes"] = self._changes + 1
            for listener in list(vars(self).get("_listeners", {}).values()):
                prepare = listener()
                if prepare is not None:
                    prepare()  # not at the next call, which may be one of a compiled network

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without what can be derived again."""
        return {name: value for name, value in vars(self).items() if name not in DERIVED}

    def run(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """A model without a step: its `forward` over x [T, N, *features], its parameters broadcast to x."""
        shaped = {}
        for name, declared in self.learnables().items():
            if declared.shape is not None:
                shaped[name] = parameters[name].to(x.dtype)
            elif declared.per == "step_channel":
                shaped[name] = broadcastable(parameters[name], x, True).unsqueeze(1)
            else:
                shaped[name] = broadcastable(parameters[name], x, False)
        found: Tensor = self.bind(shaped).forward(x)  # type: ignore[attr-defined]
        return found

    def step(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        """step(x, *states): one time step, (output, *states) from input current and states; pointwise, of one shape."""
        raise NotImplementedError

    @property
    def inverse_tau(self) -> Any:
        """1/tau, the share of the membrane potential that leaks in a step."""
        return 1 / self.tau

    @property
    def decay(self) -> Any:
        """1 − 1/tau, the paper's γ: the share of the membrane potential that stays after a step."""
        return 1 - self.inverse_tau

    def spike(self, distance: Tensor) -> Tensor:
        """Θ(distance) with the model's surrogate gradient; `distance` is the potential minus the threshold."""
        return spike(distance, self.surrogate, self.surrogate_width, self.surrogate_gain)

    def levels(self, value: Tensor, low: float, high: float) -> Tensor:
        """`value` clipped to [low, high] and rounded, with a straight-through gradient inside of the bounds."""
        return levels(value, low, high)

    def charge(self, u: Tensor, x: Tensor) -> Tensor:
        """Leak and integrate: decay·u + x, the input scaled by 1/tau where the protocol decays it."""
        return self.decay * u + (x * self.inverse_tau if self.decay_input else x)

    @property
    def input_scale(self) -> float:
        """The input that moves the potential as far as an input of 1 moves that of a LIF without input decay."""
        return float(self.tau) if self.decay_input and isinstance(self.tau, (int, float)) else 1.0

    @property
    def events(self) -> int:
        """The most events that one output may stand for, each an accumulation in every synapse behind it."""
        return 1

    @property
    def bits(self) -> int:
        """How many bits tell the values of one output of a spiking model apart: as many events, or fewer."""
        return math.ceil(math.log2(self.events + 1))

    def fire_reset(self, u: Tensor, spike: Tensor, threshold: Tensor | None = None) -> Tensor:
        """The potential after a spike: u − v_th·spike (soft) or u·(1 − spike) + v_reset·spike (hard).

        Args:
            threshold: what a soft reset takes away, where that is not v_th.
        """
        if self.detach_reset:
            spike = spike.detach()
        if self.reset == "soft":
            return u - spike * (self.v_th if threshold is None else threshold)
        return u * (1 - spike) + self.v_reset * spike

    @classmethod
    def learnables(cls) -> dict[str, Learnable]:
        """The declared trainable parameters by name, base classes first."""
        found: dict[str, Learnable] = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if isinstance(value, Learnable):
                    found[name] = value
                elif name in found:
                    del found[name]
        return found

    @classmethod
    def bounded(cls) -> Mapping[str, Learnable]:
        """Those of the learnables that have bounds."""
        return _bounded(cls, NeuronType.changes)

    @classmethod
    def constants(cls) -> list[str]:
        """The names that `layer(..., name=value)` may set: common constants and the class's own numbers."""
        own = [
            name
            for base in cls.__mro__
            if base not in (Neuron, object)
            for name, value in vars(base).items()
            if isinstance(value, (int, float, str)) and not name.startswith("_") and name not in ("name", "spiking")
        ]
        learnable = cls.learnables()
        return [name for name in dict.fromkeys([*CONSTANTS, *own]) if name not in learnable]

    @classmethod
    def runs_over_time(cls) -> bool:
        """False for a model that is no step over time and brings a `forward` of its own instead."""
        return not hasattr(cls, "forward")

    def annealed_constants(self) -> tuple[str, ...]:
        """Those of `annealed` that are plain numbers here."""
        values = {name: getattr(self, name, None) for name in self.annealed}
        return tuple(name for name, value in values.items() if type(value) in (int, float))

    def version(self) -> Hashable:
        """Another value once an attribute of this model or of its class has changed, or what a mutable one holds."""
        counted = NeuronType.changes, self._changes
        known = vars(self).get("_mutable")
        if known is None or known[0] != counted:
            known = vars(self)["_mutable"] = counted, self._mutable_attributes()
        return (counted, frozen({name: getattr(self, name) for name in known[1]})) if known[1] else counted

    def listen(self, prepare: Any) -> None:
        """Call a method of a layer whenever an attribute is set that is not annealed."""
        listeners: dict[int, WeakMethod[Any]] = vars(self).get("_listeners", {})
        known = {key: own for key, own in listeners.items() if own() is not None}
        vars(self)["_listeners"] = {**known, id(prepare.__self__): WeakMethod(prepare)}

    def held(self, name: str, dtype: torch.dtype, device: torch.device) -> Tensor:
        """An annealed constant as a tensor of one number, which follows the attribute."""
        held: dict[str, dict[Any, Tensor]] = vars(self).get("_held", {})
        vars(self)["_held"] = held
        tensors = held.setdefault(name, {})
        if (dtype, device) not in tensors:
            with torch.inference_mode(False):
                tensors[dtype, device] = torch.tensor(float(getattr(self, name)), dtype=dtype, device=device)
        return tensors[dtype, device]

    def derived(self, kind: str) -> dict[Any, Any]:
        """A store for what is made of this model; empty once the model has changed.

        Raises:
            UnknownName, InvalidValue: a changed constant has a value outside its range.
        """
        version = self.version()
        known = vars(self).get("_derived")
        if known is None or known[0] != version:
            self._check_constants()
            vars(self).pop("_held", None)
            known = vars(self)["_derived"] = version, {}
        stores: dict[str, dict[Any, Any]] = known[1]
        return stores.setdefault(kind, {})

    def _mutable_attributes(self) -> list[str]:
        skipped = (*DERIVED, "published", "tuning")
        declared = {name: value for base in type(self).__mro__[-2::-1] for name, value in vars(base).items()}
        values = {name: value for name, value in declared.items() if not name.startswith("__")} | vars(self)
        return [name for name, value in values.items() if name not in skipped and not _is_fixed(value)]

    def initial_parameters(self, channels: int | None) -> dict[str, Tensor]:
        """First values of the trainable parameters, float32, drawn from torch's global generator."""
        values: dict[str, Tensor] = {}
        for name in self.learnables():
            declared: Learnable = getattr(self, name)
            shape = declared.stored_shape(self, channels)
            values[name] = declared.values(self._first_value(name, declared), shape, values)
        return values

    def _first_value(self, name: str, declared: Learnable) -> First:
        if isinstance(declared.initial, (Draw, Tensor)):
            return declared.initial
        if not callable(declared.initial):
            return float(declared.initial)
        try:
            found = declared.initial(self)
            return found if isinstance(found, (Draw, Tensor)) else float(found)
        except (ArithmeticError, TypeError, ValueError) as error:
            if isinstance(error, TypeError) and self.timesteps is None:
                raise InvalidValue(f"{self.name} needs the number of steps: layer(..., timesteps=8)") from error
            constants = f"tau={self.tau}, v_th={self.v_th}, timesteps={self.timesteps}"
            raise InvalidValue(f"{self.name}: {name} has no first value at {constants} ({error})") from error

    def bind(self, parameters: Mapping[str, Any]) -> Self:
        """A copy whose trainable parameters are the given tensors, within their bounds, so that `step` can use them."""
        bound = object.__new__(type(self))
        vars(bound).update(vars(self))
        for name in DERIVED:
            vars(bound).pop(name, None)
        vars(bound).update(parameters)
        for name, declared in self.bounded().items():
            if name in parameters:
                vars(bound)[name] = declared.within(parameters[name])
        return bound

    def snapshot(self) -> Self:
        """A copy that keeps what this model and its class hold now: constants, and what is in mutable attributes."""
        own = self.bind({})
        for base in type(self).__mro__[:-1]:
            for name, declared in vars(base).items():
                if not name.startswith("__") and name not in DERIVED and not isinstance(declared, (Learnable, *CODE)):
                    vars(own).setdefault(name, getattr(self, name))
        for name in set(self._mutable_attributes()) & set(vars(own)):
            vars(own)[name] = deepcopy(vars(own)[name])
        return own

    def _check_constants(self) -> None:
        if self.surrogate not in SURROGATES:
            raise UnknownName("surrogate", self.surrogate, SURROGATES)
        if self.reset not in ("soft", "hard"):
            raise UnknownName("reset", self.reset, ("soft", "hard"))
        if isinstance(self.tau, (int, float)) and not (self.tau >= 1 and math.isfinite(self.tau)):
            raise InvalidValue(f"tau must be at least 1 step (1 keeps nothing of the potential), not {self.tau}")
        for name in ("surrogate_width", "surrogate_gain"):
            if not getattr(self, name) > 0:
                raise InvalidValue(f"{name} must be above 0, not {getattr(self, name)}")


@lru_cache(256)
def _bounded(cls: type[Neuron], changes: int) -> dict[str, Learnable]:
    """The learnables of a class that have bounds; `changes` tells when they may be others."""
    return {name: declared for name, declared in cls.learnables().items() if declared.bounded}


def _is_fixed(value: Any) -> bool:
    """Whether an attribute changes only by being set, which `Neuron` and its type see."""
    return isinstance(value, VALUES + CODE) or (isinstance(value, tuple) and all(map(_is_fixed, value)))


def frozen(value: Any, depth: int = 4) -> Hashable:
    """The contents of a mutable value down to a depth, to be compared with what they are later."""
    if _is_fixed(value) or not depth:
        return repr(value)
    if isinstance(value, Mapping):
        return tuple((repr(key), frozen(own, depth - 1)) for key, own in value.items())
    if isinstance(value, (list, tuple, set)):
        return tuple(frozen(own, depth - 1) for own in value)
    if isinstance(value, Tensor):
        return id(value), value._version
    if hasattr(value, "tobytes"):  # an array of numpy
        return value.tobytes()
    return (id(value), frozen(vars(value), depth - 1)) if hasattr(value, "__dict__") else repr(value)


def logit(probability: float) -> float:
    """The value whose sigmoid is `probability`."""
    return math.log(probability / (1 - probability))
