"""The process in which packages of JAX run, started by `neurons.peers.apart`; `--double` keeps numbers of 64 bits."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from neurons import peers
from neurons.peers.apart import Named
from neurons.peers.jax_peer import JaxPeer
from neurons.peers.peer import versioned


class Server:
    """What may be asked for; each request names a method."""

    def __init__(self, double: bool) -> None:
        self.double = double
        self._works: dict[object, Callable[[], Any]] = {}

    def forget(self) -> None:
        """Free what was prepared."""
        self._works.clear()

    def spikes(self, neuron: Named, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Of the neuron for the input x [T, N, *features]."""
        return np.array(self._function(neuron, x)(self._on_device(x)))

    def gradient(self, neuron: Named, x: np.ndarray[Any, Any], gradient: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Of the input, for a gradient of the output."""
        import jax

        _, backward = jax.vjp(self._function(neuron, x), self._on_device(x))
        return np.array(backward(self._on_device(gradient))[0])

    def linear(self, rows: tuple[int, ...], width: int, input_gradient: bool, seed: int) -> None:
        """Prepare "linear": a Linear(width, width) over all rows of an input [*rows, width] in one call."""
        import jax

        weight, x = self._tensors(rows, width, seed)

        def forward(weight: Any, x: Any) -> Any:
            return x @ weight

        self._prepare("linear", forward, (weight, x), (0, 1) if input_gradient else (0,), jax.numpy.ones_like(x))

    def neuron(self, neuron: Named, rows: tuple[int, ...], width: int, seed: int) -> float:
        """Prepare a neuron on currents [*rows, width]; the seconds that compiling both directions took."""
        import jax

        _, noise = self._tensors(rows, 1, seed, width)
        current = neurons_drive(noise)
        function = self._function(neuron, current)
        return self._prepare(neuron, function, (current,), (0,), jax.numpy.ones_like(current))

    def together(self, neuron: Named, rows: tuple[int, ...], width: int, input_gradient: bool, seed: int) -> float:
        """Prepare ("together", neuron): a Linear and the neuron behind it."""
        import jax

        weight, x = self._tensors(rows, width, seed)
        function = self._function(neuron, x)

        def forward(weight: Any, x: Any) -> Any:
            return function(neurons_drive(x @ weight))

        key = "together", neuron
        return self._prepare(key, forward, (weight, x), (0, 1) if input_gradient else (0,), jax.numpy.ones_like(x))

    def seconds(self, key: object, direction: str, repeats: int) -> float:
        """Of one of `repeats` calls of what was prepared under that key."""
        import jax

        work = self._works[key, direction]
        started = time.perf_counter()
        for _ in range(repeats):
            jax.block_until_ready(work())
        return (time.perf_counter() - started) / repeats

    def peak(self, key: object, direction: str) -> int:
        """Bytes by which this process grew at most during one call (of the CPU's memory)."""
        import jax

        Path("/proc/self/clear_refs").write_text("5")
        before = _process_bytes("VmRSS")
        jax.block_until_ready(self._works[key, direction]())
        return max(0, _process_bytes("VmHWM") - before)

    def _prepare(self, key: object, forward: Callable[..., Any], values: Any, of: Any, gradient: Any) -> float:
        import jax

        def both(values: Any, gradient: Any) -> Any:
            def partial(*chosen: Any) -> Any:
                every = list(values)
                for place, value in zip(of, chosen, strict=True):
                    every[place] = value
                return forward(*every)

            output, backward = jax.vjp(partial, *(values[place] for place in of))
            return output, backward(gradient)

        started = time.perf_counter()
        forward_only = jax.jit(forward).lower(*values).compile()
        forward_backward = jax.jit(both).lower(values, gradient).compile()
        seconds = time.perf_counter() - started
        self._works[key, "forward"] = lambda: forward_only(*values)
        self._works[key, "forward_backward"] = lambda: forward_backward(values, gradient)
        return seconds

    def _tensors(self, rows: tuple[int, ...], width: int, seed: int, columns: int | None = None) -> tuple[Any, Any]:
        """A weight [width, width] of variance 1/width, and noise [*rows, columns], on the device."""
        import jax

        first, second = jax.random.split(jax.random.key(seed))
        weight = jax.random.normal(first, (width, width), np.float32) / width**0.5
        noise = jax.random.normal(second, (*rows, columns or width), np.float32)
        return jax.block_until_ready((weight, noise))

    def _on_device(self, values: np.ndarray[Any, Any]) -> Any:
        import jax.numpy

        return jax.numpy.asarray(values)

    def _function(self, neuron: Named, like: Any) -> Callable[[Any], Any]:
        peer = peers.get(neuron.name)(neuron.timesteps, **dict(neuron.constants))
        assert isinstance(peer, JaxPeer)
        try:
            return peer.function(like.shape, self.double)
        except Exception as error:
            raise RuntimeError(f"{versioned(peer.package)} fails: {_told(error)}") from error


def neurons_drive(noise: Any) -> Any:
    """Currents that keep a LIF firing at a usual rate, from noise of variance 1."""
    from neurons.peers.equivalence import DRIVE_DEVIATION, DRIVE_MEAN

    return np.float32(DRIVE_MEAN) + np.float32(DRIVE_DEVIATION) * noise


def _process_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def _told(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return line if isinstance(error, RuntimeError) and " fails: " in line else f"{type(error).__name__}: {line}"


def serve(requests: BinaryIO, answers: BinaryIO, double: bool) -> None:
    """Answer until the requests end."""
    server = Server(double)
    while True:
        try:
            request, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = True, getattr(server, request)(*arguments)
        except Exception as error:
            answer = False, _told(error)
        pickle.dump(answer, answers)
        answers.flush()


def main() -> None:
    """Take over standard output, so that what packages print does not stand between answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    double = "--double" in sys.argv[1:]
    if double:
        os.environ["JAX_ENABLE_X64"] = "1"
    serve(sys.stdin.buffer, answers, double)


if __name__ == "__main__":
    main()
