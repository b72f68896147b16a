"""Refuses what a kernel cannot do to a gradient that neurons share.

What is made of parameters alone is one value for many neurons, and torch sums their gradients before they reach it. A
kernel carries each neuron's share further and sums last, which is the same as long as the way back is linear. An
`autograd.Function` of the step's own, or a hook, may do something else (clip, take the sign, normalise): where each
neuron has its own value that is kept, where they share one it is refused by its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from neurons.kernels.graph import Node, is_zero, ordered

Origin = tuple[str | None, bool]
"""Of a tensor of the forward pass: its line in the step ("number: text"), and whether neurons share its values."""


class SharedGradients:
    """Watches a backward pass under the recorder.

    Args:
        outputs: of the forward pass.
        cotangents: nodes that the backward pass starts from.
        made: tensors of the forward pass, and where each comes from.
        node_of: the node of a tensor; a number for a constant one.
        refuse: raises for a reason and a line of the step.
    """

    def __init__(
        self,
        outputs: Iterable[Tensor],
        cotangents: Iterable[Node],
        made: Iterable[tuple[Tensor, Origin]],
        node_of: Callable[[Tensor], Node | float],
        refuse: Callable[[str, str | None], NoReturn],
    ) -> None:
        self.gradients = set(cotangents)
        """What depends on the cotangents."""
        self.zeros: set[Node] = set()
        """What is made of zero gradients."""
        self.node_of, self.refuse = node_of, refuse
        self.origins: dict[Any, Origin] = {}
        for tensor, origin in made:
            step = tensor.grad_fn if tensor.requires_grad else None
            if tensor.requires_grad and tensor.grad_fn is None:
                step = torch.autograd.graph.get_gradient_edge(tensor).node
            if step is not None:
                _, shared = self.origins.get(step, origin)
                self.origins[step] = origin[0], shared or origin[1]
        self._complete([tensor.grad_fn for tensor in outputs if tensor.grad_fn is not None])
        for step, (_, shared) in self.origins.items():
            if shared and step.next_functions:
                step.register_prehook(lambda given, step=step: self._check(step, given))
                step.register_hook(lambda found, given, step=step: self._check(step, found))

    def _complete(self, steps: list[Any]) -> None:
        """Find what else the backward pass goes through (values that were changed in place since)."""
        order = list(dict.fromkeys(steps))
        for step in order:
            for after, _ in step.next_functions:
                if after is not None and after not in order:
                    order.append(after)
                if after is not None and after not in self.origins:
                    self.origins[after] = self.origins[step]

    def line(self) -> str | None:
        """The line of the forward pass whose gradient is being computed."""
        return self.origins.get(torch._C._current_autograd_node(), (None, False))[0]

    def follow(self, result: Node, arguments: Iterable[Node], value: Tensor) -> None:
        """Take note of an operation; refuse it where it is not linear in a gradient that neurons share."""
        stop = {node: node for node in arguments}
        linear = True
        for node in ordered([result], stop=stop):
            if node not in stop and any(source in self.gradients for source in node.sources()):
                linear &= is_linear(node, self.gradients, self.zeros)
                self.gradients.add(node)
            elif node not in stop and self._made_of_zeros(node):
                self.zeros.add(node)
        if all(node in self.zeros or node.operation == "constant" for node in stop) and _is_zero_everywhere(value):
            self.zeros.add(result)
        step = torch._C._current_autograd_node()
        line, shared = self.origins.get(step, (None, False))
        if shared and not linear:
            self.refuse(_reason(step, "is not linear in the gradient"), line)

    def _made_of_zeros(self, node: Node) -> bool:
        zeros = [value in self.zeros or is_zero(value) for value in node.arguments]
        if node.operation == "mul":
            return any(zeros)
        deciding = {"div": zeros[:1], "where": zeros[1:]}.get(node.operation, zeros)
        return node.operation in ("add", "sub", "neg", "div", "where") and all(deciding)

    def _check(self, step: Any, gradients: Sequence[Tensor | None]) -> None:
        for tensor in gradients:
            value = 0.0 if tensor is None else self.node_of(tensor)
            if value not in self.gradients and value not in self.zeros and not is_zero(value):
                self.refuse(_reason(step, "has a part that does not depend on the gradient"), self.origins[step][0])


def is_linear(node: Node, varying: AbstractSet[Node], zeros: AbstractSet[Node] = frozenset()) -> bool:
    """Whether an operation is linear in those of its arguments that are among `varying`; `zeros` are known to be 0."""
    varies = [value in varying for value in node.arguments]
    homogeneous = [own or value in zeros or is_zero(value) for own, value in zip(varies, node.arguments, strict=True)]
    if node.operation in ("add", "sub", "neg"):
        return all(homogeneous)
    if node.operation == "mul":
        return varies.count(True) == 1
    if node.operation == "div":
        return varies == [True, False]
    if node.operation == "where":
        return not varies[0] and all(homogeneous[1:])
    return False


def _is_zero_everywhere(value: Tensor) -> bool:
    with _disable_current_modes():
        return not bool(value.any())


def _reason(step: Any, fault: str) -> str:
    name = step.name().removesuffix("Backward").rpartition("::")[2]
    who = f"the backward pass of {name}" if isinstance(step, torch.autograd.function.BackwardCFunction) else "a hook"
    return (
        f"{who} {fault}, and neurons share what it is applied to: a kernel would give it each neuron's part of a sum; "
        "apply it to values of each neuron"
    )
