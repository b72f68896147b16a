"""A process that runs packages which may not be loaded into one that times torch: JAX brings threads of its own.

The process is `python -m neurons.peers.apart_server`. Requests and answers are pickled, one after the other, over its
standard input and output; it ends when its input ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurons.errors import BackendUnavailable

PLATFORMS = {"cpu": "cpu", "cuda": "cuda"}
"""JAX's name for each kind of torch's devices."""


@dataclass(frozen=True)
class Named:
    """A neuron of a package by name, with its constants: what travels to the process."""

    name: str
    timesteps: int | None
    constants: tuple[tuple[str, Any], ...]


class Apart:
    """A process for such packages.

    Args:
        platform: of JAX, "cpu" or "cuda".
        double: whether numbers of 64 bits are to be kept as such; JAX makes them 32 otherwise.
    """

    def __init__(self, platform: str, double: bool = False) -> None:
        command = [sys.executable, "-m", "neurons.peers.apart_server", *(["--double"] if double else [])]
        environment = {**os.environ, "JAX_PLATFORMS": platform, "JAX_COMPILATION_CACHE_DIR": ""}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=-1
        )

    def ask(self, request: str, *arguments: object) -> Any:
        """The answer to a request, a method of the server.

        Raises:
            BackendUnavailable: the package raised something, or the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((request, arguments), self._process.stdin)
            self._process.stdin.flush()
            good, answer = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self.close()
            code = self._process.returncode
            raise BackendUnavailable(f"the process of {arguments[:1]} ended with exit code {code}") from error
        if not good:
            raise BackendUnavailable(answer)
        return answer

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@cache
def _shared(platform: str, owner: int) -> list[Apart]:
    return []


def shared(device: torch.device) -> Apart:
    """The process of this one that computes in 64 bits, for the device; started when it is first wanted.

    Raises:
        BackendUnavailable: JAX does not know such a device.
    """
    if device.type not in PLATFORMS:
        raise BackendUnavailable(f"JAX knows no {device.type} device of torch")
    known = _shared(PLATFORMS[device.type], os.getpid())
    if not known or not known[0].alive:
        known[:] = [Apart(PLATFORMS[device.type], double=True)]
    return known[0]


class Elsewhere(torch.autograd.Function):
    """Spikes of a neuron that another process runs, differentiable in the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: Named) -> Tensor:
        ctx.neuron = neuron
        ctx.save_for_backward(x)
        spikes = shared(x.device).ask("spikes", neuron, _array(x))
        return torch.from_numpy(spikes).to(x.device)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        found = shared(x.device).ask("gradient", ctx.neuron, _array(x), _array(gradients[0]))
        return torch.from_numpy(found).to(x.device), None


def _array(values: Tensor) -> np.ndarray[Any, Any]:
    if values.dtype not in (torch.float32, torch.float64):
        raise BackendUnavailable(f"packages of JAX take float32 and float64 here, not {values.dtype}")
    return values.detach().cpu().contiguous().numpy()
