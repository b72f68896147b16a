"""What a task, a data set and a network of a user must be, and what is wrong with one in a few words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from tasks.base import Metric, Task

if TYPE_CHECKING:
    from tasks.data.dataset import Arrays, Source
    from tasks.networks.network import Architecture


def fault_of_name(name: object, taken: Collection[str]) -> str | None:
    """Why something cannot be called so: a name is one word, and no other's."""
    if not isinstance(name, str) or not name.isidentifier():
        return f"the name {name!r} is not one word of letters, digits and _"
    return f"the name '{name}' is taken; give it another" if name in taken else None


def fault_of_task(cls: type[Task], taken: Collection[str]) -> str | None:
    """What is wrong with a task's class, or None."""
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        return f"has no {' and no '.join(missing)}"
    lacking = [name for name in ("description", "settings", "metrics") if not hasattr(cls, name)]
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    if not isinstance(cls.settings, Mapping):
        return f"settings must be a dict of defaults by name, not {cls.settings!r}"
    if not isinstance(cls.metrics, Mapping) or not all(isinstance(own, Metric) for own in cls.metrics.values()):
        return "metrics must be a dict of tasks.Metric by name"
    if not inspect.isgeneratorfunction(cls.run) and cls.run_batch is Task.run_batch:
        return "run must be a generator: yield tasks.Value(metric, value)"
    return fault_of_name(cls.name, taken)


def fault_of_source(source: Source) -> str | None:
    """What is wrong with a data set, found by making it once; or None."""
    try:
        arrays: Arrays = source.load(4, 0) if source.drawn else source.load(4)
        inputs, labels, split = arrays
    except Exception as error:
        return f"load(4) ends with {type(error).__name__}: {error}"
    if str(inputs.dtype) != "float32":
        return f"inputs are {inputs.dtype}, not float32"
    if labels.ndim != 1 or str(labels.dtype) != "int64" or labels.min() < 0:
        return f"labels must be int64 from 0 on, one a sample, not {labels.dtype} of shape {list(labels.shape)}"
    if not len(inputs) == len(labels) == len(split):
        return f"{len(inputs)} inputs, {len(labels)} labels and {len(split)} letters of the split are not as many"
    if set(split) != {"t", "v", "e"}:
        letters = sorted(map(str, set(split)))
        return f"the split has the letters {letters}; right are t (train), v (validation) and e (test), each"
    if inputs.ndim < (3 if source.sequence else 2):
        return f"inputs {list(inputs.shape)} must be [samples, {'T, ' if source.sequence else ''}*features]"
    return None


IMAGE, VECTOR = (1, 28, 28), (5,)


def fault_of_architecture(architecture: Architecture, build: Callable[..., Any]) -> str | None:
    """What is wrong with a network, found by building it narrow and running it once; or None.

    Args:
        build: from (features, T, width) to the network, of LIF neurons and three classes.
    """
    import torch

    features = IMAGE if architecture.images else VECTOR
    try:
        network = build(features, 2, 4)
        scores = network(torch.zeros(3, *features))
    except Exception as error:
        return f"built for inputs {list(features)}, T = 2 and width 4 it ends with {type(error).__name__}: {error}"
    if not isinstance(scores, torch.Tensor) or list(scores.shape) != [2, 3, 3]:
        shape = list(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        return f"its scores for T = 2, 3 samples and 3 classes are {shape}, not [2, 3, 3]"
    return None
