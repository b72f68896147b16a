"""`python -m suite kernels`: what a compiler makes of each model's kernels, without a GPU at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import neurons
from neurons.kernels import cost
from neurons.kernels.gpu import ahead_of_time
from neurons.kernels.source import source_of
from neurons.kernels.trace import program_of
from suite.inspection.listing import print_listing


def resources(names: Sequence[str], targets: Sequence[str], steps: int, tile: int) -> list[dict[str, Any]]:
    """One object for each model, kernel and target, from the compiler's output; times are predictions."""
    rows = []
    for name in names:
        model = neurons.get(name)(steps)
        program = program_of(model)
        for target in targets:
            ahead_of_time.target_of(target)
            for kernel in ("forward", "backward"):
                found = ahead_of_time.compile_kernel(source_of(model), kernel, target, steps, tile)
                rows.append(
                    {
                        "neuron": name,
                        "kernel": kernel,
                        "target": target,
                        "timesteps": steps,
                        "registers": found.registers,
                        "spills": found.spills,
                        "shared_bytes": found.shared_bytes,
                        "bytes_per_element_step": round(found.bytes_per_element_step, 3),
                        "least_bytes_per_element_step": cost.least_bytes(kernel, item_size=4),
                        "operations_per_element_step": cost.kernel_operations(program, kernel),
                        "predicted_ps_per_element_step": round(
                            1e12 * found.bytes_per_element_step / ahead_of_time.BANDWIDTH[target], 3
                        ),
                    }
                )
    return rows


def print_resources(rows: Sequence[dict[str, Any]]) -> None:
    """The table for a terminal, with what the predicted time rests on."""
    short = {
        "bytes_per_element_step": "B/step",
        "least_bytes_per_element_step": "least",
        "operations_per_element_step": "ops/step",
        "shared_bytes": "shared",
        "predicted_ps_per_element_step": "predicted ps/step",
    }
    print_listing([{short.get(key, key): value for key, value in row.items()} for row in rows])
    for target in dict.fromkeys(row["target"] for row in rows):
        bandwidth = ahead_of_time.BANDWIDTH[target] / 1e12
        print(f"{target}: predicted from the bytes moved at the data sheet's {bandwidth:g} TB/s; no GPU was run")


def source(names: Sequence[str], steps: int) -> str:
    """The generated C and Triton source of each model; the loops around it are in neurons/kernels/."""
    parts = []
    for name in names:
        found = source_of(neurons.get(name)(steps))
        parts += [found.c_text, found.triton_text]
    return "\n".join(parts)
