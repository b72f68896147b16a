"""Records what torch computes: every aten operation of a step and of its gradient, as nodes of a graph.

The step runs on ordinary small tensors, so whatever decides its values or its gradient takes part: `torch.no_grad`,
`detach`, hooks, an `autograd.Function` of the step's own. What reads a tensor's values into Python is refused, for the
graph could not follow it.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from types import CodeType, FrameType
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from neurons.kernels.graph import Builder, Node
from neurons.kernels.lowering import COPIES, FORMS, Call, Refused, kind_of, lower, operation_name
from neurons.kernels.shared_gradient import Origin, SharedGradients

READING = ("item", "_local_scalar_dense", "is_nonzero", "equal", "allclose")
UNDEFINED = ("empty", "empty_strided")
DEPENDS = "control flow or a Python number depends on the values of a tensor; use torch.where"


class RefusedAt(Exception):
    """What was refused, and the line of the step that it stands on."""

    def __init__(self, reason: str, line: str | None) -> None:
        super().__init__(reason)
        self.line = line


class Recorder(TorchDispatchMode):
    """Inside this mode every operation on the given tensors, or on what is made of them, becomes a node.

    Args:
        code: of the step, whose lines are noted.
        owner: the class whose properties (`decay`) give names to what they compute.
        real: dtype of the given tensors.
        shared: those of them whose values neurons share, parameters and constants.
    """

    def __init__(
        self,
        builder: Builder,
        given: Mapping[Node, Tensor],
        code: CodeType,
        owner: type,
        real: torch.dtype,
        shared: Container[Node],
    ) -> None:
        super().__init__()
        self.builder = builder
        self.code = code
        self.owner = owner
        self.real = real
        self.shape = next(iter(given.values())).shape
        self.made: list[tuple[str, str | None, Node]] = []
        """Line of the step, property and node of each operation, in their order."""
        self.backward: SharedGradients | None = None
        self._refused: RefusedAt | None = None
        self._tensors: list[Tensor] = []  # kept, so that an id stays that of its tensor
        self._nodes: dict[int, Node] = {}
        self._origins: dict[int, Origin] = {}
        self._inputs = {id(tensor) for tensor in given.values()}
        for node, tensor in given.items():
            self.note(tensor, node)
            self._origins[id(tensor)] = None, node in shared

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and to import torch._dynamo takes a second

    def node_of(self, tensor: Any) -> Node:
        """The node of a result of the step."""
        if not isinstance(tensor, Tensor):
            raise RefusedAt(f"a result is a {type(tensor).__name__}, not a tensor", None)
        value = self._value(tensor)
        if tensor.dtype != self.real:
            own, right = str(tensor.dtype), str(self.real)
            raise RefusedAt(f"a result is {own} where the input is {right}; return it .to(x.dtype)", None)
        return value if isinstance(value, Node) else self.builder.node("constant", value)

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = operation_name(func)
        try:
            if name not in FORMS and name not in COPIES:
                composed = self._compose(func, args, kwargs)
                if composed is not NotImplemented:
                    return composed
            return self._record(func, name, args, kwargs)
        except Refused as error:
            self.refuse(str(error))

    def refuse(self, reason: str, line: str | None = None) -> NoReturn:
        """Refuse what the step does at a line (else the one that is running) for good: the step cannot catch it."""
        line = line or self._place()[0] or (self.backward.line() if self.backward else None)
        self._refused = RefusedAt(reason, line)
        raise self._refused from None

    def raise_refused(self) -> None:
        if self._refused is not None:
            raise self._refused

    def _compose(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run an operation as simpler ones, where torch defines it by these."""
        by = _decompositions().get(func)
        with self:
            return by(*args, **kwargs) if by else func.decompose(*args, **kwargs)

    def _record(self, func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        defaults, given = _bound(func, args, kwargs)
        values = {key: self._value(value) if isinstance(value, Tensor) else value for key, value in given.items()}
        kinds = {key: kind_of(given[key].dtype, self.real) for key, value in values.items() if isinstance(value, Node)}
        if kinds and name in READING:
            raise Refused(DEPENDS)
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise Refused(f"the operation {name} draws random numbers")
        if func._schema.is_mutable:
            self._check_in_place(name, args[0])
        result = func(*args, **kwargs)
        if not kinds and (not isinstance(result, Tensor) or result.numel() == 1) and name not in UNDEFINED:
            return result  # made of constants alone: a number, read where it is used
        if not isinstance(result, Tensor):
            raise Refused(f"the operation {name} is not pointwise or not known")
        if result.numel() > 1 and result.shape != self.shape:
            raise Refused(f"the operation {name} changes the shape")
        if name in COPIES:
            same = next(iter(values.values()))
            node = same if isinstance(same, Node) else self.builder.node("constant", same)
        else:
            node = lower(Call(self.builder, name, values, kind_of(result.dtype, self.real), kinds), defaults)
        self.note(result, node)
        if self.backward is not None:
            self.backward.follow(node, (own for own in values.values() if isinstance(own, Node)), result)
        line, attribute = self._place()
        tensors = [value for value in given.values() if isinstance(value, Tensor)]
        self._origins[id(result)] = line, all(self._origins.get(id(value), (None, True))[1] for value in tensors)
        if line is not None and name not in COPIES:
            self.made.append((line, attribute, node))
        return result

    def note(self, tensor: Tensor, node: Node) -> None:
        """From now on, `tensor` is `node`."""
        self._tensors.append(tensor)
        self._nodes[id(tensor)] = node

    def watch_backward(self, outputs: Iterable[Tensor], cotangents: Iterable[Node]) -> None:
        """From now on operations are those of the backward pass from `outputs`."""
        made = [(tensor, self._origins[id(tensor)]) for tensor in self._tensors if id(tensor) in self._origins]
        self.backward = SharedGradients(outputs, cotangents, made, self._value, self.refuse)

    def _value(self, tensor: Tensor) -> Node | float:
        """The node of a tensor, or the number of a constant one."""
        if id(tensor) in self._nodes:
            return self._nodes[id(tensor)]
        shared = self._sharing(tensor)  # `.data` of a tensor is another view of it, which no operation makes
        for other in shared:
            if other.shape == tensor.shape and other.stride() == tensor.stride() and other.dtype == tensor.dtype:
                return self._nodes[id(other)]
        if tensor.requires_grad:
            raise Refused("a tensor that requires a gradient and is no Learnable; declare it as Learnable")
        if tensor.numel() != 1 or shared:
            raise Refused(f"a tensor of {tensor.numel()} elements that the step brings; use numbers or a Learnable")
        self._tensors.append(tensor)
        if tensor.dtype.is_complex or not tensor.device.type == "cpu":
            raise Refused(f"a constant of {tensor.dtype} on {tensor.device}; use numbers")
        return float(tensor.item())

    def _sharing(self, tensor: Tensor) -> list[Tensor]:
        """Recorded tensors in the same memory."""
        if not _has_memory(tensor):
            return []
        place = tensor.untyped_storage().data_ptr()
        known = (other for other in self._tensors if id(other) in self._nodes and _has_memory(other))
        return [other for other in known if other.untyped_storage().data_ptr() == place]

    def _check_in_place(self, name: str, target: Any) -> None:
        """A change in place is a new value of its tensor, as long as nothing else looks at the same memory."""
        if not isinstance(target, Tensor) or id(target) not in self._nodes or id(target) in self._inputs:
            raise Refused(f"{name}_ changes a tensor in place that is not the step's own; write u = u + x, not u += x")
        if any(other is not target for other in self._sharing(target)):
            raise Refused(f"{name}_ changes a tensor in place that has another name too (detach, data or a view)")

    def _place(self) -> tuple[str | None, str | None]:
        """The line of the step that is running ("number: text"), and the property that it is asking for."""
        frame: FrameType | None = sys._getframe()
        attribute = None
        while frame is not None and frame.f_code is not self.code:
            if attribute is None and isinstance(getattr(self.owner, frame.f_code.co_name, None), property):
                attribute = frame.f_code.co_name
            frame = frame.f_back
        return (None, None) if frame is None else (line_of(self.code, frame.f_lineno), attribute)


class NoReading(TorchFunctionMode):
    """Refuses what hands the memory of a tensor to Python, where no operation is seen."""

    NAMES = frozenset(
        ("tolist", "numpy", "__array__", "__dlpack__", "data_ptr", "untyped_storage", "storage", "_typed_storage")
    )

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in self.NAMES:
            self.recorder.refuse(f"{func.__name__}: {DEPENDS}")
        return func(*args, **(kwargs or {}))


def _has_memory(tensor: Tensor) -> bool:
    """False for tensors without elements, and for the zeros that autograd makes without storage."""
    return tensor.numel() > 0 and not tensor._is_zerotensor()


def line_of(code: CodeType, number: int) -> str:
    """ "number: text" of a line of a step; the text is empty where no source is known."""
    return f"{number}: {linecache.getline(code.co_filename, number).strip()}"


def _bound(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Defaults and given arguments of an aten call, by the names of its schema."""
    declared = func._schema.arguments
    defaults = {argument.name: argument.default_value for argument in declared if argument.has_default_value()}
    given = dict(zip((argument.name for argument in declared), args, strict=False))
    return defaults, {**given, **kwargs}


@cache
def _decompositions() -> dict[Any, Callable[..., Any]]:
    """Torch's own definitions, in simple operations, of the backward and composite functions that a step may use."""
    aten = torch.ops.aten
    composite = """hardtanh hardtanh_backward leaky_relu
        leaky_relu_backward elu elu_backward gelu gelu_backward silu silu_backward softplus softplus_backward
        hardsigmoid hardsigmoid_backward hardswish hardswish_backward logit logit_backward log_sigmoid_forward
        log_sigmoid_backward lerp heaviside xlogy sinc frac fill masked_fill
        new_zeros new_ones new_full"""
    return get_decompositions([getattr(aten, name) for name in composite.split() if hasattr(aten, name)])
