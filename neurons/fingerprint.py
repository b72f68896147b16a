"""What a model computes, as a hash: whatever a file, a helper, a closure or the environment has made of it."""

from __future__ import annotations

import hashlib
import json
import sys
import sysconfig
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from neurons.kernels.trace import in_clean_thread, program_of
from neurons.model import Neuron
from neurons.reference import step_loop

CHANNELS, STEPS, ROWS = 3, 8, 16
PLAIN = (bool, int, float, str, tuple)
WORDS = ("tags", "used")
"""Attributes that decide no value."""


def fingerprint(neuron: Neuron) -> str:
    """A hash of the model: equal for the same computation, first values and draws of its parameters.

    For a step that can be traced it is made of the traced graphs. Of any other model it is made of the sources of the
    modules that it comes from and uses, and of what it gives for a fixed input: outputs and gradients.
    """
    declared = {name: repr(getattr(neuron, name, None)) for name in sorted(_declared(type(neuron)))}
    first = [in_clean_thread(partial(_first_values, neuron, seed)) for seed in (0, 1)]
    whole = [neuron.name, neuron.states, declared, first, _computation(neuron)]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]


def _declared(cls: type[Neuron]) -> set[str]:
    """Names of plain attributes, which a task may ask for (`spiking`); constants of the step show in its graphs."""
    own = (vars(base) for base in cls.__mro__[:-1])
    return {
        name
        for attributes in own
        for name, value in attributes.items()
        if isinstance(value, PLAIN) and not name.startswith("_") and name not in (*cls.constants(), *WORDS)
    }


def _first_values(neuron: Neuron, seed: int) -> object:
    """The first value of each parameter; what is raised, where a model raises."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            initial = neuron.initial_parameters(CHANNELS)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return [(name, value.flatten().tolist()) for name, value in initial.items()]


def _computation(neuron: Neuron) -> list[object]:
    if neuron.runs_over_time():
        try:
            programs = [program_of(neuron, dtype).digest() for dtype in (torch.float32, torch.float64)]
        except Exception:  # NotFusable, or whatever the step raises: that is for its cells to tell
            pass
        else:
            return [*programs, [getattr(neuron, name) for name in program_of(neuron).constants]]
    sources = {str(path): _file_hash(path) for path in _sources(type(neuron))}
    return [sorted(sources.values()), in_clean_thread(lambda: _response(neuron))]


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sources(cls: type[Neuron]) -> set[Path]:
    """Files of the modules that the class comes from and of those that they use, without installed packages."""
    open_ = [sys.modules[base.__module__] for base in cls.__mro__[:-2] if base.__module__ in sys.modules]
    seen: set[ModuleType] = set()
    found: set[Path] = set()
    while open_:
        module = open_.pop()
        file = getattr(module, "__file__", None)
        if module in seen or file is None or _is_installed(Path(file)):
            continue
        seen.add(module)
        found.add(Path(file))
        open_ += _used(module)
    return {path for path in found if path.is_file()}


def _used(module: ModuleType) -> Iterator[ModuleType]:
    for value in vars(module).values():
        name = getattr(value, "__module__", None)
        if isinstance(value, ModuleType):
            yield value
        elif isinstance(name, str) and name in sys.modules:
            yield sys.modules[name]


def _is_installed(path: Path) -> bool:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(path.is_relative_to(place) for place in places if place)


def _response(neuron: Neuron) -> object:
    """Outputs and gradients for a fixed input, to six digits; what is raised, where the model raises.

    One row after the other: this runs in the process that plans, so a step gets no more at once than it got when it was
    registered. What it does to larger inputs, its cells find out in processes of their own.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (neuron.timesteps or STEPS, ROWS, CHANNELS)
    gain = torch.logspace(-1, 1, ROWS, dtype=torch.float64).unsqueeze(1)
    x = gain * (0.7 + 0.6 * torch.randn(shape, generator=generator, dtype=torch.float64))
    gradient = torch.randn(shape, generator=generator, dtype=torch.float64)
    try:
        return [_row(neuron, x[:, [row]], gradient[:, [row]]) for row in range(ROWS)]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _row(neuron: Neuron, x: Tensor, gradient: Tensor) -> list[str]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        initial = neuron.initial_parameters(CHANNELS)
        parameters = {name: value.double().requires_grad_() for name, value in initial.items()}
        output = _run(neuron, parameters, x.requires_grad_())
    grads: tuple[Tensor, ...] = ()
    if output.requires_grad:
        grads = torch.autograd.grad(output, [x, *parameters.values()], gradient, materialize_grads=True)
    return [f"{value:.5e}" for tensor in (output, *grads) for value in tensor.flatten().tolist()]


def _run(neuron: Neuron, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    if neuron.runs_over_time():
        return step_loop(neuron, parameters, x)
    return neuron.run(parameters, x)
